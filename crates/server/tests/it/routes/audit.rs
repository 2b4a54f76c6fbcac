use guildhall_types::member::MemberRole;
use guildhall_types::rights::Scope;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{PASSWORD, Persona, SILENT, TestApp};

const KEY: &str = "sk-ant-api03-canary-0123456789";

/// Everything that the audit tells, the oldest first.
async fn told(owner: &mut Persona) -> Vec<Value> {
    let mut items = owner.get("/api/audit?limit=500").await.is(StatusCode::OK)["items"].as_array().unwrap().clone();
    items.reverse();
    items
}

fn actions(entries: &[Value]) -> Vec<String> {
    let word = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    entries.iter().map(|entry| format!("{} {}", word(entry, "action"), word(entry, "outcome"))).collect()
}

#[tokio::test]
async fn sign_ins_are_told_however_they_end() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut other = app.anonymous();
    let login = |email: &str, password: &str| json!({ "email": email, "password": password });
    let request = other.request(Method::POST, "/api/auth/login").json(&login("olga@example.com", "hunter2-hunter2"));
    let request = request.header("user-agent", "evil/1.0").header("x-forwarded-for", "203.0.113.9");
    other.send(request).await.is(StatusCode::UNAUTHORIZED);
    other.post("/api/auth/login", login("secret-password@in.the-wrong-field", "x")).await.is(StatusCode::UNAUTHORIZED);
    other.post("/api/auth/login", login("olga@example.com", PASSWORD)).await.is(StatusCode::OK);
    other.call("/api/auth/logout").await.is(StatusCode::NO_CONTENT);
    for _ in 0..12 {
        other.post("/api/auth/login", login("olga@example.com", "wrong password")).await;
    }
    let me = owner.id().await;
    let entries = told(&mut owner).await;
    let mut expected =
        vec!["member.register ok", "member.sign-in ok", "member.sign-in refused", "member.sign-in refused"];
    expected.extend(["member.sign-in ok", "member.sign-out ok"]);
    // The address has failed twice before.
    expected.extend(["member.sign-in refused"; 8]);
    expected.extend(["member.sign-in throttled"; 4]);
    assert_eq!(actions(&entries), expected);
    assert_eq!((&entries[2]["objectId"], &entries[2]["memberId"]), (&json!(me), &Value::Null));
    assert_eq!(entries[2]["address"], "127.0.0.1", "not what a header claims");
    assert_eq!(entries[3]["detail"], json!({ "account": "unknown" }));
    assert_eq!(entries[4]["memberId"], json!(me));
    let all = json!(entries).to_string();
    assert!(!all.contains("hunter2") && !all.contains("wrong-field") && !all.contains(PASSWORD), "{all}");
}

#[tokio::test]
async fn deeds_are_told_with_who_did_them_and_no_secret() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let me = owner.id().await;
    let project = owner.project("Demo", json!({ "kind": "sample" })).await;
    let project = format!("/api/projects/{}", project["id"].as_str().unwrap());
    let body = json!({ "key": KEY, "baseUrl": app.sim.url() });
    owner.put("/api/user/credentials/anthropic", body).await.is(StatusCode::OK);
    owner.call("/api/user/credentials/anthropic/test").await.is(StatusCode::OK);
    owner.delete("/api/user/credentials/anthropic").await.is(StatusCode::NO_CONTENT);
    let limits = owner.get("/api/settings/limits").await.is(StatusCode::OK);
    owner.put("/api/settings/limits", limits).await.is(StatusCode::OK);
    let invited = owner.post("/api/invitations", json!({ "email": "ben@example.com", "role": "viewer" })).await;
    let code = invited.is(StatusCode::CREATED)["code"].as_str().unwrap().to_owned();
    let (token, token_id) = owner.token(&[Scope::Write, Scope::Run]).await;
    let mut program = app.program(&token);
    let card = program.post(&format!("{project}/features"), json!({ "description": SILENT })).await;
    let card = format!("/api/features/{}", card.is(StatusCode::CREATED)["id"].as_str().unwrap());
    program.call(&format!("{card}/start")).await.is(StatusCode::ACCEPTED);
    program.post(&format!("{card}/follow-up"), json!({ "message": "a private word" })).await.is(StatusCode::ACCEPTED);
    program.call(&format!("{card}/stop")).await.is(StatusCode::ACCEPTED);
    program.call(&format!("{card}/retry")).await.is(StatusCode::ACCEPTED);
    program.call(&format!("{card}/stop")).await.is(StatusCode::ACCEPTED);
    program.call(&format!("{card}/shelve")).await.is(StatusCode::OK);
    program.patch(&card, json!({ "title": "Waits" })).await.is(StatusCode::OK);
    program.delete(&card).await.is(StatusCode::NO_CONTENT);
    program.get("/api/members").await.is_problem(StatusCode::FORBIDDEN, "missing-scope");
    program.delete(&project).await.is(StatusCode::NO_CONTENT);
    owner.patch("/api/auth/me", json!({ "name": "Olga B." })).await.is(StatusCode::OK);

    let entries = told(&mut owner).await;
    let expected = [
        "member.register ok",
        "member.sign-in ok",
        "project.create ok",
        "credential.put ok",
        "credential.test ok",
        "credential.delete ok",
        "setting.change ok",
        "setting.change ok",
        "invitation.create ok",
        "token.create ok",
        "feature.create ok",
        "run.start ok",
        "run.follow-up ok",
        "run.stop ok",
        "run.retry ok",
        "run.stop ok",
        "feature.shelve ok",
        "feature.change ok",
        "feature.delete ok",
        "access.refuse refused",
        "project.archive ok",
        "member.change-profile ok",
    ];
    assert_eq!(actions(&entries), expected);
    for entry in &entries[1..] {
        assert_eq!(entry["memberId"], json!(me), "{entry}");
        let by_token = ["run.", "access.", "feature.", "project.archive"]
            .iter()
            .any(|kind| entry["action"].as_str().unwrap().starts_with(kind));
        assert_eq!(entry["tokenId"], if by_token { json!(token_id) } else { Value::Null }, "{entry}");
    }
    let refused = &entries[19];
    assert_eq!(refused["objectId"], "GET /api/members");
    assert_eq!(refused["detail"]["code"], "missing-scope");
    let all = json!(entries).to_string();
    for secret in [KEY, PASSWORD, code.as_str(), token.as_str(), "a private word"] {
        assert!(!all.contains(secret), "{all}");
    }
    assert_eq!(app.app.team.store.verify_audit().await.unwrap().broken, None);
}

