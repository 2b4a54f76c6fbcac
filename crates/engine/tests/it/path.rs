//! The main job, from a card to a commit on the default branch.

use guildhall_types::event::Happening;
use guildhall_types::feature::FeatureStatus;
use guildhall_types::member::{MemberRole, ProviderKind};
use guildhall_types::run::{CheckStatus, KeySource, RunEvent, RunStatus};
use serde_json::json;

use crate::harness::{Hall, script};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_becomes_a_commit() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let offered = guildhall_team::sample::suggestions().unwrap();
    let id = hall.card(&project, &format!("# {}\n\n{}", offered[0].title, offered[0].description)).await;
    hall.start(id).await;
    let feature = hall.reaches(id, FeatureStatus::WaitingApproval).await;
    assert_eq!(feature.card.error, None);
    assert!(feature.summary.unwrap().contains("todo done"));
    assert!(feature.card.tasks_total > 0 && feature.card.tasks_done == feature.card.tasks_total);
    let run = hall.team.store.run(feature.card.run_id.unwrap()).await.unwrap().unwrap();
    assert_eq!((run.status, run.key_source), (RunStatus::Waiting, Some(KeySource::Simulated)));
    let checks = hall.team.store.checks(run.id).await.unwrap();
    assert_eq!(checks.len(), 1);
    assert_eq!((checks[0].status, checks[0].exit_code), (CheckStatus::Passed, Some(0)));
    assert!(checks[0].output.contains("done.test.sh"), "{}", checks[0].output);

    let diff = hall.team.diff(id).await.unwrap();
    let paths: Vec<&str> = diff.files.iter().map(|file| file.new_path.as_str()).collect();
    assert_eq!(paths, ["README.md", "commands/done.sh", "tests/done.test.sh"]);

    hall.team.follow_up(hall.anna.id, id, "Say in the README that numbers count from 1.").await.unwrap();
    let feature = hall.reaches(id, FeatureStatus::WaitingApproval).await;
    assert_eq!(feature.card.run_id, Some(run.id), "the same conversation");
    let after = hall.team.store.run(run.id).await.unwrap().unwrap();
    assert!(after.turns > run.turns);
    let (feature, _) = hall.team.verify(id).await.unwrap();
    assert_eq!(feature.card.status, FeatureStatus::Verified, "its checks passed on this very commit");

    let merged = hall.team.merge(&hall.anna, id, None).await.unwrap();
    assert_eq!(merged.feature.card.status, FeatureStatus::Completed);
    assert!(hall.text_at_main(&project, "commands/done.sh").await.is_some());
    assert!(hall.text_at_main(&project, "README.md").await.unwrap().contains("count from 1"));
    hall.until("a tidy disk", async || (hall.engine.stats().await.worktrees == 0).then_some(())).await;
    let again = hall.team.merge(&hall.anna, id, None).await.unwrap_err();
    assert!(again.to_string().contains("completed"), "{again}");

    // Everything that a page needs to show it again is in the store, each turn once.
    let events = hall.team.store.run_events(run.id, 0, 1_000).await.unwrap();
    let kinds = |wanted: fn(&RunEvent) -> bool| {
        events.iter().filter(|event| matches!(&event.what, Happening::Run { event, .. } if wanted(event))).count()
    };
    assert_eq!(kinds(|event| matches!(event, RunEvent::TurnSaved { .. })), after.turns as usize);
    assert_eq!(
        kinds(|event| matches!(event, RunEvent::ToolStarted { .. })),
        kinds(|event| matches!(event, RunEvent::ToolFinished { .. }))
    );
    assert_eq!(kinds(|event| matches!(event, RunEvent::Said { .. })), 2);
}

