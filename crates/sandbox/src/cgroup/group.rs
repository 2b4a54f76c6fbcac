//! One control group: a folder in each hierarchy.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use guildhall_types::limits::Part;
use rustix::process::{Pid, Signal};

use super::host::{self, Kind};
use super::lock;

/// Bytes above what is in use at which a limit is set that the kernel would not set lower.
const SLACK: u64 = 4 * 1024 * 1024;
/// In version 1, the most bytes of memory that a group had at once since the mark was set back.
const MARK: &str = "memory.max_usage_in_bytes";

/// One group, in every hierarchy that it is in.
#[derive(Debug, Clone)]
pub(super) struct Group {
    places: Vec<(Kind, PathBuf)>,
    /// Times that the limit of memory was met by when the mark was last set back: in version 1, where the kernel counts none. Copies
    /// of the group have it together, and nobody looks at the mark while another sets it back.
    met: Arc<Mutex<u64>>,
}

/// What a group has counted since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Processes that were killed for want of memory.
    pub(super) killed: u64,
    /// Times that there was nothing left below its own limit of memory. In version 1 as many as are known of: it only grows, and has
    /// grown where the limit was met since `watch`.
    pub(super) memory: u64,
    /// Processes that could not be started. Kernels differ in whether those count that met the limit of a group above.
    pub(super) processes: u64,
    /// Processes that could not be started because of the group's own limit. Before Linux 6.11 and in version 1 none is counted.
    pub(super) processes_here: u64,
}

impl Group {
    /// The groups of this process itself.
    pub(super) fn new(places: Vec<(Kind, PathBuf)>) -> Self {
        Self { places, met: Arc::default() }
    }