#[tokio::test]
async fn refusals_are_told_and_a_flood_of_them_is_not() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut viewer = app.member(MemberRole::Viewer).await;
    let id = viewer.id().await;
    let mut lured = viewer.clone();
    lured.origin = Some("https://evil.example".to_owned());
    lured.patch("/api/auth/me", json!({ "name": "x" })).await.is_problem(StatusCode::FORBIDDEN, "foreign-origin");
    for _ in 0..50 {
        viewer.get("/api/audit").await.is_problem(StatusCode::FORBIDDEN, "missing-right");
    }
    let refused = owner.get(&format!("/api/audit?actor={id}&outcome=refused&limit=500")).await.is(StatusCode::OK);
    let refused = refused["items"].as_array().unwrap();
    assert_eq!(refused.len(), 30);
    assert_eq!(refused.last().unwrap()["detail"]["code"], "foreign-origin");
    assert_eq!(refused[0]["detail"], json!({ "code": "missing-right", "path": "/api/audit" }));
}

#[tokio::test]
async fn it_comes_page_by_page_filtered_and_whole() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    for n in 0..7 {
        owner.patch("/api/auth/me", json!({ "name": format!("Olga {n}") })).await.is(StatusCode::OK);
    }
    let first = owner.get("/api/audit?action=member.change-profile&limit=5").await.is(StatusCode::OK);
    assert_eq!(first["items"].as_array().unwrap().len(), 5);
    assert_eq!(first["items"][0]["detail"]["name"], "Olga 6");
    let next = first["next"].as_str().unwrap();
    let rest = owner.get(&format!("/api/audit?action=member.change-profile&limit=5&after={next}")).await;
    let rest = rest.is(StatusCode::OK);
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (2, &Value::Null));
    for (filter, count) in [
        ("object=session", 1),
        ("object=member&action=member.register", 1),
        ("from=2000-01-01T00:00:00Z&to=2001-01-01T00:00:00Z", 0),
        ("from=2001-01-01T00:00:00Z&outcome=ok", 9),
        ("outcome=throttled", 0),
    ] {
        let found = owner.get(&format!("/api/audit?{filter}")).await.is(StatusCode::OK);
        assert_eq!(found["items"].as_array().unwrap().len(), count, "{filter}");
    }
    for bad in ["action=fly", "actor=me", "from=yesterday", "who=x"] {
        owner.get(&format!("/api/audit?{bad}")).await.is_problem(StatusCode::BAD_REQUEST, "bad-query");
    }

    let export = owner.get("/api/audit/export").await;
    assert_eq!(export.header("content-type"), "application/x-ndjson");
    let lines: Vec<Value> = export.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seqs: Vec<i64> = lines.iter().map(|entry| entry["seq"].as_i64().unwrap()).collect();
    assert_eq!(seqs, (1..=10).collect::<Vec<_>>());
    assert_eq!(lines[9]["action"], "audit.export");
    lines.iter().for_each(|entry| crate::schema::check("AuditEntry", entry));
}
