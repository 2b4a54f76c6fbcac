//! What goes from the disk, and why: pure functions of what there is and of how long the team keeps what.
//!
//! Two things never go: what somebody uses, and what is not on a ref.

use chrono::Duration;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::feature::FeatureKind;
use crate::retention::{Retention, days};
use crate::room::Room;
use crate::run::RunStatus;
use crate::text_enum::text_enum;
use crate::{DateTime, MemberId, ProjectId, RunId};

mod report;

pub use report::{
    CacheGoing, CacheUse, DiskBytes, DiskReport, Orphan, OrphanKind, RecordsGoing, RepositoryGoing, RepositoryUse,
    Tidiness, TidyFault, TidyPlan, WorktreeUse,
};

/// How long the worktree of a chat is kept in which nothing happens, with all that was built in it.
pub const CHAT: Duration = Duration::hours(2);
/// The same of a task: somebody may look at why it ended so.
pub const TASK: Duration = Duration::minutes(10);
/// However full the disk is, a worktree stays for so long after it was used: somebody may just be about to go on.
pub const LEAST: Duration = Duration::hours(1);

text_enum! {
    /// Why something goes.
    pub enum TidyReason {
        /// Its work is merged, taken back or begun anew: it never works again.
        Over = "over",
        /// Its card or chat was deleted.
        Deleted = "deleted",
        /// The chat rests, or the task is done.
        Rests = "rests",
        /// Nothing happened in it for as long as the team keeps it.
        Idle = "idle",
        /// The disk is too full, and of what nobody uses it was unused for longest.
        Disk = "disk",
        /// Its project was archived.
        Archived = "archived",
        /// Its member is gone.
        Gone = "gone",
        /// Over what the project may keep, it was unused for longest.
        Size = "size",
    }
}

text_enum! {
    /// Who is in a worktree.
    pub enum Occupied {
        /// Nobody.
        Nobody = "nobody",
        /// A member sits at a terminal there, or lets something run to look at the work.
        Looks = "looks",
        /// An agent is at work, or will be as soon as it is claimed.
        Works = "works",
    }
}

/// A worktree, as far as it says whether it may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorktreeFacts {
    /// Whose it is.
    pub run: RunId,
    /// What the run works on.
    pub kind: FeatureKind,
    /// Where the run stands.
    pub status: RunStatus,
    /// Whether its card or chat was deleted.
    pub deleted: bool,
    /// Since when nothing happened in it.
    pub unused_since: DateTime,
    /// Bytes on the disk, with all that was built in it.
    pub bytes: u64,
    /// Files and folders in it.
    pub files: u64,
    /// Who is in it.
    pub in_use: Occupied,
    /// What it holds could not be put on a ref when that was last tried.
    pub unsaved: bool,
}

impl WorktreeFacts {
    fn is_over(&self) -> bool {
        self.status == RunStatus::Closed || self.deleted
    }

    /// Whether it may go at all, whatever there is to gain.
    fn may_go(&self) -> bool {
        let free = match self.in_use {
            Occupied::Nobody => true,
            // Whoever looks at what will never go on has to leave.
            Occupied::Looks => self.is_over(),
            Occupied::Works => false,
        };
        free && !self.unsaved && !self.status.is_live()
    }

    /// Why it goes though the disk has room.
    fn reason(&self, rules: &Retention, now: DateTime) -> Option<TidyReason> {
        if !self.may_go() {
            return None;
        }
        let rests = now - self.unused_since;
        match (self.status, self.kind) {
            (RunStatus::Closed, _) => Some(TidyReason::Over),
            _ if self.deleted => Some(TidyReason::Deleted),
            (_, FeatureKind::Chat) => (rests >= CHAT).then_some(TidyReason::Rests),
            (_, FeatureKind::Task) => (rests >= TASK).then_some(TidyReason::Rests),
            (_, FeatureKind::Card) => {
                days(rules.idle_worktree_days).is_some_and(|most| rests >= most).then_some(TidyReason::Idle)
            }
        }
    }
}

