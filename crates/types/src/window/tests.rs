use proptest::prelude::*;

use super::*;

fn window(days: &[Day], from: &str, until: &str, zone: &str) -> Window {
    Window { days: days.to_vec(), from: from.to_owned(), until: until.to_owned(), time_zone: zone.to_owned() }
}

fn at(text: &str) -> DateTime {
    text.parse().unwrap()
}

const WEEKDAYS: &[Day] = &[Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri];

#[test]
fn a_night_goes_over_midnight() {
    let nights = window(WEEKDAYS, "22:00", "07:00", "Europe/Berlin");
    // A Friday in winter: the window of that day closes on Saturday morning, and the next opens on Monday.
    let table = [
        ("2026-01-09T20:59:59Z", false, "2026-01-09T21:00:00Z"),
        ("2026-01-09T21:00:00Z", true, "2026-01-10T06:00:00Z"),
        ("2026-01-10T05:59:59Z", true, "2026-01-10T06:00:00Z"),
        ("2026-01-10T06:00:00Z", false, "2026-01-12T21:00:00Z"),
        ("2026-01-12T05:00:00Z", false, "2026-01-12T21:00:00Z"),
    ];
    for (now, open, changes) in table {
        let expected = Standing { open, changes_at: Some(at(changes)) };
        assert_eq!(nights.standing(at(now)), Ok(expected), "{now}");
    }
}

#[test]
fn the_clock_goes_forward_and_back() {
    // In Berlin, 02:00 to 03:00 is left out on 29 March 2026 and comes twice on 25 October.
    let in_the_gap = window(Day::ALL, "02:30", "04:00", "Europe/Berlin");
    let spring = in_the_gap.standing(at("2026-03-29T00:00:00Z")).unwrap();
    assert_eq!((spring.open, spring.changes_at), (false, Some(at("2026-03-29T01:00:00Z"))));
    let spring = in_the_gap.standing(at("2026-03-29T01:00:00Z")).unwrap();
    assert_eq!((spring.open, spring.changes_at), (true, Some(at("2026-03-29T02:00:00Z"))));
    let swallowed = window(Day::ALL, "02:10", "02:50", "Europe/Berlin");
    let spring = swallowed.standing(at("2026-03-29T00:30:00Z")).unwrap();
    assert_eq!((spring.open, spring.changes_at), (false, Some(at("2026-03-30T00:10:00Z"))), "not on that day");

    let twice = window(Day::ALL, "01:00", "02:30", "Europe/Berlin");
    let autumn = twice.standing(at("2026-10-24T23:00:00Z")).unwrap();
    assert_eq!((autumn.open, autumn.changes_at), (true, Some(at("2026-10-25T01:30:00Z"))), "both hours belong to it");
    // A night keeps its hours on the clock, not its length.
    let night = window(Day::ALL, "22:00", "07:00", "Europe/Berlin");
    assert_eq!(night.standing(at("2026-03-28T22:00:00Z")).unwrap().changes_at, Some(at("2026-03-29T05:00:00Z")));
    assert_eq!(night.standing(at("2026-10-24T22:00:00Z")).unwrap().changes_at, Some(at("2026-10-25T06:00:00Z")));
    // Samoa had no 30 December 2011 at all.
    let skipped = window(&[Day::Fri], "10:00", "11:00", "Pacific/Apia");
    assert!(!skipped.standing(at("2011-12-30T20:30:00Z")).unwrap().open);
}

#[test]
fn whole_days_join() {
    let always = window(Day::ALL, "00:00", "00:00", "America/New_York");
    assert_eq!(always.standing(at("2026-03-08T07:00:00Z")), Ok(Standing { open: true, changes_at: None }));
    let weekend = window(&[Day::Sat, Day::Sun], "09:00", "09:00", "UTC");
    let standing = weekend.standing(at("2026-01-11T08:00:00Z")).unwrap();
    assert_eq!((standing.open, standing.changes_at), (true, Some(at("2026-01-12T09:00:00Z"))));
    let once = window(&[Day::Wed], "12:00", "13:00", "UTC");
    let standing = once.standing(at("2026-01-07T13:00:00Z")).unwrap();
    assert_eq!((standing.open, standing.changes_at), (false, Some(at("2026-01-14T12:00:00Z"))));
}

#[test]
fn what_is_no_window_is_refused_in_words() {
    let told = |window: Window| window.check().unwrap_err().to_string();
    assert!(told(window(&[], "22:00", "07:00", "UTC")).contains("at least one day"));
    assert!(told(window(WEEKDAYS, "24:00", "07:00", "UTC")).contains("24:00"));
    assert!(told(window(WEEKDAYS, "7:00", "08:00", "UTC")).contains("7:00"));
    assert!(told(window(WEEKDAYS, "22:00", "07:00", "Berlin")).contains("Europe/Berlin"));
    assert_eq!(window(WEEKDAYS, "22:00", "07:00", "UTC").check(), Ok(()));
}

