//! What auto mode passes over for a while: cards that lack something, and orders of which many do.
//!
//! To find out whether a card could begin is dear, and nobody's cards are to keep another's order from its turn. So each order
//! has few looks at a time, and while it pauses the others have theirs.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use guildhall_types::{FeatureId, MemberId, ProjectId};
use tokio::time::Instant;

/// How long a card that lacks something is passed over without another look.
const CARD: Duration = Duration::from_secs(30);
/// Cards of one order that were found to lack something, after which the order pauses, and for how long.
const OF_ORDER: usize = 10;
const ORDER: Duration = Duration::from_secs(3);
/// How long such cards are passed over: meanwhile all cards of the order that are looked at at all have had their turn.
const OF_MANY: Duration = Duration::from_secs(150);

/// A member's order in a project.
pub(crate) type Whose = (ProjectId, MemberId);

#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// Until when.
    cards: HashMap<FeatureId, Instant>,
    orders: HashMap<Whose, Instant>,
    /// Those of an order since it last paused.
    since: HashMap<Whose, Vec<FeatureId>>,
}

impl Passed {
    /// A card lacks something.
    pub(crate) fn card(&mut self, feature: FeatureId) {
        self.cards.insert(feature, Instant::now() + CARD);
    }

    /// A card of an order does. Returns whether the order pauses now.
    pub(crate) fn card_of(&mut self, whose: Whose, feature: FeatureId) -> bool {
        self.card(feature);
        let since = self.since.entry(whose).or_default();
        since.push(feature);
        if since.len() < OF_ORDER {
            return false;
        }
        let now = Instant::now();
        self.cards.extend(std::mem::take(since).into_iter().map(|feature| (feature, now + OF_MANY)));
        self.orders.insert(whose, now + ORDER);
        true
    }

    /// It may have what it lacked.
    pub(crate) fn forget(&mut self, feature: FeatureId) {
        self.cards.remove(&feature);
    }

    /// Whatever was missing may be there.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The cards and the orders that are still passed over.
    pub(crate) fn still(&mut self) -> (HashSet<FeatureId>, HashSet<Whose>) {
        let now = Instant::now();
        self.cards.retain(|_, until| *until > now);
        self.orders.retain(|_, until| *until > now);
        let cards = &self.cards;
        self.since.retain(|_, since| {
            since.retain(|feature| cards.contains_key(feature));
            !since.is_empty()
        });
        (self.cards(), self.orders.keys().copied().collect())
    }

    /// The cards that were last found to lack something.
    pub(crate) fn cards(&self) -> HashSet<FeatureId> {
        self.cards.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_pauses_after_a_few_cards_and_another_one_does_not() {
        let mut passed = Passed::default();
        let whose = || (ProjectId::new(), MemberId::new());
        let (many, one) = (whose(), whose());
        assert!((1..OF_ORDER).all(|_| !passed.card_of(many, FeatureId::new())));
        assert!(!passed.card_of(one, FeatureId::new()));
        assert!(passed.card_of(many, FeatureId::new()));
        let (cards, orders) = passed.still();
        assert_eq!((cards.len(), orders), (OF_ORDER + 1, HashSet::from([many])));
        passed.clear();
        assert_eq!(passed.still(), (HashSet::new(), HashSet::new()));
    }
}
