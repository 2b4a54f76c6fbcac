//! A night on a data folder of its own: cards of auto mode, a plan to approve, notes that a member writes meanwhile; and what
//! must hold of it whatever happens.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use guildhall_sim::Sim;
use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::process::Child;

use crate::harness::{PASSWORD, PATIENCE};
use crate::program::guildhall;

/// Two lease times: whatever died, work has gone on by then.
const GONE_ON: Duration = Duration::from_secs(60);

/// A data folder with a member, their cookie, a project with cards, and another for notes.
pub struct Template {
    dir: tempfile::TempDir,
    /// A PostgreSQL in place of the file.
    pub(super) database: Option<String>,
    cookie: String,
    pub(super) project: String,
    pub(super) notes: String,
    pub(super) cards: Vec<String>,
}

/// What a member does while servers come and go, and what was promised to them.
pub struct Night<'a> {
    pub dir: tempfile::TempDir,
    pub(super) template: &'a Template,
    /// How its servers reach the PostgreSQL, if they have one.
    pub database: Option<String>,
    pub(super) sim: Arc<Sim>,
    http: reqwest::Client,
    pub(super) server: Option<Child>,
    url: String,
    /// Auto mode was started, as far as the member knows.
    ordered: bool,
    approved: bool,
    pub(super) written: Vec<String>,
    attempts: usize,
    looks: usize,
    pub kills: Vec<String>,
    /// How often a server was told to end.
    pub(super) stops: usize,
    /// The server may yet be killed at its boundary.
    pub(super) pending: bool,
    pub(super) tip: Option<String>,
}

/// How a server's life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It was killed at its boundary.
    Killed,
    /// Every card is merged.
    Finished,
    /// It ended by itself, as it was told.
    Ended,
}

fn script(lines: &[Value]) -> String {
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    format!("Do as the script says.\n\n```sim\n{}\n```", lines.join("\n"))
}

/// A step that is done again when it was cut off, as any step may be, and whose effect may be had again.
fn touch(file: &str) -> Value {
    json!({ "tools": [["bash", { "command": format!("[ -s {file} ] || echo {file} >> {file}") }]], "insist": true })
}

fn cards() -> Vec<Value> {
    let plan = json!({ "tools": [["propose_plan", { "text": "First this.", "tasks": [{ "title": "One" }] }]] });
    let write = json!({ "say": "I write.", "tools": [["write", { "path": "planned-too.txt", "content": "x\n" }]], "insist": true });
    let done = json!({ "say": "All done." });
    let planned =
        script(&[plan, touch("planned.txt"), touch("planned.txt"), write, touch("planned.txt"), done.clone()]);
    let mended = json!({ "say": "Mended." });
    let mine = || touch("mine.txt");
    let fix = || touch("fixed.txt");
    let repaired = script(&[mine(), mine(), mine(), touch("wants-fix.txt"), done.clone(), fix(), fix(), fix(), mended]);
    let lesson = |title: &str, description: &str, content: &str| {
        json!(["learning_record", { "title": title, "description": description, "content": content, "type": "pattern",
            "confidence": "low" }])
    };
    let kept = json!({ "tools": [
        lesson("Files are touched once", "For steps that are done again.", "A command looks for its file before it writes."),
        lesson("Auto mode closes its window", "When a board seems stuck.", "At the hour of the order nothing new begins."),
    ] });
    let last = script(&[touch("last.txt"), touch("last.txt"), touch("last.txt"), done]);
    let last = format!("{last}\n\n```keep\n{kept}\n```");
    vec![
        json!({ "title": "Planned", "description": planned, "model": "simulated", "requirePlanApproval": true }),
        json!({ "title": "Repaired", "description": repaired, "model": "simulated" }),
        json!({ "title": "Last", "description": last, "model": "simulated" }),
    ]
}

impl Template {
    pub async fn make() -> Self {
        Self::on(None).await
    }

