//! The part of a run before a person has approved its plan.

use guildhall_types::chat::Block;
use guildhall_types::feature::Problem;
use guildhall_types::plan::PlanApproval;
use guildhall_types::run::Turn;

use crate::conversation::{is_from_member, note};
use crate::{problem, tools};

const TOLD: &str = "You ended your work, but a person must approve your plan first, and you have not proposed one. Call \
    `propose_plan` with the whole plan now.";

/// What is owed to the person who is to approve the plan.
#[derive(Debug)]
pub(super) struct Planning {
    approval: PlanApproval,
    /// The agent was told that a plan is owed, and no member has said anything since.
    told: bool,
}

impl Planning {
    pub(super) fn new(approval: PlanApproval) -> Self {
        Self { approval, told: false }
    }

    /// Takes note of what a call said to the model.
    pub(super) fn hear(&mut self, input: &[Block]) {
        self.told = (self.told && !is_from_member(input)) || input.contains(&note(TOLD));
    }

    /// Whether a turn proposed the plan that is awaited.
    pub(super) fn is_proposed_by(&self, turn: &Turn) -> bool {
        self.approval == PlanApproval::Awaited && tools::proposal(turn).is_some()
    }

    /// What follows when the agent finds that it is done: nothing, a word that a plan is owed, or the end of the run.
    pub(super) fn owed(&self) -> Result<Option<Block>, Problem> {
        match (self.approval, self.told) {
            (PlanApproval::NotNeeded | PlanApproval::Given, _) => Ok(None),
            (PlanApproval::Awaited, false) => Ok(Some(note(TOLD))),
            (PlanApproval::Awaited, true) => Err(problem::no_plan()),
        }
    }
}
