//! Whose work a step of an execution builds on.

use super::execution::{ExecutionState, StepState, SystemStepStatus};
use super::{StepKind, SystemDefinition};
use crate::feature::WorkMode;

/// The steps before this one whose agents changed files, but for those that another of them builds on already. More than one where
/// several worked at the same time.
pub fn builds_on<'a>(system: &SystemDefinition, state: &'a ExecutionState, key: &str) -> Vec<&'a StepState> {
    let works = |step: &&StepState| {
        let of = system.step(&step.step_id);
        let changes = of.is_some_and(|of| of.kind == StepKind::Agent && of.mode == Some(WorkMode::Work));
        changes && step.status == SystemStepStatus::Completed && in_turn(system, &step.key, key)
    };
    // Steps stand in the order in which they began.
    let earlier: Vec<&StepState> = state.steps.iter().take_while(|step| step.key != key).filter(works).collect();
    let built_on = |at: usize| earlier.iter().skip(at + 1).any(|later| in_turn(system, &earlier[at].key, &later.key));
    (0..earlier.len()).filter(|at| !built_on(*at)).map(|at| earlier[at]).collect()
}

/// Whether two places are taken one after the other, rather than at the same time.
fn in_turn(system: &SystemDefinition, one: &str, other: &str) -> bool {
    let (ones, others): (Vec<&str>, Vec<&str>) = (one.split('.').collect(), other.split('.').collect());
    let Some(at) = ones.iter().zip(&others).position(|(one, other)| one != other) else { return false };
    // Rounds of one step follow one another.
    let rounds = id_of(ones[at]) == id_of(others[at]);
    let within = at.checked_sub(1).and_then(|above| system.step(id_of(ones[above])));
    rounds || within.is_none_or(|step| step.kind != StepKind::Parallel)
}

/// The step's id of a part of a place, which may name a round.
fn id_of(part: &str) -> &str {
    part.split_once('@').map_or(part, |(id, _)| id)
}
