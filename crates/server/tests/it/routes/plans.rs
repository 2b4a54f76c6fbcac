use reqwest::StatusCode;
use serde_json::{Value, json};

use guildhall_types::member::MemberRole;

use crate::harness::{Persona, Socket, TestApp};

const SCRIPT: &str = r#"Do it.

```sim
{"tools": [["propose_plan", {"text": "first", "tasks": [{"title": "One"}]}]]}
{"tools": [["propose_plan", {"text": "second", "tasks": [{"title": "One"}, {"title": "Two"}]}]]}
{"tools": [["write", {"path": "a.txt", "content": "a\n"}]]}
{"say": "Done."}
```"#;

/// A started card whose plan a person approves, and who watches.
async fn started(app: &TestApp) -> (Persona, String, Value, Socket) {
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let cards = format!("/api/projects/{}/features", project["id"].as_str().unwrap());
    let body = json!({ "description": SCRIPT, "model": "simulated", "requirePlanApproval": true });
    let card = owner.post(&cards, body).await.is(StatusCode::CREATED);
    assert_eq!((&card["planningMode"], &card["requirePlanApproval"]), (&json!("spec"), &json!(true)));
    let path = format!("/api/features/{}", card["id"].as_str().unwrap());
    let mut socket = owner.listen("").await.unwrap();
    owner.call(&format!("{path}/start")).await.is(StatusCode::ACCEPTED);
    socket.wait(|frame| frame["feature"]["stage"] == "plan_approval").await;
    (owner, path, card, socket)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_plan_is_shown_rejected_corrected_and_approved_once() {
    let app = TestApp::start().await;
    let (mut owner, path, _, mut socket) = started(&app).await;
    let plans = owner.get(&format!("{path}/plans")).await.is(StatusCode::OK);
    let first = &plans["items"][0];
    assert_eq!((&first["version"], &first["status"], &first["text"]), (&json!(1), &json!("proposed"), &json!("first")));
    assert_eq!((&first["tasks"], &first["decidedBy"]), (&json!([{ "title": "One" }]), &Value::Null));

    // A viewer reads and decides nothing.
    let mut viewer = app.member(MemberRole::Viewer).await;
    viewer.get(&format!("{path}/plans")).await.is(StatusCode::OK);
    let yes = json!({ "version": 1 });
    let refused = viewer.post(&format!("{path}/approve-plan"), yes.clone()).await;
    refused.is_problem(StatusCode::FORBIDDEN, "missing-right");

    let no = json!({ "version": 1, "feedback": "In two steps." });
    let rejected = owner.post(&format!("{path}/reject-plan"), no.clone()).await.is(StatusCode::ACCEPTED);
    assert_eq!((&rejected["feature"]["status"], &rejected["run"]["approval"]), (&json!("queued"), &json!("awaited")));
    socket.wait(|frame| frame["event"]["kind"] == "plan_decided" && frame["event"]["approved"] == false).await;
    socket.wait(|frame| frame["feature"]["stage"] == "plan_approval").await;
    for (deed, body) in [("approve-plan", &yes), ("reject-plan", &no)] {
        let late = owner.post(&format!("{path}/{deed}"), body.clone()).await;
        assert_eq!(late.is_problem(StatusCode::CONFLICT, "stale-plan")["current"], 2);
    }
    let correction = json!({ "version": 2, "tasks": [{ "title": "One" }, { "title": "Two and a half" }] });
    let approved = owner.post(&format!("{path}/approve-plan"), correction).await.is(StatusCode::ACCEPTED);
    assert_eq!(approved["run"]["approval"], "given");
    assert_eq!(approved["run"]["plan"][1], json!({ "title": "Two and a half", "status": "pending" }));
    let again = owner.post(&format!("{path}/approve-plan"), json!({ "version": 3 })).await;
    again.is_problem(StatusCode::CONFLICT, "illegal-move");
    socket.wait(|frame| frame["feature"]["status"] == "waiting_approval").await;
    let plans = owner.get(&format!("{path}/plans")).await.is(StatusCode::OK);
    let statuses: Vec<&Value> = plans["items"].as_array().unwrap().iter().map(|plan| &plan["status"]).collect();
    assert_eq!(statuses, ["approved", "superseded", "rejected"]);
    assert_eq!(
        (&plans["items"][0]["text"], &plans["items"][2]["feedback"]),
        (&json!("second"), &json!("In two steps."))
    );
    let audit = owner.get("/api/audit?action=plan.approve").await.is(StatusCode::OK);
    assert_eq!(audit["items"][0]["detail"]["changed"], "true");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_decision_that_says_too_little_or_too_much_is_refused() {
    let app = TestApp::start().await;
    let (mut owner, path, _, _socket) = started(&app).await;
    let many: Vec<Value> = (0..101).map(|n| json!({ "title": n.to_string() })).collect();
    for (deed, field, body) in [
        ("approve-plan", "version", json!({})),
        ("approve-plan", "version", json!({ "version": "1" })),
        ("approve-plan", "text", json!({ "version": 1, "text": " " })),
        ("approve-plan", "text", json!({ "version": 1, "text": "x".repeat(50_001) })),
        ("approve-plan", "tasks", json!({ "version": 1, "tasks": [] })),
        ("approve-plan", "tasks", json!({ "version": 1, "tasks": [{ "title": " " }] })),
        ("approve-plan", "tasks", json!({ "version": 1, "tasks": many })),
        ("approve-plan", "tasks", json!({ "version": 1, "tasks": [{ "title": "x", "status": "completed" }] })),
        ("reject-plan", "feedback", json!({ "version": 1 })),
        ("reject-plan", "feedback", json!({ "version": 1, "feedback": " " })),
        ("reject-plan", "why", json!({ "version": 1, "feedback": "no", "why": "no" })),
    ] {
        let answer = owner.post(&format!("{path}/{deed}"), body.clone()).await;
        let problem = answer.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert!(problem["errors"][0]["field"].as_str().unwrap().starts_with(field), "{body}: {problem}");
    }
    let plans = owner.get(&format!("{path}/plans")).await.is(StatusCode::OK);
    assert_eq!(plans["items"][0]["status"], "proposed", "it waits on");

    // A card on which nobody has worked has no plan.
    let card = owner.get(&path).await.is(StatusCode::OK);
    let cards = format!("/api/projects/{}/features", card["projectId"].as_str().unwrap());
    let fresh = owner.post(&cards, json!({ "description": "x" })).await.is(StatusCode::CREATED);
    let fresh = format!("/api/features/{}", fresh["id"].as_str().unwrap());
    assert_eq!(owner.get(&format!("{fresh}/plans")).await.is(StatusCode::OK)["items"], json!([]));
    let early = owner.post(&format!("{fresh}/approve-plan"), json!({ "version": 1 })).await;
    early.is_problem(StatusCode::CONFLICT, "nothing-yet");
}
