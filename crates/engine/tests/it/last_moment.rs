//! A stop in the last moment: what was paid is billed, and what was not yet merged is not.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use chrono::Duration;
use guildhall_store::{ProjectPatch, UsageQuery};
use guildhall_types::boundary;
use guildhall_types::feature::FeatureStatus;
use guildhall_types::project::{AfterWork, ProjectSettings, ProjectSource};
use serde_json::json;

use crate::harness::{Hall, script};
use crate::night::{card, project, say, write};

/// Holds whoever comes to a boundary for the first time, until they are let go.
fn held_at(place: &'static str) -> (Receiver<()>, Sender<()>) {
    let ((comes, came), (go, goes)) = (channel(), channel());
    let once = Mutex::new(Some((comes, goes)));
    boundary::watch(move |name| {
        if name == place
            && let Some((comes, goes)) = once.lock().unwrap().take()
        {
            comes.send(()).unwrap();
            goes.recv().unwrap();
        }
    });
    (came, go)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_answer_that_is_there_when_somebody_stops_the_run_is_in_the_ledger() {
    let (came, go) = held_at("call.answered");
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let id = hall.card(&project, &script(&[json!({ "say": "Done." })])).await;
    hall.start(id).await;
    tokio::task::spawn_blocking(move || came.recv().unwrap()).await.unwrap();
    hall.team.stop(id).await.unwrap();
    go.send(()).unwrap();
    let now = hall.team.clock.now();
    let all = UsageQuery { from: now - Duration::days(1), to: now + Duration::days(1), project: None, member: None };
    let billed = async || Some(hall.team.store.usage_total(&all).await.unwrap()).filter(|sums| sums.calls > 0);
    let billed = hall.until("the call in the ledger", billed).await;
    assert_eq!((billed.calls, hall.sim.requests().len()), (1, 1));
    assert!(hall.team.store.turns(hall.feature(id).await.card.run_id.unwrap()).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_stopped_after_its_checks_is_not_merged() {
    let (came, go) = held_at("merge.land");
    let hall = Hall::open().await;
    let project = project(&hall, &["true"], AfterWork::Merge, 0).await;
    let id = card(&hall, &project, &[write("a.txt", "a\n"), say("Done.")], &[]).await;
    hall.start(id).await;
    tokio::task::spawn_blocking(move || came.recv().unwrap()).await.unwrap();
    hall.team.stop_all(&hall.anna).await.unwrap();
    go.send(()).unwrap();
    let nobody = async || (hall.engine.stats().await.active_runs == 0).then_some(());
    hall.until("an end", nobody).await;
    assert_eq!(hall.feature(id).await.card.status, FeatureStatus::Paused);
    assert_eq!(hall.text_at_main(&project, "a.txt").await, None);
    // It can go on, and is merged then.
    hall.team.retry(hall.anna.id, id).await.unwrap();
    hall.reaches(id, FeatureStatus::Completed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_its_agent_did_after_a_merge_that_was_never_noted_is_merged_too() {
    let hall = Hall::open().await;
    let before = project(&hall, &["true"], AfterWork::Verify, 0).await;
    let id = card(&hall, &before, &[write("a.txt", "a\n"), say("Done.")], &[]).await;
    hall.start(id).await;
    hall.reaches(id, FeatureStatus::Verified).await;
    // It came on the branch, and the server died.
    let feature = hall.feature(id).await;
    let run = hall.team.store.run(feature.card.run_id.unwrap()).await.unwrap().unwrap();
    let repo = guildhall_git::Repo::open(&hall.team.places.repository(before.id)).unwrap();
    let tip = repo.branch(&before.default_branch).await.unwrap().unwrap();
    let head = guildhall_git::Oid::parse(run.head_commit.as_deref().unwrap()).unwrap();
    hall.team.land(&before, &feature, &run, &head, &tip).await.unwrap();
    // What is asked then is done, and is not taken for what is on the branch already.
    let settings = ProjectSettings { after_work: AfterWork::Merge, ..before.settings.clone() };
    let patch = ProjectPatch { settings: Some(settings), ..ProjectPatch::default() };
    let project = hall.team.update_project(before.id, patch).await.unwrap();
    let more = script(&[write("b.txt", "b\n"), say("Done, too.")]);
    hall.team.follow_up(hall.anna.id, id, &more).await.unwrap();
    hall.reaches(id, FeatureStatus::Completed).await;
    assert_eq!(hall.text_at_main(&project, "a.txt").await.as_deref(), Some("a\n"));
    assert_eq!(hall.text_at_main(&project, "b.txt").await.as_deref(), Some("b\n"));
}
