//! A server of its own for each measurement, and a member who uses it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use reqwest::header::{COOKIE, ORIGIN, SET_COOKIE};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// How long anything may take before the measurement is given up.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A server at work, with an empty data folder. Ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    url: String,
    data: tempfile::TempDir,
    http: Client,
    cookie: String,
}

impl Server {
    /// Starts a server. `simulator` is where its simulated provider is, `allowed` where it may clone from.
    pub async fn start(program: &Path, simulator: Option<&str>, allowed: Option<&Path>) -> anyhow::Result<Self> {
        let data = tempfile::tempdir()?;
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data.path().join("data"));
        if let Some(allowed) = allowed {
            command.arg("--allow-repo-path").arg(allowed);
        }
        command.env_clear().env("HOME", data.path()).env("GUILDHALL_LOG", "error");
        // A measurement asks for more than any member does.
        command.env("GUILDHALL_REQUESTS_PER_MEMBER", "off").env("GUILDHALL_REQUESTS_PER_ADDRESS", "off");
        for name in ["PATH", "GUILDHALL_SANDBOX", "GUILDHALL_LOG", "MALLOC_ARENA_MAX"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.envs(simulator.map(|url| ("GUILDHALL_SIMULATED_PROVIDER_URL", url)));
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().context("starting the server")?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let url = loop {
            let line = tokio::time::timeout(PATIENCE, lines.next_line()).await??;
            let line = line.context("the server ended before it listened")?;
            if let Some((_, address)) = line.split_once("http://") {
                break format!("http://{}", address.trim());
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let server = Self { child, url, data, http: Client::new(), cookie: String::new() };
        server.get("/api/health").await?;
        Ok(server)
    }

    /// Makes the first member, and signs in.
    pub async fn sign_up(&mut self) -> anyhow::Result<()> {
        let body = json!({ "email": "anna@example.com", "password": "plum-kettle-orbit-42", "name": "Anna" });
        let answer = self
            .http
            .post(format!("{}/api/auth/register", self.url))
            .header(ORIGIN, &self.url)
            .json(&body)
            .send()
            .await?;
        let cookie = answer.headers().get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok()).unwrap_or_default();
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        ensure!(!cookie.is_empty(), "no session: {}", answer.text().await?);
        self.cookie = cookie;
        Ok(())
    }

    /// Raises the limits as far as a measurement needs it.
    pub async fn raise_limits(&self) -> anyhow::Result<()> {
        let mut limits = self.get("/api/settings/limits").await?;
        limits["team"]["maxConcurrentFeaturesPerMember"] = 100.into();
        limits["team"]["maxConcurrentFeatures"] = 200.into();
        limits["team"]["maxWorktreesPerMember"] = 500.into();
        self.send(Method::PUT, "/api/settings/limits", &limits).await.map(|_| ())
    }

    /// Makes a project and waits until it is ready; its id.
    pub async fn project(&self, source: Value) -> anyhow::Result<String> {
        let project = self.post("/api/projects", &json!({ "name": "Bench", "source": source })).await?;
        let id = text(&project, "id")?;
        let path = format!("/api/projects/{id}");
        let ready = async {
            loop {
                let project = self.get(&path).await?;
                match text(&project, "status")?.as_str() {
                    "preparing" => tokio::time::sleep(Duration::from_millis(20)).await,
                    "ready" => return Ok(()),
                    _ => bail!("the project is not ready: {project}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, ready).await??;
        Ok(id)
    }

    /// Writes a card whose agent follows a script; its id.
    pub async fn card(&self, project: &str, title: &str, script: &str) -> anyhow::Result<String> {
        let description = format!("A card of the benchmark.\n\n```sim\n{script}\n```");
        let body =
            json!({ "title": title, "description": description, "model": "simulated", "skipVerification": true });
        let feature = self.post(&format!("/api/projects/{project}/features"), &body).await?;
        text(&feature, "id")
    }

    /// Asks for something.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(Method::GET, path, &Value::Null).await
    }

    /// Does something.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(Method::POST, path, body).await
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let call = self.http.request(method.clone(), format!("{}{path}", self.url));
        let mut call = call.header(ORIGIN, &self.url).header(COOKIE, &self.cookie).timeout(PATIENCE);
        if !body.is_null() {
            call = call.json(body);
        }
        let answer = call.send().await?;
        let (status, bytes) = (answer.status(), answer.bytes().await?);
        ensure!(status.is_success(), "{method} {path}: {status} {}", String::from_utf8_lossy(&bytes));
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// The size of an answer in bytes, unread.
    pub async fn bytes(&self, path: &str) -> anyhow::Result<usize> {
        let call = self.http.get(format!("{}{path}", self.url)).header(COOKIE, &self.cookie);
        Ok(call.send().await?.error_for_status()?.bytes().await?.len())
    }

    /// Where it keeps its repositories and worktrees.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Memory that the server and all its children have in use.
    pub fn memory(&self) -> anyhow::Result<Memory> {
        let id = self.child.id().context("the server has ended")?;
        let mut sum = Memory::default();
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            sum.processes += 1;
            sum.mib += in_use(id, "VmRSS").unwrap_or_default();
            sum.own_mib += in_use(id, "RssAnon").unwrap_or_default();
            for task in std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten() {
                let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
                open.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
            }
        }
        ensure!(sum.mib > 0.0, "the server's memory cannot be read");
        Ok(sum)
    }
}

/// What processes have in use.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Resident memory, in MiB.
    pub mib: f64,
    /// The part of it that is no file's: what was allocated, in MiB. The rest is the program itself.
    pub own_mib: f64,
    /// How many processes there are.
    pub processes: usize,
}

/// A line of a process's status, in MiB.
fn in_use(id: u32, what: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<f64>().ok()? / 1024.0)
}

/// A field that holds text.
pub fn text(value: &Value, key: &str) -> anyhow::Result<String> {
    value[key].as_str().map(str::to_owned).with_context(|| format!("no {key} in {value}"))
}
