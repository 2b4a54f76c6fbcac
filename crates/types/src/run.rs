//! Runs: attempts at a feature, and what they leave behind turn by turn.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::budget::BudgetKind;
use crate::chat::{Block, Message, StopReason, Usage};
use crate::feature::{Attachment, Problem};
use crate::member::ProviderKind;
use crate::plan::PlanApproval;
use crate::{CallId, CheckId, DateTime, FeatureId, MemberId, NodeId, ProjectId, RunId, text_enum::text_enum};

mod event;

pub use event::RunEvent;

text_enum! {
    /// Where a run stands.
    pub enum RunStatus {
        /// Waits to be claimed by a node.
        Queued = "queued",
        /// A node holds its lease and works.
        Running = "running",
        /// The agent is done, or a person is to look at its plan; the run can be followed up.
        Waiting = "waiting",
        /// A member stopped it; it can go on from its last saved turn.
        Stopped = "stopped",
        /// It ended in an error; it can go on from its last saved turn.
        Failed = "failed",
        /// Merged, or given up for a newer run. It never works again.
        Closed = "closed",
    }
}

impl RunStatus {
    /// Whether the run waits for a node or is held by one. A feature has at most one such run.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }

    /// Whether a run that stands here may come to stand at `to`.
    pub const fn may_become(self, to: Self) -> bool {
        use RunStatus as R;
        matches!(
            (self, to),
            (R::Queued, R::Running | R::Stopped | R::Failed | R::Closed)
                | (R::Running, R::Running | R::Queued | R::Waiting | R::Stopped | R::Failed)
                | (R::Waiting, R::Stopped)
                | (R::Waiting | R::Stopped | R::Failed, R::Queued | R::Closed)
        )
    }
}

text_enum! {
    /// What a claimed run is to do.
    pub enum RunIntent {
        /// Let the agent work, then run the checks.
        Work = "work",
        /// Only run the checks.
        Verify = "verify",
    }
}

text_enum! {
    /// Whose key a run uses.
    pub enum KeySource {
        /// The key of the member who started it.
        Member = "member",
        /// The team's fallback key, which an admin or the operator put in place.
        Team = "team",
        /// None: the simulated provider.
        Simulated = "simulated",
    }
}

text_enum! {
    /// What a run that is put off waits for, where that is not its provider.
    pub enum Awaits {
        /// Its own budget.
        RunBudget = "run",
        /// Its member's budget for this month.
        MonthBudget = "month",
        /// What its card depends on: as that stands, there is nothing to begin from.
        Dependencies = "dependencies",
        /// The server: its disk is full, or its database is away.
        Server = "server",
    }
}

impl From<BudgetKind> for Awaits {
    fn from(budget: BudgetKind) -> Self {
        match budget {
            BudgetKind::Run => Self::RunBudget,
            BudgetKind::Month => Self::MonthBudget,
        }
    }
}

/// Which key a run uses, as far as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunKey {
    /// Whose it is.
    pub source: KeySource,
    /// Which provider it is for.
    pub provider: ProviderKind,
    /// Its last four characters; nothing where the server needs none.
    pub hint: Option<String>,
}

