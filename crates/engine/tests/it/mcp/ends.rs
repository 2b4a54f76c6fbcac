//! How calls end that nobody waits for any more, and servers that say too much, take too much, hang or die.

use guildhall_engine::LIMITS;
use guildhall_team::{McpServerWishes, McpValueWish};
use guildhall_types::feature::FeatureStatus;
use guildhall_types::limits::Limits;
use guildhall_types::project::ProjectSource;
use serde_json::{Value, json};

use super::{ALL, KEY, calls};
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_held_to_the_room_of_its_worktree_and_what_ended_it_is_told() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    hall.known(&project, 60).await;
    let limits = Limits { max_disk_mb_per_worktree: 20, ..Limits::default() };
    hall.team.store.put_settings(&[(LIMITS, serde_json::to_value(limits).unwrap())]).await.unwrap();
    let id = hall.scripted(&project, &calls(&[("fill", json!({}))])).await;
    hall.rests(id).await;
    let answers = hall.answers(id).await;
    let (failed, says) = &answers[0];
    assert!(*failed && says.contains("broke off in the middle of the call"), "{answers:?}");
    assert!(says.contains("and may have 20 MB") && says.contains("Delete what is not needed"), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_hangs_or_floods_ends_alone_and_is_started_once_more() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let server = hall.known(&project, 4).await;
    let echo = ("echo", json!({ "text": "hi" }));
    let run = async |tools: &[(&str, Value)]| {
        let id = hall.scripted(&project, &calls(tools)).await;
        let feature = hall.rests(id).await;
        assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
        hall.answers(id).await
    };
    let answers = run(&[("die", json!({})), echo.clone(), ("die", json!({})), echo.clone()]).await;
    assert!(answers[0].0 && answers[0].1.contains("exit code 9"), "{answers:?}");
    assert!(answers[0].1.contains("the key was [secret KEY]"), "its last words, without the secret: {answers:?}");
    assert!(!answers[1].0, "it was started again: {answers:?}");
    assert!(answers[3].0 && answers[3].1.contains("cannot be used in this run"), "and once only: {answers:?}");
    let answers = run(&[("flood", json!({})), echo.clone()]).await;
    assert!(answers[0].0 && answers[0].1.contains("over 4 MiB") && !answers[1].0, "{answers:?}");
    let answers = run(&[("hang", json!({})), echo]).await;
    assert!(answers[0].0 && answers[0].1.contains("within 4 seconds") && !answers[1].0, "{answers:?}");

    // Tools that no agent could have are named, and the others are there.
    let value = |name: &str, value: &str, secret| McpValueWish::new(name.to_owned(), Some(value.to_owned()), secret);
    let of_mode = |mode: &str, seconds| McpServerWishes {
        values: Some(vec![
            value("SERVER", include_str!("odd.py"), false),
            value("MODE", mode, false),
            value("KEY", KEY, true),
        ]),
        timeout_seconds: Some(seconds),
        ..McpServerWishes::default()
    };
    hall.team.change_mcp_server(hall.by(), server.id, of_mode("leaky", 30)).await.unwrap();
    let tried = hall.engine.try_mcp_server(&hall.team, hall.by(), server.id, None).await.unwrap();
    let test = tried.test.unwrap();
    let left = test.left_out.unwrap();
    assert!(test.problem.is_none() && left.contains("leak, because") && left.contains("either, because"), "{left}");
    assert_eq!(tried.tools.len(), ALL.len());

    // A test says what is wrong, and what a server writes of its secrets is told to nobody.
    for (mode, says) in [("garbage", "is not MCP; it printed: Hello!"), ("broken", "exit code 3")] {
        hall.team.change_mcp_server(hall.by(), server.id, of_mode(mode, 2)).await.unwrap();
        let tried = hall.engine.try_mcp_server(&hall.team, hall.by(), server.id, None).await.unwrap();
        let test = tried.test.unwrap();
        let problem = test.problem.unwrap();
        assert!(problem.contains(says), "{problem}");
        if mode == "broken" {
            assert_eq!(test.stderr.as_deref(), Some("cannot read [secret KEY]"));
        }
        assert_eq!(tried.tools.len(), ALL.len(), "what was approved stays known");
    }
    hall.has_leaked_nothing().await;
}
