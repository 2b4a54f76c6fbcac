//! The night shift: members with their cards, auto mode with automatic merge, checks that really run, at a provider with a
//! realistic pace and real limits. Everything that the provider does is faster by one factor, and so are its limits.

mod bound;
mod crowd;
mod outcome;
mod scene;
mod watch;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use guildhall_sim::{Config, Fault, Quota, Sim};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::repository::{git, make};
use crate::server::{Server, text};
use crate::table::quantile;
use outcome::{Outcome, judge};
use scene::{CHECKS, Card, FILES, REPAIRS, Scale};
use watch::{Calls, Peaks};

/// Calls, input tokens that do not come from the cache, and output tokens that the provider gives in a minute, at its true
/// pace: what it gives its smallest customers, and less than six agents want.
const REQUESTS: i64 = 50;
const PER_MINUTE: [i64; 2] = [30_000, 8_000];
/// The team's limit of runs at once, as it is when nobody changes it.
const AT_ONCE: usize = 8;
/// How often the server is killed, at the scene's pace.
const MINUTE: Duration = Duration::from_secs(60);
/// How often the server is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Longer than any scene.
const PATIENCE: Duration = Duration::from_secs(30 * 60);
const NAMES: [&str; 10] = ["anna", "ben", "cleo", "dora", "emil", "fay", "gus", "hana", "ivo", "jo"];

/// How the night is.
#[derive(Debug, Clone, Args)]
#[group(id = "night")]
pub struct Options {
    /// night: members.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=10))]
    members: u8,
    /// night: cards of each member.
    #[arg(long, default_value_t = 10)]
    cards: usize,
    /// night: runs of each member at once; 1, 2 and 3 one after another when left out.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=3))]
    concurrency: Option<u8>,
    /// night: how many times faster than in reality the provider and its limits are.
    #[arg(long, default_value_t = 4.0)]
    scale: f64,
    /// night: all members work in one project, rather than each in one of their own.
    #[arg(long)]
    shared: bool,
    /// night: kill the server each minute of the scene, and start it again.
    #[arg(long)]
    kill: bool,
    /// night: windows in which the provider is overloaded, and streams that break off.
    #[arg(long)]
    faults: bool,
    /// night: so many agents at once instead, of ten members, at the provider's true pace and without its limits.
    #[arg(long)]
    agents: Option<usize>,
}

/// Measures nights, and prints a table. Returns whether everything that must never happen did not.
pub async fn measure(program: &Path, options: &Options, seed: u64) -> anyhow::Result<bool> {
    if let Some(agents) = options.agents {
        return crowd::measure(program, agents, seed).await;
    }
    ensure!(options.scale >= 1.0 && options.cards > 0, "give a scale of at least 1 and at least one card");
    let all = match options.concurrency {
        Some(own) => vec![own],
        None => vec![1, 2, 3],
    };
    let mut outcomes = Vec::new();
    for own in all {
        outcomes.push(night(program, options, usize::from(own), seed).await?);
    }
    outcome::print(&outcomes, options, seed)?;
    Ok(outcomes.iter().all(Outcome::is_sound))
}

/// A night that is going on.
struct Night {
    server: Server,
    sim: Sim,
    calls: Calls,
    cards: Vec<Card>,
    /// The features' ids, as the cards.
    features: Vec<String>,
    projects: Vec<String>,
    /// The session of each member.
    sessions: Vec<String>,
    scale: Scale,
    _place: tempfile::TempDir,
}

/// What was seen while it went on.
#[derive(Debug, Default)]
struct Seen {
    peaks: Peaks,
    /// Milliseconds of answers to a member who looks at a board.
    answers: Vec<f64>,
    /// Seconds from each kill until a call of the model came.
    recoveries: Vec<f64>,
    /// Whether it came to an end in time.
    ended: bool,
}

async fn night(program: &Path, options: &Options, own: usize, seed: u64) -> anyhow::Result<Outcome> {
    let mut night = Night::prepare(program, options, seed).await?;
    let (began, clock) = (Instant::now(), now_ms());
    night.begin(own).await?;
    let seen = night.watch(options, seed).await?;
    judge(&mut night, options, own, seen, (began, clock)).await
}

