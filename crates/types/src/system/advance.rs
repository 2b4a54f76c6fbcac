//! What an execution does next: a pure function of its system, its state, the time and what happened.
//!
//! The state alone says what is under way ([`outstanding`]). So whoever died between writing a state down and doing what it
//! asks for begins again there, and does nothing twice that is known by its place and its try.

mod bounds;
mod walk;
mod within;

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use self::walk::{Outcome, Walk};
use super::execution::{ExecutionState, ExecutionStatus, StepState, SystemStepStatus};
use super::transform::Deed;
use super::{StepKind, SystemDefinition};
use crate::DateTime;
use crate::feature::WorkMode;

/// What happened since the last look.
#[derive(Debug, Clone, PartialEq)]
pub enum Happened {
    /// A try of an agent, or of a deed, came to its end.
    Ended {
        /// The step's place.
        key: String,
        /// The try.
        attempt: i64,
        /// What came of it, or why nothing did.
        result: Result<Value, String>,
    },
    /// An agent of a step began to work, or works no more: the step has another time by which it is ended.
    Due {
        /// The step's place.
        key: String,
        /// The try.
        attempt: i64,
        /// When it is ended if it goes on as it is; nothing while no agent of it works. See [`due`](super::due).
        at: Option<DateTime>,
    },
    /// A person looked.
    Reviewed {
        /// The step's place.
        key: String,
        /// Whether it is good.
        approved: bool,
        /// What they say.
        text: String,
    },
    /// A member ended the execution.
    Cancelled {
        /// Who, or why, in a sentence.
        why: String,
    },
}

/// What is to be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// An agent is to work.
    Start {
        /// The step's place.
        key: String,
        /// The try.
        attempt: i64,
        /// The agent, as the system calls it.
        agent: String,
        /// What it is asked.
        prompt: String,
        /// What it may do with the project.
        mode: WorkMode,
    },
    /// Something is to be done without an agent.
    Do {
        /// The step's place.
        key: String,
        /// The try.
        attempt: i64,
        /// What.
        deed: Deed,
    },
    /// A person is to look.
    Ask {
        /// The step's place.
        key: String,
        /// Counts how often they were asked, from 1.
        time: i64,
    },
    /// What was started is not needed any more.
    Cancel {
        /// The step's place.
        key: String,
        /// The try.
        attempt: i64,
    },
}

impl Action {
    /// The step's place, and which time.
    fn id(&self) -> (&str, i64) {
        match self {
            Self::Start { key, attempt, .. } | Self::Do { key, attempt, .. } | Self::Cancel { key, attempt } => {
                (key, *attempt)
            }
            Self::Ask { key, time } => (key, *time),
        }
    }
}

/// Brings an execution forward as far as it comes. Returns the new state and what is to be done because of it.
pub fn advance(
    system: &SystemDefinition,
    before: &ExecutionState,
    now: DateTime,
    happened: &[Happened],
) -> (ExecutionState, Vec<Action>) {
    if before.status.is_over() {
        return (before.clone(), Vec::new());
    }
    let mut walk = Walk::new(system, before.clone(), now);
    let mut ended = None;
    for what in happened {
        match what {
            Happened::Ended { key, attempt, result } => walk.ended(key, *attempt, result.clone()),
            Happened::Due { key, attempt, at } => walk.due(key, *attempt, *at),
            Happened::Reviewed { key, approved, text } => walk.reviewed(key, *approved, text),
            Happened::Cancelled { why } => ended = Some((ExecutionStatus::Cancelled, why.clone())),
        }
    }
    if ended.is_none() {
        let outcome = walk.sequence(&system.workflow, "");
        ended = match (walk.broken.take(), outcome) {
            (Some(why), _) => Some((ExecutionStatus::Failed, why)),
            (None, Outcome::Failed) => Some((ExecutionStatus::Failed, walk.why_in(&system.workflow, ""))),
            (None, Outcome::Done) => {
                walk.state.output = Some(walk.output_of(&system.workflow, "")).filter(|output| !output.is_null());
                walk.state.status = ExecutionStatus::Completed;
                None
            }
            (None, Outcome::Open) => {
                walk.state.status = walk.standing();
                None
            }
        };
    }
    if let Some((status, why)) = ended {
        walk.close("");
        walk.state.status = status;
        walk.state.error = Some(why);
    }
    let actions = actions(system, before, &walk.state, happened);
    (walk.state, actions)
}

/// What is under way in this state: agents and deeds that were begun and have not ended, and people who were asked.
pub fn outstanding(system: &SystemDefinition, state: &ExecutionState) -> Vec<Action> {
    if state.status.is_over() {
        return Vec::new();
    }
    let action = |step: &StepState| -> Option<Action> {
        let (key, attempt) = (step.key.clone(), step.attempt);
        let of = system.step(&step.step_id)?;
        match (of.kind, step.status) {
            (StepKind::Agent, SystemStepStatus::Running) => Some(Action::Start {
                key,
                attempt,
                agent: of.agent_id.clone()?,
                prompt: step.input.clone().unwrap_or_default(),
                mode: of.mode.unwrap_or(WorkMode::Read),
            }),
            (StepKind::Transform, SystemStepStatus::Running) => {
                let deed = serde_json::from_str(step.input.as_deref()?).ok()?;
                Some(Action::Do { key, attempt, deed })
            }
            (StepKind::HumanReview, SystemStepStatus::Waiting) => Some(Action::Ask { key, time: step.rounds + 1 }),
            _ => None,
        }
    };
    state.steps.iter().filter_map(action).collect()
}

/// When something happens by the clock alone, if anything does.
pub fn wake_at(state: &ExecutionState) -> Option<DateTime> {
    let open = state.steps.iter().filter(|step| step.status.is_open());
    open.flat_map(|step| [step.deadline, step.retry_at.filter(|_| step.status == SystemStepStatus::Retrying)])
        .flatten()
        .min()
        .filter(|_| !state.status.is_over())
}

fn actions(
    system: &SystemDefinition,
    before: &ExecutionState,
    after: &ExecutionState,
    happened: &[Happened],
) -> Vec<Action> {
    let (was, is) = (outstanding(system, before), outstanding(system, after));
    let was_ids: HashSet<(&str, i64)> = was.iter().map(Action::id).collect();
    let is_ids: HashSet<(&str, i64)> = is.iter().map(Action::id).collect();
    let ended = |key: &str, attempt: i64| {
        happened
            .iter()
            .any(|what| matches!(what, Happened::Ended { key: k, attempt: a, .. } if k == key && *a == attempt))
    };
    let gone = was.iter().filter_map(|action| match action {
        Action::Start { key, attempt, .. } | Action::Do { key, attempt, .. }
            if !is_ids.contains(&action.id()) && !ended(key, *attempt) =>
        {
            Some(Action::Cancel { key: key.clone(), attempt: *attempt })
        }
        _ => None,
    });
    let begun = is.iter().filter(|action| !was_ids.contains(&action.id())).cloned();
    gone.chain(begun).collect()
}

impl ExecutionState {
    /// The variables that a system begins with: its own, and above them what it was given.
    pub fn begin(system: &SystemDefinition, input: BTreeMap<String, Value>) -> Self {
        let mut variables = system.variables.clone();
        variables.extend(input);
        Self::new(variables)
    }
}
