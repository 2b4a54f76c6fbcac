//! A feature of the sample project, from the card to the closing words, with real tools on real files.

use std::path::Path;

use guildhall_agent::{prompt, tools};
use guildhall_sandbox::{Isolation, Room, Sandbox, Workspace};
use guildhall_types::feature::PlanningMode;
use guildhall_types::run::{RunEvent, TaskStatus};

use crate::house::{House, done};

/// A copy of the sample project.
pub fn sample() -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                std::fs::create_dir(&target).unwrap();
                copy(&entry.path(), &target);
            } else {
                std::fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    copy(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../team/sample")), dir.path());
    dir
}

pub fn toolbox(dir: &Path) -> guildhall_agent::Toolbox {
    let room = Room::new(dir.to_owned());
    tools::standard(Workspace::open(dir).unwrap(), Sandbox::new(Isolation::None), room)
}

#[tokio::test]
async fn a_feature_of_the_sample_project_is_built() {
    let dir = sample();
    let house = House::new().await;
    let workspace = Workspace::open(dir.path()).unwrap();
    let facts = prompt::Facts {
        project: "Sample".to_owned(),
        branch: "guildhall/1-todo-done".to_owned(),
        default_branch: "main".to_owned(),
        built_on: Vec::new(),
        planning: PlanningMode::Lite,
        approval: false,
        verify_commands: vec!["./test.sh".to_owned()],
        project_instructions: String::new(),
        instructions: prompt::instructions(&workspace),
        network: prompt::Reached::Nothing,
        outfit: prompt::Outfit::default(),
        known: prompt::Known::default(),
        hub: true,
        step: None,
        aside: None,
        agent: None,
    };
    let mut job = house.job("");
    job.opening = prompt::opening("Mark items as done", "Add a `todo done <number>` command.", &[]);
    job.system = prompt::system(&facts).unwrap();
    job.tools = toolbox(dir.path());
    let summary = done(house.run(job).await);
    assert!(summary.contains("todo done"), "{summary}");

    assert!(dir.path().join("commands/done.sh").exists());
    assert!(std::fs::read_to_string(dir.path().join("README.md")).unwrap().contains("./todo done 1"));
    let pages = house.book.pages();
    let mut tests_ran = false;
    for event in &pages.events {
        if let RunEvent::ToolFinished { tool, output, is_error, .. } = event {
            // `git status` finds no repository in this copy.
            assert!(!is_error || output.contains("not a git repository"), "{tool}: {output}");
            tests_ran |= tool == "bash" && output.contains("exit code 0");
        }
    }
    assert!(tests_ran);
    let plan = pages.plans.last().unwrap();
    assert!(plan.len() == 4 && plan.iter().all(|task| task.status == TaskStatus::Completed));
    drop(pages);

    // The instructions of the repository and the tools' descriptions are told to the model, the same in each call.
    let requests = house.sim.requests();
    assert!(requests[0]["system"].to_string().contains("A command is one file"));
    assert!(
        requests
            .iter()
            .all(|request| request["system"] == requests[0]["system"] && request["tools"] == requests[0]["tools"])
    );
    // In a conversation that only grows, most input comes from the cache.
    let usage = house.book.pages().turns.last().unwrap().usage;
    assert!(usage.cache_share() > 0.8, "{usage:?}");
}