/// One attempt at a feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// The run's id.
    pub id: RunId,
    /// The feature it works on.
    pub feature_id: FeatureId,
    /// The feature's project.
    pub project_id: ProjectId,
    /// Who started it; its calls use this member's key.
    pub member_id: MemberId,
    /// Where it stands.
    pub status: RunStatus,
    /// What it is to do when it is claimed next.
    pub intent: RunIntent,
    /// Whether auto mode started it, and nobody has taken it in hand since.
    pub auto: bool,
    /// How often the agent was given failing checks to mend since a member last said something.
    pub repairs: i64,
    /// How often the agent was given what kept its work from being merged, since a member last said something.
    pub returns: i64,
    /// Counts how often it was claimed.
    pub attempt: i64,
    /// The node that holds it.
    #[serde(skip)]
    pub lease_owner: Option<NodeId>,
    /// Until when the node holds it.
    #[serde(skip)]
    pub lease_until: Option<DateTime>,
    /// The model that it calls.
    pub model: String,
    /// Whose key it uses; known once it has made its first call.
    pub key_source: Option<KeySource>,
    /// Which provider that key is for.
    pub key_provider: Option<ProviderKind>,
    /// The last four characters of that key; nothing where the server needs none.
    pub key_hint: Option<String>,
    /// The branch that the work ends up on.
    pub branch: String,
    /// The commit that it started from; known once its worktree is made.
    pub base_commit: Option<String>,
    /// The latest state of its work: a snapshot, or the commit on its branch.
    pub head_commit: Option<String>,
    /// The cards whose work it found in its tree, because its card depends on them: those that were merged, and before those that
    /// were built on them all that were verified and not merged yet. Known once its worktree is made.
    #[cfg_attr(feature = "sqlx", sqlx(json))]
    #[serde(default)]
    #[schema(required = true)]
    pub holds: Vec<HeldCard>,
    /// Saved turns.
    pub turns: i64,
    /// Tokens so far.
    #[cfg_attr(feature = "sqlx", sqlx(flatten))]
    pub usage: RunUsage,
    /// Tokens in the context window at the latest call.
    pub context_tokens: i64,
    /// What it cost so far, in micro-dollars.
    pub cost_micros: i64,
    /// The agent's tasks.
    #[cfg_attr(feature = "sqlx", sqlx(json))]
    pub plan: Vec<Task>,
    /// Whether it needs a person's yes to its plan, and has it.
    pub approval: PlanApproval,
    /// Why it ended, when it failed.
    #[cfg_attr(feature = "sqlx", sqlx(json(nullable)))]
    pub error: Option<Problem>,
    /// It is put off, or rests because auto mode's window is closed, and is not claimed before this time.
    pub parked_until: Option<DateTime>,
    /// What it waits for, in a sentence; nothing while it rests.
    pub parked_reason: Option<String>,
    /// What it waits for, where that is not its provider; nothing while it rests.
    pub parked_for: Option<Awaits>,
    /// What it may cost beyond its budget, because somebody allowed that, in micro-dollars.
    pub extra_micros: i64,
    /// When it was asked for.
    pub created_at: DateTime,
    /// When its latest stretch of work began: at the first claim after a start, a retry, a follow-up or a wish for checks.
    pub started_at: Option<DateTime>,
    /// When it last ended.
    pub ended_at: Option<DateTime>,
}

/// A card whose work another one is built on, as it was called then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeldCard {
    /// The card.
    pub feature_id: FeatureId,
    /// Its number within the project.
    pub number: i64,
    /// Its title.
    pub title: String,
}

impl std::fmt::Display for HeldCard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{} “{}”", self.number, self.title)
    }
}

/// Tokens of a run, added up; the same figures as [`Usage`], as columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct RunUsage {
    /// Input tokens billed in full.
    pub input_tokens: i64,
    /// Output tokens.
    pub output_tokens: i64,
    /// Input tokens read from the provider's cache.
    pub cache_read_tokens: i64,
    /// Input tokens written to the provider's cache.
    pub cache_write_tokens: i64,
}

text_enum! {
    /// How far a task of a plan is.
    pub enum TaskStatus {
        /// Not begun.
        Pending = "pending",
        /// At work.
        InProgress = "in_progress",
        /// Done.
        Completed = "completed",
    }
}

/// One task of an agent's plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// What is to be done, in a few words.
    pub title: String,
    /// The phase that it belongs to, where the plan has phases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub phase: Option<String>,
    /// How far it is.
    pub status: TaskStatus,
}

