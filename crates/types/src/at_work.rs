//! What is at work: runs of all kinds that have a place or wait for one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::feature::FeatureKind;
use crate::{DateTime, ExecutionId, FeatureId, MemberId, ProjectId, RunId};

/// A run that works or is to work, with what it works on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct LiveRun {
    /// The run.
    pub run_id: RunId,
    /// What it works on: a card, a chat or a task.
    pub feature_id: FeatureId,
    /// Its project.
    pub project_id: ProjectId,
    /// Whose run it is.
    pub member_id: MemberId,
    /// What it is.
    pub kind: FeatureKind,
    /// A few words.
    pub title: String,
    /// Its number within the project; below 0 for what is no card.
    pub number: i64,
    /// The execution of a system that asked for it, if one did.
    pub execution_id: Option<ExecutionId>,
    /// The model that it calls.
    pub model: String,
    /// Whether it has a place, and a server works on it; otherwise it waits, and the queue says for what.
    pub working: bool,
    /// When the latest stretch of work on it began.
    pub started_at: Option<DateTime>,
    /// Tokens of all kinds so far.
    pub tokens: i64,
    /// Cost so far, in micro-dollars.
    pub cost_micros: i64,
}
