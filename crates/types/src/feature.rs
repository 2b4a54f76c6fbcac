//! Features: cards on the board, and the one function that says which moves are legal.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use crate::stage::{IllegalStage, Stage};
use crate::{
    AgentId, AttachmentId, DateTime, ExecutionId, FeatureId, MemberId, ProjectId, RunId, text_enum::text_enum,
};

text_enum! {
    /// Where a card stands.
    pub enum FeatureStatus {
        /// Written, not started.
        Backlog = "backlog",
        /// Accepted for work; waits for a free place.
        Queued = "queued",
        /// An agent works on it, or its checks run; `stage` says which.
        InProgress = "in_progress",
        /// The agent is done; a member looks.
        WaitingApproval = "waiting_approval",
        /// A member and the project's checks agree with it.
        Verified = "verified",
        /// Merged into the default branch.
        Completed = "completed",
        /// The attempt ended in an error that a person must look at.
        Failed = "failed",
        /// Stopped by a member, or held by a limit.
        Paused = "paused",
    }
}

text_enum! {
    /// What a piece of work is. All kinds are run, resumed, limited and paid for in the same way; only cards are on the board.
    pub enum FeatureKind {
        /// A card on the board: it has a number, passes the pipeline and the checks, and can be merged.
        Card = "card",
        /// A conversation with an agent. It can be turned into a card.
        Chat = "chat",
        /// One agent that works on a prompt by itself, or for a step of a system.
        Task = "task",
    }
}

text_enum! {
    /// What an agent may do to the files.
    pub enum WorkMode {
        /// Look: no file can be changed.
        Read = "read",
        /// Work in a worktree of its own.
        Work = "work",
    }
}

text_enum! {
    /// How much of a plan the agent makes before it works.
    pub enum PlanningMode {
        /// Straight to work.
        Skip = "skip",
        /// An outline of tasks first.
        Lite = "lite",
        /// A specification with tasks first.
        Spec = "spec",
        /// Phases of tasks first.
        Full = "full",
    }
}

text_enum! {
    /// How hard the model is asked to think.
    pub enum ThinkingLevel {
        /// No extended thinking.
        None = "none",
        /// A little.
        Low = "low",
        /// Some.
        Medium = "medium",
        /// A lot.
        High = "high",
        /// As much as the model allows.
        Ultrathink = "ultrathink",
    }
}

/// What moves a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// A member starts it, or starts it again from nothing.
    Start,
    /// A member asks to go on with the latest attempt, from its last saved turn.
    Retry,
    /// A member answers the agent: the same conversation goes on.
    FollowUp,
    /// A node takes the run.
    Claim,
    /// A node gives the run back, to be taken again.
    Requeue,
    /// The agent proposed a plan; a person is to look at it.
    Propose,
    /// A person approves or rejects the plan; the agent goes on with that.
    Decide,
    /// The agent ended its work and what follows it.
    Finish,
    /// The attempt ended in an error.
    Fail,
    /// A member stops it.
    Stop,
    /// A member asks for the checks of finished work.
    Verify,
    /// The checks pass, and whoever works on it ends the run with that.
    Accept,
    /// A member finds finished work good, whose checks passed before or which has none.
    Approve,
    /// What verified work is built on was merged: it is checked together with that, and merged by itself.
    TakeUp,
    /// It is on the default branch.
    Merge,
    /// A member takes it back to the backlog.
    Shelve,
    /// Work that was done before its card was written here is written down: it came from another board.
    Record,
}

impl Move {
    /// Every move; for tests and for tables of what is possible.
    pub const ALL: &'static [Self] = &[
        Self::Start,
        Self::Retry,
        Self::FollowUp,
        Self::Claim,
        Self::Requeue,
        Self::Propose,
        Self::Decide,
        Self::Finish,
        Self::Fail,
        Self::Stop,
        Self::Verify,
        Self::Accept,
        Self::Approve,
        Self::TakeUp,
        Self::Merge,
        Self::Shelve,
        Self::Record,
    ];

    /// The move in words, as part of "cannot … a feature that is …".
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Retry => "retry",
            Self::FollowUp => "follow up on",
            Self::Claim => "claim",
            Self::Requeue => "requeue",
            Self::Propose => "propose a plan for",
            Self::Decide => "decide on the plan of",
            Self::Finish => "finish",
            Self::Fail => "fail",
            Self::Stop => "stop",
            Self::Verify => "verify",
            Self::Accept => "accept",
            Self::Approve => "verify",
            Self::TakeUp => "take up",
            Self::Merge => "merge",
            Self::Shelve => "move to the backlog",
            Self::Record => "record as done",
        }
    }
}

/// A move that the state machine does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot {} {} {}", .what.verb(), .kind.words(), place(*.kind, *.from, *.plan_waits, *.what))]
pub struct IllegalMove {
    /// What was to be moved.
    pub kind: FeatureKind,
    /// Where the card stands.
    pub from: FeatureStatus,
    /// Whether its plan waits for a person.
    pub plan_waits: bool,
    /// What was asked.
    pub what: Move,
}

