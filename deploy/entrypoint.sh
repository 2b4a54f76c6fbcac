#!/bin/sh
# Starts Guildhall in its container. As the user of the image it just does. As root, which compose.limits.yaml asks for, it first gives
# the container's own control group to that user, so that limits for each member can be kept, and then drops every right.
set -eu

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
