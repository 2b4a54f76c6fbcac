//! The memory that the groups above this process let it have together with all that is in them: that of a container, or of a
//! service.

use std::fs;
use std::path::{Path, PathBuf};

use super::group::held_in;
use super::host::above;

/// From this on a limit is none: version 1 writes the largest number of pages that there is.
const NONE: u64 = 1 << 60;

/// What a group may have of memory, and has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryBound {
    /// Bytes that are used, without what the kernel lets go of when somebody needs it.
    pub used: u64,
    /// Bytes that there may be.
    pub most: u64,
}

impl MemoryBound {
    /// In millionths, how much of it is used.
    fn fullness(self) -> u128 {
        u128::from(self.used) * 1_000_000 / u128::from(self.most.max(1))
    }
}

/// The limit of memory that comes first, of those that the groups above this process have: the one of which most is used. Nothing
/// where none has one. Blocks, briefly.
pub fn memory_bound() -> Option<MemoryBound> {
    first(&those_above())
}

/// Bytes of memory that there may be at most, however much is used: the smallest limit of the groups above this
/// process. Nothing where none has one. Blocks, briefly.
pub fn least_memory() -> Option<u64> {
    smallest(&those_above())
}

fn those_above() -> Vec<(PathBuf, bool)> {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    above(&text("/proc/self/cgroup"), &text("/proc/self/mountinfo"))
}

fn first(groups: &[(PathBuf, bool)]) -> Option<MemoryBound> {
    // Of two that are as full, the smaller has less left.
    bounds(groups).max_by_key(|bound| (bound.fullness(), std::cmp::Reverse(bound.most)))
}

fn smallest(groups: &[(PathBuf, bool)]) -> Option<u64> {
    bounds(groups).map(|bound| bound.most).min()
}

fn bounds(groups: &[(PathBuf, bool)]) -> impl Iterator<Item = MemoryBound> {
    groups.iter().filter_map(|(at, v2)| bound(at, *v2))
}

fn bound(at: &Path, v2: bool) -> Option<MemoryBound> {
    let most = if v2 { "memory.max" } else { "memory.limit_in_bytes" };
    // Version 2 writes `max` where there is no limit.
    let most = fs::read_to_string(at.join(most)).ok()?.trim().parse().ok().filter(|most| *most < NONE)?;
    Some(MemoryBound { used: held_in(at, v2), most })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(at: &Path, files: [(&str, &str); 3]) {
        fs::create_dir_all(at).unwrap();
        for (name, text) in files {
            fs::write(at.join(name), text).unwrap();
        }
    }

    #[test]
    fn the_fullest_limit_above_holds_and_files_at_hand_are_not_used() {
        let place = tempfile::tempdir().unwrap();
        let mounts = format!("35 31 0:32 / {} rw - cgroup2 cgroup rw\n", place.path().display());
        let groups = "0::/system.slice/guildhall.service/guildhall-server\n";
        let service = place.path().join("system.slice/guildhall.service");
        // What was read twice is active, and the kernel takes it back all the same.
        let stat = ("memory.stat", "anon 5\ninactive_file 200\nactive_file 60\nslab_reclaimable 40\nslab 90\n");
        group(&service.join("guildhall-server"), [("memory.max", "max\n"), ("memory.current", "700\n"), stat]);
        assert_eq!(first(&above(groups, &mounts)), None);
        group(&service, [("memory.max", "5000\n"), ("memory.current", "1300\n"), stat]);
        let slice = |current| [("memory.max", "9000\n"), ("memory.current", current), stat];
        group(service.parent().unwrap(), slice("1900\n"));
        assert_eq!(first(&above(groups, &mounts)), Some(MemoryBound { used: 1_000, most: 5_000 }));
        // The one above has more, and others who use it.
        group(service.parent().unwrap(), slice("8300\n"));
        assert_eq!(first(&above(groups, &mounts)), Some(MemoryBound { used: 8_000, most: 9_000 }));
        // However full the other is, there is no more than the smaller one lets be.
        assert_eq!(smallest(&above(groups, &mounts)), Some(5_000));
    }

    #[test]
    fn version_1_says_that_there_is_no_limit_by_a_very_large_one() {
        let place = tempfile::tempdir().unwrap();
        let mounts = format!("35 31 0:32 /docker/abc {} rw - cgroup cgroup rw,memory\n", place.path().display());
        let stat = ("memory.stat", "inactive_file 1\ntotal_inactive_file 15\ntotal_active_file 5\n");
        let files = |most| [("memory.limit_in_bytes", most), ("memory.usage_in_bytes", "100\n"), stat];
        group(place.path(), files("9223372036854771712\n"));
        assert_eq!(first(&above("4:memory:/docker/abc\n", &mounts)), None);
        group(place.path(), files("500\n"));
        let found = Some(MemoryBound { used: 80, most: 500 });
        assert_eq!(first(&above("4:memory:/docker/abc\n", &mounts)), found);
        // A group that lies outside of what can be seen is the outermost one.
        assert_eq!(first(&above("4:memory:/elsewhere\n", &mounts)), found);
    }
}
