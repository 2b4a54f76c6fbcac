use guildhall_types::member::MemberRole;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Persona, TestApp};

/// What is told of the disk, as soon as it is measured and nobody tidies.
async fn measured(admin: &mut Persona) -> Value {
    let looking = async {
        loop {
            let standing = admin.get("/api/operation/disk").await.is(StatusCode::OK);
            if standing["measuring"] == false && standing["tidiness"]["runningSince"].is_null() {
                return standing;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap()
}

#[tokio::test]
async fn the_disk_is_shown_to_admins_and_tidied_when_they_ask() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut admin = app.member(MemberRole::Admin).await;
    let standing = measured(&mut admin).await;
    let report = &standing["report"];
    assert!(report["bytes"]["database"].as_u64().unwrap() > 0 && report["disk"]["total"].as_u64().unwrap() > 0);
    assert_eq!(report["plan"]["worktrees"], json!([]));
    assert!(
        !standing["tidiness"]["lastGoodAt"].is_null() && standing["tidiness"]["stuckSince"].is_null(),
        "{standing}"
    );

    // Nobody's folder is named, and removed by name alone.
    let lost = format!("worktrees/{}", guildhall_types::RunId::new());
    let folder = app.dir.path().join(&lost);
    std::fs::create_dir_all(&folder).unwrap();
    let begun = admin.call("/api/operation/tidy").await.is(StatusCode::ACCEPTED);
    assert_eq!(begun["measuring"], true);
    let report = measured(&mut admin).await["report"].clone();
    assert_eq!(report["orphans"][0]["path"], lost.as_str(), "{report}");
    let remove = |paths: Value| json!({ "paths": paths });
    let path = "/api/operation/orphans/remove";
    let young = admin.post(path, remove(json!([lost]))).await;
    let problem = young.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert!(problem["errors"][0]["message"].as_str().unwrap().contains("is young"), "{problem}");
    for bad in [json!([]), json!(["../keys"]), json!(["worktrees/.."])] {
        admin.post(path, remove(bad)).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(8 * 24 * 60 * 60);
    std::fs::File::open(&folder).unwrap().set_modified(long_ago).unwrap();
    let gone = admin.post(path, remove(json!([lost]))).await.is(StatusCode::OK);
    assert_eq!(gone, json!({ "removed": [lost], "refused": [] }));
    assert!(!folder.exists());
    for action in ["operation.tidy", "operation.remove-orphans"] {
        let audit = owner.get(&format!("/api/audit?action={action}")).await.is(StatusCode::OK);
        assert_eq!(audit["items"].as_array().unwrap().len(), 1, "{action}");
    }
}

#[tokio::test]
async fn how_long_what_is_kept_is_shown_set_and_checked() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let path = "/api/settings/retention";
    let mut retention = owner.get(path).await.is(StatusCode::OK);
    assert_eq!((&retention["idleWorktreeDays"], &retention["diskPercent"]), (&json!(14), &json!(75)));
    retention["runDays"] = Value::Null;
    retention["mailDays"] = json!(7);
    assert_eq!(owner.put(path, retention.clone()).await.is(StatusCode::OK), retention);
    for (field, value) in [("eventDays", json!(0)), ("diskPercent", json!(100)), ("runDays", json!(40_000))] {
        let mut bad = retention.clone();
        bad[field] = value;
        let problem = owner.put(path, bad).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert_eq!(problem["errors"][0]["field"], field);
    }
    assert_eq!(owner.get(path).await.is(StatusCode::OK), retention);
    let audit = owner.get("/api/audit?action=setting.change").await.is(StatusCode::OK);
    assert!(audit["items"][0]["detail"]["to"].as_str().unwrap().contains("\"mailDays\":7"), "{audit}");
}
