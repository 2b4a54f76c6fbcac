use chrono::Duration;
use guildhall_types::FixedClock;
use guildhall_types::member::MemberRole;
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{PASSWORD, TestApp, Wish};

const NEW: &str = "three green bottles";

#[tokio::test]
async fn a_time_zone_is_kept_and_taken_away() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    assert!(owner.get("/api/auth/me").await.is(StatusCode::OK)["timeZone"].is_null());
    let me = owner.patch("/api/auth/me", json!({ "timeZone": "America/Argentina/Buenos_Aires" })).await;
    let me = me.is(StatusCode::OK);
    assert_eq!((&me["timeZone"], &me["name"]), (&json!("America/Argentina/Buenos_Aires"), &json!("Olga")));
    for zone in ["", "../etc/passwd", "Europe/", "Mars / Base", "5"] {
        let problem = owner.patch("/api/auth/me", json!({ "timeZone": zone })).await;
        let problem = problem.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert_eq!(problem["errors"][0]["field"], "timeZone", "{problem}");
    }
    let me = owner.patch("/api/auth/me", json!({ "timeZone": null })).await.is(StatusCode::OK);
    assert!(me["timeZone"].is_null());
}

#[tokio::test]
async fn a_new_password_asks_for_the_former_and_ends_the_other_sessions() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut phone = app.anonymous();
    let login = |password: &str| json!({ "email": "olga@example.com", "password": password });
    phone.post("/api/auth/login", login(PASSWORD)).await.is(StatusCode::OK);
    for (field, body) in [
        ("currentPassword", json!({ "newPassword": NEW })),
        ("newPassword", json!({ "currentPassword": PASSWORD })),
        ("currentPassword", json!({ "currentPassword": "not the password", "newPassword": NEW })),
        ("newPassword", json!({ "currentPassword": PASSWORD, "newPassword": "short" })),
        ("newPassword", json!({ "currentPassword": PASSWORD, "newPassword": "transcendental1" })),
        ("newPassword", json!({ "currentPassword": PASSWORD, "newPassword": PASSWORD })),
    ] {
        let problem = owner.patch("/api/auth/me", body).await;
        let problem = problem.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    phone.get("/api/auth/me").await.is(StatusCode::OK);
    let change = json!({ "currentPassword": PASSWORD, "newPassword": NEW });
    owner.patch("/api/auth/me", change).await.is(StatusCode::OK);
    owner.get("/api/auth/me").await.is(StatusCode::OK);
    phone.get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    phone.post("/api/auth/login", login(PASSWORD)).await.is_problem(StatusCode::UNAUTHORIZED, "wrong-password");
    phone.post("/api/auth/login", login(NEW)).await.is(StatusCode::OK);
}

#[tokio::test]
async fn a_sensitive_change_asks_again_who_it_is() {
    let clock = FixedClock::default();
    let app = TestApp::with(Wish { clock: Some(clock.clone()), ..Wish::default() }).await;
    let mut owner = app.owner().await;
    let token = json!({ "name": "t", "scopes": ["read"] });
    owner.post("/api/auth/tokens", token.clone()).await.is(StatusCode::CREATED);
    clock.advance(Duration::minutes(10));
    owner.post("/api/auth/tokens", token.clone()).await.is_problem(StatusCode::FORBIDDEN, "confirm-needed");
    let admin = json!({ "email": "ben@example.com", "role": "admin" });
    owner.post("/api/invitations", admin).await.is_problem(StatusCode::FORBIDDEN, "confirm-needed");
    let wrong = owner.post("/api/auth/confirm", json!({ "password": "not the password" })).await;
    assert_eq!(
        wrong.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid")["errors"][0]["message"],
        "this is not your password"
    );
    owner.post("/api/auth/tokens", token.clone()).await.is_problem(StatusCode::FORBIDDEN, "confirm-needed");

    let mut stolen = owner.clone();
    let before = owner.cookie.clone();
    owner.post("/api/auth/confirm", json!({ "password": PASSWORD })).await.is(StatusCode::NO_CONTENT);
    assert_ne!(owner.cookie, before, "the session goes on under another token");
    // A request that was under way with the former one is answered; it is not taken for the one who gave the proof.
    clock.advance(Duration::seconds(29));
    stolen.get("/api/auth/me").await.is(StatusCode::OK);
    stolen.post("/api/auth/tokens", token.clone()).await.is_problem(StatusCode::FORBIDDEN, "confirm-needed");
    clock.advance(Duration::seconds(1));
    stolen.get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    owner.post("/api/auth/tokens", token.clone()).await.is(StatusCode::CREATED);
    clock.advance(Duration::minutes(10));
    owner.post("/api/auth/tokens", token).await.is_problem(StatusCode::FORBIDDEN, "confirm-needed");
}

#[tokio::test]
async fn asking_again_is_slowed_down_like_a_sign_in() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    for _ in 0..10 {
        let answer = owner.post("/api/auth/confirm", json!({ "password": "not the password" })).await;
        answer.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }
    for (path, body) in [
        ("/api/auth/confirm", json!({ "password": PASSWORD })),
        ("/api/auth/login", json!({ "email": "olga@example.com", "password": PASSWORD })),
    ] {
        owner.post(path, body).await.is_problem(StatusCode::TOO_MANY_REQUESTS, "throttled");
    }
}

#[tokio::test]
async fn a_sign_in_gives_a_new_session_and_ends_the_one_before() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut before = owner.clone();
    owner
        .post("/api/auth/login", json!({ "email": "olga@example.com", "password": PASSWORD }))
        .await
        .is(StatusCode::OK);
    assert_ne!(owner.cookie, before.cookie);
    before.get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    assert_eq!(owner.get("/api/auth/sessions").await.is(StatusCode::OK).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn all_other_sessions_end_at_once() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut other = app.member(MemberRole::Viewer).await;
    let mut phone = app.anonymous();
    phone
        .post("/api/auth/login", json!({ "email": "olga@example.com", "password": PASSWORD }))
        .await
        .is(StatusCode::OK);
    let mut socket = phone.listen("").await.unwrap();
    assert_eq!(socket.next().await.unwrap()["type"], "hello");
    owner.delete("/api/auth/sessions").await.is(StatusCode::NO_CONTENT);
    assert_eq!(socket.next().await, Err(4401));
    phone.get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    owner.get("/api/auth/me").await.is(StatusCode::OK);
    other.get("/api/auth/me").await.is(StatusCode::OK);
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_when_its_time_is_over() {
    let clock = FixedClock::default();
    let app = TestApp::with(Wish { clock: Some(clock.clone()), ..Wish::default() }).await;
    let mut owner = app.owner().await;
    clock.advance(Duration::days(13));
    owner.get("/api/auth/me").await.is(StatusCode::OK);
    clock.advance(Duration::days(14));
    owner.get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    let login = json!({ "email": "olga@example.com", "password": PASSWORD });
    owner.post("/api/auth/login", login).await.is(StatusCode::OK);
    for _ in 0..3 {
        clock.advance(Duration::days(9));
        owner.get("/api/auth/me").await.is(StatusCode::OK);
    }
    clock.advance(Duration::days(3));
    owner.get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
}
