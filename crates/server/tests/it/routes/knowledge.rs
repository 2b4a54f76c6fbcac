//! The knowledge hub.

use std::time::{Duration, Instant};

use guildhall_types::member::MemberRole;
use guildhall_types::rights::Scope;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Answer, Persona, TestApp};

const NOBODY: &str = "01890000-0000-7000-8000-000000000000";

pub(super) fn learning(title: &str, content: &str) -> Value {
    json!({ "title": title, "content": content, "type": "bug-fix", "tags": ["Web UI"], "confidence": "low",
        "problem": "It drops.", "context": { "languages": ["TypeScript"] } })
}

pub(super) async fn wrote(persona: &mut Persona, kind: &str, body: Value) -> Value {
    persona.post(&format!("/api/knowledge/{kind}"), body).await.is(StatusCode::CREATED)
}

pub(super) fn path(kind: &str, item: &Value) -> String {
    format!("/api/knowledge/{kind}/{}", item["id"].as_str().unwrap())
}

pub(super) async fn titles(persona: &mut Persona, query: &str) -> Vec<String> {
    let found = persona.get(&format!("/api/knowledge/search?{query}")).await.is(StatusCode::OK);
    found["items"].as_array().unwrap().iter().map(|hit| hit["title"].as_str().unwrap().to_owned()).collect()
}

pub(super) async fn sent(persona: &mut Persona, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = persona.request(Method::POST, "/api/knowledge/import").header("content-type", kind).body(body);
    persona.send(request).await
}

#[tokio::test]
async fn what_one_member_writes_another_sees_at_once_and_finds() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let mut ben = app.member(MemberRole::Member).await;
    let mut viewer = app.member(MemberRole::Viewer).await;
    let mut page = viewer.listen("").await.unwrap();
    assert_eq!(page.next().await.unwrap()["type"], "hello");
    let blueprint = json!({ "name": "How we test", "description": "Tests first.", "content": "Write the test first.",
        "category": "testing", "status": "active", "priority": 8, "tags": ["Quality"],
        "autoLoadConditions": { "filePatterns": ["**/*.rs"], "languages": ["rust"], "taskTypes": [] } });
    let began = Instant::now();
    let made = wrote(&mut ben, "blueprints", blueprint).await;
    let event = page.wait(|frame| frame["type"] == "knowledge.blueprint.created").await;
    assert!(began.elapsed() < Duration::from_secs(10), "a busy machine, but not so busy");
    assert_eq!(
        (&event["id"], &event["title"], &event["actor"]),
        (&made["id"], &json!("How we test"), &made["createdBy"])
    );
    assert_eq!(made["createdBy"], ben.id().await);
    assert_eq!(
        (&made["name"], &made["kind"], &made["version"]),
        (&json!("How we test"), &json!("blueprint"), &json!(1))
    );
    assert_eq!(viewer.get(&path("blueprints", &made)).await.is(StatusCode::OK), made);
    let found = viewer
        .get("/api/knowledge/search?q=tset%20frist&kind=blueprint&tag=quality&language=Rust")
        .await
        .is(StatusCode::OK);
    let hit = &found["items"][0];
    assert_eq!(
        (&hit["id"], &hit["title"], &hit["tags"]),
        (&made["id"], &json!("How we test"), &json!(["quality"])),
        "{found}"
    );
    assert!(hit["score"].as_f64().unwrap() > 0.0 && hit["snippet"]["text"].as_str().unwrap().contains("test first"));
    assert_eq!(
        (&hit["status"], &hit["createdBy"], &hit["origin"]),
        (&made["status"], &made["createdBy"], &json!("member"))
    );

    let entry = json!({ "title": "Glossary", "content": "One word for one thing.", "related": [made["id"]],
        "sourceUrl": "https://example.com/x", "type": "glossary" });
    let entry = wrote(&mut olga, "entries", entry).await;
    let shown = viewer.get(&format!("/api/knowledge/items/{}", made["id"].as_str().unwrap())).await.is(StatusCode::OK);
    assert_eq!(shown["relatedFrom"][0]["id"], entry["id"]);
    let list = viewer.get("/api/knowledge/entries").await.is(StatusCode::OK);
    assert_eq!((list["items"][0]["title"].as_str(), list["items"][0].get("content")), (Some("Glossary"), None));
    assert!(
        viewer.get("/api/knowledge/entries?type=faq").await.is(StatusCode::OK)["items"].as_array().unwrap().is_empty()
    );
    // Who looks does not write.
    viewer
        .post("/api/knowledge/entries", json!({ "title": "x", "content": "y" }))
        .await
        .is_problem(StatusCode::FORBIDDEN, "missing-right");
    // Only its author and an admin delete; anybody who writes may take it back.
    ben.delete(&path("entries", &entry)).await.is_problem(StatusCode::FORBIDDEN, "not-yours");
    olga.delete(&format!("{}?why=old", path("blueprints", &made))).await.is(StatusCode::NO_CONTENT);
    page.wait(|frame| frame["type"] == "knowledge.blueprint.deleted").await;
    assert!(titles(&mut viewer, "q=first").await.is_empty());
    assert_eq!(viewer.get("/api/knowledge/deleted").await.is(StatusCode::OK)["items"][0]["id"], made["id"]);
    ben.post(&format!("{}/restore", path("blueprints", &made)), json!({})).await.is(StatusCode::OK);
    ben.post(&format!("{}/restore", path("blueprints", &made)), json!({}))
        .await
        .is_problem(StatusCode::CONFLICT, "not-deleted");
    assert_eq!(titles(&mut viewer, "q=first").await, ["How we test"]);
    page.close().await;
    let audit = olga.get("/api/audit?object=knowledge").await.is(StatusCode::OK);
    let actions: Vec<&str> =
        audit["items"].as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["knowledge.restore", "knowledge.delete", "knowledge.create", "knowledge.create"]);
}

