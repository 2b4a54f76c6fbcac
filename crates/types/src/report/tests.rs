use std::collections::HashMap;
use std::str::FromStr;

use chrono::{Duration, NaiveDate, NaiveTime};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;
use crate::MemberId;
use crate::auto::{AtClose, AutoOrder, OrderState, Reason};
use crate::window::{Day, Window, last_time_of_day};

fn at(text: &str) -> DateTime {
    text.parse().unwrap()
}

fn order(state: OrderState, window: Option<(&str, &str, &str)>) -> AutoOrder {
    AutoOrder {
        project_id: ProjectId::new(),
        member_id: MemberId::new(),
        state,
        max_concurrent: 1,
        window: window.map(|(from, until, zone)| Window {
            days: Day::ALL.to_vec(),
            from: from.to_owned(),
            until: until.to_owned(),
            time_zone: zone.to_owned(),
        }),
        at_close: AtClose::FinishTurn,
        failures: Vec::new(),
        pause: None,
        changed_at: DateTime::UNIX_EPOCH,
    }
}

/// A member in Berlin whose first card was started on a winter's evening at 22:05.
fn shift(orders: Vec<AutoOrder>) -> Shift {
    Shift {
        told_until: None,
        since: Some(at("2026-01-09T21:05:00Z")),
        ended: None,
        at_work: true,
        may_start: true,
        orders,
        zone: Some("Europe/Berlin".to_owned()),
        morning: "07:30".to_owned(),
    }
}

fn cause(shift: &Shift, now: &str) -> Option<ReportCause> {
    shift.due(at(now)).map(|due| due.cause)
}

#[test]
fn a_report_is_due_when_the_window_closes_and_what_is_being_finished_is_waited_for() {
    let mut night = shift(vec![order(OrderState::On, Some(("22:00", "07:00", "Europe/Berlin")))]);
    assert_eq!(cause(&night, "2026-01-10T05:59:59Z"), None);
    assert_eq!(cause(&night, "2026-01-10T06:10:00Z"), None, "something is being finished");
    assert_eq!(cause(&night, "2026-01-10T06:30:00Z"), Some(ReportCause::WindowClosed), "but not for ever");
    night.morning = "07:05".to_owned();
    assert_eq!(cause(&night, "2026-01-10T06:10:00Z"), None, "nor does the morning make a report of its own");
    night.morning = "07:30".to_owned();
    night.at_work = false;
    let due = night.due(at("2026-01-10T06:00:00Z")).unwrap();
    assert_eq!((due.cause, Some(due.from)), (ReportCause::WindowClosed, night.since));
    night.told_until = Some(at("2026-01-10T06:00:01Z"));
    assert_eq!(cause(&night, "2026-01-10T06:45:00Z"), None, "the morning has nothing new: what is left rests");
    night.ended = Some(at("2026-01-10T06:20:00Z"));
    assert_eq!(cause(&night, "2026-01-10T06:31:00Z"), Some(ReportCause::Morning), "something ended since");
    // A server that was away for days makes one report of the latest closing.
    night = shift(night.orders);
    night.at_work = false;
    assert_eq!(cause(&night, "2026-01-14T12:00:00Z"), Some(ReportCause::WindowClosed));
    night.told_until = Some(at("2026-01-14T12:00:00Z"));
    assert_eq!(cause(&night, "2026-01-14T12:00:10Z"), None);
}

