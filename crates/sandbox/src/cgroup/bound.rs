//! The memory that the groups above this process let it have together with all that is in them: that of a container, or of a
//! service.

use std::fs;
use std::path::{Path, PathBuf};

use super::group::{number, value};
use super::host::above;

/// From this on a limit is none: version 1 writes the largest number of pages that there is.
const NONE: u64 = 1 << 60;

/// What a group may have of memory, and has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryBound {
    /// Bytes that are used, without files that the kernel can let go of at once.
    pub used: u64,
    /// Bytes that there may be.
    pub most: u64,
}

/// The tightest limit of memory that a group above this process has; nothing where none has one. Blocks, briefly.
pub fn memory_bound() -> Option<MemoryBound> {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    tightest(above(&text("/proc/self/cgroup"), &text("/proc/self/mountinfo")))
}

fn tightest(groups: Vec<(PathBuf, bool)>) -> Option<MemoryBound> {
    groups.iter().filter_map(|(at, v2)| bound(at, *v2)).min_by_key(|bound| bound.most)
}

fn bound(at: &Path, v2: bool) -> Option<MemoryBound> {
    let (most, current, idle) = match v2 {
        true => ("memory.max", "memory.current", "inactive_file"),
        false => ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    };
    // Version 2 writes `max` where there is no limit.
    let most = fs::read_to_string(at.join(most)).ok()?.trim().parse().ok().filter(|most| *most < NONE)?;
    let used = number(&at.join(current)).saturating_sub(value(&at.join("memory.stat"), idle));
    Some(MemoryBound { used, most })
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
    fn the_tightest_limit_above_holds_and_files_at_hand_are_not_used() {
        let place = tempfile::tempdir().unwrap();
        let mounts = format!("35 31 0:32 / {} rw - cgroup2 cgroup rw\n", place.path().display());
        let groups = "0::/system.slice/guildhall.service/guildhall-server\n";
        let service = place.path().join("system.slice/guildhall.service");
        let stat = ("memory.stat", "anon 5\ninactive_file 300\nactive_file 9\n");
        group(&service.join("guildhall-server"), [("memory.max", "max\n"), ("memory.current", "700\n"), stat]);
        assert_eq!(tightest(above(groups, &mounts)), None);
        group(&service, [("memory.max", "5000\n"), ("memory.current", "1300\n"), stat]);
        group(service.parent().unwrap(), [("memory.max", "9000\n"), ("memory.current", "8000\n"), stat]);
        assert_eq!(tightest(above(groups, &mounts)), Some(MemoryBound { used: 1_000, most: 5_000 }));
    }

    #[test]
    fn version_1_says_that_there_is_no_limit_by_a_very_large_one() {
        let place = tempfile::tempdir().unwrap();
        let mounts = format!("35 31 0:32 /docker/abc {} rw - cgroup cgroup rw,memory\n", place.path().display());
        let stat = ("memory.stat", "inactive_file 1\ntotal_inactive_file 20\n");
        let files = |most| [("memory.limit_in_bytes", most), ("memory.usage_in_bytes", "100\n"), stat];
        group(place.path(), files("9223372036854771712\n"));
        assert_eq!(tightest(above("4:memory:/docker/abc\n", &mounts)), None);
        group(place.path(), files("500\n"));
        let found = Some(MemoryBound { used: 80, most: 500 });
        assert_eq!(tightest(above("4:memory:/docker/abc\n", &mounts)), found);
        // A group that lies outside of what can be seen is the outermost one.
        assert_eq!(tightest(above("4:memory:/elsewhere\n", &mounts)), found);
    }
}
