use std::collections::{HashMap, HashSet};

use chrono::Duration;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::feature::FeatureKind;
use crate::limits::Limits;

mod reasons;

const MEMBERS: u8 = 4;
const PROJECTS: u8 = 2;

fn member(n: u8) -> MemberId {
    MemberId(Uuid::from_u128(u128::from(n) + 1))
}

fn project(n: u8) -> ProjectId {
    ProjectId(Uuid::from_u128(u128::from(n) + 101))
}

fn feature(n: usize) -> FeatureId {
    FeatureId(Uuid::from_u128(n as u128 + 1001))
}

fn run(n: usize) -> RunId {
    RunId(Uuid::from_u128(n as u128 + 100_001))
}

#[derive(Debug, Clone)]
struct Hall {
    orders: Vec<Order>,
    cards: Vec<Card>,
    live: Vec<Live>,
    limits: Limits,
}

fn hall() -> impl Strategy<Value = Hall> {
    let order = (1i64..5, prop::bool::weighted(0.8), prop::bool::weighted(0.8));
    let orders = prop::collection::vec(order, usize::from(MEMBERS * PROJECTS));
    let card = (0u8..MEMBERS, 0u8..PROJECTS, 1i64..=3, 0i64..50, prop::collection::vec(0usize..40, 0..3), 0u8..10);
    let cards = prop::collection::vec(card, 0..40);
    let kind = prop_oneof![2 => Just(FeatureKind::Card), 1 => Just(FeatureKind::Chat), 1 => Just(FeatureKind::Task)];
    let live = prop::collection::vec((0u8..MEMBERS, 0u8..PROJECTS, kind, 1i64..=3, 0i64..50), 0..12);
    (orders, cards, live, 1i64..5, 1i64..9, 3i64..20).prop_map(|(orders, cards, live, each, all, worktrees)| {
        let orders = orders.into_iter().enumerate().filter(|(_, (_, _, on))| *on).map(|(n, (max, open, _))| Order {
            project: project(n as u8 / MEMBERS),
            member: member(n as u8 % MEMBERS),
            max_concurrent: max,
            open,
        });
        let cards: Vec<Card> = cards
            .into_iter()
            .enumerate()
            .map(|(n, (who, what, priority, minutes, on, luck))| Card {
                feature: feature(n),
                project: project(what),
                member: member(who),
                priority,
                since: DateTime::UNIX_EPOCH + Duration::minutes(minutes),
                number: n as i64,
                // On earlier cards alone, so that there is no circle.
                open: on
                    .into_iter()
                    .filter(|other| *other < n)
                    .map(feature)
                    .collect::<HashSet<_>>()
                    .into_iter()
                    .collect(),
                run: (luck == 9).then(|| run(5000 + n)),
                hindered: (luck == 0).then(|| "no key".to_owned()),
            })
            .collect();
        let live = live.into_iter().enumerate().map(|(n, (who, what, kind, priority, minutes))| Live {
            run: run(n),
            project: project(what),
            member: member(who),
            kind,
            priority,
            since: DateTime::UNIX_EPOCH + Duration::minutes(minutes),
            working: false,
            put_off: false,
        });
        let limits = Limits {
            max_concurrent_features_per_member: each,
            max_concurrent_features: all,
            max_worktrees_per_member: worktrees,
            ..Limits::default()
        };
        Hall { orders: orders.collect(), cards, live: live.collect(), limits }
    })
}

impl Hall {
    fn held(&self) -> HashMap<MemberId, i64> {
        let mut held = HashMap::new();
        let live = self.live.iter().filter(|live| live.kind == FeatureKind::Card).map(|live| live.member);
        let stopped = self.cards.iter().filter(|card| card.run.is_some()).map(|card| card.member);
        for member in live.chain(stopped) {
            *held.entry(member).or_default() += 1;
        }
        held
    }

    fn next(&self) -> Option<Card> {
        next_start(&self.orders, &self.cards, &self.live, &self.held(), &self.limits).cloned()
    }

    /// Starts what is to start, as the engine does. Returns what was started.
    fn start(&mut self) -> Vec<Card> {
        let mut started = Vec::new();
        while let Some(card) = self.next() {
            self.cards.retain(|other| other.feature != card.feature);
            let since = DateTime::UNIX_EPOCH + Duration::days(1 + self.live.len() as i64);
            let run = run(1000 + usize::try_from(card.number).unwrap());
            let Card { project, member, priority, .. } = card;
            let kind = FeatureKind::Card;
            self.live.push(Live { run, project, member, kind, priority, since, working: false, put_off: false });
            started.push(card);
        }
        started
    }

    /// Gives places to what is queued, as the engine does.
    fn claim(&mut self) {
        loop {
            let waiting: Vec<_> = self
                .live
                .iter()
                .filter(|live| !live.working)
                .map(|live| crate::schedule::Candidate {
                    run: live.run,
                    member: live.member,
                    kind: live.kind,
                    priority: live.priority,
                    since: live.since,
                })
                .collect();
            let mut working = crate::schedule::AtWork::new();
            for live in self.live.iter().filter(|live| live.working) {
                *working.entry((live.member, live.kind)).or_default() += 1;
            }
            let Some(next) = crate::schedule::next(&waiting, &working, &self.limits).map(|next| next.run) else {
                return;
            };
            self.live.iter_mut().filter(|live| live.run == next).for_each(|live| live.working = true);
        }
    }