#[test]
fn a_report_is_due_when_auto_mode_comes_to_rest_after_it_has_worked() {
    let mut night = shift(vec![order(OrderState::On, None)]);
    night.at_work = false;
    night.may_start = false;
    assert_eq!(cause(&night, "2026-01-09T23:00:00Z"), None, "nothing ended");
    night.ended = Some(at("2026-01-09T22:50:00Z"));
    assert_eq!(cause(&night, "2026-01-09T23:00:00Z"), None, "perhaps more comes");
    assert_eq!(cause(&night, "2026-01-09T23:05:00Z"), Some(ReportCause::Rest));
    night.may_start = true;
    assert_eq!(cause(&night, "2026-01-09T23:05:00Z"), None, "it waits for a place");
    night.may_start = false;
    night.orders[0].state = OrderState::Paused;
    assert_eq!(cause(&night, "2026-01-09T22:50:01Z"), Some(ReportCause::Paused));
    night.orders[0].state = OrderState::Off;
    assert_eq!(cause(&night, "2026-01-09T22:50:01Z"), Some(ReportCause::Stopped));
    night.at_work = true;
    assert_eq!(cause(&night, "2026-01-09T22:50:01Z"), None, "what is at work is finished first");
    assert_eq!(cause(&night, "2026-01-10T06:29:59Z"), None);
    assert_eq!(cause(&night, "2026-01-10T06:30:00Z"), Some(ReportCause::Morning));
}

/// A member in Berlin whose auto mode has begun nothing.
fn idle(mut orders: Vec<AutoOrder>) -> Shift {
    orders.iter_mut().for_each(|order| order.changed_at = at("2026-01-09T20:00:00Z"));
    Shift { since: None, at_work: false, may_start: false, ..shift(orders) }
}

#[test]
fn a_night_in_which_nothing_could_begin_is_told_once() {
    let mut night = idle(vec![order(OrderState::On, Some(("22:00", "07:00", "Europe/Berlin")))]);
    assert_eq!(cause(&night, "2026-01-10T05:59:59Z"), None, "the night goes on");
    let due = night.due(at("2026-01-10T06:00:00Z")).unwrap();
    assert_eq!((due.cause, due.from), (ReportCause::WindowClosed, at("2026-01-09T21:00:00Z")));
    // Told, and neither in the next minute nor in the morning once more.
    night.told_until = Some(at("2026-01-10T06:00:05Z"));
    for now in ["2026-01-10T06:00:10Z", "2026-01-10T06:31:00Z", "2026-01-11T05:59:00Z"] {
        assert_eq!(cause(&night, now), None, "{now}");
    }
    assert_eq!(cause(&night, "2026-01-11T06:00:00Z"), Some(ReportCause::WindowClosed), "the next night is another");
    // What came to rest in the night was told with all that did not begin.
    night.told_until = Some(at("2026-01-11T02:00:00Z"));
    assert_eq!(cause(&night, "2026-01-11T06:00:00Z"), None);
    // An order that was switched on after the night has no part in it, and one that is paused says so elsewhere.
    night.told_until = None;
    night.orders[0].changed_at = at("2026-01-11T06:00:01Z");
    assert_eq!(cause(&night, "2026-01-11T06:00:05Z"), None);
    night.orders[0].changed_at = at("2026-01-09T20:00:00Z");
    night.orders[0].state = OrderState::Paused;
    assert_eq!(cause(&night, "2026-01-11T06:00:05Z"), None);
}

#[test]
fn what_always_works_and_begins_nothing_is_told_in_the_morning() {
    let mut night = idle(vec![order(OrderState::On, None)]);
    assert_eq!(cause(&night, "2026-01-10T06:29:59Z"), None);
    assert_eq!(cause(&night, "2026-01-10T06:30:00Z"), Some(ReportCause::Morning));
    night.told_until = Some(at("2026-01-10T06:30:05Z"));
    assert_eq!(cause(&night, "2026-01-10T20:00:00Z"), None);
    assert_eq!(cause(&night, "2026-01-11T06:30:00Z"), Some(ReportCause::Morning));
    // A run that rests for want of money changes nothing in that; one at work is told by itself.
    night.since = Some(at("2026-01-09T21:00:00Z"));
    assert_eq!(cause(&night, "2026-01-11T06:30:00Z"), Some(ReportCause::Morning));
    night.told_until = Some(at("2026-01-10T23:00:00Z"));
    assert_eq!(cause(&night, "2026-01-11T06:30:00Z"), None, "that was in the night");
    // By day, with hours of the night, nothing is over.
    let by_night = idle(vec![order(OrderState::On, Some(("22:00", "06:00", "Europe/Berlin")))]);
    let told = Shift { told_until: Some(at("2026-01-10T05:00:02Z")), ..by_night };
    assert_eq!(cause(&told, "2026-01-10T06:30:00Z"), None);
}

