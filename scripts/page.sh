#!/usr/bin/env bash
# Builds the page into ui/dist, unless nothing changed since the last time.
set -euo pipefail
cd "$(dirname "$0")/../ui"

if [ ! -d node_modules ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo "page: installing what the page is built with (npm ci)" >&2
  npm ci --no-audit --no-fund --loglevel=error
fi
if [ ! -f dist/index.html ] || [ -n "$(find src public index.html package-lock.json vite.config.ts -newer dist/index.html -print -quit)" ]; then
  echo "page: building" >&2
  npm run build --silent
fi
