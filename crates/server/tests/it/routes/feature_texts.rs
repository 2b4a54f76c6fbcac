//! What cards said before, and what a model makes of what they say.

use guildhall_types::member::MemberRole;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::TestApp;

#[tokio::test]
async fn what_a_card_said_is_listed_read_and_taken_back() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let cards = format!("/api/projects/{}/features", project["id"].as_str().unwrap());
    let card = owner.post(&cards, json!({ "title": "One", "description": "First." })).await.is(StatusCode::CREATED);
    let path = format!("/api/features/{}", card["id"].as_str().unwrap());
    let before = owner.get(&format!("{path}/versions")).await.is(StatusCode::OK);
    assert_eq!((&before["items"][0]["number"], &before["items"][0]["deed"]), (&json!(1), &json!("created")));
    let other = json!({ "title": "Two", "description": "Second.", "enhanced": true });
    let changed = owner.patch(&path, other).await.is(StatusCode::OK);
    let (token, _) = owner.token(&[guildhall_types::rights::Scope::Write]).await;
    let third =
        app.program(&token).patch(&path, json!({ "description": "Third.", "enhanced": true })).await.is(StatusCode::OK);

    let list = owner.get(&format!("{path}/versions")).await.is(StatusCode::OK);
    let of = |text: &Value| [&text["number"], &text["deed"], &text["byToken"], &text["title"]].map(Value::clone);
    let told: Vec<_> = list["items"].as_array().unwrap().iter().map(of).collect();
    let expected = [
        [json!(3), json!("edited"), json!(true), json!("Two")],
        [json!(2), json!("enhanced"), json!(false), json!("Two")],
        [json!(1), json!("created"), json!(false), json!("One")],
    ];
    assert_eq!(told, expected);
    assert!(list["items"][0].get("description").is_none(), "a list holds no descriptions");
    let first = owner.get(&format!("{path}/versions/1")).await.is(StatusCode::OK);
    assert_eq!((&first["description"], &first["at"]), (&json!("First."), &card["createdAt"]));
    owner.get(&format!("{path}/versions/9")).await.is_problem(StatusCode::NOT_FOUND, "not-found");

    let restore = format!("{path}/versions/1/restore");
    let stale = json!({ "expectVersion": changed["version"] });
    owner.post(&restore, stale).await.is_problem(StatusCode::CONFLICT, "stale");
    let mut viewer = app.member(MemberRole::Viewer).await;
    viewer.get(&format!("{path}/versions/1")).await.is(StatusCode::OK);
    viewer.post(&restore, json!({})).await.is_problem(StatusCode::FORBIDDEN, "missing-right");
    let back = owner.post(&restore, json!({ "expectVersion": third["version"] })).await.is(StatusCode::OK);
    assert_eq!((&back["title"], &back["description"]), (&json!("One"), &json!("First.")));
    let list = owner.get(&format!("{path}/versions")).await.is(StatusCode::OK);
    assert_eq!((&list["items"][0]["deed"], &list["items"][0]["restored"]), (&json!("restored"), &json!(1)));
    let audit = owner.get("/api/audit?action=feature.change").await.is(StatusCode::OK);
    assert_eq!(audit["items"][0]["detail"]["restored"], "1", "{audit}");

    let now = format!("{path}/versions/4");
    owner.delete(&now).await.is_problem(StatusCode::CONFLICT, "present-text");
    viewer.delete(&format!("{path}/versions/2")).await.is_problem(StatusCode::FORBIDDEN, "missing-right");
    owner.delete(&format!("{path}/versions/2")).await.is(StatusCode::NO_CONTENT);
    owner.get(&format!("{path}/versions/2")).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    let audit = owner.get("/api/audit?action=feature.erase-text").await.is(StatusCode::OK);
    assert_eq!(audit["items"][0]["detail"]["version"], "2", "{audit}");
    assert!(!audit.to_string().contains("Second"), "{audit}");
    owner.delete(&path).await.is(StatusCode::NO_CONTENT);
    owner.get(&format!("{path}/versions")).await.is_problem(StatusCode::NOT_FOUND, "not-found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_model_makes_a_suggestion_out_of_a_text_and_changes_nothing() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let id = project["id"].as_str().unwrap();
    let settings =
        json!({ "settings": { "defaultModel": "simulated", "setUp": ["false"], "verifyCommands": ["false"] } });
    owner.patch(&format!("/api/projects/{id}"), settings).await.is(StatusCode::OK);
    let path = format!("/api/projects/{id}/enhance");
    let mut socket = owner.listen("").await.unwrap();
    let ask = |kind: &str| json!({ "kind": kind, "title": "Count", "description": "Count the summaries.\n\nAll." });
    let mut made = Vec::new();
    for kind in ["improve", "technical", "simplify", "acceptance_criteria"] {
        let task = owner.post(&path, ask(kind)).await.is(StatusCode::ACCEPTED);
        let run = task["runId"].clone();
        socket.wait(|frame| frame["run"]["id"] == run && frame["run"]["endedAt"].is_string()).await;
        let task = format!("/api/tasks/{}", task["featureId"].as_str().unwrap());
        let task = owner.get(&task).await.is(StatusCode::OK);
        let turns =
            owner.get(&format!("/api/runs/{}", run.as_str().unwrap())).await.is(StatusCode::OK)["turns"].clone();
        assert_eq!(turns, 1, "it is one call: {task}");
        made.push(task["result"].as_str().unwrap().to_owned());
    }
    assert!(made[0].starts_with("Count the summaries.\n\nAll.\n\nIt is done when"), "{made:?}");
    assert!(made[1].contains("## Technical notes") && made[3].contains("- [ ] Count the summaries."), "{made:?}");
    assert_eq!(made[2], "Count the summaries.");
    let cards = owner.get(&format!("/api/projects/{id}/features")).await.is(StatusCode::OK);
    assert_eq!(cards["items"], json!([]), "no card comes of it");
    let usage = owner.get("/api/usage?by=member").await.is(StatusCode::OK);
    assert_eq!(usage["groups"][0]["calls"], 4, "each call is in the ledger: {usage}");

    for (body, field) in [
        (json!({ "kind": "improve", "description": "  " }), "description"),
        (json!({ "kind": "improve", "description": "x".repeat(20_001) }), "description"),
        (json!({ "kind": "translate", "description": "x" }), "kind"),
    ] {
        let refused = owner.post(&path, body).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert!(refused.to_string().contains(field), "{refused}");
    }
    let mut viewer = app.member(MemberRole::Viewer).await;
    viewer.post(&path, ask("improve")).await.is_problem(StatusCode::FORBIDDEN, "missing-right");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_suggestion_is_made_of_the_text_alone_and_one_that_is_cut_off_is_none() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let id = project["id"].as_str().unwrap();
    let settings = json!({ "settings": {
        "defaultModel": "simulated", "instructions": "Praise Acme.", "setUp": ["set-acme-up"], "verifyCommands": ["praise acme"],
    } });
    owner.patch(&format!("/api/projects/{id}"), settings).await.is(StatusCode::OK);
    let known = json!({ "title": "Count", "content": "Praise Acme when you count." });
    owner.post("/api/knowledge/entries", known).await.is(StatusCode::CREATED);
    let mut socket = owner.listen("").await.unwrap();
    let script = "Count.\n\n```sim\n{\"say\": \"Count th\", \"stop\": \"max_tokens\"}\n{\"say\": \"em.\"}\n```";
    let ask = json!({ "kind": "improve", "title": "Count", "description": script });
    let task = owner.post(&format!("/api/projects/{id}/enhance"), ask).await.is(StatusCode::ACCEPTED);
    let run = task["runId"].clone();
    let failed = |frame: &Value| frame["run"]["id"] == run && frame["run"]["endedAt"].is_string();
    socket.wait(failed).await;
    let task = owner.get(&format!("/api/tasks/{}", task["featureId"].as_str().unwrap())).await.is(StatusCode::OK);
    assert_eq!(task["result"], Value::Null, "a part is no suggestion: {task}");
    assert!(task["error"].to_string().contains("too long for this model"), "{task}");
    let requests = app.sim.requests();
    assert_eq!(requests.len(), 1, "it is not gone on with");
    let asked = requests[0].to_string().to_lowercase();
    assert!(asked.contains("count") && !asked.contains("acme"), "{asked}");
}
