//! What checks speak of: the files of a commit, and all that is changed.

use std::path::PathBuf;

use guildhall_store::ProjectPatch;
use guildhall_types::FeatureId;
use guildhall_types::event::Happening;
use guildhall_types::feature::FeatureStatus;
use guildhall_types::project::{AfterWork, Project, ProjectSettings, ProjectSource};
use guildhall_types::run::{CheckStatus, Run, RunEvent};
use guildhall_types::service::ServiceStatus;
use guildhall_types::trial::TrialStatus;
use serde_json::json;

use crate::harness::Hall;

impl Hall {
    /// A project with these checks, which an agent is not asked to mend.
    async fn checked_by(&self, checks: &[&str], after_work: AfterWork) -> Project {
        let project = self.project("p", ProjectSource::Empty).await;
        let verify_commands = checks.iter().map(|line| (*line).to_owned()).collect();
        let settings = ProjectSettings {
            verify_commands,
            repairs: 0,
            after_work,
            ask_what_to_keep: false,
            ..project.settings.clone()
        };
        let patch = ProjectPatch { settings: Some(settings), ..ProjectPatch::default() };
        self.team.update_project(project.id, patch).await.unwrap();
        project
    }

    /// A file of a run as its latest commit holds it.
    async fn text_in(&self, project: &Project, run: &Run, path: &str) -> Option<String> {
        let (_, repo) = self.team.ready_project(project.id).await.unwrap();
        let head = guildhall_git::Oid::parse(run.head_commit.as_deref().unwrap()).unwrap();
        match repo.file_at(&head, path, 1 << 20).await.unwrap()? {
            guildhall_git::Blob::Bytes(bytes) => Some(String::from_utf8(bytes).unwrap()),
            guildhall_git::Blob::TooLarge(size) => panic!("{size} bytes"),
        }
    }

    fn tree(&self, run: &Run) -> PathBuf {
        self.team.places.run(run.id).join("tree")
    }

    async fn noted_in(&self, run: &Run) -> Vec<String> {
        let events = self.team.store.run_events(run.id, 0, 10_000).await.unwrap();
        let note = |event: guildhall_types::event::Event| match event.what {
            Happening::Run { event: RunEvent::Note { text }, .. } => Some(text),
            _ => None,
        };
        events.into_iter().filter_map(note).collect()
    }

    async fn writes(&self, project: &Project, path: &str, text: &str) -> FeatureId {
        let lines = [json!({ "tools": [["write", { "path": path, "content": text }]] }), json!({ "say": "Done." })];
        let id = self.scripted(project, &lines).await;
        self.rests(id).await;
        id
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_service_changed_is_in_the_work_that_is_found_good() {
    let hall = Hall::open().await;
    let project = hall.checked_by(&["grep -q formatted a.txt"], AfterWork::Verify).await;
    let id = hall.writes(&project, "a.txt", "raw\n").await;
    let feature = hall.feature(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval);
    let before = hall.latest_run(id).await;
    let wish = ("format", "echo formatted > a.txt", None);
    hall.engine.start_service(&hall.team, &hall.anna, before.id, wish).await.unwrap();
    let ended = async || {
        let service = hall.team.store.service(before.id, "format").await.unwrap().unwrap();
        (service.status != ServiceStatus::Running).then_some(())
    };
    hall.until("the end of the service", ended).await;
    hall.team.verify(id).await.unwrap();
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::Verified, None));
    let run = hall.latest_run(id).await;
    assert_ne!(run.head_commit, before.head_commit);
    assert_eq!(hall.text_in(&project, &run, "a.txt").await.as_deref(), Some("formatted\n"));
    let checks = hall.team.store.checks(run.id).await.unwrap();
    assert_eq!((checks[0].status, &checks[0].commit_id), (CheckStatus::Passed, &run.head_commit));
    let notes = hall.noted_in(&run).await;
    assert!(notes.iter().any(|note| note.contains("in Anna's name") && note.contains(": a.txt.")), "{notes:?}");
    hall.team.merge(&hall.anna, id, None).await.unwrap();
    assert_eq!(hall.text_at_main(&project, "a.txt").await.as_deref(), Some("formatted\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_watcher_wrote_after_the_last_turn_is_in_the_work_that_is_found_good() {
    let hall = Hall::open().await;
    let project = hall.checked_by(&["test -s gen.txt"], AfterWork::Verify).await;
    let watch = "i=0; while sleep 0.02; do i=$((i + 1)); echo $i > next; mv next gen.txt; done";
    let lines = [
        json!({ "tools": [["write", { "path": "a.txt", "content": "a\n" }], ["service_start", { "name": "watch", "command": watch }]] }),
        json!({ "delay_ms": 500, "say": "Done." }),
    ];
    let id = hall.scripted(&project, &lines).await;
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::Verified, None));
    let run = hall.latest_run(id).await;
    let left = std::fs::read_to_string(hall.tree(&run).join("gen.txt")).unwrap();
    assert_eq!(hall.text_in(&project, &run, "gen.txt").await, Some(left));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_check_passes_on_what_another_one_wrote() {
    let hall = Hall::open().await;
    let writes = "echo generated > gen.txt; echo more >> a.txt; mkdir -p out; echo kept > out/cached";
    let project = hall.checked_by(&[writes, "cat out/cached; grep -q generated gen.txt"], AfterWork::Merge).await;
    let lines = [
        json!({ "tools": [["write", { "path": "a.txt", "content": "a\n" }], ["write", { "path": ".gitignore", "content": "out\n" }]] }),
        json!({ "say": "Done." }),
    ];
    let id = hall.scripted(&project, &lines).await;
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval);
    let problem = feature.card.error.unwrap();
    assert_eq!(problem.code, "checks-failed");
    assert!(problem.message.contains("` wrote a.txt, gen.txt."), "{problem:?}");
    assert!(problem.hint.contains("one check of both"), "{problem:?}");
    let run = hall.latest_run(id).await;
    let checks = hall.team.store.checks(run.id).await.unwrap();
    let told: Vec<(CheckStatus, &str)> = checks.iter().map(|check| (check.status, check.output.trim())).collect();
    assert_eq!(told[0], (CheckStatus::Failed, "kept\ngrep: gen.txt: No such file or directory"));
    assert!(told[1].0 == CheckStatus::Passed && told[1].1.contains("taken away again: a.txt, gen.txt.)"), "{told:?}");
    let read = |name: &str| std::fs::read_to_string(hall.tree(&run).join(name)).ok();
    assert_eq!((read("a.txt").as_deref(), read("gen.txt")), (Some("a\n"), None));
    assert_eq!(hall.text_at_main(&project, "a.txt").await, None);