#[tokio::test]
async fn two_who_change_the_same_lose_nothing_and_versions_are_compared_and_taken_back() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let mut ben = app.member(MemberRole::Member).await;
    let made = wrote(&mut olga, "entries", json!({ "title": "Deploy", "content": "One.\nTwo.\nThree." })).await;
    let at = path("entries", &made);
    let change = |content: &str| json!({ "title": "Deploy", "content": content, "version": 1, "why": "better" });
    ben.put(&at, change("One.\n2.\nThree.")).await.is(StatusCode::OK);
    let problem = olga.put(&at, change("Mine.")).await.is_problem(StatusCode::CONFLICT, "item-changed");
    assert_eq!(
        (&problem["current"], &problem["item"]["content"]),
        (&json!(2), &json!("One.\n2.\nThree.")),
        "{problem}"
    );
    let versions = olga.get(&format!("{at}/versions")).await.is(StatusCode::OK);
    assert_eq!((&versions["items"][0]["deed"], &versions["items"][0]["why"]), (&json!("updated"), &json!("better")));
    let compared = olga.get(&format!("{at}/versions/2/compare")).await.is(StatusCode::OK);
    let lines: Vec<String> = compared["fields"][0]["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| format!("{} {}", line["change"].as_str().unwrap(), line["text"].as_str().unwrap()))
        .collect();
    assert_eq!(lines, ["same One.", "removed Two.", "added 2.", "same Three."]);
    assert_eq!(compared["fields"].as_array().unwrap().len(), 1);
    let back = olga.post(&format!("{at}/restore"), json!({ "version": 1 })).await.is(StatusCode::OK);
    assert_eq!((&back["content"], &back["version"]), (&json!("One.\nTwo.\nThree."), &json!(3)));
    assert_eq!(
        olga.get(&format!("{at}/versions/1")).await.is(StatusCode::OK)["draft"]["content"],
        "One.\nTwo.\nThree."
    );
    olga.get(&format!("{at}/versions/9")).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    olga.get(&format!("/api/knowledge/blueprints/{}/versions", made["id"].as_str().unwrap()))
        .await
        .is_problem(StatusCode::NOT_FOUND, "not-found");
}

