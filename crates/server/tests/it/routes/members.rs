use chrono::Duration;
use guildhall_types::FixedClock;
use guildhall_types::member::MemberRole;
use guildhall_types::rights::Scope;
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{PASSWORD, SILENT, TestApp, Wish};

#[tokio::test]
async fn members_come_page_by_page() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    app.member(MemberRole::Member).await;
    app.member(MemberRole::Viewer).await;
    let first = owner.get("/api/members?limit=2").await.is(StatusCode::OK);
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let next = first["next"].as_str().unwrap();
    let second = owner.get(&format!("/api/members?limit=2&after={next}")).await.is(StatusCode::OK);
    assert_eq!(second["items"][0]["role"], "viewer");
    assert!(second["next"].is_null());
    assert!(!first.to_string().contains("argon2"), "{first}");
    let one = owner.get(&format!("/api/members/{}", second["items"][0]["id"].as_str().unwrap())).await;
    assert_eq!(one.is(StatusCode::OK), second["items"][0]);
}

#[tokio::test]
async fn a_disabled_member_is_out_at_once() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut member = app.member(MemberRole::Member).await;
    let (token, _) = member.token(&[Scope::Read]).await;
    let project = member.project("Demo", json!({ "kind": "sample" })).await;
    let cards = format!("/api/projects/{}/features", project["id"].as_str().unwrap());
    let card = json!({ "description": SILENT });
    let card = member.post(&cards, card).await.is(StatusCode::CREATED);
    let card = format!("/api/features/{}", card["id"].as_str().unwrap());
    member.call(&format!("{card}/start")).await.is(StatusCode::ACCEPTED);
    let mut socket = member.listen("").await.unwrap();
    let mut by_token = app.program(&token).listen("").await.unwrap();
    for socket in [&mut socket, &mut by_token] {
        assert_eq!(socket.next().await.unwrap()["type"], "hello");
    }

    let path = format!("/api/members/{}", member.id().await);
    let disabled = owner.patch(&path, json!({ "disabled": true })).await.is(StatusCode::OK);
    assert!(disabled["disabledAt"].is_string());
    for socket in [&mut socket, &mut by_token] {
        // What came before it may still be told.
        while let Ok(frame) = socket.next().await {
            assert_ne!(frame["type"], "member.updated", "{frame}");
        }
    }
    member.get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    app.program(&token).get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "bad-token");
    let login = json!({ "email": "member@example.com", "password": PASSWORD });
    member.post("/api/auth/login", login.clone()).await.is_problem(StatusCode::UNAUTHORIZED, "wrong-password");
    assert_eq!(owner.get(&card).await.is(StatusCode::OK)["status"], "paused");
    let run = owner.get(&format!("{card}/runs")).await.is(StatusCode::OK)["items"][0].clone();
    assert_eq!(run["status"], "stopped");

    owner.patch(&path, json!({ "disabled": false })).await.is(StatusCode::OK);
    member.post("/api/auth/login", login).await.is(StatusCode::OK);
    app.program(&token).get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "bad-token");
}

#[tokio::test]
async fn a_new_role_holds_at_the_next_request() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut admin = app.member(MemberRole::Admin).await;
    let (token, _) = admin.token(&[Scope::Admin]).await;
    let mut program = app.program(&token);
    program.get("/api/audit").await.is(StatusCode::OK);
    let path = format!("/api/members/{}", admin.id().await);
    owner.patch(&path, json!({ "role": "member" })).await.is(StatusCode::OK);
    admin.get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    program.get("/api/audit").await.is_problem(StatusCode::FORBIDDEN, "missing-right");
}

#[tokio::test]
async fn ownership_is_handed_over_and_the_last_owner_stays() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut admin = app.member(MemberRole::Admin).await;
    let (owners, admins) = (format!("/api/members/{}", owner.id().await), format!("/api/members/{}", admin.id().await));
    let forbidden = StatusCode::FORBIDDEN;
    admin.patch(&owners, json!({ "role": "viewer" })).await.is_problem(forbidden, "target-is-owner");
    admin.patch(&owners, json!({ "disabled": true })).await.is_problem(forbidden, "target-is-owner");
    admin.call(&format!("{owners}/sign-out")).await.is_problem(forbidden, "target-is-owner");
    admin.call(&format!("{owners}/reset-link")).await.is_problem(forbidden, "target-is-owner");
    admin.patch(&admins, json!({ "role": "owner" })).await.is_problem(forbidden, "above-own-role");
    for change in [json!({ "role": "admin" }), json!({ "disabled": true })] {
        owner.patch(&owners, change).await.is_problem(StatusCode::CONFLICT, "last-owner");
    }
    assert_eq!(owner.patch(&admins, json!({ "role": "owner" })).await.is(StatusCode::OK)["role"], "owner");
    owner.patch(&owners, json!({ "role": "admin" })).await.is(StatusCode::OK);
    owner.get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    for field in ["email", "name", "id", "createdAt"] {
        let answer = admin.patch(&owners, json!({ field: "x" })).await;
        assert!(answer.status.is_client_error(), "{answer:?}");
    }
}

#[tokio::test]
async fn an_admin_ends_all_sessions_of_a_member() {
    let app = TestApp::start().await;
    app.owner().await;
    let mut admin = app.member(MemberRole::Admin).await;
    let mut member = app.member(MemberRole::Member).await;
    let mut socket = member.listen("").await.unwrap();
    assert_eq!(socket.next().await.unwrap()["type"], "hello");
    let path = format!("/api/members/{}/sign-out", member.id().await);
    member.call(&path).await.is_problem(StatusCode::FORBIDDEN, "missing-right");
    admin.call(&path).await.is(StatusCode::NO_CONTENT);
    assert_eq!(socket.next().await, Err(4401));
    member.get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
}

#[tokio::test]
async fn a_link_by_an_admin_sets_one_password() {
    let clock = FixedClock::default();
    let app = TestApp::with(Wish { clock: Some(clock.clone()), ..Wish::default() }).await;
    let mut owner = app.owner().await;
    let mut member = app.member(MemberRole::Member).await;
    let path = format!("/api/members/{}/reset-link", member.id().await);
    let link = owner.call(&path).await.is(StatusCode::CREATED);
    let code = link["code"].as_str().unwrap();
    assert_eq!(link["url"], format!("{}/reset/{code}", app.url));
    let mut anybody = app.anonymous();
    let new = "another horse entirely";
    for (code, password, status, word) in [
        ("AAAA", new, StatusCode::CONFLICT, "bad-reset-link"),
        (code, "password1234", StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
    ] {
        let body = json!({ "code": code, "password": password });
        anybody.post("/api/auth/reset", body).await.is_problem(status, word);
    }
    let body = json!({ "code": code, "password": new });
    anybody.post("/api/auth/reset", body.clone()).await.is(StatusCode::NO_CONTENT);
    member.get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    anybody.post("/api/auth/reset", body).await.is_problem(StatusCode::CONFLICT, "bad-reset-link");
    let login = |password: &str| json!({ "email": "member@example.com", "password": password });
    member.post("/api/auth/login", login(PASSWORD)).await.is_problem(StatusCode::UNAUTHORIZED, "wrong-password");
    member.post("/api/auth/login", login(new)).await.is(StatusCode::OK);

    let link = owner.call(&path).await.is(StatusCode::CREATED);
    clock.advance(Duration::hours(24));
    let body = json!({ "code": link["code"], "password": "a third one for today" });
    anybody.post("/api/auth/reset", body).await.is_problem(StatusCode::CONFLICT, "bad-reset-link");
}
