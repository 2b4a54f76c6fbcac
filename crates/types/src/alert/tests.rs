use chrono::Duration;
use proptest::prelude::*;

use super::*;

const START: DateTime = DateTime::UNIX_EPOCH;

fn one(kind: AlertKind, subject: &str, value: i64) -> Measured {
    Measured { kind, subject: subject.to_owned(), about: subject.to_owned(), value }
}

/// What a store would hold, and the moment.
#[derive(Default)]
struct Watch {
    open: Vec<Open>,
    traces: Traces,
    thresholds: Thresholds,
    seconds: i64,
}

impl Watch {
    /// Measures some seconds later, and keeps what comes of it as a store does.
    fn after(&mut self, seconds: i64, measured: &[Measured]) -> Vec<Verdict> {
        self.seconds += seconds;
        let now = START + Duration::seconds(self.seconds);
        let judged = judge(measured, &self.thresholds, &self.open, &mut self.traces, now);
        for Judged { measured: Measured { kind, subject, .. }, verdict } in &judged {
            let at = self.open.iter().position(|open| open.kind == *kind && open.subject == *subject);
            match (verdict, at) {
                (Verdict::Raised(level), None) => {
                    self.open.push(Open { kind: *kind, subject: subject.clone(), level: *level })
                }
                (Verdict::Worsened, Some(at)) => {
                    assert_eq!(self.open[at].level, AlertLevel::Warning);
                    self.open[at].level = AlertLevel::Critical;
                }
                (Verdict::Eased, Some(at)) => {
                    assert_eq!(self.open[at].level, AlertLevel::Critical);
                    self.open[at].level = AlertLevel::Warning;
                }
                (Verdict::Cleared, Some(at)) => drop(self.open.remove(at)),
                (Verdict::Stands, Some(_)) => {}
                other => panic!("{other:?} of {kind} {subject}"),
            }
        }
        judged.into_iter().map(|judged| judged.verdict).collect()
    }

    fn memory(&mut self, seconds: i64, value: i64) -> Vec<Verdict> {
        self.after(seconds, &[one(AlertKind::Memory, "hall", value)])
    }
}

#[test]
fn memory_is_told_at_the_thresholds_and_over_below_them_for_a_while() {
    let mut watch = Watch::default();
    assert_eq!(watch.memory(0, 69), []);
    assert_eq!(watch.memory(15, 70), [Verdict::Raised(AlertLevel::Warning)]);
    assert_eq!(watch.memory(15, 84), [Verdict::Stands]);
    assert_eq!(watch.memory(15, 85), [Verdict::Worsened]);
    assert_eq!(watch.memory(15, 81), [Verdict::Stands], "not far enough below");
    assert_eq!(watch.memory(600, 81), [Verdict::Stands], "however long");
    assert_eq!(watch.memory(15, 80), [Verdict::Stands], "not for long enough");
    assert_eq!(watch.memory(59, 80), [Verdict::Stands]);
    assert_eq!(watch.memory(1, 80), [Verdict::Eased]);
    assert_eq!(watch.memory(15, 65), [Verdict::Stands]);
    assert_eq!(watch.memory(299, 65), [Verdict::Stands]);
    assert_eq!(watch.memory(1, 65), [Verdict::Cleared]);
    assert_eq!(watch.memory(15, 65), []);
    assert_eq!(watch.memory(15, 99), [Verdict::Raised(AlertLevel::Critical)], "without a warning before it");
    // From critical to nothing: first it eases, then it is over.
    assert_eq!(watch.memory(15, 10), [Verdict::Stands]);
    assert_eq!(watch.memory(60, 10), [Verdict::Eased]);
    assert_eq!(watch.memory(240, 10), [Verdict::Cleared]);
}

#[test]
fn what_is_not_measured_for_a_while_has_to_be_well_anew() {
    let mut watch = Watch::default();
    watch.memory(0, 75);
    assert_eq!(watch.memory(15, 10), [Verdict::Stands]);
    assert_eq!(watch.after(15, &[]), []);
    assert_eq!(watch.memory(600, 10), [Verdict::Stands]);
    assert_eq!(watch.memory(300, 10), [Verdict::Cleared]);
}

#[test]
fn a_single_slow_answer_of_the_database_is_not_told() {
    let mut watch = Watch::default();
    let slow = [one(AlertKind::DatabaseSlow, "hall", 3_000)];
    let quick = [one(AlertKind::DatabaseSlow, "hall", 3)];
    assert_eq!(watch.after(0, &slow), []);
    assert_eq!(watch.after(15, &quick), []);
    assert_eq!(watch.after(15, &slow), []);
    assert_eq!(watch.after(45, &slow), []);
    assert_eq!(watch.after(15, &slow), [Verdict::Raised(AlertLevel::Critical)]);
}

