//! Trials of a project's checks: on the default branch, before anything depends on them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::run::{CheckKind, CheckStatus};
use crate::{DateTime, MemberId, ProjectId, TrialId, text_enum::text_enum};

text_enum! {
    /// How far a trial is.
    pub enum TrialStatus {
        /// The commands run, one after the other.
        Running = "running",
        /// All of them passed.
        Passed = "passed",
        /// At least one of them failed.
        Failed = "failed",
        /// It was broken off; `problem` says why.
        Stopped = "stopped",
    }
}

/// One command of a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriedCheck {
    /// What it is for.
    #[serde(default = "CheckKind::usual")]
    pub kind: CheckKind,
    /// The command.
    pub command: String,
    /// How it ended.
    pub status: CheckStatus,
    /// The exit code, or nothing when it was killed or still runs.
    pub exit_code: Option<i64>,
    /// What it printed so far: head and tail, with the rest counted.
    pub output: String,
    /// When it began.
    pub started_at: DateTime,
    /// When it ended.
    pub ended_at: Option<DateTime>,
}

/// A trial of checks, and of what sets a worktree up for them. A project has one, the latest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Trial {
    /// The trial's id.
    pub id: TrialId,
    /// The project.
    pub project_id: ProjectId,
    /// Who asked for it.
    pub member_id: MemberId,
    /// The commit of the default branch that is tried.
    pub commit_id: String,
    /// How far it is.
    pub status: TrialStatus,
    /// The commands that were begun, in order. After a check that failed the others are tried as well; after a set-up command
    /// that failed, nothing is.
    #[cfg_attr(feature = "sqlx", sqlx(json))]
    pub checks: Vec<TriedCheck>,
    /// How many commands there are.
    pub total: i64,
    /// Why it was broken off, in a sentence.
    pub problem: Option<String>,
    /// When it began.
    pub started_at: DateTime,
    /// When its process was last heard of.
    #[serde(skip, default)]
    pub seen_at: DateTime,
    /// When it ended.
    pub ended_at: Option<DateTime>,
}
