#!/usr/bin/env bash
# Builds Guildhall and starts it with SQLite, beside a simulated model provider for the sample project.
#
#   make run                           http://127.0.0.1:4300, data in ./data
#   GUILDHALL_LISTEN=127.0.0.1:8080 make run
#   ANTHROPIC_API_KEY=… make run       with a key for the whole team
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh run
scripts/page.sh
echo "run: building the server (the first time takes some minutes)" >&2
cargo build --release --locked --quiet -p guildhall-server -p guildhall-sim

export GUILDHALL_DATA_DIR=${GUILDHALL_DATA_DIR:-$PWD/data}
mkdir -p "$GUILDHALL_DATA_DIR"
if [ -z "${GUILDHALL_SIMULATED_PROVIDER_URL:-}" ]; then
  address=$(mktemp "${TMPDIR:-/tmp}/guildhall-sim.XXXXXX")
  target/release/guildhall-sim --listen 127.0.0.1:0 >"$address" &
  sim=$!
  trap 'kill "$sim" 2>/dev/null || true; rm -f "$address"' EXIT
  # The simulator says where it listens as soon as it does.
  while ! GUILDHALL_SIMULATED_PROVIDER_URL=$(grep -om1 'http://127[0-9.:]*' "$address"); do
    kill -0 "$sim" 2>/dev/null || { echo "run: the simulated provider did not start" >&2; exit 1; }
    sleep 0.05
  done
  export GUILDHALL_SIMULATED_PROVIDER_URL
fi
# Not `exec`: the trap ends the simulator when the server ends.
target/release/guildhall serve "$@"
