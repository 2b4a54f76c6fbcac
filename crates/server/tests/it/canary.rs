//! Secrets that can be recognised are planted, the whole way is gone with the real program, and then every place where one
//! could have come to stand is searched for each of them.
//!
//! One of them is a decoy that is told everywhere on purpose: a place in which not even that one is found was not searched.

mod find;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderMap, StatusCode as Code, Uri};
use guildhall_llm::models;
use guildhall_sim::{Config, Sim};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection};
use tokio::process::Command;

use crate::canary::find::{Finder, Planted};
use crate::harness::{PATIENCE, Persona, fresh_postgres};
use crate::program::{guildhall, run};
use crate::rotation::serve;
use crate::schema::operations;

/// Told everywhere on purpose.
const DECOY: &str = "sk-ant-decoy/that+is=told-on-purpose";
/// Put in place first, and sent to a provider that tells it back in its error.
const FORMER: &str = "sk-ant-canary/former+key=0d41f7c2";
const OWN: &str = "sk-ant-canary/own+key=77aa15be";
/// The operator's, for members without a key.
const TEAM: &str = "sk-ant-canary/team+key=9c20b6d8";
const OPENAI: &str = "sk-canary/openai+key=3b8e07a1";
const DATABASE: &str = "canary-database-password-51e6";
const SMTP: &str = "canary-smtp-password-a90c";
const CLIENT: &str = "canary-client-secret-27fb61";
const S3: &str = "canary/s3+secret=c61e9f04";
/// The part of a webhook's address that lets one in.
const HOOK: &str = "canary-webhook-path-5d20c8e4";
/// Given to the commands of a project that ask for it, which then do with it what they can.
const OF_PROJECT: &str = "canary/project+secret=8b17d3e0";
/// Tells it in every way that a program may, but for writing it into the work, where an agent may put whatever it has.
const TELL: &str = "env; echo \"it is $PROJECT_SECRET.\" | tee /tmp/left; base64 -w0 /tmp/left; od -An -v -tx1 /tmp/left | tr -d ' \\n'
    python3 -c 'import os,json,urllib.parse as u; t=os.environ[\"PROJECT_SECRET\"]; print(json.dumps(t), u.quote(t, safe=\"\"), t.encode().hex().upper())'
    cat /proc/self/environ /proc/1/environ; set -x; : \"$PROJECT_SECRET\"";
/// Given to an MCP server, which tells it back.
const SERVER: &str = "canary-mcp-variable-8c1f20d7";
const HEADER: &str = "canary-mcp-header-44b07e9a";
/// Stands in the address of a repository.
const CLONE: &str = "canary-clone-token-7f30b9d1";
const CREDENTIAL: &str = "/api/user/credentials/anthropic";
/// Where the decoy is found when everything was searched.
const PLACES: [&str; 9] = ["log", "answer", "event", "conversation", "file", "object", "process", "database", "copy"];

fn password(name: &str) -> String {
    format!("canary {name} / seven & nine harbours")
}

