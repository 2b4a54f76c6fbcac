//! The real program, killed without warning again and again while agents work.

use std::collections::HashSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use guildhall_git::{Blob, Oid, Repo};
use guildhall_sim::{Config, Sim};
use guildhall_store::Store;
use guildhall_types::chat::Block;
use guildhall_types::run::Turn;
use guildhall_types::{ProjectId, RunId, SystemClock};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Connection;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::fsck::fsck;
use crate::harness::{PASSWORD, PATIENCE};

/// Kills; each at a point that the seed chooses.
const KILLS: usize = 12;
/// Another one can be given as GUILDHALL_TEST_SEED.
const SEED: u64 = 20_261_124;
/// Turns of each card before its closing words.
const TURNS: usize = 6;

pub struct Hall {
    dir: tempfile::TempDir,
    pub sim: Sim,
    http: reqwest::Client,
    server: Child,
    url: String,
    cookie: String,
}

impl Hall {
    pub async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sim = Sim::start(Config { per_word: Duration::from_millis(3), ..Config::default() }).await.unwrap();
        let (server, url) = spawn(dir.path(), &sim).await;
        // Its TLS is installed by the product's own client, which this process needs anyway.
        drop(guildhall_llm::Client::new());
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        Self { dir, sim, http, server, url, cookie: String::new() }
    }

    /// One request; nothing when the server is not there.
    pub async fn call(&mut self, method: Method, path: &str, body: Option<Value>) -> Option<Value> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .header("origin", &self.url)
            .header("cookie", &self.cookie)
            .timeout(PATIENCE);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.ok()?;
        if let Some(cookie) = answer.headers().get("set-cookie") {
            self.cookie = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        }
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.ok()
    }

    pub async fn kill_and_start_again(&mut self) {
        self.server.kill().await.unwrap();
        (self.server, self.url) = spawn(self.dir.path(), &self.sim).await;
    }

    async fn statuses(&mut self, project: &str) -> Vec<String> {
        let list = self.call(Method::GET, &format!("/api/projects/{project}/features"), None).await.unwrap();
        let items = list["items"].as_array().unwrap();
        items.iter().map(|card| card["status"].as_str().unwrap().to_owned()).collect()
    }
}

async fn spawn(dir: &Path, sim: &Sim) -> (Child, String) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_guildhall"))
        .arg("serve")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("GUILDHALL_DATA_DIR", dir)
        .env("GUILDHALL_LISTEN", "127.0.0.1:0")
        .env("GUILDHALL_TEST_ALERTS", "off")
        .env("GUILDHALL_SIMULATED_PROVIDER_URL", sim.url())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    let (_, url) = line.split_once(" is at ").unwrap_or_else(|| panic!("{line}"));
    (server, url.to_owned())
}