    /// Makes a group below. One that is divided further hands its controllers on; one for a command has those alone that
    /// count and limit.
    pub(super) fn make(&self, name: &str, divided: bool) -> io::Result<Self> {
        let mut made = Self::new(Vec::with_capacity(self.places.len()));
        for (kind, above) in &self.places {
            if !(divided || kind.v2 || kind.memory || kind.pids) {
                // Processors are shared out among runs, not among a run's commands.
                made.places.push((*kind, above.clone()));
                continue;
            }
            let at = above.join(name);
            let done = match fs::create_dir(&at) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ if divided && kind.v2 => host::hand_on(&at, *kind),
                _ => Ok(()),
            };
            made.places.push((*kind, at));
            if let Err(error) = done {
                let _ = made.remove_below(self);
                return Err(error);
            }
        }
        Ok(made)
    }

    /// The same in those hierarchies alone that limit memory or processes.
    pub(super) fn that_limit(&self) -> Self {
        let limits = |(kind, _): &&(Kind, PathBuf)| kind.memory || kind.pids;
        Self::new(self.places.iter().filter(limits).cloned().collect())
    }

    /// Gives it as much of the processors as the server has, where it has a share of its own. Without that it is slower beside commands.
    pub(super) fn weigh(&self) {
        if let Some((kind, at)) = self.place(|kind| kind.cpu) {
            let _ = host::weigh(at, kind.v2);
        }
    }

    /// Lets the server come before it, where it is the group of all commands. Without that the page is slower beside these.
    pub(super) fn step_back(&self) {
        if let Some((_, at)) = self.place(|kind| kind.cpu && kind.v2) {
            let _ = host::step_back(at);
        }
    }

    /// The folder of the first hierarchy for which `of` holds.
    fn place(&self, of: impl Fn(&Kind) -> bool) -> Option<(&Kind, &Path)> {
        self.places.iter().find(|(kind, _)| of(kind)).map(|(kind, at)| (kind, at.as_path()))
    }

    /// Whether processes are counted and limited.
    pub(super) fn limits_processes(&self) -> bool {
        self.place(|kind| kind.pids).is_some()
    }

    /// Sets what the group may have.
    pub(super) fn limit(&self, part: Part) -> io::Result<()> {
        if let Some((_, at)) = self.place(|kind| kind.pids) {
            fs::write(at.join("pids.max"), part.processes.to_string())?;
        }
        match self.place(|kind| kind.memory) {
            Some((kind, at)) if kind.v2 => {
                // No `memory.high`: near its limit a group would be slowed down until it stands still, so that a leak took minutes
                // to die, and a command that leaks would be ended for its time, and be told nothing of memory.
                fs::write(at.join("memory.max"), part.memory.to_string())?;
                write_if_there(&at.join("memory.swap.max"), "0")
            }
            Some((_, at)) => {
                // Whether the former limit was met is not to be told by the new one.
                self.set_mark_back();
                limit_memory_v1(at, part.memory)
            }
            None => Ok(()),
        }
    }

    /// Lets all of the group die when one of it dies for want of memory. Only version 2 can.
    pub(super) fn die_as_one(&self) -> io::Result<()> {
        match self.place(|kind| kind.memory && kind.v2) {
            Some((_, at)) => write_if_there(&at.join("memory.oom.group"), "1"),
            None => Ok(()),
        }
    }

    /// What the group has counted so far, as a command begins.
    pub(super) fn watch(&self) -> Counts {
        let mut counts = self.counts();
        if let Some(met) = self.set_mark_back() {
            // Without the mark as it is by now: it may be at the limit again, or still.
            counts.memory = met;
        }
        counts
    }

    /// Sets the mark back, in version 1, and keeps for those who watch already whether it was at the limit. Returns how often it was.
    fn set_mark_back(&self) -> Option<u64> {
        let (_, at) = self.place(|kind| kind.memory).filter(|(kind, _)| !kind.v2)?;
        let mut met = lock(&self.met);
        *met += u64::from(at_limit(at));
        let _ = fs::write(at.join(MARK), "0");
        Some(*met)
    }

    /// What the group has counted.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        match self.place(|kind| kind.memory) {
            Some((kind, at)) if kind.v2 => {
                counts.killed = value(&at.join("memory.events"), "oom_kill");
                // Not `max`: that is raised as well where the limit was met, and room was made by letting go of files.
                counts.memory = value(&at.join("memory.events.local"), "oom");
            }
            Some((_, at)) => {
                counts.killed = value(&at.join("memory.oom_control"), "oom_kill");
                // It has a counter for that as well, which newer kernels no longer raise.
                let met = lock(&self.met);
                counts.memory = *met + u64::from(at_limit(at));
            }
            None => {}
        }
        if let Some((_, at)) = self.place(|kind| kind.pids) {
            counts.processes = value(&at.join("pids.events"), "max");
            counts.processes_here = value(&at.join("pids.events.local"), "max");
        }
        counts
    }

    /// The most bytes of memory that it had at once. Older kernels do not tell.
    pub(super) fn peak(&self) -> Option<u64> {
        let (kind, at) = self.place(|kind| kind.memory)?;
        let file = if kind.v2 { "memory.peak" } else { MARK };
        Some(number(&at.join(file))).filter(|peak| *peak > 0)
    }

    /// Bytes of memory that it has now, files that are kept at hand included.
    pub(super) fn memory(&self) -> Option<u64> {
        self.place(|kind| kind.memory).map(|(kind, at)| memory_in(at, kind.v2))
    }

    /// Bytes of memory that the kernel could not take back without killing.
    pub(super) fn held(&self) -> u64 {
        self.place(|kind| kind.memory).map_or(0, |(kind, at)| held_in(at, kind.v2))
    }

    /// Processes and threads that are in it now.
    pub(super) fn processes(&self) -> Option<u64> {
        self.place(|kind| kind.pids).map(|(_, at)| number(&at.join("pids.current")))
    }

    /// The processors' time that it has used.
    pub(super) fn time(&self) -> Option<Duration> {
        let (kind, at) = self.place(|kind| kind.time)?;
        Some(match kind.v2 {
            true => Duration::from_micros(value(&at.join("cpu.stat"), "usage_usec")),
            false => Duration::from_nanos(number(&at.join("cpuacct.usage"))),
        })
    }

    /// Files by which a process joins: it writes a 0.
    pub(super) fn doors(&self) -> io::Result<Vec<OwnedFd>> {
        let open = |(_, at): &(Kind, PathBuf)| {
            fs::OpenOptions::new().write(true).open(at.join("cgroup.procs")).map(OwnedFd::from)
        };
        self.places.iter().map(open).collect()
    }

    /// Kills everything in it. What is new in it by then must be killed again.
    pub(super) fn kill(&self, above: &Self) {
        for (_, at) in self.own(above) {
            kill_in(at);
        }
    }

    /// Removes it, once nothing is in it.
    pub(super) fn remove_below(&self, above: &Self) -> io::Result<()> {
        self.own(above).try_for_each(|(_, at)| match fs::remove_dir(at) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
    }

    /// The folders that are its own, rather than those of the group above.
    fn own(&self, above: &Self) -> impl Iterator<Item = &(Kind, PathBuf)> {
        self.places.iter().filter(move |place| !above.places.contains(place))
    }

    /// The folders.
    pub(super) fn folders(&self) -> impl Iterator<Item = &Path> {
        self.places.iter().map(|(_, at)| at.as_path())
    }
}