    // A trial says the same, and both in one are a check that finds what it made.
    let both = |lines: &[&str]| Some(lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>());
    let mut of_both = Vec::new();
    for lines in [both(&["echo x > gen.txt", "test -e gen.txt"]), both(&["echo x > gen.txt && test -e gen.txt"])] {
        hall.engine.try_checks(&hall.team, hall.anna.id, project.id, lines, None, None).await.unwrap();
        let tried = async || {
            let trial = hall.team.store.trial(project.id).await.unwrap().unwrap();
            (trial.status != TrialStatus::Running).then_some(trial)
        };
        of_both.push(hall.until("the end of the trial", tried).await);
    }
    assert_eq!(of_both[0].status, TrialStatus::Failed);
    assert!(of_both[0].checks[0].output.contains("taken away again: gen.txt"), "{:?}", of_both[0].checks);
    assert_eq!(of_both[1].status, TrialStatus::Passed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_checks_left_whose_server_died_is_nobodys_work() {
    let hall = Hall::open().await;
    let project = hall.checked_by(&["test ! -e left.txt"], AfterWork::Wait).await;
    let id = hall.writes(&project, "a.txt", "a\n").await;
    let before = hall.latest_run(id).await;
    // As after a kill in the middle of a check, of a work of which no check has passed yet.
    std::fs::write(hall.tree(&before).join("left.txt"), "").unwrap();
    std::fs::write(hall.team.places.run(before.id).join("checking"), "").unwrap();
    let mut settings = hall.team.store.project(project.id).await.unwrap().unwrap().settings;
    settings.verify_commands.push("true".to_owned());
    let patch = ProjectPatch { settings: Some(settings), ..ProjectPatch::default() };
    hall.team.update_project(project.id, patch).await.unwrap();
    hall.team.verify(id).await.unwrap();
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::Verified, None));
    assert_eq!(hall.latest_run(id).await.head_commit, before.head_commit);
    assert!(!hall.team.places.run(before.id).join("checking").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_changed_in_a_terminal_whose_server_died_is_work_in_that_members_name() {
    let hall = Hall::open().await;
    let project = hall.checked_by(&["grep -q hand b.txt"], AfterWork::Verify).await;
    let id = hall.writes(&project, "a.txt", "a\n").await;
    let run = hall.latest_run(id).await;
    // Nobody is let into a worktree before the attempt at the run has come to its very end.
    hall.until("the engine to rest", async || (hall.engine.stats().await.active_runs == 0).then_some(())).await;
    std::fs::write(hall.tree(&run).join("b.txt"), "by hand\n").unwrap();
    std::fs::write(hall.team.places.run(run.id).join("by-hand"), hall.anna.id.to_string()).unwrap();
    drop(hall.engine.hands_off(run.id).await.unwrap());
    let now = hall.latest_run(id).await;
    assert_eq!(hall.text_in(&project, &now, "b.txt").await.as_deref(), Some("by hand\n"));
    assert!(
        hall.noted_in(&now).await.iter().any(|note| note.starts_with("Anna changed files of this work in a terminal."))
    );
    hall.team.verify(id).await.unwrap();
    assert_eq!(hall.rests(id).await.card.status, FeatureStatus::Verified);
}