/// A card whose agent, at each turn, writes a file and counts in another.
fn card(name: &str) -> Value {
    let mut lines: Vec<String> = (1..=TURNS)
        .map(|turn| {
            json!({ "say": format!("This is turn {turn} of {name}."), "tools": [
                ["write", { "path": format!("{name}-{turn}.txt"), "content": "whole\n" }],
                ["bash", { "command": format!("echo {turn} >> {name}.log; sleep 0.05") }],
            ] })
            .to_string()
        })
        .collect();
    lines.push(json!({ "say": "All done." }).to_string());
    json!({ "description": format!("{name}\n\n```sim\n{}\n```", lines.join("\n")), "model": "simulated" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_nothing_is_lost_or_done_twice() {
    let mut hall = Hall::open().await;
    let me = json!({ "email": "olga@example.com", "password": PASSWORD, "name": "Olga" });
    hall.call(Method::POST, "/api/auth/register", Some(me)).await.unwrap();
    let new = json!({ "name": "p", "source": { "kind": "empty" } });
    hall.call(Method::PUT, "/api/settings/prices", Some(price())).await.unwrap();
    let project = hall.call(Method::POST, "/api/projects", Some(new)).await.unwrap();
    let project = project["id"].as_str().unwrap().to_owned();
    while hall.call(Method::GET, &format!("/api/projects/{project}"), None).await.unwrap()["status"] != "ready" {
        tokio::task::yield_now().await;
    }
    for name in ["a", "b", "c"] {
        let made =
            hall.call(Method::POST, &format!("/api/projects/{project}/features"), Some(card(name))).await.unwrap();
        let start = format!("/api/features/{}/start", made["id"].as_str().unwrap());
        hall.call(Method::POST, &start, None).await.unwrap();
    }

    let mut seed = std::env::var("GUILDHALL_TEST_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..KILLS {
        let wanted = hall.sim.requests().len() + random(3) as usize;
        while hall.sim.requests().len() < wanted
            && hall.statuses(&project).await.iter().any(|status| status != "waiting_approval")
        {
            tokio::task::yield_now().await;
        }
        // Anywhere within the turn that has just begun: in its words, its tools, its snapshot, its saving.
        tokio::time::sleep(Duration::from_millis(random(150))).await;
        hall.kill_and_start_again().await;
    }
    let ended = async {
        while hall.statuses(&project).await.iter().any(|status| status == "queued" || status == "in_progress") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("every run ends");
    assert_eq!(hall.statuses(&project).await, ["waiting_approval"; 3]);
    hall.kill_and_start_again().await;
    hall.server.kill().await.unwrap();

    let data = hall.dir.path();
    whole_database(data).await;
    let repository = data.join(format!("repositories/{project}.git"));
    fsck(&repository).await;
    let repo = Repo::open(&repository).unwrap();
    let store = Store::open(&format!("sqlite://{}/guildhall.db", data.display()), std::sync::Arc::new(SystemClock))
        .await
        .unwrap();
    let all = guildhall_store::FeatureQuery { limit: 10, ..Default::default() };
    let cards = store.features(project.parse::<ProjectId>().unwrap(), &all).await.unwrap();
    let mut cut_off = 0;
    assert_eq!(cards.items.len(), 3);
    for (card, name) in cards.items.iter().zip(["a", "b", "c"]) {
        cut_off += whole_run(&store, &repo, card.run_id.unwrap(), name).await;
    }
    assert!(cut_off > 0, "no kill hit the middle of a turn: choose another seed");
    nothing_left_at_work(data);
}

/// Processes of this machine that run exactly this.
fn with_arguments(arguments: &[&str]) -> usize {
    let wanted: Vec<u8> = arguments.iter().flat_map(|argument| argument.bytes().chain([0])).collect();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.filter(|process| std::fs::read(process.path().join("cmdline")).is_ok_and(|line| line == wanted)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_a_service_runs_nothing_of_it_is_left_and_the_card_says_so() {
    let mut hall = Hall::open().await;
    let me = json!({ "email": "olga@example.com", "password": PASSWORD, "name": "Olga" });
    hall.call(Method::POST, "/api/auth/register", Some(me)).await.unwrap();
    let new = json!({ "name": "p", "source": { "kind": "empty" } });
    let project = hall.call(Method::POST, "/api/projects", Some(new)).await.unwrap();
    let base = format!("/api/projects/{}", project["id"].as_str().unwrap());
    while hall.call(Method::GET, &base, None).await.unwrap()["status"] != "ready" {
        tokio::task::yield_now().await;
    }
    // Each with a child in a session of its own, which hears of no signal to its parent.
    let seconds = format!("{}.5", 100_000 + std::process::id());
    let command = format!("setsid sleep {seconds} & exec sleep {seconds}");
    let lines = [
        json!({ "tools": [["service_start", { "name": "watch", "command": command }]] }),
        json!({ "tools": [["bash", { "command": command, "timeoutMs": 300_000 }]] }),
        json!({ "say": "All done." }),
    ];
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    let card = json!({ "description": format!("Watch.\n\n```sim\n{}\n```", lines.join("\n")), "model": "simulated" });
    let card = hall.call(Method::POST, &format!("{base}/features"), Some(card)).await.unwrap();
    let card = format!("/api/features/{}", card["id"].as_str().unwrap());
    let started = hall.call(Method::POST, &format!("{card}/start"), None).await.unwrap();
    let run = format!("/api/runs/{}", started["run"]["id"].as_str().unwrap());
    let all_at_work = async {
        while with_arguments(&["sleep", &seconds]) < 4 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, all_at_work).await.expect("the service and the command begin");
    let services = format!("{run}/services");
    assert_eq!(hall.call(Method::GET, &services, None).await.unwrap()["items"][0]["status"], "running");

    // Once it listens again, nothing is left of them.
    hall.kill_and_start_again().await;
    assert_eq!(with_arguments(&["sleep", &seconds]), 0);
    let watch = hall.call(Method::GET, &services, None).await.unwrap()["items"][0].clone();
    assert_eq!((&watch["status"], &watch["problem"]), (&json!("lost"), &json!("The server that ran it was stopped.")));
    let ended = async {
        while hall.call(Method::GET, &card, None).await.unwrap()["status"] != "waiting_approval" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("the run goes on");
    let told = hall.call(Method::GET, &format!("{run}/events"), None).await.unwrap().to_string();
    assert!(told.contains("These services ended when your work did, or was interrupted: watch ("), "{told}");
    assert_eq!(with_arguments(&["sleep", &seconds]), 0, "it is not started again by itself");
}

/// A card of auto mode: each writes its name into a file of its own, and its check asks for what it depends on.
fn ordered(n: usize, on: &[Value], names: &[usize]) -> Value {
    let needs: String = names.iter().map(|other| format!("[ -e night-{other}.txt ] && ")).collect();
    // Done again when it was cut off, as any turn may be: its files are then as they were before it.
    let write = format!("{needs}{{ [ -s night-{n}.txt ] || echo {n} >> night-{n}.txt; }}; sleep 0.05");
    let turn = |n: usize| json!({ "tools": [["bash", { "command": format!("{write} # {n}") }]], "insist": true });
    let lines = (1..=4).map(turn).chain([json!({ "say": "All done." })]);
    let script: Vec<String> = lines.map(|line| line.to_string()).collect();
    let text = format!("Card {n}\n\n```sim\n{}\n```", script.join("\n"));
    json!({ "title": format!("Card {n}"), "description": text, "model": "simulated", "dependencies": on })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_auto_mode_builds_and_merges_ten_dependent_cards() {
    let mut hall = Hall::open().await;
    let me = json!({ "email": "olga@example.com", "password": PASSWORD, "name": "Olga" });
    hall.call(Method::POST, "/api/auth/register", Some(me)).await.unwrap();
    let new = json!({ "name": "p", "source": { "kind": "empty" } });
    hall.call(Method::PUT, "/api/settings/prices", Some(price())).await.unwrap();
    let project = hall.call(Method::POST, "/api/projects", Some(new)).await.unwrap();
    let project = project["id"].as_str().unwrap().to_owned();
    let base = format!("/api/projects/{project}");
    while hall.call(Method::GET, &base, None).await.unwrap()["status"] != "ready" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let settings = json!({ "settings": { "verifyCommands": ["sleep 0.1; ls night-*.txt"], "afterWork": "merge" } });
    hall.call(Method::PATCH, &base, Some(settings)).await.unwrap();
    let mut ids: Vec<Value> = Vec::new();
    for n in 0..10_usize {
        // Two chains that meet again and again.
        let names: Vec<usize> = [n.checked_sub(2), n.checked_sub(3)].into_iter().flatten().collect();
        let on: Vec<Value> = names.iter().map(|other| ids[*other].clone()).collect();
        let made = hall.call(Method::POST, &format!("{base}/features"), Some(ordered(n, &on, &names))).await.unwrap();
        ids.push(made["id"].clone());
    }
    let on = json!({ "action": "start", "maxConcurrent": 3 });
    hall.call(Method::POST, &format!("{base}/auto-mode"), Some(on)).await.unwrap();

    let mut seed = std::env::var("GUILDHALL_TEST_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let done = |statuses: &[String]| statuses.iter().filter(|status| *status == "completed").count();
    for _ in 0..KILLS {
        // Anywhere: between two cards, in a turn, in the checks, in a merge.
        tokio::time::sleep(Duration::from_millis(100 + random(900))).await;
        hall.kill_and_start_again().await;
    }
    let ended = async {
        loop {
            let statuses = hall.statuses(&project).await;
            if done(&statuses) == 10 {
                return;
            }
            if statuses.iter().any(|status| status == "failed" || status == "waiting_approval") {
                let list = hall.call(Method::GET, &format!("{base}/features"), None).await.unwrap();
                let errors: Vec<&Value> = list["items"].as_array().unwrap().iter().map(|card| &card["error"]).collect();
                panic!("{statuses:?}: {errors:?}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(3 * PATIENCE, ended).await.expect("every card is merged");
    let order = hall.call(Method::GET, &format!("{base}/auto-mode"), None).await.unwrap();
    assert_eq!((&order["state"], &order["failures"]), (&json!("on"), &json!([])));
    hall.server.kill().await.unwrap();

    let data = hall.dir.path();
    whole_database(data).await;
    let repository = data.join(format!("repositories/{project}.git"));
    fsck(&repository).await;
    let repo = Repo::open(&repository).unwrap();
    let tip = repo.branch("main").await.unwrap().unwrap();
    for n in 0..10_usize {
        let file = repo.file_at(&tip, &format!("night-{n}.txt"), 100).await.unwrap();
        assert_eq!(file, Some(Blob::Bytes(format!("{n}\n").into_bytes())), "card {n} is there once");
    }
    let log = repo.log("main", 0, 100).await.unwrap();
    for id in &ids {
        let trailer = format!("Guildhall-Feature: {}", id.as_str().unwrap());
        let merges = log.iter().filter(|commit| commit.body.lines().any(|line| line == trailer)).count();
        assert_eq!(merges, 1, "each card was merged once");
    }
    nothing_left_at_work(data);
}

/// The simulated model at a price, so that money is set aside for its calls.
pub fn price() -> Value {
    json!({ "provider": "anthropic", "pattern": "simulated", "input": 10, "output": 10, "cacheRead": 10, "cacheWrite": 10 })
}

/// A step of the pipeline whose agent does these scripts, one for each look.
fn step(name: &str, looks: &[Vec<Value>]) -> Value {
    let script = |lines: &Vec<Value>| {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        format!("```sim\n{}\n```", lines.join("\n"))
    };
    let looks: Vec<String> = looks.iter().map(script).collect();
    json!({ "name": name, "instructions": looks.join("\n\n"), "returns": 1 })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_work_passes_two_steps_and_none_twice() {
    let mut hall = Hall::open().await;
    let me = json!({ "email": "olga@example.com", "password": PASSWORD, "name": "Olga" });
    hall.call(Method::POST, "/api/auth/register", Some(me)).await.unwrap();
    let new = json!({ "name": "p", "source": { "kind": "empty" } });
    let project = hall.call(Method::POST, "/api/projects", Some(new)).await.unwrap();
    let project = project["id"].as_str().unwrap().to_owned();
    let base = format!("/api/projects/{project}");
    while hall.call(Method::GET, &base, None).await.unwrap()["status"] != "ready" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let counts = |path: &str| json!({ "tools": [["bash", { "command": format!("echo x >> {path}; sleep 0.05") }]] });
    let asks = json!({ "tools": [["request_changes", { "changes": "Mend it." }]] });
    let says = |words: &str| json!({ "say": words });
    let steps = [
        step("Review", &[vec![counts("r"), asks], vec![counts("r"), says("Good.")]]),
        step("Docs", &[vec![counts("d"), counts("d"), says("Written.")]]),
    ];
    let settings = json!({ "settings": { "pipeline": steps, "verifyCommands": ["true"], "afterWork": "verify" } });
    hall.call(Method::PATCH, &base, Some(settings)).await.unwrap();
    let writes = |path: &str| json!({ "tools": [["write", { "path": path, "content": "x\n" }]] });
    let files = ["1.txt", "2.txt", "3.txt", "4.txt"].map(writes);
    let work: Vec<Value> = files.into_iter().chain([says("Done."), counts("mended"), says("Mended.")]).collect();
    let lines: Vec<String> = work.iter().map(ToString::to_string).collect();
    let mut runs = Vec::new();
    for name in ["a", "b", "c"] {
        let card =
            json!({ "description": format!("{name}\n\n```sim\n{}\n```", lines.join("\n")), "model": "simulated" });
        let made = hall.call(Method::POST, &format!("{base}/features"), Some(card)).await.unwrap();
        let start = format!("/api/features/{}/start", made["id"].as_str().unwrap());
        let started = hall.call(Method::POST, &start, None).await.unwrap();
        runs.push(started["run"]["id"].as_str().unwrap().parse::<RunId>().unwrap());
    }
    let mut seed = std::env::var("GUILDHALL_TEST_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..KILLS {
        let wanted = hall.sim.requests().len() + 1 + random(3) as usize;
        while hall.sim.requests().len() < wanted
            && hall.statuses(&project).await.iter().any(|status| status != "verified")
        {
            tokio::task::yield_now().await;
        }
        // Anywhere: in the work, in a look, between two looks, between the last one and the checks.
        tokio::time::sleep(Duration::from_millis(random(200))).await;
        hall.kill_and_start_again().await;
    }
    let ended = async {
        while hall.statuses(&project).await.iter().any(|status| status == "queued" || status == "in_progress") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("every run ends");
    assert_eq!(hall.statuses(&project).await, ["verified"; 3]);
    hall.server.kill().await.unwrap();

    let data = hall.dir.path();
    whole_database(data).await;
    fsck(&data.join(format!("repositories/{project}.git"))).await;
    let store = Store::open(&format!("sqlite://{}/guildhall.db", data.display()), std::sync::Arc::new(SystemClock))
        .await
        .unwrap();
    let mut passed = 0;
    for run in runs {
        let looks = store.steps(run).await.unwrap();
        if looks.is_empty() {
            // Each of its writes was cut off: work that changes nothing has nothing to pass.
            let run = store.run(run).await.unwrap().unwrap();
            assert!(run.head_commit.is_none() || run.head_commit == run.base_commit, "{run:?}");
            continue;
        }
        passed += 1;
        let told: Vec<String> =
            looks.iter().map(|look| format!("{} {}: {}", look.name, look.look, look.status)).collect();
        assert_eq!(told, ["Review 1: asked", "Docs 1: passed", "Review 2: passed"]);
        let turns = async |of| store.turns_of(run, of).await.unwrap().len();
        assert_eq!(turns(None).await, 7, "the agent that builds the card");
        assert_eq!((turns(Some(1)).await, turns(Some(3)).await, turns(Some(2)).await), (2, 2, 3));
        let numbers: Vec<i64> = store.turns(run).await.unwrap().iter().map(|turn| turn.number).collect();
        assert_eq!(numbers, (1..=14).collect::<Vec<i64>>());
    }
    assert!(passed > 0, "no work was left to pass the pipeline: choose another seed");
    nothing_left_at_work(data);
}

/// Checks the run of one card. Returns how many of its turns were cut off in the middle.
async fn whole_run(store: &Store, repo: &Repo, run: RunId, name: &str) -> usize {
    let run = store.run(run).await.unwrap().unwrap();
    let turns: Vec<Turn> = store.turns(run.id).await.unwrap();
    assert_eq!(turns.len(), TURNS + 1);
    let head = Oid::parse(run.head_commit.as_ref().or(run.base_commit.as_ref()).unwrap()).unwrap();
    let log = match repo.file_at(&head, &format!("{name}.log"), 1 << 16).await.unwrap() {
        Some(Blob::Bytes(bytes)) => String::from_utf8(bytes).unwrap(),
        _ => String::new(),
    };
    let counted: Vec<&str> = log.lines().collect();
    assert_eq!(counted.len(), counted.iter().collect::<HashSet<_>>().len(), "a command's effect is there twice: {log}");
    let mut cut_off = 0;
    for turn in &turns[..TURNS] {
        let results = turn.results.as_ref().unwrap();
        let failed = results.iter().any(|result| matches!(result, Block::ToolResult { is_error: true, .. }));
        cut_off += usize::from(failed);
        let file = repo.file_at(&head, &format!("{name}-{}.txt", turn.number), 100).await.unwrap();
        assert_eq!(file.is_some(), !failed, "{name}, turn {}: {results:?}", turn.number);
        assert_eq!(counted.contains(&turn.number.to_string().as_str()), !failed, "{name}, turn {}", turn.number);
    }
    cut_off
}

/// The file is sound, each turn was billed once, and what was billed adds up to what the runs say.
pub async fn whole_database(data: &Path) {
    let url = format!("sqlite://{}/guildhall.db", data.display());
    let mut db = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let (sound,): (String,) = sqlx::query_as("PRAGMA integrity_check").fetch_one(&mut db).await.unwrap();
    assert_eq!(sound, "ok");
    let twice: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT turn, count(*) FROM ledger WHERE turn IS NOT NULL GROUP BY run_id, turn HAVING count(*) > 1",
    )
    .fetch_all(&mut db)
    .await
    .unwrap();
    assert!(twice.is_empty(), "turns that were billed twice: {twice:?}");
    let (billed, told): (i64, i64) =
        sqlx::query_as("SELECT (SELECT sum(output_tokens) FROM ledger), (SELECT sum(output_tokens) FROM runs)")
            .fetch_one(&mut db)
            .await
            .unwrap();
    assert_eq!(billed, told);
    let (open,): (i64,) = sqlx::query_as("SELECT count(*) FROM reservations").fetch_one(&mut db).await.unwrap();
    assert_eq!(open, 0, "no money is left set aside");
    let (events, last): (i64, i64) =
        sqlx::query_as("SELECT count(*), max(seq) FROM events").fetch_one(&mut db).await.unwrap();
    assert_eq!(events, last, "the events have no gap");
}

/// No process mentions the data folder any more: agents' commands die with their server.
fn nothing_left_at_work(data: &Path) {
    let folder = data.display().to_string();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        assert!(!line.contains(&folder), "still at work: {line}");
    }
}
