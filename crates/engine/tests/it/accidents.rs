//! What happens to a repository that somebody or something else touches: the real cause is told, and what to do.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use guildhall_sim::Config;
use guildhall_store::ProjectPatch;
use guildhall_types::feature::{Feature, FeatureStatus};
use guildhall_types::project::{AfterWork, Project, ProjectSettings, ProjectSource};
use guildhall_types::{FeatureId, FixedClock};
use serde_json::{Value, json};

use crate::harness::Hall;

#[expect(clippy::disallowed_methods, reason = "somebody's own git")]
fn git() -> std::process::Command {
    std::process::Command::new("git")
}

fn write(file: &str) -> Value {
    json!({ "tools": [["write", { "path": file, "content": "x\n" }]] })
}

fn done() -> Value {
    json!({ "say": "All done." })
}

/// Silent for so long before it goes on.
fn later(mut step: Value) -> Value {
    step["silence_ms"] = 1_200.into();
    step
}

impl Hall {
    fn git_dir(&self, project: &Project) -> PathBuf {
        self.team.places.repository(project.id)
    }

    fn git(&self, project: &Project, args: &[&str]) -> String {
        let output = git().arg("--git-dir").arg(self.git_dir(project)).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A project whose verified work is merged at once.
    async fn merging(&self) -> Project {
        let project = self.project("p", ProjectSource::Empty).await;
        let settings = ProjectSettings {
            verify_commands: vec!["true".to_owned()],
            after_work: AfterWork::Merge,
            ..ProjectSettings::default()
        };
        let patch = ProjectPatch { settings: Some(settings), ..ProjectPatch::default() };
        self.team.update_project(project.id, patch).await.unwrap()
    }

    /// Waits until so many turns of a card's run are saved.
    async fn turns(&self, id: FeatureId, count: i64) -> PathBuf {
        let look = async || {
            let run = self.feature(id).await.card.run_id?;
            let turns = self.team.store.turns(run).await.unwrap();
            let saved = turns.iter().filter(|turn| turn.results.is_some()).count() as i64;
            (saved >= count).then(|| self.team.places.run(run))
        };
        self.until("a turn", look).await
    }

    async fn told(&self, id: FeatureId) -> String {
        let run = self.feature(id).await.card.run_id.unwrap();
        serde_json::to_string(&self.team.store.run_events(run, 0, 1_000).await.unwrap()).unwrap()
    }

    async fn fails(&self, id: FeatureId, code: &str) -> Feature {
        let feature = self.rests(id).await;
        let problem = feature.card.error.clone().unwrap_or_else(|| panic!("it went well: {:?}", feature.card.status));
        assert_eq!((feature.card.status, problem.code.as_str()), (FeatureStatus::Failed, code), "{}", problem.message);
        assert!(problem.message.len() > 10 && problem.hint.len() > 10);
        feature
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_that_a_dead_git_left_are_taken_away() {
    let hall = Hall::open().await;
    let project = hall.merging().await;
    let id = hall.scripted(&project, &[write("a.txt"), later(write("b.txt")), write("c.txt"), done()]).await;
    let folder = hall.turns(id, 1).await;
    let run = folder.file_name().unwrap().to_str().unwrap().to_owned();
    let git = hall.git_dir(&project);
    for lock in [
        git.join(format!("worktrees/{run}/index.lock")),
        git.join(format!("refs/guildhall/runs/{run}.lock")),
        git.join("refs/heads/main.lock"),
    ] {
        File::create(&lock).unwrap();
    }
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::Completed, None));
    assert!(!git.join("refs/heads/main.lock").exists());
    assert!(hall.text_at_main(&project, "c.txt").await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_whose_maker_lives_stays_and_the_card_says_what_to_do() {
    let hall = Hall::open().await;
    let project = hall.merging().await;
    // Whoever has it open is at work.
    let lock = hall.git_dir(&project).join("refs/heads/main.lock");
    let held = File::create(&lock).unwrap();
    let id = hall.scripted(&project, &[write("a.txt"), done()]).await;
    let feature = hall.fails(id, "git-locked").await;
    let problem = feature.card.error.unwrap();
    assert!(problem.message.contains("main.lock") && problem.hint.contains("then retry"), "{problem:?}");
    assert!(lock.exists(), "it was taken from somebody who is at work");
    drop(held);
    hall.team.retry(hall.anna.id, id).await.unwrap();
    assert_eq!(hall.rests(id).await.card.status, FeatureStatus::Completed);

    // A git that is at work in the repository may be its maker, though it does not have it open.
    let mut git = git();
    git.arg("--git-dir").arg(hall.git_dir(&project)).args(["cat-file", "--batch"]).stdin(std::process::Stdio::piped());
    let mut git = git.stdout(std::process::Stdio::null()).spawn().unwrap();
    drop(File::create(&lock).unwrap());
    let id = hall.scripted(&project, &[write("b.txt"), done()]).await;
    hall.fails(id, "git-locked").await;
    assert!(lock.exists());
    git.kill().unwrap();
    git.wait().unwrap();
    hall.team.retry(hall.anna.id, id).await.unwrap();
    assert_eq!(hall.rests(id).await.card.status, FeatureStatus::Completed);
    assert!(!lock.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worktree_deleted_under_its_agent_is_told_and_comes_back() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let id = hall.scripted(&project, &[write("a.txt"), later(write("b.txt")), done()]).await;
    let folder = hall.turns(id, 1).await;
    std::fs::remove_dir_all(&folder).unwrap();
    let feature = hall.fails(id, "worktree-gone").await;
    assert!(feature.card.error.unwrap().hint.contains("Retry"));
    hall.team.retry(hall.anna.id, id).await.unwrap();
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None));
    let diff = hall.team.diff(id).await.unwrap();
    assert!(diff.files.iter().any(|file| file.new_path == "a.txt"), "what was saved is there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_that_somebody_moved_stays_and_nothing_is_lost() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let id = hall.scripted(&project, &[write("a.txt"), later(write("b.txt")), done()]).await;
    let run = hall.turns(id, 1).await;
    let run = run.file_name().unwrap().to_str().unwrap().parse().unwrap();
    let branch = hall.team.store.run(run).await.unwrap().unwrap().branch;
    let tree = hall.git(&project, &["rev-parse", "main^{tree}"]);
    let theirs = hall.git(
        &project,
        &["-c", "user.name=x", "-c", "user.email=x@example.com", "commit-tree", &tree, "-p", "main", "-m", "Theirs"],
    );
    hall.git(&project, &["update-ref", &format!("refs/heads/{branch}"), &theirs]);
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
    assert_eq!(hall.git(&project, &["rev-parse", &branch]), theirs, "it was taken from whoever moved it");
    assert!(hall.told(id).await.contains("Somebody else moved the branch"));
    hall.team.merge(&hall.anna, id, None).await.unwrap();
    assert!(hall.text_at_main(&project, "b.txt").await.is_some());

    // The hidden ref as well: it is the run's own, and its lease says who is right.
    let id = hall.scripted(&project, &[write("c.txt"), later(write("d.txt")), done()]).await;
    let run = hall.turns(id, 1).await;
    let name = format!("refs/guildhall/runs/{}", run.file_name().unwrap().to_str().unwrap());
    hall.git(&project, &["update-ref", &name, &theirs]);
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
    assert_eq!(hall.team.diff(id).await.unwrap().files.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_default_branch_that_is_deleted_or_forced_elsewhere_is_told_or_joined() {
    let hall = Hall::open().await;
    let project = hall.merging().await;
    let id = hall.scripted(&project, &[write("a.txt"), later(done())]).await;
    hall.turns(id, 1).await;
    let tip = hall.git(&project, &["rev-parse", "main"]);
    hall.git(&project, &["update-ref", "-d", "refs/heads/main"]);
    let feature = hall.fails(id, "branch-missing").await;
    assert!(feature.card.error.unwrap().message.contains("main"));

    // Put back elsewhere: with a history of its own.
    let tree = hall.git(&project, &["rev-parse", &format!("{tip}^{{tree}}")]);
    let user = ["-c", "user.name=x", "-c", "user.email=x@example.com"];
    let forced = hall.git(&project, &[&user[..], &["commit-tree", &tree, "-m", "Begin anew"]].concat());
    hall.git(&project, &["update-ref", "refs/heads/main", &forced]);
    hall.team.retry(hall.anna.id, id).await.unwrap();
    let feature = hall.rests(id).await;
    let told = feature.card.error.as_ref().map(|problem| (problem.code.as_str(), problem.hint.as_str()));
    match feature.card.status {
        FeatureStatus::Completed => {
            assert_eq!(hall.git(&project, &["rev-parse", "main^"]), forced, "what was forced there stays");
        }
        _ => assert!(told.is_some_and(|(code, hint)| !code.is_empty() && hint.len() > 10), "{told:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_object_is_told_as_that() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let tree = hall.git(&project, &["rev-parse", "main^{tree}"]);
    let object = hall.git_dir(&project).join("objects").join(&tree[..2]).join(&tree[2..]);
    let whole = std::fs::read(&object).unwrap();
    std::fs::set_permissions(&object, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&object, b"this is no object").unwrap();
    let id = hall.scripted(&project, &[write("a.txt"), done()]).await;
    let feature = hall.fails(id, "repository-damaged").await;
    assert!(feature.card.error.unwrap().hint.contains("git fsck"));
    std::fs::write(&object, whole).unwrap();
    hall.team.retry(hall.anna.id, id).await.unwrap();
    assert_eq!(hall.rests(id).await.card.status, FeatureStatus::WaitingApproval);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_in_a_repository_are_never_obeyed() {
    let hall = Hall::open().await;
    let project = hall.merging().await;
    let hooks = hall.git_dir(&project).join("hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    let sign = hall.dir.path().join("obeyed");
    for hook in ["reference-transaction", "post-checkout", "pre-commit", "post-commit", "update", "post-index-change"] {
        std::fs::write(hooks.join(hook), format!("#!/bin/sh\necho {hook} >> {}\n", sign.display())).unwrap();
        std::fs::set_permissions(hooks.join(hook), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let id = hall.scripted(&project, &[write("a.txt"), done()]).await;
    assert_eq!(hall.rests(id).await.card.status, FeatureStatus::Completed);
    assert!(!sign.exists(), "{}", std::fs::read_to_string(&sign).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_leaps_an_hour_and_back_takes_no_run_from_its_runner() {
    let clock = FixedClock::default();
    let slow = Config { per_word: Duration::from_millis(10), ..Config::default() };
    let hall = Hall::clocked(slow, Arc::new(clock.clone()), Duration::from_secs(6)).await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let words = "word ".repeat(20);
    let turn =
        |n: usize| json!({ "say": words, "tools": [["write", { "path": format!("{n}.txt"), "content": "x\n" }]] });
    let lines: Vec<Value> = (0..8).map(turn).chain([done()]).collect();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(hall.scripted(&project, &lines).await);
    }
    for (turns, hours) in [(1, 1), (3, -1), (5, -1), (6, 1)] {
        hall.turns(ids[0], turns).await;
        clock.leap(chrono::Duration::hours(hours));
        // Long enough for the engine to look for work.
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(hall.engine.stats().await.active_runs <= 3, "more are at work than the limit allows");
    }
    for id in ids {
        let feature = hall.rests(id).await;
        assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
        let run = hall.team.store.run(feature.card.run_id.unwrap()).await.unwrap().unwrap();
        assert_eq!(run.attempt, 1, "its lease was stolen");
    }
}
