//! Executions: one use of a system, as far as it has come.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{StepKind, SystemDefinition};
use crate::run::{Awaits, RunStatus};
use crate::{DateTime, ExecutionId, FeatureId, MemberId, ProjectId, RunId, SystemId, text_enum::text_enum};

text_enum! {
    /// Where an execution stands.
    pub enum ExecutionStatus {
        /// Asked for; no step has begun.
        Pending = "pending",
        /// A step works, or is to be tried again.
        Running = "running",
        /// Nothing works: a person is to look.
        Waiting = "waiting",
        /// It came to its end.
        Completed = "completed",
        /// A step failed that it cannot do without.
        Failed = "failed",
        /// A member ended it.
        Cancelled = "cancelled",
    }
}

impl ExecutionStatus {
    /// Whether nothing will happen any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

text_enum! {
    /// Where a step stands. One that is not there has not begun.
    pub enum SystemStepStatus {
        /// It, or a step within it, works.
        Running = "running",
        /// A person is to look.
        Waiting = "waiting",
        /// It failed and is tried again after a while.
        Retrying = "retrying",
        /// It came to its end.
        Completed = "completed",
        /// It failed.
        Failed = "failed",
        /// It was ended because it is not needed any more.
        Cancelled = "cancelled",
    }
}

impl SystemStepStatus {
    /// Whether something is still to come of it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Waiting | Self::Retrying)
    }
}

/// One step of an execution; in a loop, one for each round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepState {
    /// Its place: the ids of the steps that it is in and its own, with dots between them; a loop's with the round, as in
    /// `improve@2.review`.
    pub key: String,
    /// The step of the system.
    pub step_id: String,
    /// What it does.
    pub kind: StepKind,
    /// Where it stands.
    pub status: SystemStepStatus,
    /// Counts its tries, from 1.
    pub attempt: i64,
    /// Rounds begun of a loop; how often a person sent work back; how often an agent's answer was, because of its form.
    pub rounds: i64,
    /// What it was given.
    pub input: Option<String>,
    /// What it gave.
    pub output: Option<Value>,
    /// Why its last try failed, or what else is to be known of its end.
    pub error: Option<String>,
    /// What a person said to it.
    pub feedback: Option<String>,
    /// When it is ended if it has not ended before and its agents work until then; nothing while none of them works.
    pub deadline: Option<DateTime>,
    /// When it is tried again.
    pub retry_at: Option<DateTime>,
    /// When it began.
    pub started_at: DateTime,
    /// When it ended.
    pub ended_at: Option<DateTime>,
}

/// All that decides what an execution does next, beside its system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecutionState {
    /// Where it stands.
    pub status: ExecutionStatus,
    /// The variables.
    pub variables: BTreeMap<String, Value>,
    /// The steps, in the order in which they began.
    pub steps: Vec<StepState>,
    /// What it gave.
    pub output: Option<Value>,
    /// Why it failed, or who ended it.
    pub error: Option<String>,
}

impl ExecutionState {
    /// One that has not begun.
    pub const fn new(variables: BTreeMap<String, Value>) -> Self {
        Self { status: ExecutionStatus::Pending, variables, steps: Vec::new(), output: None, error: None }
    }

    /// The step at this place.
    pub fn step(&self, key: &str) -> Option<&StepState> {
        self.steps.iter().find(|step| step.key == key)
    }
}

/// An execution as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// The execution's id.
    pub id: ExecutionId,
    /// The system.
    pub system_id: SystemId,
    /// The system's name when it began.
    pub name: String,
    /// The project that it works on.
    pub project_id: ProjectId,
    /// Who started it; its agents use this member's keys.
    pub member_id: MemberId,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// Why it failed, or who ended it.
    pub error: Option<String>,
    /// Counts its changes.
    pub revision: i64,
    /// Tokens of all its agents so far.
    pub tokens: i64,
    /// What they cost so far, in micro-dollars.
    pub cost_micros: i64,
    /// What it was started with, in a few words; empty where that says nothing.
    #[serde(default)]
    pub about: String,
    /// When it was asked for.
    pub created_at: DateTime,
    /// When it last changed.
    pub updated_at: DateTime,
    /// When it ended.
    pub ended_at: Option<DateTime>,
}

impl ExecutionTask {
    /// Whether it waits for something or works, and has not ended.
    pub fn is_live(&self) -> bool {
        self.status.is_some_and(RunStatus::is_live)
    }
}

/// An agent at work for a try of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct ExecutionTask {
    /// The step's place.
    pub step_key: String,
    /// The try.
    pub attempt: i64,
    /// The task.
    pub feature_id: FeatureId,
    /// Its run, once there is one.
    pub run_id: Option<RunId>,
    /// Where the run stands, once there is one.
    pub status: Option<RunStatus>,
    /// Until when it is put off, if it is.
    pub parked_until: Option<DateTime>,
    /// What it waits for, in a sentence.
    pub parked_reason: Option<String>,
    /// What else than its provider it waits for, if that is known.
    pub parked_for: Option<Awaits>,
    /// Its tokens so far.
    pub tokens: i64,
    /// What it cost so far, in micro-dollars.
    pub cost_micros: i64,
}

/// A step as members see it, without its texts: what it was given and gave is had by its own address, as a [`StepState`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepView {
    /// Its place: the ids of the steps that it is in and its own, with dots between them; a loop's with the round, as in
    /// `improve@2.review`.
    pub key: String,
    /// The step of the system.
    pub step_id: String,
    /// What it does.
    pub kind: StepKind,
    /// Where it stands.
    pub status: SystemStepStatus,
    /// Counts its tries, from 1.
    pub attempt: i64,
    /// Rounds begun of a loop; how often a person sent work back; how often an agent's answer was, because of its form.
    pub rounds: i64,
    /// When it is ended if it has not ended before and its agents work until then; nothing while none of them works.
    pub deadline: Option<DateTime>,
    /// When it is tried again.
    pub retry_at: Option<DateTime>,
    /// When it began.
    pub started_at: DateTime,
    /// When it ended.
    pub ended_at: Option<DateTime>,
    /// The agents that worked for it, by tries.
    pub tasks: Vec<ExecutionTask>,
    /// Tokens of all its tries.
    pub tokens: i64,
    /// What they cost, in micro-dollars.
    pub cost_micros: i64,
}

impl StepView {
    /// A step with the agents that worked for it.
    pub fn new(state: StepState, tasks: Vec<ExecutionTask>) -> Self {
        let StepState { key, step_id, kind, status, attempt, rounds, deadline, retry_at, started_at, ended_at, .. } =
            state;
        let tokens = tasks.iter().map(|task| task.tokens).sum();
        let cost_micros = tasks.iter().map(|task| task.cost_micros).sum();
        Self {
            key,
            step_id,
            kind,
            status,
            attempt,
            rounds,
            deadline,
            retry_at,
            started_at,
            ended_at,
            tasks,
            tokens,
            cost_micros,
        }
    }
}

/// An execution, with how its steps stand.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionView {
    /// What lists show.
    #[serde(flatten)]
    pub execution: Execution,
    /// The system as it was when it began.
    pub definition: SystemDefinition,
    /// What it was given.
    pub input: Value,
    /// What it gave.
    pub output: Option<Value>,
    /// Its steps, in the order in which they began.
    pub steps: Vec<StepView>,
}
