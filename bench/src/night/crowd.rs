//! A thousand agents at once on the same machine: memory, how fast the server still answers, and whether all come to an end.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::{StreamExt, TryStreamExt, stream};
use guildhall_sim::{Config, Sim};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::scene::Scale;
use super::watch::Peaks;
use super::{NAMES, line, times};
use crate::server::{Server, text};
use crate::table::quantile;

/// Turns of an agent besides its closing words.
const TURNS: usize = 9;
/// The most that a member may have at work at once.
const MOST: usize = 100;
/// How often the server is asked for something.
const LOOK: Duration = Duration::from_millis(250);
const PATIENCE: Duration = Duration::from_secs(20 * 60);

/// Measures so many agents, and prints a table. Returns whether all came to an end.
pub async fn measure(program: &Path, agents: usize, seed: u64) -> anyhow::Result<bool> {
    ensure!((1..=NAMES.len() * MOST).contains(&agents), "give 1 to {} agents", NAMES.len() * MOST);
    let scale = Scale(1.0);
    let sim =
        Sim::start(Config { first_word: scale.first_word(), per_word: scale.per_word(), ..Config::default() }).await?;
    let mut server = Server::start(program, Some(&sim.url()), None).await?;
    server.sign_up().await?;
    let mut limits = server.get("/api/settings/limits").await?;
    limits["team"]["maxConcurrentFeaturesPerMember"] = MOST.into();
    limits["team"]["maxConcurrentFeatures"] = agents.into();
    limits["team"]["maxWorktreesPerMember"] = MOST.into();
    server.put("/api/settings/limits", &limits).await?;
    let mut sessions = vec![server.session().to_owned()];
    for name in NAMES.iter().take(agents.div_ceil(MOST)).skip(1) {
        sessions.push(server.invite(name).await?);
    }
    let mut projects = Vec::new();
    for name in NAMES.iter().take(sessions.len()) {
        projects.push(server.project_named(name, json!({ "kind": "empty" })).await?);
    }
    let mut random = StdRng::seed_from_u64(seed);
    let cards: Vec<(usize, Value)> = (0..agents)
        .map(|number| {
            let body = json!({ "title": format!("Card {number}"), "description": script(number, &mut random),
                "model": "simulated", "skipVerification": true });
            (number % sessions.len(), body)
        })
        .collect();
    let (server, paths) = (&server, projects.iter().map(|id| format!("/api/projects/{id}")).collect::<Vec<_>>());
    let write = |(member, body): &(usize, Value)| {
        let (path, session, body) = (format!("{}/features", paths[*member]), sessions[*member].clone(), body.clone());
        async move { server.post_as(&session, &path, &body).await.map(|_| ()) }
    };
    stream::iter(cards.iter().map(write)).buffer_unordered(8).try_collect::<Vec<()>>().await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = server.memory()?;

    let began = Instant::now();
    for (path, session) in paths.iter().zip(&sessions) {
        let order = json!({ "action": "start", "maxConcurrent": MOST });
        server.post_as(session, &format!("{path}/auto-mode"), &order).await?;
    }
    let (mut peaks, mut most, mut all_at) = (Peaks::default(), 0, None);
    let (mut boards, mut cards_shown, mut health) = (Vec::new(), Vec::new(), Vec::new());
    let mut ended: HashMap<String, usize> = HashMap::new();
    while began.elapsed() < PATIENCE {
        tokio::time::sleep(LOOK).await;
        peaks.note(&server.memory()?);
        let at_work = timed(server, "/api/health/detailed", &mut health).await?["activeAgents"].as_u64();
        most = most.max(at_work.unwrap_or_default());
        if all_at.is_none() && most as usize >= agents {
            all_at = Some(began.elapsed());
        }
        ended.clear();
        let path = &paths[boards.len() % paths.len()];
        let board = timed(server, &format!("{path}/features?limit=500"), &mut boards).await?;
        if let Some(card) = board["items"][0]["id"].as_str() {
            timed(server, &format!("/api/features/{card}"), &mut cards_shown).await?;
        }
        if at_work == Some(0) && most > 0 {
            for path in &paths {
                count(server, path, &mut ended).await?;
            }
            let open =
                ["backlog", "queued", "in_progress"].into_iter().filter_map(|status| ended.get(status)).sum::<usize>();
            if open == 0 {
                break;
            }
        }
    }
    let done = ended.get("waiting_approval").copied().unwrap_or_default();
    line(&format!(
        "{agents} agents of {} members at once, seed {seed}, at the provider's true pace and without its limits.\n",
        sessions.len()
    ))?;
    let rows = [
        ("came to their end".to_owned(), format!("{done} of {agents}")),
        ("at work at once, at most".to_owned(), most.to_string()),
        ("all at work after".to_owned(), all_at.map_or("never".to_owned(), |at| format!("{:.1} s", at.as_secs_f64()))),
        ("all done after".to_owned(), format!("{:.1} s", began.elapsed().as_secs_f64())),
        ("server, before".to_owned(), format!("{:.1} MiB", before.server_mib)),
        ("server, peak".to_owned(), format!("{:.1} MiB", peaks.server)),
        ("of each agent".to_owned(), format!("{:.3} MiB", (peaks.server - before.server_mib) / agents as f64)),
        ("git and sandboxes, peak".to_owned(), format!("{:.1} MiB in {}", peaks.children, peaks.processes)),
        ("board of a member, p50 / p99".to_owned(), times(&boards)),
        ("a card, p50 / p99".to_owned(), times(&cards_shown)),
        ("health in detail, p50 / p99".to_owned(), times(&health)),
        (
            "slowest of all answers".to_owned(),
            format!("{:.0} ms", quantile(&[boards, cards_shown, health].concat(), 1.0)),
        ),
    ];
    for (name, value) in rows {
        line(&format!("| {name:<32} | {value:>20} |"))?;
    }
    for (status, count) in ended.iter().filter(|(status, _)| *status != "waiting_approval") {
        line(&format!("\nWRONG: {count} cards are {status}"))?;
    }
    line("")?;
    Ok(done == agents)
}

async fn timed(server: &Server, path: &str, times: &mut Vec<f64>) -> anyhow::Result<Value> {
    let began = Instant::now();
    let answer = server.get(path).await?;
    times.push(began.elapsed().as_secs_f64() * 1_000.0);
    Ok(answer)
}

async fn count(server: &Server, path: &str, all: &mut HashMap<String, usize>) -> anyhow::Result<()> {
    let list = server.get(&format!("{path}/features?limit=500")).await?;
    for card in list["items"].as_array().into_iter().flatten() {
        *all.entry(text(card, "status")?).or_default() += 1;
    }
    Ok(())
}

/// Reads, writes and runs. An answer takes half a minute to a minute, all of them about seven: so the first agents are still at
/// work when the last begin.
fn script(number: usize, random: &mut StdRng) -> String {
    let mut lines = Vec::new();
    for turn in 1..=TURNS {
        let words = "It is looked at with care. ".repeat(random.random_range(160..340));
        let path = format!("card{number}-{turn}.txt");
        let tools = match turn % 3 {
            0 => json!([["bash", { "command": format!("echo {turn} >> {path}") }]]),
            1 => json!([["glob", { "pattern": format!("**/*{turn}*") }], ["read", { "path": "README.md" }]]),
            _ => json!([["write", { "path": path, "content": "Noted.\n" }]]),
        };
        lines.push(json!({ "think": words, "tools": tools }).to_string());
    }
    lines.push(json!({ "say": "It is done." }).to_string());
    format!("A card of the crowd.\n\n```sim\n{}\n```", lines.join("\n"))
}
