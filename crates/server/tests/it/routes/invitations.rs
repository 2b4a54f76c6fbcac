use guildhall_types::member::MemberRole;
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{PASSWORD, TestApp, Wish};

#[tokio::test]
async fn whoever_is_invited_joins_with_the_role_and_address_of_the_invitation() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let made = owner.post("/api/invitations", json!({ "email": " Ben@Example.com", "role": "viewer" })).await;
    let made = made.is(StatusCode::CREATED);
    let code = made["code"].as_str().unwrap();
    assert_eq!(made["url"], format!("{}/join/{code}", app.url));
    assert_eq!((&made["email"], &made["role"]), (&json!("ben@example.com"), &json!("viewer")));
    let list = owner.get("/api/invitations").await.is(StatusCode::OK);
    assert_eq!(list["items"][0]["id"], made["id"]);
    assert!(!list.to_string().contains(code), "{list}");
    assert_eq!(owner.get("/api/auth/status").await.is(StatusCode::OK)["signUp"], "invitation");

    let mut ben = app.anonymous();
    let card = ben.post("/api/auth/invitation", json!({ "code": code })).await.is(StatusCode::OK);
    assert_eq!((&card["email"], &card["role"]), (&json!("ben@example.com"), &json!("viewer")));
    ben.post("/api/auth/invitation", json!({ "code": "x" })).await.is_problem(StatusCode::CONFLICT, "bad-invitation");
    let account =
        |email: &str, code: &str| json!({ "email": email, "password": PASSWORD, "name": "Ben", "invitation": code });
    for (email, code) in [("eve@example.com", code), ("ben@example.com", "AAAA"), ("ben@example.com", "")] {
        let answer = ben.post("/api/auth/register", account(email, code)).await;
        answer.is_problem(StatusCode::CONFLICT, "bad-invitation");
    }
    let weak = json!({ "email": "ben@example.com", "password": "password1234", "name": "Ben", "invitation": code });
    ben.post("/api/auth/register", weak).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    let me = ben.post("/api/auth/register", account("BEN@example.com", code)).await.is(StatusCode::CREATED);
    assert_eq!((&me["role"], &me["email"]), (&json!("viewer"), &json!("ben@example.com")));
    ben.get("/api/members").await.is(StatusCode::OK);
    let mut late = app.anonymous();
    late.post("/api/auth/register", account("ben@example.com", code))
        .await
        .is_problem(StatusCode::CONFLICT, "bad-invitation");
    assert_eq!(owner.get("/api/auth/status").await.is(StatusCode::OK)["signUp"], "closed");
    let used = owner.get("/api/invitations").await.is(StatusCode::OK)["items"][0].clone();
    assert_eq!(used["usedBy"], me["id"]);
    let again = owner.post("/api/invitations", json!({ "email": "ben@example.com", "role": "viewer" })).await;
    again.is_problem(StatusCode::CONFLICT, "taken");
}

#[tokio::test]
async fn an_invitation_that_was_taken_back_is_none() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let made = owner.post("/api/invitations", json!({ "email": "ben@example.com", "role": "member" })).await;
    let made = made.is(StatusCode::CREATED);
    let path = format!("/api/invitations/{}", made["id"].as_str().unwrap());
    owner.delete(&path).await.is(StatusCode::NO_CONTENT);
    owner.delete(&path).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    let body = json!({ "email": "ben@example.com", "password": PASSWORD, "name": "Ben", "invitation": made["code"] });
    app.anonymous().post("/api/auth/register", body).await.is_problem(StatusCode::CONFLICT, "bad-invitation");
}

#[tokio::test]
async fn nobody_gives_a_role_above_their_own() {
    let app = TestApp::start().await;
    app.owner().await;
    let mut admin = app.member(MemberRole::Admin).await;
    let invite = |role: &str| json!({ "email": "ben@example.com", "role": role });
    admin.post("/api/invitations", invite("owner")).await.is_problem(StatusCode::FORBIDDEN, "above-own-role");
    admin.post("/api/invitations", invite("admin")).await.is(StatusCode::CREATED);
    for bad in [json!({ "email": "ben", "role": "member" }), json!({ "email": "ben@example.com", "role": "god" })] {
        let answer = admin.post("/api/invitations", bad).await;
        assert!(answer.status.is_client_error(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_token_invites_members_and_nobody_above_them() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let (token, _) = owner.token(&[guildhall_types::rights::Scope::Admin]).await;
    let mut program = app.program(&token);
    let invite = |role: &str| json!({ "email": "ben@example.com", "role": role });
    program.post("/api/invitations", invite("admin")).await.is_problem(StatusCode::FORBIDDEN, "session-only");
    program.post("/api/invitations", invite("member")).await.is(StatusCode::CREATED);
}

#[tokio::test]
async fn the_link_leads_to_the_address_that_members_use() {
    let app = TestApp::with(Wish {
        change: Box::new(|config| config.public_url = Some("https://guild.example.com/".parse().unwrap())),
        ..Wish::default()
    })
    .await;
    let mut owner = app.anonymous();
    owner.origin = Some("https://guild.example.com".to_owned());
    let body = json!({ "email": "olga@example.com", "password": PASSWORD, "name": "Olga" });
    owner.post("/api/auth/register", body).await.is(StatusCode::CREATED);
    let made = owner.post("/api/invitations", json!({ "email": "b@example.com", "role": "viewer" })).await;
    let made = made.is(StatusCode::CREATED);
    assert_eq!(made["url"], format!("https://guild.example.com/join/{}", made["code"].as_str().unwrap()));
}

#[tokio::test]
async fn sign_up_is_closed_until_the_owner_opens_it() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut admin = app.member(MemberRole::Admin).await;
    let account = |email: &str| json!({ "email": email, "password": PASSWORD, "name": "Ben" });
    let mut ben = app.anonymous();
    ben.post("/api/auth/register", account("ben@example.com")).await.is_problem(StatusCode::CONFLICT, "already-set-up");
    assert_eq!(ben.get("/api/auth/status").await.is(StatusCode::OK)["signUp"], "closed");

    let open = json!({ "open": true, "domain": "@Example.com", "role": "viewer" });
    admin.put("/api/settings/sign-up", open.clone()).await.is_problem(StatusCode::FORBIDDEN, "missing-right");
    for bad in [json!({ "open": true, "role": "admin" }), json!({ "open": true, "domain": "no domain" })] {
        owner.put("/api/settings/sign-up", bad).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }
    let set = owner.put("/api/settings/sign-up", open).await.is(StatusCode::OK);
    assert_eq!(set, json!({ "open": true, "domain": "example.com", "role": "viewer" }));
    assert_eq!(admin.get("/api/settings/sign-up").await.is(StatusCode::OK), set);
    assert_eq!(ben.get("/api/auth/status").await.is(StatusCode::OK)["signUp"], "open");

    for email in ["ben@elsewhere.example", "ben@example.com.evil.example", "ben@sub.example.com"] {
        let answer = ben.post("/api/auth/register", account(email)).await;
        answer.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }
    let me = ben.post("/api/auth/register", account("ben@example.com")).await.is(StatusCode::CREATED);
    assert_eq!(me["role"], "viewer");
    let mut late = app.anonymous();
    for _ in 0..6 {
        late.post("/api/auth/register", account("ben@example.com")).await.is_problem(StatusCode::CONFLICT, "taken");
    }
    let mut flood = app.anonymous();
    let answer = flood.post("/api/auth/register", account("more@example.com")).await;
    answer.is_problem(StatusCode::TOO_MANY_REQUESTS, "throttled");
}
