//! What happens while a server is short of memory or disk, with readings that the test makes.

use std::sync::Arc;

use chrono::Duration;
use guildhall_sim::Config;
use guildhall_store::NewAlert;
use guildhall_types::alert::{AlertKind, AlertLevel, Strain, Threshold, Thresholds};
use guildhall_types::auto::Reason;
use guildhall_types::event::Happening;
use guildhall_types::feature::FeatureStatus;
use guildhall_types::notification::NotificationKind;
use guildhall_types::project::{AfterWork, ProjectSource};
use guildhall_types::reading::{Disk, DiskRole, Reading, Used};
use guildhall_types::run::{Run, RunEvent, RunStatus};
use guildhall_types::{FeatureId, FixedClock, PlaceId};
use serde_json::json;

use crate::harness::Hall;

/// Calls by which an agent that changed something is asked what of it is worth keeping.
const KEEPS: usize = 1;

/// How the server is so many seconds after the test began, by the percent of memory and of disk that are used.
struct Readings<'a> {
    hall: &'a Hall,
    seconds: i64,
    /// Percent of the files that the disk can hold.
    files: i64,
}

impl Readings<'_> {
    async fn after(&mut self, seconds: i64, memory: i64, disk: i64) {
        self.seconds += seconds;
        let reading = Reading {
            node: self.hall.engine.node(),
            at: self.hall.team.clock.now() + Duration::seconds(self.seconds),
            memory: Some(Used { used: memory, total: 100 }),
            process_memory: None,
            disk: None,
            disks: vec![Disk {
                holds: vec![DiskRole::Data],
                path: "/data".to_owned(),
                bytes: Used { used: disk, total: 100 },
                files: Some(Used { used: self.files, total: 100 }),
            }],
            processors: 2,
            load: None,
            active_agents: Some(1),
            active_runs: 1,
            worktrees: 1,
            queue_depth: Some(0),
            provider_failures: 0,
            database_millis: Some(1.0),
            database_trouble: None,
        };
        self.hall.engine.judge(&reading).await;
    }

    /// Long enough after what was bad for it to be over.
    async fn well_again(&mut self) {
        self.after(15, 30, 30).await;
        self.after(61, 30, 30).await;
    }
}

fn readings(hall: &Hall) -> Readings<'_> {
    Readings { hall, seconds: 0, files: 1 }
}

async fn run_of(hall: &Hall, id: FeatureId) -> Run {
    let run = hall.feature(id).await.card.run_id.unwrap();
    hall.team.store.run(run).await.unwrap().unwrap()
}

async fn events(hall: &Hall, run: &Run) -> Vec<RunEvent> {
    let told = hall.team.store.run_events(run.id, 0, 1_000).await.unwrap();
    let of_run = |event: guildhall_types::event::Event| match event.what {
        Happening::Run { event, .. } => Some(event),
        _ => None,
    };
    told.into_iter().filter_map(of_run).collect()
}

