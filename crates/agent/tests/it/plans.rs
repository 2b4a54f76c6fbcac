//! Plans that a person approves before any file is changed.

use std::path::Path;

use guildhall_agent::{Ended, Job, Toolbox, tools};
use guildhall_sandbox::{Isolation, Room, Sandbox, Workspace};
use guildhall_types::feature::PlanningMode;
use guildhall_types::plan::PlanApproval;
use serde_json::json;

use crate::house::{Cut, House, done, failed, script};

fn toolbox(dir: &Path, approval: PlanApproval) -> Toolbox {
    let room = Room::new(dir.canonicalize().unwrap());
    tools::under(PlanningMode::Spec, approval, Workspace::open(dir).unwrap(), Sandbox::new(Isolation::Bubblewrap), room)
}

fn job(house: &House, dir: &Path, prompt: &str, approval: PlanApproval) -> Job {
    Job { approval, tools: toolbox(dir, approval), ..house.job(prompt) }
}

#[track_caller]
fn proposed(ended: &Ended) {
    assert!(matches!(ended, Ended::PlanProposed), "{ended:?}");
}

const PLAN: &str = r#"{"tools": [["read", {"path": "a.txt"}], ["propose_plan", {"text": " # How\n\nSo. ", "tasks": [{"title": "One"}, {"title": "Two"}]}]]}"#;
const WRITE: &str = r#"{"tools": [["write", {"path": "new.txt", "content": "x"}]]}"#;
const DONE: &str = r#"{"say": "Done."}"#;

/// A folder with a file in it.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.txt"), "a\n").unwrap();
    dir
}

#[tokio::test]
async fn no_file_changes_before_a_plan_is_approved_and_all_may_afterwards() {
    let (house, dir) = (House::new().await, folder());
    let early = r#"{"tools": [["write", {"path": "new.txt", "content": "x"}], ["edit", {"path": "a.txt", "oldText": "a", "newText": "b"}],
        ["bash", {"command": "echo b > a.txt"}], ["bash", {"command": "cat a.txt; echo tmp > /tmp/t && cat /tmp/t"}]]}"#
        .replace('\n', " ");
    let prompt = script(&[&early, PLAN, WRITE, DONE]);
    proposed(&house.run(job(&house, dir.path(), &prompt, PlanApproval::Awaited)).await);
    let results = house.book.results(1);
    assert!(results[..2].iter().all(|(text, failed)| *failed && text.contains("propose_plan")), "{results:?}");
    assert!(results[2].1 && results[2].0.contains("has approved your plan"), "{results:?}");
    assert_eq!(results[3], ("a\ntmp\n(exit code 0)".to_owned(), false));
    assert_eq!(std::fs::read_to_string(dir.path().join("a.txt")).unwrap(), "a\n");
    assert!(!dir.path().join("new.txt").exists());
    assert_eq!(house.book.pages().changed, [false, false]);
    let plan = house.book.pages().proposals.clone();
    assert_eq!((plan.len(), plan[0].text.as_str(), plan[0].tasks[1].title.as_str()), (1, "# How\n\nSo.", "Two"));

    house.book.say("<note>A member approved your plan.</note>");
    assert_eq!(done(house.run(job(&house, dir.path(), &prompt, PlanApproval::Given)).await), "Done.");
    assert!(dir.path().join("new.txt").exists());
    // The model is told the same tools throughout, and the conversation only grows: its cache holds.
    let requests = house.sim.requests();
    assert_eq!(requests.len(), 4);
    assert!(requests.iter().all(|request| request["tools"] == requests[0]["tools"]));
    assert!(requests[0]["tools"].to_string().contains("propose_plan"));
    assert!(requests[3]["messages"].to_string().contains("approved your plan"));
}

#[tokio::test]
async fn without_approval_nothing_is_held() {
    let (house, dir) = (House::new().await, folder());
    let prompt = script(&[WRITE, DONE]);
    done(house.run(job(&house, dir.path(), &prompt, PlanApproval::NotNeeded)).await);
    assert!(dir.path().join("new.txt").exists());
    assert!(house.sim.requests()[0]["tools"].to_string().contains("Nobody has to approve it"));
}

