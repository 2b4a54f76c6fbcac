//! What a host keeps of the limits, for whoever runs the server.

use std::fs;
use std::path::Path;

use super::host::Offer;
use crate::Finding;

/// What is mounted where, as this process sees it.
const MOUNTS: &str = "/proc/self/mountinfo";
/// What has the kernel move processes between control groups without waiting for all processors, and lets forks and ends of processes
/// cost a little more. It holds for the whole machine, whichever hierarchy was mounted with it.
const QUICK: &str = "favordynmods";
/// What it is about that this decides.
const STARTS: &str = "starts of commands";

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
    .chain(
        (!offer.hierarchies.is_empty()).then(|| starts(&fs::read_to_string(MOUNTS).unwrap_or_default(), contained())),
    )
    .collect()
}

/// How fast a process comes into its groups, by what is mounted here.
fn starts(mounts: &str, contained: bool) -> Finding {
    let mut advice = None;
    // Before the dash the fifth word is where; after it come the kind, what is mounted, and the options that hold for all of it.
    for (before, after) in mounts.lines().filter_map(|line| line.split_once(" - ")) {
        let mut words = after.split(' ');
        let (kind, options) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
        if ["cgroup", "cgroup2"].contains(&kind) && options.split(',').any(|option| option == QUICK) {
            let detail = format!("in their control groups at once ({QUICK})");
            return Finding { name: STARTS, ok: true, detail };
        }
        if kind == "cgroup2" {
            advice = advice.or(before.split(' ').nth(4));
        }
    }
    let detail =
        "each waits some milliseconds until it is in its control groups, and longer while many start".to_owned();
    let detail = match advice {
        Some(at) if !contained => {
            format!("{detail}; `mount -o remount,{QUICK} {at}` changes that (docs/operators.md says for what price)")
        }
        Some(_) => format!("{detail}; docs/operators.md says how whoever runs this container's host changes that"),
        None => detail,
    };
    Finding { name: STARTS, ok: true, detail }
}

/// Whether this is a container.
fn contained() -> bool {
    ["/.dockerenv", "/run/.containerenv"].iter().any(|file| Path::new(file).exists())
}

/// What an operator can do.
fn advice() -> &'static str {
    if contained() {
        return "start the container with control groups of its own that it can write (docs/operators.md says how)";
    }
    "under systemd, put Delegate=yes and DelegateSubgroup=guildhall-server into the service; by hand, start it with \
     systemd-run --user --scope -p Delegate=yes guildhall serve"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_starts_are_quick_is_read_from_what_is_mounted() {
        let cgroup = |options: &str| {
            format!("30 24 0:26 / /sys/fs/cgroup/unified rw,nosuid shared:4 - cgroup2 cgroup2 rw,{options}\n")
        };
        let told = |mounts: &str, contained| starts(mounts, contained).detail;
        assert!(told(&cgroup("nsdelegate,favordynmods"), false).contains("at once"));
        // It holds for both versions, whichever was mounted with it.
        let old = "31 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,favordynmods,memory\n";
        assert!(told(&format!("{}{old}", cgroup("nsdelegate")), false).contains("at once"));
        let slow = cgroup("nsdelegate,memory_recursiveprot");
        assert!(told(&slow, false).contains("`mount -o remount,favordynmods /sys/fs/cgroup/unified`"));
        assert!(!told(&slow, true).contains("mount -o"), "nobody may within a container");
        let other = "32 24 0:28 / /srv/favordynmods rw - ext4 /dev/favordynmods rw,favordynmods\n";
        for mounts in ["", other, &old.replace("favordynmods,", "")] {
            let told = told(mounts, false);
            assert!(told.starts_with("each waits") && !told.contains("mount -o"), "{told}");
        }
    }
}