fn any_window() -> impl Strategy<Value = Window> {
    let zones = prop::sample::select(vec![
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Asia/Kathmandu",
    ]);
    let minutes = || (0u32..24, prop::sample::select(vec![0u32, 1, 30, 59]));
    (prop::sample::subsequence(Day::ALL.to_vec(), 1..=7), minutes(), minutes(), zones).prop_map(
        |(days, (fh, fm), (uh, um), zone)| {
            window(&days, &format!("{fh:02}:{fm:02}"), &format!("{uh:02}:{um:02}"), zone)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// What is said of the next change is true: until just before it nothing changes, at it everything does.
    #[test]
    fn the_next_change_is_the_next_change(window in any_window(), minute in 0i64..(3 * 366 * 24 * 60)) {
        let now = at("2025-01-01T00:00:00Z") + Duration::minutes(minute);
        let standing = window.standing(now).unwrap();
        match standing.changes_at {
            Some(change) => {
                prop_assert!(change > now && change < now + Duration::days(9));
                prop_assert_ne!(window.standing(change).unwrap().open, standing.open);
                for part in 1..8 {
                    let between = now + (change - now) * part / 8;
                    prop_assert_eq!(window.standing(between).unwrap(), standing);
                }
            }
            None => prop_assert!(standing.open && window.standing(now + Duration::days(30)).unwrap().open),
        }
    }
}

#[test]
fn the_last_closing_is_found_on_either_side_of_the_clock_s_leaps() {
    let night = window(Day::ALL, "22:00", "07:00", "Europe/Berlin");
    let table = [
        ("2026-03-29T04:59:59Z", "2026-03-28T06:00:00Z"),
        ("2026-03-29T05:00:00Z", "2026-03-29T05:00:00Z"),
        ("2026-10-25T05:59:59Z", "2026-10-24T05:00:00Z"),
        ("2026-10-25T06:00:00Z", "2026-10-25T06:00:00Z"),
    ];
    for (now, closed) in table {
        assert_eq!(night.last_closed(at(now)), Ok(Some(at(closed))), "{now}");
    }
    let once = window(&[Day::Wed], "12:00", "13:00", "UTC");
    assert_eq!(once.last_closed(at("2026-01-14T12:59:00Z")), Ok(Some(at("2026-01-07T13:00:00Z"))));
    assert_eq!(window(Day::ALL, "00:00", "00:00", "UTC").last_closed(at("2026-01-14T12:59:00Z")), Ok(None), "never");
}

#[test]
fn moments_are_said_in_somebodys_own_zone() {
    let now = at("2026-01-09T22:00:00Z");
    let said = |zone, moment| shown_at(zone, at(moment), now);
    assert_eq!(said(Some("Europe/Berlin"), "2026-01-10T01:14:00Z"), "02:14");
    assert_eq!(said(Some("America/New_York"), "2026-01-12T03:00:00Z"), "Sun 22:00");
    assert_eq!(said(None, "2026-01-10T01:14:00Z"), "01:14 UTC");
    assert_eq!(said(Some("Asia/Kathmandu"), "2026-02-01T00:00:00Z"), "1 Feb 05:45");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// A window has a beginning and an end for each day on the clock, however the clock leaps: over a year there is no opening
    /// too many, and what is said of the last closing agrees with what is said of the next.
    #[test]
    fn a_window_opens_once_a_day_through_the_year(window in any_window(), year in 2024i32..2028) {
        let begin = at(&format!("{year}-01-01T12:00:00Z"));
        let (mut now, mut openings) = (begin, 0);
        let mut standing = window.standing(now).unwrap();
        while let Some(change) = standing.changes_at.filter(|change| *change < begin + Duration::days(365)) {
            let next = window.standing(change).unwrap();
            prop_assert_ne!(next.open, standing.open);
            if standing.open {
                prop_assert_eq!(window.last_closed(change).unwrap(), Some(change));
                prop_assert_eq!(window.last_closed(change + Duration::seconds(1)).unwrap(), Some(change));
            } else {
                openings += 1;
            }
            (now, standing) = (change, next);
        }
        prop_assert!(now >= begin);
        prop_assert!(openings <= 53 * window.days.len(), "{openings}");
        // Fewer only where two join, or a leap swallows one or two.
        let joined = window.from == window.until;
        prop_assert!(joined || openings + 4 >= 52 * window.days.len(), "{openings}");
    }
}
