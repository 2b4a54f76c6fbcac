//! A server for each test, and the people who use it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use guildhall_engine::Pace;
use guildhall_llm::{Endpoint, Secret};
use guildhall_sandbox::Isolation;
use guildhall_server::app::App;
use guildhall_server::config::{Config, Guard, LogFormat};
use guildhall_server::serve::Server;
use guildhall_server::ws::Listening;
use guildhall_sim::Sim;
use guildhall_store::NewMember;
use guildhall_team::backup::{BackupRules, S3Access};
use guildhall_types::member::{MemberRole, ProviderKind};
use guildhall_types::rights::Scope;
use guildhall_types::{Clock, FixedClock, ProjectId, SystemClock};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::Connection;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::schema;

/// Longer than anything here takes on a slow machine; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const PASSWORD: &str = "correct horse battery";
/// A card on which the simulated model is silent for longer than any test takes.
pub const SILENT: &str = "Wait.\n\n```sim\n{\"silence_ms\": 600000, \"say\": \"Done.\"}\n```";

/// How a test wants its server.
pub struct Wish {
    pub postgres: bool,
    pub listening: Listening,
    pub change: Box<dyn FnOnce(&mut Config) + Send>,
    /// The clock that the server reads, if not the machine's.
    pub clock: Option<FixedClock>,
    pub pace: Pace,
    pub sim: guildhall_sim::Config,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            postgres: false,
            listening: Listening::default(),
            change: Box::new(|_| {}),
            clock: None,
            pace: Pace { alerts: false, ..Pace::default() },
            sim: guildhall_sim::Config::default(),
        }
    }
}

/// A server in this process, with a simulated provider.
pub struct TestApp {
    pub app: App,
    pub url: String,
    pub sim: Sim,
    pub dir: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<std::io::Result<()>>>,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::with(Wish::default()).await
    }

    pub async fn with(wish: Wish) -> Self {
        tell_what_goes_wrong();
        let dir = tempfile::tempdir().unwrap();
        let sim = Sim::start(wish.sim).await.unwrap();
        let database_url = match wish.postgres {
            true => Secret::new(fresh_postgres().await),
            false => Secret::new(format!("sqlite://{}", dir.path().join("guildhall.db").display())),
        };
        let simulated = Endpoint::new(ProviderKind::Anthropic, Some(&sim.url()), Secret::new("simulated")).unwrap();
        let mut config = Config {
            toolchains: Vec::new(),
            own_addresses: Vec::new(),
            listen: "127.0.0.1:0".parse().unwrap(),
            data_dir: dir.path().to_owned(),
            public_url: None,
            preview_url: None,
            allowed_repo_paths: Vec::new(),
            key_file: None,
            key_file_guarded: false,
            database_url,
            redis_url: None,
            node_url: None,
            sandbox: Isolation::Bubblewrap,
            log_format: LogFormat::Text,
            log: String::new(),
            anthropic: None,
            openai: None,
            allow_private_providers: true,
            simulated: Some(simulated),
            sign_in: Vec::new(),
            metrics_token: None,
            collector: None,
            mail: None,
            guard: Guard::default(),
            backup: None,
            backup_rules: BackupRules::default(),
            s3: S3Access::default(),
            s3_faults: Vec::new(),
            notes: Vec::new(),
        };
        (wish.change)(&mut config);
        let clock: Arc<dyn Clock> = match wish.clock {
            Some(clock) => Arc::new(clock),
            None => Arc::new(SystemClock),
        };
        let server = Server::start_with(&config, clock, wish.pace, wish.listening).await.unwrap();
        let url = format!("http://{}", server.address());
        let app = server.app().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.run(async { drop(stopped.await) }));
        Self { app, url, sim, dir, stop: Some(stop), serving: Some(serving) }
    }

    /// Stops the server as a signal would, and waits for that.
    pub async fn stop(&mut self) {
        drop(self.stop.take());
        tokio::time::timeout(PATIENCE, self.serving.take().unwrap()).await.unwrap().unwrap().unwrap();
    }

    pub fn anonymous(&self) -> Persona {
        Persona::new(self)
    }

    /// A program that shows a token and has neither page nor cookie.
    pub fn program(&self, token: &str) -> Persona {
        Persona { bearer: Some(token.to_owned()), origin: None, ..Persona::new(self) }
    }

    /// The first member, signed in.
    pub async fn owner(&self) -> Persona {
        let mut owner = self.anonymous();
        let body = json!({ "email": "olga@example.com", "password": PASSWORD, "name": "Olga" });
        owner.post("/api/auth/register", body).await.is(StatusCode::CREATED);
        owner
    }

    /// Another member, signed in. Needs an owner before it.
    pub async fn member(&self, role: MemberRole) -> Persona {
        self.named(role.as_str(), role).await
    }

    /// The same under a name of their own: two of one role.
    pub async fn named(&self, name: &str, role: MemberRole) -> Persona {
        let email = format!("{name}@example.com");
        let hash = guildhall_team::passwords::Passwords::default().hash(PASSWORD).await.unwrap();
        let new = NewMember { email: email.clone(), name: name.to_owned(), password_hash: Some(hash) };
        self.app.team.store.create_member(new, role).await.unwrap();
        let mut member = self.anonymous();
        member.post("/api/auth/login", json!({ "email": email, "password": PASSWORD })).await.is(StatusCode::OK);
        member
    }
}

