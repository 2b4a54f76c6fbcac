#!/usr/bin/env bash
# Runs the tests of what keeps agents apart once more as a user without any rights, when this one is root: bubblewrap, git and
# the kernel behave otherwise for root. Whoever is no root has run them as such already.
#
#   scripts/ordinary.sh          after `cargo nextest run --workspace`, whose programs it takes
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ]; then
  echo "ordinary: this is an ordinary user already, and has run these tests" >&2
  exit 0
fi

# A number that is nobody's: in no group, with no home, not in /etc/passwd.
user=61184
dir=$(mktemp -d "${TMPDIR:-/tmp}/guildhall-ordinary.XXXXXX")
# Outside of /tmp, which a sandbox has for its own: where a toolchain could be.
outside=$(mktemp -d /opt/guildhall-test.XXXXXX 2>/dev/null || mktemp -d /srv/guildhall-test.XXXXXX)
trap 'rm -rf "$dir" "$outside"' EXIT
trap 'exit 130' INT TERM

# Of the whole workspace: its programs are there already, and with features of their own they would be built anew.
cargo nextest list --workspace --locked --list-type binaries-only --message-format json >"$dir/binaries.json"
program() { # program BINARY-ID: where that test program is
  sed -n 's/.*"binary-id":"'"$1"'","binary-name":"[^"]*","package-id":"[^"]*","kind":"[^"]*","binary-path":"\([^"]*\)".*/\1/p' \
    <(sed 's/},/},\n/g' "$dir/binaries.json")
}

mkdir -p "$dir/tmp"
chmod 711 "$dir"
chown "$user:$user" "$dir/tmp" "$outside"
chmod 700 "$dir/tmp" "$outside"

# as_user THREADS CRATE BINARY-ID ARGUMENTS...
as_user() {
  local threads=$1 crate=$2 id=$3
  shift 3
  (cd "$dir/$crate" && env -i PATH="$PATH" TMPDIR="$dir/tmp" HOME=/nonexistent CARGO_MANIFEST_DIR="$dir/$crate" \
    GUILDHALL_TEST_FOLDER="$outside" \
    setpriv --reuid="$user" --regid="$user" --clear-groups --inh-caps=-all --bounding-set=-all -- \
    "./${id##*::}.test" --test-threads="$threads" --quiet "$@")
}

failed=0
# run CRATE BINARY-ID ARGUMENTS...: with the crate's tests beside it, since the checkout may be closed to others.
run() {
  local crate=$1 id=$2 from
  shift 2
  from=$(program "$id")
  [ -n "$from" ] || { echo "ordinary: there is no test program $id" >&2; failed=1; return; }
  mkdir -p "$dir/$crate"
  cp "$from" "$dir/$crate/${id##*::}.test"
  [ ! -d "crates/$crate/tests" ] || cp -r "crates/$crate/tests" "$dir/$crate/"
  chmod -R a+rX "$dir/$crate"
  echo "ordinary: $id as user $user" >&2
  if ! as_user 4 "$crate" "$id" "$@" | tee "$dir/said"; then
    # Four that each want the whole machine may wait longer for it than they do: so those that failed once more, one by one.
    local again
    mapfile -t again < <(sed -n 's/^    \([A-Za-z0-9_:]*\)$/\1/p' "$dir/said" | sort -u)
    echo "ordinary: once more, alone: ${again[*]}" >&2
    [ ${#again[@]} -gt 0 ] && as_user 1 "$crate" "$id" --exact "${again[@]}" || failed=1
  fi
  # A test that was renamed is not one that has passed.
  ! grep -q '^running 0 tests' "$dir/said" || { echo "ordinary: $id has no such test: $*" >&2; failed=1; }
}

run sandbox guildhall-sandbox
# What looks at its process's memory needs that for itself; and the toolchain that built all this lies in root's home as a rule,
# where this user sees nothing.
run sandbox guildhall-sandbox::it --skip output_without_end_takes_little_memory --skip cargo_builds_a_crate_with_the_toolchain
run sandbox guildhall-sandbox::it output_without_end_takes_little_memory
run git guildhall-git
# What looks at the sources needs them.
run git guildhall-git::it --skip no_other_place_starts_git
run engine guildhall-engine::it hostile
run engine guildhall-engine::it path::a_card_becomes_a_commit
exit $failed
