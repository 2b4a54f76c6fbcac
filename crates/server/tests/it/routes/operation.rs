//! What the machines have and who uses what, and figures for programs that watch.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use guildhall_llm::Secret;
use guildhall_server::metrics::ALL;
use guildhall_store::{KnownNode, Minute, Store};
use guildhall_types::member::MemberRole;
use guildhall_types::reading::Reading;
use guildhall_types::rights::Scope;
use guildhall_types::sample::{Level, MemberFigures, NodeFigures, Span};
use guildhall_types::{Clock, NodeId, PlaceId, SystemClock};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::Connection;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::backups::until;
use crate::harness::{PASSWORD, Persona, TestApp, Wish};
use crate::rotation::serve;

const TOKEN: &str = "an-operators-metrics-token";

async fn watched() -> TestApp {
    TestApp::with(Wish {
        change: Box::new(|config| config.metrics_token = Some(Secret::new(TOKEN))),
        ..Wish::default()
    })
    .await
}

/// Asks Prometheus's own tool whether these figures are in order.
async fn promtool(text: &str) {
    let mut command = Command::new("promtool");
    let started = command.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = started.unwrap_or_else(|error| {
        panic!(
            "promtool cannot be started ({error}): `scripts/setup.sh test` installs it, in Debian's package prometheus"
        )
    });
    let mut input = child.stdin.take().unwrap();
    input.write_all(text.as_bytes()).await.unwrap();
    drop(input);
    let done = child.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.trim().is_empty(), "{said}\n{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_are_in_order_and_are_those_that_the_docs_name() {
    let app = watched().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let id = project["id"].as_str().unwrap();
    let mut socket = owner.listen("").await.unwrap();
    let card = "Do it.\n\n```sim\n{\"say\": \"Look.\", \"tools\": [[\"bash\", {\"command\": \"true\"}]]}\n{\"say\": \"Done.\"}\n```";
    let card = json!({ "description": card, "model": "simulated" });
    let card = owner.post(&format!("/api/projects/{id}/features"), card).await.is(StatusCode::CREATED);
    let card = card["id"].as_str().unwrap().to_owned();
    owner.call(&format!("/api/features/{card}/start")).await.is(StatusCode::ACCEPTED);
    socket.wait(|frame| frame["feature"]["id"] == *card && frame["feature"]["status"] == "waiting_approval").await;
    owner.get("/nobody/asks/for/this").await;

    // The run's end is told before it is counted.
    let mut program = app.program(TOKEN);
    let mut answer = program.get("/metrics").await;
    while !answer.text().contains("guildhall_runs_ended_total") {
        answer = program.get("/metrics").await;
    }
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"), "{answer:?}");
    let text = answer.text();
    promtool(&text).await;
    let told: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let known: BTreeMap<&str, &str> = ALL.iter().map(|metric| (metric.name, metric.kind.as_str())).collect();
    // What not every server has, and what is first known after a while.
    let may_lack = [
        "guildhall_bus_up",
        "guildhall_disk_files_used",
        "guildhall_disk_files_limit",
        "guildhall_last_good_backup_timestamp_seconds",
        "guildhall_last_clean_up_timestamp_seconds",
        "guildhall_mail_flows_timestamp_seconds",
        "guildhall_certificate_ends_timestamp_seconds",
        "guildhall_refused_keys",
    ];
    let must = |of: &BTreeMap<&str, &str>| {
        let mut of: BTreeMap<String, String> =
            of.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect();
        of.retain(|name, _| !may_lack.contains(&name.as_str()));
        of
    };
    assert_eq!(must(&told), must(&known));
    assert!(told.iter().all(|(name, kind)| known.get(name) == Some(kind)), "{told:?}");

    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operators.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let rows: Vec<&str> = docs.lines().filter(|line| line.starts_with("| `guildhall_")).collect();
    let expected: Vec<String> = ALL
        .iter()
        .map(|metric| {
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            format!("| `{}` | {} | {} | {} |", metric.name, metric.kind.as_str(), labels.join(", "), metric.what)
        })
        .collect();
    assert_eq!(rows, expected, "the table of figures in docs/operators.md");

    let line = |begins: &str| {
        let found = text.lines().find(|line| line.starts_with(begins));
        let found = found.unwrap_or_else(|| panic!("no {begins} in\n{text}"));
        found.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
    };
    let start = "guildhall_http_requests_total{method=\"POST\",route=\"/api/features/{id}/start\",status=\"202\"}";
    assert_eq!(line(start), 1.0);
    assert!(line("guildhall_http_requests_total{method=\"GET\",route=\"page\"") >= 1.0);
    assert!(
        !text.contains(&card) && !text.contains(id) && !text.contains("/nobody/asks"),
        "no address is told:\n{text}"
    );
    assert_eq!(line("guildhall_runs_ended_total{outcome=\"waiting\"}"), 1.0);
    assert!(line("guildhall_model_calls_total{provider=\"anthropic\",outcome=\"answered\"}") >= 2.0);
    assert!(line("guildhall_model_tokens_total{provider=\"anthropic\",kind=\"output\"}") > 0.0);
    assert!(line("guildhall_governor_wait_seconds_count") >= 2.0);
    assert!(line("guildhall_sandbox_commands_total") >= 1.0);
    assert_eq!(line("guildhall_websocket_connections"), 1.0);
    assert!(line("guildhall_events_total") > 3.0 && line("guildhall_memory_total_bytes") > 1e6);
    assert_eq!(line("guildhall_database_up"), 1.0);
    let disk = format!("guildhall_disk_total_bytes{{path=\"{}\",role=\"data\"}}", app.dir.path().display());
    assert!(line(&disk) > 1e6);
    assert_eq!(line("guildhall_open_alerts{level=\"critical\"}"), 0.0);
    drop(socket);
}

