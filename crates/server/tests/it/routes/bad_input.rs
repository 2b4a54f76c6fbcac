//! Whatever comes in wrong is answered by a problem, on every route.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::TestApp;
use crate::schema::operations;

#[tokio::test]
async fn what_is_no_id_is_refused_on_every_route() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    for (method, path, _) in operations().filter(|(_, path, _)| path.contains("{id}")) {
        for id in ["1", "..%2F..%2Fetc", "%00", "01890000-0000-7000-8000-00000000000g", "%27%20OR%201=1"] {
            let request = owner.request(method.clone(), &path.replace("{id}", id)).json(&json!({}));
            owner.send(request).await.is_problem(StatusCode::BAD_REQUEST, "bad-path");
        }
        let request = owner.request(method.clone(), &path.replace("{id}", "%ff")).json(&json!({}));
        owner.send(request).await.is_problem(StatusCode::BAD_REQUEST, "bad-path");
    }
}

#[tokio::test]
async fn what_is_unknown_in_a_query_is_refused_on_every_route_that_takes_one() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut seen = 0;
    // What another program asks for may say more than is known here: the standard wants that to be passed over.
    for (method, path, operation) in operations().filter(|(_, path, _)| *path != "/api/oauth/consent") {
        let parameters = operation["parameters"].as_array();
        if parameters.is_some_and(|all| all.iter().any(|parameter| parameter["in"] == "query")) {
            seen += 1;
            let path = path.replace("{id}", "01890000-0000-7000-8000-000000000000");
            let path = path.replace("{kind}", "entries").replace("{version}", "1").replace("{number}", "1");
            let request = owner.request(method, &format!("{path}?limti=3&path=x"));
            let problem = owner.send(request).await.is_problem(StatusCode::BAD_REQUEST, "bad-query");
            assert!(!problem["errors"][0]["field"].as_str().unwrap().is_empty(), "{problem}");
        }
    }
    assert!(seen >= 7, "{seen}");
    for limit in ["0", "501", "-1"] {
        let path = format!("/api/members?limit={limit}");
        owner.get(&path).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }
    owner.get("/api/members?limit=many").await.is_problem(StatusCode::BAD_REQUEST, "bad-query");
}

#[tokio::test]
async fn bodies_that_cannot_be_used_are_refused_on_every_route_that_takes_one() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut seen = 0;
    for (method, path, operation) in operations() {
        if operation["requestBody"]["content"]["application/json"].is_null() {
            continue;
        }
        seen += 1;
        let path = path.replace("{id}", "01890000-0000-7000-8000-000000000000").replace("{provider}", "anthropic");
        let path = path.replace("{kind}", "entries").replace("{number}", "1");
        // Files come with what is said in a chat.
        let large = match operation["operationId"].as_str() {
            Some("start_chat" | "say_in_chat") => 17 << 20,
            _ => 3 << 20,
        };
        let send =
            |kind: &str, body: Vec<u8>| owner.request(method.clone(), &path).header("content-type", kind).body(body);
        let requests = [
            (send("application/json", b"{".to_vec()), StatusCode::BAD_REQUEST, "bad-json"),
            (send("application/json", b"{\"\xff\": 1}".to_vec()), StatusCode::BAD_REQUEST, "bad-json"),
            (send("application/json", b"[1]".to_vec()), StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            (send("application/json", b"{\"extraField\": 1}".to_vec()), StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            (send("application/json", vec![b' '; large]), StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
            (send("text/plain", b"{}".to_vec()), StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json"),
        ];
        for (request, status, code) in requests {
            owner.send(request).await.is_problem(status, code);
        }
    }
    assert!(seen >= 10, "{seen}");
}

#[tokio::test]
async fn an_unknown_field_is_named() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let problem = owner.patch("/api/auth/me", json!({ "nmae": "x" })).await;
    let problem = problem.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(problem["errors"][0]["field"], "nmae", "{problem}");
    assert!(problem["errors"][0]["message"].as_str().unwrap().contains("expected one of `name`"), "{problem}");
}

#[tokio::test]
async fn things_that_are_not_there_are_not_found_on_every_route() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    for (method, path, operation) in operations().filter(|(_, path, _)| path.contains("{id}")) {
        let path = path.replace("{id}", "01890000-0000-7000-8000-000000000000");
        let path = path
            .replace("{kind}", "entries")
            .replace("{version}", "1")
            .replace("{number}", "1")
            .replace("{step}", "ask");
        let path = path.replace("secrets/{name}", "secrets/A_NAME").replace("{name}", "a-name");
        let body = match operation["operationId"].as_str().unwrap() {
            "create_feature" => json!({ "description": "x" }),
            "send_again" | "send_team_again" => json!({ "deliveryId": "01890000-0000-7000-8000-000000000000" }),
            "rename_passkey" => json!({ "name": "x" }),
            "put_remote" => json!({ "url": "https://a.example/team/r.git" }),
            "enhance_text" => json!({ "kind": "improve", "description": "x" }),
            "allow_host" => json!({ "host": "a.example" }),
            "create_mcp_server" => json!({ "name": "x", "transport": { "kind": "stdio", "command": "x" } }),
            "approve_mcp_tools" => json!({ "tools": [{ "name": "x", "hash": "x" }] }),
            "choose_mcp_tools" => json!({ "tools": [{ "name": "x", "enabled": true }] }),
            "put_project_secret" => json!({ "value": "long enough to be one" }),
            "start_service" => json!({ "name": "x", "command": "x" }),
            // What does not ask for a WebSocket is told so first.
            "open_terminal" => continue,
            "dismiss_host" => json!({ "host": "a.example", "port": 443 }),
            "follow_up" | "say_in_chat" => json!({ "message": "x" }),
            "start_chat" => json!({ "message": "x", "mode": "read" }),
            "rename_chat" => json!({ "title": "x" }),
            "run_agent" => {
                json!({ "projectId": "01890000-0000-7000-8000-000000000000", "prompt": "x", "mode": "read" })
            }
            "update_blueprint" => json!({ "name": "x", "content": "x", "version": 1 }),
            "update_entry" | "update_learning" => json!({ "title": "x", "content": "x", "version": 1 }),
            "reject_learning" | "roll_back_knowledge" => json!({ "reason": "x" }),
            "apply_learning" => json!({ "outcome": "helped" }),
            "promote_knowledge" => json!({ "kind": "entry", "title": "x", "content": "x" }),
            "change_system" => json!({ "version": 1, "status": "draft", "definition": { "name": "x" } }),
            "run_system" => json!({ "projectId": "01890000-0000-7000-8000-000000000000" }),
            "review_step" => json!({ "approved": true }),
            "set_auto_mode" => json!({ "action": "start" }),
            "allow_cost" => json!({ "micros": 1_000_000 }),
            "give_budget" => json!({ "monthMicros": 1 }),
            "approve_plan" => json!({ "version": 1 }),
            "reject_plan" => json!({ "version": 1, "feedback": "x" }),
            "add_attachment" => {
                owner.upload(&path, "x", b"x").await.is_problem(StatusCode::NOT_FOUND, "not-found");
                continue;
            }
            _ => json!({}),
        };
        let query = if path.ends_with("/files") { "?path=x" } else { "" };
        let request = owner.request(method.clone(), &format!("{path}{query}"));
        let request = if method == Method::GET { request } else { request.json(&body) };
        owner.send(request).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    }
}
