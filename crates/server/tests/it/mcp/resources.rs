//! What an MCP client reads as resources.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::connecting::Program;
use crate::harness::TestApp;

#[tokio::test]
async fn what_nobody_vouches_for_is_not_listed_and_says_so_where_it_is_read() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let program = Program::at(&app).await;
    let (token, _) = program.connect(&mut owner, &["read", "knowledge"]).await;
    let text = async |kind: &str, id: &Value| {
        let uri = json!({ "uri": format!("guildhall://knowledge/{kind}/{}", id.as_str().unwrap()) });
        let read = program.say(&token, "resources/read", uri).await;
        read.is(StatusCode::OK)["result"]["contents"][0]["text"].as_str().unwrap().to_owned()
    };
    let listed = async || {
        let list = program.say(&token, "resources/list", json!({})).await;
        let all = list.is(StatusCode::OK)["result"]["resources"].as_array().unwrap().clone();
        all.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let item = json!({ "title": "Sorting", "content": "It sorts by number.", "confidence": "low" });
    let (proposed, failed) =
        program.call(&token, "knowledge_create", json!({ "kind": "learning", "item": item })).await;
    assert!(!failed, "{proposed}");
    let id = &proposed["id"];
    let path = format!("/api/knowledge/learnings/{}", id.as_str().unwrap());
    let read = text("learning", id).await;
    assert!(read.contains("- review: proposed\n- confidence: low\n\n"), "{read}");
    assert!(listed().await.is_empty());
    owner.call(&format!("{path}/verify")).await.is(StatusCode::OK);
    assert!(text("learning", id).await.contains("- review: accepted\n- confidence: verified\n"));
    assert_eq!(listed().await, ["Sorting"]);
    owner.post(&format!("{path}/reject"), json!({ "reason": "It is\nwrong." })).await.is(StatusCode::OK);
    let read = text("learning", id).await;
    assert!(read.contains("- review: rejected\n- rejected because: It is wrong.\n"), "{read}");
    let draft = json!({ "name": "Style", "content": "Quote.", "status": "draft" });
    let draft = owner.post("/api/knowledge/blueprints", draft).await.is(StatusCode::CREATED).clone();
    assert!(text("blueprint", &draft["id"]).await.contains("- status: draft\n"));
    let entry = json!({ "title": "Hosts", "content": "One.", "type": "runbook" });
    let entry = owner.post("/api/knowledge/entries", entry).await.is(StatusCode::CREATED).clone();
    assert!(text("entry", &entry["id"]).await.starts_with("# Hosts\n\n"));
    assert_eq!(listed().await, ["Hosts"]);
}

#[tokio::test]
async fn the_cards_of_every_project_are_resources_and_lists_go_on_to_their_end() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut last = Value::Null;
    // One more than are read at once.
    for n in 0..51 {
        last = owner.project(&format!("P{n}"), json!({ "kind": "empty" })).await;
    }
    let cards = format!("/api/projects/{}/features", last["id"].as_str().unwrap());
    let first = owner.post(&cards, json!({ "description": "Build the first." })).await.is(StatusCode::CREATED).clone();
    for n in 0..50 {
        owner.post(&cards, json!({ "description": format!("Build {n}.") })).await.is(StatusCode::CREATED);
    }
    let program = Program::at(&app).await;
    let (token, _) = program.connect(&mut owner, &["read"]).await;
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let asked = cursor.as_ref().map_or_else(|| json!({}), |cursor| json!({ "cursor": cursor }));
        let page = program.say(&token, "resources/list", asked).await.is(StatusCode::OK)["result"].clone();
        found.extend(page["resources"].as_array().unwrap_or_else(|| panic!("{page}")).clone());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    let uri = format!("guildhall://feature/{}", first["id"].as_str().unwrap());
    assert!(found.len() == 51 && found.iter().any(|one| one["uri"] == uri), "{}", found.len());

    let (mut projects, mut after) = (0, Value::Null);
    loop {
        let (page, failed) = program.call(&token, "project_list", json!({ "after": after })).await;
        assert!(!failed, "{page}");
        projects += page["items"].as_array().unwrap().len();
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!(projects, 51);
}
