//! Traces, as a collector receives them from the program.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use guildhall_sim::{Config, Sim};
use guildhall_types::trace::Key;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Said;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::harness::{PASSWORD, PATIENCE, Persona};
use crate::program::{guildhall, run};

/// Stands in a command, in a file, in what the model says, in an address, in a header and in the name of a tool, and is to be
/// told to nobody.
const CANARY: &str = "canary-7c41d0e9";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

#[derive(Default)]
struct Received {
    bodies: Vec<Vec<u8>>,
    headers: Vec<(String, HeaderMap)>,
}

/// A collector that takes everything.
async fn collector() -> (String, Arc<Mutex<Received>>) {
    async fn take(State(all): State<Arc<Mutex<Received>>>, uri: Uri, headers: HeaderMap, body: Bytes) {
        let mut all = all.lock().unwrap();
        all.headers.push((uri.to_string(), headers));
        all.bodies.push(body.to_vec());
    }
    let all = Arc::new(Mutex::new(Received::default()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().fallback(take).with_state(Arc::clone(&all));
    tokio::spawn(axum::serve(listener, router).into_future());
    (format!("http://{address}"), all)
}

fn text(value: &Option<AnyValue>) -> String {
    match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Said::StringValue(text)) => text.clone(),
        Some(Said::IntValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    }
}

fn said(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    attributes.iter().map(|one| (one.key.clone(), text(&one.value))).collect()
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every span that was received.
struct Spans(Vec<Span>);

impl Spans {
    fn of(received: &Received) -> Self {
        let batches = received.bodies.iter().map(|body| ExportTraceServiceRequest::decode(body.as_slice()).unwrap());
        let all = batches.flat_map(|batch| batch.resource_spans).flat_map(|one| one.scope_spans);
        Self(all.flat_map(|one| one.spans).collect())
    }

    /// The spans of this name below another one.
    fn below(&self, parent: &Span, name: &str) -> Vec<&Span> {
        let all = self.0.iter().filter(|span| span.parent_span_id == parent.span_id && span.name == name);
        all.collect()
    }

    fn one(&self, name: &str) -> &Span {
        let mut all = self.0.iter().filter(|span| span.name == name);
        let names: Vec<&str> = self.0.iter().map(|span| span.name.as_str()).collect();
        let found = all.next().unwrap_or_else(|| panic!("no {name} in {names:?}"));
        assert!(all.next().is_none(), "{name} is there twice");
        found
    }
}

/// The program, which tells this collector.
async fn serve(data: &Path, env: &[(&str, &str)]) -> (Child, String) {
    let mut command = guildhall(data);
    command.arg("serve").envs(env.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = command.spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    (server, line.split_once(" is at ").unwrap().1.to_owned())
}

/// Tells the program to stop, and waits for that.
async fn stop(mut server: Child) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(server.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(tokio::time::timeout(PATIENCE, server.wait()).await.unwrap().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_one_tree_from_the_request_to_the_command_and_tells_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let sim = Sim::start(Config::default()).await.unwrap();
    let (endpoint, received) = collector().await;
    let env = [
        ("GUILDHALL_SIMULATED_PROVIDER_URL", sim.url()),
        ("GUILDHALL_TRUSTED_PROXIES", "127.0.0.1".to_owned()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=hid%64en,x-team=guild".to_owned()),
        ("OTEL_SERVICE_NAME", "hall".to_owned()),
    ];
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (server, url) = serve(dir.path(), &env).await;
    let mut owner = Persona::at(&url);
    let me = json!({ "email": format!("{CANARY}@example.com"), "password": PASSWORD, "name": CANARY });
    owner.post("/api/auth/register", me).await.is(StatusCode::CREATED);
    let project = owner.project("p", json!({ "kind": "empty" })).await;
    let path = format!("/api/projects/{}/features", project["id"].as_str().unwrap());
    let script = [
        json!({ "say": format!("I look for {CANARY}."), "tools": [
            ["bash", { "command": format!("echo {CANARY}; exit 3") }],
            ["write", { "path": format!("{CANARY}.txt"), "content": CANARY }],
            [CANARY, { "x": CANARY }],
        ] }),
        json!({ "say": "Done." }),
    ];
    let script: Vec<String> = script.iter().map(Value::to_string).collect();
    let card =
        json!({ "description": format!("{CANARY}\n\n```sim\n{}\n```", script.join("\n")), "model": "simulated" });
    let card = owner.post(&path, card).await.is(StatusCode::CREATED)["id"].as_str().unwrap().to_owned();
    let mut socket = owner.listen("").await.unwrap();
    let start = owner
        .request(Method::POST, &format!("/api/features/{card}/start"))
        .header("traceparent", format!("00-{TRACE}-{CALLER}-01"));
    let started = owner.send(start).await;
    started.is(StatusCode::ACCEPTED);
    let ended = |frame: &Value| frame["feature"]["id"] == *card && frame["feature"]["status"] == "waiting_approval";
    let run_id = socket.wait(ended).await["feature"]["runId"].as_str().unwrap().to_owned();
    drop(socket);
    let odd = owner.request(Method::GET, &format!("/api/features/{CANARY}?secret={CANARY}")).header("x-odd", CANARY);
    assert!(owner.send(odd).await.status.is_client_error());
    owner.get(&format!("/{CANARY}")).await;
    stop(server).await;

    let received = received.lock().unwrap();
    let (at, headers) = &received.headers[0];
    assert_eq!(at, "/v1/traces");
    assert_eq!((&headers["x-api-key"], &headers["x-team"]), (&"hidden".parse().unwrap(), &"guild".parse().unwrap()));
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let first = ExportTraceServiceRequest::decode(received.bodies[0].as_slice()).unwrap();
    let about = said(&first.resource_spans[0].resource.as_ref().unwrap().attributes);
    assert_eq!(about["service.name"], "hall");

    let spans = Spans::of(&received);
    let request = spans.one("POST /api/features/{id}/start");
    assert_eq!((hex(&request.trace_id), hex(&request.parent_span_id)), (TRACE.to_owned(), CALLER.to_owned()));
    let of_request = said(&request.attributes);
    assert_eq!(of_request[Key::Status.as_str()], "202");
    assert_eq!(of_request[Key::Request.as_str()], started.header("x-request-id"));
    let [stretch] = spans.below(request, "run")[..] else { panic!("the run is not below its request") };
    let of_run = said(&stretch.attributes);
    assert_eq!((&of_run[Key::Run.as_str()], &of_run[Key::Feature.as_str()]), (&run_id, &card));
    assert_eq!(of_run[Key::Outcome.as_str()], "waiting");
    let turns = spans.below(stretch, "turn");
    assert_eq!(
        turns.iter().map(|turn| said(&turn.attributes)[Key::Turn.as_str()].clone()).collect::<Vec<_>>(),
        ["1", "2"]
    );
    let [call] = spans.below(turns[0], "chat simulated")[..] else { panic!("the call is not below its turn") };
    let of_call = said(&call.attributes);
    assert_eq!(of_call[Key::Model.as_str()], "simulated");
    assert!(of_call[Key::InputTokens.as_str()].parse::<i64>().unwrap() > 0, "{of_call:?}");
    let [tool] = spans.below(turns[0], "execute_tool bash")[..] else { panic!("the tool is not below its turn") };
    let [command] = spans.below(tool, "command")[..] else { panic!("the command is not below its tool") };
    assert_eq!(said(&command.attributes)[Key::ExitCode.as_str()], "3");
    assert_eq!(spans.below(turns[0], "execute_tool write").len(), 1);
    assert_eq!(spans.below(turns[0], "execute_tool unknown").len(), 1, "a tool that there is not");
    assert!(spans.0.iter().any(|span| span.name.starts_with("git ") && hex(&span.trace_id) == TRACE));
    for span in &spans.0 {
        for key in said(&span.attributes).keys() {
            assert!(Key::ALL.iter().any(|known| known.as_str() == key), "{} says {key}", span.name);
        }
        assert!(span.events.is_empty() && span.links.is_empty(), "{span:?}");
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano && span.start_time_unix_nano > 0, "{span:?}");
    }
    let whole = received.bodies.concat();
    let holds = |secret: &str| whole.windows(secret.len()).any(|part| part == secret.as_bytes());
    assert!(holds("POST /api/features/{id}/start") && !holds(CANARY) && !holds(PASSWORD) && !holds("hidden"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_making_of_a_repository_is_told_with_its_gits_and_how_it_ended() {
    let dir = tempfile::tempdir().unwrap();
    let (endpoint, received) = collector().await;
    let env = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("GUILDHALL_ALLOW_PRIVATE_PROVIDERS", "true")];
    let (server, url) = serve(dir.path(), &env).await;
    let mut owner = Persona::at(&url);
    let me = json!({ "email": "olga@example.com", "password": PASSWORD, "name": "Olga" });
    owner.post("/api/auth/register", me).await.is(StatusCode::CREATED);
    let mut made = BTreeMap::new();
    let nowhere = format!("http://127.0.0.1:9/{CANARY}.git");
    for (source, status) in
        [(json!({ "kind": "empty" }), "ready"), (json!({ "kind": "clone", "url": nowhere }), "failed")]
    {
        let new = json!({ "name": format!("{CANARY} {status}"), "source": source });
        let id = owner.post("/api/projects", new).await.is(StatusCode::CREATED)["id"].as_str().unwrap().to_owned();
        owner.until(&format!("/api/projects/{id}"), |project| project["status"] == status).await;
        made.insert(id, status);
    }
    stop(server).await;

    let received = received.lock().unwrap();
    let spans = Spans::of(&received);
    let jobs = spans.0.iter().filter(|span| span.name == "job repository");
    let mut told = BTreeMap::new();
    for job in jobs {
        let of_job = said(&job.attributes);
        let gits = spans.0.iter().filter(|span| span.parent_span_id == job.span_id && span.name.starts_with("git "));
        told.insert(of_job[Key::Project.as_str()].clone(), of_job.get(Key::Error.as_str()).cloned());
        assert!(gits.count() > 0, "{job:?}");
    }
    let expected = made.into_iter().map(|(id, status)| (id, (status == "failed").then(|| "not-made".to_owned())));
    assert_eq!(told, expected.collect());
    let whole = received.bodies.concat();
    assert!(!whole.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()));
}

#[tokio::test]
async fn the_doctor_says_whether_the_collector_takes_traces() {
    let (endpoint, received) = collector().await;
    let dir = tempfile::tempdir().unwrap();
    let doctor = async |endpoint: &str| {
        let mut command = guildhall(dir.path());
        command.arg("doctor").env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint);
        run(command.env("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=hidden")).await
    };
    let exact = format!("{endpoint}/of/my/own");
    let (_, out, err) = doctor(&exact).await;
    assert!(out.contains(&format!("ok    traces: {exact} takes traces")), "{out}{err}");
    assert_eq!(received.lock().unwrap().headers[0].0, "/of/my/own");
    let (_, out, err) = doctor("http://127.0.0.1:9/v1/traces").await;
    assert!(out.contains("warn  traces: http://127.0.0.1:9/v1/traces: it cannot be reached"), "{out}{err}");
    assert!(!format!("{out}{err}").contains("hidden"));
}