#[tokio::test]
async fn what_is_known_beside_readings_is_told_to_monitors() {
    let app = watched().await;
    let mut owner = app.owner().await;
    let engine = &app.app.engine;
    let reading = engine.readings().wait_for(Option::is_some).await.unwrap().clone().unwrap();
    engine.judge(&reading).await;
    let text = owner.get("/metrics").await.text();
    assert!(text.contains("\nguildhall_refused_keys 0"), "{text}");
    promtool(&text).await;
}

#[tokio::test]
async fn whether_it_can_work_is_told_to_everybody_and_costs_nothing() {
    let app = TestApp::start().await;
    let mut nobody = app.anonymous();
    app.app.engine.readings().wait_for(Option::is_some).await.unwrap();
    assert_eq!(nobody.get("/api/health/ready").await.is(StatusCode::OK), json!({ "status": "ready" }));
}

#[tokio::test]
async fn the_metrics_token_opens_what_watches_and_nothing_else() {
    let app = watched().await;
    let mut owner = app.owner().await;
    let mut program = app.program(TOKEN);
    let mut viewer = app.member(MemberRole::Viewer).await;
    for path in ["/metrics", "/api/health/detailed"] {
        program.get(path).await.is(StatusCode::OK);
        owner.get(path).await.is(StatusCode::OK);
        viewer.get(path).await.is_problem(StatusCode::FORBIDDEN, "missing-right");
    }
    for path in ["/api/operation", "/api/operation/samples?of=nodes&range=hour", "/api/members", "/api/auth/me"] {
        program.get(path).await.is_problem(StatusCode::UNAUTHORIZED, "bad-token");
    }
    program.put("/api/settings/limits", json!({})).await.is_problem(StatusCode::UNAUTHORIZED, "bad-token");
    let mut near = app.program(&TOKEN[1..]);
    near.get("/metrics").await.is_problem(StatusCode::UNAUTHORIZED, "bad-token");
    app.anonymous().get("/metrics").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    let (admin, _) = owner.token(&[Scope::Admin]).await;
    app.program(&admin).get("/metrics").await.is(StatusCode::OK);
    // A server whose operator gave none has none.
    let app = TestApp::start().await;
    app.owner().await;
    app.program(TOKEN).get("/metrics").await.is_problem(StatusCode::UNAUTHORIZED, "bad-token");
    app.program("").get("/metrics").await.is_problem(StatusCode::UNAUTHORIZED, "bad-token");
}

