//! The MCP endpoint: who is let in, what is offered, both revisions of the protocol; clients that nobody here wrote.

mod clients;
mod deciding;
mod resources;
mod servers;

use guildhall_types::member::MemberRole;
use guildhall_types::rights::Scope;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::connecting::{Program, got};
use crate::harness::TestApp;

const READS: [&str; 15] = [
    "auto_mode_get",
    "feature_diff",
    "feature_get",
    "feature_list",
    "knowledge_get",
    "knowledge_list",
    "knowledge_search",
    "member_me",
    "plan_get",
    "project_list",
    "run_checks",
    "run_events",
    "run_get",
    "run_list",
    "usage_get",
];

/// The names of the tools that a token is offered, sorted.
async fn offered(program: &Program, token: &str) -> Vec<String> {
    let got = program.say(token, "tools/list", json!({})).await;
    let tools = got.is(StatusCode::OK)["result"]["tools"].as_array().unwrap();
    let mut names: Vec<String> = tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect();
    names.sort_unstable();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cards_are_written_built_and_looked_at_by_tools() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let program = Program::at(&app).await;
    let (token, _) = program.connect(&mut owner, &["read", "write", "run"]).await;

    let (me, _) = program.call(&token, "member_me", json!({})).await;
    assert_eq!(me["email"], "olga@example.com");
    let (projects, _) = program.call(&token, "project_list", json!({})).await;
    assert_eq!(projects["items"][0]["id"], project["id"], "{projects}");

    let script = "Build it.\n\n```sim\n{\"say\": \"I write.\", \"tools\": [[\"write\", {\"path\": \"a.txt\", \"content\": \"hello\\n\"}]]}\n{\"say\": \"Done.\"}\n```";
    let new = json!({ "projectId": project["id"], "title": "A file", "description": script, "model": "simulated" });
    let (card, failed) = program.call(&token, "feature_create", new).await;
    assert!(!failed && card["title"] == "A file", "{card}");
    let of = json!({ "featureId": card["id"] });
    let change = json!({ "featureId": card["id"], "title": "Another file", "priority": 1 });
    let (changed, _) = program.call(&token, "feature_update", change).await;
    assert_eq!((&changed["title"], &changed["priority"]), (&json!("Another file"), &json!(1)));
    let (listed, _) =
        program.call(&token, "feature_list", json!({ "projectId": project["id"], "q": "Another", "limit": 5 })).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");

    let mut socket = owner.listen("").await.unwrap();
    let (started, failed) = program.call(&token, "feature_start", of.clone()).await;
    assert!(!failed, "{started}");
    let id = card["id"].clone();
    socket.wait(|frame| frame["feature"]["id"] == id && frame["feature"]["status"] == "waiting_approval").await;
    let (diff, _) = program.call(&token, "feature_diff", of.clone()).await;
    assert_eq!(diff["files"][0]["newPath"], "a.txt", "{diff}");
    let (runs, _) = program.call(&token, "run_list", of.clone()).await;
    let run = json!({ "runId": runs["items"][0]["id"] });
    assert_eq!(program.call(&token, "run_get", run.clone()).await.0["status"], runs["items"][0]["status"]);
    let mut page = run.clone();
    page["limit"] = json!(2);
    let (first, _) = program.call(&token, "run_events", page.clone()).await;
    page["after"] = first["next"].clone();
    let (second, _) = program.call(&token, "run_events", page).await;
    assert!(second["items"][0]["seq"].as_i64() > first["items"][1]["seq"].as_i64(), "{first} {second}");
    let said = json!({ "featureId": card["id"], "message": "```sim\n{\"say\": \"Yes.\"}\n```" });
    assert!(!program.call(&token, "feature_follow_up", said).await.1);
    socket.wait(|frame| frame["event"]["kind"] == "ended").await;
    socket.wait(|frame| frame["feature"]["id"] == id && frame["feature"]["status"] == "waiting_approval").await;
    let (verified, failed) = program.call(&token, "feature_verify", of.clone()).await;
    assert!(!failed, "{verified}");
    if verified["feature"]["status"] != "verified" {
        socket.wait(|frame| frame["feature"]["id"] == id && frame["feature"]["status"] == "verified").await;
    }
    let (merged, failed) = program.call(&token, "feature_merge", of.clone()).await;
    assert!(!failed && merged["feature"]["status"] == "completed", "{merged}");
    // What cannot be done is told in the words of the API.
    let (why, failed) = program.call(&token, "feature_stop", of).await;
    assert!(failed && why.as_str().unwrap().starts_with("not-found: "), "{why}");

    // Everything that was done stands in the audit, with the connection by which it was done.
    let connection = owner.get("/api/auth/clients").await.is(StatusCode::OK)["items"][0]["id"].clone();
    for action in ["feature.create", "feature.change", "run.start", "run.follow-up", "feature.verify", "feature.merge"]
    {
        let page = owner.get(&format!("/api/audit?action={action}")).await.is(StatusCode::OK);
        assert_eq!(page["items"][0]["tokenId"], connection, "{action}: {page}");
        assert!(page["items"][0]["memberId"].is_string());
    }

    // Cards are resources, too.
    let list = program.say(&token, "resources/list", json!({})).await;
    let uri = format!("guildhall://feature/{}", id.as_str().unwrap());
    let resources = list.is(StatusCode::OK)["result"]["resources"].as_array().unwrap().clone();
    assert!(resources.iter().any(|resource| resource["uri"] == uri), "{resources:?}");
    let read = program.say(&token, "resources/read", json!({ "uri": uri })).await;
    let text = read.is(StatusCode::OK)["result"]["contents"][0]["text"].as_str().unwrap().to_owned();
    assert!(text.contains("Another file") && text.contains("Build it."), "{text}");
    let templates = program.say(&token, "resources/templates/list", json!({})).await;
    let templates = templates.is(StatusCode::OK)["result"]["resourceTemplates"].clone();
    assert!(templates.as_array().unwrap().iter().any(|one| one["uriTemplate"] == "guildhall://feature/{id}"));
    let gone = json!({ "uri": "guildhall://feature/01890000-0000-7000-8000-000000000000" });
    assert_eq!(program.say(&token, "resources/read", gone).await.body["error"]["code"], -32002);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_large_change_is_looked_at_file_by_file() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let program = Program::at(&app).await;
    let (token, _) = program.connect(&mut owner, &["read"]).await;
    let command = "for n in a b c; do seq 1 1500 | sed 's/$/ is a line of some length, as lines are/' > $n.txt; done; echo small > d.txt; seq 1 20000 > e.txt";
    let script = format!("{}\n{}", json!({ "tools": [["bash", { "command": command }]] }), json!({ "say": "Done." }));
    let new = json!({ "description": format!("Build.\n\n```sim\n{script}\n```"), "model": "simulated" });
    let path = format!("/api/projects/{}/features", project["id"].as_str().unwrap());
    let card = owner.post(&path, new).await.is(StatusCode::CREATED).clone();
    let mut socket = owner.listen("").await.unwrap();
    let id = card["id"].clone();
    owner.call(&format!("/api/features/{}/start", id.as_str().unwrap())).await.is(StatusCode::ACCEPTED);
    socket.wait(|frame| frame["feature"]["id"] == id && frame["feature"]["status"] == "waiting_approval").await;

    let (whole, failed) = program.call(&token, "feature_diff", json!({ "featureId": id })).await;
    assert!(!failed && whole["truncated"] == true && whole["stat"]["files"] == 5, "{whole}");
    assert!(whole["note"].as_str().unwrap().contains("`path`"), "{}", whole["note"]);
    let files = whole["files"].as_array().unwrap();
    assert!(files.len() == 5 && files.iter().all(|file| file["hunks"] == json!([])), "{whole}");
    let of = |path: &str| json!({ "featureId": id, "path": path });
    let (one, _) = program.call(&token, "feature_diff", of("b.txt")).await;
    assert_eq!((&one["truncated"], &one["note"], &one["stat"]["files"]), (&json!(false), &Value::Null, &json!(1)));
    assert_eq!(one["files"][0]["hunks"][0]["lines"].as_array().unwrap().len(), 1_500);
    // What is too long even so is cut, and says so.
    let (long, failed) = program.call(&token, "feature_diff", of("e.txt")).await;
    let lines = long["files"][0]["hunks"][0]["lines"].as_array().unwrap().len();
    assert!(!failed && (1_000..5_000).contains(&lines), "{lines}");
    assert!(long["note"].as_str().unwrap().contains(&format!("only its first {lines} lines")), "{}", long["note"]);
    let (why, failed) = program.call(&token, "feature_diff", of("nowhere.txt")).await;
    assert!(failed && why.as_str().unwrap().starts_with("not-found: "), "{why}");
    // To the page all of it is given at once.
    let page = owner.get(&format!("/api/features/{}/diff", id.as_str().unwrap())).await.is(StatusCode::OK);
    assert_eq!(page["files"][0]["hunks"][0]["lines"].as_array().unwrap().len(), 1_500);
    assert_eq!(page["note"], Value::Null);
    let few = owner.get(&format!("/api/features/{}/diff?bytes=9", id.as_str().unwrap())).await;
    few.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
}

