//! Runs that take more of the machine than they may: they are told, and nobody else notices.

use guildhall_engine::LIMITS;
use guildhall_store::{NewMember, ProjectPatch, StoreError};
use guildhall_team::{NewCard, TeamError};
use guildhall_types::feature::FeatureStatus;
use guildhall_types::limits::Limits;
use guildhall_types::member::MemberRole;
use guildhall_types::project::{ProjectSettings, ProjectSource};
use serde_json::json;

use crate::harness::{Hall, script};

/// Needs so many MB.
fn needs(mb: u32) -> String {
    format!("dd if=/dev/zero of=/dev/null bs={mb}000000 count=1 status=none && echo fits")
}

impl Hall {
    async fn limit(&self, limits: Limits) {
        let value = serde_json::to_value(limits).unwrap();
        self.team.store.put_settings(&[(LIMITS, value)]).await.unwrap();
    }

    /// Whether this host keeps limits of memory.
    #[expect(clippy::print_stdout, reason = "whoever reads the tests' output is to know what was not tried")]
    async fn keeps_memory(&self) -> bool {
        let report = self.engine.sandbox_report().await;
        let kept = report.findings.iter().find(|found| found.name == "limit of memory");
        if kept.is_some_and(|found| found.ok) {
            return true;
        }
        println!("skipped: {kept:?}");
        false
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_members_leak_ends_that_command_alone_and_is_told_on_the_card() {
    let hall = Hall::open().await;
    if !hall.keeps_memory().await {
        return;
    }
    hall.limit(Limits { max_memory_mb_per_member: 300, ..Limits::default() }).await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let bert = NewMember { email: "bert@example.com".to_owned(), name: "Bert".to_owned(), password_hash: None };
    let bert = hall.team.store.create_member(bert, MemberRole::Member).await.unwrap();

    // Bert's command is at work while Anna's leaks.
    let steady = [
        json!({ "tools": [["bash", { "command": format!("sleep 3; {} > size", needs(100)) }]] }),
        json!({ "say": "Done." }),
    ];
    let card = NewCard { description: script(&steady), model: Some("simulated".to_owned()), ..NewCard::default() };
    let steady = hall.team.create_feature(&bert, project.id, card).await.unwrap().card.id;
    hall.team.start(bert.id, steady).await.unwrap();
    let leaking = [
        json!({ "tools": [["bash", { "command": needs(900) }]] }),
        json!({ "tools": [["bash", { "command": "echo goes on > file" }]] }),
        json!({ "say": "Done." }),
    ];
    let leaking = hall.scripted(&project, &leaking).await;

    let leaked = hall.rests(leaking).await;
    assert_eq!((leaked.card.status, leaked.card.error), (FeatureStatus::WaitingApproval, None));
    let events = hall.team.store.run_events(leaked.card.run_id.unwrap(), 0, 1_000).await.unwrap();
    let told = serde_json::to_string(&events).unwrap();
    let words = "all commands of a member together may have 300 MB";
    assert!(
        told.contains(&format!("A command met a limit. It was out of memory, and a process of it was killed: {words}")),
        "{told}"
    );
    // The model hears it as well, with what to do.
    let asked = serde_json::to_string(&hall.sim.requests()).unwrap_or_default();
    assert!(asked.contains(words) && asked.contains("fewer parallel jobs"), "the model is told");
    let files = |diff: guildhall_git::Diff| diff.files.into_iter().map(|file| file.new_path).collect::<Vec<_>>();
    assert_eq!(files(hall.team.diff(leaking).await.unwrap()), ["file"]);

    let other = hall.rests(steady).await;
    assert_eq!((other.card.status, other.card.error), (FeatureStatus::WaitingApproval, None));
    assert_eq!(files(hall.team.diff(steady).await.unwrap()), ["size"]);
    let events = hall.team.store.run_events(other.card.run_id.unwrap(), 0, 1_000).await.unwrap();
    assert!(!serde_json::to_string(&events).unwrap().contains("met a limit"));
    assert_eq!(hall.engine.usage_of(hall.anna.id).await.runs, 0, "nothing is held by runs that rest");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_needs_too_much_says_so_on_the_card() {
    let hall = Hall::open().await;
    if !hall.keeps_memory().await {
        return;
    }
    hall.limit(Limits { max_memory_mb_per_member: 300, ..Limits::default() }).await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let settings = ProjectSettings { verify_commands: vec![needs(900)], repairs: 0, ..ProjectSettings::default() };
    let patch = ProjectPatch { settings: Some(settings), ..ProjectPatch::default() };
    let project = hall.team.update_project(project.id, patch).await.unwrap();
    let id = hall
        .scripted(
            &project,
            &[json!({ "tools": [["write", { "path": "a.txt", "content": "a\n" }]] }), json!({ "say": "Done." })],
        )
        .await;
    let problem = hall.rests(id).await.card.error.unwrap();
    assert_eq!(problem.code, "checks-failed");
    assert!(problem.message.contains("may have 300 MB"), "{problem:?}");
    assert!(problem.hint.contains("fewer parallel jobs"), "{problem:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worktree_beyond_its_limit_is_told_and_a_member_has_a_number_of_worktrees() {
    let hall = Hall::open().await;
    hall.limit(Limits { max_disk_mb_per_worktree: 20, max_worktrees_per_member: 1, ..Limits::default() }).await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let lines = [
        json!({ "tools": [["bash", { "command": "echo build > .gitignore; mkdir build; dd if=/dev/zero of=build/large bs=1M count=50; sync build/large; sleep 100" }]] }),
        json!({ "tools": [["bash", { "command": "rm -r build; echo small > file" }]] }),
        json!({ "say": "Done." }),
    ];
    let id = hall.scripted(&project, &lines).await;
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None));
    let events = hall.team.store.run_events(feature.card.run_id.unwrap(), 0, 1_000).await.unwrap();
    let told = serde_json::to_string(&events).unwrap();
    assert!(told.contains("and may have 20 MB"), "{told}");
    assert!(hall.team.diff(id).await.unwrap().files.iter().any(|file| file.new_path == "file"));

    let next = hall.card(&project, &script(&[json!({ "say": "Done." })])).await;
    let refused = hall.team.start(hall.anna.id, next).await.unwrap_err();
    assert!(matches!(refused, TeamError::Store(StoreError::TooManyWorktrees { most: 1 })), "{refused}");
    hall.team.merge(&hall.anna, id, None).await.unwrap();
    hall.start(next).await;
    hall.rests(next).await;
}