    /// The same on a PostgreSQL, if one is given; then it serves for one night.
    pub async fn on(database: Option<String>) -> Self {
        drop(guildhall_llm::Client::new());
        let dir = tempfile::tempdir().unwrap();
        let mut this = Self {
            dir,
            database,
            cookie: String::new(),
            project: String::new(),
            notes: String::new(),
            cards: Vec::new(),
        };
        let data = this.dir.path().join("data");
        let mut night = Night::on(&this, data, Arc::new(Sim::start(guildhall_sim::Config::default()).await.unwrap()));
        night.spawn(&[]).await;
        let me = json!({ "email": "olga@example.com", "password": PASSWORD, "name": "Olga" });
        let (_, cookie) = night.ask("", Method::POST, "/api/auth/register", Some(me)).await.unwrap();
        let cookie = cookie.unwrap();
        let mut made = Vec::new();
        for name in ["p", "notes"] {
            let new = json!({ "name": name, "source": { "kind": "empty" } });
            let (project, _) = night.ask(&cookie, Method::POST, "/api/projects", Some(new)).await.unwrap();
            made.push(project["id"].as_str().unwrap().to_owned());
        }
        let path = format!("/api/projects/{}", made[0]);
        while night.ask(&cookie, Method::GET, &path, None).await.unwrap().0["status"] != "ready" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let check = "sleep 0.02; [ ! -e wants-fix.txt ] || [ -e fixed.txt ]";
        let settings = json!({ "settings": { "verifyCommands": [check], "afterWork": "merge", "repairs": 3 } });
        night.ask(&cookie, Method::PATCH, &path, Some(settings)).await.unwrap();
        let mut ids: Vec<Value> = Vec::new();
        for (n, mut card) in cards().into_iter().enumerate() {
            if n == 2 {
                card["dependencies"] = json!([ids[1]]);
            }
            let (card, _) = night.ask(&cookie, Method::POST, &format!("{path}/features"), Some(card)).await.unwrap();
            ids.push(card["id"].clone());
        }
        assert_eq!(night.terminate().await.code(), Some(0));
        drop(night);
        this.cookie = cookie;
        this.notes = made.pop().unwrap();
        this.project = made.pop().unwrap();
        this.cards = ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect();
        this
    }
}

impl<'a> Night<'a> {
    fn on(template: &'a Template, data: PathBuf, sim: Arc<Sim>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(&data).unwrap();
        std::os::unix::fs::symlink(&data, dir.path().join("data")).unwrap();
        Self::within(template, dir, sim)
    }

    fn within(template: &'a Template, dir: tempfile::TempDir, sim: Arc<Sim>) -> Self {
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        Self {
            dir,
            template,
            database: template.database.clone(),
            sim,
            http,
            server: None,
            url: String::new(),
            ordered: false,
            approved: false,
            written: Vec::new(),
            attempts: 0,
            looks: 0,
            kills: Vec::new(),
            stops: 0,
            pending: false,
            tip: None,
        }
    }

