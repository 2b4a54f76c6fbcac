use std::time::Duration;

use guildhall_types::member::MemberRole;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Persona, TestApp};

async fn ended(who: &mut Persona, path: &str) -> Value {
    let waiting = async {
        loop {
            let shown = who.get(path).await.is(StatusCode::OK);
            if shown["trial"]["status"] != "running" {
                return shown["trial"].clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn checks_are_tried_on_the_default_branch_in_the_background() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "sample" })).await;
    let base = format!("/api/projects/{}", project["id"].as_str().unwrap());
    let path = format!("{base}/try-checks");
    assert_eq!(owner.get(&path).await.is(StatusCode::OK), json!({ "trial": null }));

    // What is saved: the sample's own test, which passes.
    let begun = owner.post(&path, json!({})).await.is(StatusCode::ACCEPTED);
    assert_eq!((&begun["status"], &begun["total"], &begun["checks"]), (&json!("running"), &json!(1), &json!([])));
    let trial = ended(&mut owner, &path).await;
    assert_eq!((&trial["status"], &trial["checks"][0]["exitCode"]), (&json!("passed"), &json!(0)), "{trial}");

    // What is only typed: all of it runs, is shown, and leaves nothing behind.
    let typed = json!({ "commands": ["echo one; exit 3", "ls todo; touch left.txt; cat left.txt", " "], "minutes": 1 });
    owner.post(&path, typed).await.is(StatusCode::ACCEPTED);
    let trial = ended(&mut owner, &path).await;
    let checks = trial["checks"].as_array().unwrap();
    assert_eq!((&trial["status"], checks.len()), (&json!("failed"), 2));
    assert_eq!((&checks[0]["exitCode"], &checks[0]["output"]), (&json!(3), &json!("one\n")));
    let told = "todo\n(It wrote files that are in no commit, and they were taken away again: left.txt.)";
    assert_eq!((&checks[1]["status"], &checks[1]["output"]), (&json!("passed"), &json!(told)));
    let commits = owner.get(&format!("{base}/commits")).await.is(StatusCode::OK);
    assert_eq!(trial["commitId"], commits["items"][0]["id"]);
    assert_eq!(commits["items"].as_array().unwrap().len(), 1);

    // One at a time, while anything else is answered.
    owner.post(&path, json!({ "commands": ["sleep 2"] })).await.is(StatusCode::ACCEPTED);
    owner.post(&path, json!({})).await.is_problem(StatusCode::CONFLICT, "checks-running");
    ended(&mut owner, &path).await;
    for bad in [json!({ "commands": [] }), json!({ "minutes": 0 }), json!({ "commands": vec!["x"; 21] })] {
        owner.post(&path, bad).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }

    // Whoever began one stops it, and so do admins; it takes no place any more.
    owner.post(&format!("{path}/stop"), json!({})).await.is_problem(StatusCode::CONFLICT, "no-trial");
    let mut maker = app.member(MemberRole::Member).await;
    let mut other = app.named("other", MemberRole::Member).await;
    for by in ["maker", "owner"] {
        maker.post(&path, json!({ "commands": ["sleep 600"], "minutes": 240 })).await.is(StatusCode::ACCEPTED);
        other.post(&format!("{path}/stop"), json!({})).await.is_problem(StatusCode::FORBIDDEN, "not-yours");
        let who = if by == "maker" { &mut maker } else { &mut owner };
        who.post(&format!("{path}/stop"), json!({})).await.is(StatusCode::ACCEPTED);
        let trial = ended(&mut other, &path).await;
        assert_eq!(trial["status"], "stopped", "{trial}");
        assert!(trial["problem"].as_str().unwrap().ends_with(" stopped it."), "{trial}");
    }
    owner.post(&path, json!({ "commands": ["true"] })).await.is(StatusCode::ACCEPTED);
    ended(&mut owner, &path).await;

    let mut viewer = app.member(MemberRole::Viewer).await;
    viewer.post(&path, json!({})).await.is_problem(StatusCode::FORBIDDEN, "missing-right");
    assert_eq!(ended(&mut viewer, &path).await["status"], "passed");
}

#[tokio::test]
async fn a_pipeline_is_checked_before_it_is_kept() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let path = format!("/api/projects/{}", project["id"].as_str().unwrap());
    let step = |name: &str, more: Value| {
        let mut step = json!({ "name": name, "instructions": "Look." });
        step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        step
    };
    let fine = json!([
        step(" Review ", json!({})),
        step("Docs", json!({ "onFailure": "go_on", "returns": 0, "enabled": false, "model": " " }))
    ]);
    let kept = owner.patch(&path, json!({ "settings": { "pipeline": fine } })).await.is(StatusCode::OK);
    let steps = &kept["settings"]["pipeline"];
    assert_eq!(
        steps[0],
        json!({ "name": "Review", "instructions": "Look.", "model": null, "enabled": true, "onFailure": "stop", "returns": 2 })
    );
    assert_eq!(
        (&steps[1]["onFailure"], &steps[1]["enabled"], &steps[1]["model"]),
        (&json!("go_on"), &json!(false), &Value::Null)
    );
    let many: Vec<Value> = (0..11).map(|n| step(&n.to_string(), json!({}))).collect();
    for bad in [
        json!([step("", json!({}))]),
        json!([step(&"x".repeat(41), json!({}))]),
        json!([step("a\nb", json!({}))]),
        json!([step("Review", json!({})), step("review", json!({}))]),
        json!([step("Review", json!({ "instructions": " " }))]),
        json!([step("Review", json!({ "returns": 4 }))]),
        json!(many),
    ] {
        let refused = owner.patch(&path, json!({ "settings": { "pipeline": bad } })).await;
        let problem = refused.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert!(problem.to_string().contains("settings.pipeline"), "{problem}");
    }
    for minutes in [0, 241] {
        let refused = owner.patch(&path, json!({ "settings": { "checkMinutes": minutes } })).await;
        refused.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }
    let mut viewer = app.member(MemberRole::Viewer).await;
    let refused = viewer.patch(&path, json!({ "settings": { "pipeline": [] } })).await;
    refused.is_problem(StatusCode::FORBIDDEN, "missing-right");
}