/// Looks at a member whose auto mode never rests, at these moments, and writes each report down. Returns when and why.
fn watch(mut shift: Shift, moments: impl Iterator<Item = DateTime>) -> Vec<(DateTime, ReportCause)> {
    let mut reports = Vec::new();
    for now in moments {
        if let Some(due) = shift.due(now) {
            assert!(due.from <= now);
            // As the store keeps it: never earlier than before.
            shift.told_until = shift.told_until.max(Some(now));
            reports.push((now, due.cause));
        }
    }
    reports
}

const ZONES: &[&str] = &[
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "Asia/Beirut",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Whatever the clocks of the zone do, each date has one morning and each closing one report.
    #[test]
    fn each_morning_and_each_closing_is_told_once_over_daylight_saving(
        zone in prop::sample::select(ZONES.to_vec()),
        day in 0i64..700,
        minutes in (0i64..24 * 60, 0i64..24 * 60, 0i64..24 * 60),
        with_window in any::<bool>(),
    ) {
        let clock = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
        let begin = at("2025-01-01T12:00:00Z") + Duration::days(day);
        let (from, until) = (clock(minutes.0), clock(minutes.1));
        let window = with_window.then_some((from.as_str(), until.as_str(), zone));
        let mut one = shift(vec![order(OrderState::On, window)]);
        one.since = Some(begin);
        one.zone = Some(zone.to_owned());
        one.morning = clock(minutes.2);
        let days = 10;
        let reports = watch(one.clone(), (0..days * 24 * 12).map(|n| begin + Duration::minutes(5 * n)));
        let local = Tz::from_str(zone).unwrap();
        let mut mornings: HashMap<NaiveDate, usize> = HashMap::new();
        for (now, _) in reports.iter().filter(|(_, cause)| *cause == ReportCause::Morning) {
            // Named by the morning, not by the moment at which it is noticed.
            let morning = last_time_of_day(Some(zone), morning_of(&one.morning), *now);
            *mornings.entry(morning.with_timezone(&local).date_naive()).or_default() += 1;
        }
        prop_assert!(mornings.values().all(|count| *count == 1), "{mornings:?}");
        if !with_window {
            prop_assert!((days as usize - 1..=days as usize + 1).contains(&mornings.len()), "{}", mornings.len());
        }
        let mut closings = HashMap::new();
        for (now, _) in reports.iter().filter(|(_, cause)| *cause == ReportCause::WindowClosed) {
            let closed = one.orders[0].window.as_ref().unwrap().last_closed(*now).unwrap();
            *closings.entry(closed).or_insert(0) += 1;
        }
        prop_assert!(closings.values().all(|count| *count == 1), "{closings:?}");
    }

    /// The same where nothing begins at all: each night is told once, also of a server that is away for a while.
    #[test]
    fn each_idle_night_is_told_once_over_daylight_saving(
        zone in prop::sample::select(ZONES.to_vec()),
        day in 0i64..700,
        minutes in (0i64..24 * 60, 0i64..24 * 60, 0i64..24 * 60),
        with_window in any::<bool>(),
        steps in prop::collection::vec(1i64..90, 200..400),
    ) {
        let clock = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
        let begin = at("2025-01-01T12:00:00Z") + Duration::days(day);
        let (from, until) = (clock(minutes.0), clock(minutes.1));
        let mut one = idle(vec![order(OrderState::On, with_window.then_some((from.as_str(), until.as_str(), zone)))]);
        one.zone = Some(zone.to_owned());
        one.morning = clock(minutes.2);
        one.orders[0].changed_at = begin;
        let mut now = begin;
        let moments: Vec<DateTime> = steps.into_iter().map(|minutes| {
            now += Duration::minutes(minutes);
            now
        }).collect();
        let reports = watch(one.clone(), moments.into_iter());
        let mut told = HashMap::new();
        for (now, cause) in reports {
            let occasion = match cause {
                ReportCause::Morning => last_time_of_day(Some(zone), morning_of(&one.morning), now),
                _ => one.orders[0].window.as_ref().unwrap().last_closed(now).unwrap().unwrap(),
            };
            prop_assert!(told.insert((cause, occasion), now).is_none(), "{cause} {occasion} twice");
        }
        let days = (now - begin).num_days() as usize;
        if !with_window {
            prop_assert!((days.saturating_sub(1)..=days + 1).contains(&told.len()), "{} in {days}", told.len());
        }
    }

    /// A clock that is put an hour off and back, and a server that is away, make no second report of a morning.
    #[test]
    fn a_clock_that_is_off_makes_no_second_report(
        zone in prop::sample::select(ZONES.to_vec()),
        day in 0i64..700,
        steps in prop::collection::vec((1i64..400, -60i64..=60), 30..200),
    ) {
        let begin = at("2025-01-01T12:00:00Z") + Duration::days(day);
        let mut one = shift(vec![order(OrderState::On, Some(("22:00", "06:00", zone)))]);
        one.since = Some(begin);
        one.zone = Some(zone.to_owned());
        let mut right = begin;
        let moments: Vec<DateTime> = steps.into_iter().map(|(minutes, off)| {
            right += Duration::minutes(minutes);
            right + Duration::minutes(off)
        }).collect();
        let reports = watch(one.clone(), moments.into_iter());
        let mut told = HashMap::new();
        for (now, cause) in reports {
            let occasion = match cause {
                ReportCause::Morning => last_time_of_day(Some(zone), morning_of(&one.morning), now),
                _ => one.orders[0].window.as_ref().unwrap().last_closed(now).unwrap().unwrap(),
            };
            prop_assert!(told.insert((cause, occasion), now).is_none(), "{cause} {occasion} twice");
        }
    }
}