/// What was found where: the kind of the place, the place, the bytes.
type Found = Vec<(&'static str, String, Vec<u8>)>;

/// A provider that refuses every call and tells the key back.
async fn telltale() -> String {
    async fn refuse(uri: Uri, headers: HeaderMap) -> (Code, Json<Value>) {
        let key = headers.get("x-api-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
        let message = format!("the key {key} (\"x-api-key: {key}\") may not call {uri}?key={key}");
        (
            Code::UNAUTHORIZED,
            Json(json!({ "type": "error", "error": { "type": "authentication_error", "message": message } })),
        )
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, axum::Router::new().fallback(refuse)).into_future());
    format!("http://{address}")
}

/// The arguments and the environment of every process below `server`, and the arguments of the server itself, until it is
/// told to stop.
fn watch_processes(server: u32, stop: &AtomicBool, seen: &Mutex<BTreeSet<Vec<u8>>>) {
    while !stop.load(Ordering::Relaxed) {
        let mut parents = BTreeMap::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse::<u32>().ok());
            parents.extend(parent.map(|parent| (id, parent)));
        }
        let below =
            |id: u32| std::iter::successors(Some(id), |id| parents.get(id).copied()).take(64).any(|id| id == server);
        for id in parents.keys().copied().filter(|id| below(*id)) {
            let files: &[&str] = if id == server { &["cmdline"] } else { &["cmdline", "environ"] };
            for file in files {
                // Between its birth and its own program a child is still the server, environment included.
                let of_server =
                    std::fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|exe| exe.ends_with("guildhall"));
                let mut bytes = std::fs::read(format!("/proc/{id}/{file}")).unwrap_or_default();
                if *file == "environ" {
                    // A command that was given the project's secret has it in this one place, which is what it is for.
                    // So has git, of the address that it clones from.
                    let given =
                        |entry: &&[u8]| entry.starts_with(b"PROJECT_SECRET=") || entry.starts_with(b"GUILDHALL_CLONE_");
                    let others = bytes.split(|byte| *byte == 0).filter(|entry| !given(entry));
                    bytes = others.flat_map(|entry| entry.iter().chain(b"\0")).copied().collect();
                }
                if !(bytes.is_empty() || of_server && *file == "environ") {
                    seen.lock().unwrap().insert(bytes);
                }
            }
        }
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// Everything below a folder but the keys, which are where they belong.
fn files(folder: &Path, out: &mut Found) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !path.ends_with("keys") => files(&path, out),
            Ok(kind) if kind.is_file() => {
                let name = path.file_name().unwrap().to_str().unwrap();
                let kind = match name {
                    "log" | "stdout" => "log",
                    _ if name.starts_with("guildhall.db") => "database",
                    _ => "file",
                };
                out.push((kind, path.display().to_string(), std::fs::read(&path).unwrap_or_default()));
            }
            _ => {}
        }
    }
}

/// Every git folder below a folder.
fn git_folders(folder: &Path, out: &mut Vec<PathBuf>) {
    if folder.join("objects").is_dir() {
        return out.push(folder.to_owned());
    }
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            git_folders(&entry.path(), out);
        }
    }
}

async fn objects(data: &Path, out: &mut Found) {
    let mut folders = Vec::new();
    git_folders(data, &mut folders);
    assert!(folders.len() > 1, "the repository and the agents' own: {folders:?}");
    for folder in folders {
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(&folder).args(["cat-file", "--batch-all-objects", "--batch", "--buffer"]);
        let done = command.stdin(std::process::Stdio::null()).output().await.unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        out.push(("object", folder.display().to_string(), done.stdout));
    }
}

/// A copy of the database as somebody would carry it away.
async fn copy(url: &str, data: &Path, out: &mut Found) {
    if url.starts_with("sqlite") {
        let path = data.join("copy");
        let mut db = sqlx::SqliteConnection::connect(url).await.unwrap();
        let sql = format!("VACUUM INTO '{}'", path.display());
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
        out.push(("copy", path.display().to_string(), std::fs::read(&path).unwrap()));
        std::fs::remove_file(path).unwrap();
    } else {
        let versions = std::fs::read_dir("/usr/lib/postgresql").unwrap().flatten();
        let program = versions.map(|version| version.path().join("bin/pg_dump")).max().unwrap();
        let dumped = Command::new(program).arg("--dbname").arg(url).output().await.unwrap();
        assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
        // The server's own files cannot be read by others; what it tells stands for them.
        out.push(("database", "pg_dump".to_owned(), dumped.stdout.clone()));
        out.push(("copy", "pg_dump".to_owned(), dumped.stdout));
    }
}

