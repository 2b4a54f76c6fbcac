//! Servers that nobody here wrote, added to a project: a program by the Python SDK, over both transports.

use std::process::Stdio;

use guildhall_sandbox::Isolation;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::clients::folder;
use crate::harness::{PATIENCE, Persona, TestApp, Wish};

const TOKEN: &str = "calculator-token-91ac";

async fn python(token: &str) -> (Child, u16) {
    let mut child = Command::new(folder().join("python/bin/python"))
        .arg(folder().join("server.py"))
        .arg("http")
        .env("MCP_TOKEN", token)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let port = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    (child, port.parse().unwrap())
}

async fn added(owner: &mut Persona, project: &str, server: Value) -> String {
    let made = owner.post(&format!("/api/projects/{project}/mcp-servers"), server).await.is(StatusCode::CREATED);
    format!("/api/mcp-servers/{}", made["id"].as_str().unwrap())
}

/// Tries a server, and approves all that it offers. Returns it.
async fn approved(owner: &mut Persona, path: &str) -> Value {
    let tried = owner.call(&format!("{path}/test")).await.is(StatusCode::OK);
    assert_eq!(tried["test"]["problem"], Value::Null, "{}", tried["test"]);
    let seen = |tool: &Value| json!({ "name": tool["name"], "hash": tool["hash"] });
    let tools: Vec<Value> = tried["tools"].as_array().unwrap().iter().map(seen).collect();
    owner.post(&format!("{path}/approve-tools"), json!({ "tools": tools })).await.is(StatusCode::OK);
    tried
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn servers_by_the_python_sdk_lend_their_tools_over_both_transports() {
    // The SDK lies outside of what a sandbox shows, so this server does without one.
    let change = Box::new(|config: &mut guildhall_server::config::Config| config.sandbox = Isolation::None);
    let app = TestApp::with(Wish { change, ..Wish::default() }).await;
    let mut owner = app.owner().await;
    let project = owner.project("p", json!({ "kind": "empty" })).await["id"].as_str().unwrap().to_owned();
    let (_child, port) = python(TOKEN).await;
    let url = format!("http://127.0.0.1:{port}/mcp");
    let http = json!({ "name": "far", "transport": { "kind": "http", "url": url },
        "values": [{ "name": "Authorization", "value": "Bearer of-somebody-else" }] });
    let far = added(&mut owner, &project, http).await;
    let tried = owner.call(&format!("{far}/test")).await.is(StatusCode::OK);
    assert!(tried["test"]["problem"].as_str().unwrap().contains("secret header"), "{}", tried["test"]);
    let token = json!({ "values": [{ "name": "Authorization", "value": format!("Bearer {TOKEN}") }] });
    owner.patch(&far, token).await.is(StatusCode::OK);
    let tried = approved(&mut owner, &far).await;
    assert_eq!(tried["test"]["protocol"], "2026-07-28", "the revision without sessions: {}", tried["test"]);
    assert_eq!(tried["test"]["server"], "calculator 1.2.3");
    let add = &tried["tools"][0];
    assert_eq!((&add["name"], &add["offered"]["readOnly"]), (&json!("add"), &json!(true)), "{add}");

    let program = folder();
    let command =
        format!("{} {} stdio", program.join("python/bin/python").display(), program.join("server.py").display());
    let stdio = json!({ "name": "near", "transport": { "kind": "stdio", "command": command } });
    let near = added(&mut owner, &project, stdio).await;
    let tried = approved(&mut owner, &near).await;
    assert_eq!(tried["tools"].as_array().unwrap().len(), 3, "{}", tried["test"]);

    let script = [
        json!({ "tools": [["mcp__far__add", { "a": 20, "b": 22 }], ["mcp__near__add", { "a": 1000, "b": 111 }]] }),
        json!({ "tools": [["mcp__far__show", {}]] }),
        json!({ "tools": [["mcp__far__fail", {}], ["mcp__near__add", { "a": "x" }]] }),
        json!({ "say": "Done." }),
    ];
    let script: Vec<String> = script.iter().map(Value::to_string).collect();
    let card = json!({ "description": format!("Do it.\n\n```sim\n{}\n```", script.join("\n")), "model": "simulated" });
    let card = owner.post(&format!("/api/projects/{project}/features"), card).await.is(StatusCode::CREATED);
    let path = format!("/api/features/{}", card["id"].as_str().unwrap());
    owner.call(&format!("{path}/start")).await.is(StatusCode::ACCEPTED);
    let run = async {
        loop {
            let card = owner.get(&path).await.is(StatusCode::OK);
            if card["status"] != "queued" && card["status"] != "in_progress" {
                return card["runId"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let run = tokio::time::timeout(PATIENCE, run).await.unwrap();
    let events = owner.get(&format!("/api/runs/{run}/events?limit=500")).await.is(StatusCode::OK);
    let finished: Vec<&Value> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["event"])
        .filter(|event| event["kind"] == "tool_finished")
        .collect();
    let answered = |at: usize, failed: bool, says: &str| {
        let event = finished[at];
        assert_eq!(event["isError"], failed, "{event}");
        assert!(event["output"].as_str().unwrap().contains(says), "{event}");
    };
    answered(0, false, "42");
    answered(1, false, "1111");
    answered(2, false, "a sound, audio/wav");
    answered(3, true, "Error executing tool");
    answered(4, true, "b");
    let image = &finished[2]["images"][0];
    assert_eq!((&image["mediaType"], &image["size"]), (&json!("image/png"), &json!(70)), "{}", finished[2]);
    let bytes = owner.get(&format!("/api/attachments/{}", image["id"].as_str().unwrap())).await;
    assert_eq!((bytes.header("content-type"), &bytes.bytes[1..4]), ("image/png", &b"PNG"[..]));
}
