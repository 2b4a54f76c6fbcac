//! What is known at a place of a system: what earlier steps have given, and what of it a person has approved.

use std::collections::BTreeSet;

use crate::system::template::{Piece, parse};
use crate::system::{Step, StepKind, Transform};

/// What earlier steps have given.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) variables: BTreeSet<String>,
    pub(super) steps: BTreeSet<String>,
    /// Whether a person has approved on every way here.
    pub(super) reviewed: bool,
    /// What an agent gave, or something was made of that, on some way here after the last approval: variables, and steps as
    /// `steps.id`.
    pub(super) unseen: BTreeSet<String>,
}

impl Known {
    /// What is known after one of several ways was taken.
    pub(super) fn either(mut self, other: Self) -> Self {
        self.reviewed &= other.reviewed;
        self.variables.extend(other.variables);
        self.steps.extend(other.steps);
        self.unseen.extend(other.unseen);
        self
    }

    /// Whether nobody has seen all of what is at a path.
    pub(super) fn hides(&self, path: &str) -> bool {
        let end = if path.starts_with("steps.") { 2 } else { 1 };
        let root = path.split('.').take(end).collect::<Vec<_>>().join(".");
        self.unseen.contains(&root)
    }
}

pub(super) fn branches(step: &Step) -> [(&'static str, &[Step]); 3] {
    [("children", &step.children), ("trueBranch", &step.true_branch), ("falseBranch", &step.false_branch)]
}

/// Everything that steps, and those within them, give.
pub(super) fn gives(steps: &[Step], known: &mut Known) {
    for step in steps {
        known.steps.insert(step.id.clone());
        known.variables.extend(step.output_variable.clone());
        for (_, inner) in branches(step) {
            gives(inner, known);
        }
    }
}

/// The names under which steps, and those within them, can be read.
pub(super) fn written(steps: &[Step]) -> BTreeSet<String> {
    let mut given = Known::default();
    gives(steps, &mut given);
    given.variables.into_iter().chain(given.steps.iter().map(|id| format!("steps.{id}"))).collect()
}

/// Whether a step gives what nobody has approved, after what is known then.
pub(super) fn gives_unseen(step: &Step, known: &Known) -> bool {
    match step.kind {
        StepKind::Agent => true,
        // A person's words.
        StepKind::HumanReview => false,
        StepKind::Transform => match &step.transform {
            Some(Transform::Template { template }) => {
                let pieces = parse(template).unwrap_or_default();
                pieces.iter().any(|piece| matches!(piece, Piece::Path(path) if known.hides(path)))
            }
            Some(Transform::Diff { .. }) | None => true,
            Some(pure) => pure.paths().into_iter().any(|path| known.hides(path)),
        },
        StepKind::Sequential | StepKind::Parallel | StepKind::Conditional | StepKind::Loop => step
            .inner()
            .any(|inner| written(std::slice::from_ref(inner)).iter().any(|name| known.unseen.contains(name))),
    }
}
