//! MCP servers over the API: who may, what is never told, and where none leads.

use guildhall_server::config::Config;
use guildhall_types::member::MemberRole;
use guildhall_types::rights::Scope;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{TestApp, Wish};

const SECRET: &str = "a-secret-of-the-server";

fn http(url: &str) -> Value {
    json!({ "name": "docs", "transport": { "kind": "http", "url": url },
        "values": [{ "name": "Authorization", "value": SECRET }, { "name": "X-Team", "value": "guild", "secret": false }] })
}

#[tokio::test]
async fn a_servers_secrets_come_in_and_go_nowhere_else() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let project = olga.project("p", json!({ "kind": "empty" })).await["id"].as_str().unwrap().to_owned();
    let list = format!("/api/projects/{project}/mcp-servers");
    let mut ben = app.member(MemberRole::Member).await;
    let mut vera = app.member(MemberRole::Viewer).await;
    vera.post(&list, http("https://example.com/mcp")).await.is_problem(StatusCode::FORBIDDEN, "missing-right");
    let made = ben.post(&list, http("https://example.com/mcp")).await;
    let path = format!("/api/mcp-servers/{}", made.is(StatusCode::CREATED)["id"].as_str().unwrap());
    ben.post(&list, http("https://example.com/mcp")).await.is_problem(StatusCode::CONFLICT, "taken");
    let listed = vera.get(&list).await;
    let line = &listed.is(StatusCode::OK)["items"][0];
    assert!(line["name"] == "docs" && line["values"].is_null() && line["tools"] == json!([]), "{line}");
    let seen = vera.get(&path).await;
    assert_eq!(
        seen.is(StatusCode::OK)["values"],
        json!([
            { "name": "Authorization", "secret": true, "value": null },
            { "name": "X-Team", "secret": false, "value": "guild" },
        ])
    );
    // Whoever moves it does not take the secret along.
    let away = json!({ "transport": { "kind": "http", "url": "https://elsewhere.example/mcp" } });
    let refused = ben.patch(&path, away).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused["detail"].as_str().unwrap().contains("anew"), "{refused}");
    let named = json!({ "name": "more", "timeoutSeconds": 5, "values": [{ "name": "Authorization" }] });
    let changed = ben.patch(&path, named).await.is(StatusCode::OK);
    assert_eq!((&changed["name"], changed["values"].as_array().unwrap().len()), (&json!("more"), 1));
    for (bad, field) in [
        (json!({ "name": "A b" }), "name"),
        (json!({ "timeoutSeconds": 0 }), "timeoutSeconds"),
        (json!({ "transport": { "kind": "http", "url": "ftp://example.com" } }), "transport.url"),
        (json!({ "transport": { "kind": "http", "url": "https://u:pw@example.com" } }), "transport.url"),
        (json!({ "transport": { "kind": "stdio", "command": " " } }), "transport.command"),
        (json!({ "values": [{ "name": "Host", "value": "abcdefgh" }] }), "values"),
        (json!({ "values": [{ "name": "X", "value": "short" }] }), "values"),
    ] {
        let refused = ben.patch(&path, bad.clone()).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused["errors"][0]["field"], field, "{bad}: {refused}");
    }
    let open = json!({ "values": [{ "name": "API_TOKEN", "value": "Zx81kQp22LmWv93TyRs7", "secret": false }] });
    ben.patch(&path, open).await.is(StatusCode::UNPROCESSABLE_ENTITY);

    // What was not seen is not approved.
    let nothing = json!({ "tools": [{ "name": "add", "hash": "x" }] });
    ben.post(&format!("{path}/approve-tools"), nothing).await.is_problem(StatusCode::CONFLICT, "tool-changed");
    ben.post(&format!("{path}/choose-tools"), json!({ "tools": [] })).await.is(StatusCode::UNPROCESSABLE_ENTITY);

    ben.delete(&path).await.is(StatusCode::NO_CONTENT);
    ben.delete(&path).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    ben.get(&path).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    assert_eq!(ben.get("/api/mcp-servers").await.is(StatusCode::OK)["items"], json!([]));
    let audit = olga.get("/api/audit?object=mcp-server").await;
    let entries = audit.is(StatusCode::OK)["items"].as_array().unwrap().clone();
    let actions: Vec<&Value> = entries.iter().map(|one| &one["action"]).collect();
    assert_eq!(actions, ["mcp-server.delete", "mcp-server.change", "mcp-server.create"]);
    for answer in [made, listed, seen, audit] {
        assert!(!answer.text().contains(SECRET), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_server_that_moves_is_trusted_no_more_until_somebody_says_so() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let project = olga.project("p", json!({ "kind": "empty" })).await["id"].as_str().unwrap().to_owned();
    let bare = |url: &str| json!({ "kind": "http", "url": url });
    let new = json!({ "name": "docs", "transport": bare("https://example.com/mcp") });
    let made = olga.post(&format!("/api/projects/{project}/mcp-servers"), new).await.is(StatusCode::CREATED);
    let path = format!("/api/mcp-servers/{}", made["id"].as_str().unwrap());
    let mut trusted = async |change: Value| olga.patch(&path, change).await.is(StatusCode::OK)["trusted"].clone();
    assert_eq!(trusted(json!({ "trusted": true })).await, true);
    // Where it stays, whatever else is changed.
    assert_eq!(trusted(json!({ "name": "more", "transport": bare("https://example.com/mcp") })).await, true);
    assert_eq!(trusted(json!({ "values": [{ "name": "X-Team", "value": "guild", "secret": false }] })).await, true);
    assert_eq!(trusted(json!({ "transport": bare("https://elsewhere.example/mcp") })).await, false);
    assert_eq!(trusted(json!({ "transport": bare("https://third.example/mcp"), "trusted": true })).await, true);
    assert_eq!(trusted(json!({ "transport": { "kind": "stdio", "command": "node x" }, "values": [] })).await, false);
    let audit = olga.get("/api/audit?action=mcp-server.change").await.is(StatusCode::OK);
    assert_eq!(audit["items"][0]["detail"]["trusted"], "false", "{audit}");
}

#[tokio::test]
async fn servers_of_all_projects_come_a_page_at_a_time() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let mut names = Vec::new();
    for project in ["one", "two"] {
        let project = olga.project(project, json!({ "kind": "empty" })).await["id"].as_str().unwrap().to_owned();
        let list = format!("/api/projects/{project}/mcp-servers");
        for name in ["zoo", "docs"] {
            let new = json!({ "name": name, "transport": { "kind": "http", "url": "https://example.com/mcp" } });
            olga.post(&list, new).await.is(StatusCode::CREATED);
            names.push(json!(name));
        }
        let own = olga.get(&list).await.is(StatusCode::OK);
        assert_eq!((&own["items"][0]["name"], &own["items"][1]["name"]), (&json!("docs"), &json!("zoo")), "by name");
    }
    let (mut found, mut next) = (Vec::new(), String::new());
    loop {
        let page = olga.get(&format!("/api/mcp-servers?limit=3{next}")).await.is(StatusCode::OK);
        found.extend(page["items"].as_array().unwrap().iter().map(|server| server["name"].clone()));
        let Some(after) = page["next"].as_str() else { break };
        next = format!("&after={after}");
    }
    assert_eq!(found, names);
    for limit in [0, 101] {
        let refused = olga.get(&format!("/api/mcp-servers?limit={limit}")).await;
        refused.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }
}