#[tokio::test]
async fn after_a_cut_anywhere_a_plan_is_there_once_and_no_saved_answer_is_paid_twice() {
    let prompt = script(&[r#"{"tools": [["read", {"path": "a.txt"}]]}"#, PLAN, WRITE, DONE]);
    let dir = folder();
    let whole = House::new().await;
    proposed(&whole.run(job(&whole, dir.path(), &prompt, PlanApproval::Awaited)).await);
    let entries = whole.book.pages().entries.len();
    assert!(entries >= 8, "{entries}");
    for at in 1..=entries {
        for cut in [Cut::Before(at), Cut::After(at)] {
            let house = House::new().await;
            let job = || job(&house, dir.path(), &prompt, PlanApproval::Awaited);
            assert!(house.run_cut(job(), cut).await.is_none(), "{cut:?} was not reached");
            proposed(&house.run(job()).await);
            // Once more, as after a stop and a retry while the plan waits: it waits on, and nothing is asked.
            proposed(&house.run(job()).await);
            let pages = house.book.pages();
            let lost = usize::from(pages.cut_in == Some("answered") && matches!(cut, Cut::Before(_)));
            assert_eq!(house.sim.requests().len(), 2 + lost, "{cut:?}");
            assert_eq!((pages.turns.len(), pages.calls.len()), (2, 2), "{cut:?}");
            assert_eq!(pages.proposals, whole.book.pages().proposals, "{cut:?}");
        }
    }
}

#[tokio::test]
async fn what_a_member_says_to_a_plan_goes_on_in_the_conversation_unapproved() {
    let (house, dir) = (House::new().await, folder());
    let second = PLAN.replace("One", "Another");
    let prompt = script(&[PLAN, WRITE, &second]);
    let job = || job(&house, dir.path(), &prompt, PlanApproval::Awaited);
    proposed(&house.run(job()).await);
    house.book.say("Think again.");
    proposed(&house.run(job()).await);
    assert!(house.book.results(2)[0].1, "still held back");
    let pages = house.book.pages();
    assert_eq!(pages.proposals.len(), 2);
    assert_eq!(pages.proposals[1].tasks[0].title, "Another");
    assert!(house.sim.requests()[1].to_string().contains("Think again."));
}

#[tokio::test]
async fn an_agent_that_ends_without_a_plan_is_told_once_and_then_ended() {
    let (house, dir) = (House::new().await, folder());
    let prompt = script(&[r#"{"say": "I am done."}"#, r#"{"say": "I am, really."}"#, PLAN]);
    let job = || job(&house, dir.path(), &prompt, PlanApproval::Awaited);
    let (code, message) = failed(house.run(job()).await);
    assert_eq!((code.as_str(), house.sim.requests().len()), ("no-plan", 2), "{message}");
    assert!(house.texts(1).last().unwrap().contains("`propose_plan`"));
    // Going on without a word changes nothing, and costs nothing.
    assert_eq!(failed(house.run(job()).await).0, "no-plan");
    assert_eq!(house.sim.requests().len(), 2);

    // Told so, some do.
    let house = House::new().await;
    let prompt = script(&[r#"{"say": "I am done."}"#, PLAN]);
    proposed(
        &house
            .run(Job {
                approval: PlanApproval::Awaited,
                tools: toolbox(dir.path(), PlanApproval::Awaited),
                ..house.job(&prompt)
            })
            .await,
    );
}

#[tokio::test]
async fn a_plan_that_cannot_be_shown_is_answered_with_what_to_do() {
    let (house, dir) = (House::new().await, folder());
    let many: Vec<_> = (0..101).map(|n| json!({ "title": n.to_string() })).collect();
    let lines: Vec<String> = [
        json!({ "text": " ", "tasks": [{ "title": "x" }] }),
        json!({ "text": "x", "tasks": [] }),
        json!({ "text": "x", "tasks": [{ "title": " " }] }),
        json!({ "text": "x", "tasks": many }),
        json!({ "text": "x".repeat(50_001), "tasks": [{ "title": "x" }] }),
        json!({ "text": "x", "tasks": "none" }),
    ]
    .iter()
    .map(|input| json!({ "tools": [["propose_plan", input]] }).to_string())
    .chain([PLAN.to_owned()])
    .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    proposed(&house.run(job(&house, dir.path(), &script(&lines), PlanApproval::Awaited)).await);
    for turn in 1..=6 {
        let results = house.book.results(turn);
        assert!(results[0].1 && results[0].0.len() > 20, "{results:?}");
    }
    assert_eq!(house.book.pages().proposals.len(), 1);

    // Once a plan is approved, there is none to propose.
    let house = House::new().await;
    done(house.run(job(&house, dir.path(), &script(&[PLAN, DONE]), PlanApproval::Given)).await);
    assert!(house.book.results(1)[1].1 && house.book.pages().proposals.is_empty());
}
