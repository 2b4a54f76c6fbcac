use std::time::Duration;

use guildhall_types::MemberId;
use guildhall_types::chat::Usage;
use proptest::prelude::*;

use super::*;
use crate::Bucket;

fn member(number: u128) -> MemberId {
    format!("{number:032x}").parse().unwrap()
}

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn ask(who: u128, input: i64) -> Ask {
    Ask { member: member(who), input, max_output: 8_000, again: false }
}

fn limits(requests: i64, input: i64, output: i64) -> RateLimits {
    let bucket = |of: i64, left: i64| Bucket { limit: Some(of), remaining: Some(left), reset: None };
    RateLimits {
        requests: bucket(1_000, requests),
        input_tokens: bucket(60_000, input),
        output_tokens: bucket(60_000, output),
        ..RateLimits::default()
    }
}

fn usage(input: i64, output: i64) -> Usage {
    Usage { input_tokens: input, output_tokens: output, ..Usage::default() }
}

/// A governor that knows its limits, with this much input left.
fn known(input: i64) -> Core {
    let mut core = Core::new(Settings::default(), 1);
    let first = core.ask(Duration::ZERO, ask(1, 10)).unwrap();
    assert_eq!(core.next(Duration::ZERO), Next::Go(first));
    core.hear(Duration::ZERO, first, &limits(999, input, 59_000));
    core.settle(Duration::ZERO, first, &Outcome::Answered(usage(10, 100)));
    core
}

#[test]
fn while_nothing_is_known_a_few_calls_go_and_more_with_each_answer() {
    let mut core = Core::new(Settings { first_concurrency: 4, ..Settings::default() }, 1);
    let tickets: Vec<Ticket> = (0..10).map(|_| core.ask(Duration::ZERO, ask(1, 1_000)).unwrap()).collect();
    for ticket in &tickets[..4] {
        assert_eq!(core.next(Duration::ZERO), Next::Go(*ticket), "first in, first out");
    }
    assert_eq!(core.next(Duration::ZERO), Next::Wait(None));
    let why = core.why(Duration::ZERO, tickets[4]).unwrap();
    assert_eq!(why, Waiting { reason: Reason::Concurrency, until: None });
    for ticket in &tickets[..4] {
        core.settle(secs(1.0), *ticket, &Outcome::Answered(usage(1_000, 10)));
    }
    let mut gone = 0;
    while let Next::Go(_) = core.next(secs(1.0)) {
        gone += 1;
    }
    assert_eq!(gone, 4, "and a fifth only after a whole round");
}

#[test]
fn a_call_waits_until_the_bucket_has_refilled_and_says_until_when() {
    let mut core = known(5_000);
    let ticket = core.ask(Duration::ZERO, ask(1, 10_000)).unwrap();
    // 5,000 tokens and the floor of 1,200 are missing, at 1,000 a second.
    let Next::Wait(Some(until)) = core.next(Duration::ZERO) else { panic!("it went") };
    assert!((until.as_secs_f64() - 6.2).abs() < 0.01, "{until:?}");
    assert_eq!(core.why(Duration::ZERO, ticket), Some(Waiting { reason: Reason::RateLimit, until: Some(until) }));
    assert!(matches!(core.next(until - secs(0.01)), Next::Wait(Some(_))));
    assert_eq!(core.next(until), Next::Go(ticket));
    assert_eq!(core.why(until, ticket), None);
}

#[test]
fn what_calls_under_way_will_put_out_is_reserved() {
    let mut core = known(60_000);
    let bucket = |core: &mut Core| {
        let state = core.snapshot(Duration::ZERO);
        state.buckets.iter().find(|bucket| bucket.name == "outputTokens").unwrap().clone()
    };
    let before = bucket(&mut core);
    let ticket = core.ask(Duration::ZERO, ask(1, 10)).unwrap();
    assert_eq!(core.next(Duration::ZERO), Next::Go(ticket));
    let under_way = bucket(&mut core);
    assert_eq!((before.reserved, under_way.reserved), (0, 955), "the average of 1,000 at first and 100 seen");
    core.settle(Duration::ZERO, ticket, &Outcome::Answered(usage(10, 4_000)));
    let after = bucket(&mut core);
    assert_eq!((after.reserved, after.remaining), (0, 54_900));
}

