use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use guildhall_types::member::MemberRole;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{SILENT, TestApp};

fn said(words: &str) -> String {
    format!("Please.\n\n```sim\n{}\n```", json!({ "say": words }))
}

fn path(chat: &Value) -> String {
    format!("/api/chats/{}", chat["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_chat_is_begun_answered_gone_on_with_and_turned_into_a_card() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "sample" })).await;
    let chats = format!("/api/projects/{}/chats", project["id"].as_str().unwrap());
    let new = json!({ "message": said("Hello."), "mode": "read", "model": "simulated" });
    let started = owner.post(&chats, new).await.is(StatusCode::ACCEPTED);
    let chat = &started["feature"];
    assert_eq!((&chat["kind"], &chat["mode"], &chat["title"]), (&json!("chat"), &json!("read"), &json!("Please.")));
    let answered = |chat: &Value| chat["status"] == "waiting_approval";
    assert_eq!(owner.until(&path(chat), answered).await["summary"], "Hello.");
    let more = json!({ "message": said("Again."), "mode": "work" });
    let again = owner.post(&format!("{}/messages", path(chat)), more).await.is(StatusCode::ACCEPTED);
    assert_eq!((&again["run"]["id"], &again["feature"]["mode"]), (&started["run"]["id"], &json!("work")));
    assert_eq!(owner.until(&path(chat), |chat| answered(chat) && chat["summary"] == "Again.").await["mode"], "work");

    // Everybody in the team reads along and may speak; whose it is names and deletes it.
    let mut member = app.member(MemberRole::Member).await;
    let page = member.get(&chats).await.is(StatusCode::OK);
    assert_eq!(page["items"][0]["id"], chat["id"]);
    assert!(member.get(&format!("{chats}?mine=true")).await.is(StatusCode::OK)["items"].as_array().unwrap().is_empty());
    member.patch(&path(chat), json!({ "title": "x" })).await.is_problem(StatusCode::FORBIDDEN, "not-yours");
    member.delete(&path(chat)).await.is_problem(StatusCode::FORBIDDEN, "not-yours");
    let named = owner.patch(&path(chat), json!({ "title": "Greetings" })).await.is(StatusCode::OK);
    assert_eq!(named["title"], "Greetings");
    owner.patch(&path(chat), json!({ "title": " " })).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    let feature = format!("/api/features/{}", chat["id"].as_str().unwrap());
    let refused = owner.call(&format!("{feature}/merge")).await.is_problem(StatusCode::CONFLICT, "illegal-move");
    assert!(refused["detail"].as_str().unwrap().contains("turned into a card"), "{refused}");

    let card = owner.post(&format!("{}/to-card", path(chat)), json!({ "title": "Greet" })).await.is(StatusCode::OK);
    assert_eq!((&card["kind"], &card["number"], &card["runId"]), (&json!("card"), &json!(1), &started["run"]["id"]));
    owner.get(&path(chat)).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    owner.get(&feature).await.is(StatusCode::OK);
    let audit = owner.get("/api/audit").await.is(StatusCode::OK).to_string();
    for deed in ["chat.start", "chat.rename", "chat.to-card", "run.follow-up"] {
        assert!(audit.contains(deed), "{deed}");
    }
}

#[tokio::test]
async fn an_answer_is_stopped_and_a_chat_deleted() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let chats = format!("/api/projects/{}/chats", project["id"].as_str().unwrap());
    for (bad, field) in [
        (json!({ "message": " ", "mode": "read" }), "message"),
        (json!({ "message": "x", "mode": "read", "title": "a\nb" }), "title"),
    ] {
        let problem = owner.post(&chats, bad).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let gone = json!({ "message": "x", "mode": "read", "agentId": "01890000-0000-7000-8000-000000000000" });
    owner.post(&chats, gone).await.is_problem(StatusCode::CONFLICT, "agent-gone");
    owner.get(&format!("{chats}?after=somewhere")).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");

    let new = json!({ "message": SILENT, "mode": "read", "model": "simulated" });
    let chat = owner.post(&chats, new).await.is(StatusCode::ACCEPTED)["feature"].clone();
    owner.delete(&path(&chat)).await.is_problem(StatusCode::CONFLICT, "agent-at-work");
    owner.call(&format!("{}/to-card", path(&chat))).await.is_problem(StatusCode::CONFLICT, "agent-at-work");
    let stopped = owner.call(&format!("{}/stop", path(&chat))).await.is(StatusCode::ACCEPTED);
    assert_eq!((&stopped["feature"]["status"], &stopped["run"]["status"]), (&json!("paused"), &json!("stopped")));
    owner.delete(&path(&chat)).await.is(StatusCode::NO_CONTENT);
    owner.get(&path(&chat)).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    // Its words are gone for everybody, also by its run.
    for part in ["", "/events", "/checks", "/steps", "/guide", "/services"] {
        let run = format!("/api/runs/{}{part}", stopped["run"]["id"].as_str().unwrap());
        owner.get(&run).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    }
    assert!(owner.get(&chats).await.is(StatusCode::OK)["items"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn files_come_with_messages_and_are_bounded() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let chats = format!("/api/projects/{}/chats", project["id"].as_str().unwrap());
    let file = |name: &str, bytes: &[u8]| json!({ "name": name, "data": STANDARD.encode(bytes) });
    let say = |files: Value| json!({ "message": said("Read."), "mode": "read", "model": "simulated", "files": files });
    for (files, says) in [
        (json!([{ "name": "a", "data": "?" }]), "base64"),
        (json!([file("a", b"\0")]), "UTF-8 text"),
        (json!([file("a.png", &[b"\x89PNG\r\n\x1a\n".as_slice(), &[0; 4_000_000]].concat())]), "3.75 MiB"),
        (Value::Array(vec![file("a", b"x"); 9]), "at most 8 files"),
    ] {
        let refused = owner.post(&chats, say(files)).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert!(refused["errors"][0]["field"] == "files" && refused.to_string().contains(says), "{refused}");
    }
    let large = vec![b'a'; 5 * 1024 * 1024];
    let both = json!([file("one.txt", &large), file("two.txt", &large)]);
    let started = owner.post(&chats, say(both)).await.is(StatusCode::ACCEPTED);
    let chat = &started["feature"];
    owner.until(&path(chat), |chat| chat["status"] == "waiting_approval").await;
    let events = format!("/api/runs/{}/events", started["run"]["id"].as_str().unwrap());
    let events = owner.get(&events).await.is(StatusCode::OK);
    let said =
        events["items"].as_array().unwrap().iter().map(|item| &item["event"]).find(|event| event["kind"] == "said");
    let files = said.unwrap()["files"].as_array().unwrap().clone();
    assert_eq!((files.len(), &files[1]["name"]), (2, &json!("two.txt")));
    let bytes = format!("/api/attachments/{}", files[0]["id"].as_str().unwrap());
    assert_eq!(owner.get(&bytes).await.bytes.len(), large.len());
    owner.delete(&path(chat)).await.is(StatusCode::NO_CONTENT);
    owner.get(&bytes).await.is_problem(StatusCode::NOT_FOUND, "not-found");
}

#[tokio::test]
async fn in_an_archived_project_nothing_more_is_said() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let of_project = format!("/api/projects/{}", project["id"].as_str().unwrap());
    let chats = format!("{of_project}/chats");
    let new = json!({ "message": said("Hello."), "mode": "read", "model": "simulated" });
    let chat = owner.post(&chats, new.clone()).await.is(StatusCode::ACCEPTED)["feature"].clone();
    owner.until(&path(&chat), |chat| chat["status"] == "waiting_approval").await;
    owner.delete(&of_project).await.is(StatusCode::NO_CONTENT);
    let more = json!({ "message": said("Again."), "mode": "read" });
    let messages = format!("{}/messages", path(&chat));
    owner.post(&messages, more).await.is_problem(StatusCode::CONFLICT, "project-archived");
    owner.call(&format!("{}/to-card", path(&chat))).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    owner.post(&chats, new).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    // What was said can be read, and taken away.
    assert_eq!(owner.get(&path(&chat)).await.is(StatusCode::OK)["summary"], "Hello.");
    owner.delete(&path(&chat)).await.is(StatusCode::NO_CONTENT);
}
