//! What a host keeps of the limits, for whoever runs the server.

use std::path::Path;

use super::host::Offer;
use crate::Finding;

/// Looks at what control groups a process started as this one would have. Changes nothing. Blocks, briefly.
pub fn look_at_groups() -> Vec<Finding> {
    findings(&Offer::look())
}

pub(super) fn findings(offer: &Offer) -> Vec<Finding> {
    let held = |controller: &str| {
        offer.hierarchies.iter().find(|found| found.kind.controllers().any(|held| held == controller))
    };
    let kept = |(controller, name, so): (&str, &'static str, &str)| match held(controller) {
        Some(found) => {
            let version = if found.kind.v2 { 2 } else { 1 };
            let detail = format!("kept by control groups version {version} below {}", found.at.display());
            Finding { name, ok: true, detail }
        }
        None => {
            let why = offer.missing.iter().find(|(missing, _)| *missing == controller);
            let why = why.map_or("there are no control groups", |(_, why)| why.as_str());
            Finding { name, ok: false, detail: format!("not kept, so that {so}: {why}; {}", advice()) }
        }
    };
    let detail = "kept by counting what worktrees take while commands run; commands that make one too large are ended";
    [
        ("memory", "limit of memory", "a member's commands can take all of the machine's memory"),
        ("pids", "limit of processes", "processes are bounded by user alone, for all members' commands together"),
        ("cpu", "shares of processors", "one member's commands can slow everybody else's down"),
    ]
    .into_iter()
    .map(kept)
    .chain([Finding { name: "limit of disk", ok: true, detail: detail.to_owned() }])
    .collect()
}

/// What an operator can do.
fn advice() -> &'static str {
    if ["/.dockerenv", "/run/.containerenv"].iter().any(|file| Path::new(file).exists()) {
        return "start the container with control groups of its own that it can write (docs/operators.md says how)";
    }
    "under systemd, put Delegate=yes and DelegateSubgroup=guildhall-server into the service; by hand, start it with \
     systemd-run --user --scope -p Delegate=yes guildhall serve"
}
