//! A server of its own for each measurement, and a member who uses it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use reqwest::header::{COOKIE, ORIGIN, SET_COOKIE};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::{Request, generate_key};

use crate::visitor::Visitor;

/// How long anything may take before the measurement is given up.
pub const PATIENCE: Duration = Duration::from_secs(120);
const PASSWORD: &str = "plum-kettle-orbit-42";

/// A server at work, with an empty data folder. Ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    launch: Launch,
    child: Child,
    url: String,
    data: tempfile::TempDir,
    http: Client,
    cookie: String,
}

/// How the server is started.
#[derive(Debug)]
struct Launch {
    program: PathBuf,
    simulator: Option<String>,
    allowed: Option<PathBuf>,
    /// The address of its database, if it is not a file of its own.
    database: Option<String>,
}

impl Launch {
    /// Starts a server at an address; the process, and where it listens.
    async fn spawn(&self, home: &Path, listen: &str) -> anyhow::Result<(Child, String)> {
        let mut command = Command::new(&self.program);
        command.args(["serve", "--listen", listen, "--data-dir"]).arg(home.join("data"));
        if let Some(allowed) = &self.allowed {
            command.arg("--allow-repo-path").arg(allowed);
        }
        command.env_clear().env("HOME", home).env("GUILDHALL_LOG", "error");
        // A measurement asks for more than any member does.
        command.env("GUILDHALL_REQUESTS_PER_MEMBER", "off").env("GUILDHALL_REQUESTS_PER_ADDRESS", "off");
        for name in ["PATH", "GUILDHALL_SANDBOX", "GUILDHALL_LOG", "MALLOC_ARENA_MAX"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.envs(self.database.as_ref().map(|url| ("DATABASE_URL", url)));
        command.envs(self.simulator.as_ref().map(|url| ("GUILDHALL_SIMULATED_PROVIDER_URL", url)));
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
        Ok((child, url))
    }
}

impl Server {
    /// Starts a server. `simulator` is where its simulated provider is, `allowed` where it may clone from.
    pub async fn start(program: &Path, simulator: Option<&str>, allowed: Option<&Path>) -> anyhow::Result<Self> {
        Self::launch(Launch {
            program: program.to_owned(),
            simulator: simulator.map(str::to_owned),
            allowed: allowed.map(Path::to_owned),
            database: None,
        })
        .await
    }

    /// Starts a server over this database, or over a file of its own.
    pub async fn start_over(program: &Path, database: Option<String>) -> anyhow::Result<Self> {
        Self::launch(Launch { program: program.to_owned(), simulator: None, allowed: None, database }).await
    }

    async fn launch(launch: Launch) -> anyhow::Result<Self> {
        let data = tempfile::tempdir()?;
        let (child, url) = launch.spawn(data.path(), "127.0.0.1:0").await?;
        let server = Self { launch, child, url, data, http: Client::new(), cookie: String::new() };
        server.get("/api/health").await?;
        Ok(server)
    }

    /// Kills the server, as a loss of power does, and starts it again at once, at the same address and with the same data.
    pub async fn kill_and_start_again(&mut self) -> anyhow::Result<()> {
        self.child.kill().await?;
        let listen = self.url.trim_start_matches("http://").to_owned();
        (self.child, self.url) = self.launch.spawn(self.data.path(), &listen).await?;
        // Connections of before are of no more use.
        self.http = Client::new();
        self.get("/api/health").await.map(|_| ())
    }

    /// Makes the first member, and signs in.
    pub async fn sign_up(&mut self) -> anyhow::Result<()> {
        let body = json!({ "email": "anna@example.com", "password": PASSWORD, "name": "Anna" });
        self.cookie = self.register(&body).await?;
        Ok(())
    }

    /// Invites another member, who comes at once; the member's session, for [`Self::post_as`] and
    /// [`Self::listen_as`].
    pub async fn invite(&self, name: &str) -> anyhow::Result<String> {
        let email = format!("{name}@example.com");
        let invitation = self.post("/api/invitations", &json!({ "email": email, "role": "member" })).await?;
        let code = text(&invitation, "code")?;
        self.register(&json!({ "email": email, "password": PASSWORD, "name": name, "invitation": code })).await
    }

    /// The first member, with connections that are not this one's: made where they are used.
    pub fn visitor(&self) -> impl FnOnce() -> Visitor + Send + 'static {
        let (url, session) = (self.url.clone(), self.cookie.clone());
        || Visitor { url, session, http: Client::new() }
    }

