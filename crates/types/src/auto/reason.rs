//! Why something does not start: the same facts by which it is decided, told.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AutoOrder, Card, Live, Order, OrderState};
use crate::alert::Strain;
use crate::feature::FeatureKind;
use crate::limits::Limits;
use crate::run::Awaits;
use crate::{DateTime, FeatureId, MemberId};

/// Why something does not start now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "code", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Reason {
    /// The order is paused.
    Paused,
    /// The window is closed.
    Window {
        /// When it opens, if ever.
        until: Option<DateTime>,
    },
    /// Its provider lets it wait.
    Provider {
        /// Until when.
        until: DateTime,
        /// Why, in a sentence.
        why: String,
    },
    /// The server has no room on its disk, or no database.
    Trouble {
        /// When it is tried again.
        until: DateTime,
        /// What is wrong, in a sentence.
        why: String,
    },
    /// What it depends on is done, and gives nothing to begin from.
    Footing {
        /// When it is tried again.
        until: DateTime,
        /// Why, and what helps, in a sentence or two.
        why: String,
    },
    /// A person is to look at its plan.
    Plan,
    /// A budget has too little left.
    Budget {
        /// When the next month begins; nothing where somebody has to let it go on.
        until: Option<DateTime>,
        /// Which one, and what helps, in a sentence.
        why: String,
    },
    /// It waits for other cards.
    Dependencies {
        /// Those that are neither verified nor completed.
        features: Vec<FeatureId>,
    },
    /// The order has as many runs as it may.
    OrderLimit {
        /// How many.
        limit: i64,
    },
    /// The member has as many runs as it may.
    MemberLimit {
        /// How many.
        limit: i64,
    },
    /// The team has as many runs as it may.
    TeamLimit {
        /// How many.
        limit: i64,
    },
    /// The member has as many worktrees as it may: finished work waits to be merged or taken back.
    WorktreeLimit {
        /// How many.
        limit: i64,
    },
    /// The server is short of something, and begins no work.
    Server {
        /// Of what.
        strain: Strain,
    },
    /// Others come first.
    Turn,
    /// Something that it needs is not there.
    Hindered {
        /// What, and what to do.
        why: String,
    },
    /// There is no card of this member in the backlog.
    BacklogEmpty,
}

impl Reason {
    /// Whether it stays until somebody does something, or a month turns. The others go by themselves as the work goes on.
    pub const fn stays(&self) -> bool {
        matches!(
            self,
            Self::Paused
                | Self::Budget { .. }
                | Self::Dependencies { .. }
                | Self::Footing { .. }
                | Self::WorktreeLimit { .. }
                | Self::Hindered { .. }
        )
    }
}

/// A reason with its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Told {
    /// The reason.
    #[serde(flatten)]
    pub reason: Reason,
    /// The same in a sentence.
    pub message: String,
}

/// Where places are taken, and how many there are.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    /// Runs that have a place, or wait for one or for their provider.
    pub live: &'a [Live],
    /// Worktrees of each member.
    pub held: &'a HashMap<MemberId, i64>,
    /// The limits that hold.
    pub limits: Limits,
    /// Members whose month's budget is used up: how much it was, in micro-dollars, and when the next month begins.
    pub used_up: &'a HashMap<MemberId, (i64, DateTime)>,
    /// What a server is short of, so that it begins no work. Where there are several, another may have room: this is a reason only
    /// for what nothing else keeps.
    pub strain: Option<Strain>,
}

/// Until when a queued run is put off, and why.
#[derive(Debug, Clone, Copy)]
pub struct PutOff<'a> {
    /// Until when.
    pub until: DateTime,
    /// What it waits for, in a sentence; nothing while it rests until a window opens.
    pub why: Option<&'a str>,
    /// What that is, if it is not its provider.
    pub awaits: Option<Awaits>,
}

impl Place<'_> {
    fn working(&self, of_whom: Option<(MemberId, FeatureKind)>) -> i64 {
        let of = |run: &&Live| run.working && of_whom.is_none_or(|whose| (run.member, run.kind) == whose);
        self.live.iter().filter(of).count() as i64
    }

    /// What keeps this member's runs from a place.
    fn limit(&self, member: MemberId, kind: FeatureKind) -> Option<Reason> {
        let limits = self.limits;
        let limit = limits.per_member(kind);
        if self.working(Some((member, kind))) >= limit {
            return Some(Reason::MemberLimit { limit });
        }
        let full = self.working(None) >= limits.max_concurrent_features;
        if full {
            return Some(Reason::TeamLimit { limit: limits.max_concurrent_features });
        }
        self.strain.map(|strain| Reason::Server { strain })
    }
}

/// Why a queued run does not work yet.
pub fn of_run(run: &Live, open: &[FeatureId], put_off: Option<PutOff<'_>>, place: &Place<'_>) -> Reason {
    if !open.is_empty() {
        return Reason::Dependencies { features: open.to_vec() };
    }
    let Some(PutOff { until, why, awaits }) = put_off else {
        return place.limit(run.member, run.kind).unwrap_or(Reason::Turn);
    };
    let Some(why) = why.map(str::to_owned) else { return Reason::Window { until: Some(until) } };
    match awaits {
        Some(Awaits::RunBudget) => Reason::Budget { until: None, why },
        Some(Awaits::MonthBudget) => Reason::Budget { until: Some(until), why },
        Some(Awaits::Dependencies) => Reason::Footing { until, why },
        Some(Awaits::Server) => Reason::Trouble { until, why },
        None => Reason::Provider { until, why },
    }
}

