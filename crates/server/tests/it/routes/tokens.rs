use guildhall_types::member::MemberRole;
use guildhall_types::rights::Scope;
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::TestApp;

#[tokio::test]
async fn a_token_is_shown_once_used_and_revoked() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let body = json!({ "name": " nightly ", "scopes": ["write", "read", "read"] });
    let made = owner.post("/api/auth/tokens", body).await.is(StatusCode::CREATED);
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("guild_") && token.len() == 49, "{token}");
    assert_eq!((&made["name"], &made["scopes"]), (&json!("nightly"), &json!(["read", "write"])));
    assert!(made["lastUsedAt"].is_null());
    let list = owner.get("/api/auth/tokens").await.is(StatusCode::OK);
    assert!(list["items"][0]["id"] == made["id"] && !list.to_string().contains(token), "{list}");

    let mut program = app.program(token);
    assert_eq!(program.get("/api/auth/me").await.is(StatusCode::OK)["email"], "olga@example.com");
    let project = json!({ "name": "Demo", "source": { "kind": "empty" } });
    program.post("/api/projects", project).await.is(StatusCode::CREATED);
    assert!(owner.get("/api/auth/tokens").await.is(StatusCode::OK)["items"][0]["lastUsedAt"].is_string());
    let path = format!("/api/auth/tokens/{}", made["id"].as_str().unwrap());
    let mut other = app.member(MemberRole::Admin).await;
    other.delete(&path).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    assert_eq!(other.get("/api/auth/tokens").await.is(StatusCode::OK)["items"], json!([]));
    owner.delete(&path).await.is(StatusCode::NO_CONTENT);
    let answer = program.get("/api/auth/me").await;
    answer.is_problem(StatusCode::UNAUTHORIZED, "bad-token");
    assert!(answer.header("www-authenticate").contains("invalid_token"));
    let on_disk = std::fs::read(app.dir.path().join("guildhall.db")).unwrap();
    assert!(!on_disk.windows(token.len()).any(|bytes| bytes == token.as_bytes()));
}

#[tokio::test]
async fn what_cannot_be_a_token_is_refused_with_the_field() {
    let app = TestApp::start().await;
    app.owner().await;
    let mut viewer = app.member(MemberRole::Viewer).await;
    for (field, body) in [
        ("name", json!({ "name": " ", "scopes": ["read"] })),
        ("scopes", json!({ "name": "t", "scopes": [] })),
        ("scopes", json!({ "name": "t", "scopes": ["write"] })),
        ("expiresAt", json!({ "name": "t", "scopes": ["read"], "expiresAt": "2020-01-01T00:00:00Z" })),
        ("expiresAt", json!({ "name": "t", "scopes": ["read"], "expiresAt": "2200-01-01T00:00:00Z" })),
    ] {
        let problem = viewer.post("/api/auth/tokens", body).await;
        let problem = problem.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    for _ in 0..50 {
        viewer.token(&[Scope::Read]).await;
    }
    let one_more = viewer.post("/api/auth/tokens", json!({ "name": "t", "scopes": ["read"] })).await;
    one_more.is_problem(StatusCode::CONFLICT, "too-many-tokens");
}

#[tokio::test]
async fn a_program_listens_without_a_page_until_its_token_ends() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let (token, id) = owner.token(&[Scope::Read]).await;
    let program = app.program(&token);
    let mut socket = program.listen("").await.unwrap();
    assert_eq!(socket.next().await.unwrap()["type"], "hello");
    owner.delete(&format!("/api/auth/tokens/{id}")).await.is(StatusCode::NO_CONTENT);
    assert_eq!(socket.next().await, Err(4401));
    let (writer, _) = owner.token(&[Scope::Write]).await;
    assert_eq!(app.program(&writer).listen("").await.err(), Some(StatusCode::FORBIDDEN));
}