/// A worktree that goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorktreeGoing {
    /// Whose it is.
    pub run_id: RunId,
    /// Why.
    pub why: TidyReason,
    /// Bytes on the disk that come free.
    pub bytes: u64,
}

/// Which worktrees go, in this order: those that nobody needs, and while the disk is still too full those that were unused
/// for longest.
pub fn worktrees_to_go(
    all: &[WorktreeFacts],
    disk: Option<Room>,
    rules: &Retention,
    now: DateTime,
) -> Vec<WorktreeGoing> {
    let mut sorted: Vec<&WorktreeFacts> = all.iter().filter(|one| one.may_go()).collect();
    sorted.sort_by_key(|one| (one.unused_since, one.run));
    let going = |one: &WorktreeFacts, why| WorktreeGoing { run_id: one.run, why, bytes: one.bytes };
    let mut gone = Vec::new();
    let mut left = Vec::new();
    for one in sorted {
        match one.reason(rules, now) {
            Some(why) => gone.push(going(one, why)),
            None => left.push(one),
        }
    }
    let (Some(mut disk), Some(percent)) = (disk, rules.disk_percent) else { return gone };
    for one in &gone {
        let files = all.iter().find(|facts| facts.run == one.run_id).map_or(0, |facts| facts.files);
        disk = disk.without(one.bytes, files);
    }
    for one in left {
        if !disk.is_over(percent) {
            break;
        }
        if now - one.unused_since >= LEAST {
            disk = disk.without(one.bytes, one.files);
            gone.push(going(one, TidyReason::Disk));
        }
    }
    gone
}

/// What one tool keeps for a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheFacts {
    /// The project.
    pub project: ProjectId,
    /// Whose it is; nobody's where the project's members share it.
    pub of: Option<MemberId>,
    /// The tool's folder.
    pub tool: String,
    /// Bytes on the disk.
    pub bytes: u64,
    /// When something in it last changed.
    pub changed: DateTime,
    /// Whether the project is archived, or there is none of this id.
    pub archived: bool,
    /// Whether the member is disabled.
    pub gone: bool,
    /// Bytes that the project's caches may have together.
    pub most: u64,
    /// Whether a run or a trial of the project is at work.
    pub in_use: bool,
}

/// Which caches go, as places in `all`, in this order.
pub fn caches_to_go(all: &[CacheFacts], rules: &Retention, now: DateTime) -> Vec<(usize, TidyReason)> {
    let mut order: Vec<usize> = (0..all.len()).filter(|at| !all[*at].in_use).collect();
    order.sort_by_key(|at| (all[*at].changed, *at));
    let mut gone = Vec::new();
    for &at in &order {
        let one = &all[at];
        let unused = days(rules.cache_days).is_some_and(|most| now - one.changed >= most);
        let why = match () {
            () if one.archived => TidyReason::Archived,
            () if one.gone => TidyReason::Gone,
            () if unused => TidyReason::Idle,
            () => continue,
        };
        gone.push((at, why));
    }
    let mut left: Vec<usize> = order.into_iter().filter(|at| !gone.iter().any(|(one, _)| one == at)).collect();
    left.sort_by_key(|at| (all[*at].project, all[*at].changed, *at));
    for of in left.chunk_by(|one, other| all[*one].project == all[*other].project) {
        let mut bytes: u64 = of.iter().map(|at| all[*at].bytes).sum();
        for &at in of {
            if bytes <= all[at].most {
                break;
            }
            bytes -= all[at].bytes;
            gone.push((at, TidyReason::Size));
        }
    }
    gone
}

/// Whether the repository of a project goes: long after the project was archived, when nothing of it is on the disk any more.
pub fn repository_goes(archived_at: Option<DateTime>, worktrees: usize, rules: &Retention, now: DateTime) -> bool {
    let over = |at: DateTime| days(rules.archived_project_days).is_some_and(|most| now - at >= most);
    worktrees == 0 && archived_at.is_some_and(over)
}

/// The moment before which what is kept for so many days goes; nothing where it is kept for ever.
pub fn before(kept_days: Option<i64>, now: DateTime) -> Option<DateTime> {
    now.checked_sub_signed(days(kept_days)?)
}

#[cfg(test)]
mod tests;
