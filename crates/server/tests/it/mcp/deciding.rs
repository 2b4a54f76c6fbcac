//! What a person decides, by tools; and what the audit tells of calls that only look.

use guildhall_types::FixedClock;
use guildhall_types::rights::Scope;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::connecting::Program;
use crate::harness::{Persona, TestApp, Wish};

const SCRIPT: &str = r#"Do it.

```sim
{"tools": [["propose_plan", {"text": "first", "tasks": [{"title": "One"}]}]]}
{"tools": [["propose_plan", {"text": "second", "tasks": [{"title": "One"}, {"title": "Two"}]}]]}
{"tools": [["write", {"path": "a.txt", "content": "a\n"}]]}
{"say": "Done."}
```"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn plans_are_read_and_decided_on_and_work_goes_on_or_back_by_tools() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let settings = json!({ "settings": { "verifyCommands": ["true"] } });
    owner.patch(&format!("/api/projects/{}", project["id"].as_str().unwrap()), settings).await.is(StatusCode::OK);
    let program = Program::at(&app).await;
    let (token, _) = program.connect(&mut owner, &["read", "write", "run"]).await;
    let new =
        json!({ "projectId": project["id"], "description": SCRIPT, "model": "simulated", "requirePlanApproval": true });
    let (card, failed) = program.call(&token, "feature_create", new).await;
    assert!(!failed, "{card}");
    let of = json!({ "featureId": card["id"] });
    let with = |more: Value| {
        let mut all = of.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let mut socket = owner.listen("").await.unwrap();
    assert!(!program.call(&token, "feature_start", of.clone()).await.1);
    socket.wait(|frame| frame["feature"]["stage"] == "plan_approval").await;

    let (plans, _) = program.call(&token, "plan_get", of.clone()).await;
    assert_eq!((&plans["items"][0]["text"], &plans["items"][0]["status"]), (&json!("first"), &json!("proposed")));
    assert_eq!(plans["items"][0]["tasks"], json!([{ "title": "One" }]));
    let (rejected, failed) =
        program.call(&token, "plan_reject", with(json!({ "version": 1, "feedback": "In two." }))).await;
    assert!(!failed && rejected["feature"]["status"] == "queued", "{rejected}");
    socket.wait(|frame| frame["feature"]["stage"] == "plan_approval").await;
    let (latest, _) = program.call(&token, "plan_get", of.clone()).await;
    assert_eq!(latest["items"].as_array().unwrap().len(), 1, "a model reads the latest: {latest}");
    assert_eq!(latest["items"][0]["version"], 2);
    let (both, _) = program.call(&token, "plan_get", with(json!({ "versions": 5 }))).await;
    assert_eq!(both["items"][1]["feedback"], "In two.", "{both}");
    let (late, failed) = program.call(&token, "plan_approve", with(json!({ "version": 1 }))).await;
    assert!(failed && late.as_str().unwrap().starts_with("stale-plan: "), "{late}");
    let (approved, failed) = program.call(&token, "plan_approve", with(json!({ "version": 2 }))).await;
    assert!(!failed && approved["run"]["approval"] == "given", "{approved}");
    let run = json!({ "runId": approved["run"]["id"] });
    socket
        .wait(|frame| frame["feature"]["status"] == "waiting_approval" || frame["feature"]["status"] == "verified")
        .await;

    let (checks, failed) = program.call(&token, "run_checks", run).await;
    assert!(!failed && checks["items"][0]["command"] == "true" && checks["items"][0]["status"] == "passed", "{checks}");
    let (auto, failed) = program.call(&token, "auto_mode_get", json!({ "projectId": project["id"] })).await;
    assert!(!failed && auto["projectId"] == project["id"], "{auto}");
    let (usage, failed) = program.call(&token, "usage_get", json!({ "by": "project", "project": project["id"] })).await;
    assert!(!failed && usage["groups"][0]["calls"].as_i64() > Some(2), "{usage}");
    let (why, failed) = program.call(&token, "usage_get", json!({})).await;
    assert!(failed && why.as_str().unwrap().contains("by"), "{why}");

    let (why, failed) = program.call(&token, "feature_retry", of.clone()).await;
    assert!(failed && why.as_str().unwrap().starts_with("illegal-move: "), "{why}");
    let (shelved, failed) = program.call(&token, "feature_shelve", of.clone()).await;
    assert!(!failed && shelved["status"] == "backlog", "{shelved}");

    // A card that was stopped goes on.
    let script = "Wait.\n\n```sim\n{\"silence_ms\": 600000, \"say\": \"Done.\"}\n```";
    let new = json!({ "projectId": project["id"], "description": script, "model": "simulated" });
    let (card, _) = program.call(&token, "feature_create", new).await;
    let of = json!({ "featureId": card["id"] });
    assert!(!program.call(&token, "feature_start", of.clone()).await.1);
    assert!(!program.call(&token, "feature_stop", of.clone()).await.1);
    let (again, failed) = program.call(&token, "feature_retry", of).await;
    assert!(!failed && again["feature"]["status"] == "queued", "{again}");
}

