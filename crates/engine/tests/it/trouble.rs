//! What goes wrong is told on the card, and the card can be started again.

use guildhall_team::By;
use guildhall_types::feature::FeatureStatus;
use guildhall_types::member::ProviderKind;
use guildhall_types::project::ProjectSource;
use serde_json::{Value, json};

use crate::harness::{Hall, script};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_trouble_has_a_word_and_a_hint_and_the_card_can_start_again() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let read = json!({ "tools": [["read", { "path": "README.md" }]] });
    let mut forever = read.clone();
    forever["forever"] = true.into();
    let cases: Vec<(&str, Vec<Value>)> = vec![
        ("invalid-key", vec![read.clone(), json!({ "fault": { "kind": "bad-key" }, "say": "x" })]),
        ("looping", vec![forever]),
        ("prompt-too-long", vec![json!({ "fault": { "kind": "prompt-too-long", "times": 5 }, "say": "x" })]),
        ("refused", vec![json!({ "say": "I will not do that.", "stop": "refusal" })]),
    ];
    for (code, lines) in cases {
        let id = hall.scripted(&project, &lines).await;
        let feature = hall.rests(id).await;
        assert_eq!(feature.card.status, FeatureStatus::Failed, "{code}");
        let problem = feature.card.error.unwrap();
        assert_eq!(problem.code, code, "{}", problem.message);
        assert!(!problem.message.is_empty() && !problem.hint.is_empty());

        let better = guildhall_store::FeaturePatch {
            description: Some(script(&[json!({ "say": "It went well." })])),
            ..Default::default()
        };
        hall.team.update_feature(By::in_person(&hall.anna), id, better, None).await.unwrap();
        hall.start(id).await;
        let feature = hall.rests(id).await;
        assert_eq!((feature.card.status, feature.card.error), (FeatureStatus::WaitingApproval, None), "{code}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_arguments_are_answered_and_the_work_goes_on() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let lines = [
        json!({ "tools": [["write", "{\"path\": \"a.txt\", \"content\": \"cut of"]] }),
        json!({ "tools": [["write", { "path": "a.txt", "content": "whole\n" }]] }),
        json!({ "say": "Done." }),
    ];
    let id = hall.scripted(&project, &lines).await;
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
    assert_eq!(hall.team.diff(id).await.unwrap().stat.additions, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_is_told_at_the_start_and_a_wrong_one_on_the_card() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let card = guildhall_team::NewCard { description: script(&[json!({ "say": "Done." })]), ..Default::default() };
    let id = hall.team.create_feature(&hall.anna, project.id, card).await.unwrap().card.id;
    let refused = hall.team.start(hall.anna.id, id).await.unwrap_err();
    assert!(matches!(refused, guildhall_team::TeamError::Conflict { code: "no-key", .. }), "{refused}");
    assert_eq!(hall.feature(id).await.card.status, FeatureStatus::Backlog);

    let url = hall.sim.url();
    let put = async |key: &str| {
        hall.team.put_credential(hall.anna.id, ProviderKind::Anthropic, key, Some(&url)).await.unwrap()
    };
    assert_eq!(put("sk-bad-0123456789").await.hint, "6789");
    assert!(!hall.team.test_credential(hall.anna.id, ProviderKind::Anthropic).await.unwrap().ok);
    hall.start(id).await;
    let feature = hall.rests(id).await;
    let problem = feature.card.error.unwrap();
    assert_eq!((feature.card.status, problem.code.as_str()), (FeatureStatus::Failed, "invalid-key"));
    assert!(!problem.message.contains("sk-bad"), "{}", problem.message);

    put("sk-good-0123456789").await;
    hall.team.retry(hall.anna.id, id).await.unwrap();
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);

    // Nobody is there.
    let nowhere = "http://127.0.0.1:9";
    let refused =
        hall.team.put_credential(hall.anna.id, ProviderKind::Anthropic, "sk-good-0123456789", Some("nowhere")).await;
    assert!(refused.is_err());
    hall.team.put_credential(hall.anna.id, ProviderKind::Anthropic, "sk-good-0123456789", Some(nowhere)).await.unwrap();
    let test = hall.team.test_credential(hall.anna.id, ProviderKind::Anthropic).await.unwrap();
    assert!(!test.ok && test.message.contains("cannot be reached"), "{test:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_that_exists_is_told() {
    let hall = Hall::open().await;
    let project = hall.sample().await;
    let named = |branch: &str| guildhall_team::NewCard {
        description: script(&[json!({ "say": "Done." })]),
        branch: Some(branch.to_owned()),
        ..Default::default()
    };
    let id = hall.team.create_feature(&hall.anna, project.id, named("main")).await.unwrap().card.id;
    let refused = hall.team.start(hall.anna.id, id).await.unwrap_err();
    assert!(matches!(refused, guildhall_team::TeamError::Conflict { code: "branch-exists", .. }), "{refused}");
    assert!(hall.team.create_feature(&hall.anna, project.id, named("no branch")).await.is_err());

    // Its own branch of an earlier run does not stand in a card's way.
    let id = hall.team.create_feature(&hall.anna, project.id, named("feature/x")).await.unwrap().card.id;
    for branch in ["feature/x", "feature/x-2"] {
        hall.start(id).await;
        let feature = hall.rests(id).await;
        let run = hall.team.store.run(feature.card.run_id.unwrap()).await.unwrap().unwrap();
        assert_eq!(run.branch, branch);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_too_large_or_no_text_does_no_harm() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let lines = [
        json!({ "tools": [["bash", { "command": "head -c 104857600 /dev/zero > big.bin; printf '\\xff\\xfe\\x00bad' > latin.txt; echo ok > small.txt" }]] }),
        json!({ "tools": [["read", { "path": "latin.txt" }], ["read", { "path": "big.bin" }], ["grep", { "pattern": "ok" }]] }),
        json!({ "tools": [["bash", { "command": "echo more >> big.bin; echo more >> small.txt" }]] }),
        json!({ "say": "Done." }),
    ];
    let id = hall.scripted(&project, &lines).await;
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
    let diff = hall.team.diff(id).await.unwrap();
    let paths: Vec<&str> = diff.files.iter().map(|file| file.new_path.as_str()).collect();
    assert_eq!(paths, ["latin.txt", "small.txt"], "what is too large is left out, and said");
    let run = feature.card.run_id.unwrap();
    let told = hall.team.store.run_events(run, 0, 1_000).await.unwrap();
    let told = serde_json::to_string(&told).unwrap();
    assert!(told.contains("big.bin has 104857600 bytes"));
    assert_eq!(told.matches("too large to be kept").count(), 1, "a file that grows is told of once: {told}");
}