/// What every GET route answers to somebody, with every id that there is.
async fn answers(name: &str, persona: &mut Persona, ids: &[String], out: &mut Found) {
    for (_, path, _) in operations().filter(|(method, path, _)| *method == Method::GET && *path != "/api/events") {
        let filled =
            |id: &String| path.replace("{id}", id).replace("{provider}", "anthropic").replace("{name}", "work");
        let mut paths: BTreeSet<String> = ids.iter().map(filled).collect();
        if path.ends_with("/files") {
            paths = paths.into_iter().map(|path| format!("{path}?path=spied.txt")).collect();
        }
        for path in paths {
            let answer = persona.get(&path).await;
            assert!(!answer.status.is_server_error(), "{path}: {}", answer.text());
            let headers = format!("{:?}\n", answer.headers).into_bytes();
            out.push(("answer", format!("{path} as {name}"), [headers, answer.bytes].concat()));
        }
    }
}

/// What the WebSocket tells, from the first event on.
async fn events(persona: &mut Persona, cards: &str, out: &mut Found) {
    let last = persona.post(cards, json!({ "description": "The last event." })).await.is(StatusCode::CREATED);
    let mut socket = persona.listen("?since=0").await.unwrap();
    let frames = socket.until(|frame| frame["feature"]["id"] == last["id"]).await;
    out.extend(frames.into_iter().map(|frame| ("event", frame["type"].to_string(), frame.to_string().into_bytes())));
}

/// An agent that looks around for all it is worth, and keeps what it finds.
fn spy() -> Value {
    let looks = [
        "env; cat /proc/*/environ /proc/*/cmdline; ps aux; cat /proc/self/mountinfo /etc/passwd",
        "ls -laR / 2>/dev/null | head -c 200000; find / -name '*.key' -o -name 'guildhall.db*' 2>/dev/null | head",
        "cat /run/git/* ../* ~/.* /root/.* /home/*/.* 2>/dev/null; git config -l --show-origin; git log --all -p | head -c 50000",
    ];
    let keep = format!(
        "(env; cat /proc/*/environ; echo '{DECOY}'; printf '%s' '{DECOY}' | base64 -w0) > spied.txt; sleep 0.3"
    );
    let turn =
        |command: &str| json!({ "say": "I look around.", "tools": [["bash", { "command": command }]] }).to_string();
    let given = json!({ "command": TELL, "secrets": ["PROJECT_SECRET"] });
    let tell = json!({ "say": "I tell all I know.", "tools": [["bash", given]] }).to_string();
    let mut script: Vec<String> = looks.iter().map(|command| turn(command)).collect();
    script.push(turn(&keep));
    script.push(tell);
    script.push(json!({ "say": "Done." }).to_string());
    json!({ "description": format!("Look around {DECOY}\n\n```sim\n{}\n```", script.join("\n")), "model": models::DEFAULT })
}

