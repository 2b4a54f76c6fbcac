use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Persona, TestApp};

async fn board(app: &TestApp) -> (Persona, String) {
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let path = format!("/api/projects/{}/features", project["id"].as_str().unwrap());
    (owner, path)
}

fn path(feature: &Value) -> String {
    format!("/api/features/{}", feature["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_card_is_written_changed_found_and_deleted() {
    let app = TestApp::start().await;
    let (mut owner, cards) = board(&app).await;
    let body = json!({ "description": "Make it fast.\n\nVery fast.", "priority": 1, "category": "speed",
        "thinkingLevel": "high", "planningMode": "lite", "model": "simulated", "branch": "fast", "skipVerification": true });
    let card = owner.post(&cards, body.clone()).await.is(StatusCode::CREATED);
    for (name, value) in body.as_object().unwrap() {
        assert_eq!(&card[name], value, "{name}");
    }
    assert_eq!(
        (&card["number"], &card["title"], &card["status"]),
        (&json!(1), &json!("Make it fast."), &json!("backlog"))
    );
    assert_eq!(owner.get(&path(&card)).await.is(StatusCode::OK), card);

    let change =
        json!({ "title": "Speed", "model": null, "branch": null, "position": 7.5, "expectVersion": card["version"] });
    let changed = owner.patch(&path(&card), change.clone()).await.is(StatusCode::OK);
    assert_eq!(
        (&changed["title"], &changed["model"], &changed["branch"]),
        (&json!("Speed"), &Value::Null, &Value::Null)
    );
    assert_eq!((&changed["position"], &changed["priority"]), (&json!(7.5), &json!(1)));
    let stale = owner.patch(&path(&card), change).await.is_problem(StatusCode::CONFLICT, "stale");
    assert_eq!(stale["current"], changed["version"]);

    for (query, count) in
        [("?q=very", 1), ("?q=%231", 1), ("?q=slow", 0), ("?status=backlog,queued", 1), ("?status=failed", 0)]
    {
        let page = owner.get(&format!("{cards}{query}")).await.is(StatusCode::OK);
        assert_eq!(page["items"].as_array().unwrap().len(), count, "{query}");
    }
    owner.delete(&path(&card)).await.is(StatusCode::NO_CONTENT);
    owner.get(&path(&card)).await.is_problem(StatusCode::NOT_FOUND, "not-found");
}

#[tokio::test]
async fn cards_come_page_by_page_in_the_boards_order() {
    let app = TestApp::start().await;
    let (mut owner, cards) = board(&app).await;
    for n in 0..5 {
        owner.post(&cards, json!({ "description": format!("card {n}") })).await.is(StatusCode::CREATED);
    }
    let mut titles = Vec::new();
    let mut after = String::new();
    loop {
        let page = owner.get(&format!("{cards}?limit=2{after}")).await.is(StatusCode::OK);
        titles.extend(page["items"].as_array().unwrap().iter().map(|card| card["title"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(titles, ["card 0", "card 1", "card 2", "card 3", "card 4"]);
    let bad = owner.get(&format!("{cards}?after=somewhere")).await;
    bad.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
}

#[tokio::test]
async fn a_bad_card_is_refused_with_the_field() {
    let app = TestApp::start().await;
    let (mut owner, cards) = board(&app).await;
    let card = owner.post(&cards, json!({ "description": "one" })).await.is(StatusCode::CREATED);
    for (field, body) in [
        ("description", json!({ "description": " " })),
        ("description", json!({ "title": "x" })),
        ("priority", json!({ "description": "x", "priority": 4 })),
        ("priority", json!({ "description": "x", "priority": "high" })),
        ("branch", json!({ "description": "x", "branch": "a..b" })),
        ("branch", json!({ "description": "x", "branch": "--force" })),
        ("planningMode", json!({ "description": "x", "planningMode": "deep" })),
        ("dependencies", json!({ "description": "x", "dependencies": ["01890000-0000-7000-8000-000000000000"] })),
        ("dependencies", json!({ "description": "x", "dependencies": ["1"] })),
        ("requirePlanApproval", json!({ "description": "x", "requirePlanApproval": true, "planningMode": "skip" })),
        ("status", json!({ "description": "x", "status": "completed" })),
        ("title", json!({ "description": "x", "title": "a".repeat(300) })),
    ] {
        let problem = owner.post(&cards, body.clone()).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert!(problem["errors"][0]["field"].as_str().unwrap().starts_with(field), "{body}: {problem}");
    }
    // Nothing that a person writes moves a card.
    for body in [json!({ "status": "completed" }), json!({ "version": 9 }), json!({ "dependencies": [card["id"]] })] {
        owner.patch(&path(&card), body).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }
    assert_eq!(owner.get(&path(&card)).await.is(StatusCode::OK), card);
    assert_eq!(owner.get(&cards).await.is(StatusCode::OK)["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn deeds_that_the_card_does_not_allow_are_refused() {
    let app = TestApp::start().await;
    let (mut owner, cards) = board(&app).await;
    let first = owner.post(&cards, json!({ "description": "one", "model": "simulated" })).await.is(StatusCode::CREATED);
    let body = json!({ "description": "two", "model": "simulated", "dependencies": [first["id"]] });
    let second = owner.post(&cards, body).await.is(StatusCode::CREATED);

    let queued = owner.call(&format!("{}/start", path(&second))).await.is(StatusCode::ACCEPTED);
    assert_eq!(queued["feature"]["status"], "queued", "it waits for what it depends on");
    let queue = owner.get(&cards.replace("/features", "/queue")).await.is(StatusCode::OK);
    assert_eq!(queue["items"][0]["featureId"], second["id"]);
    assert_eq!(queue["items"][0]["waiting"]["code"], "dependencies");
    assert_eq!(queue["items"][0]["waiting"]["message"], "Waits for #1 one.");
    assert_eq!(queue["items"][0]["position"], json!(null));
    owner.call(&format!("{}/stop", path(&second))).await.is(StatusCode::ACCEPTED);
    let first = path(&first);
    owner.call(&format!("{first}/shelve")).await.is_problem(StatusCode::CONFLICT, "illegal-move");
    for deed in ["retry", "verify", "merge"] {
        owner.call(&format!("{first}/{deed}")).await.is_problem(StatusCode::CONFLICT, "nothing-yet");
    }
    owner.get(&format!("{first}/diff")).await.is_problem(StatusCode::CONFLICT, "nothing-yet");
    owner.get(&format!("{first}/files?path=README.md")).await.is_problem(StatusCode::CONFLICT, "nothing-yet");
    assert_eq!(owner.get(&format!("{first}/runs")).await.is(StatusCode::OK)["items"], json!([]));

    let keyless = owner.post(&cards, json!({ "description": "three" })).await.is(StatusCode::CREATED);
    let refused = owner.call(&format!("{}/start", path(&keyless))).await;
    let problem = refused.is_problem(StatusCode::CONFLICT, "no-key");
    assert!(problem["detail"].as_str().unwrap().contains("Settings"), "{problem}");
    let taken = owner.post(&cards, json!({ "description": "four", "branch": "main", "model": "simulated" })).await;
    let taken = path(&taken.is(StatusCode::CREATED));
    owner.call(&format!("{taken}/start")).await.is_problem(StatusCode::CONFLICT, "branch-exists");
}