#[test]
fn a_certificate_is_the_worse_the_less_is_left() {
    let mut watch = Watch::default();
    let left = |days| [one(AlertKind::CertificateEnds, "", days)];
    assert_eq!(watch.after(0, &left(30)), []);
    assert_eq!(watch.after(15, &left(14)), [Verdict::Raised(AlertLevel::Warning)]);
    assert_eq!(watch.after(15, &left(4)), [Verdict::Stands]);
    assert_eq!(watch.after(15, &left(3)), [Verdict::Worsened]);
    assert_eq!(watch.after(15, &left(0)), [Verdict::Stands]);
    assert_eq!(watch.after(15, &left(90)), [Verdict::Cleared], "it was renewed");
    assert_eq!(AlertKind::CertificateEnds.worse(3, 14), 3);
    assert_eq!(AlertKind::Memory.worse(3, 14), 14);
}

#[test]
fn the_worst_of_one_subject_counts_and_servers_are_apart() {
    let mut watch = Watch::default();
    let both = [one(AlertKind::KeyRefused, "team/openai", 2), one(AlertKind::KeyRefused, "team/openai", 0)];
    assert_eq!(watch.after(0, &both), [Verdict::Raised(AlertLevel::Critical)]);
    assert_eq!(watch.after(15, &[both[1].clone(), both[0].clone()]), [Verdict::Stands]);
    assert_eq!(watch.after(15, &both[1..]), [Verdict::Cleared]);
    let two = [one(AlertKind::Disk, "a", 80), one(AlertKind::Disk, "b", 95)];
    let raised = [Verdict::Raised(AlertLevel::Warning), Verdict::Raised(AlertLevel::Critical)];
    assert_eq!(watch.after(15, &two), raised);
}

#[test]
fn thresholds_that_cannot_be_are_named() {
    Thresholds::default().check().unwrap();
    let refused = |change: fn(&mut Thresholds)| {
        let mut thresholds = Thresholds::default();
        change(&mut thresholds);
        thresholds.check().unwrap_err().field
    };
    assert_eq!(refused(|all| all.memory.critical = 101), "memory.critical");
    assert_eq!(refused(|all| all.disk.warning = 0), "disk.warning");
    assert_eq!(refused(|all| all.active_agents.critical = 10), "activeAgents.critical");
    assert_eq!(refused(|all| all.certificate_days.critical = 20), "certificateDays.critical");
}

#[test]
fn a_backup_is_old_by_how_often_one_is_made_unless_somebody_says_from_when_on() {
    let usual = Thresholds::default();
    let every = |hours| Some(Rhythm::Every(Duration::hours(hours)));
    let hours = |thresholds: Thresholds, rhythm| {
        let Threshold { warning, critical } = thresholds.with_backups_every(rhythm).backup_hours.unwrap();
        (warning, critical)
    };
    assert_eq!([hours(usual, None), hours(usual, every(24))], [(26, 50); 2]);
    assert_eq!((hours(usual, every(6)), hours(usual, every(168))), ((8, 14), (170, 338)));
    assert_eq!(usual.of(AlertKind::BackupOld), usual.with_backups_every(every(24)).of(AlertKind::BackupOld));
    for (warning, critical) in [(30, 40), (26, 50)] {
        let own = Thresholds { backup_hours: Some(Threshold { warning, critical }), ..usual };
        assert_eq!(hours(own, every(168)), (warning, critical));
    }
}

#[test]
fn every_kind_has_its_words() {
    let thresholds = Thresholds::default();
    for kind in AlertKind::ALL {
        for level in AlertLevel::ALL {
            let threshold = thresholds.of(*kind);
            let text = kind.text(*level, threshold.at(*level), threshold, "hall-1");
            assert!(text.ends_with('.') && text.len() < 600, "{text}");
            // Those of which there are several servers say which.
            let one_of_many = !matches!(kind, AlertKind::ActiveAgents | AlertKind::BackupOld | AlertKind::MailStuck);
            assert_eq!(text.contains("hall-1"), one_of_many, "{text}");
        }
    }
    let text = AlertKind::Memory.text(AlertLevel::Critical, 91, thresholds.memory, "hall-1");
    assert!(text.starts_with("91 % of the memory of hall-1 are used (threshold: 85 %). No new work"), "{text}");
    assert_eq!(AlertKind::BackupOld.title(""), "Backup");
    assert_eq!(AlertKind::Disk.title("hall-1"), "Disk (hall-1)");
    assert_eq!((Unit::Days.of(1), Unit::Hours.of(26)), ("1 day".to_owned(), "26 hours".to_owned()));
}

