//! Which card auto mode starts next: a pure function of all orders, cards, runs and limits.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::feature::FeatureKind;
use crate::limits::Limits;
use crate::schedule::{self, AtWork};
use crate::{DateTime, FeatureId, MemberId, ProjectId, RunId};

/// A standing order that is switched on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The project.
    pub project: ProjectId,
    /// The member.
    pub member: MemberId,
    /// Runs of this member in this project at once at most.
    pub max_concurrent: i64,
    /// Whether its window is open.
    pub open: bool,
}

/// A card that an order could take: in the backlog, or stopped with the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The card.
    pub feature: FeatureId,
    /// Its project.
    pub project: ProjectId,
    /// Who wrote it.
    pub member: MemberId,
    /// 1 comes first.
    pub priority: i64,
    /// When it was written.
    pub since: DateTime,
    /// Its number within the project.
    pub number: i64,
    /// The cards that it depends on and that are neither verified nor completed, or are gone.
    pub open: Vec<FeatureId>,
    /// Its run, if that was stopped with the order: it goes on with it.
    pub run: Option<RunId>,
    /// What it needs and is not there, such as a key, and what to do; nothing when nothing is known to be missing.
    pub hindered: Option<String>,
}

/// A run that has a place, or waits for one or for its provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// The run.
    pub run: RunId,
    /// Its project.
    pub project: ProjectId,
    /// Who started it.
    pub member: MemberId,
    /// What it works on: orders start cards alone, but all kinds take places.
    pub kind: FeatureKind,
    /// Its card's priority.
    pub priority: i64,
    /// Since when it waits.
    pub since: DateTime,
    /// Whether it works; otherwise it waits for a place.
    pub working: bool,
    /// Whether it waits for its provider: then it takes no place, but is one of its order's runs all the same.
    pub put_off: bool,
}

/// Who would get the next free place: a run in the queue, or a card that an order would take for it.
enum Next<'a> {
    Run(&'a Live),
    Card(&'a Card),
}

impl Next<'_> {
    const fn member(&self) -> MemberId {
        match self {
            Self::Run(run) => run.member,
            Self::Card(card) => card.member,
        }
    }

    const fn kind(&self) -> FeatureKind {
        match self {
            Self::Run(run) => run.kind,
            Self::Card(_) => FeatureKind::Card,
        }
    }

    /// A chat comes first, then priority decides, then what is in the queue already, then age.
    fn before(&self, other: &Self) -> Ordering {
        let of_kinds = schedule::rank(self.kind()).cmp(&schedule::rank(other.kind()));
        of_kinds.then_with(|| match (self, other) {
            (Self::Run(a), Self::Run(b)) => (a.priority, a.since, a.run).cmp(&(b.priority, b.since, b.run)),
            (Self::Card(a), Self::Card(b)) => key(a).cmp(&key(b)),
            (Self::Run(a), Self::Card(b)) => a.priority.cmp(&b.priority).then(Ordering::Less),
            (Self::Card(a), Self::Run(b)) => a.priority.cmp(&b.priority).then(Ordering::Greater),
        })
    }
}

/// Among equals, what was begun is finished first. Were it before what is more urgent, the queue would let that pass it.
fn key(card: &Card) -> (i64, bool, DateTime, i64, FeatureId) {
    (card.priority, card.run.is_none(), card.since, card.number, card.feature)
}

/// The card that is to be started now, or none. `held` counts the worktrees of each member.
///
/// Places are given away in thought, as `schedule::next` gives them: fair between members first, then by priority, then by
/// age. A run that waits already takes its place; the first card that would get one is the answer. So the queue never holds
/// a card of an order that has no place.
pub fn next_start<'a>(
    orders: &[Order],
    cards: &'a [Card],
    live: &'a [Live],
    held: &HashMap<MemberId, i64>,
    limits: &Limits,
) -> Option<&'a Card> {
    let mut working = AtWork::new();
    let mut taken: HashMap<(ProjectId, MemberId), i64> = HashMap::new();
    for run in live {
        *working.entry((run.member, run.kind)).or_default() += i64::from(run.working);
        *taken.entry((run.project, run.member)).or_default() += i64::from(run.kind == FeatureKind::Card);
    }
    let best: Vec<&Card> = orders
        .iter()
        .filter(|order| {
            let taken = taken.get(&(order.project, order.member)).copied().unwrap_or(0);
            order.open && taken < order.max_concurrent
        })
        .filter_map(|order| {
            let held = held.get(&order.member).copied().unwrap_or(0);
            // One that goes on has its worktree.
            let room = |card: &&Card| card.run.is_some() || held < limits.max_worktrees_per_member;
            let own = |card: &&Card| card.project == order.project && card.member == order.member;
            let ready = |card: &&Card| card.open.is_empty() && card.hindered.is_none();
            cards.iter().filter(own).filter(ready).filter(room).min_by_key(|card| key(card))
        })
        .collect();
    let mut waiting: Vec<&Live> = live.iter().filter(|run| !run.working && !run.put_off).collect();
    while working.values().sum::<i64>() < limits.max_concurrent_features {
        let at_work = |next: &Next<'_>| schedule::of(&working, next.member(), next.kind());
        let all = waiting.iter().map(|run| Next::Run(run)).chain(best.iter().map(|card| Next::Card(card)));
        let next = all
            .filter(|next| at_work(next) < limits.per_member(next.kind()))
            .min_by(|a, b| at_work(a).cmp(&at_work(b)).then_with(|| a.before(b)))?;
        match next {
            Next::Card(card) => return Some(card),
            Next::Run(run) => {
                *working.entry((run.member, run.kind)).or_default() += 1;
                let run = run.run;
                waiting.retain(|other| other.run != run);
            }
        }
    }
    None
}