#[tokio::test]
async fn no_server_leads_into_the_house_without_the_operators_leave() {
    let change = Box::new(|config: &mut Config| config.allow_private_providers = false);
    let app = TestApp::with(Wish { change, ..Wish::default() }).await;
    let mut olga = app.owner().await;
    let project = olga.project("p", json!({ "kind": "empty" })).await["id"].as_str().unwrap().to_owned();
    let list = format!("/api/projects/{project}/mcp-servers");
    for address in ["169.254.169.254", "127.0.0.1", "[::ffff:10.0.0.1]", "2852039166"] {
        let refused =
            olga.post(&list, http(&format!("http://{address}/mcp"))).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused["errors"][0]["field"], "transport.url", "{refused}");
    }
    // A name is judged by what it leads to, when it is called.
    let port = app.url.rsplit(':').next().unwrap();
    let made = olga.post(&list, http(&format!("http://localhost:{port}/mcp"))).await.is(StatusCode::CREATED);
    let tried = olga.call(&format!("/api/mcp-servers/{}/test", made["id"].as_str().unwrap())).await.is(StatusCode::OK);
    let problem = tried["test"]["problem"].as_str().unwrap();
    assert!(problem.contains("GUILDHALL_ALLOW_PRIVATE_PROVIDERS"), "{problem}");
}

