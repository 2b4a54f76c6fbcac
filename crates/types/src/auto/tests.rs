use std::collections::{HashMap, HashSet};

use chrono::Duration;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::alert::Strain;
use crate::feature::FeatureKind;
use crate::limits::Limits;
use crate::run::Awaits;
use crate::window::Day;

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

fn order() -> AutoOrder {
    AutoOrder {
        project_id: project(0),
        member_id: member(0),
        state: OrderState::On,
        max_concurrent: 2,
        window: None,
        at_close: AtClose::FinishTurn,
        failures: Vec::new(),
        pause: None,
        changed_at: DateTime::UNIX_EPOCH,
    }
}

fn failure(code: &str) -> Result<(), OrderFailure> {
    let problem = Problem { code: code.to_owned(), message: format!("It was {code}."), hint: String::new() };
    Err(OrderFailure { feature_id: feature(1), run_id: run(1), at: DateTime::UNIX_EPOCH, problem })
}

#[test]
fn three_failures_in_a_row_pause_and_a_success_begins_anew() {
    let mut order = order();
    order.count(failure("looping"));
    order.count(failure("server"));
    assert!(order.count(Ok(())));
    assert!(!order.count(Ok(())), "nothing changes");
    order.count(failure("looping"));
    assert!(!order.count(failure("rate-limited")), "who waits has not failed");
    order.count(failure("looping"));
    assert_eq!(order.state, OrderState::On);
    order.count(failure("server"));
    assert_eq!(order.state, OrderState::Paused);
    let pause = order.pause.clone().unwrap();
    assert_eq!(pause.message, "Three runs in a row failed. It was looping. It was server.");
    order.count(failure("other"));
    assert_eq!((order.failures.len(), order.pause), (FAILURES, Some(pause)), "the first reason stays");
}

