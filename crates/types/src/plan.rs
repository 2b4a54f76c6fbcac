//! Plans that an agent proposes and a person decides on before any file is changed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::feature::PlanningMode;
use crate::{DateTime, MemberId, RunId, text_enum::text_enum};

/// Tasks of a plan at most.
pub const TASKS: usize = 100;
/// Characters of a task's title at most.
pub const TITLE: usize = 200;
/// Characters of a plan's text at most.
pub const TEXT: usize = 50_000;

text_enum! {
    /// Whether a run needs a person's yes to its plan. Settled when the run is made, from its card.
    pub enum PlanApproval {
        /// The agent works without one.
        NotNeeded = "not_needed",
        /// No plan is approved yet: nothing can change the files.
        Awaited = "awaited",
        /// A person approved a plan.
        Given = "given",
    }
}

impl PlanApproval {
    /// What a new run of a card needs. Where nothing is planned there is nothing to approve; no card asks for both.
    pub const fn of_new_run(required: bool) -> Self {
        if required { Self::Awaited } else { Self::NotNeeded }
    }
}

/// Whether a card may ask for this.
pub const fn can_be_approved(mode: PlanningMode) -> bool {
    !matches!(mode, PlanningMode::Skip)
}

text_enum! {
    /// What became of a version of a plan.
    pub enum PlanStatus {
        /// It waits for a person.
        Proposed = "proposed",
        /// A person said yes to it.
        Approved = "approved",
        /// A person said no to it, and why.
        Rejected = "rejected",
        /// Nobody had to approve it: the agent went on with it.
        Adopted = "adopted",
        /// A later version took its place before anybody decided.
        Superseded = "superseded",
    }
}

/// A task of a plan that is not begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlannedTask {
    /// What is to be done, in a few words.
    pub title: String,
    /// The phase that it belongs to, where the plan has phases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub phase: Option<String>,
}

/// What a plan says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The plan, in Markdown.
    pub text: String,
    /// The tasks that follow from it, in order.
    pub tasks: Vec<PlannedTask>,
}

/// A version of a run's plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The run.
    pub run_id: RunId,
    /// Counts from 1 within the run.
    pub version: i64,
    /// The plan, in Markdown.
    pub text: String,
    /// The tasks that follow from it, in order.
    #[cfg_attr(feature = "sqlx", sqlx(json))]
    pub tasks: Vec<PlannedTask>,
    /// What became of it.
    pub status: PlanStatus,
    /// Who wrote this version while approving; absent when the agent did.
    pub written_by: Option<MemberId>,
    /// Why it was rejected.
    pub feedback: Option<String>,
    /// Who decided.
    pub decided_by: Option<MemberId>,
    /// When that was.
    pub decided_at: Option<DateTime>,
    /// When it was written.
    pub created_at: DateTime,
}