#[tokio::test]
async fn what_is_the_whole_teams_everybody_sees_and_admins_change() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let project = olga.project("p", json!({ "kind": "empty" })).await["id"].as_str().unwrap().to_owned();
    let mut ben = app.member(MemberRole::Member).await;
    let mut vera = app.member(MemberRole::Viewer).await;
    let all = "/api/mcp-servers";
    let (forbidden, missing) = (StatusCode::FORBIDDEN, "missing-right");
    ben.post(all, http("https://example.com/mcp")).await.is_problem(forbidden, missing);
    let made = olga.post(all, http("https://example.com/mcp")).await.is(StatusCode::CREATED);
    assert_eq!(made["projectId"], Value::Null, "{made}");
    olga.post(all, http("https://example.com/mcp")).await.is_problem(StatusCode::CONFLICT, "taken");
    // A project may have its own of that name, and lists it alone.
    let own = format!("/api/projects/{project}/mcp-servers");
    let of_project = ben.post(&own, http("https://example.com/mcp")).await.is(StatusCode::CREATED);
    let ids = |list: &Value| -> Vec<Value> {
        list["items"].as_array().unwrap().iter().map(|server| server["id"].clone()).collect()
    };
    assert_eq!(ids(&vera.get(&own).await.is(StatusCode::OK)), [of_project["id"].clone()]);
    assert_eq!(ids(&vera.get("/api/mcp-servers?team=true").await.is(StatusCode::OK)), [made["id"].clone()]);
    assert_eq!(ids(&vera.get(all).await.is(StatusCode::OK)), [made["id"].clone(), of_project["id"].clone()]);

    let path = format!("{all}/{}", made["id"].as_str().unwrap());
    let seen = vera.get(&path).await;
    assert_eq!(seen.is(StatusCode::OK)["values"][0], json!({ "name": "Authorization", "secret": true, "value": null }));
    assert!(!seen.text().contains(SECRET));
    // Who manages projects does not manage this, nor does a token of an admin that does not say so.
    let (token, _) = olga.token(&[Scope::Read, Scope::Write]).await;
    let mut narrow = app.program(&token);
    let tools = json!({ "tools": [{ "name": "add", "hash": "x" }] });
    let chosen = json!({ "tools": [{ "name": "add", "enabled": false }] });
    for who in [&mut ben, &mut narrow] {
        who.patch(&path, json!({ "enabled": false })).await.is_problem(forbidden, "not-yours");
        who.call(&format!("{path}/test")).await.is_problem(forbidden, "not-yours");
        who.post(&format!("{path}/approve-tools"), tools.clone()).await.is_problem(forbidden, "not-yours");
        who.post(&format!("{path}/choose-tools"), chosen.clone()).await.is_problem(forbidden, "not-yours");
        let refused = who.delete(&path).await.is_problem(forbidden, "not-yours");
        assert!(refused["detail"].as_str().unwrap().contains("admins"), "{refused}");
    }
    assert_eq!(olga.get(&path).await.is(StatusCode::OK)["enabled"], true);
    let mut adam = app.member(MemberRole::Admin).await;
    adam.patch(&path, json!({ "enabled": false, "name": "more" })).await.is(StatusCode::OK);
    let stdio = json!({ "transport": { "kind": "stdio", "command": "exit 3" }, "values": [] });
    adam.patch(&path, stdio).await.is(StatusCode::OK);
    let nowhere = adam.call(&format!("{path}/test")).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(nowhere["errors"][0]["field"], "projectId", "{nowhere}");
    let unknown = "01890000-0000-7000-8000-000000000000";
    let gone = adam.call(&format!("{path}/test?projectId={unknown}")).await;
    gone.is_problem(StatusCode::NOT_FOUND, "not-found");
    adam.delete(&path).await.is(StatusCode::NO_CONTENT);
    let audit = olga.get("/api/audit?object=mcp-server").await.is(StatusCode::OK);
    let of_it = audit["items"].as_array().unwrap().iter().filter(|one| one["objectId"] == made["id"]);
    let actions: Vec<&Value> = of_it.map(|one| &one["action"]).collect();
    let expected = ["mcp-server.delete", "mcp-server.change", "mcp-server.change", "mcp-server.create"];
    assert_eq!(actions, expected, "{audit}");
}