#[test]
fn why_nothing_starts_is_told() {
    let at: DateTime = "2026-01-09T12:00:00Z".parse().unwrap();
    let card = |n: usize, open: &[FeatureId]| Card {
        feature: feature(n),
        project: project(0),
        member: member(0),
        priority: 2,
        since: at,
        number: n as i64,
        open: open.to_vec(),
        run: None,
        hindered: None,
    };
    let live = |n: usize, who: u8, what: u8| Live {
        run: run(n),
        project: project(what),
        member: member(who),
        kind: FeatureKind::Card,
        priority: 2,
        since: at,
        working: true,
        put_off: false,
    };
    let limits = Limits::default();
    let held = HashMap::from([(member(0), 1)]);
    let why = |order: &AutoOrder, cards: &[Card], live: &[Live]| {
        of_order(
            order,
            cards,
            at,
            Some("no key".to_owned()),
            &Place { live, held: &held, limits, used_up: &HashMap::new(), strain: None },
        )
    };
    let ready = [card(1, &[])];
    assert_eq!(why(&order(), &[], &[]), Some(Reason::BacklogEmpty));
    assert_eq!(
        why(&order(), &[card(1, &[feature(9)])], &[]),
        Some(Reason::Dependencies { features: vec![feature(9)] })
    );
    assert_eq!(why(&order(), &ready, &[live(1, 0, 0), live(2, 0, 0)]), Some(Reason::OrderLimit { limit: 2 }));
    let put_off = |n: usize| Live { working: false, put_off: true, ..live(n, 0, 0) };
    assert_eq!(
        why(&order(), &ready, &[put_off(1), put_off(2)]),
        Some(Reason::OrderLimit { limit: 2 }),
        "nor more while they wait"
    );
    let none = HashMap::new();
    let place = Place { live: &[put_off(1)], held: &held, limits, used_up: &none, strain: None };
    let until = at + chrono::Duration::hours(1);
    let waits = |why, awaits| Some(PutOff { until, why, awaits });
    let used_up = waits(Some("The limit is used up."), None);
    let provider = Reason::Provider { until, why: "The limit is used up.".to_owned() };
    assert_eq!(of_run(&put_off(1), &[], used_up, &place), provider);
    assert_eq!(of_run(&put_off(1), &[], waits(None, None), &place), Reason::Window { until: Some(until) });
    let budget = |until| Reason::Budget { until, why: "No more.".to_owned() };
    let of_waiting = |kind| of_run(&put_off(1), &[], waits(Some("No more."), Some(kind)), &place);
    assert_eq!(of_waiting(Awaits::MonthBudget), budget(Some(until)));
    assert_eq!(of_waiting(Awaits::RunBudget), budget(None), "somebody has to let it");
    let no_more = || "No more.".to_owned();
    let footing = of_waiting(Awaits::Dependencies);
    assert_eq!((&footing, footing.stays()), (&Reason::Footing { until, why: no_more() }, true));
    let trouble = of_waiting(Awaits::Server);
    assert_eq!((&trouble, trouble.stays()), (&Reason::Trouble { until, why: no_more() }, false));
    let short = Place { strain: Some(Strain::Disk), live: &[], ..place.clone() };
    let server = Reason::Server { strain: Strain::Disk };
    assert_eq!(of_run(&put_off(1), &[], None, &short), server);
    assert_eq!(of_order(&order(), &ready, at, None, &short), Some(server.clone()));
    assert_eq!(of_card(&order(), &ready[0], at, &short), Some(server));
    let full: Vec<Live> = (0..3).map(|n| live(n, 0, 1)).collect();
    let full = Place { live: &full, ..short };
    assert_eq!(
        of_run(&put_off(1), &[], None, &full),
        Reason::MemberLimit { limit: 3 },
        "what keeps it everywhere comes first"
    );
    let month = HashMap::from([(member(0), (12_500_000, until))]);
    let place = Place { live: &[], held: &held, limits, used_up: &month, strain: None };
    let Some(Reason::Budget { until: Some(_), why: told }) = of_order(&order(), &ready, at, None, &place) else {
        panic!()
    };
    assert!(told.contains("$12.50"), "{told}");
    let full = HashMap::from([(member(0), limits.max_worktrees_per_member)]);
    let place = Place { live: &[], held: &full, limits, used_up: &none, strain: None };
    let goes_on = Card { run: Some(run(7)), ..ready[0].clone() };
    let limit = Reason::WorktreeLimit { limit: limits.max_worktrees_per_member };
    assert_eq!(of_card(&order(), &ready[0], at, &place), Some(limit));
    assert_eq!(of_card(&order(), &goes_on, at, &place), Some(Reason::Turn), "it has its worktree");
    assert_eq!(of_order(&order(), &[ready[0].clone(), goes_on], at, None, &place), None);
    let elsewhere = [live(1, 0, 1), live(2, 0, 1), live(3, 0, 1)];
    assert_eq!(why(&order(), &ready, &elsewhere), Some(Reason::MemberLimit { limit: 3 }));
    let others: Vec<Live> = (0..8).map(|n| live(n, 1, 1)).collect();
    assert_eq!(why(&order(), &ready, &others), Some(Reason::TeamLimit { limit: 8 }));
    assert_eq!(why(&order(), &ready, &[]), Some(Reason::Hindered { why: "no key".to_owned() }));
    let off = AutoOrder { state: OrderState::Off, ..order() };
    assert_eq!(why(&off, &[], &[]), None);
    let paused = AutoOrder { state: OrderState::Paused, ..order() };
    assert_eq!(why(&paused, &[], &[]), Some(Reason::Paused));
    let night = Window {
        days: Day::ALL.to_vec(),
        from: "22:00".to_owned(),
        until: "07:00".to_owned(),
        time_zone: "UTC".to_owned(),
    };
    let nights = AutoOrder { window: Some(night), ..order() };
    let opens = Some("2026-01-09T22:00:00Z".parse().unwrap());
    assert_eq!(why(&nights, &ready, &[]), Some(Reason::Window { until: opens }));
    assert_eq!(nights.rests_until(at), opens);
    assert_eq!(AutoOrder { at_close: AtClose::FinishFeature, ..nights }.rests_until(at), None);
}

