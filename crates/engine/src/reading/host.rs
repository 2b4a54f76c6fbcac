//! What the host says of itself.

use std::fs;
use std::path::{Path, PathBuf};

use guildhall_sandbox::{MemoryBound, memory_bound};
use guildhall_types::reading::Used;

/// What the host says of itself; what it does not say is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Host {
    pub(super) memory: Option<Used>,
    pub(super) process_memory: Option<i64>,
    pub(super) disk: Option<Used>,
    pub(super) processors: i64,
    pub(super) load: Option<f64>,
}

/// Asks the host, and of its disks for the one that holds `data`. Blocks, briefly.
pub(super) fn look(data: &Path) -> Host {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    Host {
        memory: tighter(of_machine(&text("/proc/meminfo")), memory_bound()),
        process_memory: kib(&text("/proc/self/status"), "VmRSS"),
        disk: disk(data),
        processors: std::thread::available_parallelism().map_or(1, |many| i64::try_from(many.get()).unwrap_or(1)),
        load: load(&text("/proc/loadavg")),
    }
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

/// A group's limit, where it is less than what the machine has.
fn tighter(machine: Option<Used>, bound: Option<MemoryBound>) -> Option<Used> {
    let bound = bound
        .and_then(|bound| Some(Used { used: i64::try_from(bound.used).ok()?, total: i64::try_from(bound.most).ok()? }));
    match (machine, bound) {
        (Some(machine), Some(bound)) if bound.total >= machine.total => Some(machine),
        (machine, bound) => bound.or(machine),
    }
}

/// The first of the three averages.
fn load(loadavg: &str) -> Option<f64> {
    loadavg.split_whitespace().next()?.parse().ok()
}

/// The file system that holds a folder, or will when it is made, as `df` tells it: what is kept back for root nobody else can
/// use, so it counts neither as used nor as there.
pub(crate) fn disk(folder: &Path) -> Option<Used> {
    folder.ancestors().find_map(|at| rustix::fs::statvfs(at).ok()).map(used)
}

fn used(found: rustix::fs::StatVfs) -> Used {
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(found.f_frsize)).unwrap_or(i64::MAX);
    let used = bytes(found.f_blocks.saturating_sub(found.f_bfree));
    Used { used, total: used.saturating_add(bytes(found.f_bavail)) }
}

/// The fullest of the file systems that hold these folders and not `data`.
pub(crate) fn other_disk(data: &Path, folders: &[PathBuf]) -> Option<Used> {
    let own = device(data);
    let apart = folders.iter().filter(|folder| own.is_some() && device(folder) != own);
    apart.filter_map(|folder| disk(folder)).max_by(|one, other| one.share().total_cmp(&other.share()))
}

/// The file system that takes the log, if that goes to a file and not to where `data` is.
pub(crate) fn log_disk(data: &Path) -> Option<Used> {
    let log = std::io::stderr();
    let file = rustix::fs::fstat(&log).ok()?;
    let is_file = rustix::fs::FileType::from_raw_mode(file.st_mode).is_file();
    (is_file && device(data) != Some(file.st_dev)).then(|| rustix::fs::fstatvfs(&log).ok().map(used)).flatten()
}

/// Which file system holds a folder, or will when it is made.
fn device(folder: &Path) -> Option<u64> {
    folder.ancestors().find_map(|at| rustix::fs::stat(at).ok()).map(|found| found.st_dev)
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
    fn a_container_has_what_its_group_has_unless_the_machine_has_less() {
        let machine = Some(Used { used: 50, total: 100 });
        let bound = |most| Some(MemoryBound { used: 10, most });
        assert_eq!(tighter(machine, bound(40)), Some(Used { used: 10, total: 40 }));
        assert_eq!(tighter(machine, bound(100)), machine);
        assert_eq!(tighter(machine, None), machine);
        assert_eq!(tighter(None, bound(40)), Some(Used { used: 10, total: 40 }));
        assert_eq!(tighter(None, None), None);
    }

    #[test]
    fn this_host_says_all_of_it() {
        let host = look(Path::new("/tmp"));
        let memory = host.memory.unwrap();
        assert!(0 < memory.used && memory.used < memory.total, "{host:?}");
        assert!(host.process_memory.is_some_and(|bytes| bytes > 1_000_000), "{host:?}");
        let found = host.disk.unwrap();
        assert!(0 < found.used && found.used <= found.total, "{host:?}");
        assert!(host.processors > 0 && host.load.is_some_and(|load| load >= 0.0), "{host:?}");
        // One that is made later lies where what is above it lies.
        let total = |path: &str| disk(Path::new(path)).map(|disk| disk.total);
        assert_eq!(total("/nowhere/at/all"), total("/"));
        // The kernel's own file systems are on no disk of anybody's, and none is used of them.
        let other = |folder: &str| other_disk(Path::new("/"), &[PathBuf::from(folder)]);
        assert_eq!(other("/nowhere/at/all"), None);
        assert!(other("/proc").is_some_and(|used| used.share() == 0.0));
    }
}
