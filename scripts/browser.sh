#!/usr/bin/env bash
# Runs the browser tests against a real server with a simulated model and an OpenID provider, all on free ports, with an empty
# data folder.
#
#   scripts/browser.sh                 all of them, in two halves at once, each with servers of its own; the files with a test that
#                                      failed there once more, alone
#   scripts/browser.sh main-path       those whose file name matches
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh test
scripts/page.sh
# As the tests of the workspace have them built: with features of their own they would be built anew.
cargo build --locked --quiet --workspace --all-targets

if [ $# -eq 0 ]; then
  # Most of the time a test waits for the page; so two halves take little more than one of them.
  logs=$(mktemp -d "${TMPDIR:-/tmp}/guildhall-browser.XXXXXX")
  halves=()
  trap '[ ${#halves[@]} -eq 0 ] || kill "${halves[@]}" 2>/dev/null || true; rm -rf "$logs"' EXIT
  trap 'exit 130' INT TERM
  for half in 1 2; do
    GUILDHALL_E2E_RESULTS="test-results/half-$half" PLAYWRIGHT_HTML_OUTPUT_DIR="playwright-report/half-$half" \
      "$0" "--shard=$half/2" >"$logs/$half" 2>&1 &
    halves+=($!)
  done
  # What passed first: whoever reads the end of this reads what failed.
  passed=() failed=()
  for half in 1 2; do
    if wait "${halves[$((half - 1))]}"; then passed+=("$half"); else failed+=("$half"); fi
  done
  again=()
  for half in ${passed[@]+"${passed[@]}"} ${failed[@]+"${failed[@]}"}; do
    echo "browser: half $half of 2"
    cat "$logs/$half"
  done
  [ ${#failed[@]} -gt 0 ] || exit 0
  # Playwright's list of what failed comes last, after a line that counts it.
  for half in "${failed[@]}"; do
    mapfile -t -O ${#again[@]} again < <(sed -n '/^  [0-9]* failed$/,$s/^    \[page\] › \(e2e\/[a-z0-9-]*\.spec\.ts\):.*/\1/p' "$logs/$half" | sort -u)
    grep -q '^  [0-9]* passed' "$logs/$half" || { echo "browser: half $half of 2 did not come to its tests" >&2; exit 1; }
  done
  [ ${#again[@]} -gt 0 ] || exit 1
  # Halves that each want the whole machine may wait longer for it than their tests do: so those files once more, with nothing beside.
  echo "browser: once more, alone: ${again[*]}"
  rm -rf "$logs"
  exec "$0" "${again[@]}"
fi

dir=$(mktemp -d "${TMPDIR:-/tmp}/guildhall-browser.XXXXXX")
pids=()
stop() {
  [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$dir"
}
trap stop EXIT
trap 'exit 130' INT TERM

# Waits for the first line that holds a URL in a program's output, and prints the URL.
url_of() { # url_of <file> <pid>
  for _ in $(seq 1 600); do
    if grep -om1 'http://127\.0\.0\.1:[0-9]*' "$1" 2>/dev/null; then return; fi
    kill -0 "$2" 2>/dev/null || break
    sleep 0.05
  done
  cat "$1" >&2
  echo "browser: the program did not say where it listens" >&2
  return 1
}

target/debug/guildhall-sim --listen 127.0.0.1:0 --first-word-ms 60 --per-word-ms 4 >"$dir/sim" 2>&1 &
pids+=($!)
GUILDHALL_SIMULATED_PROVIDER_URL=$(url_of "$dir/sim" $!)
export GUILDHALL_SIMULATED_PROVIDER_URL
# The OpenID provider ends when nobody holds its standard input any more.
mkfifo "$dir/hold"
exec 9<>"$dir/hold"
node crates/server/tests/oidc/provider.mjs <"$dir/hold" >"$dir/oidc" 2>&1 &
pids+=($!)
GUILDHALL_E2E_OIDC=$(url_of "$dir/oidc" $!)
export GUILDHALL_E2E_OIDC
mkdir -m 700 "$dir/data"
cat >"$dir/data/guildhall.toml" <<END
[[oidc]]
name = "test"
label = "Test ID"
issuer = "$GUILDHALL_E2E_OIDC"
clientId = "guildhall"
clientSecret = "the-secret-of-the-client-of-the-tests-0001"
END
# What the machine's own environment says must not reach the tests.
env -u ANTHROPIC_API_KEY -u OPENAI_API_KEY -u DATABASE_URL -u REDIS_URL -u GUILDHALL_PUBLIC_URL -u GUILDHALL_CONFIG \
  GUILDHALL_BACKUP_TO="$dir/backups" GUILDHALL_BACKUP_EVERY=off \
  GUILDHALL_ALLOW_PRIVATE_PROVIDERS=true GUILDHALL_DATA_DIR="$dir/data" GUILDHALL_ALLOWED_REPO_PATHS="$dir/sources" \
  target/debug/guildhall serve --listen 127.0.0.1:0 >"$dir/server" 2>&1 &
pids+=($!)
GUILDHALL_E2E_URL=$(url_of "$dir/server" $!)
export GUILDHALL_E2E_URL
GUILDHALL_E2E_SOURCES="$dir/sources"
export GUILDHALL_E2E_SOURCES
mkdir -p "$GUILDHALL_E2E_SOURCES"

# A second server, which sends mail, and a mail server that writes down what it is sent.
node crates/server/tests/smtp/server.mjs >"$dir/mails" &
pids+=($!)
for _ in $(seq 1 600); do [ -s "$dir/mails" ] && break; sleep 0.05; done
smtp_port=$(sed -n '1s/[^0-9]//gp' "$dir/mails")
env -u ANTHROPIC_API_KEY -u DATABASE_URL -u REDIS_URL -u GUILDHALL_PUBLIC_URL -u GUILDHALL_CONFIG \
  GUILDHALL_DATA_DIR="$dir/mailing" GUILDHALL_SMTP_URL="smtp://127.0.0.1:$smtp_port" \
  GUILDHALL_MAIL_FROM="Guildhall <guildhall@example.com>" \
  target/debug/guildhall serve --listen 127.0.0.1:0 >"$dir/mailing-server" 2>&1 &
pids+=($!)
GUILDHALL_E2E_MAIL_URL=$(url_of "$dir/mailing-server" $!)
GUILDHALL_E2E_MAILS="$dir/mails"
export GUILDHALL_E2E_MAIL_URL GUILDHALL_E2E_MAILS

cd ui
# What is read out of its words, here and by the other half of this, has no colours in it.
FORCE_COLOR=0 npx --no-install playwright test "$@" 2>&1 | tee "$dir/tests" || {
  status=$?
  tail -n 40 "$dir/server" >&2
  # What failed, once more: whoever is shown the end alone reads why, and not what the server did last.
  sed -n '/^  1) /,$p' "$dir/tests" | tail -n 60 >&2
  exit $status
}
