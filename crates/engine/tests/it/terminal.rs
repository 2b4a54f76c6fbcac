//! Members at a terminal in the worktree of a run.

use std::time::Duration;

use guildhall_engine::Sitting;
use guildhall_sandbox::Size;
use guildhall_store::ProjectPatch;
use guildhall_team::{By, TeamError};
use guildhall_types::FeatureId;
use guildhall_types::event::Happening;
use guildhall_types::feature::FeatureStatus;
use guildhall_types::member::{Member, MemberRole};
use guildhall_types::project::{ProjectSettings, ProjectSource};
use guildhall_types::run::RunEvent;
use guildhall_types::secret::SecretUse;
use serde_json::json;

use crate::harness::{Hall, script};

const SIZE: Size = Size { columns: 100, rows: 30 };

impl Hall {
    async fn sit_down(&self, member: &Member, id: FeatureId) -> Result<Sitting, TeamError> {
        let run = self.latest_run(id).await;
        self.engine.open_terminal(&self.team, member, run.id, SIZE).await
    }
}

/// Types a line and reads until `wanted` is shown.
async fn types(sitting: &mut Sitting, line: &str, wanted: &str) -> String {
    let (terminal, _ended) = sitting.split();
    terminal.write(format!("{line}\n").as_bytes()).await.unwrap();
    let mut shown = String::new();
    let mut chunk = [0; 4096];
    while !shown.contains(wanted) {
        let read = tokio::time::timeout(Duration::from_secs(30), terminal.read(&mut chunk)).await;
        let count = read.unwrap_or_else(|_| panic!("waited in vain for {wanted:?}: {shown:?}")).unwrap();
        assert!(count > 0, "it ended: {shown:?}");
        shown.push_str(&String::from_utf8_lossy(&chunk[..count]));
    }
    shown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_member_changes_by_hand_is_work_in_their_name() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let lines = [json!({ "tools": [["write", { "path": "a.txt", "content": "agent\n" }]] }), json!({ "say": "Done." })];
    let id = hall.scripted(&project, &lines).await;
    hall.rests(id).await;
    let before = hall.latest_run(id).await;

    let mut sitting = hall.sit_down(&hall.anna, id).await.unwrap();
    assert!(!sitting.is_read_only());
    types(&mut sitting, "pwd; cat a.txt; stty size", "/workspace\r\nagent\r\n30 100\r\n").await;
    types(&mut sitting, "echo by hand > b.txt; echo $((40 + 2))", "42\r\n").await;
    // Another one may look meanwhile, and no more.
    let mut second = hall.sit_down(&hall.anna, id).await.unwrap();
    assert!(second.is_read_only());
    types(&mut second, "echo x > c.txt", "Read-only file system").await;
    second.close().await;
    sitting.close().await;
    let after = hall.latest_run(id).await;
    assert_ne!(after.head_commit, before.head_commit);
    let diff = hall.team.diff(id).await.unwrap();
    let files: Vec<&str> = diff.files.iter().map(|file| file.new_path.as_str()).collect();
    assert_eq!(files, ["a.txt", "b.txt"]);
    assert_eq!(hall.feature(id).await.card.files_changed, 2);
    let (_, repo) = hall.team.ready_project(project.id).await.unwrap();
    let log = repo.log(&after.branch, 0, 5).await.unwrap();
    assert_eq!((log[0].author_name.as_str(), Some(&log[0].id)), ("Anna", after.head_commit.as_ref()));

    // A terminal that nothing was changed in leaves nothing.
    hall.sit_down(&hall.anna, id).await.unwrap().close().await;
    assert_eq!(hall.latest_run(id).await.head_commit, after.head_commit);

    // Whoever is at it leaves when the work goes on, and what was done until then is there for the agent.
    let mut sitting = hall.sit_down(&hall.anna, id).await.unwrap();
    types(&mut sitting, "echo late > d.txt; echo $((1 + 1))", "2\r\n").await;
    let more = [json!({ "tools": [["bash", { "command": "cat d.txt > e.txt" }]] }), json!({ "say": "Done." })];
    hall.team.follow_up(hall.anna.id, id, &script(&more)).await.unwrap();
    tokio::time::timeout(Duration::from_secs(30), sitting.leave().cancelled()).await.unwrap();
    sitting.close().await;
    hall.rests(id).await;
    let diff = hall.team.diff(id).await.unwrap();
    let files: Vec<&str> = diff.files.iter().map(|file| file.new_path.as_str()).collect();
    assert_eq!(files, ["a.txt", "b.txt", "d.txt", "e.txt"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_takes_the_work_as_it_is_takes_what_was_changed_by_hand() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let lines = [json!({ "tools": [["write", { "path": "a.txt", "content": "agent\n" }]] }), json!({ "say": "Done." })];
    let id = hall.scripted(&project, &lines).await;
    hall.rests(id).await;
    let run = hall.latest_run(id).await.id;
    let mut sitting = hall.sit_down(&hall.anna, id).await.unwrap();
    types(&mut sitting, "echo by hand > b.txt; echo $((40 + 2))", "42\r\n").await;
    let leaves = async {
        sitting.leave().cancelled().await;
        sitting.close().await;
    };
    let (kept, ()) = tokio::join!(hall.engine.hands_off(run), leaves);
    let kept = kept.unwrap();
    // Whoever comes now only looks, and is in nobody's way.
    let second = hall.sit_down(&hall.anna, id).await.unwrap();
    assert!(second.is_read_only());
    hall.team.merge(&hall.anna, id, None).await.unwrap();
    drop(kept);
    assert_eq!(hall.text_at_main(&project, "b.txt").await.as_deref(), Some("by hand\n"));
    // The worktree goes, and whoever looks at it leaves.
    tokio::time::timeout(Duration::from_secs(30), second.leave().cancelled()).await.unwrap();
    second.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_is_given_the_secrets_that_are_for_it_where_files_may_be_changed() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    for (name, uses) in [("FOR_ALL", None), ("FOR_HERE", Some(vec![SecretUse::Terminals]))] {
        let by = By::in_person(&hall.anna);
        hall.team.put_project_secret(by, project.id, name, "plum-kettle-orbit", uses).await.unwrap();
    }
    let lines = [json!({ "tools": [["write", { "path": "a.txt", "content": "agent\n" }]] }), json!({ "say": "Done." })];
    let id = hall.scripted(&project, &lines).await;
    hall.rests(id).await;
    let mut sitting = hall.sit_down(&hall.anna, id).await.unwrap();
    let ask = "echo \"${#FOR_HERE} ${FOR_ALL-none} $((40 + 2))\"";
    types(&mut sitting, ask, "17 none 42\r\n").await;
    let mut second = hall.sit_down(&hall.anna, id).await.unwrap();
    assert!(second.is_read_only());
    types(&mut second, ask, "0 none 42\r\n").await;
    second.close().await;
    sitting.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_an_agent_at_work_a_terminal_only_looks_and_strangers_get_none() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let lines = [
        json!({ "tools": [["write", { "path": "a.txt", "content": "agent\n" }]] }),
        json!({ "silence_ms": 600_000, "say": "Never." }),
    ];
    let id = hall.scripted(&project, &lines).await;
    hall.until("the first turn", async || Some(hall.latest_run(id).await).filter(|run| run.turns == 1)).await;
    let mut sitting = hall.sit_down(&hall.anna, id).await.unwrap();
    assert!(sitting.is_read_only());
    types(&mut sitting, "cat a.txt; touch b.txt", "Read-only file system").await;
    let other = guildhall_store::NewMember {
        email: "bert@example.com".to_owned(),
        name: "Bert".to_owned(),
        password_hash: None,
    };
    let bert = hall.team.store.create_member(other, MemberRole::Member).await.unwrap();
    let refused = hall.sit_down(&bert, id).await;
    assert!(matches!(refused, Err(TeamError::NotYours { .. })), "{refused:?}");
    let mut more = Vec::new();
    for _ in 0..3 {
        more.push(hall.sit_down(&hall.anna, id).await.unwrap());
    }
    let refused = hall.sit_down(&hall.anna, id).await;
    assert!(matches!(refused, Err(TeamError::Conflict { code: "too-many-terminals", .. })), "{refused:?}");
    // Dropping one ends it and gives its place back.
    more.clear();
    hall.sit_down(&hall.anna, id).await.unwrap().close().await;
    sitting.close().await;
    hall.team.stop(id).await.unwrap();
    hall.rests(id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_saved_is_told_and_not_merged_away() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let lines = [json!({ "tools": [["write", { "path": "a.txt", "content": "agent\n" }]] }), json!({ "say": "Done." })];
    let id = hall.scripted(&project, &lines).await;
    hall.rests(id).await;
    let run = hall.latest_run(id).await;
    let notes = async || {
        let events = hall.team.store.run_events(run.id, 0, 10_000).await.unwrap();
        let note = |event: guildhall_types::event::Event| match event.what {
            Happening::Run { event: RunEvent::Note { text }, .. } => Some(text),
            _ => None,
        };
        events.into_iter().filter_map(note).collect::<Vec<String>>()
    };
    let mut sitting = hall.sit_down(&hall.anna, id).await.unwrap();
    types(&mut sitting, "echo by hand > b.txt; echo $((40 + 2))", "42\r\n").await;
    let (repository, away) = (hall.team.places.repository(project.id), hall.dir.path().join("away"));
    std::fs::rename(&repository, &away).unwrap();
    let told = sitting.close().await.unwrap();
    assert!(told.contains("could not be saved"), "{told}");
    assert_eq!(notes().await.last(), Some(&told));
    let refused = hall.engine.hands_off(run.id).await.map(drop);
    assert!(matches!(&refused, Err(TeamError::Conflict { code: "hand-work-unsaved", .. })), "{refused:?}");
    std::fs::rename(&away, &repository).unwrap();
    drop(hall.engine.hands_off(run.id).await.unwrap());
    hall.team.merge(&hall.anna, id, None).await.unwrap();
    assert_eq!(hall.text_at_main(&project, "b.txt").await.as_deref(), Some("by hand\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_too_large_is_told_once_though_nothing_else_was_changed() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let lines = [json!({ "tools": [["write", { "path": "a.txt", "content": "agent\n" }]] }), json!({ "say": "Done." })];
    let id = hall.scripted(&project, &lines).await;
    hall.rests(id).await;
    let mut sitting = hall.sit_down(&hall.anna, id).await.unwrap();
    types(&mut sitting, "truncate -s 51M big.bin; echo $((40 + 2))", "42\r\n").await;
    let told = sitting.close().await;
    assert!(told.as_ref().is_some_and(|told| told.starts_with("big.bin has 53477376 bytes")), "{told:?}");
    let run = hall.latest_run(id).await;
    let events = hall.team.store.run_events(run.id, 0, 10_000).await.unwrap();
    let told_of = |event: &guildhall_types::event::Event| matches!(&event.what, Happening::Run { event: RunEvent::Note { text }, .. } if Some(text) == told.as_ref());
    assert!(events.iter().any(told_of));
    assert_eq!(hall.sit_down(&hall.anna, id).await.unwrap().close().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_changed_in_a_worktree_that_somebody_deleted_is_told_and_the_work_goes_on() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let lines = [json!({ "tools": [["write", { "path": "a.txt", "content": "agent\n" }]] }), json!({ "say": "Done." })];
    let id = hall.scripted(&project, &lines).await;
    hall.rests(id).await;
    let run = hall.latest_run(id).await;
    let folder = hall.team.places.run(run.id);
    hall.until("the engine to rest", async || (hall.engine.stats().await.active_runs == 0).then_some(())).await;
    std::fs::write(folder.join("by-hand"), hall.anna.id.to_string()).unwrap();
    std::fs::remove_dir_all(folder.join("tree")).unwrap();
    let more = [json!({ "tools": [["bash", { "command": "cat a.txt > b.txt" }]] }), json!({ "say": "Done." })];
    hall.team.follow_up(hall.anna.id, id, &script(&more)).await.unwrap();
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None));
    let events = hall.team.store.run_events(run.id, 0, 10_000).await.unwrap();
    let told = |event: &guildhall_types::event::Event| matches!(&event.what, Happening::Run { event: RunEvent::Note { text }, .. } if text.contains("the files of this worktree were deleted"));
    assert!(events.iter().any(told) && !folder.join("by-hand").exists());
}

/// What a check leaves is nobody's work, and what a member writes there later is not a check's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_check_left_that_was_cut_off_is_gone_before_a_member_comes_in() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let checked_by = async |lines: &[&str]| {
        let verify_commands = lines.iter().map(|line| (*line).to_owned()).collect();
        let settings = ProjectSettings { verify_commands, ..project.settings.clone() };
        let patch = ProjectPatch { settings: Some(settings), ..ProjectPatch::default() };
        hall.team.update_project(project.id, patch).await.unwrap();
    };
    let lines = [json!({ "tools": [["write", { "path": "a.txt", "content": "agent\n" }]] }), json!({ "say": "Done." })];
    let id = hall.scripted(&project, &lines).await;
    hall.rests(id).await;
    checked_by(&["echo left > left.txt; sleep 86391"]).await;
    let run = hall.latest_run(id).await;
    let at = |name: &str| hall.team.places.run(run.id).join(name);
    let cut_off = async || {
        hall.until("the check", async || at("tree/left.txt").exists().then_some(())).await;
        hall.team.stop(id).await.unwrap();
        hall.rests(id).await;
        hall.until("the engine to rest", async || (hall.engine.stats().await.active_runs == 0).then_some(())).await;
        assert!(at("checking").exists(), "what it started may still be at work");
    };
    hall.team.verify(id).await.unwrap();
    cut_off().await;
    let mut sitting = hall.sit_down(&hall.anna, id).await.unwrap();
    assert!(!sitting.is_read_only() && !at("tree/left.txt").exists() && !at("checking").exists());
    types(&mut sitting, "truncate -s 51M big.bin; echo by hand > b.txt; echo $((40 + 2))", "42\r\n").await;
    sitting.close().await;
    let head = hall.latest_run(id).await.head_commit;
    hall.team.retry(hall.anna.id, id).await.unwrap();
    cut_off().await;
    let wish = ("look", "ls > listed.txt; truncate -s 51M other.bin", None);
    hall.engine.start_service(&hall.team, &hall.anna, run.id, wish).await.unwrap();
    let listed =
        async || at("tree/other.bin").exists().then(|| std::fs::read_to_string(at("tree/listed.txt")).unwrap());
    assert_eq!(hall.until("the service", listed).await, "README.md\na.txt\nb.txt\nbig.bin\nlisted.txt\n");
    checked_by(&[]).await;
    let more = [json!({ "tools": [["bash", { "command": "ls > seen.txt" }]] }), json!({ "say": "Done." })];
    hall.team.follow_up(hall.anna.id, id, &script(&more)).await.unwrap();
    hall.rests(id).await;
    assert_ne!(hall.latest_run(id).await.head_commit, head);
    let seen = std::fs::read_to_string(at("tree/seen.txt")).unwrap();
    assert_eq!(seen, "README.md\na.txt\nb.txt\nbig.bin\nlisted.txt\nother.bin\nseen.txt\n");
}