#[test]
fn what_a_card_lacks_is_told_before_all_that_goes_by_itself() {
    let at: DateTime = "2026-01-09T12:00:00Z".parse().unwrap();
    let card = |n: usize, open: &[usize], lacks: Option<&str>| Card {
        feature: feature(n),
        project: project(0),
        member: member(0),
        priority: 2,
        since: at,
        number: n as i64,
        open: open.iter().copied().map(feature).collect(),
        run: None,
        hindered: lacks.map(str::to_owned),
    };
    let lacks = |why: &str| Some(Reason::Hindered { why: why.to_owned() });
    let (held, none) = (HashMap::from([(member(0), 10)]), HashMap::new());
    let place = Place { live: &[], held: &held, limits: Limits::default(), used_up: &none, strain: None };
    let night = Window {
        days: Day::ALL.to_vec(),
        from: "22:00".to_owned(),
        until: "07:00".to_owned(),
        time_zone: "UTC".to_owned(),
    };
    let nights = AutoOrder { window: Some(night), ..order() };
    assert_eq!(
        of_card(&nights, &card(1, &[], Some("no key")), at, &place),
        lacks("no key"),
        "there is time to mend it"
    );
    assert_eq!(of_card(&order(), &card(1, &[2], Some("no key")), at, &place), lacks("no key"));
    assert_eq!(of_card(&order(), &card(1, &[], None), at, &place), Some(Reason::WorktreeLimit { limit: 10 }));
    let off = AutoOrder { state: OrderState::Off, ..order() };
    assert_eq!(of_card(&off, &card(1, &[], Some("no key")), at, &place), None);

    // An order passes over what lacks something; only where nothing else is left, that is what it waits for.
    let room = HashMap::new();
    let place = Place { held: &room, ..place };
    let all = [card(1, &[], Some("no key")), card(2, &[], None)];
    assert_eq!(of_order(&order(), &all, at, None, &place), None, "it starts the second");
    assert_eq!(of_order(&order(), &all[..1], at, None, &place), lacks("no key"));
    let waits = [card(3, &[9], None), card(2, &[], Some("gone")), card(1, &[], Some("no key"))];
    assert_eq!(of_order(&order(), &waits, at, None, &place), lacks("no key"), "that of the first");

    // Looked back upon, what stays counts, and not that the window has closed since.
    let opens = Some("2026-01-09T22:00:00Z".parse().unwrap());
    let full = Place { held: &held, ..place.clone() };
    assert_eq!(of_past(&nights, &card(1, &[], None), at, &full), Some(Reason::WorktreeLimit { limit: 10 }));
    assert_eq!(of_past(&nights, &card(1, &[], None), at, &place), Some(Reason::Window { until: opens }));
    assert_eq!(of_past(&order(), &card(1, &[], None), at, &place), Some(Reason::Turn));
    let of = Some(Reason::Dependencies { features: vec![feature(2)] });
    assert_eq!(of_past(&nights, &card(1, &[2], None), at, &full), of);
}

#[test]
fn a_chain_waits_for_what_keeps_all_of_it() {
    let open = |pairs: &[(usize, &[usize])]| -> HashMap<FeatureId, Vec<FeatureId>> {
        pairs.iter().map(|(n, on)| (feature(*n), on.iter().copied().map(feature).collect())).collect()
    };
    // 2 waits for somebody; 3 waits for it, 4 for 3, and 5 for 4 and for 1.
    let open = open(&[(3, &[2]), (4, &[3]), (5, &[4, 1]), (6, &[7]), (7, &[6])]);
    assert_eq!(roots(feature(3), &open), [feature(2)]);
    assert_eq!(roots(feature(4), &open), [feature(2)]);
    assert_eq!(roots(feature(5), &open), [feature(1), feature(2)]);
    assert_eq!(roots(feature(6), &open), [], "a circle ends, though none can be made");
}

#[test]
fn a_reason_is_read_back_as_it_was_written() {
    let reasons = [
        Reason::Turn,
        Reason::Hindered { why: "there is no key".to_owned() },
        Reason::Window { until: Some(DateTime::UNIX_EPOCH) },
        Reason::Dependencies { features: vec![feature(1)] },
        Reason::OrderLimit { limit: 2 },
    ];
    for reason in reasons {
        let told = Told { reason, message: "In words.".to_owned() };
        let json = serde_json::to_string(&told).unwrap();
        assert_eq!(json.matches("\"message\"").count(), 1, "{json}");
        assert_eq!(serde_json::from_str::<Told>(&json).unwrap(), told, "{json}");
    }
}
