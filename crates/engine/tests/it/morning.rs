//! The morning after: reports and forecasts of real nights.

use std::sync::Arc;

use chrono::Duration;
use guildhall_sim::Config;
use guildhall_store::{OrderChange, ProjectPatch};
use guildhall_team::{By, NewCard};
use guildhall_types::auto::AtClose;
use guildhall_types::feature::FeatureStatus;
use guildhall_types::forecast::Circle;
use guildhall_types::project::{AfterWork, Project, ProjectSettings, ProjectSource};
use guildhall_types::report::{Outcome, Report, ReportCause};
use guildhall_types::window::{Day, Window};
use guildhall_types::{Clock, FeatureId, FixedClock};
use serde_json::{Value, json};

use crate::harness::{Hall, script};

async fn project(hall: &Hall) -> Project {
    let project = hall.project("p", ProjectSource::Empty).await;
    let settings = ProjectSettings {
        verify_commands: vec!["true".to_owned()],
        after_work: AfterWork::Merge,
        ..ProjectSettings::default()
    };
    let patch = ProjectPatch { settings: Some(settings), ..ProjectPatch::default() };
    hall.team.update_project(project.id, patch).await.unwrap()
}

async fn card(hall: &Hall, project: &Project, title: &str, lines: &[Value]) -> FeatureId {
    let new = NewCard {
        title: Some(title.to_owned()),
        description: script(lines),
        model: Some("simulated".to_owned()),
        ..NewCard::default()
    };
    hall.team.create_feature(&hall.anna, project.id, new).await.unwrap().card.id
}

async fn reports(hall: &Hall) -> Vec<Report> {
    hall.team.store.reports(hall.anna.id, None, 10).await.unwrap().items
}

async fn nth(hall: &Hall, count: usize) -> Report {
    let made = async || Some(reports(hall).await).filter(|all| all.len() == count);
    hall.until("the report", made).await.remove(0)
}

fn write(path: &str) -> Value {
    json!({ "tools": [["write", { "path": path, "content": "x\n" }]] })
}