#[tokio::test]
async fn admins_see_who_uses_what_now_and_over_time() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let engine = &app.app.engine;
    let mut readings = engine.readings();
    readings.wait_for(Option::is_some).await.unwrap();
    let reading = readings.borrow().clone().unwrap();
    let first = owner.get("/api/operation").await.is(StatusCode::OK);
    assert_eq!((&first["members"], &first["activeAgents"], &first["queueDepth"]), (&json!([]), &json!(0), &json!(0)));

    let at = Span::Minute.begin(SystemClock.now());
    let known = KnownNode {
        id: PlaceId::new(),
        node: engine.node(),
        name: "guild-1".to_owned(),
        version: "0".to_owned(),
        url: None,
        started_at: at,
        seen_at: at,
        reading: (*reading).clone(),
    };
    let olga = owner.id().await.parse().unwrap();
    let used = MemberFigures {
        memory: Some(Level { mean: 1_000.0, max: 3_000.0 }),
        agents: Some(Level::of(2.0)),
        processor_millis: 30_000,
        ..MemberFigures::default()
    };
    let minute = Minute { known, at, node: NodeFigures::from(&*reading), members: vec![(olga, used)] };
    app.app.team.store.save_minute(&minute).await.unwrap();

    let now = owner.get("/api/operation").await.is(StatusCode::OK);
    // Beside it is the server itself, which is known from its first reading on.
    let made = |of: &Value| of["nodes"].as_array().unwrap().iter().find(|one| one["name"] == "guild-1").cloned();
    let node = made(&now).unwrap();
    assert_eq!((&node["silent"], now["nodes"].as_array().unwrap().len()), (&json!(false), 2));
    assert!(node["reading"]["memory"]["total"].as_i64().unwrap() > 1_000_000, "{node}");
    let member = &now["members"][0];
    assert_eq!(
        (&member["name"], &member["memory"], &member["processors"]),
        (&json!("Olga"), &json!(1_000.0), &json!(0.5))
    );
    let detailed = owner.get("/api/health/detailed").await.is(StatusCode::OK);
    assert!(made(&detailed).is_some() && detailed["database"]["trouble"].is_null(), "{detailed}");
    assert!(detailed["database"]["milliseconds"].as_f64().unwrap() >= 0.0, "{detailed}");
    assert!(detailed["disk"]["total"].as_i64() > detailed["disk"]["used"].as_i64(), "{detailed}");
    assert_eq!((&detailed["bus"]["ok"], &detailed["apiFailures"]), (&json!(true), &json!(0)));

    for range in ["hour", "day", "week", "month"] {
        let members = owner.get(&format!("/api/operation/samples?of=members&range={range}")).await.is(StatusCode::OK);
        let point = &members["members"][0]["points"][0];
        assert_eq!((&point["memory"]["max"], &members["nodes"]), (&json!(3_000.0), &json!([])), "{range}: {members}");
        let nodes = owner.get(&format!("/api/operation/samples?of=nodes&range={range}")).await.is(StatusCode::OK);
        assert!(nodes["nodes"][0]["points"][0]["memory"]["mean"].as_f64().unwrap() > 1e6, "{range}: {nodes}");
    }
    owner.get("/api/operation/samples?of=members&range=age").await.is_problem(StatusCode::BAD_REQUEST, "bad-query");
    let mut member = app.member(MemberRole::Member).await;
    member.get("/api/operation").await.is_problem(StatusCode::FORBIDDEN, "missing-right");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_year_shows_days_of_which_an_earlier_version_kept_the_hours_alone() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("guildhall.db").display());
    let store = Store::open(&url, Arc::new(SystemClock)).await.unwrap();
    store.migrate().await.unwrap();
    let at = Span::Minute.begin(SystemClock.now()) - chrono::Duration::days(20);
    let reading = Reading {
        node: NodeId::new(),
        at,
        memory: None,
        process_memory: None,
        disk: None,
        disks: Vec::new(),
        processors: 1,
        load: None,
        active_agents: None,
        active_runs: 0,
        worktrees: 0,
        queue_depth: None,
        provider_failures: 0,
        database_millis: None,
        database_trouble: None,
    };
    let node = NodeFigures { memory: Some(Level::of(4_711.0)), ..NodeFigures::from(&reading) };
    let known = KnownNode {
        id: PlaceId::new(),
        node: reading.node,
        name: "guild-1".to_owned(),
        version: "0".to_owned(),
        url: None,
        started_at: at,
        seen_at: at,
        reading,
    };
    store.save_minute(&Minute { known, at, node, members: Vec::new() }).await.unwrap();
    store.close().await;
    let mut db = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("DELETE FROM node_samples WHERE span = 86400").execute(&mut db).await.unwrap();
    db.close().await.unwrap();

    let (_server, url) = serve(dir.path(), &[]).await;
    let mut owner = Persona::at(&url);
    let me = json!({ "email": "olga@example.com", "password": PASSWORD, "name": "Olga" });
    owner.post("/api/auth/register", me).await.is(StatusCode::CREATED);
    let shown = |view: &Value| {
        let points = view["nodes"].as_array().into_iter().flatten().flat_map(|node| node["points"].as_array());
        points.flatten().any(|point| point["memory"]["mean"] == 4_711.0)
    };
    until(&mut owner, "/api/operation/samples?of=nodes&range=year", shown).await;
}