#[test]
fn a_morning_that_the_clock_leaves_out_or_shows_twice_is_one_moment() {
    let half_past_two = NaiveTime::from_hms_opt(2, 30, 0).unwrap();
    let last = |now| last_time_of_day(Some("Europe/Berlin"), half_past_two, at(now));
    assert_eq!(last("2026-03-29T00:59:59Z"), at("2026-03-28T01:30:00Z"));
    assert_eq!(last("2026-03-29T01:00:00Z"), at("2026-03-29T01:00:00Z"), "02:30 is left out, 03:00 comes after it");
    assert_eq!(last("2026-10-25T00:30:00Z"), at("2026-10-25T00:30:00Z"));
    assert_eq!(last("2026-10-25T01:30:00Z"), at("2026-10-25T00:30:00Z"), "not once more");
    assert_eq!(
        last_time_of_day(Some("Nowhere"), half_past_two, at("2026-01-01T03:00:00Z")),
        at("2026-01-01T02:30:00Z")
    );
}

fn card(project: ProjectId, number: i64, outcome: Outcome, cost_micros: i64) -> ReportCard {
    let took = Took { worked_ms: 60_000, tokens: 10, cost_micros, ..Took::default() };
    ReportCard {
        feature_id: FeatureId::new(),
        run_id: RunId::new(),
        project_id: project,
        number,
        title: String::new(),
        outcome,
        changed_nothing: false,
        problem: None,
        reason: None,
        until: None,
        next: None,
        took,
    }
}

