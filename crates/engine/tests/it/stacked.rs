//! Cards that are built on the work of others which is verified and not merged yet.

use guildhall_git::Repo;
use guildhall_store::{OrderChange, ProjectPatch};
use guildhall_team::{By, NewCard, TeamError};
use guildhall_types::FeatureId;
use guildhall_types::auto::Reason;
use guildhall_types::feature::FeatureStatus;
use guildhall_types::project::{AfterWork, Project, ProjectSettings, ProjectSource};
use guildhall_types::run::{Awaits, CheckStatus, Run, RunStatus};
use serde_json::{Value, json};

use crate::harness::{Hall, script};

use FeatureStatus::{Backlog, Completed, InProgress, Queued, Verified, WaitingApproval};

pub async fn project(hall: &Hall, checks: &[&str], after_work: AfterWork) -> Project {
    let project = hall.project("p", ProjectSource::Empty).await;
    let settings = ProjectSettings {
        verify_commands: checks.iter().map(|&check| check.to_owned()).collect(),
        after_work,
        ..ProjectSettings::default()
    };
    let patch = ProjectPatch { settings: Some(settings), ..ProjectPatch::default() };
    hall.team.update_project(project.id, patch).await.unwrap()
}

pub fn bash(command: &str) -> Value {
    json!({ "tools": [["bash", { "command": command }]] })
}

pub fn write(path: &str, content: &str) -> Value {
    json!({ "tools": [["write", { "path": path, "content": content }]] })
}

pub fn say(words: &str) -> Value {
    json!({ "say": words })
}

pub fn new(title: &str, lines: &[Value], on: &[FeatureId]) -> NewCard {
    NewCard {
        title: Some(title.to_owned()),
        description: script(lines),
        model: Some("simulated".to_owned()),
        dependencies: on.to_vec(),
        ..NewCard::default()
    }
}

pub async fn card(hall: &Hall, project: &Project, title: &str, lines: &[Value], on: &[FeatureId]) -> FeatureId {
    let lines: Vec<Value> = lines.iter().cloned().chain([say("Done.")]).collect();
    hall.team.create_feature(&hall.anna, project.id, new(title, &lines, on)).await.unwrap().card.id
}

async fn order(hall: &Hall, project: &Project) {
    let change = OrderChange { max_concurrent: Some(2), ..OrderChange::default() };
    hall.team.start_auto_mode(hall.anna.id, project.id, change).await.unwrap();
}

pub async fn run_of(hall: &Hall, id: FeatureId) -> Run {
    let run = hall.feature(id).await.card.run_id.unwrap();
    hall.team.store.run(run).await.unwrap().unwrap()
}

async fn held_by(hall: &Hall, id: FeatureId) -> Vec<FeatureId> {
    run_of(hall, id).await.holds.iter().map(|held| held.feature_id).collect()
}

async fn repo(hall: &Hall, project: &Project) -> Repo {
    hall.team.ready_project(project.id).await.unwrap().1
}

/// What stands on the default branch, the latest first.
pub async fn subjects(hall: &Hall, project: &Project) -> Vec<String> {
    let log = repo(hall, project).await.log("main", 0, 100).await.unwrap();
    log.into_iter().map(|commit| commit.subject).collect()
}

/// The paths that a member sees changed.
async fn changed(hall: &Hall, id: FeatureId) -> Vec<String> {
    hall.team.diff(id).await.unwrap().files.into_iter().map(|file| file.new_path).collect()
}

pub async fn status(hall: &Hall, id: FeatureId) -> FeatureStatus {
    hall.feature(id).await.card.status
}

/// “Log in”, and “Log out”, which finds the line of the former and goes on at it.
async fn in_and_out(hall: &Hall, project: &Project) -> (FeatureId, FeatureId) {
    let login = card(hall, project, "Log in", &[write("login.txt", "name\nsecret\n")], &[]).await;
    let goes_on = "grep -q secret login.txt && sed -i s/secret/password/ login.txt && echo bye > out.txt";
    (login, card(hall, project, "Log out", &[bash(goes_on)], &[login]).await)
}

