//! Tasks that are ticked off, and what each planning mode brings about.

use std::path::Path;

use guildhall_agent::{Job, ToolAnswer, Toolbox, tools};
use guildhall_sandbox::{Isolation, Room, Sandbox, Workspace};
use guildhall_types::feature::PlanningMode;
use guildhall_types::plan::PlanApproval;
use guildhall_types::run::TaskStatus;

use crate::house::{Cut, Handy, House, done, script};

fn toolbox(dir: &Path, planning: PlanningMode) -> Toolbox {
    let room = Room::new(dir.canonicalize().unwrap());
    let sandbox = Sandbox::new(Isolation::Bubblewrap);
    tools::under(planning, PlanApproval::NotNeeded, Workspace::open(dir).unwrap(), sandbox, room)
}

fn job(house: &House, dir: &Path, planning: PlanningMode, lines: &[&str]) -> Job {
    Job { tools: toolbox(dir, planning), ..house.job(&script(lines)) }
}

const TWO: &str = r#"{"tools": [["plan", {"tasks": [{"title": "One", "status": "pending"}, {"title": "Two", "status": "pending"}]}]]}"#;
const TICK: &str = r#"{"tools": [["update_tasks", {"tasks": [{"number": 1, "status": "completed"}, {"number": 2, "status": "in_progress"}]}]]}"#;
const LOOK: &str = r#"{"tools": [["glob", {"pattern": "*"}]]}"#;
const DONE: &str = r#"{"say": "Done."}"#;

#[tokio::test]
async fn tasks_are_ticked_off_by_their_numbers() {
    let (house, dir) = (House::new().await, tempfile::tempdir().unwrap());
    let early = r#"{"tools": [["update_tasks", {"tasks": [{"number": 1, "status": "completed"}]}]]}"#;
    let wrong = r#"{"tools": [["update_tasks", {"tasks": [{"number": 3, "status": "completed"}]}]]}"#;
    let nought = r#"{"tools": [["update_tasks", {"tasks": [{"number": 0, "status": "completed"}]}]]}"#;
    let lines = [early, TWO, TICK, wrong, nought, DONE];
    done(house.run(job(&house, dir.path(), PlanningMode::Lite, &lines)).await);
    assert!(house.book.results(1)[0].0.contains("Call `plan`"));
    assert_eq!(house.book.results(3)[0], ("1 of 2 tasks done:\n1. [x] One\n2. [>] Two".to_owned(), false));
    for turn in [4, 5] {
        let (text, failed) = &house.book.results(turn)[0];
        assert!(*failed && text.contains("numbered from 1 to 2"), "{text}");
    }
    let pages = house.book.pages();
    assert_eq!(pages.plans.len(), 2, "what was wrong changed nothing");
    let last: Vec<TaskStatus> = pages.plans[1].iter().map(|task| task.status).collect();
    assert_eq!(last, [TaskStatus::Completed, TaskStatus::InProgress]);
}

#[tokio::test]
async fn the_model_is_told_where_its_tasks_stand_when_it_goes_on() {
    let (house, dir) = (House::new().await, tempfile::tempdir().unwrap());
    let lines = [TWO, TICK, LOOK, DONE];
    let fresh = |house: &House| job(house, dir.path(), PlanningMode::Lite, &lines);
    let cut = {
        let other = House::new().await;
        done(other.run(fresh(&other)).await);
        let entries = other.book.pages().entries.clone();
        entries.iter().enumerate().filter(|(_, entry)| **entry == "settled").map(|(at, _)| at + 1).nth(1).unwrap()
    };
    assert!(house.run_cut(fresh(&house), Cut::After(cut)).await.is_none());
    done(house.run(fresh(&house)).await);
    let told = |request: usize| house.texts(request).iter().filter(|text| text.contains("1 of 2 tasks done")).count();
    let requests = house.sim.requests().len();
    assert_eq!((told(requests - 2), told(requests - 1)), (1, 1), "once, and it stays in the conversation");
    assert!(house.texts(requests - 2).last().unwrap().contains("2. [>] Two"), "in what is said last");
    // Whoever is not interrupted keeps its tasks in mind.
    assert_eq!(told(requests - 3), 0);
}

#[tokio::test]
async fn a_summary_says_where_the_tasks_stand() {
    let (house, dir) = (House::new().await, tempfile::tempdir().unwrap());
    let pour = r#"{"tools": [["pour", {}]]}"#;
    let lines = [TWO, TICK, pour, pour, pour, pour, pour, pour, pour, pour, DONE];
    let mut job = job(&house, dir.path(), PlanningMode::Lite, &lines);
    job.context_window = Some(40_000);
    job.tools = job.tools.clone().with(vec![Handy::tool("pour", false, |_, call| {
        ToolAnswer::ok(format!("{call} {}", "x".repeat(if call <= 7 { 20_000 } else { 10 })))
    })]);
    done(house.run(job).await);
    let pages = house.book.pages();
    let summaries: Vec<&str> =
        pages.turns.iter().filter_map(|turn| turn.compacted.as_ref()).map(|made| made.summary.as_str()).collect();
    assert!(!summaries.is_empty());
    assert!(summaries.iter().all(|summary| summary.ends_with("1. [x] One\n2. [>] Two")), "{summaries:?}");
}

#[tokio::test]
async fn a_specification_is_kept_and_the_work_goes_on_and_a_full_plan_has_phases() {
    let names = |planning| {
        let dir = tempfile::tempdir().unwrap();
        toolbox(dir.path(), planning).names().map(str::to_owned).collect::<Vec<String>>()
    };
    for (planning, proposes) in [
        (PlanningMode::Skip, false),
        (PlanningMode::Lite, false),
        (PlanningMode::Spec, true),
        (PlanningMode::Full, true),
    ] {
        assert_eq!(names(planning).contains(&"propose_plan".to_owned()), proposes, "{planning}");
    }

    let propose = r##"{"tools": [["propose_plan", {"text": "# Spec", "tasks": [{"title": "One"}]}]]}"##;
    let (house, dir) = (House::new().await, tempfile::tempdir().unwrap());
    done(house.run(job(&house, dir.path(), PlanningMode::Spec, &[propose, DONE])).await);
    assert!(house.book.results(1)[0].0.contains("Go on with the first"));
    assert_eq!(house.book.pages().proposals[0].text, "# Spec");

    let phased =
        r##"{"tools": [["propose_plan", {"text": "# Full", "tasks": [{"title": "One", "phase": "1. Groundwork"}]}]]}"##;
    let (house, dir) = (House::new().await, tempfile::tempdir().unwrap());
    done(house.run(job(&house, dir.path(), PlanningMode::Full, &[propose, TWO, phased, DONE])).await);
    for turn in [1, 2] {
        let (text, failed) = &house.book.results(turn)[0];
        assert!(*failed && text.contains("its `phase`"), "{text}");
    }
    let pages = house.book.pages();
    assert_eq!(pages.proposals.len(), 1);
    assert_eq!(pages.proposals[0].tasks[0].phase.as_deref(), Some("1. Groundwork"));
}
