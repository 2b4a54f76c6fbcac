//! A database that takes nothing, or says nothing: what was paid is not lost, and what is at work ends in time.

use std::time::{Duration, SystemTime};

use guildhall_engine::Pace;
use guildhall_llm::Secret;
use guildhall_store::UsageQuery;
use guildhall_types::RunId;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::Connection;

use super::postgres::silenceable;
use crate::harness::{PATIENCE, Persona, TestApp, Wish};

/// Starts a card with this script. Returns where it is.
async fn started(persona: &mut Persona, lines: &[Value]) -> String {
    let project = persona.project(&format!("p-{}", RunId::new()), json!({ "kind": "empty" })).await;
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let text = format!("Do it.\n\n```sim\n{}\n```", lines.join("\n"));
    let card = json!({ "description": text, "model": "simulated" });
    let path = format!("/api/projects/{}/features", project["id"].as_str().unwrap());
    let card = persona.post(&path, card).await.is(StatusCode::CREATED);
    let path = format!("/api/features/{}", card["id"].as_str().unwrap());
    persona.call(&format!("{path}/start")).await.is(StatusCode::ACCEPTED);
    path
}

async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("waited in vain for: {what}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_the_database_does_not_take_is_in_the_ledger_when_it_does() {
    let pace = Pace { look: Duration::from_millis(300), alerts: false, ..Pace::default() };
    let app = TestApp::with(Wish { pace, ..Wish::default() }).await;
    let mut owner = app.owner().await;
    let card = started(&mut owner, &[json!({ "silence_ms": 1000, "say": "Done." })]).await;
    until("the call", async || (app.sim.requests().len() == 1).then_some(())).await;
    let url = format!("sqlite://{}", app.dir.path().join("guildhall.db").display());
    let rename = async |sql: &'static str| {
        let mut db = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::query("PRAGMA busy_timeout = 5000").execute(&mut db).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut db).await.unwrap();
    };
    rename("ALTER TABLE ledger RENAME TO ledger_gone").await;
    let failed = owner.until(&card, |card| card["status"] == "failed").await;
    assert_eq!(failed["error"]["code"], "not-saved", "{failed}");
    rename("ALTER TABLE ledger_gone RENAME TO ledger").await;
    let store = &app.app.team.store;
    let now = app.app.team.clock.now();
    let day = chrono::Duration::days(1);
    let all = UsageQuery { from: now - day, to: now + day, project: None, member: None };
    let billed = async || Some(store.usage_total(&all).await.unwrap()).filter(|sums| sums.calls > 0);
    let billed = until("the call in the ledger", billed).await;
    assert_eq!((billed.calls, app.sim.requests().len()), (1, 1));
    let run: RunId = failed["runId"].as_str().unwrap().parse().unwrap();
    assert_eq!(store.run(run).await.unwrap().unwrap().usage.output_tokens, billed.output_tokens);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_cannot_be_written_holds_up_no_other() {
    let pace = Pace { look: Duration::from_millis(300), alerts: false, ..Pace::default() };
    let app = TestApp::with(Wish { pace, ..Wish::default() }).await;
    let mut owner = app.owner().await;
    let url = format!("sqlite://{}", app.dir.path().join("guildhall.db").display());
    let refuse = async |of: &str| {
        let mut db = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::query("PRAGMA busy_timeout = 5000").execute(&mut db).await.unwrap();
        let sql = format!(
            "BEGIN IMMEDIATE; DROP TRIGGER IF EXISTS refuse;
             CREATE TRIGGER refuse BEFORE INSERT ON ledger WHEN {of} BEGIN SELECT RAISE(ABORT, 'no'); END; COMMIT"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
    };
    refuse("TRUE").await;
    let mut runs = Vec::new();
    for _ in 0..2 {
        let card = started(&mut owner, &[json!({ "say": "Done." })]).await;
        let failed = owner.until(&card, |card| card["status"] == "failed").await;
        assert_eq!(failed["error"]["code"], "not-saved", "{failed}");
        runs.push(failed["runId"].as_str().unwrap().parse::<RunId>().unwrap());
    }
    refuse(&format!("NEW.run_id = x'{}'", runs[0].0.simple())).await;
    let store = &app.app.team.store;
    let cost = async |run: RunId| store.run(run).await.unwrap().unwrap().usage.output_tokens;
    until("the second call in the ledger", async || (cost(runs[1]).await > 0).then_some(())).await;
    assert_eq!(cost(runs[0]).await, 0, "the first is not taken");
    // It is kept for a while.
    refuse("FALSE").await;
    until("the first call in the ledger", async || (cost(runs[0]).await > 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_database_falls_silent_ends_its_tools_before_its_lease_ends() {
    const LEASE: Duration = Duration::from_secs(12);
    let (database, silence, proxy) = silenceable().await;
    let pace = Pace { lease: LEASE, look: Duration::from_secs(1), alerts: false, ..Pace::default() };
    let change =
        Box::new(move |config: &mut guildhall_server::config::Config| config.database_url = Secret::new(database));
    let app = TestApp::with(Wish { pace, change, ..Wish::default() }).await;
    let mut owner = app.owner().await;
    let beats = "while true; do echo x > beat; sleep 0.1; done";
    let card = started(&mut owner, &[json!({ "tools": [["bash", { "command": beats, "timeoutMs": 300_000 }]] })]).await;
    let card = owner.until(&card, |card| card["status"] == "in_progress").await;
    let run: RunId = card["runId"].as_str().unwrap().parse().unwrap();
    let file = app.app.team.places.run(run).join("tree/beat");
    let beat = || std::fs::metadata(&file).and_then(|file| file.modified()).ok();
    until("a command at work", async || beat()).await;
    silence.send_replace(true);
    let silent = SystemTime::now();
    tokio::time::sleep(LEASE + Duration::from_secs(2)).await;
    let lasted = beat().unwrap().duration_since(silent).unwrap_or_default();
    assert!(lasted < LEASE, "it worked for {lasted:?} without a word from the database");
    proxy.abort();
}