/// Writes to a file that not every kernel has.
fn write_if_there(file: &Path, text: &str) -> io::Result<()> {
    match fs::write(file, text) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether the mark of a group of version 1 is at its limit of memory.
fn at_limit(at: &Path) -> bool {
    number(&at.join(MARK)) + SLACK >= number(&at.join("memory.limit_in_bytes"))
}

/// Memory with swap is never less than memory alone: which is set first depends on whether the limit rises.
fn limit_memory_v1(at: &Path, most: u64) -> io::Result<()> {
    let (memory, swap) = (at.join("memory.limit_in_bytes"), at.join("memory.memsw.limit_in_bytes"));
    let rises = most > number(&memory);
    if rises {
        write_if_there(&swap, &most.to_string())?;
    }
    let mut set = most;
    match fs::write(&memory, set.to_string()) {
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
            // It has more than that. It keeps what it has, and gets no more.
            set = number(&at.join("memory.usage_in_bytes")) + SLACK;
            fs::write(&memory, set.to_string())?;
        }
        done => done?,
    }
    if !rises {
        // Refused by the kernel where what is in use is more: the limit above holds all the same.
        let _ = write_if_there(&swap, &set.to_string());
    }
    Ok(())
}

/// Bytes of memory that the group in this folder has, files that are kept at hand included.
fn memory_in(at: &Path, v2: bool) -> u64 {
    number(&at.join(if v2 { "memory.current" } else { "memory.usage_in_bytes" }))
}

/// Bytes of memory that the kernel could not take back from the group in this folder without killing: files that were read twice
/// count as active, and it lets go of them as well, but only when it has to.
pub(super) fn held_in(at: &Path, v2: bool) -> u64 {
    let stat = fs::read_to_string(at.join("memory.stat")).unwrap_or_default();
    // Version 1 does not say what its slabs would give back.
    let keys: &[&str] = match v2 {
        true => &["inactive_file", "active_file", "slab_reclaimable"],
        false => &["total_inactive_file", "total_active_file"],
    };
    memory_in(at, v2).saturating_sub(keys.iter().map(|key| value_in(&stat, key)).sum())
}

/// The only number in a file, or 0.
pub(super) fn number(file: &Path) -> u64 {
    fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// The number after `key` in a file of such lines, or 0.
pub(super) fn value(file: &Path, key: &str) -> u64 {
    value_in(&fs::read_to_string(file).unwrap_or_default(), key)
}

fn value_in(text: &str, key: &str) -> u64 {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(name, _)| *name == key).and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0)
}

/// Kills what is in one folder. Returns how many processes that were.
fn kill_in(at: &Path) -> usize {
    let listed = fs::read_to_string(at.join("cgroup.procs")).unwrap_or_default();
    let processes: Vec<Pid> = listed.lines().filter_map(|line| line.parse().ok()).filter_map(Pid::from_raw).collect();
    if processes.is_empty() {
        return 0;
    }
    if fs::write(at.join("cgroup.kill"), "1").is_err() {
        // Before version 2 could do it at once: nothing new is born, and what there is dies.
        let _ = fs::write(at.join("pids.max"), "0");
        for process in &processes {
            let _ = rustix::process::kill_process(*process, Signal::KILL);
        }
    }
    processes.len()
}

/// Kills everything in a folder and below, and removes all of it, waiting a little for what dies. Returns how many
/// processes there were.
pub(super) fn raze(at: &Path) -> usize {
    let mut killed = kill_in(at);
    for entry in fs::read_dir(at).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            killed += raze(&entry.path());
        }
    }
    for _ in 0..200 {
        match fs::remove_dir(at) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                kill_in(at);
                std::thread::sleep(Duration::from_millis(5));
            }
            _ => break,
        }
    }
    killed
}

#[cfg(test)]
mod tests {
    use guildhall_types::limits::{Limits, part};

    use super::*;

    /// A folder that stands for a hierarchy: it keeps what is written and says what it is told.
    fn stand_in(v2: bool) -> (tempfile::TempDir, Group) {
        let place = tempfile::tempdir().unwrap();
        let kind = Kind { v2, memory: true, pids: true, cpu: true, time: v2 };
        let group = Group::new(vec![(kind, place.path().to_owned())]);
        (place, group)
    }