fn place(kind: FeatureKind, status: FeatureStatus, plan_waits: bool, what: Move) -> String {
    match plan_waits {
        _ if kind == FeatureKind::Chat && !kind.may(what) => "before it is turned into a card".to_owned(),
        _ if kind == FeatureKind::Task && !kind.may(what) => "because it is no card".to_owned(),
        true => "whose plan waits for approval".to_owned(),
        false => format!("that is {}", status.words()),
    }
}

impl FeatureKind {
    /// The kind in words, as part of a sentence.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Card => "a feature",
            Self::Chat => "a chat",
            Self::Task => "a task",
        }
    }

    /// Whether something of this kind can be moved so. What ends on the board, only cards do; what is no card is started
    /// when it is made, and never anew.
    pub const fn may(self, what: Move) -> bool {
        match self {
            Self::Card => true,
            Self::Chat | Self::Task => matches!(
                what,
                Move::Start
                    | Move::Retry
                    | Move::FollowUp
                    | Move::Claim
                    | Move::Requeue
                    | Move::Finish
                    | Move::Fail
                    | Move::Stop
            ),
        }
    }
}

impl FeatureStatus {
    /// Where `what` takes a card that stands here. Together with [`FeatureStatus::with_plan_waiting`] the only place that
    /// says which moves are legal; [`FeatureCard::after`] asks the one that holds.
    ///
    /// # Errors
    /// [`IllegalMove`] when the card must not move like that.
    pub const fn after(self, what: Move) -> Result<Self, IllegalMove> {
        use FeatureStatus as S;
        let to = match (self, what) {
            (S::Backlog | S::Failed | S::Paused | S::WaitingApproval | S::Verified, Move::Start) => S::Queued,
            (S::Failed | S::Paused, Move::Retry) => S::Queued,
            (S::WaitingApproval | S::Verified | S::Failed | S::Paused, Move::FollowUp) => S::Queued,
            // Something said while the agent works is read at its next turn; the card stays where it is.
            (S::Queued | S::InProgress, Move::FollowUp) => self,
            // A run whose lease ran out is claimed again while its card still says in progress.
            (S::Queued | S::InProgress, Move::Claim) => S::InProgress,
            (S::InProgress, Move::Requeue) => S::Queued,
            (S::InProgress, Move::Propose) => S::InProgress,
            (S::InProgress, Move::Finish) => S::WaitingApproval,
            (S::Queued | S::InProgress, Move::Fail) => S::Failed,
            (S::Queued | S::InProgress, Move::Stop) => S::Paused,
            (S::WaitingApproval, Move::Verify) => S::Queued,
            (S::InProgress, Move::Accept) | (S::WaitingApproval, Move::Approve) => S::Verified,
            (S::Verified, Move::TakeUp) => S::Queued,
            (S::WaitingApproval | S::Verified, Move::Merge) => S::Completed,
            (S::Failed | S::Paused | S::WaitingApproval | S::Verified, Move::Shelve) => S::Backlog,
            (S::Backlog, Move::Record) => S::Completed,
            (from, what) => return Err(IllegalMove { kind: FeatureKind::Card, from, plan_waits: false, what }),
        };
        Ok(to)
    }

    /// Where `what` takes a card in progress whose plan waits for a person: no node works on it, and none may.
    ///
    /// # Errors
    /// [`IllegalMove`] when the card must not move like that.
    pub const fn with_plan_waiting(what: Move) -> Result<Self, IllegalMove> {
        match what {
            Move::Decide | Move::FollowUp => Ok(Self::Queued),
            Move::Stop => Ok(Self::Paused),
            Move::Shelve => Ok(Self::Backlog),
            what => Err(IllegalMove { kind: FeatureKind::Card, from: Self::InProgress, plan_waits: true, what }),
        }
    }

    /// The status in words, as part of a sentence.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Backlog => "in the backlog",
            Self::Queued => "queued",
            Self::InProgress => "in progress",
            Self::WaitingApproval => "waiting for approval",
            Self::Verified => "verified",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Paused => "paused",
        }
    }

    /// Whether a run of this card is waiting or at work.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Queued | Self::InProgress)
    }

    /// Whether features that depend on one that stands here may start.
    pub const fn satisfies_dependency(self) -> bool {
        matches!(self, Self::Verified | Self::Completed)
    }
}

/// Why a card stopped, and what helps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// A stable word for it, such as `invalid-key`, `prompt-too-long`, `turn-limit`.
    pub code: String,
    /// What happened, in a sentence.
    pub message: String,
    /// What a member can do about it, in a sentence.
    pub hint: String,
}

impl Problem {
    /// What happened and what helps, as one text. A provider's own words may lack their full stop.
    pub fn text(&self) -> String {
        let message = self.message.trim();
        let stop = if message.ends_with(['.', '!', '?', '…', ':']) || message.is_empty() { "" } else { "." };
        format!("{message}{stop} {}", self.hint).trim().to_owned()
    }
}

