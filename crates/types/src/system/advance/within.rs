//! The steps within a step: branches, several at the same time, rounds.

use serde_json::Value;

use super::walk::{Outcome, Walk};
use crate::system::{FailurePolicy, Step, StepKind};

impl<'a> Walk<'a> {
    /// Goes on with the steps within one.
    pub(super) fn walk_into(&mut self, step: &'a Step, key: &str, place: usize) {
        match step.kind {
            StepKind::Agent | StepKind::Transform => {}
            StepKind::Sequential => {
                let outcome = self.sequence(&step.children, &format!("{key}."));
                self.follow(step, place, outcome, &step.children, &format!("{key}."));
            }
            StepKind::Conditional => {
                let taken = self.state.steps[place].input.as_deref() == Some("true");
                let branch = if taken { &step.true_branch } else { &step.false_branch };
                let outcome = self.sequence(branch, &format!("{key}."));
                self.follow(step, place, outcome, branch, &format!("{key}."));
            }
            StepKind::Parallel => self.side_by_side(step, key, place),
            StepKind::Loop => self.rounds(step, key, place),
            StepKind::HumanReview => {
                let prefix = format!("{key}@{}.", self.state.steps[place].rounds);
                match self.sequence(&step.children, &prefix) {
                    Outcome::Open => {}
                    Outcome::Done => self.ask(step, place),
                    Outcome::Failed => {
                        let why = self.why_in(&step.children, &prefix);
                        self.fail(place, why);
                    }
                }
            }
        }
    }

    fn follow(&mut self, step: &'a Step, place: usize, outcome: Outcome, inner: &'a [Step], prefix: &str) {
        match outcome {
            Outcome::Open => {}
            Outcome::Done => {
                let output = self.output_of(inner, prefix);
                self.complete(step, place, output);
            }
            Outcome::Failed => {
                let why = self.why_in(inner, prefix);
                self.fail(place, why);
            }
        }
    }

    fn side_by_side(&mut self, step: &'a Step, key: &str, place: usize) {
        let policy = step.failure_policy.unwrap_or(FailurePolicy::FailAll);
        let prefix = format!("{key}.");
        let (mut open, mut failed) = (0, 0);
        for child in &step.children {
            let own = format!("{prefix}{}", child.id);
            match self.run(child, &own) {
                Outcome::Open => open += 1,
                Outcome::Done if policy == FailurePolicy::Any && !self.completed(&own) => failed += 1,
                Outcome::Done if policy == FailurePolicy::Any => {
                    let output = self.output_at(&own);
                    self.close(&prefix);
                    return self.complete(step, place, output);
                }
                Outcome::Done => {}
                Outcome::Failed => failed += 1,
            }
            if failed > 0 && policy == FailurePolicy::FailAll {
                break;
            }
        }
        let all_failed = failed == step.children.len() && failed > 0;
        let fails = match policy {
            FailurePolicy::FailAll => failed > 0,
            FailurePolicy::WaitAll => failed > 0 && open == 0,
            FailurePolicy::Any => all_failed,
        };
        if fails {
            let why = self.why_in(&step.children, &prefix);
            self.close(&prefix);
            return self.fail(place, why);
        }
        if open == 0 {
            let each =
                step.children.iter().map(|child| (child.id.clone(), self.output_at(&format!("{prefix}{}", child.id))));
            let output = Value::Object(each.collect());
            self.complete(step, place, output);
        }
    }

    fn rounds(&mut self, step: &'a Step, key: &str, place: usize) {
        loop {
            let round = self.state.steps[place].rounds;
            let prefix = format!("{key}@{round}.");
            match self.sequence(&step.children, &prefix) {
                Outcome::Open => return,
                Outcome::Failed => {
                    let why = self.why_in(&step.children, &prefix);
                    return self.fail(place, why);
                }
                Outcome::Done => {}
            }
            let again = self.holds(step);
            if again && round < step.rounds() {
                self.at(place).rounds = round + 1;
                continue;
            }
            let output = self.output_of(&step.children, &prefix);
            if again && step.condition.is_some() {
                self.at(place).error = Some(format!("It stopped at its cap of {round} rounds."));
            }
            return self.complete(step, place, output);
        }
    }
}