/// One model call and the tools it asked for: the unit that is saved.
///
/// It is saved twice: once when the answer is there (it is paid, and must never be asked for again), with
/// `results` absent, and once more when the tools have run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Counts from 1 within the run.
    pub number: i64,
    /// What was said to the model just before this call, by a member or by Guildhall, beyond the tools' results.
    pub input: Vec<Block>,
    /// Set when the conversation was compacted just before this call.
    pub compacted: Option<Compaction>,
    /// What the model answered.
    pub answer: Message,
    /// Why it stopped.
    pub stop_reason: StopReason,
    /// What the call took.
    pub usage: Usage,
    /// The results of the tools, one for each call in `answer`; absent until they have run.
    pub results: Option<Vec<Block>>,
    /// The state of the files after this turn, if it changed any.
    pub snapshot: Option<String>,
}

/// A summary that stands for the beginning of a conversation from then on. The first turn's input always stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compaction {
    /// What the model wrote.
    pub summary: String,
    /// The last turn that the summary stands for; later ones stay as they are.
    pub upto: i64,
}

text_enum! {
    /// How a verification command ended.
    pub enum CheckStatus {
        /// It runs.
        Running = "running",
        /// It ended with exit code 0.
        Passed = "passed",
        /// It ended otherwise.
        Failed = "failed",
    }
}

text_enum! {
    /// What a command of the project is for.
    pub enum CheckKind {
        /// It verifies the work.
        Check = "check",
        /// It sets the worktree up.
        SetUp = "set-up",
    }
}

impl CheckKind {
    /// What a command is of which nothing was said, as before there was more than one kind.
    pub const fn usual() -> Self {
        Self::Check
    }
}

/// What a run's calls cost is written to the ledger, a row a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerRow {
    /// Which call: however often it is written, it counts once.
    pub id: CallId,
    /// Who pays.
    pub member_id: MemberId,
    /// Whose key was used.
    pub key_source: KeySource,
    /// Its last four characters; nothing where the server needs none.
    pub key_hint: Option<String>,
    /// The run.
    pub run_id: RunId,
    /// The turn, or nothing for a call outside a turn (such as a summary).
    pub turn: Option<i64>,
    /// The provider.
    pub provider: ProviderKind,
    /// The model that answered.
    pub model: String,
    /// What the call took.
    pub usage: Usage,
    /// Its cost in micro-dollars.
    pub cost_micros: i64,
    /// Whether a price is known; without one the tokens count and the cost is nothing.
    pub priced: bool,
}

/// Something that a member said to a run and that no turn has read yet.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
pub struct Said {
    /// Counts from 1 within the run.
    pub seq: i64,
    /// Who said it.
    pub member_id: MemberId,
    /// The words.
    pub text: String,
    /// The files that came with it.
    #[cfg_attr(feature = "sqlx", sqlx(skip))]
    pub files: Vec<SaidFile>,
}

/// A file that a member attached to what was said.
#[derive(Clone, PartialEq)]
pub struct SaidFile {
    /// What is known of it.
    pub attachment: Attachment,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for SaidFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SaidFile").field("attachment", &self.attachment).finish_non_exhaustive()
    }
}

/// How much a piece of work changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiffStat {
    /// Files changed.
    pub files: i64,
    /// Lines added.
    pub added: i64,
    /// Lines taken away.
    pub removed: i64,
}

/// One command of the project that was run for a run: a check, with its output as evidence, or one that set the worktree up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// The check's id.
    pub id: CheckId,
    /// The run whose work was checked.
    pub run_id: RunId,
    /// What it is for.
    #[serde(default = "CheckKind::usual")]
    pub kind: CheckKind,
    /// The command as the project states it.
    pub command: String,
    /// How it ended.
    pub status: CheckStatus,
    /// The exit code, or nothing when it was killed.
    pub exit_code: Option<i64>,
    /// What it printed: head and tail, with the rest counted.
    pub output: String,
    /// The commit that was checked, or that the worktree stood at.
    pub commit_id: Option<String>,
    /// When it began.
    pub started_at: DateTime,
    /// When it ended.
    pub ended_at: Option<DateTime>,
}
