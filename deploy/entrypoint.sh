#!/bin/sh
# Starts Guildhall in its container. As the user of the image it just does. As root, which compose.limits.yaml asks for, it first gives
# the container's own control group to that user, so that limits for each member can be kept, and then drops every right.
set -eu

# .env speaks of a PostgreSQL, and nothing says where it is: its file was left out. The server would begin anew with an empty SQLite, at
# the public address, and belong to whoever comes first.
if [ -n "${POSTGRES_PASSWORD:-}" ] && [ -z "${DATABASE_URL:-}" ]; then
  echo "guildhall: POSTGRES_PASSWORD is set, but compose.postgres.yaml was left out; write COMPOSE_FILE=compose.yaml:compose.postgres.yaml into .env" >&2
  exit 1
fi
# The same of compose.nodes.yaml: it would work beside the other one and neither hear of it nor have the key of both.
if [ -n "${REDIS_PASSWORD:-}" ] && [ -z "${REDIS_URL:-}" ]; then
  echo "guildhall: REDIS_PASSWORD is set, but compose.nodes.yaml was left out; write COMPOSE_FILE=compose.yaml:compose.postgres.yaml:compose.nodes.yaml into .env" >&2
  exit 1
fi
if [ "$(id -u)" = 0 ]; then
  group=/sys/fs/cgroup
  for file in "$group" "$group/cgroup.procs" "$group/cgroup.threads" "$group/cgroup.subtree_control"; do
    # Where there is none to write, the server says so, and runs all the same.
    [ ! -w "$file" ] || chown guildhall "$file" || true
  done
  exec setpriv --reuid=guildhall --regid=guildhall --init-groups --inh-caps=-all --no-new-privs -- "$0" "$@"
fi
# tini: what commands leave behind becomes the child of the first process, which must bury it.
exec tini -- guildhall "$@"