    fn count(&self, of: impl Fn(&Live) -> bool) -> i64 {
        self.live.iter().filter(|live| of(live)).count() as i64
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn no_limit_is_passed_and_the_queue_is_not_flooded(mut hall in hall()) {
        let queued = hall.live.clone();
        let started = hall.start();
        for order in &hall.orders {
            let own = |card: &&Card| card.project == order.project && card.member == order.member;
            if started.iter().filter(own).count() > 0 {
                prop_assert!(order.open);
                let of_order = |live: &Live| {
                    live.kind == FeatureKind::Card && live.project == order.project && live.member == order.member
                };
                let count = hall.count(of_order);
                prop_assert!(count <= order.max_concurrent);
            }
        }
        for card in &started {
            let owned = hall.orders.iter().any(|order| order.project == card.project && order.member == card.member);
            prop_assert!(owned && card.open.is_empty() && card.hindered.is_none());
            // One that goes on has its worktree already.
            prop_assert!(card.run.is_some() || hall.held()[&card.member] <= hall.limits.max_worktrees_per_member);
        }
        // Whatever an order started has a place at once; what still waits was in the queue before.
        hall.claim();
        prop_assert!(hall.count(|live| live.working) <= hall.limits.max_concurrent_features);
        for who in 0..MEMBERS {
            for kind in FeatureKind::ALL {
                let working = hall.count(|live| live.working && live.member == member(who) && live.kind == *kind);
                prop_assert!(working <= hall.limits.per_member(*kind));
            }
        }
        let known: HashSet<_> = queued.iter().map(|live| live.run).collect();
        prop_assert!(hall.live.iter().all(|live| live.working || known.contains(&live.run)));
    }

    #[test]
    fn priority_then_what_was_begun_then_age_then_number_decide(mut hall in hall()) {
        // Without room for new ones, what goes on passes them.
        hall.limits.max_worktrees_per_member = 1000;
        let started = hall.start();
        for card in &started {
            let others = hall.cards.iter().filter(|other| {
                other.project == card.project && other.member == card.member && other.open.is_empty() && other.hindered.is_none()
            });
            for other in others {
                let of = |card: &Card| (card.priority, card.run.is_none(), card.since, card.number);
                prop_assert!(of(card) < of(other));
            }
        }
    }

    #[test]
    fn the_same_input_in_any_order_gives_the_same_answer(hall in hall(), seed in any::<u64>()) {
        let mut other = hall.clone();
        let mut random = seed | 1;
        let mut below = |n: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize % n.max(1)
        };
        for n in (1..other.cards.len()).rev() { other.cards.swap(n, below(n + 1)); }
        for n in (1..other.live.len()).rev() { other.live.swap(n, below(n + 1)); }
        for n in (1..other.orders.len()).rev() { other.orders.swap(n, below(n + 1)); }
        prop_assert_eq!(hall.next(), other.next());
    }

    /// Everybody's cards get done as places come free, whatever the others have in the queue.
    #[test]
    fn nobody_starves(mut hall in hall()) {
        hall.limits.max_worktrees_per_member = 1000;
        hall.orders.iter_mut().for_each(|order| order.open = true);
        for round in 0.. {
            prop_assert!(round < 200, "{} cards left over", hall.cards.len());
            hall.start();
            hall.claim();
            // The one that works longest ends: its card is done, and others may depend on it.
            let Some(at) = hall.live.iter().position(|live| live.working) else { break };
            let ended = hall.live.remove(at);
            let done = (ended.run.0.as_u128() - 100_001).checked_sub(1000).map(|n| feature(n as usize));
            for card in &mut hall.cards {
                card.open.retain(|open| Some(*open) != done);
            }
        }
        // What is left depends on something that no order builds, or is hindered.
        let left: HashSet<FeatureId> = hall.cards.iter().map(|card| card.feature).collect();
        for card in &hall.cards {
            let ordered = hall.orders.iter().any(|o| o.project == card.project && o.member == card.member);
            prop_assert!(!ordered || card.hindered.is_some() || card.open.iter().any(|open| left.contains(open)));
        }
    }

    /// A member without anything at work gets the next place before any other gets a second one.
    #[test]
    fn places_are_shared(mut hall in hall()) {
        hall.live.clear();
        hall.cards.iter_mut().for_each(|card| card.run = None);
        hall.orders.iter_mut().for_each(|order| order.open = true);
        let started = hall.start();
        let count = |who: MemberId| started.iter().filter(|card| card.member == who).count();
        let most = (0..MEMBERS).map(|who| count(member(who))).max().unwrap_or(0);
        for order in &hall.orders {
            let ready = |card: &Card| {
                card.project == order.project && card.member == order.member && card.open.is_empty() && card.hindered.is_none()
            };
            let taken = hall.count(|live| live.project == order.project && live.member == order.member);
            if hall.cards.iter().any(ready) && taken < order.max_concurrent {
                prop_assert!(count(order.member) + 1 >= most || count(order.member) as i64 >= hall.limits.max_worktrees_per_member);
            }
        }
    }
}
