//! A provider's rate limits: a state, not a failure.

use std::time::Duration;

use guildhall_sim::{Config, Quota};
use guildhall_types::feature::FeatureStatus;
use guildhall_types::project::ProjectSource;
use guildhall_types::run::RunStatus;
use serde_json::{Value, json};

use crate::harness::Hall;

fn quota(requests: i64) -> Config {
    let quota = Quota { requests, input_tokens: 10_000_000, output_tokens: 10_000_000 };
    Config { quota: Some(quota), ..Config::default() }
}

/// Calls that differ, and a last one.
fn calls(number: usize) -> Vec<Value> {
    let mut lines: Vec<Value> =
        (1..number).map(|n| json!({ "tools": [["glob", { "pattern": format!("{n}.txt") }]] })).collect();
    lines.push(json!({ "say": "Done." }));
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cards_at_work_share_a_limit_and_hardly_ever_meet_it() {
    let hall = Hall::with(quota(60)).await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let mut cards = Vec::new();
    for _ in 0..3 {
        cards.push(hall.scripted(&project, &calls(22)).await);
    }
    for card in cards {
        let feature = hall.rests(card).await;
        assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
    }
    let lanes = hall.engine.rate_limits(None);
    assert_eq!(lanes.len(), 1, "{lanes:?}");
    let state = &lanes[0].lane.state;
    assert_eq!((state.answered, state.queued, state.in_flight), (66, 0, 0));
    assert!(state.limited <= 2, "{state:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_waits_for_a_limit_in_the_queue_and_goes_on_by_itself_after_a_restart() {
    // One request refills in 15 s.
    let mut hall = Hall::with_patience(quota(4), Duration::from_secs(5)).await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let id = hall.scripted(&project, &calls(5)).await;
    let run = hall.feature(id).await.card.run_id.unwrap();
    let parked = hall
        .until("a wait in the queue", async || {
            hall.team.store.run(run).await.unwrap().filter(|run| run.parked_until.is_some())
        })
        .await;
    assert_eq!((parked.status, parked.lease_owner, parked.turns), (RunStatus::Queued, None, 4));
    assert!(parked.parked_reason.unwrap().contains("rate limit is used up"));
    assert_eq!(hall.feature(id).await.card.status, FeatureStatus::Queued);
    let waits = hall.engine.rate_limits(None);
    assert_eq!(
        (waits[0].lane.state.limited, waits[0].lane.state.queued),
        (0, 0),
        "nothing was refused, nobody stands in line"
    );

    hall.die_and_start_again().await;
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None));
    let after = hall.team.store.run(run).await.unwrap().unwrap();
    assert_eq!((after.turns, after.parked_until, after.error), (5, None, None));
    assert!(after.started_at.unwrap() >= parked.parked_until.unwrap(), "no earlier than was said");
    let told = hall.team.store.run_events(run, 0, 1_000).await.unwrap();
    let told = serde_json::to_string(&told).unwrap();
    assert!(told.contains("costs no attempt"), "{told}");
    assert_eq!(hall.sim.requests().len(), 5, "no call was made twice");
}