/// Why an order takes no card at all, or none that goes on and has its worktree; nothing while it only waits for its turn.
fn of_taking(order: &AutoOrder, goes_on: bool, at: DateTime, place: &Place<'_>) -> Option<Reason> {
    match order.state {
        OrderState::Off => return None,
        OrderState::Paused => return Some(Reason::Paused),
        OrderState::On => {}
    }
    let standing = order.standing(at);
    if !standing.open {
        return Some(Reason::Window { until: standing.changes_at });
    }
    if let Some((cap, until)) = place.used_up.get(&order.member_id) {
        let why = format!(
            "The month's budget of ${:.2} is used up. No card is started before it is raised or the next month begins.",
            *cap as f64 / 1e6
        );
        return Some(Reason::Budget { until: Some(*until), why });
    }
    let own =
        |run: &&Live| run.kind == FeatureKind::Card && run.member == order.member_id && run.project == order.project_id;
    if place.live.iter().filter(own).count() as i64 >= order.max_concurrent {
        return Some(Reason::OrderLimit { limit: order.max_concurrent });
    }
    if !goes_on && place.held.get(&order.member_id).copied().unwrap_or(0) >= place.limits.max_worktrees_per_member {
        return Some(Reason::WorktreeLimit { limit: place.limits.max_worktrees_per_member });
    }
    place.limit(order.member_id, FeatureKind::Card)
}

/// Why a card in the backlog is not taken by its member's order; nothing when that is switched off.
pub fn of_card(order: &AutoOrder, card: &Card, at: DateTime, place: &Place<'_>) -> Option<Reason> {
    if order.state == OrderState::Off {
        return None;
    }
    // First what goes by nothing else: whoever reads it in the evening has the time to mend it.
    if let Some(why) = &card.hindered {
        return Some(Reason::Hindered { why: why.clone() });
    }
    if !card.open.is_empty() {
        return Some(Reason::Dependencies { features: card.open.clone() });
    }
    Some(of_taking(order, card.run.is_some(), at, place).unwrap_or(Reason::Turn))
}

/// The cards for which a card waits in the end: those that it depends on, or those that these depend on, which are open but wait
/// for nothing themselves. `open` says of cards that have not begun for what they wait.
pub fn roots(card: FeatureId, open: &HashMap<FeatureId, Vec<FeatureId>>) -> Vec<FeatureId> {
    let (mut roots, mut seen) = (BTreeSet::new(), HashSet::from([card]));
    let mut next = vec![card];
    while let Some(card) = next.pop() {
        match open.get(&card) {
            Some(on) => next.extend(on.iter().filter(|on| seen.insert(**on))),
            None => {
                roots.insert(card);
            }
        }
    }
    roots.into_iter().collect()
}

/// Why a card in the backlog was not begun, looked back upon when a window has closed or in the morning: what stays as long as
/// nobody does anything, as if the window were open; without such a reason, what keeps it now.
pub fn of_past(order: &AutoOrder, card: &Card, at: DateTime, place: &Place<'_>) -> Option<Reason> {
    let open = AutoOrder { window: None, ..order.clone() };
    of_card(&open, card, at, place).filter(Reason::stays).or_else(|| of_card(order, card, at, place))
}

/// Why an order starts nothing at the moment; nothing when it is switched off or about to start something. `hindrance` is
/// what keeps the first card that seems to lack nothing.
pub fn of_order(
    order: &AutoOrder,
    cards: &[Card],
    at: DateTime,
    hindrance: Option<String>,
    place: &Place<'_>,
) -> Option<Reason> {
    if order.state == OrderState::Off {
        return None;
    }
    let own: Vec<&Card> =
        cards.iter().filter(|card| card.member == order.member_id && card.project == order.project_id).collect();
    let closes = |reason: &Reason| matches!(reason, Reason::Paused | Reason::Window { .. } | Reason::Budget { .. });
    let closed = of_taking(order, true, at, place).filter(closes);
    if closed.is_some() {
        return closed;
    }
    if own.is_empty() {
        return Some(Reason::BacklogEmpty);
    }
    let ready = own.iter().filter(|card| card.open.is_empty());
    let place_of =
        |card: &&&Card| (card.hindered.is_some(), card.priority, card.run.is_none(), card.since, card.number);
    let Some(first) = ready.min_by_key(place_of) else {
        let mut features: Vec<FeatureId> = own.iter().flat_map(|card| card.open.iter().copied()).collect();
        features.sort_unstable();
        features.dedup();
        return Some(Reason::Dependencies { features });
    };
    // Cards that lack something are passed over; the reason is theirs when there are no others.
    if let Some(why) = &first.hindered {
        return Some(Reason::Hindered { why: why.clone() });
    }
    of_taking(order, first.run.is_some(), at, place).or_else(|| hindrance.map(|why| Reason::Hindered { why }))
}

impl From<&AutoOrder> for Order {
    /// The order as the decision sees it, its window taken for open.
    fn from(order: &AutoOrder) -> Self {
        Self { project: order.project_id, member: order.member_id, max_concurrent: order.max_concurrent, open: true }
    }
}