    fn read(at: &Path, file: &str) -> String {
        fs::read_to_string(at.join(file)).unwrap_or_default()
    }

    #[test]
    fn in_version_2_a_group_has_limits_without_swap_and_hands_its_controllers_on() {
        let (place, home) = stand_in(true);
        let run = home.make("run", true).unwrap();
        let at = place.path().join("run");
        // The last word that was written; a kernel takes each.
        assert_eq!(read(&at, "cgroup.subtree_control"), "+cpu");
        let limits = Limits { max_memory_mb_per_member: 1_600, max_processes_per_member: 50, ..Limits::default() };
        run.limit(part(&limits, 1)).unwrap();
        let written = ["memory.max", "memory.swap.max", "pids.max"].map(|file| read(&at, file));
        assert_eq!(written, ["1600000000", "0", "50"]);
        let command = run.make("c1", false).unwrap();
        command.die_as_one().unwrap();
        let inner = at.join("c1");
        assert_eq!(
            (read(&inner, "cgroup.subtree_control").as_str(), read(&inner, "memory.oom.group").as_str()),
            ("", "1")
        );
        for (file, text) in [
            ("memory.events", "low 0\nhigh 7\nmax 5\noom 1\noom_kill 3\noom_group_kill 1\n"),
            ("memory.events.local", "low 0\nmax 9\noom 4\n"),
            ("pids.events", "max 2\n"),
            ("pids.events.local", "max 1\n"),
            ("memory.peak", "4096\n"),
            ("memory.current", "9000\n"),
            ("memory.stat", "anon 1\ninactive_file 3000\nactive_file 2000\nslab_reclaimable 500\nslab 700\n"),
            ("pids.current", "6\n"),
            ("cpu.stat", "usage_usec 2500000\nuser_usec 1\n"),
        ] {
            fs::write(inner.join(file), text).unwrap();
        }
        assert_eq!(command.counts(), Counts { killed: 3, memory: 4, processes: 2, processes_here: 1 });
        assert_eq!((command.peak(), command.memory(), command.held()), (Some(4096), Some(9000), 3500));
        assert_eq!((command.processes(), command.time()), (Some(6), Some(Duration::from_millis(2500))));
    }

    #[test]
    fn in_version_1_memory_with_swap_is_never_less_than_memory_alone() {
        let (place, run) = stand_in(false);
        fs::write(place.path().join("memory.limit_in_bytes"), "9223372036854771712").unwrap();
        for most in [1_000, 5_000, 2_000] {
            limit_memory_v1(place.path(), most).unwrap();
            let most = most.to_string();
            let written = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"].map(|file| read(place.path(), file));
            assert_eq!(written, [most.clone(), most]);
        }
        fs::write(place.path().join("memory.stat"), "total_inactive_file 1\ntotal_active_file 2\nactive_file 900\n")
            .unwrap();
        fs::write(place.path().join("memory.usage_in_bytes"), "10").unwrap();
        assert_eq!(run.held(), 7);
    }

    #[test]
    fn in_version_1_a_limit_that_was_met_is_told_to_all_who_watched_by_then() {
        let (place, run) = stand_in(false);
        let mark = |bytes: u64| fs::write(place.path().join(MARK), bytes.to_string()).unwrap();
        let limits = |mb| part(&Limits { max_memory_mb_per_member: mb, ..Limits::default() }, 1);
        fs::write(place.path().join("memory.limit_in_bytes"), "9223372036854771712").unwrap();
        run.limit(limits(1_600)).unwrap();
        let first = run.watch();
        assert_eq!(run.counts(), first);
        mark(1_600_000_000);
        assert!(run.counts().memory > first.memory);
        // Another one that begins sets the mark back, and has not met anything itself.
        let second = run.clone().watch();
        assert_eq!(read(place.path(), MARK), "0");
        assert!(run.counts().memory > first.memory && run.counts() == second);
        // A higher limit is not met by what met the lower one, which is told all the same.
        mark(1_600_000_000);
        run.limit(limits(3_200)).unwrap();
        assert!(run.counts().memory > second.memory);
        let third = run.watch();
        assert_eq!(run.counts(), third);
        // One whose mark stays at the limit has met it.
        mark(3_200_000_000);
        assert!(run.counts().memory > third.memory);
    }
}
