//! The forecast before a night: what auto mode will probably get done, when, and for how much.
//!
//! Nights are played through with the functions that decide the real one ([`auto::next_start`], [`schedule::next`], the
//! windows, the pause after three failures), and what a card takes is drawn from what past runs took. The same seed gives the
//! same answer.

mod night;
mod random;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auto::{AutoOrder, Card, Live};
use crate::feature::PlanningMode;
use crate::limits::Limits;
use crate::{DateTime, FeatureId, MemberId, ProjectId};

/// Nights that are played through.
pub const NIGHTS: usize = 200;
/// Past runs that are enough to go by; with fewer, those of a wider circle are taken as well.
pub const ENOUGH: usize = 5;

/// What a past run took.
#[derive(Debug, Clone, PartialEq)]
pub struct PastRun {
    /// Its project.
    pub project: ProjectId,
    /// How much of a plan came first.
    pub planning: PlanningMode,
    /// The model.
    pub model: String,
    /// Time at work, in milliseconds; waits for its provider and rest are left out.
    pub worked_ms: i64,
    /// Tokens of all kinds.
    pub tokens: i64,
    /// Cost in micro-dollars.
    pub cost_micros: i64,
    /// Whether it failed.
    pub failed: bool,
}

/// A card as far as the forecast goes by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// Its project.
    pub project: ProjectId,
    /// How much of a plan comes first.
    pub planning: PlanningMode,
    /// The model that it will run with, if that is known.
    pub model: Option<String>,
    /// What comes after the agent's work.
    pub then: Then,
}

/// What comes after the agent's work, without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// A person is to approve the plan before the work.
    Plan,
    /// A person is to look at the work; what depends on it waits.
    Person,
    /// It is verified; what depends on it may begin.
    Verified,
    /// It is merged as well, and its worktree goes.
    Merged,
}

/// A run that there is already.
#[derive(Debug, Clone, PartialEq)]
pub struct Begun {
    /// As the decision sees it.
    pub live: Live,
    /// Its card.
    pub feature: FeatureId,
    /// What kind of card.
    pub kind: Kind,
    /// How long it has worked, in milliseconds.
    pub worked_ms: i64,
    /// Whether auto mode started it.
    pub auto: bool,
    /// It waits for its provider, or rests, until then at least.
    pub wakes: Option<DateTime>,
}

/// All that a forecast goes by.
#[derive(Debug, Clone)]
pub struct Evening {
    /// Now.
    pub at: DateTime,
    /// Whose forecast it is.
    pub member: MemberId,
    /// For which project.
    pub project: ProjectId,
    /// The orders that are on, with the member's own as it would be.
    pub orders: Vec<AutoOrder>,
    /// What they could take.
    pub cards: Vec<(Card, Kind)>,
    /// Runs that take places, wait or rest.
    pub begun: Vec<Begun>,
    /// Worktrees of each member.
    pub held: std::collections::HashMap<MemberId, i64>,
    /// The limits that hold.
    pub limits: Limits,
    /// Past runs of the team, those of the project among them.
    pub past: Vec<PastRun>,
    /// By when cards are counted where the order has no window that closes.
    pub morning: DateTime,
}

/// The middle of what is likely, and the ends of the 80 % around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Range {
    /// A tenth of all nights stay below it.
    pub low: i64,
    /// The half of all nights stay below it.
    pub median: i64,
    /// A tenth of all nights go beyond it.
    pub high: i64,
}

/// The same of moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct When {
    /// A tenth of all nights are done before.
    pub low: DateTime,
    /// The half of all nights are done before.
    pub median: DateTime,
    /// A tenth of all nights are not done by then.
    pub high: DateTime,
}

/// What is likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// Cards that are done by the end.
    pub done: Range,
    /// Cards that fail by then.
    pub failed: Range,
    /// Cost, in micro-dollars.
    pub cost_micros: Range,
    /// Tokens of all kinds.
    pub tokens: Range,
    /// When the last card is done; nothing where that is unlikely to be seen.
    pub last_done: Option<When>,
}

