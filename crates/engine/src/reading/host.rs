//! What the host says of itself.

use std::fs;
use std::path::PathBuf;

use guildhall_sandbox::{MemoryBound, least_memory, memory_bound};
use guildhall_types::reading::{Disk, DiskRole, Used};

use super::disks::disks_and_log;

/// What the host says of itself; what it does not say is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Host {
    pub(super) memory: Option<Used>,
    pub(super) process_memory: Option<i64>,
    pub(super) disks: Vec<Disk>,
    pub(super) processors: i64,
    pub(super) load: Option<f64>,
}

/// Asks the host, and of its disks for those that hold these folders. Blocks, briefly.
pub(super) fn look(folders: &[(DiskRole, PathBuf)]) -> Host {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    Host {
        memory: fuller(of_machine(&text("/proc/meminfo")), memory_bound()),
        process_memory: kib(&text("/proc/self/status"), "VmRSS"),
        disks: disks_and_log(folders),
        processors: std::thread::available_parallelism().map_or(1, |many| i64::try_from(many.get()).unwrap_or(1)),
        load: load(&text("/proc/loadavg")),
    }
}

/// Bytes of memory that there are: of the smallest of the groups that bound the server, where that has less than the
/// machine. Blocks, briefly.
pub(crate) fn whole_memory() -> Option<u64> {
    let machine = of_machine(&fs::read_to_string("/proc/meminfo").unwrap_or_default());
    let machine = machine.and_then(|machine| u64::try_from(machine.total).ok());
    machine.into_iter().chain(least_memory()).min()
}

/// Bytes from a line such as `MemTotal:  24684084 kB`.
fn kib(text: &str, name: &str) -> Option<i64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<i64>().ok()?.checked_mul(1024)
}

fn of_machine(meminfo: &str) -> Option<Used> {
    let (total, available) = (kib(meminfo, "MemTotal")?, kib(meminfo, "MemAvailable")?);
    Some(Used { used: (total - available).max(0), total })
}

/// Of the machine and of the group that bounds the server, the one of which more is used: either can be the first to have none
/// left. Others on the machine are not in the group, and the group may have less than the machine.
fn fuller(machine: Option<Used>, bound: Option<MemoryBound>) -> Option<Used> {
    let bound = bound
        .and_then(|bound| Some(Used { used: i64::try_from(bound.used).ok()?, total: i64::try_from(bound.most).ok()? }));
    match (machine, bound) {
        // A bound that is above what the machine has never comes first.
        (Some(machine), Some(bound)) if bound.total >= machine.total || machine.share() >= bound.share() => {
            Some(machine)
        }
        (machine, bound) => bound.or(machine),
    }
}

/// The first of the three averages.
fn load(loadavg: &str) -> Option<f64> {
    loadavg.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_read() {
        let meminfo = "MemTotal:       24684084 kB\nMemFree:        12552052 kB\nMemAvailable:   22523444 kB\n";
        let machine = of_machine(meminfo);
        assert_eq!(machine, Some(Used { used: 2_160_640 * 1024, total: 24_684_084 * 1024 }));
        // Kernels before 3.14 do not say what is available.
        assert_eq!(of_machine("MemTotal: 5 kB\nMemFree: 3 kB\n"), None);
        assert_eq!(kib("VmRSS:\t   24000 kB\n", "VmRSS"), Some(24_000 * 1024));
        assert_eq!((load("0.42 0.30 0.20 2/300 4711\n"), load("")), (Some(0.42), None));
    }

    #[test]
    fn the_machine_and_the_group_are_both_judged_and_the_fuller_one_is_told() {
        let machine = Some(Used { used: 50, total: 100 });
        let bound = |used, most| Some(MemoryBound { used, most });
        assert_eq!(fuller(machine, bound(30, 40)), Some(Used { used: 30, total: 40 }));
        assert_eq!(fuller(machine, bound(10, 40)), machine, "others on the machine use it up");
        assert_eq!(fuller(machine, bound(99, 100)), machine, "no bound at all");
        assert_eq!(fuller(machine, None), machine);
        assert_eq!(fuller(None, bound(10, 40)), Some(Used { used: 10, total: 40 }));
        assert_eq!(fuller(None, None), None);
    }

    #[test]
    fn this_host_says_all_of_it() {
        let data = (DiskRole::Data, PathBuf::from("/tmp"));
        let host = look(std::slice::from_ref(&data));
        let memory = host.memory.unwrap();
        assert!(0 < memory.used && memory.used < memory.total, "{host:?}");
        assert!(host.process_memory.is_some_and(|bytes| bytes > 1_000_000), "{host:?}");
        assert_eq!((host.disks[0].role(), host.disks[0].path.as_str()), (DiskRole::Data, "/tmp"));
        assert!(host.processors > 0 && host.load.is_some_and(|load| load >= 0.0), "{host:?}");
    }
}