impl Night {
    async fn prepare(program: &Path, options: &Options, seed: u64) -> anyhow::Result<Self> {
        let scale = Scale(options.scale);
        let scaled = |amount: i64| (amount as f64 * options.scale) as i64;
        let quota = Quota {
            requests: scaled(REQUESTS),
            input_tokens: scaled(PER_MINUTE[0]),
            output_tokens: scaled(PER_MINUTE[1]),
        };
        let sim = Sim::start(Config {
            first_word: scale.first_word(),
            per_word: scale.per_word(),
            quota: Some(quota),
            // A minute's worth of the scene, as in reality; the limits themselves are higher.
            filled: 1.0 / options.scale,
            ..Config::default()
        })
        .await?;
        let place = tempfile::tempdir()?;
        let source = repository(place.path()).await?;
        let mut server = Server::start(program, Some(&sim.url()), source.parent()).await?;
        server.sign_up().await?;
        let names: Vec<&str> = NAMES.into_iter().take(usize::from(options.members)).collect();
        let mut sessions = vec![server.session().to_owned()];
        for name in names.iter().skip(1) {
            sessions.push(server.invite(name).await?);
        }
        let check = format!("sh check.sh {:.3}", scale.check());
        let mut projects = Vec::new();
        for name in names.iter().take(if options.shared { 1 } else { names.len() }) {
            projects.push(project(&server, name, &source, &check).await?);
        }
        let cards = scene::cards(&names, options.cards, seed, scale);
        let mut features: Vec<String> = Vec::new();
        for (at, card) in cards.iter().enumerate() {
            let first = at - at % options.cards;
            let on: Vec<&String> = card.depends.iter().filter_map(|on| features.get(first + on)).collect();
            let body = json!({
                "title": card.key, "description": format!("A card of the night.\n\n```sim\n{}\n```", card.script),
                "model": "simulated", "priority": card.priority, "dependencies": on,
            });
            let path = format!("/api/projects/{}/features", projects[card.member % projects.len()]);
            features.push(text(&server.post_as(&sessions[card.member], &path, &body).await?, "id")?);
        }
        let calls = Calls::new(sim.receipts(), cards.iter().map(|card| card.key.as_str()));
        Ok(Self { server, sim, calls, cards, features, projects, sessions, scale, _place: place })
    }

    /// Every member switches auto mode on.
    async fn begin(&self, own: usize) -> anyhow::Result<()> {
        for (member, session) in self.sessions.iter().enumerate() {
            let path = format!("/api/projects/{}/auto-mode", self.projects[member % self.projects.len()]);
            let order = json!({ "action": "start", "maxConcurrent": own });
            self.server.post_as(session, &path, &order).await?;
        }
        Ok(())
    }

    /// Looks on until every card has come to rest, and does to server and provider what was asked for.
    async fn watch(&mut self, options: &Options, seed: u64) -> anyhow::Result<Seen> {
        let mut seen = Seen::default();
        let mut random = StdRng::seed_from_u64(seed ^ 0x6e69_6768_7462);
        let began = Instant::now();
        let mut next_kill = self.scale.real(MINUTE);
        let mut next_fault = self.scale.real(MINUTE / 2);
        loop {
            tokio::time::sleep(LOOK).await;
            self.calls.take();
            seen.peaks.note(&self.server.memory()?);
            let asked = Instant::now();
            let statuses = self.statuses().await?;
            seen.answers.push(asked.elapsed().as_secs_f64() * 1_000.0 / self.projects.len() as f64);
            let rests = |status: &String| !matches!(status.as_str(), "backlog" | "queued" | "in_progress");
            seen.ended = statuses.iter().all(rests);
            let stuck = self.is_stuck(&statuses);
            if seen.ended || stuck || began.elapsed() > PATIENCE {
                return Ok(seen);
            }
            if options.kill && began.elapsed() >= next_kill {
                // A little more than a minute now and then, so that it never happens at the same point of a turn.
                let shift = self.scale.real(Duration::from_millis(random.random_range(0..5_000)));
                tokio::time::sleep(shift).await;
                self.kill(&mut seen).await?;
                next_kill = began.elapsed() + self.scale.real(MINUTE);
            }
            if options.faults && began.elapsed() >= next_fault {
                if random.random_bool(0.5) {
                    let window = self.scale.real(Duration::from_secs(random.random_range(5..30)));
                    self.sim.fail_until(Instant::now() + window, Fault::Overloaded);
                } else if self.sim.faults_to_come() == 0 {
                    // Trouble does not pile up for whoever calls next: the last run of a night would meet it all.
                    let faults = [Fault::Cut, Fault::OverloadedInStream, Fault::Cut];
                    self.sim.fail_next(faults.into_iter().take(random.random_range(1..=3)));
                }
                next_fault = began.elapsed() + self.scale.real(MINUTE / 2);
            }
        }
    }