/// How far around the past runs were looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Circle {
    /// They are runs of the project.
    Project,
    /// The project has too few: they are runs of the whole team.
    Team,
}

/// What a night will probably bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// When it was made.
    pub at: DateTime,
    /// By when cards are counted: when the window closes, or in the morning.
    pub by: DateTime,
    /// Cards that the order could take, those that wait for others among them, and those that it has at work.
    pub cards: i64,
    /// Cards of those that lack something, such as a key: they are not begun.
    #[serde(default)]
    #[schema(required = true)]
    pub hindered: i64,
    /// Past runs that it rests on.
    pub runs: i64,
    /// Whose they are.
    pub circle: Circle,
    /// What is likely; nothing while there are no past runs.
    pub estimate: Option<Estimate>,
}

/// What the night after this evening will probably bring.
pub fn forecast(evening: &Evening, seed: u64) -> Forecast {
    let own = evening.past.iter().filter(|run| run.project == evening.project).count();
    let (runs, circle) = match own >= ENOUGH {
        true => (own, Circle::Project),
        false => (evening.past.len(), Circle::Team),
    };
    let (by, stop) = evening.ends();
    let estimate = (!evening.past.is_empty()).then(|| {
        let pools = night::Pools::of(evening);
        let nights: Vec<night::Brought> =
            (0..NIGHTS as u64).map(|n| night::play(evening, &pools, random::mix(seed, n), by, stop)).collect();
        estimate(&nights)
    });
    let (cards, hindered) = (evening.own_cards(), evening.own_hindered());
    Forecast { at: evening.at, by, cards, hindered, runs: runs as i64, circle, estimate }
}

impl Evening {
    fn own_order(&self) -> Option<&AutoOrder> {
        self.orders.iter().find(|order| order.project_id == self.project && order.member_id == self.member)
    }

    fn own(&self) -> impl Iterator<Item = &Card> {
        let own = |card: &&Card| card.project == self.project && card.member == self.member;
        self.cards.iter().map(|(card, _)| card).filter(own)
    }

    fn own_cards(&self) -> i64 {
        let begun = self.begun.iter().filter(|run| self.is_own(run));
        (self.own().count() + begun.count()) as i64
    }

    fn own_hindered(&self) -> i64 {
        self.own().filter(|card| card.hindered.is_some()).count() as i64
    }

    fn is_own(&self, run: &Begun) -> bool {
        run.auto && run.live.project == self.project && run.live.member == self.member
    }

    /// By when cards are counted, and when the night is over.
    fn ends(&self) -> (DateTime, DateTime) {
        let closes = self.own_order().and_then(|order| {
            let standing = order.standing(self.at);
            match standing.open {
                true => standing.changes_at,
                false => order.standing(standing.changes_at?).changes_at,
            }
        });
        match closes {
            Some(closes) => (closes, closes),
            None => (self.morning, self.at + night::LONGEST),
        }
    }
}

fn estimate(nights: &[night::Brought]) -> Estimate {
    let range = |of: &dyn Fn(&night::Brought) -> i64| {
        let mut all: Vec<i64> = nights.iter().map(of).collect();
        all.sort_unstable();
        let [low, median, high] = tenths(&all).unwrap_or_default();
        Range { low, median, high }
    };
    let mut ends: Vec<DateTime> = nights.iter().filter_map(|night| night.all_done).collect();
    ends.sort_unstable();
    // Said only where most nights see it.
    let last_done = tenths(&ends).filter(|_| ends.len() * 2 >= nights.len());
    Estimate {
        done: range(&|night| night.done),
        failed: range(&|night| night.failed),
        cost_micros: range(&|night| night.cost_micros),
        tokens: range(&|night| night.tokens),
        last_done: last_done.map(|[low, median, high]| When { low, median, high }),
    }
}

/// The first tenth, the middle and the last tenth of what is sorted.
fn tenths<T: Copy>(sorted: &[T]) -> Option<[T; 3]> {
    let last = sorted.len().checked_sub(1)?;
    let at = |tenths: usize| sorted.get((last * tenths + 5) / 10).copied();
    Some([at(1)?, at(5)?, at(9)?])
}

#[cfg(test)]
mod tests;