#[tokio::test]
async fn the_hub_is_written_in_and_given_out_as_prompts() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let program = Program::at(&app).await;
    let (token, _) = program.connect(&mut owner, &["read", "knowledge"]).await;
    let (reads, _) = owner.token(&[Scope::Read]).await;

    // A blueprint that is active is a prompt; with a task it is its text, and the task.
    let item = json!({ "name": "Test first", "description": "How we test.", "content": "Write the test before the code.", "status": "active" });
    let (made, failed) =
        program.call(&token, "knowledge_create", json!({ "kind": "blueprint", "item": item.clone() })).await;
    assert!(!failed && made["origin"] == "token" && made["createdBy"] == json!(owner.id().await), "{made}");
    let listed = program.say(&token, "prompts/list", json!({})).await;
    let prompt = listed.is(StatusCode::OK)["result"]["prompts"][0].clone();
    assert_eq!((&prompt["title"], &prompt["arguments"][0]["name"]), (&json!("Test first"), &json!("task")));
    let asked = json!({ "name": prompt["name"], "arguments": { "task": "Build the door." } });
    let got = program.say(&token, "prompts/get", asked.clone()).await;
    let message = got.is(StatusCode::OK)["result"]["messages"][0].clone();
    let text = message["content"]["text"].as_str().unwrap();
    assert!(
        message["role"] == "user" && text.contains("Write the test before") && text.ends_with("Build the door."),
        "{text}"
    );

    // A change names the version that was looked at, and a draft is no prompt any more.
    let mut change = item;
    change["status"] = json!("draft");
    change["version"] = json!(1);
    let update = |item: &Value| json!({ "kind": "blueprint", "itemId": made["id"], "item": item });
    let (changed, failed) = program.call(&token, "knowledge_update", update(&change)).await;
    assert!(!failed && changed["version"] == 2, "{changed}");
    let (why, failed) = program.call(&token, "knowledge_update", update(&change)).await;
    assert!(failed && why.as_str().unwrap().starts_with("item-changed"), "{why}");
    assert_eq!(program.say(&token, "prompts/get", asked).await.body["error"]["code"], -32602);

    // What a program records is proposed, and said once; what came of it is counted.
    let learning = json!({ "title": "Sockets drop", "content": "Connect again, with since.", "type": "bug-fix" });
    let (recorded, failed) = program.call(&token, "learning_record", learning.clone()).await;
    assert!(!failed && recorded["review"] == "proposed", "{recorded}");
    let (why, failed) = program.call(&token, "learning_record", learning.clone()).await;
    let id = recorded["id"].as_str().unwrap();
    assert!(
        failed && why.as_str().unwrap().starts_with("near-duplicate") && why.as_str().unwrap().contains(id),
        "{why}"
    );
    let told = json!({ "learningId": id, "outcome": "helped", "note": "At once." });
    let (applied, failed) = program.call(&token, "learning_apply", told.clone()).await;
    assert!(
        !failed && applied["learning"]["successCount"] == 1 && applied["learning"]["review"] == "proposed",
        "{applied}"
    );
    let secret = format!("ghp_{}", "q2m8d1rTHqT5kdrY2HmuCkuYv205dC8TvvT8");
    let body = json!({ "title": "Clone", "content": format!("Use {secret} for it."), "type": "bug-fix" });
    let (why, failed) = program.call(&token, "learning_record", body).await;
    assert!(
        failed && why.as_str().unwrap().starts_with("looks-like-secret") && !why.to_string().contains(&secret),
        "{why}"
    );
    // A search is read on where its page ended.
    let (first, _) = program.call(&token, "knowledge_search", json!({ "limit": 1 })).await;
    let (second, _) = program.call(&token, "knowledge_search", json!({ "limit": 1, "after": first["next"] })).await;
    assert!(
        first["items"][0]["id"] == id && second["items"][0]["id"] == made["id"] && second["next"].is_null(),
        "{second}"
    );

    // Nothing verifies here, and who may only read writes nothing.
    assert!(offered(&program, &token).await.iter().all(|name| !name.contains("verify")));
    for (name, arguments) in [
        ("knowledge_create", json!({ "kind": "entry", "item": { "title": "x", "content": "y" } })),
        ("learning_record", learning),
        ("learning_apply", told),
    ] {
        let (why, failed) = program.call(&reads, name, arguments).await;
        assert!(failed && why.as_str().unwrap().starts_with("missing-"), "{name}: {why}");
    }
    // The route is not the endpoint's: what a client connects with opens MCP alone.
    let mut outside = app.program(&token);
    outside.post(&format!("/api/knowledge/learnings/{id}/verify"), json!({})).await.is(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_is_offered_what_it_may_and_refused_the_rest() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut viewer = app.member(MemberRole::Viewer).await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let program = Program::at(&app).await;
    let (reads, _) = program.connect(&mut owner, &["read"]).await;
    let (writes, _) = owner.token(&[Scope::Write]).await;
    let (runs, _) = owner.token(&[Scope::Run, Scope::Admin]).await;
    let (git, _) = owner.token(&[Scope::Git]).await;
    let (watches, _) = viewer.token(&[Scope::Read]).await;
    assert_eq!(offered(&program, &reads).await, READS);
    assert_eq!(offered(&program, &watches).await, READS);
    assert_eq!(offered(&program, &writes).await, ["feature_create", "feature_update"]);
    let deeds = [
        "feature_follow_up",
        "feature_merge",
        "feature_retry",
        "feature_shelve",
        "feature_start",
        "feature_stop",
        "feature_verify",
        "plan_approve",
        "plan_reject",
    ];
    assert_eq!(offered(&program, &runs).await, deeds);
    assert!(offered(&program, &git).await.is_empty());

    let new = json!({ "projectId": project["id"], "description": "Build." });
    for token in [&reads, &watches, &runs, &git] {
        let (why, failed) = program.call(token, "feature_create", new.clone()).await;
        assert!(failed && why.as_str().unwrap().starts_with("missing-"), "{why}");
    }
    let refused = owner.get("/api/audit?action=access.refuse").await.is(StatusCode::OK);
    assert_eq!(refused["items"][0]["objectId"], "POST /api/projects/{id}/features", "{refused}");
    assert!(refused["items"][0]["tokenId"].is_string(), "{refused}");
    let (card, failed) = program.call(&writes, "feature_create", new).await;
    assert!(!failed, "{card}");
    let read = json!({ "uri": format!("guildhall://feature/{}", card["id"].as_str().unwrap()) });
    assert!(program.say(&writes, "resources/read", read.clone()).await.body["error"]["code"].is_i64());
    assert!(program.say(&reads, "resources/read", read).await.body["result"].is_object());

    // What is no tool, and what no tool takes.
    for (name, arguments, word) in [
        ("feature_create", json!({ "description": "x" }), "projectId"),
        ("feature_create", json!({ "projectId": "../../x", "description": "x" }), "id"),
        ("feature_create", json!({ "projectId": project["id"], "description": "x", "more": 1 }), "more"),
        ("feature_create", json!({ "projectId": project["id"], "description": 1 }), "description"),
    ] {
        let (why, failed) = program.call(&writes, name, arguments).await;
        assert!(failed && why.as_str().unwrap().contains(word), "{why}");
    }
    let many = json!({ "projectId": project["id"], "limit": 100_000 });
    let (why, failed) = program.call(&reads, "feature_list", many).await;
    assert!(failed && why.as_str().unwrap().contains("limit"), "{why}");
    for name in ["nothing", "token_create", "../api/auth/tokens"] {
        let got = program.say(&writes, "tools/call", json!({ "name": name, "arguments": {} })).await;
        assert_eq!(got.body["error"]["code"], -32602, "{}", got.body);
    }
    // A right that is taken away is taken away here, at the next request.
    let id = viewer.id().await;
    owner.patch(&format!("/api/members/{id}"), json!({ "disabled": true })).await.is(StatusCode::OK);
    assert_eq!(program.say(&watches, "tools/list", json!({})).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn only_who_shows_a_token_in_its_header_comes_in() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let (token, _) = owner.token(&[Scope::Read]).await;
    let program = Program::at(&app).await;
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });

    let challenge = format!("resource_metadata=\"{}/.well-known/oauth-protected-resource/mcp\"", app.url);
    for method in [Method::POST, Method::GET, Method::DELETE, Method::PUT] {
        let request = program.http.request(method.clone(), format!("{}/mcp", app.url)).json(&list);
        let refused = got(request.try_clone().unwrap()).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{method}");
        assert!(refused.header("www-authenticate").contains(&challenge), "{method}: {refused:?}");
        // A session is for the page.
        let by_cookie = request.header("cookie", owner.cookie.clone().unwrap()).header("origin", &app.url);
        assert_eq!(got(by_cookie).await.status, StatusCode::UNAUTHORIZED, "{method}");
    }
    for wrong in ["guild_x", "guildmcp_x", "guildmcr_x", "x"] {
        let refused = got(program.mcp(wrong).json(&list)).await;
        assert_eq!((refused.status, &refused.body["code"]), (StatusCode::UNAUTHORIZED, &json!("bad-token")));
        let header = refused.header("www-authenticate");
        assert!(header.contains("invalid_token") && header.contains(&challenge), "{header}");
    }
    let query = program.http.post(format!("{}/mcp?access_token={token}&token={token}", app.url)).json(&list);
    assert_eq!(got(query).await.status, StatusCode::UNAUTHORIZED);
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1", ""] {
        for method in [Method::POST, Method::GET] {
            let request = program.http.request(method, format!("{}/mcp", app.url)).bearer_auth(&token).json(&list);
            let refused = got(request.header("origin", origin)).await;
            assert_eq!((refused.status, &refused.body["code"]), (StatusCode::FORBIDDEN, &json!("foreign-origin")));
        }
    }
    got(program.mcp(&token).header("origin", &app.url).json(&list)).await.is(StatusCode::OK);
    // There is no stream to open and no session to end.
    for method in [Method::GET, Method::DELETE] {
        let request = program.http.request(method, format!("{}/mcp", app.url)).bearer_auth(&token);
        let request = request.header("accept", "text/event-stream");
        assert_eq!(got(request).await.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    let large = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "x": "x".repeat(3_000_000) } });
    assert_eq!(got(program.mcp(&token).json(&large)).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    for garbage in ["", "{", "[]", "null", "{\"jsonrpc\": \"2.0\"}"] {
        let request = program.mcp(&token).header("content-type", "application/json").body(garbage);
        assert!(got(request).await.status.is_client_error(), "{garbage}");
    }
    got(program.mcp(&token).json(&list)).await.is(StatusCode::OK);
}

