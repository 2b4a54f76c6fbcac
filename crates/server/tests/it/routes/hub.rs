//! The knowledge hub: what narrows its lists, who stands for a text, and what is gone for good.

use guildhall_types::member::MemberRole;
use guildhall_types::rights::Scope;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Persona, TestApp};

fn learning(title: &str, content: &str) -> Value {
    json!({ "title": title, "content": content, "type": "bug-fix", "confidence": "low" })
}

async fn wrote(persona: &mut Persona, kind: &str, body: Value) -> Value {
    persona.post(&format!("/api/knowledge/{kind}"), body).await.is(StatusCode::CREATED)
}

fn path(kind: &str, item: &Value) -> String {
    format!("/api/knowledge/{kind}/{}", item["id"].as_str().unwrap())
}

async fn titles(persona: &mut Persona, query: &str) -> Vec<String> {
    let found = persona.get(&format!("/api/knowledge/{query}")).await.is(StatusCode::OK);
    found["items"].as_array().unwrap().iter().map(|hit| hit["title"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn lists_are_narrowed_as_searches_are() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let mut ben = app.member(MemberRole::Member).await;
    let wrong = wrote(&mut olga, "learnings", learning("Sockets drop", "Connect again.")).await;
    wrote(&mut olga, "learnings", learning("Pears bruise", "Lay them down.")).await;
    wrote(&mut ben, "learnings", learning("Quinces ripen late", "Wait for the frost.")).await;
    wrote(&mut ben, "entries", json!({ "title": "Glossary", "content": "One word for one thing." })).await;
    // What was found wrong is shown to who asks for it, with words and without.
    olga.post(&format!("{}/reject", path("learnings", &wrong)), json!({ "reason": "wrong" })).await.is(StatusCode::OK);
    assert_eq!(titles(&mut ben, "learnings").await, ["Quinces ripen late", "Pears bruise"]);
    assert_eq!(titles(&mut ben, "learnings?review=rejected").await, ["Sockets drop"]);
    assert!(titles(&mut ben, "search?q=sockets").await.is_empty());
    // By one member.
    let (by_olga, by_ben) = (olga.id().await, ben.id().await);
    assert_eq!(titles(&mut ben, &format!("learnings?author={by_ben}")).await, ["Quinces ripen late"]);
    assert_eq!(titles(&mut ben, &format!("search?author={by_ben}")).await, ["Glossary", "Quinces ripen late"]);
    assert_eq!(titles(&mut ben, &format!("search?q=pears&author={by_olga}")).await, ["Pears bruise"]);
    assert!(titles(&mut ben, &format!("search?q=pears&author={by_ben}")).await.is_empty());
    // A type that is none finds nothing for a reason.
    for query in ["learnings?type=faq", "entries?type=poem", "search?type=poem", "search?kind=entry&type=bug-fix"] {
        let problem = ben.get(&format!("/api/knowledge/{query}")).await;
        let problem = problem.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert_eq!(problem["errors"][0]["field"], "type", "{query}: {problem}");
    }
    assert_eq!(titles(&mut ben, "search?type=documentation").await, ["Glossary"]);
    // What is much the same is looked for as what it is to be: the title alone makes it so.
    let similar = "similar?title=Pears%20bruise&content=Something%20else%20altogether";
    assert!(titles(&mut ben, similar).await.is_empty());
    assert_eq!(titles(&mut ben, &format!("{similar}&kind=learning")).await, ["Pears bruise"]);
}

#[tokio::test]
async fn whoever_restores_saw_what_is_there_and_stands_for_what_they_put_there() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let mut ben = app.member(MemberRole::Member).await;
    let (token, _) = olga.token(&[Scope::Read, Scope::Knowledge]).await;
    let made = wrote(&mut app.program(&token), "learnings", learning("Sockets drop", "Connect again.")).await;
    let at = path("learnings", &made);
    let corrected = json!({ "version": 1, "draft": learning("Sockets drop", "Connect again, with since.") });
    ben.post(&format!("{at}/verify"), corrected).await.is(StatusCode::OK);
    let restore = format!("{at}/restore");
    let unseen = olga.post(&restore, json!({ "version": 1, "current": 1 })).await;
    let problem = unseen.is_problem(StatusCode::CONFLICT, "item-changed");
    assert_eq!(
        (&problem["current"], &problem["item"]["content"]),
        (&json!(2), &json!("Connect again, with since.")),
        "{problem}"
    );
    let back = olga.post(&restore, json!({ "version": 1, "current": 2 })).await.is(StatusCode::OK);
    assert_eq!(
        (&back["content"], &back["review"], &back["verifiedBy"]),
        (&json!("Connect again."), &json!("accepted"), &json!(olga.id().await))
    );
}

#[tokio::test]
async fn a_pattern_that_is_none_is_refused_where_it_stands() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let patterns = |patterns: Value| json!({ "name": "Rules", "content": "So.", "autoLoadConditions": { "filePatterns": patterns } });
    let refused = olga.post("/api/knowledge/blueprints", patterns(json!(["src/*.rs", "src/[a"]))).await;
    let problem = refused.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(problem["errors"][0]["field"], "autoLoadConditions.filePatterns");
    assert!(problem["detail"].as_str().unwrap().contains("`src/[a`"), "{problem}");
    let mut body = learning("Sockets drop", "Connect again.");
    body["context"] = json!({ "filePatterns": ["{a,b"] });
    let problem =
        olga.post("/api/knowledge/learnings", body).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(problem["errors"][0]["field"], "context.filePatterns");
    let file = "---\nkind: blueprint\nname: Rules\nautoLoadConditions:\n  filePatterns: [\"src/[a\"]\n---\nSo.";
    let request = olga.request(reqwest::Method::POST, "/api/knowledge/import").header("content-type", "text/markdown");
    let problem = olga.send(request.body(file)).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert!(problem["detail"].as_str().unwrap().contains("filePatterns"), "{problem}");
    wrote(&mut olga, "blueprints", patterns(json!(["src/**/*.rs", "*.{ts,tsx}"]))).await;
}

