#!/usr/bin/env python3
"""Checks of compose files what no schema says, and what only shows when they are put together.

    scripts/deploy/compose.py BASE [OVERLAY...]

What an overlay changes must be in the base or whole; files that are mounted must be there; addresses must lie in the network that
they are in; each variable says what is taken where it is not set. Anchors and `extends` are not used here.
"""

import ipaddress
import json
import pathlib
import re
import sys

import yaml

faults = []


def merge(under, over):
    """Puts one file over another as compose does, in so far as these files need it: maps by key, lists one after the other."""
    if isinstance(under, dict) and isinstance(over, dict):
        return {key: merge(under[key], over[key]) if key in under and key in over else under.get(key, over.get(key)) for key in under | over}
    if isinstance(under, list) and isinstance(over, list):
        return under + over
    return under if over is None else over


def check_whole(folder, whole):
    """What only shows when the files are put together."""
    services = whole["services"]
    for name, service in services.items():
        if "image" not in service:
            faults.append(f"service {name} has no image")
        if not {"max-size", "max-file"} <= set((service.get("logging") or {}).get("options", {})):
            faults.append(f"service {name} keeps its log without bound: say logging, with max-size and max-file")
        for other in service.get("depends_on", []):
            if other not in services:
                faults.append(f"service {name} waits for {other}, which is not there")
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                if not (folder / source).exists():
                    faults.append(f"service {name} mounts {source}, which is not there")
            elif source not in whole.get("volumes", {}):
                faults.append(f"service {name} mounts the volume {source}, which is not declared")
        for secret in service.get("secrets", []):
            if secret not in whole.get("secrets", {}):
                faults.append(f"service {name} is given the secret {secret}, which is not declared")
        for option in service.get("security_opt", []):
            if option.startswith("seccomp=./") and not (folder / option.split("=")[1]).is_file():
                faults.append(f"service {name} names the profile {option}, which is not there")
        for network, how in (service.get("networks") or {}).items():
            if network not in whole.get("networks", {}):
                faults.append(f"service {name} is in the network {network}, which is not declared")
                continue
            subnets = (whole["networks"][network] or {}).get("ipam", {}).get("config", [])
            address = (how or {}).get("ipv4_address")
            if address and not any(ipaddress.ip_address(address) in ipaddress.ip_network(one["subnet"]) for one in subnets):
                faults.append(f"service {name} wants {address}, which is not in the network {network}")
            handed_out = [ipaddress.ip_network(one.get("ip_range", one["subnet"])) for one in subnets]
            if address and any(ipaddress.ip_address(address) in one for one in handed_out):
                faults.append(f"service {name} wants {address}, which another may be given before: say ip_range in the network {network}")
    text = json.dumps(whole)
    for variable in re.findall(r"\$\{([^}]*)\}", text):
        if not re.fullmatch(r"[A-Z_]+(:[-?].*)", variable):
            faults.append(f"${{{variable}}} says neither what to take nor what to do where it is not set")


def main():
    files = [pathlib.Path(name) for name in sys.argv[1:]]
    whole = {}
    for file in files:
        whole = merge(whole, yaml.safe_load(file.read_text()))
    check_whole(files[0].parent, whole)
    for fault in faults:
        print(f"compose: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


main()