#[test]
fn a_call_that_no_full_bucket_can_hold_is_refused_also_while_it_waits_and_the_largest_that_fits_goes() {
    let mut core = known(1_000);
    let refused = core.ask(Duration::ZERO, ask(1, 60_001)).unwrap_err();
    assert_eq!(refused, TooLarge { needed: 60_001, limit: 60_000 });
    let whole = core.ask(Duration::ZERO, ask(1, 60_000)).unwrap();
    let small = core.ask(Duration::ZERO, ask(1, 10)).unwrap();
    let why = core.why(Duration::ZERO, whole).unwrap();
    let until = why.until.unwrap();
    assert!(why.reason == Reason::RateLimit && until <= secs(60.0), "{why:?}");
    assert!(matches!(core.next(until - secs(0.1)), Next::Wait(Some(_))), "the small one waits its turn");
    assert_eq!(core.next(until), Next::Go(whole));
    assert!(matches!(core.next(until), Next::Wait(Some(_))));
    // The provider lowers the limit while one waits.
    let mut core = Core::new(Settings { first_concurrency: 1, ..Settings::default() }, 1);
    let first = core.ask(Duration::ZERO, ask(1, 10)).unwrap();
    let large = core.ask(Duration::ZERO, ask(1, 70_000)).unwrap();
    assert_eq!((core.next(Duration::ZERO), core.next(Duration::ZERO)), (Next::Go(first), Next::Wait(None)));
    core.hear(Duration::ZERO, first, &limits(1, 1_000, 1_000));
    let too_large = TooLarge { needed: 70_000, limit: 60_000 };
    assert_eq!(core.next(Duration::ZERO), Next::Refuse(large, too_large));
    assert!(!core.is_waiting(large) && small > whole);
}

#[test]
fn a_refusal_closes_the_gate_for_as_long_as_was_asked_and_raises_the_floor() {
    let mut core = known(60_000);
    for round in 1..=20 {
        let ticket = core.ask(secs(8.0 * f64::from(round)), ask(1, 10)).unwrap();
        // Each round comes long after the last one's gate.
        let begin = secs(8.0 * f64::from(round));
        assert_eq!(core.next(begin), Next::Go(ticket));
        let limited = Outcome::Limited { retry_after: Some(secs(7.0)), limits: limits(900, 50_000, 50_000) };
        core.settle(begin, ticket, &limited);
        let waits = core.ask(begin, ask(1, 10)).unwrap();
        assert_eq!(core.next(begin), Next::Wait(Some(begin + secs(7.0))));
        let why = core.why(begin, waits).unwrap();
        assert_eq!(why, Waiting { reason: Reason::Asked, until: Some(begin + secs(7.0)) });
        core.withdraw(begin, waits);
        let floor = core.snapshot(begin).floor;
        assert!(floor <= 0.1 && (round > 2 || floor > 0.02 + 0.0095 * f64::from(round)), "{floor}");
        assert_eq!(core.snapshot(begin).concurrency, 1_024, "a rate limit halves nothing");
    }
    assert!(core.snapshot(secs(7_200.0)).floor < 0.021, "and it is forgotten");
}

#[test]
fn an_overload_halves_what_is_under_way_once_for_all_calls_of_its_time() {
    let mut core = known(60_000);
    let tickets: Vec<Ticket> = (0..16).map(|_| core.ask(Duration::ZERO, ask(1, 10)).unwrap()).collect();
    tickets.iter().for_each(|ticket| assert_eq!(core.next(Duration::ZERO), Next::Go(*ticket)));
    for ticket in &tickets[..8] {
        core.settle(secs(1.0), *ticket, &Outcome::Overloaded { retry_after: None });
    }
    let state = core.snapshot(secs(1.0));
    assert_eq!((state.concurrency, state.overloaded), (8, 8));
    assert!((0.5..=1.0).contains(&state.gate_seconds), "{}", state.gate_seconds);
    for ticket in &tickets[8..] {
        core.settle(secs(1.5), *ticket, &Outcome::Answered(usage(10, 100)));
    }
    assert_eq!(core.snapshot(secs(1.5)).concurrency, 8, "they went before it was known");
    let next = core.ask(secs(3.0), ask(1, 10)).unwrap();
    assert_eq!(core.next(secs(3.0)), Next::Go(next));
    core.settle(secs(4.0), next, &Outcome::Answered(usage(10, 100)));
    assert_eq!(core.snapshot(secs(4.0)).concurrency, 9);
}

