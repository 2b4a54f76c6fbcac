//! How a node is at one moment.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::room::Room;
use crate::text_enum::text_enum;
use crate::{DateTime, NodeId};

/// Minutes for which failures of providers count in a reading.
pub const FAILURES_OF: i64 = 5;

/// Something that can be used up: bytes, mostly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    /// So many are used, or cannot be had by an ordinary user for another reason.
    pub used: i64,
    /// So many there are.
    pub total: i64,
}

impl Used {
    /// The share that is used, between 0 and 1.
    pub fn share(self) -> f64 {
        match self.total > 0 {
            true => (self.used as f64 / self.total as f64).clamp(0.0, 1.0),
            false => 0.0,
        }
    }

    /// Whether so many percent of it are used, or more. What cannot be measured is not.
    pub fn is_over(self, percent: i64) -> bool {
        self.total > 0 && i128::from(self.used) * 100 >= i128::from(self.total) * i128::from(percent.abs())
    }

    /// So many are left.
    pub fn left(self) -> u64 {
        u64::try_from(self.total.saturating_sub(self.used)).unwrap_or_default()
    }

    /// The same when so many less are used.
    #[must_use]
    pub fn without(self, many: u64) -> Self {
        let many = i64::try_from(many).unwrap_or(i64::MAX);
        Self { used: self.used.saturating_sub(many).max(0), ..self }
    }
}

text_enum! {
    /// What of a server's lies on a disk.
    pub enum DiskRole {
        /// The data folder, and whatever of it has no disk of its own.
        Data = "data",
        /// Worktrees.
        Worktrees = "worktrees",
        /// Repositories.
        Repositories = "repositories",
        /// The database, where that is a file.
        Database = "database",
        /// The log, where that is a file.
        Log = "log",
    }
}

text_enum! {
    /// Why a database takes nothing that is written.
    pub enum DatabaseTrouble {
        /// It does not answer, or gave no turn in time.
        Away = "database-away",
        /// It can be read alone: its disk is mounted so, or its server is one that stands by.
        ReadOnly = "database-read-only",
        /// Its disk is full.
        Full = "disk-full",
    }
}

/// A file system on which something of a server's lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Disk {
    /// What lies there, what matters most first.
    pub holds: Vec<DiskRole>,
    /// Where the first of these is.
    pub path: String,
    /// Bytes of it.
    pub bytes: Used,
    /// Places for files in it; absent where the file system makes them as they are needed.
    pub files: Option<Used>,
}

impl Disk {
    /// What it is known by as long as the same lies there.
    pub fn role(&self) -> DiskRole {
        self.holds.first().copied().unwrap_or(DiskRole::Data)
    }

    /// What there is in it.
    pub fn room(&self) -> Room {
        Room { bytes: self.bytes, files: self.files }
    }
}

/// How a node is at one moment. What the host or the database did not tell is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reading {
    /// Which node.
    pub node: NodeId,
    /// When.
    pub at: DateTime,
    /// Memory of the machine, or of the container or service, whichever has less left of its own. What the kernel takes back when
    /// it has to, such as files that it keeps at hand, is not used.
    pub memory: Option<Used>,
    /// Bytes of memory that the server's own process holds.
    pub process_memory: Option<i64>,
    /// Disk of the file system in which the data folder is.
    pub disk: Option<Used>,
    /// Every disk on which something of the server's lies, the data folder's first. An earlier version told of none.
    #[serde(default)]
    pub disks: Vec<Disk>,
    /// Processors that the server may use.
    pub processors: i64,
    /// The machine's load average of the last minute: as many processors as would have been kept busy.
    pub load: Option<f64>,
    /// Runs of the whole team at work, on every node.
    pub active_agents: Option<i64>,
    /// Runs at work on this node.
    pub active_runs: i64,
    /// Worktrees on this node's disk.
    pub worktrees: i64,
    /// Runs of the whole team that wait in the queue.
    pub queue_depth: Option<i64>,
    /// Calls to providers in the last five minutes that failed on this node: the provider was not reached, did not answer as
    /// it should, or refused the key. Rate limits and overloads are waited for, and do not count.
    pub provider_failures: i64,
    /// Milliseconds until the database had taken something that was written; absent when it took nothing within five seconds.
    pub database_millis: Option<f64>,
    /// Why it took nothing. An earlier version did not tell.
    #[serde(default)]
    pub database_trouble: Option<DatabaseTrouble>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_between_nothing_and_all() {
        assert_eq!(Used { used: 1, total: 4 }.share(), 0.25);
        assert_eq!(Used { used: 9, total: 4 }.share(), 1.0);
        assert_eq!(Used { used: 0, total: 0 }.share(), 0.0);
        assert!(Used { used: 3, total: 4 }.is_over(75) && !Used { used: 74, total: 100 }.is_over(75));
        assert!(!Used { used: 5, total: 0 }.is_over(1), "a disk that cannot be measured is not over");
        assert_eq!(Used { used: 3, total: 4 }.without(5).used, 0);
        assert_eq!((Used { used: 3, total: 4 }.left(), Used { used: 5, total: 4 }.left()), (1, 0));
    }
}