pub async fn fresh_postgres() -> String {
    let Ok(server) = std::env::var("GUILDHALL_TEST_POSTGRES") else {
        panic!("no PostgreSQL server: run the tests by `scripts/with-postgres.sh cargo nextest run …` or `make test`");
    };
    let name = format!("t_{}", ProjectId::new().0.simple());
    let mut admin = sqlx::PgConnection::connect(&server).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await.unwrap();
    let (server, _) = server.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

/// Somebody with a browser: keeps a cookie and says which page a request comes from.
#[derive(Clone)]
pub struct Persona {
    http: reqwest::Client,
    pub base: String,
    pub cookie: Option<String>,
    /// What the browser holds beside its session: a sign-in half done, a question to a passkey.
    pub begun: BTreeMap<String, String>,
    pub origin: Option<String>,
    pub bearer: Option<String>,
}

/// What the server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub bytes: Vec<u8>,
    what: String,
}

impl Answer {
    /// The answer has this status. Returns the body.
    #[track_caller]
    pub fn is(&self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.what, String::from_utf8_lossy(&self.bytes));
        self.json()
    }

    /// The answer is a problem of this status and code. Returns the body.
    #[track_caller]
    pub fn is_problem(&self, status: StatusCode, code: &str) -> Value {
        let body = self.is(status);
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.what);
        assert_eq!(body["code"], code, "{}: {body}", self.what);
        assert_eq!(body["status"], status.as_u16());
        assert_eq!(body["type"], format!("urn:guildhall:problem:{code}"));
        assert_eq!(body["requestId"], self.header("x-request-id"), "{}: {body}", self.what);
        assert!(body["detail"].as_str().unwrap().len() > 10 && !body["title"].as_str().unwrap().is_empty(), "{body}");
        body
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

impl Persona {
    fn new(app: &TestApp) -> Self {
        Self::at(&app.url)
    }

    /// Somebody with a browser at a server that may be another process.
    pub fn at(url: &str) -> Self {
        // TLS is installed by the product's own client, which a process without a server has not made yet.
        drop(guildhall_llm::Client::new());
        Self::by(reqwest::Client::new(), url)
    }

    /// Somebody whose browser goes about it in its own way.
    pub fn by(http: reqwest::Client, url: &str) -> Self {
        let (base, origin) = (url.to_owned(), Some(url.to_owned()));
        Self { http, base, cookie: None, begun: BTreeMap::new(), origin, bearer: None }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        let begun = self.begun.iter().map(|(name, token)| format!("{name}={token}"));
        let cookies: Vec<String> = self.cookie.iter().cloned().chain(begun).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        if let Some(origin) = &self.origin {
            request = request.header("origin", origin);
        }
        if let Some(token) = &self.bearer {
            request = request.bearer_auth(token);
        }
        request
    }

    /// Sends a request, keeps the cookie that comes back, and checks a JSON answer against the description of the API.
    pub async fn send(&mut self, request: reqwest::RequestBuilder) -> Answer {
        let request = request.build().unwrap();
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let what = format!("{method} {path}");
        let response = self.http.execute(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        for cookie in headers.get_all("set-cookie") {
            let (name, token) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            match (name.trim_start_matches("__Host-"), token) {
                ("guildhall", "") => self.cookie = None,
                ("guildhall", token) => self.cookie = Some(format!("{name}={token}")),
                (_, "") => drop(self.begun.remove(name)),
                (_, token) => drop(self.begun.insert(name.to_owned(), token.to_owned())),
            }
        }
        let bytes = response.bytes().await.unwrap().to_vec();
        let answer = Answer { status, headers, bytes, what };
        let kind = answer.header("content-type");
        // What other standards say the form of is not in the description.
        let described = path.starts_with("/api/") && path != "/api/openapi.json";
        if kind.contains("json") && kind != "application/x-ndjson" && described {
            schema::check_answer(&method, &path, status, &answer.json());
        }
        answer
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    /// Without a body.
    pub async fn call(&mut self, path: &str) -> Answer {
        self.send(self.request(Method::POST, path)).await
    }

    pub async fn put(&mut self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(&body)).await
    }

    pub async fn patch(&mut self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(&body)).await
    }

