#!/usr/bin/env bash
# Runs every test in tests/, each with an empty list of its own.
set -u
cd "$(dirname "$0")"
failed=0
for file in tests/*.test.sh; do
  TODO_FILE=$(mktemp)
  export TODO_FILE
  if bash -eu "$file"; then
    echo "ok      $file"
  else
    echo "FAILED  $file"
    failed=1
  fi
  rm -f "$TODO_FILE"
done
exit $failed
