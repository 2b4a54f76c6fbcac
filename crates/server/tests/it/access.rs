//! Every route that the description names is tried by those who may not call it.

use guildhall_types::member::MemberRole;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Persona, TestApp};
use crate::schema::operations;

/// These may be called by everybody.
const OPEN: &[(Method, &str)] = &[
    (Method::GET, "/api/health"),
    (Method::GET, "/api/auth/status"),
    (Method::POST, "/api/auth/register"),
    (Method::POST, "/api/auth/login"),
];

/// These change something, and a viewer may call them: what is a member's own.
const OWN: &[(Method, &str)] =
    &[(Method::POST, "/api/auth/logout"), (Method::PATCH, "/api/auth/me"), (Method::DELETE, "/api/auth/sessions/{id}")];

fn is_unsafe(method: &Method) -> bool {
    *method != Method::GET
}

/// A path with ids that nothing has.
fn filled(path: &str) -> String {
    path.replace("{id}", "01890000-0000-7000-8000-000000000000").replace("{provider}", "anthropic")
}

async fn try_out(persona: &mut Persona, method: &Method, path: &str) -> (StatusCode, Value) {
    let request = persona.request(method.clone(), &filled(path));
    let answer = persona.send(if is_unsafe(method) { request.json(&json!({})) } else { request }).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn nobody_passes_a_closed_route() {
    let app = TestApp::start().await;
    app.owner().await;
    let mut stranger = app.anonymous();
    let mut forger = app.anonymous();
    forger.cookie = Some("guildhall=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned());
    let mut closed = 0;
    for (method, path, operation) in operations() {
        if OPEN.contains(&(method.clone(), path)) {
            assert!(operation.get("security").is_none(), "{path}");
            assert_ne!(try_out(&mut stranger, &method, path).await.1["code"], "not-signed-in", "{method} {path}");
            continue;
        }
        closed += 1;
        assert!(operation["security"][0]["session"].is_array(), "{method} {path} does not say that it is closed");
        for persona in [&mut stranger, &mut forger] {
            let (status, body) = try_out(persona, &method, path).await;
            assert_eq!((status, &body["code"]), (StatusCode::UNAUTHORIZED, &json!("not-signed-in")), "{method} {path}");
        }
    }
    assert!(closed > 40, "{closed}");
}

#[tokio::test]
async fn a_viewer_changes_nothing() {
    let app = TestApp::start().await;
    app.owner().await;
    let mut viewer = app.member(MemberRole::Viewer).await;
    for (method, path, operation) in operations() {
        let asks = operation["x-right"].as_str().unwrap_or("read");
        if OPEN.contains(&(method.clone(), path)) || OWN.contains(&(method.clone(), path)) {
            assert_eq!(asks, "read", "{method} {path}");
            continue;
        }
        assert!(!is_unsafe(&method) || asks != "read", "{method} {path} changes something and asks for no right");
        let (status, body) = try_out(&mut viewer, &method, path).await;
        if asks == "read" {
            assert_ne!(status, StatusCode::FORBIDDEN, "{method} {path}");
        } else {
            assert_eq!((status, &body["code"]), (StatusCode::FORBIDDEN, &json!("missing-right")), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_member_does_not_run_the_team_and_an_admin_does() {
    let app = TestApp::start().await;
    app.owner().await;
    let mut member = app.member(MemberRole::Member).await;
    let mut admin = app.member(MemberRole::Admin).await;
    for (method, path, operation) in operations() {
        if operation["x-right"] == "administer" {
            let (status, body) = try_out(&mut member, &method, path).await;
            assert_eq!((status, &body["code"]), (StatusCode::FORBIDDEN, &json!("missing-right")), "{method} {path}");
            assert_ne!(try_out(&mut admin, &method, path).await.0, StatusCode::FORBIDDEN, "{method} {path}");
        } else if !OPEN.contains(&(method.clone(), path)) && path != "/api/auth/logout" {
            assert_ne!(try_out(&mut member, &method, path).await.0, StatusCode::FORBIDDEN, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn no_other_page_acts_with_a_members_cookie() {
    let app = TestApp::start().await;
    let owner = app.owner().await;
    for origin in [None, Some("https://evil.example"), Some("null"), Some("http://127.0.0.1:1"), Some("")] {
        let mut lured = owner.clone();
        lured.origin = origin.map(str::to_owned);
        for (method, path, _) in operations().filter(|(method, ..)| is_unsafe(method)) {
            let (status, body) = try_out(&mut lured, &method, path).await;
            assert_eq!(
                (status, &body["code"]),
                (StatusCode::FORBIDDEN, &json!("foreign-origin")),
                "{method} {path} from {origin:?}"
            );
        }
    }
}

#[tokio::test]
async fn no_other_page_signs_anyone_in() {
    let app = TestApp::start().await;
    let mut lured = app.anonymous();
    lured.origin = Some("https://evil.example".to_owned());
    for path in ["/api/auth/register", "/api/auth/login"] {
        lured.post(path, json!({})).await.is_problem(StatusCode::FORBIDDEN, "foreign-origin");
    }
    // Nor does one whose name was made to lead here.
    let port = app.url.rsplit(':').next().unwrap();
    let request = lured.request(Method::POST, "/api/auth/login").json(&json!({}));
    let request = request.header("host", format!("evil.example:{port}"));
    lured.origin = Some(format!("http://evil.example:{port}"));
    lured.send(request).await.is_problem(StatusCode::FORBIDDEN, "foreign-origin");
    // A program without a browser has no page and no cookie.
    let mut program = app.anonymous();
    program.origin = None;
    let login = json!({ "email": "a@b", "password": "not the password" });
    program.post("/api/auth/login", login).await.is_problem(StatusCode::UNAUTHORIZED, "wrong-password");
}

#[tokio::test]
async fn a_disabled_session_is_none() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut thief = owner.clone();
    owner.call("/api/auth/logout").await.is(StatusCode::NO_CONTENT);
    assert_eq!(owner.cookie, None);
    thief.get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
}
