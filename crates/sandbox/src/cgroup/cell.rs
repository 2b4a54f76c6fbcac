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
    /// What the kernel had counted when it was ended.
    met: Option<Met>,
    gone: bool,
}

impl Cell {
    /// Makes a group for a command. Blocks.
    pub(super) fn make(share: Share, member: Group, run: Group, name: &str) -> io::Result<Self> {
        let own = run.make(name, false)?;
        let before = (run.watch(), member.watch());
        let cell = Self { share, run, member, own, before, met: None, gone: false };
        cell.own.die_as_one()?;
        Ok(cell)
    }

    /// Files by which a process joins.
    pub(crate) fn doors(&self) -> io::Result<Vec<OwnedFd>> {
        self.own.doors()
    }

    /// Kills whatever is left of the command, and says what the kernel counted. Who asks again hears the same.
    pub(crate) fn end(&mut self) -> Met {
        if let Some(met) = self.met {
            return met;
        }
        self.own.kill(&self.run);
        let met = Met { over: self.over(), peak: self.own.peak() };
        if let Some(over) = met.over {
            self.share.hit(over);
        }
        self.met = Some(met);
        met
    }

    /// Waits a little until what was killed is gone, and removes the group. May be given up and asked again.
    pub(crate) async fn gone(&mut self) {
        for _ in 0..TRIES {
            if self.own.remove_below(&self.run).is_ok() {
                self.gone = true;
                return;
            }
            self.own.kill(&self.run);
            tokio::time::sleep(BETWEEN).await;
        }
        self.share.throw_away(&self.own);
        self.gone = true;
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
        // Some kernels count it where a process was to be born, others where the limit is.
        let refused = own.processes > 0 || run.processes > self.before.0.processes;
        refused.then_some(Over::Processes { part: part.processes, whole: whole.processes })
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        if !self.gone {
            self.own.kill(&self.run);
            self.share.throw_away(&self.own);
        }
    }
}