#[test]
fn a_report_counts_and_puts_first_what_needs_somebody() {
    let project = ProjectId::new();
    let cards = vec![
        card(project, 1, Outcome::Merged, 5),
        card(project, 2, Outcome::WaitsForProvider, 7),
        card(project, 3, Outcome::WaitsForApproval, 11),
        card(project, 4, Outcome::Failed, 13),
        card(ProjectId::new(), 1, Outcome::Merged, 100),
    ];
    let forecast = Forecast {
        at: DateTime::UNIX_EPOCH,
        by: DateTime::UNIX_EPOCH,
        cards: 4,
        hindered: 0,
        runs: 0,
        circle: crate::forecast::Circle::Team,
        estimate: None,
    };
    let others = Took { cost_micros: 1000, ..Took::default() };
    let body = ReportBody::of(cards, others, vec![(project, forecast)], Vec::new(), Vec::new());
    assert_eq!(body.cards.iter().map(|card| card.number).collect::<Vec<_>>()[..2], [4, 3]);
    assert_eq!((body.built, body.merged, body.waiting, body.failed, body.under_way), (3, 2, 2, 1, 1));
    assert_eq!((body.total.cost_micros, body.total.worked_ms), (1136, 300_000));
    assert_eq!((body.forecasts[0].done, body.forecasts[0].cost_micros), (2, 36));
    assert_eq!(body.headline(), "3 cards were built, 2 of them are merged, 1 waits for you, 1 failed, 1 is under way.");
    assert_eq!(ReportBody::default().headline(), "Nothing was built.");
    let waiting = Told { reason: Reason::Turn, message: "Waits for its turn.".to_owned() };
    let group = |count| NotBegun { project_id: project, waiting: waiting.clone(), count, cards: Vec::new() };
    let body = ReportBody { not_begun: vec![group(6), group(1)], ..ReportBody::default() };
    assert_eq!(body.headline(), "Nothing was built, 7 did not begin.");
    // One of an earlier version is read as well.
    let mut old = serde_json::to_value(ReportBody::default()).unwrap();
    old.as_object_mut().unwrap().remove("notBegun").unwrap();
    assert_eq!(serde_json::from_value::<ReportBody>(old).unwrap(), ReportBody::default());
}

#[test]
fn a_stretch_counts_as_far_as_it_lies_within() {
    let mut took = Took::default();
    let (from, until) = (at("2026-01-01T22:00:00Z"), at("2026-01-02T06:00:00Z"));
    took.add_span(SpanKind::Work, at("2026-01-01T21:00:00Z"), Some(at("2026-01-01T22:30:00Z")), from, until);
    took.add_span(SpanKind::Provider, at("2026-01-02T05:00:00Z"), None, from, until);
    took.add_span(SpanKind::Window, at("2026-01-02T06:00:00Z"), None, from, until);
    took.add_span(SpanKind::Work, at("2026-01-01T01:00:00Z"), Some(at("2026-01-01T02:00:00Z")), from, until);
    assert_eq!((took.worked_ms, took.provider_ms, took.rest_ms), (1_800_000, 3_600_000, 0));
}

/// What a run waits for says the span, the outcome, and whether somebody is wanted.
#[test]
fn what_a_run_is_put_off_for_is_told_as_what_it_is() {
    let told = |awaits, reason: bool| {
        let span = SpanKind::of_rest(awaits, reason);
        let outcome = Outcome::of(RunStatus::Queued, FeatureStatus::Queued, false, false, Some(span)).unwrap();
        (span, outcome, outcome.needs_somebody(), span.rests())
    };
    let all = [
        (None, true, SpanKind::Provider, Outcome::WaitsForProvider, false, false),
        (None, false, SpanKind::Window, Outcome::Rests, false, true),
        (Some(Awaits::RunBudget), true, SpanKind::Budget, Outcome::WaitsForBudget, true, true),
        (Some(Awaits::MonthBudget), true, SpanKind::Budget, Outcome::WaitsForBudget, true, true),
        (Some(Awaits::Dependencies), true, SpanKind::Dependencies, Outcome::WaitsForDependencies, true, true),
        (Some(Awaits::Server), true, SpanKind::Server, Outcome::WaitsForServer, false, false),
    ];
    for (awaits, reason, span, outcome, needs, rests) in all {
        assert_eq!(told(awaits, reason), (span, outcome, needs, rests), "{awaits:?}");
        assert!(outcome.next(false).is_some(), "{outcome:?}");
    }
    let body = ReportBody::of(
        vec![
            card(ProjectId::new(), 1, Outcome::WaitsForDependencies, 0),
            card(ProjectId::new(), 2, Outcome::WaitsForServer, 0),
        ],
        Took::default(),
        Vec::new(),
        Vec::new(),
        Vec::new(),
    );
    assert_eq!((body.waiting, body.under_way), (1, 1));
}