#[tokio::test]
async fn what_may_not_come_in_is_refused_and_nothing_is_written() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let key = format!("ghp_{}", "q2m8d1rTHqT5kdrY2HmuCkuYv205dC8TvvT8");
    let body = json!({ "title": "Clone", "content": format!("First.\nUse {key} for it.") });
    let problem = olga
        .post("/api/knowledge/entries", body)
        .await
        .is_problem(StatusCode::UNPROCESSABLE_ENTITY, "looks-like-secret");
    assert_eq!(problem["errors"][0]["field"], "content");
    assert!(problem["detail"].as_str().unwrap().contains("line 2") && !problem.to_string().contains(&key), "{problem}");
    let problem = olga
        .post("/api/knowledge/entries?anyway=true", json!({ "title": key, "content": "x" }))
        .await
        .is_problem(StatusCode::UNPROCESSABLE_ENTITY, "looks-like-secret");
    assert!(!problem.to_string().contains(&key));
    // What is the server's own is nobody's to set.
    for (name, value) in [
        ("applicationCount", json!(99)),
        ("successCount", json!(99)),
        ("verifiedBy", json!(NOBODY)),
        ("createdBy", json!(NOBODY)),
        ("review", json!("accepted")),
        ("sourceRunId", json!(NOBODY)),
    ] {
        let mut body = learning("x", "y");
        body[name] = value;
        let problem =
            olga.post("/api/knowledge/learnings", body).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert_eq!(problem["errors"][0]["field"], name, "{problem}");
    }
    for (field, body) in [
        ("title", json!({ "title": " ", "content": "x" })),
        ("title", json!({ "title": "a\nb", "content": "x" })),
        ("content", json!({ "title": "x", "content": "y".repeat(100_001) })),
        ("tags", json!({ "title": "x", "content": "y", "tags": (0..21).map(|n| n.to_string()).collect::<Vec<_>>() })),
        ("sourceUrl", json!({ "title": "x", "content": "y", "sourceUrl": "javascript:alert(1)" })),
        ("related", json!({ "title": "x", "content": "y", "related": [NOBODY] })),
    ] {
        let problem =
            olga.post("/api/knowledge/entries", body).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let mut body = learning("x", "y");
    body["confidence"] = json!("verified");
    let problem =
        olga.post("/api/knowledge/learnings", body).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(problem["errors"][0]["field"], "confidence");
    assert!(titles(&mut olga, "").await.is_empty());

    // Much the same is found before it is written a second time.
    let first =
        wrote(&mut olga, "learnings", learning("Sockets drop", "Connect again with since and ask for the rest.")).await;
    let again = learning("Sockets drop", "Connect again with since, and ask for the rest of it.");
    let problem =
        olga.post("/api/knowledge/learnings", again.clone()).await.is_problem(StatusCode::CONFLICT, "near-duplicate");
    assert_eq!((&problem["similar"][0]["id"], &problem["similar"][0]["title"]), (&first["id"], &json!("Sockets drop")));
    let similar = olga
        .get("/api/knowledge/similar?title=Sockets%20drop&content=Connect%20again%20with%20since%20and%20ask")
        .await;
    assert_eq!(similar.is(StatusCode::OK)["items"][0]["id"], first["id"]);
    olga.post("/api/knowledge/learnings?anyway=true", again).await.is(StatusCode::CREATED);
    olga.get("/api/knowledge/search?kind=note").await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    olga.get("/api/knowledge/search?limit=51").await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
}

