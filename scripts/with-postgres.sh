#!/usr/bin/env bash
# Runs a command with a private PostgreSQL server on a free port of the loopback address.
#
#   scripts/with-postgres.sh cargo nextest run --workspace
#   scripts/with-postgres.sh --in-memory cargo nextest run --workspace    its data in memory, where there is plenty: a database for
#                                                                         each test is hundreds of files, which a disk takes its time for
#
# The server's address is in GUILDHALL_TEST_POSTGRES for the command. The server and its data go when the command ends.
set -euo pipefail

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
if [ -z "$bin" ]; then
  echo "with-postgres: no PostgreSQL server found below /usr/lib/postgresql; run scripts/setup.sh" >&2
  exit 1
fi

place=${TMPDIR:-/tmp}
settings="-c fsync=off -c full_page_writes=off -c max_connections=300"
if [ "${1:-}" = --in-memory ]; then
  shift
  # Hundreds of small databases that live for seconds and are never dropped: nothing in them is worth tidying or counting, and a
  # checkpoint goes through the files of all of them; how much room its log takes stays as it is. What is measured runs without this.
  settings="$settings -c autovacuum=off -c checkpoint_timeout=1h"
  # What all tests together leave there is some two gigabytes.
  free=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
  room=$(df -k --output=avail /dev/shm 2>/dev/null | tail -1)
  if [ "${free:-0}" -gt 10000000 ] && [ "${room:-0}" -gt 6000000 ] && [ -w /dev/shm ]; then place=/dev/shm; fi
  # What a run that was killed left there would keep its memory.
  for old in "$place"/guildhall-pg.*; do
    pid=$(head -n 1 "$old/data/postmaster.pid" 2>/dev/null || true)
    if [ -n "$pid" ] && ! kill -0 "$pid" 2>/dev/null; then rm -rf "$old"; fi
  done
fi
dir=$(mktemp -d "$place/guildhall-pg.XXXXXX")
as=()
if [ "$(id -u)" = 0 ]; then
  # The server refuses to run as root.
  chown postgres "$dir"
  as=(setpriv --reuid=postgres --regid=postgres --init-groups --)
fi
stop() {
  (cd / && "${as[@]}" "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1) || true
  rm -rf "$dir"
}
trap stop EXIT
trap 'exit 130' INT TERM

(cd / && "${as[@]}" "$bin/initdb" -D "$dir/data" -U guildhall --auth=trust --no-sync --encoding=UTF8 --locale=C.UTF-8 >"$dir.log" 2>&1) ||
  { cat "$dir.log" >&2; exit 1; }
rm -f "$dir.log"
for _ in 1 2 3 4 5; do
  port=$((20000 + RANDOM % 20000))
  if (cd / && "${as[@]}" "$bin/pg_ctl" -D "$dir/data" -w -t 30 -l "$dir/server.log" \
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='' $settings" \
    start >/dev/null 2>&1); then
    export GUILDHALL_TEST_POSTGRES="postgres://guildhall@127.0.0.1:$port/postgres"
    "$@"
    exit $?
  fi
done
cat "$dir/server.log" >&2
echo "with-postgres: the server did not start" >&2
exit 1