    pub async fn delete(&mut self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Puts a file on a card.
    pub async fn upload(&mut self, path: &str, name: &str, bytes: &[u8]) -> Answer {
        let mut body = format!(
            "--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        body.extend(bytes);
        body.extend(b"\r\n--xx--\r\n");
        let request = self.request(Method::POST, path).header("content-type", "multipart/form-data; boundary=xx");
        self.send(request.body(body)).await
    }

    /// Opens the WebSocket, from whose return on it tells of everything, or says with which status that was refused.
    pub async fn listen(&self, query: &str) -> Result<Socket, StatusCode> {
        let mut request = tungstenite::http::Request::builder()
            .uri(format!("{}/api/events{query}", self.base.replace("http://", "ws://")))
            .header("host", self.base.trim_start_matches("http://"))
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let bearer = self.bearer.as_ref().map(|token| format!("Bearer {token}"));
        for (name, value) in [("cookie", &self.cookie), ("origin", &self.origin), ("authorization", &bearer)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let socket = TcpSocket::new_v4().unwrap();
        // Small, so that a client that does not read is soon noticed.
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let address = self.base.trim_start_matches("http://").parse().unwrap();
        let stream = socket.connect(address).await.unwrap();
        match tokio_tungstenite::client_async(request.body(()).unwrap(), stream).await {
            Ok((stream, _)) => {
                let mut socket = Socket { stream, first: None };
                // What happens before the server says hello, it does not tell of.
                socket.first = Some(socket.next().await);
                Ok(socket)
            }
            Err(tungstenite::Error::Http(response)) => Err(StatusCode::from_u16(response.status().as_u16()).unwrap()),
            Err(error) => panic!("{error}"),
        }
    }

    /// A personal access token of this persona.
    pub async fn token(&mut self, scopes: &[Scope]) -> (String, String) {
        let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        let made = self.post("/api/auth/tokens", json!({ "name": "t", "scopes": words })).await.is(StatusCode::CREATED);
        (made["token"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
    }

    /// This persona's id.
    pub async fn id(&mut self) -> String {
        self.get("/api/auth/me").await.is(StatusCode::OK)["id"].as_str().unwrap().to_owned()
    }

    /// What stands at `path` as soon as `wanted` holds of it; looks again after each event.
    pub async fn until(&mut self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut socket = self.listen("").await.unwrap();
        loop {
            let found = self.get(path).await.is(StatusCode::OK);
            if wanted(&found) {
                return found;
            }
            socket.next().await.unwrap();
        }
    }

    /// A ready project of this source.
    pub async fn project(&mut self, name: &str, source: Value) -> Value {
        let mut socket = self.listen("").await.unwrap();
        let project =
            self.post("/api/projects", json!({ "name": name, "source": source })).await.is(StatusCode::CREATED);
        let id = project["id"].clone();
        let done = |frame: &Value| frame["project"]["id"] == id && frame["project"]["status"] != "preparing";
        socket.wait(done).await["project"].clone()
    }
}

/// What the server warns of stands in what a failed test says.
fn tell_what_goes_wrong() {
    let telling = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr);
    // A test with several servers has told already.
    drop(telling.try_init());
}

/// A WebSocket of events. Every frame is checked against the description of the API.
pub struct Socket {
    stream: tokio_tungstenite::WebSocketStream<TcpStream>,
    /// The hello, before it is handed out.
    first: Option<Result<Value, u16>>,
}

impl Socket {
    /// The next frame, or the code with which the server closed.
    pub async fn next(&mut self) -> Result<Value, u16> {
        if let Some(first) = self.first.take() {
            return first;
        }
        loop {
            let message = tokio::time::timeout(PATIENCE, self.stream.next()).await.unwrap();
            match message {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    schema::check("Frame", &frame);
                    return Ok(frame);
                }
                Some(Ok(Message::Close(frame))) => return Err(frame.map_or(1005, |frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(error)) => panic!("{error}"),
                None => return Err(1006),
            }
        }
    }

    /// The first frame for which `wanted` holds.
    pub async fn wait(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        self.until(wanted).await.pop().unwrap()
    }

    /// All frames up to the first for which `wanted` holds, it included.
    pub async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut frames = Vec::new();
        let all = async {
            loop {
                let frame = self.next().await.unwrap_or_else(|code| panic!("closed with {code} after {frames:#?}"));
                let last = wanted(&frame);
                frames.push(frame);
                if last {
                    return;
                }
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            panic!("waited in vain; the last frames: {:#?}", &frames[frames.len().saturating_sub(5)..]);
        }
        frames
    }

    /// Says something to the server.
    pub async fn say(&mut self, what: Value) {
        self.stream.send(Message::Text(what.to_string().into())).await.unwrap();
    }

    pub async fn close(mut self) {
        self.stream.send(Message::Close(None)).await.unwrap();
    }
}