/// Waits until the run is in the queue again, and says so.
async fn makes_room(hall: &Hall, id: FeatureId) -> Run {
    let look = async || Some(run_of(hall, id).await).filter(|run| run.status == RunStatus::Queued);
    hall.until("a run that makes room", look).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_is_short_of_memory_no_work_begins_and_everybody_is_told_why() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let mut readings = readings(&hall);
    readings.after(0, 84, 40).await;
    assert_eq!(hall.engine.strain(), None, "a warning keeps nothing");
    readings.after(15, 92, 40).await;
    assert_eq!(hall.engine.strain(), Some(Strain::Memory));
    let id = hall.scripted(&project, &[json!({ "say": "Done." })]).await;
    let queue = hall.team.queue(hall.anna.id, Some(project.id)).await.unwrap();
    assert_eq!(queue[0].waiting.reason, Reason::Server { strain: Strain::Memory });
    assert!(queue[0].waiting.message.contains("short of memory"), "{}", queue[0].waiting.message);
    let alert = hall.team.store.open_alerts().await.unwrap().remove(0);
    assert_eq!((alert.kind, alert.level, alert.worst), (AlertKind::Memory, AlertLevel::Critical, 92));
    assert!(alert.text.contains("No new work begins"), "{}", alert.text);
    let told = hall.team.store.notifications(hall.anna.id, None, false, 9).await.unwrap().page.items;
    let kinds: Vec<_> = told.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [NotificationKind::AlertCritical, NotificationKind::AlertWarning]);
    // The engine has looked for work in between, more than once.
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    assert_eq!((run_of(&hall, id).await.status, hall.engine.stats().await.active_runs), (RunStatus::Queued, 0));
    readings.well_again().await;
    assert_eq!(hall.engine.strain(), None);
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None));
    readings.after(300, 30, 40).await;
    assert_eq!(hall.team.store.open_alerts().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn within_a_silence_only_what_gets_worse_is_told_and_afterwards_that_it_stands() {
    let clock = FixedClock::default();
    let lease = std::time::Duration::from_secs(1_000 * 24 * 60 * 60);
    let hall = Hall::clocked(guildhall_sim::Config::default(), Arc::new(clock.clone()), lease).await;
    let after = async |minutes: i64, disk: i64| {
        clock.advance(Duration::minutes(minutes));
        readings(&hall).after(0, 40, disk).await;
    };
    let told = async || {
        let told = hall.team.store.notifications(hall.anna.id, None, false, 9).await.unwrap().page.items;
        told.into_iter().map(|one| (one.kind, one.count, one.text)).collect::<Vec<_>>()
    };
    let kinds = async || told().await.into_iter().map(|(kind, count, _)| (kind, count)).collect::<Vec<_>>();
    after(0, 80).await;
    let alert = hall.team.store.open_alerts().await.unwrap().remove(0);
    hall.team.silence_alert(alert.id, Some(60)).await.unwrap();
    after(10, 84).await;
    assert_eq!(kinds().await, [(NotificationKind::AlertWarning, 1)]);
    after(5, 95).await;
    assert_eq!(kinds().await, [(NotificationKind::AlertCritical, 1), (NotificationKind::AlertWarning, 1)]);
    // Better again, and silent, until the hour is over; then once.
    after(5, 81).await;
    after(5, 82).await;
    assert_eq!(hall.team.store.open_alerts().await.unwrap()[0].level, AlertLevel::Warning);
    after(34, 82).await;
    assert_eq!(kinds().await.len(), 2);
    for _ in 0..3 {
        after(1, 83).await;
        let all = told().await;
        assert_eq!((all.len(), all[0].0, all[0].1), (2, NotificationKind::AlertWarning, 2));
        assert!(all[0].2.contains("still stands. The disk of /data on "), "{all:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_critical_memory_runs_make_room_one_by_one_and_pay_no_turn_again() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let lines = [
        json!({ "tools": [["write", { "path": "a.txt", "content": "a\n" }]] }),
        json!({ "tools": [["bash", { "command": "sleep 300" }]] }),
        json!({ "say": "Done." }),
    ];
    let cards = [hall.scripted(&project, &lines).await, hall.scripted(&project, &lines).await];
    for id in cards {
        let asleep = async || {
            let run = run_of(&hall, id).await;
            let started = |event: &RunEvent| matches!(event, RunEvent::ToolStarted { tool, .. } if tool == "bash");
            events(&hall, &run).await.iter().any(started).then_some(())
        };
        hall.until("a command at work", asleep).await;
    }
    let mut readings = readings(&hall);
    readings.after(0, 90, 40).await;
    let parked = hall
        .until("the first to make room", async || {
            let runs = [run_of(&hall, cards[0]).await, run_of(&hall, cards[1]).await];
            runs.into_iter().find(|run| run.status == RunStatus::Queued)
        })
        .await;
    assert_eq!((parked.turns, parked.attempt, parked.lease_owner, parked.parked_until), (2, 1, None, None));
    assert_eq!(hall.feature(parked.feature_id).await.card.status, FeatureStatus::Queued);
    let note = RunEvent::Note { text: Strain::Memory.parked().to_owned() };
    assert_eq!(events(&hall, &parked).await.last(), Some(&note));
    let other = if parked.feature_id == cards[0] { cards[1] } else { cards[0] };
    assert_eq!(run_of(&hall, other).await.status, RunStatus::Running, "one at a time");
    // It is less now, though the alert still stands: nobody else has to go.
    readings.after(15, 82, 40).await;
    assert_eq!((hall.engine.strain(), run_of(&hall, other).await.status), (Some(Strain::Memory), RunStatus::Running));
    readings.after(15, 86, 40).await;
    makes_room(&hall, other).await;
    let nobody = async || (hall.engine.stats().await.active_runs == 0).then_some(());
    hall.until("nobody at work", nobody).await;
    readings.well_again().await;
    for id in cards {
        let feature = hall.rests(id).await;
        assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None));
        assert_eq!((feature.summary.as_deref(), run_of(&hall, id).await.turns), (Some("Done."), 3));
    }
    assert_eq!(hall.sim.requests().len(), 2 * (3 + KEEPS), "no call was made twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_critical_disk_a_run_waits_at_its_next_turn_and_goes_on_by_itself() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let lines = [
        json!({ "silence_ms": 1_500, "tools": [["write", { "path": "a.txt", "content": "a\n" }]] }),
        json!({ "tools": [["write", { "path": "b.txt", "content": "b\n" }]] }),
        json!({ "say": "Done." }),
    ];
    let id = hall.scripted(&project, &lines).await;
    hall.until("a call under way", async || (!hall.sim.requests().is_empty()).then_some(())).await;
    let mut readings = readings(&hall);
    readings.after(0, 40, 95).await;
    let parked = makes_room(&hall, id).await;
    assert_eq!((parked.turns, parked.error.clone()), (1, None), "the turn was made to its end");
    assert!(parked.head_commit.is_some(), "and is kept");
    let queue = hall.team.queue(hall.anna.id, Some(project.id)).await.unwrap();
    assert_eq!(queue[0].waiting.reason, Reason::Server { strain: Strain::Disk });
    readings.well_again().await;
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None));
    assert_eq!((hall.sim.requests().len(), run_of(&hall, id).await.turns), (3 + KEEPS, 3), "no call was made twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_can_hold_no_more_files_lets_work_wait_as_one_without_room() {
    let hall = Hall::open().await;
    let mut readings = readings(&hall);
    readings.files = 91;
    readings.after(0, 40, 40).await;
    assert_eq!(hall.engine.strain(), Some(Strain::Disk));
    let open = hall.team.store.open_alerts().await.unwrap();
    assert_eq!((open.len(), open[0].kind, open[0].level), (1, AlertKind::DiskFiles, AlertLevel::Critical));
    assert!(open[0].about.starts_with("/data on ") && open[0].text.contains(&open[0].about), "{}", open[0].text);
    readings.files = 1;
    readings.well_again().await;
    assert_eq!(hall.engine.strain(), None);
}