/// A request of the latest revision: what the body says of it, and what the headers do.
fn latest(program: &Program, token: &str, method: &str, mut params: Value) -> reqwest::RequestBuilder {
    let name = params["name"].as_str().or(params["uri"].as_str()).map(str::to_owned);
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "tests", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let request =
        program.mcp(token).json(&body).header("mcp-protocol-version", "2026-07-28").header("mcp-method", method);
    match name {
        Some(name) => request.header("mcp-name", name),
        None => request,
    }
}

#[tokio::test]
async fn both_revisions_are_spoken() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let (token, _) = owner.token(&[Scope::Read]).await;
    let program = Program::at(&app).await;

    // The handshake, of the revision before the latest.
    let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "tests", "version": "1" } });
    let got_hello = program.say(&token, "initialize", hello).await;
    let result = &got_hello.is(StatusCode::OK)["result"];
    assert_eq!(
        (&result["protocolVersion"], &result["serverInfo"]["name"]),
        (&json!("2025-11-25"), &json!("guildhall"))
    );
    assert!(result["capabilities"]["tools"].is_object() && result["instructions"].is_string(), "{result}");
    assert_eq!(got_hello.header("mcp-session-id"), "", "nothing is kept between requests");
    let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(got(program.mcp(&token).json(&ready)).await.status, StatusCode::ACCEPTED);
    program.say(&token, "ping", json!({})).await.is(StatusCode::OK);

    // The latest: each request says all that is needed.
    let found = got(latest(&program, &token, "server/discover", json!({}))).await;
    let result = &found.is(StatusCode::OK)["result"];
    for version in ["2025-11-25", "2026-07-28"] {
        assert!(result["supportedVersions"].as_array().unwrap().contains(&json!(version)), "{result}");
    }
    assert_eq!(result["resultType"], "complete", "{result}");
    assert_eq!(result["cacheScope"], "private", "{result}");
    for method in ["tools/list", "resources/list", "resources/templates/list", "prompts/list"] {
        let listed = got(latest(&program, &token, method, json!({}))).await;
        let result = &listed.is(StatusCode::OK)["result"];
        assert_eq!((&result["resultType"], &result["cacheScope"]), (&json!("complete"), &json!("private")), "{method}");
        assert!(result["ttlMs"].is_i64(), "{method}: {result}");
    }
    let called = got(latest(&program, &token, "tools/call", json!({ "name": "member_me", "arguments": {} }))).await;
    let result = &called.is(StatusCode::OK)["result"];
    assert_eq!((&result["resultType"], &result["structuredContent"]["name"]), (&json!("complete"), &json!("Olga")));

    // Header and body must agree.
    let call = || latest(&program, &token, "tools/call", json!({ "name": "member_me", "arguments": {} }));
    let odd = |name: &str, value: &str| {
        let mut request = call().build().unwrap();
        request.headers_mut().insert(reqwest::header::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        request
    };
    for (name, value) in
        [("mcp-method", "tools/list"), ("mcp-name", "feature_get"), ("mcp-protocol-version", "2025-11-25")]
    {
        let response = program.http.execute(odd(name, value)).await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{name}");
        let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        assert_eq!(body["error"]["code"], -32020, "{name}: {body}");
    }
    let mut bare = call().build().unwrap();
    bare.headers_mut().remove("mcp-method");
    assert_eq!(program.http.execute(bare).await.unwrap().status(), StatusCode::BAD_REQUEST);
    let unknown = got(latest(&program, &token, "nothing/at-all", json!({}))).await;
    assert_eq!((unknown.status, &unknown.body["error"]["code"]), (StatusCode::NOT_FOUND, &json!(-32601)));
    let mut future = call().build().unwrap();
    let body = String::from_utf8(future.body().unwrap().as_bytes().unwrap().to_vec()).unwrap();
    *future.body_mut() = Some(body.replace("2026-07-28", "2099-01-01").into());
    future.headers_mut().insert("mcp-protocol-version", "2099-01-01".parse().unwrap());
    let response = program.http.execute(future).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(body["error"]["code"], -32022, "{body}");
}