fn kind() -> impl Strategy<Value = AlertKind> {
    prop::sample::select(AlertKind::ALL)
}

/// Values around the thresholds of a kind.
fn value(kind: AlertKind) -> impl Strategy<Value = i64> {
    let threshold = Thresholds::default().of(kind);
    let (low, high) = (threshold.warning.min(threshold.critical), threshold.warning.max(threshold.critical));
    prop_oneof![0..=high + high / 5 + 2, low.saturating_sub(2)..=low + 2, high.saturating_sub(2)..=high + 2]
        .prop_map(|value| value.max(0))
}

fn story() -> impl Strategy<Value = Vec<(i64, AlertKind, u8, i64)>> {
    let moment = (1..120_i64, kind(), 0..2_u8)
        .prop_flat_map(|(seconds, kind, server)| value(kind).prop_map(move |value| (seconds, kind, server, value)));
    prop::collection::vec(moment, 1..60)
}

/// A value of a kind at which all is well.
fn well(kind: AlertKind) -> i64 {
    if kind.falls() { 1_000 } else { 0 }
}

proptest! {
    #[test]
    fn of_one_kind_and_subject_one_is_open_at_most_and_all_are_over_in_the_end(story in story()) {
        // `Watch` panics at an alert that is raised although it is open, or ends although it is not.
        let mut watch = Watch::default();
        for (seconds, kind, server, value) in &story {
            watch.after(*seconds, &[one(*kind, &server.to_string(), *value)]);
            let mut keys: Vec<_> = watch.open.iter().map(|open| (open.kind, open.subject.clone())).collect();
            keys.sort();
            keys.dedup();
            prop_assert_eq!(keys.len(), watch.open.len());
        }
        let fine: Vec<Measured> =
            AlertKind::ALL.iter().flat_map(|kind| ["0", "1"].map(|server| one(*kind, server, well(*kind)))).collect();
        for _ in 0..30 {
            watch.after(15, &fine);
        }
        prop_assert_eq!(&watch.open, &[]);
    }

    #[test]
    fn a_value_that_swings_around_a_threshold_makes_one_alert(
        kind in prop::sample::select(&[AlertKind::Memory, AlertKind::Disk][..]),
        critical in any::<bool>(),
        swings in prop::collection::vec((1..600_i64, -4..=4_i64), 1..200),
    ) {
        let mut watch = Watch::default();
        let threshold = Thresholds::default().of(kind);
        let around = if critical { threshold.critical } else { threshold.warning };
        let mut told = 0;
        for (seconds, off) in swings {
            let verdicts = watch.after(seconds, &[one(kind, "hall", around + off)]);
            told += verdicts.iter().filter(|verdict| !matches!(verdict, Verdict::Stands)).count();
        }
        // Around the upper one it is a warning first, perhaps, and then critical.
        prop_assert!(told <= if critical { 2 } else { 1 }, "told {told} times");
    }

    #[test]
    fn what_is_bad_is_told_as_soon_as_its_patience_is_over(kind in kind(), times in 1..20_usize) {
        let mut watch = Watch::default();
        let bad = [one(kind, "hall", Thresholds::default().of(kind).critical)];
        let mut told = Vec::new();
        for _ in 0..times {
            told.extend(watch.after(15, &bad));
        }
        let waits = if kind == AlertKind::DatabaseSlow { 4 } else { 0 };
        prop_assert_eq!(told.first().copied(), (times > waits).then_some(Verdict::Raised(AlertLevel::Critical)));
        prop_assert!(told.iter().skip(1).all(|verdict| *verdict == Verdict::Stands));
    }

    #[test]
    fn any_thresholds_that_can_be_let_everything_come_back(low in 1..1_000_i64, more in 1..1_000_i64, kind in kind()) {
        let any = if kind.falls() { Threshold { warning: low + more, critical: low } } else { Threshold { warning: low, critical: low + more } };
        let thresholds = Thresholds {
            active_agents: any, api_failures: any, database_millis: any, bus_seconds: any, backup_hours: Some(any),
            clean_up_minutes: any, certificate_days: any, ..Thresholds::default()
        };
        let mut watch = Watch { thresholds, ..Watch::default() };
        let bad = thresholds.of(kind).critical;
        for _ in 0..6 {
            watch.after(15, &[one(kind, "hall", bad)]);
        }
        prop_assert_eq!(watch.open.len(), 1);
        let well = if kind.falls() { 10_000 } else { 0 };
        for _ in 0..30 {
            watch.after(15, &[one(kind, "hall", well)]);
        }
        prop_assert_eq!(&watch.open, &[]);
    }
}
