//! Memory of agents that wait for their model.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use guildhall_sim::{Config, Sim};
use serde_json::json;

use crate::server::{PATIENCE, Server};
use crate::table::Table;

/// How many.
const AGENTS: usize = 100;
/// MiB of each at most.
const TARGET: f64 = 1.0;
/// Longer than any measurement.
const SILENCE: &str = "{\"say\": \"Done.\", \"silence_ms\": 1200000}";

/// Measures agents at their first call, and agents that have worked before.
pub async fn measure(program: &Path, table: &mut Table) -> anyhow::Result<()> {
    let reads = "{\"think\": \"I look.\", \"tools\": [[\"read\", {\"path\": \"README.md\"}], [\"glob\", {\"pattern\": \"**/*\"}]]}\n";
    let works = "{\"tools\": [[\"write\", {\"path\": \"notes.md\", \"content\": \"Noted.\\n\"}], [\"bash\", {\"command\": \"ls\"}]]}\n";
    let worked = format!("{}{works}{SILENCE}", reads.repeat(9));
    for (name, script, turns) in [
        ("agents: each that waits for its first answer", SILENCE, 0),
        ("agents: each after 10 turns with tools", &worked, 10),
    ] {
        let (before, after, processes) = wait(program, script, turns).await?;
        let note = format!("{before:.1} MiB before, {after:.1} MiB with {AGENTS} in {processes} process(es)");
        table.add(name, (after - before) / AGENTS as f64, "MiB", TARGET, note);
    }
    Ok(())
}

/// Memory before and after the start of all agents, each of which waits after so many turns; and the processes after.
async fn wait(program: &Path, script: &str, turns: usize) -> anyhow::Result<(f64, f64, usize)> {
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
    let mut waiting = 0;
    while waiting < AGENTS {
        let arrival = tokio::time::timeout(PATIENCE, arrivals.recv())
            .await
            .with_context(|| format!("only {waiting} agents came as far as their last call"))?
            .context("the simulator has ended")?;
        let answers = arrival.body["messages"].as_array().into_iter().flatten();
        waiting += usize::from(answers.filter(|message| message["role"] == "assistant").count() == turns);
    }
    // Until what the starts needed beside the agents has been given back.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = server.memory()?;
    Ok((before.mib, after.mib, after.processes))
}
