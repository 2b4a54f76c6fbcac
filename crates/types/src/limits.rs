//! Limits: how much a member and the whole team may use at once.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::feature::FeatureKind;

mod parts;

pub use parts::{LEAST_MEMORY, LEAST_PROCESSES, MB, Part, kept, part};

/// The limits that the scheduler keeps. Whichever is tighter holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Limits {
    /// Runs of one member's cards at work at once.
    pub max_concurrent_features_per_member: i64,
    /// Answers in one member's chats that are being made at once.
    pub max_concurrent_chats_per_member: i64,
    /// Tasks of one member at work at once: agents that run by themselves or for a step of a system.
    pub max_concurrent_tasks_per_member: i64,
    /// Runs of the whole team at work at once, of every kind.
    pub max_concurrent_features: i64,
    /// Worktrees of one member on disk at once.
    pub max_worktrees_per_member: i64,
    /// Memory of all commands of one member together on one server, in MB of a million bytes.
    pub max_memory_mb_per_member: i64,
    /// Processes and threads of all commands of one member together on one server.
    pub max_processes_per_member: i64,
    /// What one worktree may take of the disk with all that was built in it, in MB of a million bytes.
    pub max_disk_mb_per_worktree: i64,
}

impl Default for Limits {
    /// The figures of the analysis that Guildhall was built from. It names none for processes and disk: two thousand are
    /// enough for several builds at once, each with a dozen compilers and their threads, and few for a machine; ten
    /// gigabytes hold a large project's build.
    fn default() -> Self {
        Self {
            max_concurrent_features_per_member: 3,
            max_concurrent_chats_per_member: 3,
            max_concurrent_tasks_per_member: 3,
            max_concurrent_features: 8,
            max_worktrees_per_member: 10,
            max_memory_mb_per_member: 8_000,
            max_processes_per_member: 2_000,
            max_disk_mb_per_worktree: 10_000,
        }
    }
}

impl Limits {
    /// How many runs of this kind one member may have at work at once.
    pub const fn per_member(&self, kind: FeatureKind) -> i64 {
        match kind {
            FeatureKind::Card => self.max_concurrent_features_per_member,
            FeatureKind::Chat => self.max_concurrent_chats_per_member,
            FeatureKind::Task => self.max_concurrent_tasks_per_member,
        }
    }
}

/// What one run may use before it is ended with a clear word, or waits for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RunLimits {
    /// Model calls since the member last said something.
    pub max_turns: i64,
    /// Minutes at work since the run was last claimed.
    pub max_minutes: i64,
    /// Cost of the whole run, in micro-dollars, unless its card says otherwise. At this the run waits, and asks for more.
    pub max_cost_micros: i64,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self { max_turns: 200, max_minutes: 120, max_cost_micros: 20_000_000 }
    }
}
