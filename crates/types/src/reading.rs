//! How a node is at one moment.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DateTime, NodeId};

/// Minutes for which failures of providers count in a reading.
pub const FAILURES_OF: i64 = 5;

/// Bytes of something that can be used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    /// Bytes that are used, or that an ordinary user cannot have for another reason.
    pub used: i64,
    /// Bytes that there are.
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

    /// The same when so many bytes less are used.
    #[must_use]
    pub fn without(self, bytes: u64) -> Self {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        Self { used: self.used.saturating_sub(bytes).max(0), ..self }
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
    /// Memory of the container, where its control group has less than the machine; else of the machine. What the kernel can
    /// take back at once, such as files that it keeps at hand, is not used.
    pub memory: Option<Used>,
    /// Bytes of memory that the server's own process holds.
    pub process_memory: Option<i64>,
    /// Disk of the file system in which the data folder is.
    pub disk: Option<Used>,
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
    /// Milliseconds until the database gave a turn to write; absent when it gave none within five seconds.
    pub database_millis: Option<f64>,
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
    }
}
