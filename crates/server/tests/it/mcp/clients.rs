//! Clients that nobody here wrote: the Python SDK, which comes in by OAuth, the Inspector's command line, the conformance
//! suite, and Claude Code with a simulated model.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use guildhall_types::rights::Scope;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::harness::{PATIENCE, TestApp};

pub(super) fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp");
    let there = folder.join("node_modules").is_dir() && folder.join("python/bin/python").exists();
    assert!(there, "run scripts/setup.sh test first: the tests' MCP clients are missing");
    folder
}

/// The Node that came along: the clients need a newer one than the tests otherwise do.
fn node() -> PathBuf {
    let of = |kind: &str| folder().join(format!("node_modules/node-linux-{kind}/bin/node"));
    [of("x64"), of("arm64")].into_iter().find(|path| path.exists()).unwrap()
}

/// Runs a program to its end, apart from whatever this machine's user has set up. Returns what it wrote.
async fn run(mut command: Command, home: &Path) -> (bool, String, String) {
    command.env("HOME", home).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE * 2, command.output()).await.unwrap().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_python_sdk_comes_in_by_oauth_speaks_both_revisions_and_writes_in_the_hub() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let entry = json!({ "title": "Ports", "content": "The server listens on 4300.", "type": "faq" });
    let entry = owner.post("/api/knowledge/entries", entry).await.is(StatusCode::CREATED);
    let mut python = Command::new(folder().join("python/bin/python"));
    python
        .arg(folder().join("client.py"))
        .arg(format!("{}/mcp", app.url))
        .env("GUILDHALL_COOKIE", owner.cookie.clone().unwrap());
    let (good, out, err) = run(python, app.dir.path()).await;
    assert!(good, "{out}{err}");
    let found: Value = serde_json::from_str(out.trim()).unwrap();
    assert_eq!((&found["legacy"]["version"], &found["auto"]["version"]), (&json!("2025-11-25"), &json!("2026-07-28")));
    for mode in ["legacy", "auto"] {
        let found = &found[mode];
        assert_eq!(found["me"], "Olga");
        let tools = found["tools"].as_array().unwrap();
        assert!(tools.contains(&json!("knowledge_create")) && !tools.contains(&json!("feature_start")), "{tools:?}");
        let uri = format!("guildhall://knowledge/entry/{}", entry["id"].as_str().unwrap());
        assert!(found["resources"].as_array().unwrap().contains(&json!(uri)), "{found}");

        let hub = &found["hub"];
        let (made, recorded) = (hub["made"][0].as_str().unwrap(), hub["recorded"][0].as_str().unwrap());
        assert_eq!(hub["made"], json!([made, "token", 1, "draft"]));
        assert_eq!(hub["changed"], json!([2, "active"]));
        let says = |what: &str, word: &str| assert!(hub[what].as_str().unwrap().starts_with(word), "{}", hub[what]);
        says("stale", "item-changed");
        says("again", "near-duplicate");
        assert!(hub["again"].as_str().unwrap().contains(recorded), "{hub}");
        assert_eq!((&hub["recorded"][1], &hub["applied"]), (&json!("proposed"), &json!([1, 1, "proposed"])));
        // The text of the blueprint as the hub has it, and the task.
        let kept = owner.get(&format!("/api/knowledge/blueprints/{made}")).await.is(StatusCode::OK);
        let drafts = hub["drafts"].as_array().unwrap();
        assert!(!drafts.contains(&kept["name"]), "{drafts:?}");
        let prompt = hub["prompt"][0].as_str().unwrap();
        assert!(prompt.contains(kept["content"].as_str().unwrap()) && prompt.ends_with("Build the door."), "{prompt}");
        // All of it was done in the owner's name, by a program, and waits for a look where it is a learning.
        let kept = owner.get(&format!("/api/knowledge/learnings/{recorded}")).await.is(StatusCode::OK);
        assert_eq!((&kept["createdBy"], &kept["review"]), (&json!(owner.id().await), &json!("proposed")));
    }
    let list = owner.get("/api/auth/clients").await.is(StatusCode::OK);
    assert_eq!(list["items"][0]["name"], "Python SDK", "{list}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_inspector_and_the_conformance_suite_have_nothing_to_say() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    owner.project("Demo", json!({ "kind": "empty" })).await;
    let (token, _) = owner.token(&[Scope::Read, Scope::Write, Scope::Run, Scope::Knowledge]).await;
    let modules = folder().join("node_modules/@modelcontextprotocol");
    let inspector = |more: &[&str]| {
        let mut command = Command::new(node());
        command.arg(modules.join("inspector/clients/launcher/build/index.js")).arg("--cli");
        command.args(["--server-url", &format!("{}/mcp", app.url), "--transport", "http"]).args(more);
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
        command
    };
    let listing = run(inspector(&["--method", "tools/list", "--strict"]), app.dir.path());
    let calling = run(inspector(&["--method", "tools/call", "--tool-name", "project_list"]), app.dir.path());

    let mut bearer = Command::new(node())
        .arg(folder().join("bearer.mjs"))
        .arg(&app.url)
        .env("GUILDHALL_TOKEN", &token)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let port = BufReader::new(bearer.stdout.take().unwrap()).lines().next_line().await.unwrap().unwrap();
    let suite = async {
        // Those that ask for no tool of their own.
        let mut all = Vec::new();
        for scenario in
            ["server-initialize", "ping", "tools-list", "resources-list", "prompts-list", "dns-rebinding-protection"]
        {
            let mut command = Command::new(node());
            command.arg(modules.join("conformance/dist/index.js")).args(["server", "--scenario", scenario]);
            command.args(["--url", &format!("http://localhost:{port}/mcp")]).current_dir(app.dir.path());
            all.push((scenario, run(command, app.dir.path()).await));
        }
        all
    };
    let ((good, out, err), (called, answer, why), all) = tokio::join!(listing, calling, suite);
    assert!(good, "{out}{err}");
    assert!(out.contains("feature_merge") && out.contains("knowledge_search"), "{out}");
    assert!(called && answer.contains("Demo"), "{answer}{why}");
    for (scenario, (good, out, err)) in all {
        assert!(good, "{scenario}: {out}{err}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn claude_code_calls_a_tool_and_reads_its_answer() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let entry = json!({ "title": "Harbour", "content": "The harbour closes at nine.", "type": "faq" });
    owner.post("/api/knowledge/entries", entry).await.is(StatusCode::CREATED);
    let (token, _) = owner.token(&[Scope::Read, Scope::Knowledge]).await;
    let home = tempfile::tempdir().unwrap();
    let servers = json!({ "mcpServers": { "guildhall": {
        "type": "http", "url": format!("{}/mcp", app.url), "headers": { "Authorization": format!("Bearer {token}") },
    } } });
    std::fs::write(home.path().join("servers.json"), servers.to_string()).unwrap();
    let prompt = "When does it close?\n\n```sim\n{\"say\": \"I look.\", \"tools\": [[\"mcp__guildhall__knowledge_search\", {\"q\": \"harbour\"}]]}\n{\"say\": \"It closes at nine.\"}\n```";
    let of = |kind: &str| folder().join(format!("node_modules/@anthropic-ai/claude-code-linux-{kind}/claude"));
    let program = [of("x64"), of("arm64")].into_iter().find(|path| path.exists()).unwrap();
    let mut claude = Command::new(program);
    claude.args(["-p", prompt, "--mcp-config", "servers.json", "--strict-mcp-config", "--output-format", "json"]);
    claude
        .args(["--allowedTools", "mcp__guildhall__knowledge_search", "--model", "claude-sonnet-4-5"])
        .current_dir(home.path());
    claude.env("ANTHROPIC_BASE_URL", app.sim.url()).env("ANTHROPIC_API_KEY", "simulated");
    claude.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1").env("DISABLE_AUTOUPDATER", "1");
    let (good, out, err) = run(claude, home.path()).await;
    assert!(good && out.contains("It closes at nine."), "{out}{err}");
    // The tool was called by Claude Code with the token that it was given.
    let used = owner.get("/api/auth/tokens").await.is(StatusCode::OK);
    assert!(used["items"][0]["lastUsedAt"].is_string(), "{used}");
    let seen = app.sim.requests().iter().any(|body| body.to_string().contains("The harbour closes at nine"));
    assert!(seen, "its answer did not reach the model: {out}");
}