/// The main job with each provider that a member may have a key for: its dialect, its tools, its summary, its bill.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_becomes_a_commit_with_every_provider() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let offered = guildhall_team::sample::suggestions().unwrap();
    let url = hall.sim.url();
    let member = hall.anna.id;
    for (n, (provider, base, model, source)) in [
        (ProviderKind::Openai, url.clone(), "gpt-6.2-sol", KeySource::Member),
        (ProviderKind::Google, format!("{url}/v1beta/openai"), "gemini-4-neon", KeySource::Team),
        (ProviderKind::Compatible, format!("{url}/v1"), "compatible/simulated-large", KeySource::Member),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("sk-secret-of-{provider}");
        match source {
            KeySource::Member => drop(hall.team.put_credential(member, provider, &key, Some(&base)).await.unwrap()),
            _ => drop(hall.team.put_team_credential(member, provider, &key, Some(&base)).await.unwrap()),
        }
        let card = guildhall_team::NewCard {
            description: format!("# {}\n\n{}", offered[n].title, offered[n].description),
            model: Some(model.to_owned()),
            ..Default::default()
        };
        let id = hall.team.create_feature(&hall.anna, project.id, card).await.unwrap().card.id;
        hall.start(id).await;
        let feature = hall.rests(id).await;
        assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{provider}: {:?}", feature.card.error);
        assert_eq!(feature.card.error, None, "{provider}");
        let run = hall.team.store.run(feature.card.run_id.unwrap()).await.unwrap().unwrap();
        assert_eq!((run.key_source, run.key_provider), (Some(source), Some(provider)));
        assert_eq!(run.key_hint.as_deref(), Some(&key[key.len() - 4..]));
        assert!(run.usage.output_tokens > 0 && run.usage.cache_read_tokens > 0, "{provider}: {:?}", run.usage);
        assert_eq!(
            run.cost_micros > 0,
            provider != ProviderKind::Compatible,
            "what a server of one's own costs is unknown"
        );
        let merged = hall.team.merge(&hall.anna, id, None).await.unwrap();
        assert_eq!(merged.feature.card.status, FeatureStatus::Completed, "{provider}");
        let told = serde_json::to_string(&hall.team.store.run_events(run.id, 0, 1_000).await.unwrap()).unwrap();
        assert!(!told.contains(&key), "no key in what happened");
    }
    let own = hall.team.store.credentials_of(member).await.unwrap();
    assert!(own.iter().all(|key| key.last_used_at.is_some()), "{own:?}");
    assert!(hall.team.store.team_credentials().await.unwrap()[0].last_used_at.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_uses_the_key_of_who_started_it_and_nobody_elses() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let url = hall.sim.url();
    let bob =
        guildhall_store::NewMember { email: "bob@example.com".to_owned(), name: "Bob".to_owned(), password_hash: None };
    let bob = hall.team.store.create_member(bob, MemberRole::Member).await.unwrap();
    hall.team.put_credential(hall.anna.id, ProviderKind::Openai, "sk-bad-of-anna-aaaa", Some(&url)).await.unwrap();
    hall.team.put_credential(bob.id, ProviderKind::Openai, "sk-good-of-bob-bbbb", Some(&url)).await.unwrap();
    let card = guildhall_team::NewCard {
        description: script(&[json!({ "say": "Done." })]),
        model: Some("gpt-6.2-sol".to_owned()),
        ..Default::default()
    };
    let id = hall.team.create_feature(&hall.anna, project.id, card).await.unwrap().card.id;
    hall.start(id).await;
    assert_eq!(hall.rests(id).await.card.error.unwrap().code, "invalid-key");
    // Whoever retries starts it in their own name, and with their own key.
    hall.team.retry(bob.id, id).await.unwrap();
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
    let run = hall.team.store.run(feature.card.run_id.unwrap()).await.unwrap().unwrap();
    assert_eq!((run.member_id, run.key_hint.as_deref()), (bob.id, Some("bbbb")));
    // Another member's words go on with the key of who started it.
    hall.team.follow_up(hall.anna.id, id, &script(&[json!({ "say": "Well." })])).await.unwrap();
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
    let run = hall.team.store.run(run.id).await.unwrap().unwrap();
    assert_eq!((run.member_id, run.key_hint.as_deref()), (bob.id, Some("bbbb")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_and_everyone_gets_through() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let mut cards = Vec::new();
    for n in 0..7 {
        let lines = [
            json!({ "tools": [["write", { "path": format!("n{n}.txt"), "content": "x\n" }]] }),
            json!({ "say": "Done." }),
        ];
        cards.push(hall.scripted(&project, &lines).await);
        assert!(hall.engine.stats().await.active_runs <= 3);
    }
    for id in cards {
        let feature = hall.rests(id).await;
        assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
        let (working, _) = hall.team.store.run_counts().await.unwrap();
        assert!(working <= 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failing_checks_are_told_and_the_agent_can_mend_them() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let lines = [
        json!({ "tools": [["write", { "path": "tests/new.test.sh", "content": "echo it is red; false\n" }]] }),
        json!({ "say": "Done." }),
    ];
    let id = hall.scripted(&project, &lines).await;
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval);
    assert_eq!(feature.card.error.unwrap().code, "checks-failed");
    let run = feature.card.run_id.unwrap();
    let check = hall.team.store.checks(run).await.unwrap().remove(0);
    assert_eq!(check.status, CheckStatus::Failed);
    assert!(check.output.contains("it is red"));

    // Verifying looks again, and is not talked round.
    hall.team.verify(id).await.unwrap();
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval);
    assert_eq!(hall.team.store.checks(run).await.unwrap().len(), 3, "two before, one of them after a repair");

    let mend = script(&[
        json!({ "tools": [["write", { "path": "tests/new.test.sh", "content": "true\n" }]] }),
        json!({ "say": "Mended." }),
    ]);
    hall.team.follow_up(hall.anna.id, id, &mend).await.unwrap();
    let feature = hall.rests(id).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None));
    assert_eq!(hall.team.verify(id).await.unwrap().0.card.status, FeatureStatus::Verified);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_is_told_and_nothing_is_half_merged() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let write = |text: &str| {
        vec![json!({ "tools": [["write", { "path": "README.md", "content": text }]] }), json!({ "say": "Done." })]
    };
    let first = hall.scripted(&project, &write("# One\n")).await;
    let second = hall.scripted(&project, &write("# Two\n")).await;
    hall.rests(first).await;
    hall.rests(second).await;
    hall.team.merge(&hall.anna, first, Some("Rename it")).await.unwrap();
    let error = hall.team.merge(&hall.anna, second, None).await.unwrap_err();
    let guildhall_team::TeamError::MergeConflict { branch, files, .. } = error else { panic!("{error}") };
    assert_eq!((branch.as_str(), files[0].path.as_str()), ("main", "README.md"));
    assert_eq!(hall.text_at_main(&project, "README.md").await.unwrap(), "# One\n");
    assert_eq!(hall.feature(second).await.card.status, FeatureStatus::WaitingApproval);

    // The agent is asked to resolve it, and finds both sides in the file.
    let resolve = script(&[
        json!({ "tools": [["bash", { "command": "grep -c '^[<=>]\\{7\\}' README.md; cat README.md" }]] }),
        json!({ "tools": [["write", { "path": "README.md", "content": "# One and Two\n" }]] }),
        json!({ "say": "Both are there." }),
    ]);
    hall.team.follow_up(hall.anna.id, second, &resolve).await.unwrap();
    let feature = hall.rests(second).await;
    assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None));
    let turns = hall.team.store.turns(feature.card.run_id.unwrap()).await.unwrap();
    let said = serde_json::to_string(&turns).unwrap();
    assert!(said.contains("conflicts with this work") && said.contains("<<<<<<<"), "{said}");
    let diff = hall.team.diff(second).await.unwrap();
    assert_eq!((diff.stat.additions, diff.stat.deletions), (1, 1), "against the branch as it is now");
    hall.team.merge(&hall.anna, second, None).await.unwrap();
    assert_eq!(hall.text_at_main(&project, "README.md").await.unwrap(), "# One and Two\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_that_was_not_noted_is_found_again() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let id = hall
        .scripted(
            &project,
            &[json!({ "tools": [["write", { "path": "a.txt", "content": "a\n" }]] }), json!({ "say": "Done." })],
        )
        .await;
    let feature = hall.rests(id).await;
    // As if the server had died between git and the store.
    let (_, repo) = hall.team.ready_project(project.id).await.unwrap();
    let run = hall.team.store.run(feature.card.run_id.unwrap()).await.unwrap().unwrap();
    let at = |commit: &Option<String>| guildhall_git::Oid::parse(commit.as_deref().unwrap()).unwrap();
    let work = guildhall_git::Work { base: at(&run.base_commit), head: at(&run.head_commit) };
    let author = guildhall_git::Identity { name: "Anna".to_owned(), email: "anna@example.com".to_owned() };
    let message = format!("A\n\nGuildhall-Feature: {id}\n");
    let guildhall_git::Merge::Done(commit) = repo.merge(&work, "main", &message, &author).await.unwrap() else {
        panic!()
    };
    let merged = hall.team.merge(&hall.anna, id, None).await.unwrap();
    assert_eq!(merged.commit, commit.as_str());
    assert_eq!(repo.log("main", 0, 10).await.unwrap().len(), 2, "not merged twice");
}
