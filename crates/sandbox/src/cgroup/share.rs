//! The part that one run has of what its member may have, for as long as somebody holds it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use guildhall_types::MemberId;
use guildhall_types::limits::{MB, Part};
use tokio::sync::Semaphore;

use super::cell::Cell;
use super::group::{Group, raze};
use super::{Groups, HITS, Over, lock, whole};

/// The part of its member's memory and processes that the commands of one run have together, for as long as it is held.
/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Share(pub(super) Arc<Place>);

#[derive(Debug)]
pub(super) struct Place {
    pub(super) groups: Groups,
    pub(super) member: MemberId,
    pub(super) name: String,
    /// The groups of the member and of the run.
    pub(super) at: Option<(Group, Group)>,
    /// Bytes that the worktree took when it was last looked at, with what had come to the cache.
    pub(super) disk: AtomicU64,
    /// Bytes that the cache took when it was first looked at; `u64::MAX` before.
    pub(super) cache: AtomicU64,
}

impl Share {
    /// A group for a command of the run. None where the host offers nothing. Blocks, briefly.
    pub(crate) fn cell(&self) -> io::Result<Option<Cell>> {
        let Some((member, run)) = &self.0.at else { return Ok(None) };
        let serial = self.0.groups.0.serial.fetch_add(1, Ordering::Relaxed);
        Cell::make(self.clone(), member.clone(), run.clone(), &format!("c{serial}")).map(Some)
    }

    /// A group of the run's beside its commands, for what the host does in its worktree. None where the host offers nothing. Blocks,
    /// briefly.
    ///
    /// # Errors
    /// When the kernel refuses to make one.
    pub fn beside(&self) -> io::Result<Option<Beside>> {
        Ok(self.cell()?.map(Beside))
    }

    /// How many processes may be bounded to by the older way, by user: only where no group counts them. That way counts
    /// all processes of the server's own user on the host (of a server that is root: those of the sandbox), whoever's
    /// agents they are, so that beside a group it would let members starve each other.
    pub(crate) fn processes_by_user(&self) -> Option<u64> {
        let counted = self.0.at.as_ref().is_some_and(|(_, run)| run.limits_processes());
        (!counted).then(|| whole(&self.0.groups.limits()).processes)
    }

    /// Bytes that the worktree may take now.
    pub(crate) fn most_disk(&self) -> u64 {
        self.0.groups.limits().max_disk_mb_per_worktree.unsigned_abs().max(1) * MB
    }

    /// Bytes that the worktree took when it was last looked at.
    pub(crate) fn disk(&self) -> u64 {
        self.0.disk.load(Ordering::Relaxed)
    }

    /// The worktree takes as much now.
    pub(crate) fn set_disk(&self, bytes: u64) {
        self.0.disk.store(bytes, Ordering::Relaxed);
    }

    /// Bytes that have come to the cache, which takes so many now, since it was first looked at for this share.
    pub(crate) fn cache_added(&self, bytes: u64) -> u64 {
        let first = self.0.cache.compare_exchange(u64::MAX, bytes, Ordering::Relaxed, Ordering::Relaxed);
        first.map_or_else(|before| bytes.saturating_sub(before), |_| 0)
    }

    /// A command came up against a limit.
    pub(crate) fn hit(&self, over: Over) {
        let mut standing = lock(&self.0.groups.0.standing);
        let hits = standing.hits.entry((self.0.member, self.0.name.clone())).or_default();
        if hits.len() < HITS && !hits.contains(&over) {
            hits.push(over);
        }
    }

    /// The limits that commands came up against since this was last asked.
    pub fn take_hits(&self) -> Vec<Over> {
        self.0.groups.take_hits(self.0.member, &self.0.name)
    }

    /// The part of the run, the whole of the member, and how many have a part.
    pub(super) fn standing(&self) -> (Part, Part, u64) {
        let standing = lock(&self.0.groups.0.standing);
        let whole = whole(&standing.limits);
        let parts = standing.parts.get(&self.0.member);
        let own = parts.and_then(|parts| parts.get(&self.0.name)).copied().unwrap_or(whole);
        (own, whole, parts.map_or(1, |parts| parts.len() as u64))
    }

    /// A group whose processes were killed is to be removed when they are gone.
    pub(super) fn throw_away(&self, group: &Group) {
        let folders: Vec<PathBuf> = match &self.0.at {
            Some((_, run)) => {
                let above: Vec<&Path> = run.folders().collect();
                group.folders().filter(|at| !above.contains(at)).map(Path::to_owned).collect()
            }
            None => Vec::new(),
        };
        let groups = self.0.groups.clone();
        aside(move || {
            for at in &folders {
                raze(at);
            }
            let mut table = lock(&groups.0.table);
            // First what lies within: groups of runs may be among it already.
            table.rubbish.splice(0..0, folders.into_iter().filter(|at| at.exists()));
            groups.sweep(&table);
        });
    }
}

/// A group beside the commands of a run. Dropping it kills what is in it.
#[derive(Debug)]
pub struct Beside(Cell);

impl Beside {
    /// Files by which a process joins: it writes a 0 to each.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub fn doors(&self) -> io::Result<Vec<OwnedFd>> {
        self.0.doors()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (groups, member, name) = (self.groups.clone(), self.member, std::mem::take(&mut self.name));
        aside(move || groups.leave(member, &name));
    }
}

/// What is done aside at once, at most.
static ASIDE: Semaphore = Semaphore::const_new(4);

/// Does what blocks, and what nobody waits for, on a thread for such. A few at once: the kernel makes and removes one group after the
/// other, and threads that only wait for it would be made by the dozen.
fn aside(job: impl FnOnce() + Send + 'static) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return job() };
    runtime.spawn(async {
        let _turn = ASIDE.acquire().await;
        if let Err(error) = tokio::task::spawn_blocking(job).await {
            tracing::error!(%error, "a control group could not be put away");
        }
    });
}