#[tokio::test]
async fn a_programs_learning_is_proposed_until_a_member_judges_it() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let mut ben = app.member(MemberRole::Member).await;
    let (token, _) = olga.token(&[Scope::Read, Scope::Knowledge]).await;
    let mut program = app.program(&token);
    let made = wrote(&mut program, "learnings", learning("Sockets drop", "Connect again.")).await;
    assert_eq!(
        (&made["review"], &made["origin"], &made["createdBy"]),
        (&json!("proposed"), &json!("token"), &json!(olga.id().await))
    );
    assert!(titles(&mut ben, "q=sockets&trusted=true").await.is_empty());
    let queue = ben.get("/api/knowledge/learnings?review=proposed").await.is(StatusCode::OK);
    assert_eq!(queue["items"][0]["id"], made["id"]);
    let at = path("learnings", &made);
    let mut better = learning("Sockets drop", "Connect again, with since.");
    ben.post(&format!("{at}/verify"), json!({ "draft": better }))
        .await
        .is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    let verified = ben.post(&format!("{at}/verify"), json!({ "draft": better, "version": 1 })).await.is(StatusCode::OK);
    assert_eq!((&verified["review"], &verified["confidence"]), (&json!("accepted"), &json!("verified")));
    assert_eq!(
        (&verified["verifiedBy"], &verified["content"]),
        (&json!(ben.id().await), &json!("Connect again, with since."))
    );
    assert_eq!(titles(&mut ben, "q=sockets&trusted=true").await, ["Sockets drop"]);
    // Counted once for each member.
    for outcome in ["unknown", "helped", "helped"] {
        ben.post(&format!("{at}/apply"), json!({ "outcome": outcome })).await.is(StatusCode::OK);
    }
    let applied = olga
        .post(&format!("{at}/apply"), json!({ "outcome": "did-not-help", "note": "Not here." }))
        .await
        .is(StatusCode::OK);
    assert_eq!(
        (&applied["learning"]["applicationCount"], &applied["learning"]["successCount"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(ben.get(&format!("{at}/applications")).await.is(StatusCode::OK)["items"][0]["note"], "Not here.");
    // A program that changes it puts it back into the queue, and cannot keep it verified.
    better["version"] = json!(2);
    better["content"] = json!("Trust me.");
    let changed = program.put(&at, better.clone()).await.is(StatusCode::OK);
    assert_eq!((&changed["review"], &changed["verifiedBy"]), (&json!("proposed"), &Value::Null));
    ben.post(&format!("{at}/reject"), json!({ "reason": "wrong", "version": 2 }))
        .await
        .is_problem(StatusCode::CONFLICT, "item-changed");
    let rejected =
        ben.post(&format!("{at}/reject"), json!({ "reason": "wrong", "version": 3 })).await.is(StatusCode::OK);
    assert_eq!((&rejected["review"], &rejected["rejectReason"]), (&json!("rejected"), &json!("wrong")));
    assert!(titles(&mut ben, "q=sockets").await.is_empty());
    assert_eq!(titles(&mut ben, "q=sockets&review=rejected").await, ["Sockets drop"]);
    // The rule is off at first, and an admin's to set.
    let rule = ben.get("/api/settings/knowledge").await.is(StatusCode::OK);
    assert_eq!(rule["on"], false);
    ben.put("/api/settings/knowledge", json!({ "on": true })).await.is_problem(StatusCode::FORBIDDEN, "missing-right");
    let set =
        olga.put("/api/settings/knowledge", json!({ "on": true, "runs": 3, "members": 2, "successPercent": 90 })).await;
    assert_eq!(set.is(StatusCode::OK)["runs"], 3);
    olga.put("/api/settings/knowledge", json!({ "on": true, "runs": 1, "members": 2 }))
        .await
        .is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
}

#[tokio::test]
async fn no_program_vouches_for_what_its_members_programs_wrote() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let mut ben = app.member(MemberRole::Member).await;
    let scopes = [Scope::Read, Scope::Knowledge];
    let mut recorder = app.program(&olga.token(&scopes).await.0);
    let mut other = app.program(&olga.token(&scopes).await.0);
    let mut bens = app.program(&ben.token(&scopes).await.0);
    let made = wrote(&mut recorder, "learnings", learning("Sockets drop", "Connect again.")).await;
    let at = path("learnings", &made);
    let verify = format!("{at}/verify");
    // Neither the token that wrote it nor another of the same member, nor with words of its own.
    for program in [&mut recorder, &mut other] {
        program.post(&verify, json!({})).await.is_problem(StatusCode::FORBIDDEN, "not-yours");
        let own = json!({ "version": 1, "draft": learning("Sockets drop", "Trust me.") });
        program.post(&verify, own).await.is_problem(StatusCode::FORBIDDEN, "not-yours");
    }
    let own = json!({ "version": 1, "draft": learning("Sockets drop", "Trust me.") });
    bens.post(&verify, own).await.is_problem(StatusCode::FORBIDDEN, "not-yours");
    // A judgement in between, and taking a version back, make the text nobody else's.
    ben.post(&verify, json!({})).await.is(StatusCode::OK);
    ben.post(&format!("{at}/reject"), json!({ "reason": "wrong" })).await.is(StatusCode::OK);
    recorder.post(&format!("{at}/restore"), json!({ "version": 1 })).await.is(StatusCode::OK);
    other.post(&verify, json!({})).await.is_problem(StatusCode::FORBIDDEN, "not-yours");
    assert_eq!(olga.get(&at).await.is(StatusCode::OK)["review"], "rejected");
    // Nor does a token bring its own words back below what a member verified.
    let other_words = wrote(&mut recorder, "learnings", learning("Pears bruise", "Throw them.")).await;
    let pears = path("learnings", &other_words);
    let corrected = json!({ "version": 1, "draft": learning("Pears bruise", "Lay them down.") });
    olga.post(&format!("{pears}/verify"), corrected).await.is(StatusCode::OK);
    let back = recorder.post(&format!("{pears}/restore"), json!({ "version": 1 })).await.is(StatusCode::OK);
    assert_eq!(
        (&back["content"], &back["review"], &back["verifiedBy"]),
        (&json!("Throw them."), &json!("proposed"), &json!(null))
    );
    assert_ne!(back["confidence"], "verified");
    // A person who takes it back has looked at it.
    olga.post(&format!("{pears}/verify"), json!({})).await.is(StatusCode::OK);
    let back = olga.post(&format!("{pears}/restore"), json!({ "version": 2 })).await.is(StatusCode::OK);
    assert_eq!((&back["content"], &back["review"]), (&json!("Lay them down."), &json!("accepted")));
    // Another member's program may, for its member, and a person may in any case.
    let verified = bens.post(&verify, json!({ "version": 4 })).await.is(StatusCode::OK);
    assert_eq!((&verified["review"], &verified["verifiedBy"]), (&json!("accepted"), &json!(ben.id().await)));
    let mine = wrote(&mut recorder, "learnings", learning("Quinces ripen late", "Wait for the frost.")).await;
    olga.post(&format!("{}/verify", path("learnings", &mine)), json!({})).await.is(StatusCode::OK);
    // What a person wrote, a program of theirs may verify.
    let own = wrote(&mut olga, "learnings", learning("Medlars are bletted", "Lay them in straw.")).await;
    recorder.post(&format!("{}/verify", path("learnings", &own)), json!({})).await.is(StatusCode::OK);
}

#[tokio::test]
async fn of_many_who_write_the_same_at_once_one_gets_in() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let (token, _) = olga.token(&[Scope::Read, Scope::Knowledge]).await;
    let tries = (0..6).map(|n| {
        let mut program = app.program(&token);
        let body = learning("Sockets drop", &format!("Connect again with since and ask for the rest of it {n}."));
        async move { program.post("/api/knowledge/learnings", body).await.status }
    });
    let mut told = futures::future::join_all(tries).await;
    told.sort_unstable();
    assert_eq!(told[0], StatusCode::CREATED);
    assert!(told[1..].iter().all(|status| *status == StatusCode::CONFLICT), "{told:?}");
    assert_eq!(titles(&mut olga, "q=sockets").await.len(), 1);
}

