#!/usr/bin/env bash
# Installs what Guildhall needs beside git, Rust, Node and npm, with the system's package manager, and says so.
#
#   scripts/setup.sh run     what `make run` needs: a sandbox for agents' commands
#   scripts/setup.sh test    what `make test` needs too: PostgreSQL, Redis, a browser, cargo-nextest,
#                            an OpenID provider, a mail server, a receiver of webhooks, MCP clients and an
#                            S3-compatible store to test against,
#                            Caddy in front of the server, promtool, and what checks deploy/
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:-run}
packages=()
need() { # need <package> <test that succeeds when it is there...>
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || packages+=("$package")
}
has_postgres() { ls -d /usr/lib/postgresql/*/bin/initdb; }
has_chromium() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

for tool in git cargo node npm; do
  command -v "$tool" >/dev/null || { echo "setup: $tool is missing; install it first (see README.md)" >&2; exit 1; }
done
need bubblewrap command -v bwrap
need gcc command -v cc
if [ "$what" = test ]; then
  need postgresql has_postgres
  need chromium has_chromium
  need openssl command -v openssl
  need curl command -v curl
  need prometheus command -v promtool
  need python3-venv python3 -c "import ensurepip, venv"
  need caddy command -v caddy
  need shellcheck command -v shellcheck
  need systemd command -v systemd-analyze
  need python3-yaml /usr/bin/python3 -c "import yaml"
  need php-cli command -v php
  need redis-server command -v redis-server
  need python3-seccomp /usr/bin/python3 -c "import seccomp"
fi

if [ ${#packages[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "setup: please install with your package manager: ${packages[*]}" >&2
    exit 1
  fi
  sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  echo "setup: installing ${packages[*]} with apt-get" >&2
  "${sudo[@]}" apt-get update -qq
  # policy-rc.d would start the distribution's own PostgreSQL and Redis; the tests start private ones.
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

if [ "$what" = test ] && ! command -v cargo-nextest >/dev/null; then
  echo "setup: installing cargo-nextest with cargo" >&2
  cargo install --quiet --locked cargo-nextest@0.9.114
fi

# Servers that the tests talk to and that nobody here wrote, and what checks deploy/.
for folder in crates/server/tests/{oidc,smtp,webhook,mcp} scripts/deploy; do
  [ "$what" = test ] || continue
  if [ ! -d "$folder/node_modules" ] || [ "$folder/package-lock.json" -nt "$folder/node_modules/.package-lock.json" ]; then
    # Among those of mcp is Claude Code, a program of 400 MB.
    echo "setup: installing what the tests need in $folder with npm" >&2
    (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
  fi
done

# The Python SDK of MCP, and an S3-compatible store, each in an environment of its own.
for folder in crates/server/tests/{mcp,s3}; do
  [ "$what" = test ] || continue
  if [ "$folder/requirements.txt" -nt "$folder/python/done" ]; then
    echo "setup: installing what the tests need in $folder with pip" >&2
    python3 -m venv "$folder/python"
    "$folder/python/bin/pip" install --quiet --disable-pip-version-check -r "$folder/requirements.txt"
    touch "$folder/python/done"
  fi
done
