//! Pipelines: after the agent's work and before the checks, further passes over it, each by an agent of its own.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DateTime, RunId, text_enum::text_enum};

/// Steps of a project's pipeline at most.
pub const STEPS: usize = 10;
/// Characters of a step's name at most.
pub const NAME: usize = 40;
/// Characters of a step's instructions at most.
pub const INSTRUCTIONS: usize = 10_000;
/// How often a step may send the work back to its agent at most, in any project.
pub const RETURNS: i64 = 3;

text_enum! {
    /// What follows when a step fails, or still finds the work wanting after its last look.
    pub enum OnFailure {
        /// The card waits for a person, with the reason.
        Stop = "stop",
        /// The next step begins; the failure stays on record.
        GoOn = "go_on",
    }
}

/// A step as a project states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PipelineStep {
    /// What it is called on cards; no two steps of a project share a name.
    pub name: String,
    /// What its agent is to do.
    pub instructions: String,
    /// The model that it calls; the run's own when absent.
    #[serde(default)]
    pub model: Option<String>,
    /// Whether work passes through it.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What follows when it fails.
    #[serde(default = "stop")]
    pub on_failure: OnFailure,
    /// How often it may send the work back to its agent: 0 to 3.
    #[serde(default = "twice")]
    pub returns: i64,
}

const fn yes() -> bool {
    true
}

const fn stop() -> OnFailure {
    OnFailure::Stop
}

const fn twice() -> i64 {
    2
}

text_enum! {
    /// How far a step is with a run's work.
    pub enum StepStatus {
        /// Its turn has not come.
        Waiting = "waiting",
        /// Its agent works.
        Running = "running",
        /// It found the work good, or made it so.
        Passed = "passed",
        /// It sent the work back to its agent; another look follows.
        Asked = "asked",
        /// It could not be done, or still found the work wanting after its last look.
        Failed = "failed",
        /// A member said something while it looked, which comes first; another look follows.
        Interrupted = "interrupted",
        /// A step before it stopped the pipeline.
        LeftOut = "left_out",
    }
}

impl StepStatus {
    /// Whether something is still to be done.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }
}

/// One look of a step at a run's work. What the step is was settled when the run reached the pipeline: changes of the
/// project's pipeline hold from the next time on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct RunStep {
    /// The run.
    pub run_id: RunId,
    /// Counts from 1 within the run.
    pub number: i64,
    /// Which time the run passes through its pipeline, from 1: work that changed afterwards passes again.
    pub round: i64,
    /// The step's place in the project's pipeline, from 1.
    pub position: i64,
    /// Which look of this step in this round, from 1.
    pub look: i64,
    /// What the step is called.
    pub name: String,
    /// What its agent is to do.
    pub instructions: String,
    /// The model that it calls; the run's own when absent.
    pub model: Option<String>,
    /// What follows when it fails.
    pub on_failure: OnFailure,
    /// How often it may send the work back.
    pub returns: i64,
    /// How far it is.
    pub status: StepStatus,
    /// What came of it: its agent's closing words, what it asked for, or why it failed.
    pub word: Option<String>,
    /// The state of the work that it left.
    pub commit_id: Option<String>,
    /// When its agent began.
    pub started_at: Option<DateTime>,
    /// When it ended.
    pub ended_at: Option<DateTime>,
}

impl RunStep {
    /// Whether it may send the work back after this look.
    pub const fn may_ask(&self) -> bool {
        self.look <= self.returns
    }
}

/// The looks of the latest round, in the order in which they are taken.
fn latest(steps: &[RunStep]) -> Vec<&RunStep> {
    let round = steps.iter().map(|step| step.round).max().unwrap_or_default();
    let mut looks: Vec<&RunStep> = steps.iter().filter(|step| step.round == round).collect();
    looks.sort_by_key(|step| (step.position, step.look));
    looks
}

/// The look that is to be taken, or gone on with.
pub fn open(steps: &[RunStep]) -> Option<&RunStep> {
    latest(steps).into_iter().find(|step| step.status.is_open())
}

/// Which steps of `pipeline` work that stands at `head` must pass now, each with its place from 1; none while a round is
/// open, or when the work is as the last round left it. A round that was stopped is gone on with where it was, if nothing
/// changed since; otherwise all steps look at the work.
pub fn due<'a>(pipeline: &'a [PipelineStep], before: &[RunStep], head: &str) -> Vec<(i64, &'a PipelineStep)> {
    let last = latest(before);
    if last.iter().any(|step| step.status.is_open()) {
        return Vec::new();
    }
    let ended =
        last.iter().filter(|step| step.status != StepStatus::LeftOut).max_by_key(|step| (step.position, step.look));
    let unchanged = ended.is_some_and(|step| step.commit_id.as_deref() == Some(head));
    let stopped = last.iter().any(|step| step.status == StepStatus::LeftOut)
        || ended.is_some_and(|step| step.status == StepStatus::Failed && step.on_failure == OnFailure::Stop);
    if unchanged && !stopped {
        return Vec::new();
    }
    let passed = |name: &str| {
        let of_it = last.iter().filter(|step| step.name == name).max_by_key(|step| step.look);
        of_it.is_some_and(|step| match step.status {
            StepStatus::Passed => true,
            StepStatus::Failed => step.on_failure == OnFailure::GoOn,
            _ => false,
        })
    };
    let places = pipeline.iter().zip(1..).filter(|(step, _)| step.enabled && !(unchanged && passed(&step.name)));
    places.map(|(step, position)| (position, step)).collect()
}

#[cfg(test)]
mod tests;
