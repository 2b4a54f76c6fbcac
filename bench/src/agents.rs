//! Memory of agents that wait for their model.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use guildhall_sim::{Config, Sim};
use serde_json::json;

use crate::server::Server;
use crate::table::Table;

/// How many.
const AGENTS: usize = 100;
/// Without a call for so long, something is wrong.
const QUIET: Duration = Duration::from_secs(20);
/// MiB of each at most.
const TARGET: f64 = 1.0;
/// Turns of those that have worked before.
const TURNS: usize = 10;
/// Longer than any measurement.
const SILENCE: &str = "{\"say\": \"Done.\", \"silence_ms\": 1200000}";

/// Measures agents at their first call, and agents that have worked before.
pub async fn measure(program: &Path, table: &mut Table) -> anyhow::Result<()> {
    // No call comes again: an agent that goes round in circles is ended.
    let looks = |turn: usize| {
        let tools = json!([["read", { "path": "README.md" }], ["glob", { "pattern": format!("**/*{turn}*") }]]);
        json!({ "think": "I look.", "tools": tools })
    };
    let works =
        json!({ "tools": [["write", { "path": "notes.md", "content": "Noted.\n" }], ["bash", { "command": "ls" }]] });
    let steps: Vec<String> = (1..TURNS).map(looks).chain([works]).map(|step| step.to_string()).collect();
    let worked = format!("{}\n{SILENCE}", steps.join("\n"));
    for (name, script, turns) in [
        ("agents: each that waits for its first answer", SILENCE, 0),
        ("agents: each after 10 turns with tools", &worked, TURNS),
    ] {
        let Waiting { before, after, processes, again } = wait(program, script, turns).await?;
        let mut note = format!("{before:.1} MiB before, {after:.1} MiB with {AGENTS} in {processes} process(es)");
        if again > 0 {
            note += &format!("; {again} starts FAILED and were made again");
        }
        table.add(name, (after - before) / AGENTS as f64, "MiB", TARGET, note);
    }
    Ok(())
}

/// Agents that wait.
struct Waiting {
    /// MiB before they were started.
    before: f64,
    /// MiB while they wait.
    after: f64,
    /// The server and its children.
    processes: usize,
    /// Starts that failed, which are made again, so that there is a figure.
    again: usize,
}

/// Starts all agents, each of which waits after so many turns.
async fn wait(program: &Path, script: &str, turns: usize) -> anyhow::Result<Waiting> {
    let sim = Sim::start(Config::default()).await?;
    let mut server = Server::start(program, Some(&sim.url()), None).await?;
    server.sign_up().await?;
    server.raise_limits().await?;
    let project = server.project(json!({ "kind": "empty" })).await?;
    let mut cards = Vec::new();
    for number in 0..AGENTS {
        cards.push(server.card(&project, &format!("Card {number}"), script).await?);
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = server.memory()?;

    let mut arrivals = sim.arrivals();
    for card in &cards {
        server.post(&format!("/api/features/{card}/start"), &serde_json::Value::Null).await?;
    }
    let (mut waiting, mut again) = (0, 0);
    while waiting < AGENTS {
        let Ok(arrival) = tokio::time::timeout(QUIET, arrivals.recv()).await else {
            let failed = restart(&server, &cards).await?;
            ensure!(failed > 0 && again < AGENTS, "only {waiting} agents came as far as their last call");
            again += failed;
            continue;
        };
        let arrival = arrival.context("the simulator has ended")?;
        let answers = arrival.body["messages"].as_array().into_iter().flatten();
        waiting += usize::from(answers.filter(|message| message["role"] == "assistant").count() == turns);
    }
    // Until what the starts needed beside the agents has been given back.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = server.memory()?;
    Ok(Waiting { before: before.mib, after: after.mib, processes: after.processes, again })
}

/// Starts the failed cards again, and says why they failed; how many there were.
async fn restart(server: &Server, cards: &[String]) -> anyhow::Result<usize> {
    let mut failed = 0;
    for id in cards {
        let card = server.get(&format!("/api/features/{id}")).await?;
        if card["status"] == "failed" {
            writeln!(std::io::stderr(), "a start failed: {}", card["error"]["message"])?;
            server.post(&format!("/api/features/{id}/start"), &serde_json::Value::Null).await?;
            failed += 1;
        }
    }
    Ok(failed)
}
