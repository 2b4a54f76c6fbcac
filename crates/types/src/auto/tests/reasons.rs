//! When an order pauses, and why nothing starts, in words.

use super::*;
use crate::alert::Strain;
use crate::run::Awaits;
use crate::window::Day;

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
    assert_eq!(AutoOrder { state: OrderState::Off, ..nights.clone() }.rests_until(at), None);
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