/// A certificate that could be looked at no more, such as after a restart while the proxy is down, is not well for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_of_a_certificate_stands_while_nobody_can_look_at_it() {
    let clock = FixedClock::default();
    let mut hall =
        Hall::clocked(Config::default(), Arc::new(clock.clone()), Duration::days(1_000).to_std().unwrap()).await;
    let unreachable = "https://127.0.0.1:1".parse().unwrap();
    hall.team = hall.team.clone().with_pages_at("*.pages.example", unreachable);
    hall.die_and_start_again().await;
    let of = |subject: &str| NewAlert {
        kind: AlertKind::CertificateEnds,
        subject: subject.to_owned(),
        about: subject.to_owned(),
        level: AlertLevel::Critical,
        value: 1,
        text: "It ends.".to_owned(),
    };
    for subject in ["*.pages.example", "former.example"] {
        hall.team.store.raise_alert(&of(subject)).await.unwrap();
    }
    clock.advance(Duration::minutes(30));
    readings(&hall).after(0, 40, 40).await;
    let open = hall.team.store.open_alerts().await.unwrap();
    let subjects: Vec<&str> = open.iter().map(|alert| alert.subject.as_str()).collect();
    assert_eq!(subjects, ["*.pages.example"], "what the server no longer shows is gone");
}

/// As when the operator takes out what they were measured by. One that is measured stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_of_what_is_measured_no_more_is_over() {
    let clock = FixedClock::default();
    let hall = Hall::clocked(Config::default(), Arc::new(clock.clone()), Duration::days(1_000).to_std().unwrap()).await;
    let mut readings = readings(&hall);
    readings.after(0, 40, 80).await;
    let disk = hall.team.store.open_alerts().await.unwrap().remove(0);
    assert!(disk.subject.parse::<PlaceId>().is_ok(), "a machine that gets another name is the same: {}", disk.subject);
    assert!(disk.about.starts_with("/data on ") && !disk.about.contains(&disk.subject), "{}", disk.about);
    let here = disk.subject.as_str();
    for (kind, subject) in [(AlertKind::MailStuck, ""), (AlertKind::BackupOld, ""), (AlertKind::LogDisk, here)] {
        let (subject, about, text) = (subject.to_owned(), String::new(), "It is so.".to_owned());
        let new = NewAlert { kind, subject, about, level: AlertLevel::Warning, value: 10, text };
        hall.team.store.raise_alert(&new).await.unwrap().unwrap();
    }
    clock.advance(Duration::minutes(30));
    readings.after(0, 40, 80).await;
    let open = hall.team.store.open_alerts().await.unwrap();
    let kinds: Vec<_> = open.iter().map(|alert| alert.kind).collect();
    assert_eq!(kinds, [AlertKind::Disk], "{open:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_before_the_next_turn_keeps_nobody() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let lines = [json!({ "silence_ms": 1_500, "tools": [["glob", { "pattern": "*" }]] }), json!({ "say": "Done." })];
    let id = hall.scripted(&project, &lines).await;
    hall.until("a call under way", async || (!hall.sim.requests().is_empty()).then_some(())).await;
    let mut readings = readings(&hall);
    readings.after(0, 40, 95).await;
    readings.well_again().await;
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, run_of(&hall, id).await.attempt), (FeatureStatus::WaitingApproval, 1));
}

