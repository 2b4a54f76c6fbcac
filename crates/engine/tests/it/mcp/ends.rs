//! How calls end that nobody waits for any more, and servers that say too much.

use guildhall_types::feature::FeatureStatus;
use guildhall_types::project::ProjectSource;
use serde_json::json;

use super::calls;
use crate::harness::Hall;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_given_up_is_told_to_its_server_which_then_ends() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    hall.known(&project, 60).await;
    for everybody in [false, true] {
        let id = hall.scripted(&project, &calls(&[("wait", json!({}))])).await;
        let tree = async || {
            let run = hall.feature(id).await.card.run_id?;
            let tree = hall.team.places.run(run).join("tree");
            tree.join("noted-begun").exists().then_some(tree)
        };
        let tree = hall.until("the call", tree).await;
        match everybody {
            true => assert_eq!(hall.team.stop_all(&hall.anna).await.unwrap().0, 1),
            false => drop(hall.team.stop(id).await.unwrap()),
        }
        let ended = async || tree.join("noted-ended").exists().then_some(());
        hall.until("the end of its server", ended).await;
        let told = std::fs::read_to_string(tree.join("noted-told")).unwrap();
        assert_eq!(told, "told true", "which call was given up");
        assert_eq!(hall.feature(id).await.card.status, FeatureStatus::Paused);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_was_cut_off_by_a_death_is_told_as_that_and_not_made_again() {
    let mut hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    hall.known(&project, 60).await;
    let script = calls(&[("once", json!({})), ("echo", json!({ "text": "still there" }))]);
    let id = hall.scripted(&project, &script).await;
    let run = hall.until("the run", async || hall.feature(id).await.card.run_id).await;
    let counted = hall.team.places.run(run).join("tree/calls.txt");
    hall.until("the call", async || std::fs::read_to_string(&counted).ok().filter(|calls| calls == "x")).await;
    hall.die_and_start_again().await;
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
    let answers = hall.answers(id).await;
    assert!(answers[0].0 && answers[0].1.contains("stopped in the middle of this call"), "{answers:?}");
    assert!(!answers[1].0 && answers[1].1.contains("still there"), "its server is started anew: {answers:?}");
    let calls = std::fs::read_to_string(&counted).unwrap_or_default();
    assert!(calls.len() <= 1, "{calls}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_floods_with_notices_is_cut_off() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    hall.known(&project, 60).await;
    let id = hall.scripted(&project, &calls(&[("notices", json!({})), ("echo", json!({ "text": "hi" }))])).await;
    hall.rests(id).await;
    let answers = hall.answers(id).await;
    assert!(answers[0].0 && answers[0].1.contains("over 10,000 messages that nobody asked for"), "{answers:?}");
    assert!(!answers[1].0, "it is started once more: {answers:?}");
}