    /// A night that has not begun.
    pub async fn new(template: &'a Template) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut copy = super::program("cp");
        assert!(copy.arg("-a").arg(template.dir.path().join("data")).arg(dir.path()).status().unwrap().success());
        let sim = guildhall_sim::Config { per_word: Duration::from_millis(2), ..guildhall_sim::Config::default() };
        Self::within(template, dir, Arc::new(Sim::start(sim).await.unwrap()))
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Starts a server. `false` when it died before it said where it is.
    pub async fn spawn(&mut self, env: &[(&str, &str)]) -> bool {
        let file = |name: &str| File::options().create(true).append(true).open(self.dir.path().join(name)).unwrap();
        let said = || std::fs::read_to_string(self.dir.path().join("stdout")).unwrap();
        let stdout = file("stdout");
        let before = said().len();
        let mut command = guildhall(&self.data());
        command.env("GUILDHALL_SIMULATED_PROVIDER_URL", self.sim.url()).envs(env.iter().copied());
        command
            .env("GUILDHALL_REQUESTS_PER_MEMBER", "off")
            .env("GUILDHALL_LOG", "info,guildhall_server::layers=warn")
            .env("GUILDHALL_REQUESTS_PER_ADDRESS", "off");
        if let Some(url) = &self.database {
            command.env("DATABASE_URL", url);
        }
        let mut server = command.arg("serve").stdout(stdout).stderr(file("log")).spawn().unwrap();
        let started = async {
            loop {
                if let Some((line, _)) = said()[before..].split_once('\n') {
                    let (_, url) = line.split_once(" is at ").unwrap_or_else(|| panic!("{line}"));
                    return Some(url.to_owned());
                }
                if server.try_wait().unwrap().is_some() {
                    return None;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        self.pending = env.iter().any(|(name, order)| *name == "GUILDHALL_TEST_AT" && order.starts_with("kill"));
        let started = tokio::time::timeout(PATIENCE, started).await.unwrap();
        let up = started.is_some();
        if let Some(url) = started {
            self.url = url;
            self.no_leftovers(server.id().unwrap_or_default());
        }
        self.server = Some(server);
        up
    }

    /// One request: the answer and the cookie that came with it; nothing when the server is not there.
    async fn ask(
        &self,
        cookie: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Option<(Value, Option<String>)> {
        let request = self.http.request(method.clone(), format!("{}{path}", self.url));
        let mut request = request.header("origin", &self.url).header("cookie", cookie).timeout(PATIENCE);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.ok()?;
        let status = answer.status();
        let cookie = answer.headers().get("set-cookie").map(|value| value.to_str().unwrap().to_owned());
        let cookie = cookie.map(|cookie| cookie.split(';').next().unwrap().to_owned());
        let body: Value = answer.json().await.ok()?;
        assert!(status.is_success() || status.as_u16() == 503, "{method} {path}: {status} {body}");
        status.is_success().then_some((body, cookie))
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Option<Value> {
        self.ask(&self.template.cookie, method, path, body).await.map(|(answer, _)| answer)
    }

    async fn statuses(&self) -> Option<Vec<Value>> {
        let list = self.call(Method::GET, &format!("/api/projects/{}/features", self.template.project), None).await?;
        Some(list["items"].as_array().unwrap().clone())
    }

    /// What a member does in one look at the page. Whether every card is merged.
    async fn look(&mut self) -> Option<bool> {
        if !self.ordered {
            let on = json!({ "action": "start", "maxConcurrent": 3 });
            self.call(Method::POST, &format!("/api/projects/{}/auto-mode", self.template.project), Some(on)).await?;
            self.ordered = true;
        }
        let cards = self.statuses().await?;
        let waits = cards.iter().find(|card| card["stage"] == "plan_approval" && card["status"] == "in_progress");
        if let Some(card) = waits {
            assert!(!self.approved, "a plan that was approved waits again");
            let path = format!("/api/features/{}", card["id"].as_str().unwrap());
            let plans = self.call(Method::GET, &format!("{path}/plans"), None).await?;
            let version = &plans["items"][0]["version"];
            let yes = json!({ "version": version });
            self.call(Method::POST, &format!("{path}/approve-plan"), Some(yes)).await?;
            self.approved = true;
        }
        self.looks += 1;
        if self.looks.is_multiple_of(2) && self.written.len() < 40 {
            let text = format!("note {} of {}", self.attempts, self.dir.path().display());
            self.attempts += 1;
            let path = format!("/api/projects/{}/features", self.template.notes);
            self.call(Method::POST, &path, Some(json!({ "description": text }))).await?;
            self.written.push(text);
        }
        let bad = cards.iter().find(|card| {
            card["status"] == "failed" || card["status"] == "paused" || card["status"] == "waiting_approval"
        });
        assert!(bad.is_none(), "a card is stuck: {:#}", bad.unwrap());
        Some(cards.len() == 3 && cards.iter().all(|card| card["status"] == "completed"))
    }

    /// Lives until the server dies or every card is merged; `until` may tell it to stop.
    pub async fn live(&mut self, env: &[(&str, &str)], stop: Option<Duration>) -> Life {
        let up = self.spawn(env).await;
        self.live_on(up, stop).await
    }

    /// The same with the server that is there.
    pub async fn live_as_it_is(&mut self) -> Life {
        self.live_on(true, None).await
    }

    /// Waits until the server has stopped itself at its boundary.
    pub async fn stands_still(&mut self, at: &str) {
        let waiting = async {
            while !self.is_stopped() {
                // It may stop in the middle of an answer.
                drop(tokio::time::timeout(Duration::from_millis(500), self.look()).await);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "it never came to {at}");
    }

    async fn live_on(&mut self, up: bool, stop: Option<Duration>) -> Life {
        let began = Instant::now();
        let (mut told, mut rounds) = (false, 0);
        loop {
            if let Some(status) = self.server.as_mut().unwrap().try_wait().unwrap() {
                self.server = None;
                let killed = std::os::unix::process::ExitStatusExt::signal(&status) == Some(9);
                assert!(killed || told, "the server ended by itself: {status}");
                assert!(killed || status.code() == Some(0), "{status}");
                return if killed { Life::Killed } else { Life::Ended };
            }
            // Not too often: the server, not its page, is to have the processor.
            rounds += 1;
            if up && !told && rounds % 6 == 1 && self.look().await == Some(true) {
                return Life::Finished;
            }
            if stop.is_some_and(|after| began.elapsed() > after) && !told {
                self.signal(Signal::TERM);
                told = true;
                self.stops += 1;
            }
            assert!(began.elapsed() < GONE_ON, "nothing has gone on for two lease times: {:#?}", self.statuses().await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = self.server.as_ref().and_then(Child::id).and_then(|pid| Pid::from_raw(pid as i32));
        kill_process(pid.unwrap(), signal).unwrap();
    }

    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let mut server = self.server.take().unwrap();
        tokio::time::timeout(PATIENCE, server.wait()).await.unwrap().unwrap()
    }

    /// Whether there is still something to do: no server lives that finished it.
    pub fn is_open(&self) -> bool {
        self.server.is_none()
    }

    /// A second node on the same PostgreSQL that finds the repositories of this one in its folder, as if they were not shared by the
    /// database: for what leases alone keep apart.
    pub fn second(&self) -> Night<'a> {
        let other = self.apart();
        std::os::unix::fs::symlink(self.data().join("repositories"), other.data().join("repositories")).unwrap();
        other
    }

    /// Another node on the same PostgreSQL, whose folder is all its own.
    pub fn apart(&self) -> Night<'a> {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let mut copy = super::program("cp");
        assert!(copy.arg("-a").arg(self.data().join("keys")).arg(&data).status().unwrap().success());
        let mut other = Self::within(self.template, dir, Arc::clone(&self.sim));
        other.database.clone_from(&self.database);
        (other.ordered, other.approved) = (self.ordered, self.approved);
        other
    }

    /// Looks at the work of every card, as its page does.
    pub async fn look_at_all(&self) {
        for card in &self.template.cards {
            self.call(Method::GET, &format!("/api/features/{card}/diff"), None).await.unwrap();
        }
    }

    /// Knows what a member did at another node.
    pub fn goes_on_from(&mut self, other: &Night<'_>) {
        (self.ordered, self.approved) = (other.ordered, other.approved);
        self.kills.extend(other.kills.iter().cloned());
        self.heard(other);
    }

    /// Does for a while what a member does.
    pub async fn look_for(&mut self, time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time {
            self.look().await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until `so` holds of the night.
    pub async fn until(&mut self, what: &str, so: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !so(self) {
                self.look().await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "waited in vain for {what}");
    }

    /// Whether its server stands still, stopped by a signal.
    pub fn is_stopped(&self) -> bool {
        let pid = self.server.as_ref().and_then(Child::id).unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(')').unwrap().1.trim_start().starts_with('T')
    }

    /// The sandboxes that are at work below its data folder.
    pub fn commands(&self) -> usize {
        let folder = self.dir.path().display().to_string();
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        all.filter(|process| {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            line.contains("bwrap") && line.contains(&folder)
        })
        .count()
    }

    pub async fn health(&self) -> bool {
        self.call(Method::GET, "/api/health", None).await.is_some()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Notes that were acknowledged on either node are kept.
    pub fn heard(&mut self, other: &Night<'_>) {
        self.written.extend(other.written.iter().cloned());
    }
}

impl Drop for Night<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(60).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            super::tell(&format!("the night had these kills: {:?}\nits log ends so:\n{}", self.kills, tail.join("\n")));
        }
    }
}

/// How often each boundary was passed.
pub fn passages(file: &Path) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for name in std::fs::read_to_string(file).unwrap().lines() {
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    counts
}
