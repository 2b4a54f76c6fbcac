#!/usr/bin/env bash
# Holds the rules on dependencies: one TLS stack (rustls over ring), no OpenSSL, and the layers of ARCHITECTURE.md.
set -euo pipefail
cd "$(dirname "$0")/.."
failed=0

tree=$(cargo tree --workspace --locked --edges normal,build --prefix none --format '{p}' | sort -u)
for banned in openssl openssl-sys native-tls aws-lc-rs aws-lc-sys; do
  if grep -q "^$banned v" <<<"$tree"; then
    echo "dependencies: $banned must not be here; see: cargo tree -i $banned" >&2
    failed=1
  fi
done

# crate: the crates of ours that it may use
layers() {
  case $1 in
    types | process) echo "" ;;
    store | bus | llm) echo "types" ;;
    git | sandbox) echo "types process" ;;
    agent) echo "types llm sandbox" ;;
    team) echo "types store git llm" ;;
    engine) echo "types store bus git sandbox llm agent team" ;;
    server) echo "types store bus git sandbox llm agent team engine" ;;
    sim) echo "" ;;
  esac
}
for crate in types process store bus git sandbox llm agent team engine server sim; do
  used=$(cargo tree --locked -p "guildhall-$crate" --edges normal --depth 1 --prefix none --format '{p}' |
    sed -n '2,$s/^guildhall-\([a-z]*\) .*/\1/p' | sort -u)
  for other in $used; do
    case " $(layers "$crate") " in
      *" $other "*) ;;
      *) echo "dependencies: crates/$crate must not use crates/$other" >&2; failed=1 ;;
    esac
  done
done
exit $failed