#[test]
fn without_headers_a_limit_is_learned_from_refusals() {
    let mut core = Core::new(Settings::default(), 1);
    let mut now = Duration::ZERO;
    let mut send = |core: &mut Core, outcome: &Outcome| {
        let ticket = core.ask(now, ask(1, 5_000)).unwrap();
        while core.next(now) != Next::Go(ticket) {
            now += secs(0.1);
        }
        now += secs(1.0);
        core.settle(now, ticket, outcome);
        now
    };
    for _ in 0..30 {
        send(&mut core, &Outcome::Answered(usage(5_000, 1_000)));
    }
    assert_eq!(core.snapshot(secs(30.0)).learned_limit, None);
    let refused = send(&mut core, &Outcome::Limited { retry_after: None, limits: RateLimits::default() });
    // 30 calls of some 10,000 weighed tokens in half a minute: a full bucket, and half of it again.
    let learned = core.snapshot(refused).learned_limit.unwrap();
    assert!((180_000..220_000).contains(&learned), "{learned}");
    let before = send(&mut core, &Outcome::Answered(usage(5_000, 1_000)));
    let mut last = before;
    for _ in 0..20 {
        last = send(&mut core, &Outcome::Answered(usage(5_000, 1_000)));
    }
    let pace = (last - before).as_secs_f64() / 20.0;
    assert!((2.0..4.0).contains(&pace), "{pace} s for each call");
}

#[test]
fn a_member_with_one_call_goes_before_the_hundredth_of_another_and_what_it_took_is_paid_later() {
    let mut core = known(0);
    let many: Vec<Ticket> = (0..100).map(|_| core.ask(Duration::ZERO, ask(1, 1_000)).unwrap()).collect();
    let one = core.ask(Duration::ZERO, ask(2, 1_000)).unwrap();
    let mut gone = Vec::new();
    let mut now = Duration::ZERO;
    while gone.len() < 4 {
        match core.next(now) {
            Next::Go(ticket) => gone.push(ticket),
            Next::Wait(Some(until)) => now = until,
            other => panic!("{other:?}"),
        }
    }
    assert!(gone.contains(&one) && gone.contains(&many[0]), "{gone:?}");
}

#[derive(Debug, Clone)]
enum Deed {
    Ask { who: u128, input: i64, again: bool },
    Withdraw(usize),
    Pass(f64),
    Hear { which: usize, input: i64, output: i64 },
    Answer { which: usize, output: i64 },
    Limit { which: usize, wait: Option<u64>, told: bool },
    Overload(usize),
    Fail(usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (0..4_u128, 0..80_000_i64, any::<bool>()).prop_map(|(who, input, again)| Deed::Ask { who, input, again }),
        1 => any::<usize>().prop_map(Deed::Withdraw),
        3 => (0.0..30.0).prop_map(Deed::Pass),
        3 => (any::<usize>(), -1_000..60_000_i64, -1_000..60_000_i64)
            .prop_map(|(which, input, output)| Deed::Hear { which, input, output }),
        3 => (any::<usize>(), 0..8_000_i64).prop_map(|(which, output)| Deed::Answer { which, output }),
        1 => (any::<usize>(), prop::option::of(0..120_u64), any::<bool>())
            .prop_map(|(which, wait, told)| Deed::Limit { which, wait, told }),
        1 => any::<usize>().prop_map(Deed::Overload),
        1 => any::<usize>().prop_map(Deed::Fail),
    ]
}