fn outcomes(report: &Report) -> Vec<(&str, Outcome)> {
    report.body.cards.iter().map(|card| (card.title.as_str(), card.outcome)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_night_is_told_once_and_the_next_one_by_itself() {
    // The clock of tests begins at midnight, UTC.
    let clock = FixedClock::default();
    let lease = std::time::Duration::from_secs(90 * 24 * 3600);
    let mut hall = Hall::clocked(Config::default(), Arc::new(clock.clone()), lease).await;
    let project = project(&hall).await;
    let done = json!({ "say": "Done." });
    let good = card(&hall, &project, "good", &[write("a.txt"), done.clone()]).await;
    let bad = card(&hall, &project, "bad", &[json!({ "fault": { "kind": "bad-key", "times": 9 } })]).await;
    let slow = json!({ "silence_ms": 15_000, "tools": [["write", { "path": "b.txt", "content": "b\n" }]] });
    let long = card(&hall, &project, "long", &[write("c.txt"), slow, write("d.txt"), done]).await;
    let window = Window {
        days: Day::ALL.to_vec(),
        from: "22:00".to_owned(),
        until: "07:00".to_owned(),
        time_zone: "UTC".to_owned(),
    };
    let change =
        OrderChange { max_concurrent: Some(3), window: Some(Some(window)), at_close: Some(AtClose::FinishTurn) };
    let midnight = clock.now();
    hall.team.start_auto_mode(hall.anna.id, project.id, change).await.unwrap();
    hall.reaches(good, FeatureStatus::Completed).await;
    hall.reaches(bad, FeatureStatus::Failed).await;
    let run = hall.feature(long).await.card.run_id.unwrap();
    let begun = async || hall.team.store.run(run).await.unwrap().filter(|run| run.turns >= 1);
    hall.until("the first turn", begun).await;
    assert_eq!(reports(&hall).await, [], "the night is not over");
    clock.advance(Duration::hours(7));
    let report = nth(&hall, 1).await;
    assert_eq!((report.cause, report.from), (ReportCause::WindowClosed, midnight));
    assert_eq!(outcomes(&report), [("bad", Outcome::Failed), ("good", Outcome::Merged), ("long", Outcome::Rests)]);
    let body = &report.body;
    assert_eq!((body.built, body.merged, body.failed, body.under_way), (1, 1, 1, 1));
    let failed = &body.cards[0];
    let problem = failed.problem.as_ref().unwrap();
    assert_eq!((problem.code.as_str(), failed.next.as_ref()), ("invalid-key", Some(&problem.hint)));
    assert_eq!(body.cards[2].until, Some(midnight + Duration::hours(22)));
    assert!(body.total.tokens > 0);
    // What was foretold in the evening stands beside it: nothing, without a past.
    let compared = &body.forecasts[0];
    assert_eq!((compared.forecast.cards, compared.forecast.estimate, compared.done), (3, None, 1));

    // Neither a restart nor the morning tells it again.
    clock.advance(Duration::minutes(40));
    hall.die_and_start_again().await;
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(reports(&hall).await.len(), 1);
    let notifications = hall.team.store.notifications(hall.anna.id, None, false, 50).await.unwrap();
    let told: Vec<&str> = notifications.page.items.iter().map(|one| one.kind.as_str()).collect();
    assert_eq!(told.iter().filter(|kind| **kind == "morning-report.ready").count(), 1, "{told:?}");

    // The next night opens with a forecast of its own, from what the first one took.
    clock.advance(Duration::hours(14) + Duration::minutes(21));
    hall.reaches(long, FeatureStatus::Completed).await;
    let foretold = async || {
        let (_, forecast) = hall.team.store.orders_of(hall.anna.id).await.unwrap().remove(0);
        forecast.filter(|forecast| forecast.runs > 0)
    };
    let forecast = hall.until("the forecast of the evening", foretold).await;
    assert_eq!((forecast.circle, forecast.by), (Circle::Team, midnight + Duration::hours(31)));
    clock.advance(Duration::hours(9));
    let second = nth(&hall, 2).await;
    assert_eq!((second.cause, second.from), (ReportCause::WindowClosed, report.until));
    assert_eq!(outcomes(&second), [("long", Outcome::Merged)]);
    // From 07:00, when it was laid to rest, to 22:01; what of that lies before the report is told there.
    assert!(second.body.total.rest_ms > 14 * 3_600_000, "{:?}", second.body.total);
    let run = hall.team.store.run(run).await.unwrap().unwrap();
    let told: i64 = [&report, &second]
        .iter()
        .flat_map(|one| &one.body.cards)
        .filter(|card| card.run_id == run.id)
        .map(|card| card.took.tokens)
        .sum();
    let usage = run.usage;
    let all = usage.input_tokens + usage.output_tokens + usage.cache_read_tokens + usage.cache_write_tokens;
    assert_eq!(told, all, "every token, once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_auto_mode_is_told_when_what_was_at_work_is_finished() {
    let hall = Hall::open().await;
    let project = project(&hall).await;
    let slow = json!({ "silence_ms": 1500, "tools": [["write", { "path": "b.txt", "content": "b\n" }]] });
    let id = card(&hall, &project, "slow", &[slow, json!({ "say": "Done." })]).await;
    hall.team.start_auto_mode(hall.anna.id, project.id, OrderChange::default()).await.unwrap();
    hall.reaches(id, FeatureStatus::InProgress).await;
    hall.team.stop_auto_mode(By::in_person(&hall.anna), hall.anna.id, project.id).await.unwrap();
    let report = nth(&hall, 1).await;
    assert_eq!((report.cause, outcomes(&report)), (ReportCause::Stopped, vec![("slow", Outcome::Merged)]));
    assert!(report.body.cards[0].took.worked_ms >= 1500, "{:?}", report.body.cards[0].took);
    // A run that a member starts is the member's own affair.
    let own = card(&hall, &project, "own", &[write("own.txt"), json!({ "say": "Done." })]).await;
    hall.start(own).await;
    hall.reaches(own, FeatureStatus::Completed).await;
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    assert_eq!(reports(&hall).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_night_in_which_nothing_could_begin_is_told_with_the_reasons() {
    let clock = FixedClock::default();
    let lease = std::time::Duration::from_secs(90 * 24 * 3600);
    let mut hall = Hall::clocked(Config::default(), Arc::new(clock.clone()), lease).await;
    let project = project(&hall).await;
    let new = |title: &str, dependencies: Vec<FeatureId>| NewCard {
        title: Some(title.to_owned()),
        description: "x".to_owned(),
        model: Some("simulated".to_owned()),
        dependencies,
        ..NewCard::default()
    };
    let (team, anna) = (hall.team.clone(), hall.anna.clone());
    let write = async |new: NewCard| team.create_feature(&anna, project.id, new).await.unwrap().card.id;
    let keyless = write(NewCard { model: None, ..new("keyless", Vec::new()) }).await;
    let first = write(new("waits", vec![keyless])).await;
    let second = write(new("waits for that", vec![first])).await;
    let third = write(new("waits for all", vec![second, keyless])).await;
    let window = Window {
        days: Day::ALL.to_vec(),
        from: "22:00".to_owned(),
        until: "07:00".to_owned(),
        time_zone: "UTC".to_owned(),
    };
    let change = OrderChange { window: Some(Some(window)), ..OrderChange::default() };
    let midnight = clock.now();
    hall.team.start_auto_mode(hall.anna.id, project.id, change).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(reports(&hall).await, [], "the night is not over");
    clock.advance(Duration::hours(7) + Duration::minutes(1));
    let report = nth(&hall, 1).await;
    assert_eq!((report.cause, report.from), (ReportCause::WindowClosed, midnight - Duration::hours(2)));
    assert_eq!(report.body.headline(), "Nothing was built, 4 did not begin.");
    let told: Vec<(i64, Vec<i64>, &str)> = report
        .body
        .not_begun
        .iter()
        .map(|group| {
            let numbers = group.cards.iter().map(|card| card.number).collect();
            (group.count, numbers, group.waiting.message.as_str())
        })
        .collect();
    assert_eq!(told[0], (3, vec![2, 3, 4], "Waits for #1 keyless."), "the chain waits for its first");
    assert_eq!((told[1].0, &told[1].1, told.len()), (1, &vec![1], 2));
    assert!(told[1].2.contains("key"), "{told:?}");
    let notifications = hall.team.store.notifications(hall.anna.id, None, false, 50).await.unwrap().page.items;
    assert_eq!(notifications.iter().map(|one| one.kind.as_str()).collect::<Vec<_>>(), ["morning-report.ready"]);

    // Once: not each minute, and not after a restart.
    hall.die_and_start_again().await;
    clock.advance(Duration::hours(3));
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(reports(&hall).await.len(), 1);
    // A night of which there is nothing to tell is over all the same: what comes by day is no part of it.
    for id in [third, second, first, keyless] {
        team.store.delete_feature(id).await.unwrap();
    }
    clock.advance(Duration::days(1));
    let told = async || {
        let (_, told) = team.store.report_settings(anna.id).await.unwrap();
        told.filter(|told| *told > midnight + Duration::days(1))
    };
    hall.until("the end of the second night", told).await;
    write(NewCard { model: None, ..new("late", Vec::new()) }).await;
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(reports(&hall).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_of_a_night_says_what_it_left() {
    let clock = FixedClock::default();
    let lease = std::time::Duration::from_secs(90 * 24 * 3600);
    let hall = Hall::clocked(Config::default(), Arc::new(clock.clone()), lease).await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let root = card(&hall, &project, "root", &[write("a.txt"), json!({ "say": "Done." })]).await;
    let idle = card(&hall, &project, "idle", &[json!({ "say": "It is so already." })]).await;
    for title in ["second", "third"] {
        let new = NewCard {
            title: Some(title.to_owned()),
            description: "x".to_owned(),
            model: Some("simulated".to_owned()),
            dependencies: vec![root],
            ..NewCard::default()
        };
        hall.team.create_feature(&hall.anna, project.id, new).await.unwrap();
    }
    hall.team.start_auto_mode(hall.anna.id, project.id, OrderChange::default()).await.unwrap();
    // A person is to look at it, and two wait for that.
    hall.reaches(root, FeatureStatus::WaitingApproval).await;
    hall.reaches(idle, FeatureStatus::WaitingApproval).await;
    clock.advance(Duration::minutes(16));
    let report = nth(&hall, 1).await;
    assert_eq!(report.cause, ReportCause::Rest);
    let mut told: Vec<_> =
        report.body.cards.iter().map(|card| (card.title.as_str(), card.outcome, card.changed_nothing)).collect();
    told.sort_by_key(|card| card.0);
    assert_eq!(told, [("idle", Outcome::WaitsForApproval, true), ("root", Outcome::WaitsForApproval, false)]);
    let idle = report.body.cards.iter().find(|card| card.changed_nothing).unwrap();
    assert_eq!(idle.next.as_deref(), Some("Read what the agent says; then tell it more, or take it for done."));
    assert_eq!(report.body.headline(), "2 cards were built, 2 wait for you, 2 did not begin.");
    let [group] = report.body.not_begun.as_slice() else { panic!("{:?}", report.body.not_begun) };
    assert_eq!((group.count, group.waiting.message.as_str()), (2, "Waits for #1 root."));
    // The morning after has no news of this night; the one after that says that they wait still.
    clock.advance(Duration::hours(8));
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(reports(&hall).await.len(), 1);
    clock.advance(Duration::days(1));
    let second = nth(&hall, 2).await;
    assert_eq!(
        (second.cause, second.body.headline()),
        (ReportCause::Morning, "Nothing was built, 2 did not begin.".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_did_not_begin_is_counted() {
    let clock = FixedClock::default();
    let lease = std::time::Duration::from_secs(90 * 24 * 3600);
    let hall = Hall::clocked(Config::default(), Arc::new(clock.clone()), lease).await;
    let project = project(&hall).await;
    // More than are looked at, and no key for any.
    for n in 0..305 {
        let new = NewCard { title: Some(n.to_string()), description: "x".to_owned(), ..NewCard::default() };
        hall.team.create_feature(&hall.anna, project.id, new).await.unwrap();
    }
    let window = Window {
        days: Day::ALL.to_vec(),
        from: "22:00".to_owned(),
        until: "07:00".to_owned(),
        time_zone: "UTC".to_owned(),
    };
    let change = OrderChange { window: Some(Some(window)), ..OrderChange::default() };
    let mode = hall.team.start_auto_mode(hall.anna.id, project.id, change).await.unwrap();
    assert_eq!(mode.backlog, 305);
    clock.advance(Duration::hours(7) + Duration::minutes(1));
    let report = nth(&hall, 1).await;
    assert_eq!(report.body.headline(), "Nothing was built, 305 did not begin.");
    let [keyless, behind] = report.body.not_begun.as_slice() else { panic!("{:?}", report.body.not_begun) };
    assert_eq!((keyless.count, keyless.cards.len()), (300, 20));
    assert_eq!((behind.count, behind.cards.len()), (5, 0));
    assert!(
        behind.waiting.message.starts_with("The window opens at "),
        "nobody looked what else they lack: {behind:?}"
    );
}
