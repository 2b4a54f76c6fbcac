//! Auto mode: a member's standing order to work through a project's backlog, and the decision which card it starts next.

mod decide;
mod reason;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use decide::{Card, Live, Order, next_start};
pub use reason::{Place, PutOff, Reason, Told, of_card, of_order, of_past, of_run, roots};

use crate::feature::Problem;
use crate::window::{Standing, Window};
use crate::{DateTime, FeatureId, MemberId, ProjectId, RunId, text_enum::text_enum};

/// Failures in a row after which an order pauses.
pub const FAILURES: usize = 3;

text_enum! {
    /// Whether an order takes cards.
    pub enum OrderState {
        /// It does, whenever there is one and a place for it.
        On = "on",
        /// A member switched it off.
        Off = "off",
        /// It failed too often, or an admin stopped every agent; it waits for its member.
        Paused = "paused",
    }
}

text_enum! {
    /// What becomes of work that is not done when the window closes.
    pub enum AtClose {
        /// The turn is finished and saved; the work goes on by itself when the window opens next.
        FinishTurn = "finishTurn",
        /// What was begun is finished.
        FinishFeature = "finishFeature",
    }
}

/// A run of an order that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderFailure {
    /// The card.
    pub feature_id: FeatureId,
    /// Its run.
    pub run_id: RunId,
    /// When it ended.
    pub at: DateTime,
    /// Why.
    pub problem: Problem,
}

/// A member's standing order in a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct AutoOrder {
    /// The project.
    pub project_id: ProjectId,
    /// Whose order it is; it takes the cards that this member wrote.
    pub member_id: MemberId,
    /// Whether it takes cards.
    pub state: OrderState,
    /// Runs of this member in this project at once at most; the team's limits hold as well.
    pub max_concurrent: i64,
    /// When it works; always, without one.
    #[cfg_attr(feature = "sqlx", sqlx(json(nullable)))]
    pub window: Option<Window>,
    /// What becomes of work that is not done when the window closes.
    pub at_close: AtClose,
    /// Its failures since something last went well, the latest last.
    #[cfg_attr(feature = "sqlx", sqlx(json))]
    pub failures: Vec<OrderFailure>,
    /// Why it is paused.
    #[cfg_attr(feature = "sqlx", sqlx(json(nullable)))]
    pub pause: Option<Problem>,
    /// When it last changed.
    pub changed_at: DateTime,
}

impl AutoOrder {
    /// Whether its window is open, and when that changes. One that cannot be understood any more never opens.
    pub fn standing(&self, at: DateTime) -> Standing {
        let always = Standing { open: true, changes_at: None };
        let never = Standing { open: false, changes_at: None };
        self.window.as_ref().map_or(always, |window| window.standing(at).unwrap_or(never))
    }

    /// Until when its runs rest now, if they do. Once it is switched off, what is at work is finished: no window opens for it.
    pub fn rests_until(&self, at: DateTime) -> Option<DateTime> {
        if self.state == OrderState::Off {
            return None;
        }
        let standing = self.standing(at);
        (!standing.open && self.at_close == AtClose::FinishTurn).then_some(standing.changes_at).flatten()
    }

    /// Counts the end of one of its runs. Returns whether that changed it.
    pub fn count(&mut self, ended: Result<(), OrderFailure>) -> bool {
        match ended {
            Ok(()) if self.failures.is_empty() => false,
            Ok(()) => {
                self.failures.clear();
                true
            }
            Err(failure) if !is_failure(&failure.problem) => false,
            Err(failure) => {
                self.failures.push(failure);
                let excess = self.failures.len().saturating_sub(FAILURES);
                self.failures.drain(..excess);
                if self.failures.len() == FAILURES && self.state == OrderState::On {
                    self.state = OrderState::Paused;
                    self.pause = Some(three_failures(&self.failures));
                }
                true
            }
        }
    }
}

/// Whether a run that ended so counts against its order. Who is asked to wait has not failed.
pub fn is_failure(problem: &Problem) -> bool {
    !matches!(problem.code.as_str(), "rate-limited" | "provider-overloaded")
}

fn three_failures(failures: &[OrderFailure]) -> Problem {
    let mut reasons: Vec<&str> = Vec::new();
    for failure in failures {
        if !reasons.contains(&failure.problem.message.as_str()) {
            reasons.push(&failure.problem.message);
        }
    }
    Problem {
        code: "three-failures".to_owned(),
        message: format!("Three runs in a row failed. {}", reasons.join(" ")),
        hint: "Mend what they say, then start auto mode again.".to_owned(),
    }
}

#[cfg(test)]
mod tests;
