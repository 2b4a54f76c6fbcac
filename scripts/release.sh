#!/usr/bin/env bash
# Builds the released program with the page in it: target/release/guildhall. It says by `guildhall version` what it was built of.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/page.sh
# A checkout with changes of its own is not that commit, and says `-dirty`. Without git nothing is said.
GUILDHALL_COMMIT=${GUILDHALL_COMMIT-$(git describe --always --dirty --abbrev=12 --exclude '*' 2>/dev/null || true)}
GUILDHALL_BUILT=${GUILDHALL_BUILT-$(date -u +%F)}
export GUILDHALL_COMMIT GUILDHALL_BUILT
echo "release: building the server (the first time takes some minutes)" >&2
cargo build --release --locked -p guildhall-server
target/release/guildhall version