#[tokio::test]
async fn an_admin_erases_for_good() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let mut ben = app.member(MemberRole::Member).await;
    let mut viewer = app.member(MemberRole::Viewer).await;
    let mut page = viewer.listen("").await.unwrap();
    assert_eq!(page.next().await.unwrap()["type"], "hello");
    let made =
        wrote(&mut ben, "entries", json!({ "title": "How to call it", "content": "The word is rosebud." })).await;
    let at = path("entries", &made);
    let erase = format!("{at}/erase");
    ben.post(&erase, json!({})).await.is_problem(StatusCode::FORBIDDEN, "missing-right");
    let change = json!({ "title": "How to call it", "content": "Ask Olga.", "version": 1 });
    ben.put(&at, change).await.is(StatusCode::OK);
    // A former text, and never the present one.
    for (versions, status, code) in [
        (json!([2]), StatusCode::CONFLICT, "current-version"),
        (json!([9]), StatusCode::NOT_FOUND, "not-found"),
        (json!([]), StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
    ] {
        olga.post(&erase, json!({ "versions": versions })).await.is_problem(status, code);
    }
    assert!(viewer.get(&format!("{at}/versions/1")).await.text().contains("rosebud"));
    olga.post(&erase, json!({ "versions": [1] })).await.is(StatusCode::NO_CONTENT);
    let event = page.wait(|frame| frame["deed"] == "forgotten").await;
    assert_eq!((&event["type"], &event["id"]), (&json!("knowledge.entry.updated"), &made["id"]));
    let first = viewer.get(&format!("{at}/versions/1")).await;
    assert!(!first.text().contains("rosebud"));
    assert!(first.is(StatusCode::OK)["erasedAt"].is_string());
    for (method, rest, body) in
        [("get", "/versions/2/compare", json!(null)), ("post", "/restore", json!({ "version": 1 }))]
    {
        let answer = match method {
            "get" => olga.get(&format!("{at}{rest}")).await,
            _ => olga.post(&format!("{at}{rest}"), body).await,
        };
        answer.is_problem(StatusCode::CONFLICT, "erased");
    }
    assert_eq!(viewer.get(&at).await.is(StatusCode::OK)["content"], "Ask Olga.");
    // All of it.
    olga.post(&erase, json!({})).await.is(StatusCode::NO_CONTENT);
    page.wait(|frame| frame["type"] == "knowledge.entry.deleted" && frame["deed"] == "erased").await;
    for gone in [at.clone(), format!("{at}/versions"), format!("/api/knowledge/items/{}", made["id"].as_str().unwrap())]
    {
        viewer.get(&gone).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    }
    ben.post(&format!("{at}/restore"), json!({})).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    olga.post(&erase, json!({})).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    let audit = olga.get("/api/audit?object=knowledge").await.is(StatusCode::OK);
    let actions: Vec<&str> =
        audit["items"].as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["knowledge.erase", "knowledge.erase", "knowledge.change", "knowledge.create"]);
    page.close().await;
}

#[tokio::test]
async fn the_server_says_who_takes_back_what_a_run_recorded() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let mut ben = app.member(MemberRole::Member).await;
    let mut viewer = app.member(MemberRole::Viewer).await;
    let project = olga.project("p", json!({ "kind": "empty" })).await;
    let cards = format!("/api/projects/{}/features", project["id"].as_str().unwrap());
    let mut runs = Vec::new();
    for persona in [&mut olga, &mut ben] {
        let body = json!({ "description": "one", "model": "simulated" });
        let card = persona.post(&cards, body).await.is(StatusCode::CREATED);
        let start = format!("/api/features/{}/start", card["id"].as_str().unwrap());
        let started = persona.call(&start).await.is(StatusCode::ACCEPTED);
        runs.push(format!("/api/runs/{}/knowledge", started["run"]["id"].as_str().unwrap()));
    }
    let (of_olga, of_ben) = (&runs[0], &runs[1]);
    for (at, allowed) in [(of_olga, [true, false, false]), (of_ben, [true, true, false])] {
        for (persona, may) in [&mut olga, &mut ben, &mut viewer].into_iter().zip(allowed) {
            assert_eq!(persona.get(at).await.is(StatusCode::OK)["mayRollBack"], may, "{at}");
        }
    }
    let body = json!({ "reason": "wrong" });
    ben.post(&format!("{of_olga}/roll-back"), body.clone()).await.is_problem(StatusCode::FORBIDDEN, "not-yours");
    ben.post(&format!("{of_ben}/roll-back"), body).await.is(StatusCode::OK);
}
