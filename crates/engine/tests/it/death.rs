//! What is left when a run is stopped or its server dies.

use std::collections::HashSet;
use std::time::Duration;

use guildhall_sim::Config;
use guildhall_types::chat::Block;
use guildhall_types::feature::FeatureStatus;
use serde_json::json;

use crate::harness::Hall;

/// A script of `n` turns, each of which writes a file of its own.
fn writes(n: usize) -> Vec<serde_json::Value> {
    let mut lines: Vec<_> = (1..=n)
        .map(|turn| {
            json!({ "say": format!("Turn {turn}."), "tools": [
            ["write", { "path": format!("t{turn}.txt"), "content": format!("{turn}\n") }],
            ["bash", { "command": format!("echo {turn} >> log.txt") }],
        ] })
        })
        .collect();
    lines.push(json!({ "say": "All done." }));
    lines
}

/// Every turn is saved once, with its results. A turn whose tools ran has its files in the work; one that was cut off is
/// told to the model as such, and has left nothing behind. Returns how many were cut off.
async fn holds_the_whole_work(hall: &Hall, id: guildhall_types::FeatureId, turns: usize) -> usize {
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
    let run = hall.team.store.run(feature.card.run_id.unwrap()).await.unwrap().unwrap();
    let saved = hall.team.store.turns(run.id).await.unwrap();
    assert_eq!(saved.len(), turns + 1);
    let (_, repo) = hall.team.ready_project(feature.card.project_id).await.unwrap();
    let head = guildhall_git::Oid::parse(run.head_commit.as_ref().or(run.base_commit.as_ref()).unwrap()).unwrap();
    let mut cut_off = 0;
    for turn in &saved[..turns] {
        let results = turn.results.as_ref().unwrap();
        assert_eq!(results.len(), 2, "one result for each call");
        let told = results.iter().filter(|result| {
            matches!(result, Block::ToolResult { is_error: true, content, .. } if content.contains("stopped in the middle"))
        });
        let told = told.count();
        assert!(told == 0 || told == 2, "{results:?}");
        cut_off += told / 2;
        let file = repo.file_at(&head, &format!("t{}.txt", turn.number), 100).await.unwrap();
        assert_eq!(file.is_some(), told == 0, "the file of turn {}", turn.number);
    }
    cut_off
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_goes_on_after_its_server_died_at_any_turn() {
    let slow = Config { per_word: Duration::from_millis(15), ..Config::default() };
    let mut hall = Hall::with(slow).await;
    let project = hall.project("p", guildhall_types::project::ProjectSource::Empty).await;
    let id = hall.scripted(&project, &writes(6)).await;
    for wanted in 1..=6 {
        let store = hall.team.store.clone();
        hall.until("the next turn", async || {
            let run = hall.feature(id).await.card.run_id?;
            let run = store.run(run).await.unwrap()?;
            (run.turns >= wanted || !run.status.is_live()).then_some(())
        })
        .await;
        hall.die_and_start_again().await;
    }
    assert!(holds_the_whole_work(&hall, id, 6).await > 0, "at least one turn was cut off");
    let run = hall.team.store.run(hall.feature(id).await.card.run_id.unwrap()).await.unwrap().unwrap();
    assert!(run.attempt > 3, "it was taken up again: {}", run.attempt);

    // No finished turn was asked for twice: a conversation that ends in the same results never reached the provider
    // again once its answer was saved.
    let saved = hall.team.store.turns(run.id).await.unwrap();
    let ids: HashSet<String> =
        saved.iter().flat_map(|turn| turn.answer.tool_uses().map(|(id, _, _)| id.to_owned())).collect();
    assert_eq!(ids.len(), 12, "each tool call is there once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_stops_a_run_and_goes_on_later() {
    let slow = Config { per_word: Duration::from_millis(20), ..Config::default() };
    let hall = Hall::with(slow).await;
    let project = hall.project("p", guildhall_types::project::ProjectSource::Empty).await;
    let id = hall.scripted(&project, &writes(4)).await;
    hall.until("two turns", async || {
        let run = hall.team.store.run(hall.feature(id).await.card.run_id?).await.unwrap()?;
        (run.turns >= 2).then_some(())
    })
    .await;
    hall.team.stop(id).await.unwrap();
    assert_eq!(hall.feature(id).await.card.status, FeatureStatus::Paused);
    hall.until("an idle engine", async || (hall.engine.stats().await.active_runs == 0).then_some(())).await;
    hall.team.retry(hall.anna.id, id).await.unwrap();
    holds_the_whole_work(&hall, id, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worktree_that_was_deleted_comes_back() {
    let hall = Hall::open().await;
    let project = hall.project("p", guildhall_types::project::ProjectSource::Empty).await;
    let id = hall.scripted(&project, &writes(2)).await;
    let feature = hall.rests(id).await;
    std::fs::remove_dir_all(hall.team.places.run(feature.card.run_id.unwrap())).unwrap();
    let more = crate::harness::script(&[
        json!({ "tools": [["bash", { "command": "cat t1.txt t2.txt > both.txt && git status --short" }]] }),
        json!({ "say": "Done again." }),
    ]);
    hall.team.follow_up(hall.anna.id, id, &more).await.unwrap();
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
    let diff = hall.team.diff(id).await.unwrap();
    let both = diff.files.iter().find(|file| file.new_path == "both.txt").unwrap();
    assert_eq!(both.additions, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_runs_is_ended_with_its_run() {
    let hall = Hall::open().await;
    let project = hall.project("p", guildhall_types::project::ProjectSource::Empty).await;
    let lines =
        [json!({ "tools": [["bash", { "command": "echo begun > begun.txt; sleep 300" }]] }), json!({ "say": "Done." })];
    let id = hall.scripted(&project, &lines).await;
    let begun = async || {
        let run = hall.feature(id).await.card.run_id?;
        hall.team.places.run(run).join("tree/begun.txt").exists().then_some(())
    };
    hall.until("the command", begun).await;
    hall.team.stop(id).await.unwrap();
    hall.until("an idle engine", async || (hall.engine.stats().await.active_runs == 0).then_some(())).await;
    assert!(hall.engine.shutdown(Duration::from_secs(5)).await, "nothing is left at work");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stopped_call_had_used_is_billed() {
    let slow = Config { per_word: Duration::from_millis(300), ..Config::default() };
    let hall = Hall::with(slow).await;
    let project = hall.project("p", guildhall_types::project::ProjectSource::Empty).await;
    let id = hall.scripted(&project, &[json!({ "say": "word ".repeat(200) })]).await;
    hall.until("its first words", async || (!hall.bus.live_so_far().is_empty()).then_some(())).await;
    hall.team.stop(id).await.unwrap();
    let run = hall.feature(id).await.card.run_id.unwrap();
    let billed = async || {
        let run = hall.team.store.run(run).await.unwrap()?;
        (run.usage.output_tokens > 0 && run.turns == 0).then_some(run.status)
    };
    assert_eq!(hall.until("the bill", billed).await, guildhall_types::run::RunStatus::Stopped);
}
