//! The program's log, as a machine reads it.

use std::process::Stdio;

use guildhall_sim::{Config, Sim};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::harness::{PASSWORD, PATIENCE, Persona};
use crate::program::guildhall;

/// A card whose agent uses its tools.
const CARD: &str = "Do it.\n\n```sim\n{\"say\": \"I look.\", \"tools\": [[\"bash\", {\"command\": \"echo hello\"}]]}\n\
    {\"say\": \"Done.\"}\n```";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_of_a_request_and_of_a_run_says_of_which() {
    let dir = tempfile::tempdir().unwrap();
    let sim = Sim::start(Config::default()).await.unwrap();
    let mut command = guildhall(dir.path());
    command.arg("serve").env("GUILDHALL_SIMULATED_PROVIDER_URL", sim.url());
    command
        .env("GUILDHALL_LOG_FORMAT", "json")
        .env("GUILDHALL_LOG", "info,guildhall_server=debug,guildhall_engine=debug");
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = server.stderr.take().unwrap();
    let reading = tokio::spawn(async move {
        let mut text = String::new();
        log.read_to_string(&mut text).await.unwrap();
        text
    });
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    let mut owner = Persona::at(line.split_once(" is at ").unwrap().1);
    let me = json!({ "email": "olga@example.com", "password": PASSWORD, "name": "Olga" });
    owner.post("/api/auth/register", me).await.is(StatusCode::CREATED);
    let project = owner.project("p", json!({ "kind": "empty" })).await;
    let path = format!("/api/projects/{}/features", project["id"].as_str().unwrap());
    let card = json!({ "description": CARD, "model": "simulated" });
    let card = owner.post(&path, card).await.is(StatusCode::CREATED)["id"].as_str().unwrap().to_owned();
    let mut socket = owner.listen("").await.unwrap();
    let started = owner.call(&format!("/api/features/{card}/start")).await;
    started.is(StatusCode::ACCEPTED);
    let ended = |frame: &Value| frame["feature"]["id"] == *card && frame["feature"]["status"] == "waiting_approval";
    let run = socket.wait(ended).await["feature"]["runId"].as_str().unwrap().to_owned();
    // A refusal says in its problem details which line of the log is its own.
    let refused = owner.get("/api/features/none").await.is(StatusCode::BAD_REQUEST);
    // The end of the run is in the log when the server has ended.
    let pid = rustix::process::Pid::from_raw(i32::try_from(server.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    tokio::time::timeout(PATIENCE, server.wait()).await.unwrap().unwrap();
    let log = tokio::time::timeout(PATIENCE, reading).await.unwrap().unwrap();

    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_request = |id: &str| lines.iter().filter(|line| line["span"]["id"] == *id).count();
    assert!(of_request(started.header("x-request-id")) > 0, "{log}");
    assert!(of_request(refused["requestId"].as_str().unwrap()) > 0, "{log}");
    let of_run: Vec<&Value> = lines.iter().filter(|line| line["span"]["run"] == *run).collect();
    for message in ["a run begins", "a way out of a sandbox is open", "a run ended"] {
        assert!(of_run.iter().any(|line| line["message"] == message), "{message}: {of_run:#?}");
    }
    let astray = lines.iter().find(|line| line.to_string().contains(&run) && line["span"].is_null());
    assert_eq!(astray, None, "a line of a run that does not say so");
}