/// One card as the board shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct FeatureCard {
    /// The feature's id.
    pub id: FeatureId,
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// What it is.
    pub kind: FeatureKind,
    /// Counts from 1 within its project; how people refer to it. Below 0 for what is no card: nobody refers to that by number.
    pub number: i64,
    /// A few words; made from the description when left out.
    pub title: String,
    /// A free label to group by; may be empty.
    pub category: String,
    /// 1 (first) to 3 (last).
    pub priority: i64,
    /// Order within its column: smaller comes first.
    pub position: f64,
    /// Where it stands.
    pub status: FeatureStatus,
    /// What happens to it; only while it is in progress.
    pub stage: Option<Stage>,
    /// What its agent may do to the files; always `work` for a card.
    pub mode: WorkMode,
    /// Who works on it; the usual agent when absent.
    pub agent_id: Option<AgentId>,
    /// The model to use; its agent's, the project's or the server's default when absent.
    pub model: Option<String>,
    /// How hard the model is asked to think.
    pub thinking_level: ThinkingLevel,
    /// How much of a plan comes first.
    pub planning_mode: PlanningMode,
    /// Whether a person approves the plan before work starts.
    pub require_plan_approval: bool,
    /// Whether the project's checks are left out.
    pub skip_verification: bool,
    /// Whether a person looks at the work, whatever the project does after it.
    pub needs_approval: bool,
    /// What a run of it may cost, in micro-dollars; the team's limit when absent.
    pub budget_micros: Option<i64>,
    /// The branch to work on; made from number and title when absent.
    pub branch: Option<String>,
    /// Features that must be verified or completed first. One that is deleted before it is merged stays among them, and keeps this
    /// one waiting, until it is taken off.
    #[cfg_attr(feature = "sqlx", sqlx(skip))]
    pub dependencies: Vec<FeatureId>,
    /// The latest run.
    pub run_id: Option<RunId>,
    /// Whose run the latest is: who started it, by hand or by auto mode. With who wrote it, they are those whose card it is.
    pub started_by: Option<MemberId>,
    /// Why it stopped, when it failed or was paused.
    #[cfg_attr(feature = "sqlx", sqlx(json(nullable)))]
    pub error: Option<Problem>,
    /// Tasks of the agent's plan that are done.
    pub tasks_done: i64,
    /// Tasks of the agent's plan.
    pub tasks_total: i64,
    /// Files that the work changes.
    pub files_changed: i64,
    /// Lines that the work adds.
    pub lines_added: i64,
    /// Lines that the work takes away.
    pub lines_removed: i64,
    /// What all its runs cost so far, in micro-dollars.
    pub cost_micros: i64,
    /// The commit on the default branch, once it is merged.
    pub merge_commit: Option<String>,
    /// Counts the changes; send it back with a change to notice somebody else's in between.
    pub version: i64,
    /// Who wrote it.
    pub created_by: MemberId,
    /// When it was written.
    pub created_at: DateTime,
    /// When it last changed.
    pub updated_at: DateTime,
    /// When the latest stretch of work on it began.
    pub started_at: Option<DateTime>,
    /// When the latest stretch of work on it ended.
    pub finished_at: Option<DateTime>,
}

impl FeatureCard {
    /// Whether its run waits for a person to look at the plan.
    pub fn plan_waits(&self) -> bool {
        self.status == FeatureStatus::InProgress && self.stage == Some(Stage::PlanApproval)
    }

    /// Where `what` takes this card.
    ///
    /// # Errors
    /// [`IllegalMove`] when the card must not move like that.
    pub fn after(&self, what: Move) -> Result<FeatureStatus, IllegalMove> {
        let anew = self.kind != FeatureKind::Card && what == Move::Start && self.status != FeatureStatus::Backlog;
        if !self.kind.may(what) || anew {
            return Err(IllegalMove { kind: self.kind, from: self.status, plan_waits: false, what });
        }
        let to = match self.plan_waits() {
            true => FeatureStatus::with_plan_waiting(what),
            false => self.status.after(what),
        };
        to.map_err(|refused| IllegalMove { kind: self.kind, ..refused })
    }
}

/// One card with its texts: what to build, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Feature {
    /// What the board shows.
    #[serde(flatten)]
    #[cfg_attr(feature = "sqlx", sqlx(flatten))]
    pub card: FeatureCard,
    /// What to build, in Markdown.
    pub description: String,
    /// The agent's closing words.
    pub summary: Option<String>,
    /// The execution of a system for a step of which this is done; only of a task. What comes of it, that decides.
    pub execution_id: Option<ExecutionId>,
}

/// An image or a text file on a card, in a chat, or from a tool; the bytes are fetched apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// The attachment's id.
    pub id: AttachmentId,
    /// The card it is on.
    pub feature_id: FeatureId,
    /// The file's name.
    pub name: String,
    /// Such as `image/png` or `text/plain`.
    pub media_type: String,
    /// In bytes.
    pub size: i64,
    /// When it was added.
    pub created_at: DateTime,
    /// Who put it on its card, where that is known; of what was said, the message tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub created_by: Option<MemberId>,
}

#[cfg(test)]
mod tests;
