//! What happens in a run.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Check, KeySource, RunStatus, Task};
use crate::chat::{StopReason, Usage};
use crate::feature::{Attachment, Problem};
use crate::pipeline::StepStatus;
use crate::{DateTime, MemberId};

/// What happened in a run, as its members see it. Stored under the event `run.event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum RunEvent {
    /// A member said something (or the feature's own text, at the start).
    Said {
        /// Who; absent when Guildhall itself says it.
        member_id: Option<MemberId>,
        /// The words.
        text: String,
        /// The files that came with it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        files: Vec<Attachment>,
    },
    /// The agent said something.
    Text {
        /// The turn.
        turn: i64,
        /// The words, in Markdown.
        text: String,
    },
    /// The agent reasoned.
    Thinking {
        /// The turn.
        turn: i64,
        /// What the provider shows of it; may be empty.
        text: String,
    },
    /// A tool was called.
    ToolStarted {
        /// The turn.
        turn: i64,
        /// The provider's id of the call.
        call: String,
        /// The tool's name.
        tool: String,
        /// The arguments.
        #[schema(value_type = Object)]
        input: serde_json::Value,
    },
    /// A tool answered.
    ToolFinished {
        /// The turn.
        turn: i64,
        /// The id of the call.
        call: String,
        /// The tool's name.
        tool: String,
        /// What the model was told.
        output: String,
        /// Whether it failed.
        is_error: bool,
        /// How long it took, in milliseconds.
        duration_ms: i64,
        /// The images that it returned.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        images: Vec<Attachment>,
    },
    /// A turn was saved.
    TurnSaved {
        /// The turn.
        turn: i64,
        /// Why the model stopped.
        stop_reason: StopReason,
        /// What the call took.
        usage: Usage,
        /// Its cost in micro-dollars.
        cost_micros: i64,
        /// The state of the files, if this turn changed any.
        snapshot: Option<String>,
    },
    /// The plan changed.
    Plan {
        /// The tasks.
        tasks: Vec<Task>,
    },
    /// The agent proposed a plan; a person is to look at it.
    PlanProposed {
        /// Which version.
        version: i64,
    },
    /// The agent keeps a plan that nobody has to approve, and goes on with it.
    PlanAdopted {
        /// Which version.
        version: i64,
    },
    /// A member decided on a plan.
    PlanDecided {
        /// Which version.
        version: i64,
        /// Who.
        member_id: MemberId,
        /// Whether it was approved.
        approved: bool,
        /// Whether the member changed it while approving; then `version` is the member's.
        changed: bool,
        /// Why it was rejected.
        feedback: Option<String>,
    },
    /// A step of the pipeline begins, or goes on; the turns that follow are its agent's, until it ends.
    StepStarted {
        /// Its number within the run.
        step: i64,
        /// What it is called.
        name: String,
        /// Which look of it this is, from 1.
        look: i64,
        /// The model.
        model: String,
        /// Whether earlier turns are gone on with.
        resumed: bool,
    },
    /// A step of the pipeline ended.
    StepEnded {
        /// Its number within the run.
        step: i64,
        /// What it is called.
        name: String,
        /// How.
        status: StepStatus,
        /// What came of it.
        word: Option<String>,
    },
    /// The conversation was summarised to make room.
    Compacted {
        /// Tokens before.
        before_tokens: i64,
        /// The summary.
        summary: String,
    },
    /// The run waits for the provider.
    Waiting {
        /// Why, in a sentence.
        reason: String,
        /// Until when.
        until: DateTime,
    },
    /// A check began or ended.
    Check {
        /// The check; its output is cut to its end here.
        check: Check,
    },
    /// The work begins, or goes on.
    Started {
        /// Which claim this is.
        attempt: i64,
        /// The model.
        model: String,
        /// Whose key.
        key_source: KeySource,
        /// Whether earlier turns are gone on with.
        resumed: bool,
        /// The agent, where it is not the usual one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        agent: Option<String>,
    },
    /// The work ended.
    Ended {
        /// How.
        status: RunStatus,
        /// Why, when it failed.
        problem: Option<Problem>,
    },
    /// Something that members should know, without a kind of its own.
    Note {
        /// The words.
        text: String,
    },
}

impl RunEvent {
    /// The word for its kind, as in its JSON.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Said { .. } => "said",
            Self::Text { .. } => "text",
            Self::Thinking { .. } => "thinking",
            Self::ToolStarted { .. } => "tool_started",
            Self::ToolFinished { .. } => "tool_finished",
            Self::TurnSaved { .. } => "turn_saved",
            Self::Plan { .. } => "plan",
            Self::PlanProposed { .. } => "plan_proposed",
            Self::PlanDecided { .. } => "plan_decided",
            Self::PlanAdopted { .. } => "plan_adopted",
            Self::StepStarted { .. } => "step_started",
            Self::StepEnded { .. } => "step_ended",
            Self::Compacted { .. } => "compacted",
            Self::Waiting { .. } => "waiting",
            Self::Check { .. } => "check",
            Self::Started { .. } => "started",
            Self::Ended { .. } => "ended",
            Self::Note { .. } => "note",
        }
    }
}
