//! The group of one command, within that of its run.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::group::{Counts, Group};
use super::{Over, Share};

/// How often a group is tried to be removed whose processes are about to be gone, and the time between.
const TRIES: usize = 100;
const BETWEEN: Duration = Duration::from_millis(2);

/// What the kernel counted of a command.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Met {
    /// The limit that it came up against, if any.
    pub(crate) over: Option<Over>,
    /// The most bytes of memory that it had at once, where the kernel tells.
    pub(crate) peak: Option<u64>,
}

/// The group of one command. Dropping it kills what is in it.
#[derive(Debug)]
pub(crate) struct Cell {
    share: Share,
    run: Group,
    member: Group,
    own: Group,
    /// What the groups above had counted when it began.
    before: (Counts, Counts),
    /// What was left of the command was killed.
    ended: bool,
    /// The group is no longer there.
    gone: bool,
}

impl Cell {
    /// Makes a group for a command. Blocks.
    pub(super) fn make(share: Share, member: Group, run: Group, name: &str) -> io::Result<Self> {
        let own = run.make(name, false)?;
        let before = (run.watch(), member.watch());
        let cell = Self { share, run, member, own, before, ended: false, gone: false };
        cell.own.die_as_one()?;
        Ok(cell)
    }

    /// Files by which a process joins.
    pub(crate) fn doors(&self) -> io::Result<Vec<OwnedFd>> {
        self.own.doors()
    }

    /// Kills whatever is left of the command, and says what the kernel counted. Where `wait` says so, it waits a little until all of it is
    /// gone. The group is removed then, or later. Blocks, perhaps for long: whoever removes a group waits for all others on the
    /// machine who make one or remove one.
    pub(crate) fn leave(mut self, wait: bool) -> Met {
        self.own.kill(&self.run);
        self.ended = true;
        let met = Met { over: self.over(), peak: self.own.peak() };
        if let Some(over) = met.over {
            self.share.hit(over);
        }
        for _ in 0..if wait { TRIES } else { 0 } {
            if self.own.remove_below(&self.run).is_ok() {
                self.gone = true;
                break;
            }
            self.own.kill(&self.run);
            std::thread::sleep(BETWEEN);
        }
        met
    }

    fn over(&self) -> Option<Over> {
        let (own, run, member) = (self.own.counts(), self.run.counts(), self.member.counts());
        let (part, whole, runs) = self.share.standing();
        if own.killed > 0 {
            return Some(match () {
                // A run that may have all that its member may meets its member's limit first: the kernel counts a little there
                // that belongs to no run.
                () if run.memory > self.before.0.memory
                    || (member.memory > self.before.1.memory && part.memory == whole.memory) =>
                {
                    Over::RunMemory { part: part.memory, whole: whole.memory, runs }
                }
                () if member.memory > self.before.1.memory => Over::MemberMemory { whole: whole.memory },
                () => Over::HostMemory,
            });
        }
        // Some kernels count it where a process was to be born, others where the limit is, and above. So a member's group is asked
        // for its own limit alone: what its other runs met would count there as well.
        match () {
            () if own.processes > 0 || run.processes > self.before.0.processes => {
                Some(Over::Processes { part: part.processes, whole: whole.processes })
            }
            () if member.processes_here > self.before.1.processes_here => {
                Some(Over::MemberProcesses { whole: whole.processes })
            }
            () => None,
        }
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        if !self.ended {
            self.own.kill(&self.run);
        }
        if !self.gone {
            self.share.throw_away(&self.own);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use guildhall_types::MemberId;
    use guildhall_types::limits::{Limits, MB};

    use super::super::host::{Kind, Offer};
    use super::super::{Groups, Home};
    use super::*;

    /// Groups in folders that stand for a hierarchy: of a kernel, they have what a test writes there.
    fn stand_in(v2: bool) -> (tempfile::TempDir, Groups) {
        let place = tempfile::tempdir().unwrap();
        let kind = Kind { v2, memory: true, pids: true, cpu: true, time: v2 };
        let above = Group::new(vec![(kind, place.path().to_owned())]);
        let own = above.make("home", true).unwrap();
        let limits = Limits { max_memory_mb_per_member: 1_600, max_processes_per_member: 500, ..Limits::default() };
        (place, Groups::of(Some(Home { above, own }), Offer::default(), limits))
    }

    fn cell(groups: &Groups, member: MemberId, name: &str) -> Cell {
        groups.enter(member, name.to_owned()).unwrap().cell().unwrap().unwrap()
    }

    fn tell(group: &Group, file: &str, text: &str) {
        let at: Vec<&Path> = group.folders().collect();
        fs::write(at[0].join(file), text).unwrap();
    }

    #[test]
    fn in_version_1_another_that_begins_hides_from_none_which_limit_was_met() {
        let (_place, groups) = stand_in(false);
        let anna = MemberId::new();
        let killed =
            |cell: &Cell| tell(&cell.own, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
        let (mark, whole) = ("memory.max_usage_in_bytes", 1_600 * MB);
        // One process of it is killed, and it goes on while another of its run begins.
        let first = cell(&groups, anna, "first");
        tell(&first.run, mark, &whole.to_string());
        killed(&first);
        let beside = cell(&groups, anna, "first");
        assert_eq!(first.over(), Some(Over::RunMemory { part: whole, whole, runs: 1 }));
        killed(&beside);
        assert_eq!(beside.over(), Some(Over::HostMemory));
        // The same for what all runs of the member have together, while another run begins.
        let second = cell(&groups, anna, "second");
        tell(&second.member, mark, &whole.to_string());
        killed(&second);
        let third = cell(&groups, anna, "third");
        assert_eq!(second.over(), Some(Over::MemberMemory { whole }));
        killed(&third);
        assert_eq!(third.over(), Some(Over::HostMemory));
    }

    #[test]
    fn in_version_2_the_members_own_limit_of_processes_is_told() {
        let (_place, groups) = stand_in(true);
        let anna = MemberId::new();
        let (first, second) = (cell(&groups, anna, "first"), cell(&groups, anna, "second"));
        // What a run has met counts above it as well, and is that run's alone.
        tell(&first.run, "pids.events", "max 3\n");
        tell(&first.member, "pids.events", "max 3\n");
        assert_eq!(first.over(), Some(Over::Processes { part: 250, whole: 500 }));
        assert_eq!(second.over(), None);
        tell(&first.member, "pids.events", "max 4\n");
        tell(&first.member, "pids.events.local", "max 1\n");
        assert_eq!(second.over(), Some(Over::MemberProcesses { whole: 500 }));
        // Who begins later has not met it.
        assert_eq!(cell(&groups, anna, "second").over(), None);
    }
}
