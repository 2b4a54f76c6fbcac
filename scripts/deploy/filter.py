#!/usr/bin/env python3
"""Runs a program under a container's filter of system calls, loaded as a container runtime loads it: by libseccomp.

    scripts/deploy/filter.py PROFILE PROGRAM [ARGUMENT...]

Knows of Docker's profiles what ours uses: one default action, and lists of names with an action of their own. Ends with an error
where the filter does not refuse `ptrace`, which everybody may call without one.
"""

import ctypes
import json
import os
import sys

import seccomp

profile, *command = sys.argv[1:]
with open(profile, encoding="utf-8") as file:
    rules = json.load(file)
actions = {"SCMP_ACT_ALLOW": seccomp.ALLOW, "SCMP_ACT_ERRNO": seccomp.ERRNO(1)}
loaded = seccomp.SyscallFilter(actions[rules["defaultAction"]])
for rule in rules["syscalls"]:
    for name in rule["names"]:
        try:
            loaded.add_rule(actions[rule["action"]], name)
        except RuntimeError:
            # A runtime passes over what this kind of processor, or this libseccomp, does not have.
            pass
loaded.load()
number = seccomp.resolve_syscall(seccomp.Arch(), "ptrace")
if ctypes.CDLL(None).syscall(number, 0, 0, 0, 0) == 0:
    sys.exit(f"{profile} does not refuse ptrace")
os.execvp(command[0], command)
