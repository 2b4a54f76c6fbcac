//! The program's log, as a machine reads it.

use std::process::Stdio;
use std::time::Duration;

use guildhall_sim::{Config, Sim};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::harness::{PASSWORD, PATIENCE, Persona};
use crate::program::guildhall;

/// A card whose agent uses its tools.
const CARD: &str = "Do it.\n\n```sim\n{\"say\": \"I look.\", \"tools\": [[\"bash\", {\"command\": \"echo hello\"}]]}\n\
    {\"say\": \"Done.\"}\n```";

/// A file without any room, and a pipe that nobody reads any more.
fn dead_ends() -> [(&'static str, Stdio); 2] {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    [
        ("a full disk", std::fs::File::options().write(true).open("/dev/full").unwrap().into()),
        ("no reader", writer.into()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_written_ends_nothing() {
    for (what, log) in dead_ends() {
        let dir = tempfile::tempdir().unwrap();
        let sim = Sim::start(Config::default()).await.unwrap();
        // Where it is, it cannot say.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = guildhall(dir.path());
        command.arg("serve").env("GUILDHALL_SIMULATED_PROVIDER_URL", sim.url()).env("GUILDHALL_LOG", "debug");
        command.env("GUILDHALL_LISTEN", format!("127.0.0.1:{port}"));
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut server = command.stdout(full).stderr(log).spawn().unwrap();
        let mut owner = Persona::at(&format!("http://127.0.0.1:{port}"));
        let up = async {
            while owner.request(Method::GET, "/api/health").send().await.is_err() {
                assert!(server.try_wait().unwrap().is_none(), "{what}: it ended");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, up).await.unwrap();
        let me = json!({ "email": "olga@example.com", "password": PASSWORD, "name": "Olga" });
        owner.post("/api/auth/register", me).await.is(StatusCode::CREATED);
        let project = owner.project("p", json!({ "kind": "empty" })).await;
        let project = format!("/api/projects/{}", project["id"].as_str().unwrap());
        let mut socket = owner.listen("").await.unwrap();
        owner.post(&format!("{project}/auto-mode"), json!({ "action": "start" })).await.is(StatusCode::OK);
        // One after the other, so that something is claimed after something ended.
        for _ in 0..2 {
            let card = json!({ "description": CARD, "model": "simulated" });
            let card = owner.post(&format!("{project}/features"), card).await.is(StatusCode::CREATED);
            socket
                .wait(|frame| frame["feature"]["id"] == card["id"] && frame["feature"]["status"] == "waiting_approval")
                .await;
        }
        server.kill().await.unwrap();
    }
}

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