/// Shows a certificate that it made itself and that holds for so many days, until it is dropped.
async fn shows(hall: &Hall, days: i64) -> (tokio::process::Child, url::Url) {
    use std::process::Stdio;
    let [key, certificate] = ["key", "pem"].map(|kind| hall.dir.path().join(format!("{days}.{kind}")));
    let mut openssl = tokio::process::Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days"]);
    openssl.args([&days.to_string(), "-subj", "/CN=localhost", "-keyout"]).arg(&key).arg("-out").arg(&certificate);
    assert!(openssl.stderr(Stdio::null()).status().await.unwrap().success());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = tokio::process::Command::new("openssl");
    server.args(["s_server", "-quiet", "-www", "-accept", &format!("127.0.0.1:{port}")]).kill_on_drop(true);
    server.arg("-key").arg(key).arg("-cert").arg(certificate);
    let server = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let listens = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok();
    hall.until("a server that shows a certificate", listens).await;
    (server, format!("https://127.0.0.1:{port}").parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_certificate_that_ends_soon_has_an_alert_of_its_own() {
    let mut hall = Hall::open().await;
    // A short life is not always near its end, so that these have a long one, and soon begins early.
    let soon = Threshold { warning: 90, critical: 80 };
    hall.team.set_thresholds(Thresholds { certificate_days: soon, ..Thresholds::default() }).await.unwrap();
    let (_house, house) = shows(&hall, 100).await;
    let (_pages, pages) = shows(&hall, 70).await;
    hall.team = hall.team.clone().at(house.as_str()).with_pages_at("*.pages.example", pages);
    // An engine looks at them when it starts.
    hall.die_and_start_again().await;
    let raised = async || {
        readings(&hall).after(0, 30, 30).await;
        hall.team.store.open_alerts().await.unwrap().pop()
    };
    let alert = hall.until("an alert", raised).await;
    let found = (alert.kind, alert.subject.as_str(), alert.level);
    assert_eq!(found, (AlertKind::CertificateEnds, "*.pages.example", AlertLevel::Critical));
    assert!(alert.text.starts_with("The certificate of *.pages.example ends in 69 days"), "{}", alert.text);

    hall.team
        .set_thresholds(Thresholds { certificate_days: Threshold { warning: 200, ..soon }, ..Thresholds::default() })
        .await
        .unwrap();
    readings(&hall).after(15, 30, 30).await;
    let mut open = hall.team.store.open_alerts().await.unwrap();
    open.sort_by(|one, other| one.subject.cmp(&other.subject));
    let subjects: Vec<_> = open.iter().map(|alert| (alert.subject.as_str(), alert.level)).collect();
    assert_eq!(subjects, [("*.pages.example", AlertLevel::Critical), ("127.0.0.1", AlertLevel::Warning)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_asked_what_is_worth_keeping_makes_room_before_its_checks_go_on() {
    let hall = Hall::open().await;
    let project = crate::night::project(&hall, &["true"], AfterWork::Merge, 0).await;
    let work = crate::harness::script(&[
        json!({ "tools": [["write", { "path": "a.txt", "content": "a\n" }]] }),
        json!({ "say": "Done." }),
    ]);
    let keep = json!({ "silence_ms": 1_500, "tools": [["nothing_to_keep", {}]] });
    let id = hall.card(&project, &format!("{work}\n\n```keep\n{keep}\n```")).await;
    hall.start(id).await;
    hall.until("the question", async || (hall.sim.requests().len() == 3).then_some(())).await;
    let mut readings = readings(&hall);
    readings.after(0, 90, 40).await;
    let run = makes_room(&hall, id).await;
    assert_eq!((run.turns, hall.text_at_main(&project, "a.txt").await), (2, None));
    readings.well_again().await;
    hall.reaches(id, FeatureStatus::Completed).await;
    assert_eq!(hall.sim.requests().len(), 2 + KEEPS, "no call was made twice");
}