    /// The session of the first member.
    pub fn session(&self) -> &str {
        &self.cookie
    }

    async fn register(&self, body: &Value) -> anyhow::Result<String> {
        let call = self.http.post(format!("{}/api/auth/register", self.url)).header(ORIGIN, &self.url);
        let answer = call.json(body).send().await?;
        let cookie = answer.headers().get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok()).unwrap_or_default();
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        ensure!(!cookie.is_empty(), "no session: {}", answer.text().await?);
        Ok(cookie)
    }

    /// Raises the limits as far as a measurement needs it.
    pub async fn raise_limits(&self) -> anyhow::Result<()> {
        let mut limits = self.get("/api/settings/limits").await?;
        limits["team"]["maxConcurrentFeaturesPerMember"] = 100.into();
        limits["team"]["maxConcurrentFeatures"] = 200.into();
        limits["team"]["maxWorktreesPerMember"] = 500.into();
        self.put("/api/settings/limits", &limits).await.map(|_| ())
    }

    /// Makes a project and waits until it is ready; its id.
    pub async fn project(&self, source: Value) -> anyhow::Result<String> {
        self.project_named("Bench", source).await
    }

    /// The same for one of several projects.
    pub async fn project_named(&self, name: &str, source: Value) -> anyhow::Result<String> {
        let project = self.post("/api/projects", &json!({ "name": name, "source": source })).await?;
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

    /// Does something in the session of another member.
    pub async fn post_as(&self, session: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send_as(session, Method::POST, path, body).await
    }

    /// Puts something in the place of something else.
    pub async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(Method::PUT, path, body).await
    }

    /// Changes something.
    pub async fn patch(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(Method::PATCH, path, body).await
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send_as(&self.cookie, method, path, body).await
    }

    async fn send_as(&self, session: &str, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let call = self.http.request(method.clone(), format!("{}{path}", self.url));
        let mut call = call.header(ORIGIN, &self.url).header(COOKIE, session).timeout(PATIENCE);
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

    /// The address of its database.
    pub fn database(&self) -> String {
        let own = || format!("sqlite://{}", self.data.path().join("data/guildhall.db").display());
        self.launch.database.clone().unwrap_or_else(own)
    }

    /// Opens the WebSocket of what happens, in the session of a member.
    pub async fn listen_as(&self, session: &str) -> anyhow::Result<WebSocketStream<TcpStream>> {
        let host = self.url.trim_start_matches("http://");
        let request = Request::builder()
            .uri(format!("ws://{host}/api/events"))
            .header("host", host)
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", generate_key())
            .header("origin", &self.url)
            .header("cookie", session);
        let stream = TcpStream::connect(host).await?;
        Ok(tokio_tungstenite::client_async(request.body(())?, stream).await?.0)
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
            let resident = in_use(id, "VmRSS").unwrap_or_default();
            sum.mib += resident;
            if sum.processes == 1 {
                sum.server_mib = resident;
                sum.peak_mib = in_use(id, "VmHWM").unwrap_or_default();
                sum.worked = worked(id).unwrap_or_default();
            }
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
    /// The part of the server's own process, in MiB.
    pub server_mib: f64,
    /// The most that this process ever had, in MiB.
    pub peak_mib: f64,
    /// The part of it that is no file's: what was allocated, in MiB. The rest is the program itself.
    pub own_mib: f64,
    /// Seconds of processor time that the server has taken, and those of its children that have ended.
    pub worked: [f64; 2],
    /// How many processes there are.
    pub processes: usize,
}

/// A line of a process's status, in MiB.
fn in_use(id: u32, what: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<f64>().ok()? / 1024.0)
}

/// Seconds of processor time of a process, and of its children that have ended.
fn worked(id: u32) -> Option<[f64; 2]> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in brackets, may hold anything; 11 fields after it come user and system time, in hundredths.
    let fields: Vec<f64> =
        stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(4).filter_map(|field| field.parse().ok()).collect();
    let [user, system, children_user, children_system] = fields[..] else { return None };
    Some([(user + system) / 100.0, (children_user + children_system) / 100.0])
}

/// A field that holds text.
pub fn text(value: &Value, key: &str) -> anyhow::Result<String> {
    value[key].as_str().map(str::to_owned).with_context(|| format!("no {key} in {value}"))
}