fn take(flying: &mut Vec<Ticket>, which: usize) -> Option<Ticket> {
    (!flying.is_empty()).then(|| flying.swap_remove(which % flying.len()))
}

/// Takes all that may go or is refused; returns when to look again.
fn pump(core: &mut Core, now: Duration, waiting: &mut Vec<Ticket>, flying: &mut Vec<Ticket>) -> Option<Duration> {
    loop {
        match core.next(now) {
            Next::Go(ticket) => {
                let place = waiting.iter().position(|other| *other == ticket);
                waiting.remove(place.expect("only what waits goes, and once"));
                flying.push(ticket);
            }
            Next::Refuse(ticket, _) => {
                let place = waiting.iter().position(|other| *other == ticket);
                waiting.remove(place.expect("only what waits is refused, and once"));
            }
            Next::Wait(until) => {
                assert!(until.is_none_or(|until| until > now), "no time that has passed");
                return until;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever happens, no permit is lost or given twice, and when calls end, every other one goes within bounds.
    #[test]
    fn it_never_locks_up_and_never_loses_a_permit(deeds in prop::collection::vec(deed(), 1..120), seed in any::<u64>()) {
        let mut core = Core::new(Settings::default(), seed);
        let (mut now, mut waiting, mut flying) = (Duration::ZERO, Vec::new(), Vec::new());
        for deed in deeds {
            match deed {
                Deed::Ask { who, input, again } => {
                    waiting.extend(core.ask(now, Ask { again, ..ask(who, input) }).ok());
                }
                Deed::Withdraw(which) if !waiting.is_empty() => {
                    core.withdraw(now, waiting.swap_remove(which % waiting.len()));
                }
                Deed::Withdraw(_) => {}
                Deed::Pass(seconds) => now += secs(seconds),
                Deed::Hear { which, input, output } if !flying.is_empty() => {
                    core.hear(now, flying[which % flying.len()], &limits(500, input, output));
                }
                Deed::Hear { .. } => {}
                Deed::Answer { which, output } => {
                    if let Some(ticket) = take(&mut flying, which) {
                        core.settle(now, ticket, &Outcome::Answered(usage(1_000, output)));
                        core.settle(now, ticket, &Outcome::Answered(usage(1_000, output)));
                    }
                }
                Deed::Limit { which, wait, told } => {
                    let limits = if told { limits(0, 0, 0) } else { RateLimits::default() };
                    let retry_after = wait.map(Duration::from_secs);
                    take(&mut flying, which).inspect(|t| core.settle(now, *t, &Outcome::Limited { retry_after, limits }));
                }
                Deed::Overload(which) => {
                    take(&mut flying, which).inspect(|t| core.settle(now, *t, &Outcome::Overloaded { retry_after: None }));
                }
                Deed::Fail(which) => {
                    take(&mut flying, which).inspect(|ticket| core.settle(now, *ticket, &Outcome::Failed(None)));
                }
            }
            pump(&mut core, now, &mut waiting, &mut flying);
            let state = core.snapshot(now);
            prop_assert_eq!((state.queued, state.in_flight), (waiting.len(), flying.len()));
            prop_assert!(waiting.iter().all(|ticket| core.is_waiting(*ticket)));
        }
        // From now on every call is answered at once.
        let (mut rounds, mut last) = (0, now);
        loop {
            let until = pump(&mut core, now, &mut waiting, &mut flying);
            if flying.is_empty() && waiting.is_empty() {
                break;
            }
            if flying.is_empty() {
                let until = until.expect("with nothing under way there is a time at which the next goes");
                prop_assert!(until - last <= secs(400.0), "{:?}", until - last);
                now = until;
            } else {
                last = now;
            }
            for ticket in flying.drain(..) {
                core.settle(now, ticket, &Outcome::Answered(usage(1_000, 100)));
            }
            rounds += 1;
            prop_assert!(rounds < 5_000, "it stands still");
        }
        prop_assert!(core.is_idle());
    }
}