/// Starts a card and waits until an agent is no longer at work on it.
async fn build(member: &mut Persona, cards: &str, card: Value) -> Value {
    let made = member.post(cards, card).await.is(StatusCode::CREATED);
    let path = format!("/api/features/{}", made["id"].as_str().unwrap());
    member.call(&format!("{path}/start")).await.is(StatusCode::ACCEPTED);
    let ended = async {
        loop {
            let card = member.get(&path).await.is(StatusCode::OK);
            if card["status"] != "queued" && card["status"] != "in_progress" {
                return card;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.unwrap()
}

/// Every id in some JSON.
fn ids(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            out.extend(object.get("id").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| ids(value, out));
        }
        Value::Array(list) => list.iter().for_each(|value| ids(value, out)),
        _ => {}
    }
}

/// Goes the whole way. Returns what is to be found nowhere, and everything that was found.
async fn the_whole_way(url: String, data: &Path) -> (Vec<Planted>, Found) {
    let (sim, bad) = (Sim::start(Config::default()).await.unwrap(), telltale().await);
    let with_password = url.replace("postgres://guildhall@", &format!("postgres://guildhall:{DATABASE}@"));
    let sim_url = sim.url();
    let smtp = format!("smtp://guild:{SMTP}@127.0.0.1:9");
    let env = [
        ("DATABASE_URL", with_password.as_str()),
        ("ANTHROPIC_API_KEY", TEAM),
        ("ANTHROPIC_BASE_URL", sim_url.as_str()),
        ("GUILDHALL_LOG", "debug"),
        ("OPENAI_API_KEY", OPENAI),
        // Nobody answers there: each mail waits, and each try is told.
        ("GUILDHALL_SMTP_URL", smtp.as_str()),
        ("GUILDHALL_MAIL_FROM", "guild@example.com"),
        ("CANARY_CLIENT_SECRET", CLIENT),
        // Nor there: each try of a backup is told.
        ("GUILDHALL_BACKUP_TO", "s3://canary/backups"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_ACCESS_KEY_ID", "AKIACANARY"),
        ("AWS_SECRET_ACCESS_KEY", S3),
    ];
    std::fs::create_dir_all(data).unwrap();
    let settings = format!(
        "[[oidc]]\nname = 'work'\nissuer = '{bad}'\nclientId = 'guildhall'\nclientSecretEnv = 'CANARY_CLIENT_SECRET'\n"
    );
    std::fs::write(data.join("guildhall.toml"), settings).unwrap();
    // A new kind of secret is added here, and used on the way below.
    let mut secrets = vec![
        Planted::new("the decoy", DECOY),
        Planted::new("a former key", FORMER),
        Planted::new("a member's key", OWN),
        Planted::new("the team's key", TEAM),
        Planted::new("the database's password", DATABASE),
        Planted::new("the team's key for OpenAI", OPENAI),
        Planted::new("the mail server's password", SMTP),
        Planted::new("the secret for an OpenID provider", CLIENT),
        Planted::new("the key of the store for backups", S3),
        Planted::new("a webhook's address", HOOK),
        Planted::new("a project's secret", OF_PROJECT),
        Planted::new("an MCP server's variable", SERVER),
        Planted::new("an MCP server's header", HEADER),
        Planted::new("the token of a clone's address", CLONE),
    ];
    let mut found = Found::new();

    let (server, at) = serve(data, &env).await;
    let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(BTreeSet::new())));
    let watching = {
        let (id, stop, seen) = (server.id().unwrap(), Arc::clone(&stop), Arc::clone(&seen));
        std::thread::spawn(move || watch_processes(id, &stop, &seen))
    };

    let mut owner = Persona::at(&at);
    let body = json!({ "email": "olga@example.com", "password": password("Olga"), "name": "Olga" });
    owner.post("/api/auth/register", body).await.is(StatusCode::CREATED);
    secrets.push(Planted::new("the owner's password", password("Olga")));
    let mut everybody = Vec::new();
    for role in ["admin", "member", "viewer"] {
        let email = format!("{role}@example.com");
        let made =
            owner.post("/api/invitations", json!({ "email": email, "role": role })).await.is(StatusCode::CREATED);
        secrets.push(Planted::new("an invitation's code", made["code"].as_str().unwrap()));
        let mut member = Persona::at(&at);
        let body = json!({ "email": email, "password": password(role), "name": role, "invitation": made["code"] });
        let joined = member.post("/api/auth/register", body).await.is(StatusCode::CREATED);
        secrets.push(Planted::new("a member's password", password(role)));
        let link = format!("/api/members/{}/reset-link", joined["id"].as_str().unwrap());
        let link = owner.call(&link).await.is(StatusCode::CREATED);
        secrets.push(Planted::new("a link's code", link["code"].as_str().unwrap()));
        everybody.push((role, member));
    }
    let open = owner.post("/api/invitations", json!({ "email": "late@example.com", "role": "member" })).await;
    secrets.push(Planted::new("an invitation's code", open.is(StatusCode::CREATED)["code"].as_str().unwrap()));
    let (token, _) = owner.token(guildhall_types::rights::Scope::ALL).await;
    secrets.push(Planted::new("a token", token.clone()));
    let mut wrong = Persona::at(&at);
    let guess = json!({ "email": "olga@example.com", "password": "canary wrong password" });
    wrong.post("/api/auth/login", guess).await.is(StatusCode::UNAUTHORIZED);
    secrets.push(Planted::new("a wrong password", "canary wrong password"));

    let app = owner.call("/api/auth/totp").await.is(StatusCode::CREATED);
    secrets.push(Planted::new("an authenticator's secret", app["secret"].as_str().unwrap()));

    // The provider that refuses everything tells the path back in its answer's beginning; so this one is nobody's.
    let hook =
        json!({ "name": "h", "url": format!("http://127.0.0.1:9/{HOOK}"), "kinds": ["card.failed", "card.waits"] });
    let hook = owner.post("/api/webhooks", hook).await.is(StatusCode::CREATED);
    secrets.push(Planted::new("a webhook's secret", hook["secret"].as_str().unwrap().trim_start_matches("whsec_")));
    let hook = hook["id"].as_str().unwrap().to_owned();
    owner.call(&format!("/api/webhooks/{hook}/test")).await.is(StatusCode::ACCEPTED);

    let address = bad.replace("://", &format!("://canary:{CLONE}@"));
    let cloned = owner.project("cloned", json!({ "kind": "clone", "url": format!("{address}/r.git") })).await;
    assert_eq!((&cloned["status"], &cloned["source"]["url"]), (&json!("failed"), &json!(format!("{bad}/r.git"))));
    owner.call(&format!("/api/projects/{}/retry", cloned["id"].as_str().unwrap())).await.is(StatusCode::ACCEPTED);
    let project = owner.project("p", json!({ "kind": "empty" })).await["id"].as_str().unwrap().to_owned();
    let cards = format!("/api/projects/{project}/features");
    owner
        .put(&format!("/api/projects/{project}/secrets/PROJECT_SECRET"), json!({ "value": OF_PROJECT }))
        .await
        .is(StatusCode::OK);
    let settings =
        json!({ "settings": { "setUp": [format!("{TELL}; true")], "verifyCommands": [format!("{TELL}; true")] } });
    owner.patch(&format!("/api/projects/{project}"), settings).await.is(StatusCode::OK);
    owner.post(&format!("/api/projects/{project}/try-checks"), json!({})).await.is(StatusCode::ACCEPTED);
    // Only what bash does itself: a program that is given a secret has it in its environment.
    let told = "echo \"I am $TOLD\"; echo \"no $TOLD here\" >&2; exit 3";
    for server in [
        json!({ "name": "near", "transport": { "kind": "stdio", "command": told },
            "values": [{ "name": "TOLD", "value": SERVER }] }),
        json!({ "name": "far", "transport": { "kind": "http", "url": bad },
            "values": [{ "name": "x-api-key", "value": HEADER }] }),
    ] {
        let path = format!("/api/projects/{project}/mcp-servers");
        let made = owner.post(&path, server).await.is(StatusCode::CREATED);
        let tried = owner.call(&format!("/api/mcp-servers/{}/test", made["id"].as_str().unwrap())).await;
        assert!(tried.is(StatusCode::OK)["test"]["problem"].is_string());
        found.push(("answer", "a test of an MCP server".to_owned(), tried.bytes));
    }
    owner.put(CREDENTIAL, json!({ "key": FORMER, "baseUrl": bad })).await.is(StatusCode::OK);
    let tested = owner.call(&format!("{CREDENTIAL}/test")).await;
    assert_eq!(tested.is(StatusCode::OK)["ok"], false);
    found.push(("answer", "a test of a key".to_owned(), tested.bytes));
    let failed = build(&mut owner, &cards, spy()).await;
    assert_eq!(failed["status"], "failed", "{failed:#}");

    owner.put(CREDENTIAL, json!({ "key": OWN, "baseUrl": sim_url })).await.is(StatusCode::OK);
    let own = build(&mut owner, &cards, spy()).await;
    let (_, member) = everybody.iter_mut().find(|(role, _)| *role == "member").unwrap();
    let by_team = build(member, &cards, spy()).await;
    let mut known = BTreeSet::from([project.clone(), hook]);
    for (card, source) in [(&own, "member"), (&by_team, "team")] {
        assert_eq!(card["status"], "waiting_approval", "{card:#}");
        let path = format!("/api/features/{}", card["id"].as_str().unwrap());
        let runs = owner.get(&format!("{path}/runs")).await.is(StatusCode::OK);
        assert_eq!(runs["items"][0]["keySource"], source, "{runs:#}");
        ids(&runs, &mut known);
    }
    let path = format!("/api/features/{}", own["id"].as_str().unwrap());
    owner.upload(&format!("{path}/attachments"), "notes.txt", DECOY.as_bytes()).await.is(StatusCode::CREATED);
    ids(&owner.get(&format!("{path}/attachments")).await.is(StatusCode::OK), &mut known);
    owner.call(&format!("{path}/verify")).await;
    let spelled = DECOY.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
    owner.get(&format!("/api/nothing/{spelled}")).await.is(StatusCode::NOT_FOUND);
    for args in [&["keys", "rotate"][..], &["keys", "list"], &["doctor"], &["audit", "export"]] {
        let (_, out, err) = run(guildhall(data).envs(env).args(args)).await;
        assert!(!out.is_empty(), "{args:?}: {err}");
        found.push(("log", args.join(" "), format!("{out}{err}").into_bytes()));
    }

    ids(&owner.get(&cards).await.is(StatusCode::OK), &mut known);
    ids(&owner.get("/api/members").await.is(StatusCode::OK), &mut known);
    let known: Vec<String> = known.into_iter().collect();
    everybody.push(("owner", owner.clone()));
    for (name, persona) in &mut everybody {
        answers(name, persona, &known, &mut found).await;
        let cookie = persona.cookie.clone().unwrap();
        secrets.push(Planted::new("a session", cookie.split_once('=').unwrap().1));
    }
    let mut program = Persona::at(&at);
    (program.bearer, program.origin) = (Some(token), None);
    answers("a token", &mut program, &known, &mut found).await;
    answers("nobody", &mut Persona::at(&at), &known, &mut found).await;
    events(&mut owner, &cards, &mut found).await;

    for entry in std::fs::read_dir(data.join("keys")).unwrap().flatten() {
        let key = std::fs::read_to_string(entry.path()).unwrap();
        secrets.push(Planted::new("a key-encryption key", key.trim()));
    }
    found.extend(sim.requests().into_iter().map(|body| ("conversation", String::new(), body.to_string().into_bytes())));
    copy(&url, data, &mut found).await;
    files(data, &mut found);
    objects(data, &mut found).await;
    stop.store(true, Ordering::Relaxed);
    watching.join().unwrap();
    found.extend(std::mem::take(&mut *seen.lock().unwrap()).into_iter().map(|bytes| ("process", String::new(), bytes)));
    (secrets, found)
}

async fn nothing_is_told(url: String, data: &Path) {
    let (secrets, found) = the_whole_way(url, data).await;
    let finder = Finder::new(&secrets);
    let mut decoys = BTreeSet::new();
    let mut told = Vec::new();
    for (kind, place, bytes) in &found {
        for what in finder.find(bytes) {
            match what {
                "the decoy" => drop(decoys.insert(*kind)),
                _ => {
                    // Whoever reads this must see where it was, but not the whole of a large file.
                    let place = if place.is_empty() {
                        String::from_utf8_lossy(&bytes[..bytes.len().min(300)])
                    } else {
                        place.into()
                    };
                    told.push(format!("{what} stands in: {kind} {place}"));
                }
            }
        }
    }
    assert!(told.is_empty(), "{told:#?}");
    let missed: Vec<_> = PLACES.iter().filter(|place| !decoys.contains(*place)).collect();
    assert!(missed.is_empty(), "not even the decoy was found there, so they were not searched: {missed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_told_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    nothing_is_told(format!("sqlite://{}", data.join("guildhall.db").display()), &data).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_told_anywhere_on_postgres() {
    let dir = tempfile::tempdir().unwrap();
    nothing_is_told(fresh_postgres().await, &dir.path().join("data")).await;
}