async fn both_are_merged(hall: &Hall, project: &Project, (login, logout): (FeatureId, FeatureId)) {
    assert_eq!(hall.text_at_main(project, "login.txt").await.as_deref(), Some("name\npassword\n"));
    assert_eq!(hall.text_at_main(project, "out.txt").await.as_deref(), Some("bye\n"));
    let subjects = subjects(hall, project).await;
    assert_eq!((subjects.len(), &subjects[..2]), (3, &["Log out".to_owned(), "Log in".to_owned()][..]));
    for id in [login, logout] {
        assert_eq!((status(hall, id).await, run_of(hall, id).await.status), (Completed, RunStatus::Closed));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_finds_the_verified_work_that_it_depends_on() {
    let hall = Hall::open().await;
    let project = project(&hall, &["true"], AfterWork::Verify).await;
    let (login, logout) = in_and_out(&hall, &project).await;
    order(&hall, &project).await;
    for id in [login, logout] {
        hall.reaches(id, Verified).await;
    }
    let (below, above) = (run_of(&hall, login).await, run_of(&hall, logout).await);
    assert_eq!((below.holds.as_slice(), held_by(&hall, logout).await), (&[][..], vec![login]));
    assert_eq!(above.base_commit, below.head_commit, "it starts where the other one ended");
    assert_eq!(changed(&hall, logout).await, ["login.txt", "out.txt"], "its own");
    let card = hall.feature(logout).await.card;
    assert_eq!((card.files_changed, card.lines_added, card.lines_removed), (2, 2, 1));
    let told = serde_json::to_string(&hall.sim.requests()).unwrap();
    assert!(told.contains("holds the work of #1 “Log in” already"), "its agent knows");

    // The same conversation goes on in the same worktree, from the same place.
    hall.team.follow_up(hall.anna.id, logout, &script(&[write("more.txt", "more\n"), say("Done.")])).await.unwrap();
    hall.reaches(logout, Verified).await;
    assert_eq!(run_of(&hall, logout).await.base_commit, above.base_commit);
    assert_eq!(changed(&hall, logout).await, ["login.txt", "more.txt", "out.txt"]);

    // What it is built on is merged, and something else, before it is.
    hall.team.merge(&hall.anna, login, None).await.unwrap();
    hall.team.merge(&hall.anna, logout, None).await.unwrap();
    both_are_merged(&hall, &project, (login, logout)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_work_is_built_on_is_merged_with_it_and_before_it() {
    let hall = Hall::open().await;
    let project = project(&hall, &["true"], AfterWork::Verify).await;
    let (login, logout) = in_and_out(&hall, &project).await;
    let third = card(&hall, &project, "Third", &[bash("cat out.txt login.txt > third.txt")], &[logout]).await;
    order(&hall, &project).await;
    hall.reaches(third, Verified).await;
    assert_eq!(held_by(&hall, third).await, [login, logout]);
    assert_eq!(changed(&hall, third).await, ["third.txt"]);
    hall.team.merge(&hall.anna, logout, None).await.unwrap();
    both_are_merged(&hall, &project, (login, logout)).await;
    hall.team.merge(&hall.anna, third, None).await.unwrap();
    assert_eq!(hall.text_at_main(&project, "third.txt").await.as_deref(), Some("bye\nname\npassword\n"));
    assert_eq!(subjects(&hall, &project).await.len(), 4, "a commit for each, and the first");
    let again = hall.team.merge(&hall.anna, login, None).await.unwrap_err();
    assert!(matches!(again, TeamError::Store(_)), "{again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_that_waited_for_two_has_both_and_the_branch_as_it_is() {
    let hall = Hall::open().await;
    let project = project(&hall, &[], AfterWork::Wait).await;
    let one = card(&hall, &project, "One", &[write("one.txt", "1\n")], &[]).await;
    let two = card(&hall, &project, "Two", &[write("two.txt", "2\n")], &[]).await;
    let goes_on = "cat one.txt two.txt other.txt > both.txt && echo and more >> one.txt";
    let both = card(&hall, &project, "Both", &[bash(goes_on)], &[one, two]).await;
    for id in [one, two, both] {
        hall.start(id).await;
    }
    for id in [one, two] {
        hall.reaches(id, WaitingApproval).await;
    }
    let other = hall.scripted(&project, &[write("other.txt", "other\n"), say("Done.")]).await;
    hall.reaches(other, WaitingApproval).await;
    hall.team.merge(&hall.anna, other, None).await.unwrap();
    assert_eq!(status(&hall, both).await, Queued, "they are not verified");
    hall.team.verify(one).await.unwrap();
    hall.team.verify(two).await.unwrap();
    hall.reaches(both, WaitingApproval).await;
    assert_eq!(held_by(&hall, both).await, [one, two]);
    assert_eq!(changed(&hall, both).await, ["both.txt", "one.txt"]);

    // One of them goes on: nothing is merged on it before that is verified again.
    hall.team.follow_up(hall.anna.id, one, &script(&[write("late.txt", "late\n"), say("Done.")])).await.unwrap();
    hall.reaches(one, WaitingApproval).await;
    let refused = hall.team.merge(&hall.anna, both, None).await.unwrap_err();
    let TeamError::Conflict { code: "holds-unmerged", message } = refused else { panic!("{refused}") };
    assert!(message.contains("#1 “One”, which is waiting for approval again"), "{message}");
    assert_eq!(subjects(&hall, &project).await.len(), 2, "nothing was merged by that");
    hall.team.verify(one).await.unwrap();
    hall.team.merge(&hall.anna, both, None).await.unwrap();
    for (path, text) in [("both.txt", "1\n2\nother\n"), ("one.txt", "1\nand more\n"), ("late.txt", "late\n")] {
        assert_eq!(hall.text_at_main(&project, path).await.as_deref(), Some(text), "{path}");
    }
    let merged = subjects(&hall, &project).await;
    assert_eq!((&merged[0], merged.len()), (&"Both".to_owned(), 5));
    assert_eq!((status(&hall, one).await, status(&hall, two).await), (Completed, Completed));
}

/// Two cards that cannot go together, and one that needs both.
async fn apart(hall: &Hall, project: &Project) -> [FeatureId; 3] {
    let one = card(hall, project, "One", &[write("README.md", "# One\n")], &[]).await;
    let two = card(hall, project, "Two", &[write("README.md", "# Two\n")], &[]).await;
    [
        one,
        two,
        card(hall, project, "Both", &[bash("grep -q 'One and Two' README.md && cp README.md both.txt")], &[one, two])
            .await,
    ]
}

/// A member merges the one and has the other brought up to date.
async fn bring_together(hall: &Hall, one: FeatureId, two: FeatureId) {
    hall.team.merge(&hall.anna, one, None).await.unwrap();
    hall.team
        .follow_up(hall.anna.id, two, &script(&[write("README.md", "# One and Two\n"), say("Done.")]))
        .await
        .unwrap();
    hall.reaches(two, Verified).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn auto_mode_passes_over_what_needs_work_that_does_not_go_together() {
    let hall = Hall::open().await;
    let project = project(&hall, &["true"], AfterWork::Verify).await;
    let [one, two, both] = apart(&hall, &project).await;
    order(&hall, &project).await;
    hall.reaches(one, Verified).await;
    hall.reaches(two, Verified).await;
    let free = card(&hall, &project, "Free", &[write("free.txt", "x\n")], &[]).await;
    hall.reaches(free, Verified).await;
    assert_eq!(status(&hall, both).await, Backlog);
    let told = async || {
        let queue = hall.team.queue(hall.anna.id, Some(project.id)).await.unwrap();
        queue.into_iter().find(|item| item.feature_id == both).unwrap().waiting.message
    };
    let why = "It depends on #1 “One” and #2 “Two”, which conflict with each other in README.md. Merge one of them; then tell \
               the agent of the other to bring it up to date, and verify it.";
    assert_eq!(told().await, why);
    let refused = hall.team.start(hall.anna.id, both).await.unwrap_err();
    assert_eq!(refused.to_string(), why);
    hall.team.stop_auto_mode(By::in_person(&hall.anna), hall.anna.id, project.id).await.unwrap();
    hall.team.merge(&hall.anna, one, None).await.unwrap();
    let refused = hall.team.start(hall.anna.id, both).await.unwrap_err().to_string();
    assert!(refused.starts_with("It depends on #2 “Two”, which conflicts with main in README.md."), "{refused}");
    hall.team
        .follow_up(hall.anna.id, two, &script(&[write("README.md", "# One and Two\n"), say("Done.")]))
        .await
        .unwrap();
    hall.reaches(two, Verified).await;
    hall.start(both).await;
    hall.reaches(both, Verified).await;
    assert_eq!(changed(&hall, both).await, ["both.txt"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_has_nothing_to_begin_from_waits_and_says_why() {
    let hall = Hall::open().await;
    let project = project(&hall, &["true"], AfterWork::Verify).await;
    let [one, two, both] = apart(&hall, &project).await;
    for id in [both, one, two] {
        hall.start(id).await;
    }
    let parked = async || Some(run_of(&hall, both).await).filter(|run| run.parked_reason.is_some());
    let run = hall.until("the reason", parked).await;
    assert_eq!((run.status, run.base_commit.as_deref(), run.turns), (RunStatus::Queued, None, 0));
    assert_eq!(run.parked_for, Some(Awaits::Dependencies), "and not its provider");
    let why = run.parked_reason.unwrap();
    assert!(why.contains("#1 “One” and #2 “Two”, which conflict") || why.contains("#2 “Two” and #1 “One”"), "{why}");
    let queue = hall.team.queue(hall.anna.id, Some(project.id)).await.unwrap();
    let told = &queue.iter().find(|item| item.feature_id == both).unwrap().waiting;
    assert!(matches!(told.reason, Reason::Footing { .. }), "{told:?}");
    assert!(told.message.starts_with(&why) && told.message.contains(" It is tried again at "), "{told:?}");
    bring_together(&hall, one, two).await;
    // Somebody who does not want to wait until it looks again by itself.
    hall.team.stop(both).await.unwrap();
    hall.team.retry(hall.anna.id, both).await.unwrap();
    hall.reaches(both, Verified).await;
    assert_eq!(held_by(&hall, both).await, [one, two]);
    hall.team.merge(&hall.anna, both, None).await.unwrap();
    assert_eq!(hall.text_at_main(&project, "both.txt").await.as_deref(), Some("# One and Two\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_is_to_be_merged_is_checked_with_what_it_is_built_on_as_that_was_merged() {
    let hall = Hall::open().await;
    let project = project(&hall, &["test -e login.txt"], AfterWork::Merge).await;
    let lines = [write("login.txt", "name\nsecret\n"), say("Done.")];
    let asks = NewCard { needs_approval: Some(true), ..new("Log in", &lines, &[]) };
    let login = hall.team.create_feature(&hall.anna, project.id, asks).await.unwrap().card.id;
    hall.start(login).await;
    hall.reaches(login, WaitingApproval).await;
    hall.team.verify(login).await.unwrap();

    // Nobody has merged it: what is built on it is not merged by itself either.
    let early = card(&hall, &project, "Early", &[bash("sed -i s/secret/password/ login.txt")], &[login]).await;
    hall.start(early).await;
    hall.reaches(early, Verified).await;
    let events = hall.team.store.run_events(run_of(&hall, early).await.id, 0, 500).await.unwrap();
    let told = serde_json::to_string(&events).unwrap();
    assert!(
        told.contains("What it is built on is not merged yet: #1 “Log in”. When that is, this is merged by itself"),
        "{told}"
    );
    hall.team.shelve(early).await.unwrap();

    // It is merged while another one is at work on it: that one is checked again, and merged.
    let slow = json!({ "silence_ms": 2000, "tools": [["bash", { "command": "sed -i s/name/user/ login.txt" }]] });
    let late = card(&hall, &project, "Late", &[slow], &[login]).await;
    hall.start(late).await;
    hall.until("the base", async || run_of(&hall, late).await.base_commit).await;
    hall.team.merge(&hall.anna, login, None).await.unwrap();
    hall.reaches(late, Completed).await;
    let checks = hall.team.store.checks(run_of(&hall, late).await.id).await.unwrap();
    assert_eq!(checks.iter().map(|check| check.status).collect::<Vec<_>>(), [CheckStatus::Passed; 2]);
    assert_eq!(hall.text_at_main(&project, "login.txt").await.as_deref(), Some("user\nsecret\n"));
    assert_eq!(subjects(&hall, &project).await[..2], ["Late", "Log in"]);
    assert_eq!(run_of(&hall, late).await.returns, 0, "nothing conflicted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_work_is_built_on_changes_below_it() {
    let hall = Hall::open().await;
    let project = project(&hall, &["true"], AfterWork::Verify).await;
    let (login, logout) = in_and_out(&hall, &project).await;
    order(&hall, &project).await;
    hall.reaches(logout, Verified).await;
    hall.team.stop_auto_mode(By::in_person(&hall.anna), hall.anna.id, project.id).await.unwrap();
    let other_word = script(&[write("login.txt", "name\npassphrase\n"), say("Done.")]);
    hall.team.follow_up(hall.anna.id, login, &other_word).await.unwrap();
    hall.reaches(login, Verified).await;
    // Its agent finds both sides, and is from then on built on the new state.
    let resolve = [
        bash("grep -c '^[<=>]\\{7\\}' login.txt; cat login.txt"),
        write("login.txt", "name\nnew password\n"),
        say("Both."),
    ];
    hall.team.follow_up(hall.anna.id, logout, &script(&resolve)).await.unwrap();
    hall.reaches(logout, Verified).await;
    let (below, above) = (run_of(&hall, login).await, run_of(&hall, logout).await);
    assert_eq!((above.base_commit, held_by(&hall, logout).await), (below.head_commit, vec![login]));
    let said = serde_json::to_string(&hall.team.store.turns(above.id).await.unwrap()).unwrap();
    assert!(said.contains("main, with what this work is built on, has moved on") && said.contains("<<<<<<<"), "{said}");
    let stat = hall.team.diff(logout).await.unwrap().stat;
    assert_eq!((stat.files, stat.additions, stat.deletions), (2, 2, 1));
    hall.team.merge(&hall.anna, logout, None).await.unwrap();
    assert_eq!(hall.text_at_main(&project, "login.txt").await.as_deref(), Some("name\nnew password\n"));
    assert_eq!(subjects(&hall, &project).await.len(), 3);

    // Who conflicts while it is merged first is named: it is not the work that was to be merged.
    let base = card(&hall, &project, "Base", &[write("x.txt", "base\n")], &[]).await;
    let top = card(&hall, &project, "Top", &[write("top.txt", "top\n")], &[base]).await;
    let rival = card(&hall, &project, "Rival", &[write("x.txt", "rival\n")], &[]).await;
    for id in [base, rival] {
        hall.start(id).await;
        hall.reaches(id, Verified).await;
    }
    hall.start(top).await;
    hall.reaches(top, Verified).await;
    hall.team.merge(&hall.anna, rival, None).await.unwrap();
    let refused = hall.team.merge(&hall.anna, top, None).await.unwrap_err();
    let TeamError::Conflict { code: "holds-unmerged", message } = refused else { panic!("{refused}") };
    assert!(message.contains("#3 “Base”, which has to be merged first: the work conflicts"), "{message}");
    assert_eq!((status(&hall, base).await, status(&hall, top).await), (Verified, Verified));

    // Work that is taken back is built on no more.
    hall.team.shelve(base).await.unwrap();
    let upon = card(&hall, &project, "Upon", &[], &[top]).await;
    let refused = hall.team.start(hall.anna.id, upon).await.unwrap_err().to_string();
    assert_eq!(refused, "#4 “Top” is built on #3 “Base”, which is in the backlog again. Start #4 “Top” again.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_dies_goes_on_from_what_it_was_built_on() {
    let mut hall = Hall::open().await;
    let project = project(&hall, &["true"], AfterWork::Verify).await;
    let login = card(&hall, &project, "Log in", &[write("login.txt", "name\n")], &[]).await;
    hall.start(login).await;
    hall.reaches(login, Verified).await;
    let slow = json!({ "silence_ms": 1500, "tools": [["bash", { "command": "cat login.txt >> out.txt" }]] });
    let logout = card(&hall, &project, "Log out", &[write("out.txt", "bye\n"), slow], &[login]).await;
    hall.start(logout).await;
    let begun = run_of(&hall, logout).await;
    let first = async || {
        let turns = hall.team.store.turns(begun.id).await.unwrap();
        turns.first().is_some_and(|turn| turn.results.is_some()).then_some(())
    };
    hall.until("the first turn", first).await;
    let begun = run_of(&hall, logout).await;
    assert_eq!(status(&hall, logout).await, InProgress);
    hall.die_and_start_again().await;
    // Meanwhile what it is built on is merged: it stays where it began.
    hall.team.merge(&hall.anna, login, None).await.unwrap();
    hall.reaches(logout, Verified).await;
    let run = run_of(&hall, logout).await;
    assert_eq!((run.base_commit, run.holds), (begun.base_commit, begun.holds));
    assert!(run.attempt > 1);
    assert_eq!(changed(&hall, logout).await, ["out.txt"]);
    hall.team.merge(&hall.anna, logout, None).await.unwrap();
    assert_eq!(hall.text_at_main(&project, "out.txt").await.as_deref(), Some("bye\nname\n"));
    assert_eq!(subjects(&hall, &project).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whether_work_goes_together_is_tried_once() {
    let hall = Hall::open().await;
    let project = project(&hall, &["true"], AfterWork::Verify).await;
    let [one, two, both] = apart(&hall, &project).await;
    for id in [one, two] {
        hall.start(id).await;
        hall.reaches(id, Verified).await;
    }
    let second = card(&hall, &project, "Both, too", &[], &[one, two]).await;
    let change = OrderChange { max_concurrent: Some(1), ..OrderChange::default() };
    hall.team.store.switch_on_order(project.id, hall.anna.id, change).await.unwrap();
    let told = async || {
        let queue = hall.team.queue(hall.anna.id, Some(project.id)).await.unwrap();
        let of = |id| queue.iter().find(|item| item.feature_id == id).unwrap().waiting.message.clone();
        (of(both), of(second))
    };
    let first = told().await;
    assert!(first.0.contains("which conflict with each other in README.md") && first.0 == first.1, "{first:?}");
    // Without what the two changed, git could try nothing: only where the branch stands is asked.
    let repo = repo(&hall, &project).await;
    let main = repo.branch("main").await.unwrap().unwrap();
    for id in [one, two] {
        let head = run_of(&hall, id).await.head_commit.unwrap();
        assert_ne!(head, main.to_string());
        let object = repo.path().join("objects").join(&head[..2]).join(&head[2..]);
        std::fs::rename(&object, hall.dir.path().join(&head)).unwrap();
    }
    assert_eq!(told().await, first);
    // A card that is deleted while somebody looks at what it depends on takes nothing with it.
    hall.team.store.delete_feature(second).await.unwrap();
    let queue = hall.team.queue(hall.anna.id, Some(project.id)).await.unwrap();
    assert!(queue.iter().any(|item| item.feature_id == both) && !queue.iter().any(|item| item.feature_id == second));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_that_conflicts_names_what_was_merged_before_it() {
    let hall = Hall::open().await;
    let project = project(&hall, &["true"], AfterWork::Verify).await;
    let base = card(&hall, &project, "Base", &[write("base.txt", "base\n")], &[]).await;
    let top = card(&hall, &project, "Top", &[write("x.txt", "top\n")], &[base]).await;
    let rival = card(&hall, &project, "Rival", &[write("x.txt", "rival\n")], &[]).await;
    for id in [base, rival, top] {
        hall.start(id).await;
        hall.reaches(id, Verified).await;
    }
    hall.team.merge(&hall.anna, rival, None).await.unwrap();
    let refused = hall.team.merge(&hall.anna, top, None).await.unwrap_err();
    let told = refused.to_string();
    let TeamError::MergeConflict { merged, .. } = refused else { panic!("{told}") };
    assert_eq!(merged.iter().map(|held| held.feature_id).collect::<Vec<_>>(), [base]);
    assert!(told.ends_with("in 1 file(s); what it is built on was merged before it and stays so: #1 “Base”"), "{told}");
    assert_eq!((status(&hall, base).await, status(&hall, top).await), (Completed, Verified));
}
