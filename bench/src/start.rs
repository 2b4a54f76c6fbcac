//! Time from the start call to the first call of the model, beyond what git itself takes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::future::try_join_all;
use guildhall_sim::{Arrival, Config, Sim};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::repository::{git, make, worktree_add};
use crate::server::Server;
use crate::table::{Table, median, quantile};

/// Milliseconds at most.
const TARGET: f64 = 30.0;
/// Starts, one after another.
const ALONE: usize = 20;
/// Starts at once …
const TOGETHER: usize = 10;
/// … so many times.
const ROUNDS: usize = 3;
/// Without a call for so long, a start has failed.
const QUIET: Duration = Duration::from_secs(20);
/// Agents stay where they are, so that none of their later work disturbs the next start.
const SILENCE: &str = "{\"say\": \"Done.\", \"silence_ms\": 1200000}";

/// Measures on a small and on a larger repository.
pub async fn measure(program: &Path, table: &mut Table) -> anyhow::Result<()> {
    for files in [20, 2_000] {
        let place = tempfile::tempdir()?;
        let source = place.path().canonicalize()?.join("source");
        std::fs::create_dir_all(&source)?;
        make(&source, files).await?;
        let bare = place.path().join("bare.git");
        git(place.path(), &["clone", "-q", "--bare", &source.to_string_lossy(), &bare.to_string_lossy()]).await?;
        Bench::start(program, source, bare).await?.measure(files, table).await?;
    }
    Ok(())
}

struct Bench {
    server: Server,
    /// Ends when it is dropped.
    _sim: Sim,
    arrivals: UnboundedReceiver<Arrival>,
    project: String,
    /// The same repository, for git alone.
    bare: PathBuf,
    made: usize,
    /// Starts that never came to a call.
    failed: usize,
}

impl Bench {
    async fn start(program: &Path, source: PathBuf, bare: PathBuf) -> anyhow::Result<Self> {
        let sim = Sim::start(Config::default()).await?;
        let mut server = Server::start(program, Some(&sim.url()), source.parent()).await?;
        server.sign_up().await?;
        server.raise_limits().await?;
        let project = server.project(json!({ "kind": "clone", "url": source.to_string_lossy() })).await?;
        let arrivals = sim.arrivals();
        Ok(Self { server, _sim: sim, arrivals, project, bare, made: 0, failed: 0 })
    }

    async fn measure(mut self, files: usize, table: &mut Table) -> anyhow::Result<()> {
        let mut own = Vec::new();
        let mut plain = Vec::new();
        // The first of each is for warming up.
        for round in 0..=ALONE {
            let (started, git) = (self.starts(1).await?, self.plain(1).await?);
            if round > 0 {
                own.extend(started);
                plain.extend(git);
            }
        }
        let beyond = median(&own) - median(&plain);
        let note = format!(
            "median of {ALONE}: {:.1} ms (p95 {:.1}), less git worktree add {:.1} ms",
            median(&own),
            quantile(&own, 0.95),
            median(&plain)
        );
        table.add(format!("start: {files} files, alone"), beyond, "ms", TARGET, note);

        let (mut own, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            own.extend(self.starts(TOGETHER).await?);
            plain.extend(self.plain(TOGETHER).await?);
        }
        let beyond = median(&own) - median(&plain);
        let mut note = format!(
            "median of {}: {:.1} ms (slowest {:.1}), less git {:.1} ms (slowest {:.1})",
            own.len(),
            median(&own),
            quantile(&own, 1.0),
            median(&plain),
            quantile(&plain, 1.0)
        );
        if self.failed > 0 {
            note += &format!("; {} starts FAILED", self.failed);
        }
        table.add(format!("start: {files} files, {TOGETHER} at once"), beyond, "ms", TARGET, note);
        Ok(())
    }

    /// Starts so many cards at once; the milliseconds of each from its start call to its first call of the model.
    async fn starts(&mut self, count: usize) -> anyhow::Result<Vec<f64>> {
        let mut cards = Vec::new();
        for _ in 0..count {
            self.made += 1;
            let title = format!("Card {}", self.made);
            let id = self.server.card(&self.project, &title, SILENCE).await?;
            cards.push((title, id));
        }
        // Until nothing is left of the work before.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let server = &self.server;
        let calls = cards.iter().map(|(title, id)| async move {
            let began = Instant::now();
            server.post(&format!("/api/features/{id}/start"), &Value::Null).await?;
            anyhow::Ok((title.as_str(), began))
        });
        let calls = try_join_all(calls);
        let arrivals = &mut self.arrivals;
        let heard = async {
            let mut heard: HashMap<String, Instant> = HashMap::new();
            while heard.len() < count {
                let Ok(arrival) = tokio::time::timeout(QUIET, arrivals.recv()).await else { break };
                let arrival = arrival.context("the simulator has ended")?;
                let said = arrival.body["messages"][0]["content"][0]["text"].as_str().unwrap_or_default();
                let title = said.lines().next().unwrap_or_default().trim_start_matches("# ").to_owned();
                heard.insert(title, arrival.at);
            }
            anyhow::Ok(heard)
        };
        let (began, heard) = tokio::try_join!(calls, heard)?;
        self.failed += count - heard.len();
        let all = began.into_iter().filter_map(|(title, began)| {
            Some(heard.get(title)?.saturating_duration_since(began).as_secs_f64() * 1_000.0)
        });
        Ok(all.collect())
    }

    /// So many plain `git worktree add` at once, beside the server's own worktrees; milliseconds of each.
    async fn plain(&mut self, count: usize) -> anyhow::Result<Vec<f64>> {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (bare, data, first) = (&self.bare, self.server.data(), self.made * 100);
        let adds = (0..count).map(|number| {
            let folder = data.join(format!("plain{}", first + number));
            async move { worktree_add(bare, &folder).await }
        });
        try_join_all(adds).await
    }
}