#[tokio::test]
async fn a_search_and_all_kinds_are_read_page_by_page() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    for n in 0..5 {
        let body = json!({ "title": format!("Harbour {n}"), "content": "A quay." });
        olga.post("/api/knowledge/entries?anyway=true", body).await.is(StatusCode::CREATED);
    }
    wrote(&mut olga, "learnings", learning("Tides", "Look at the harbour before it ebbs.")).await;
    for (query, count) in [("q=harbour", 6), ("", 6), ("kind=entry&q=quay", 5), ("kind=learning", 1)] {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let page = olga.get(&format!("/api/knowledge/search?limit=2&{query}{after}")).await.is(StatusCode::OK);
            all.extend(page["items"].as_array().unwrap().iter().map(|hit| hit["title"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        let each: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!((all.len(), each.len()), (count, count), "{query}: {all:?}");
    }
    let next = olga.get("/api/knowledge/search?limit=2&q=harbour").await.is(StatusCode::OK)["next"].clone();
    for bad in
        [format!("q=quay&after={}", next.as_str().unwrap()), "q=harbour&after=12".to_owned(), "after=x".to_owned()]
    {
        let problem = olga.get(&format!("/api/knowledge/search?{bad}")).await;
        let problem = problem.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert_eq!(problem["errors"][0]["field"], "after", "{bad}");
    }
}