    /// Whether what is left can never begin, because what it depends on rests without being merged.
    fn is_stuck(&self, statuses: &[String]) -> bool {
        let each = self.cards.len() / self.sessions.len();
        let done = |at: usize| matches!(statuses[at].as_str(), "verified" | "completed");
        let waits = |at: usize| self.cards[at].depends.iter().any(|on| !done(at - at % each + on));
        let moves = |(at, status): (usize, &String)| match status.as_str() {
            "queued" | "in_progress" => true,
            "backlog" => !waits(at),
            _ => false,
        };
        !statuses.iter().enumerate().any(moves)
    }

    async fn kill(&mut self, seen: &mut Seen) -> anyhow::Result<()> {
        self.calls.take();
        let (before, killed) = (self.calls.all.len(), Instant::now());
        self.server.kill_and_start_again().await?;
        let called = async {
            loop {
                self.calls.take();
                if let Some(call) = self.calls.all.iter().skip(before).find(|call| call.at > killed) {
                    return call.at - killed;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        // With nothing left but checks and merges, none may come.
        if let Ok(after) = tokio::time::timeout(Duration::from_secs(5), called).await {
            seen.recoveries.push(after.as_secs_f64());
        }
        Ok(())
    }

    /// Where each card stands.
    async fn statuses(&self) -> anyhow::Result<Vec<String>> {
        let mut all = std::collections::HashMap::new();
        for project in &self.projects {
            for card in self.list(project).await? {
                all.insert(text(&card, "id")?, text(&card, "status")?);
            }
        }
        self.features.iter().map(|id| all.remove(id).with_context(|| format!("card {id} is gone"))).collect()
    }

    async fn list(&self, project: &str) -> anyhow::Result<Vec<Value>> {
        let list = self.server.get(&format!("/api/projects/{project}/features?limit=500")).await?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    }

    /// A project's repository on the server's disk.
    fn repository(&self, project: &str) -> PathBuf {
        self.server.data().join("data/repositories").join(format!("{project}.git"))
    }
}

/// A repository with files to read and the checks; where it is.
async fn repository(place: &Path) -> anyhow::Result<PathBuf> {
    let source = place.canonicalize()?.join("source");
    std::fs::create_dir_all(&source)?;
    std::fs::write(source.join("check.sh"), CHECKS)?;
    make(&source, FILES).await?;
    // Nobody's configuration, and no lock left behind.
    git(&source, &["status", "--porcelain"]).await?;
    Ok(source)
}

/// Makes a project whose work is merged by itself when the checks pass; its id.
async fn project(server: &Server, name: &str, source: &Path, check: &str) -> anyhow::Result<String> {
    let id = server.project_named(name, json!({ "kind": "clone", "url": source.to_string_lossy() })).await?;
    let mut settings = server.get(&format!("/api/projects/{id}")).await?["settings"].clone();
    settings["verifyCommands"] = json!([check]);
    settings["afterWork"] = "merge".into();
    settings["repairs"] = REPAIRS.into();
    server.patch(&format!("/api/projects/{id}"), &json!({ "settings": settings })).await?;
    Ok(id)
}

#[expect(clippy::disallowed_methods, reason = "compared with the times that the server, another program, tells")]
fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// A line on standard output.
fn line(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")
}

/// p50 and p99 of milliseconds, in words.
fn times(values: &[f64]) -> String {
    format!("{:.1} / {:.1} ms", quantile(values, 0.5), quantile(values, 0.99))
}
