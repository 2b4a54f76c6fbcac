#!/usr/bin/env bash
# Checks what is in deploy/ with the programs that will read it, as far as they work without a container engine and without systemd
# as the first process. What the server reads there, its own tests check (server/tests/it/deploy.rs, caddy.rs).
set -euo pipefail
cd "$(dirname "$0")/.."
failed=0
fail() {
  echo "deploy: $*" >&2
  failed=1
}
for tool in caddy systemd-analyze shellcheck node /usr/bin/python3; do
  command -v "$tool" >/dev/null || { echo "deploy: $tool is missing; run scripts/setup.sh test" >&2; exit 1; }
done
dir=$(mktemp -d "${TMPDIR:-/tmp}/guildhall-deploy.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

# Scripts.
shellcheck --severity=warning scripts/*.sh deploy/*.sh bench/run || failed=1

# Caddy: with and without pages of services and several servers, and written as its own formatter writes it.
caddy_reads() { # caddy_reads CADDYFILE: with the environment of an operator, and nothing of ours
  env -i PATH="$PATH" HOME="$dir" XDG_DATA_HOME="$dir" XDG_CONFIG_HOME="$dir" GUILDHALL_PUBLIC_URL=https://guild.example.com \
    GUILDHALL_PREVIEW_URL='https://*.preview.example.com' GUILDHALL_PREVIEW_TLS=internal GUILDHALL_UPSTREAM="$GUILDHALL_UPSTREAM" \
    GUILDHALL_CADDY_OPTIONS='email operator@example.com' caddy validate --config "$1" >"$dir/caddy.log" 2>&1 ||
    { cat "$dir/caddy.log" >&2; fail "caddy does not take $1"; }
}
mkdir "$dir/alone"
cp deploy/Caddyfile "$dir/alone/"
GUILDHALL_UPSTREAM='guildhall:4300 guildhall2:4300' caddy_reads deploy/Caddyfile
GUILDHALL_UPSTREAM=127.0.0.1:4300 caddy_reads "$dir/alone/Caddyfile"
for file in deploy/Caddyfile deploy/previews.caddy deploy/nodes.caddy; do
  caddy fmt "$file" 2>/dev/null | cmp -s - "$file" || fail "$file is not formatted; run: caddy fmt --overwrite $file"
done

# systemd: every unit with its drop-ins. The program is not installed here, which is no fault of the unit.
cp -r deploy/systemd "$dir/units"
sed -i 's#^ExecStart=/usr/local/s\?bin/[a-z-]*#ExecStart=/bin/true#' "$dir"/units/*.service
SYSTEMD_UNIT_PATH="$dir/units:" systemd-analyze verify --man=no "$dir"/units/*.service "$dir"/units/*.timer \
  >"$dir/verify.log" 2>&1 || failed=1
if grep -F "$dir/units" "$dir/verify.log" >&2; then fail "systemd would not take the units as they are"; fi
# A certificate that lego renewed is read by a reload that is forced alone: the Caddyfile is the same as before.
grep -qE '^ExecReload=.* --force$' /lib/systemd/system/caddy.service || fail "a reload of Caddy would not read its certificate anew"
# How much of the machine the service is open to, in tenths of systemd's own reckoning: 0 is nothing, 100 everything. What bubblewrap
# needs keeps it from being lower (docs/sandbox.md).
exposure=39
SYSTEMD_UNIT_PATH="$dir/units:" systemd-analyze security --no-pager --offline=true --threshold=$exposure \
  "$dir/units/guildhall.service" >"$dir/security.log" 2>&1 ||
  { cat "$dir/security.log" >&2; fail "the unit is more open than it was"; }

# Compose: against the schema of the Compose specification, and put together.
node scripts/deploy/node_modules/.bin/dclint --color=false --config scripts/deploy/dclint.json deploy >"$dir/compose.log" 2>&1 || failed=1
if grep -E 'warning|error' "$dir/compose.log" >&2; then fail "compose would not take the files as they are"; fi
/usr/bin/python3 scripts/deploy/compose.py deploy/compose.yaml deploy/compose.postgres.yaml deploy/compose.limits.yaml || failed=1
/usr/bin/python3 scripts/deploy/compose.py deploy/compose.yaml deploy/compose.postgres.yaml deploy/compose.nodes.yaml deploy/compose.limits.yaml || failed=1

# With compose.limits.yaml `exec` begins as root, whom the data folder is closed to.
if grep -nE 'compose exec' docs/*.md README.md | grep -v -e ' -u guildhall '; then fail "a command in the container that does not say -u guildhall"; fi

# The filters of system calls, the container's and the unit's, loaded as a runtime loads them: bubblewrap makes its walls under each.
names=$(sed -n 's/^SystemCallFilter=~//p' deploy/systemd/guildhall.service | tr ' ' '\n' | while read -r group; do
  systemd-analyze syscall-filter --no-pager "$group" | awk '/^ +[a-z][a-z0-9_]*$/ { printf "\"%s\",", $1 }'
done)
printf '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [%s], "action": "SCMP_ACT_ERRNO"}]}' "${names%,}" >"$dir/unit.json"
for filter in deploy/seccomp.json "$dir/unit.json"; do
  /usr/bin/python3 scripts/deploy/filter.py "$filter" bwrap --unshare-all --disable-userns --unshare-user --die-with-parent --ro-bind / / \
    --proc /proc --dev /dev --tmpfs /tmp true || fail "bubblewrap does not work under $filter, or it does not hold"
done

# The image: what it copies is there and let through, and the program is built as everywhere.
while read -r source; do
  [ -e "$source" ] || fail "deploy/Dockerfile copies $source, which is not there"
  top=${source%%/*}
  grep -qxF -e "!$source" -e "!$top" deploy/Dockerfile.dockerignore || fail "deploy/Dockerfile.dockerignore keeps $source out"
done < <(awk '$1 == "COPY" && $0 !~ /--from=/ { for (i = 2; i < NF; i++) if ($i !~ /^--/) print $i }' deploy/Dockerfile)
node scripts/deploy/node_modules/.bin/dockerfile-utils lint deploy/Dockerfile >&2 || fail "deploy/Dockerfile is not as it should be"
for file in deploy/Dockerfile scripts/release.sh; do
  grep -qF 'cargo build --release --locked -p guildhall-server' "$file" || fail "$file builds the program in another way"
done
if grep -nE '^FROM ' deploy/Dockerfile | grep -vE ':[0-9a-z.-]+( AS [a-z]+)?$'; then fail "an image without a version"; fi
if grep -nE '^ +image: ' deploy/compose*.yaml | grep -vE ':[0-9a-z.-]+$|guildhall:local'; then fail "an image without a version"; fi
exit $failed