/// What the audit tells of calls, the latest first: of which tool, on what, how it ended, and how many others there were.
async fn told(owner: &mut Persona) -> Vec<[Value; 4]> {
    let page = owner.get("/api/audit?action=mcp.call").await.is(StatusCode::OK);
    let of = |entry: &Value| {
        assert!(entry["tokenId"].is_string() && entry["memberId"].is_string(), "{entry}");
        assert!(entry["object"] == "tool" || entry["object"].is_null(), "{entry}");
        [&entry["objectId"], &entry["detail"]["of"], &entry["outcome"], &entry["detail"]["others"]].map(Value::clone)
    };
    page["items"].as_array().unwrap().iter().map(of).collect()
}

#[tokio::test]
async fn calls_that_only_look_are_in_the_audit_without_what_they_saw() {
    let clock = FixedClock::default();
    let app = TestApp::with(Wish { clock: Some(clock.clone()), ..Wish::default() }).await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let program = Program::at(&app).await;
    let (token, _) = owner.token(&[Scope::Read, Scope::Write]).await;
    let new = json!({ "projectId": project["id"], "title": "Wombat", "description": "Build a wombat." });
    let (card, _) = program.call(&token, "feature_create", new).await;
    assert!(told(&mut owner).await.is_empty(), "what was done, the route tells");

    let of = json!({ "featureId": card["id"] });
    program.call(&token, "knowledge_search", json!({ "q": "wombats" })).await;
    for _ in 0..3 {
        assert!(!program.call(&token, "feature_get", of.clone()).await.1);
    }
    let gone = "01890000-0000-7000-8000-000000000000";
    assert!(program.call(&token, "feature_get", json!({ "featureId": gone })).await.1);
    let bad = json!({ "featureId": card["id"], "priority": 9 });
    assert!(program.call(&token, "feature_update", bad).await.1);
    let uri = format!("guildhall://feature/{}", card["id"].as_str().unwrap());
    program.say(&token, "resources/read", json!({ "uri": uri })).await.is(StatusCode::OK);
    program.say(&token, "resources/read", json!({ "uri": "guildhall://feature/none" })).await;
    program.say(&token, "prompts/get", json!({ "name": "none", "arguments": { "task": "Wombats." } })).await;
    let [id, ok, refused, none] = [card["id"].clone(), json!("ok"), json!("refused"), Value::Null];
    let expected = [
        [json!("prompts/get"), json!("none"), refused.clone(), none.clone()],
        [json!("resources/read"), json!("guildhall://feature/none"), refused.clone(), none.clone()],
        [json!("resources/read"), json!(uri), ok.clone(), none.clone()],
        [json!("feature_update"), id.clone(), refused.clone(), none.clone()],
        [json!("feature_get"), json!(gone), refused, json!("2")],
        [json!("feature_get"), id.clone(), ok.clone(), none.clone()],
        [json!("knowledge_search"), none.clone(), ok.clone(), none.clone()],
    ];
    assert_eq!(told(&mut owner).await, expected);
    let audit = owner.get("/api/audit?action=mcp.call").await.is(StatusCode::OK);
    assert!(
        !audit.to_string().to_lowercase().contains("wombat"),
        "what was asked for and seen is nobody's to read here"
    );

    // A flood is counted, and told once it is over.
    for _ in 0..40 {
        program.call(&token, "feature_get", of.clone()).await;
    }
    assert_eq!(told(&mut owner).await.len(), expected.len());
    clock.advance(chrono::Duration::minutes(1));
    program.call(&token, "feature_get", of).await;
    assert_eq!(told(&mut owner).await[0], [json!("feature_get"), id, ok, json!("40")]);
}
