//! The server behind the Caddy of the distribution, with the file that operators are given (`deploy/Caddyfile`).

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures::StreamExt;
use guildhall_server::config::Config;
use guildhall_server::preview::PreviewUrl;
use guildhall_types::rights::Scope;
use reqwest::{Certificate, Client, ClientBuilder, Method, StatusCode, redirect};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::git::{Own, noise};
use crate::harness::{PASSWORD, PATIENCE, Persona, TestApp, Wish};
use crate::live::waits;
use crate::nodes::{self, Team};
use crate::passing;
use crate::program::{guildhall, run};
use crate::redis::Redis;

/// Bytes of an attachment at most.
const ATTACHMENT: usize = 5 * 1024 * 1024;
/// Where the browser of these tests sits. The whole of 127/8 is this machine, so that a client can be told from the proxy.
const BROWSER: [u8; 4] = [127, 0, 0, 2];
/// How often Caddy asks each of several servers whether it can work (`deploy/nodes.caddy`).
const LOOKS: Duration = Duration::from_secs(2);
/// What a client writes that would like to be somebody else.
const FORGED: &str = "203.0.113.9";

/// A port that nobody else listens on, held until this is dropped. Below those that the kernel gives to others in between.
pub fn free_port() -> (TcpListener, u16) {
    let from = 10_000 + (uuid::Uuid::now_v7().as_u128() % 9_000) as u16;
    (from..).find_map(|port| Some((TcpListener::bind(("127.0.0.1", port)).ok()?, port))).unwrap()
}

/// Caddy in front of a server, on ports of its own, with certificates that it made itself.
struct Front {
    _caddy: Child,
    public: String,
    plain: u16,
    https: SocketAddr,
    dir: tempfile::TempDir,
}

impl Front {
    async fn start() -> (TestApp, Self) {
        let (mut apps, front) = Self::before(None).await;
        (apps.remove(0), front)
    }

    /// In front of one server, or of two of a team and a third one that comes at this port.
    async fn before(team: Option<(&Team, u16)>) -> (Vec<TestApp>, Self) {
        // Another test may come in between where a port is let go for Caddy to take it.
        let taken = |said: &[String]| said.iter().any(|line| line.contains("address already in use"));
        match Self::try_to_start(team).await {
            Ok(started) => started,
            Err(said) if taken(&said) => {
                Self::try_to_start(team).await.unwrap_or_else(|said| panic!("Caddy did not start: {said:#?}"))
            }
            Err(said) => panic!("Caddy did not start: {said:#?}"),
        }
    }

    /// What Caddy said, where it did not start.
    async fn try_to_start(team: Option<(&Team, u16)>) -> Result<(Vec<TestApp>, Self), Vec<String>> {
        let ((held, https), (held_too, plain)) = (free_port(), free_port());
        let public = format!("https://localhost:{https}");
        let previews = format!("https://*.preview.localhost:{https}");
        let (url, preview): (url::Url, _) = (public.parse().unwrap(), PreviewUrl::parse(&previews));
        let wish = || {
            let (url, preview) = (Clone::clone(&url), preview.clone());
            let change = Box::new(move |config: &mut Config| {
                config.public_url = Some(url);
                config.preview_url = preview;
                config.guard.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
            });
            Wish { change, ..Wish::default() }
        };
        let apps = match team {
            None => vec![TestApp::with(wish()).await],
            Some((team, _)) => {
                vec![
                    team.reached(wish(), nodes::free_port().await).await,
                    team.reached(wish(), nodes::free_port().await).await,
                ]
            }
        };
        let here = apps.iter().map(|app| app.url.trim_start_matches("http://").to_owned());
        let upstream: Vec<String> = here.chain(team.map(|(_, port)| format!("127.0.0.1:{port}"))).collect();
        let dir = tempfile::tempdir().unwrap();
        let given = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
        let files = ["Caddyfile", "previews.caddy", "nodes.caddy"];
        for file in &files[..if team.is_some() { 3 } else { 2 }] {
            std::fs::copy(given.join(file), dir.path().join(file)).unwrap();
        }
        let options = format!("admin off\nlocal_certs\nskip_install_trust\ndefault_bind 127.0.0.1\nhttp_port {plain}");
        drop((held, held_too));
        let spawned = Command::new("caddy")
            .arg("run")
            .arg("--config")
            .arg(dir.path().join("Caddyfile"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", dir.path())
            .env("XDG_DATA_HOME", dir.path())
            .env("XDG_CONFIG_HOME", dir.path())
            .env("GUILDHALL_PUBLIC_URL", &public)
            .env("GUILDHALL_PREVIEW_URL", &previews)
            .env("GUILDHALL_PREVIEW_TLS", "internal")
            .env("GUILDHALL_UPSTREAM", upstream.join(" "))
            .env("GUILDHALL_CADDY_OPTIONS", options)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut caddy = spawned.unwrap_or_else(|error| panic!("no Caddy ({error}): run scripts/setup.sh test"));
        let mut log = BufReader::new(caddy.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let ready = async {
            // Certificates are made after that, while nobody can be served yet.
            let mut certified = 0;
            while let Some(line) = log.next_line().await.unwrap() {
                certified += usize::from(line.contains("certificate obtained successfully"));
                said.push(line);
                if certified == 2 && said.iter().any(|line| line.contains("serving initial configuration")) {
                    return true;
                }
            }
            false
        };
        let ready = tokio::time::timeout(PATIENCE, ready).await;
        if !matches!(ready, Ok(true)) {
            return Err(said);
        }
        // Nobody else reads what it says, and a full pipe would stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        let https = SocketAddr::from(([127, 0, 0, 1], https));
        let front = Self { _caddy: caddy, public, plain, https, dir };
        // It shows a certificate a moment after it said that it has it.
        let (client, health) = (front.client(&[]).build().unwrap(), format!("{}/api/health", front.public));
        let served = async {
            while client.get(&health).send().await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, served).await.unwrap();
        Ok((apps, front))
    }

    /// The file with the certificate of Caddy's own authority.
    fn authority(&self) -> PathBuf {
        self.dir.path().join("caddy/pki/authorities/local/root.crt")
    }

    /// A client that trusts that authority, and sits apart from the proxy.
    fn client(&self, hosts: &[&str]) -> ClientBuilder {
        let root = Certificate::from_pem(&std::fs::read(self.authority()).unwrap()).unwrap();
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .local_address(std::net::IpAddr::from(BROWSER));
        hosts
            .iter()
            .chain(&["localhost"])
            .fold(client.tls_certs_only([root]), |client, host| client.resolve(host, self.https))
    }

    fn browser(&self) -> Persona {
        Persona::by(self.client(&[]).build().unwrap(), &self.public)
    }

    /// Opens the WebSocket of events through the proxy, or says with which status that was refused.
    async fn listen(&self, cookie: &str, origin: &str) -> Result<WebSocketStream<reqwest::Upgraded>, StatusCode> {
        let client = self.client(&[]).http1_only().build().unwrap();
        let request =
            client.get(format!("{}/api/events", self.public)).header("cookie", cookie).header("origin", origin);
        let request = request.header("connection", "Upgrade").header("upgrade", "websocket");
        let request =
            request.header("sec-websocket-version", "13").header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let answer = request.send().await.unwrap();
        match answer.status() {
            StatusCode::SWITCHING_PROTOCOLS => {
                let stream = answer.upgrade().await.unwrap();
                Ok(WebSocketStream::from_raw_socket(stream, Role::Client, None).await)
            }
            status => Err(status),
        }
    }
}

/// The first frame for which `wanted` holds.
async fn frame(socket: &mut WebSocketStream<reqwest::Upgraded>, wanted: impl Fn(&Value) -> bool) -> Value {
    let found = async {
        loop {
            let message = socket.next().await.unwrap().unwrap();
            if let Some(found) = message.to_text().ok().and_then(|text| serde_json::from_str(text).ok()).filter(&wanted)
            {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_server_behind_caddy_is_what_it_is_without() {
    let (app, front) = Front::start().await;

    // Whoever comes by plain HTTP is led to HTTPS, path and all.
    let plain = front.client(&[]).build().unwrap();
    let answer = plain.get(format!("http://127.0.0.1:{}/projects?x=1", front.plain)).header("host", "localhost");
    let answer = answer.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PERMANENT_REDIRECT);
    assert_eq!(answer.headers()["location"], format!("{}/projects?x=1", front.public).as_str());

    // Cookies are bound to HTTPS, and every answer says that there is nothing else.
    let mut owner = front.browser();
    let register = json!({ "email": "olga@example.com", "password": PASSWORD, "name": "Olga" });
    let request = owner.request(Method::POST, "/api/auth/register").header("x-forwarded-for", FORGED).json(&register);
    let answer = owner.send(request.header("x-forwarded-host", "evil.example")).await;
    answer.is(StatusCode::CREATED);
    assert!(answer.header("set-cookie").starts_with("__Host-guildhall="), "{:?}", answer.headers);
    assert!(answer.header("set-cookie").contains("; Secure"), "{:?}", answer.headers);
    let told: Vec<_> = answer.headers.get_all("strict-transport-security").iter().collect();
    assert_eq!(told, ["max-age=31536000"]);
    assert!(answer.headers.get("server").is_none(), "{:?}", answer.headers);
    let page = owner.get("/").await;
    assert!(page.status == StatusCode::OK && page.header("content-security-policy").contains("default-src 'self'"));

    // The client's own address is known, and neither what it makes up nor the proxy's is.
    let sessions = owner.get("/api/auth/sessions").await.is(StatusCode::OK);
    assert_eq!(sessions[0]["address"], "127.0.0.2", "{sessions}");
    let guess = json!({ "email": "olga@example.com", "password": "not this one" });
    let mut guesser = front.browser();
    let request = guesser.request(Method::POST, "/api/auth/login").header("x-forwarded-for", FORGED).json(&guess);
    guesser.send(request).await.is(StatusCode::UNAUTHORIZED);
    // Who goes around the proxy is no proxy.
    let around = Client::builder().no_proxy().local_address(std::net::IpAddr::from([127, 0, 0, 3])).build().unwrap();
    let mut around = Persona::by(around, &app.url);
    around.origin = None;
    let request = around.request(Method::POST, "/api/auth/login").header("x-forwarded-for", FORGED).json(&guess);
    around.send(request).await.is(StatusCode::UNAUTHORIZED);
    let audit = owner.get("/api/audit?action=member.sign-in&outcome=refused").await.is(StatusCode::OK);
    let from: Vec<&str> =
        audit["items"].as_array().unwrap().iter().filter_map(|entry| entry["address"].as_str()).collect();
    assert_eq!(from, ["127.0.0.3", "127.0.0.2"], "{audit}");

    // A WebSocket passes, from the house's own page alone, and tells at once what happens.
    let cookie = owner.cookie.clone().unwrap();
    assert_eq!(front.listen(&cookie, "https://evil.example").await.unwrap_err(), StatusCode::FORBIDDEN);
    let mut socket = front.listen(&cookie, &front.public).await.unwrap();
    frame(&mut socket, |frame| frame["type"] == "hello").await;
    let project = json!({ "name": "Behind", "source": { "kind": "empty" } });
    owner.post("/api/projects", project).await.is(StatusCode::CREATED);
    frame(&mut socket, |frame| frame["type"] == "project.created").await;

    // The pages of a service have an origin of their own, which streams as well.
    let mut direct = owner.clone();
    direct.base = app.url.clone();
    let (feature, of_run) = waits(&mut direct).await;
    let services = format!("{of_run}/services");
    let wish = json!({ "name": "web", "command": "perl serve.pl", "port": 8123 });
    owner.post(&services, wish).await.is(StatusCode::CREATED);
    direct.until(&format!("{services}/web/log"), |log| log["text"] == "listening\n").await;
    let url = owner.call(&format!("{services}/web/preview")).await.is(StatusCode::CREATED)["url"].clone();
    let url: url::Url = url.as_str().unwrap().parse().unwrap();
    let (host, origin) = (url.host_str().unwrap(), url.origin().ascii_serialization());
    assert!(host.ends_with(".preview.localhost") && host.starts_with("p-"), "{url}");
    let pages = front.client(&[host]).build().unwrap();
    let entered = pages.get(url.clone()).send().await.unwrap();
    assert_eq!(entered.status(), StatusCode::SEE_OTHER);
    let pass = entered.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    assert!(pass.starts_with("__Host-guildhall-preview="), "{pass}");
    let ask = async |path: &str| pages.get(format!("{origin}{path}")).header("cookie", &pass).send().await.unwrap();
    let head = ask("/some/path").await.text().await.unwrap().to_lowercase();
    assert!(
        head.starts_with("get /some/path http/1.1\r\n") && head.contains("x-forwarded-for: 127.0.0.2\r\n"),
        "{head}"
    );
    let mut stream = ask("/stream").await;
    let first = tokio::time::timeout(PATIENCE, stream.chunk()).await.unwrap().unwrap().unwrap();
    assert!(first.starts_with(b"data: x\n\n"), "a stream that never ends is passed on as it comes");
    assert_eq!(pages.get(&origin).send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "without its cookie");

    // The largest attachment passes; what is larger, the server refuses in its own words.
    let bytes = vec![b'x'; ATTACHMENT + 1];
    let attachments = format!("{feature}/attachments");
    let kept = owner.upload(&attachments, "all.txt", &bytes[1..]).await.is(StatusCode::CREATED);
    let back = owner.get(&format!("/api/attachments/{}", kept["id"].as_str().unwrap())).await;
    assert!(back.status == StatusCode::OK && back.bytes == bytes[1..], "{} bytes came back", back.bytes.len());
    let refused = owner.upload(&attachments, "more.txt", &bytes).await;
    assert!(refused.status.is_client_error() && refused.header("content-type") == "application/problem+json");

    // So does a push that is larger than any upload, out of a repository that was cloned through the proxy.
    let (token, _) = owner.token(&[Scope::Git]).await;
    let place = tempfile::tempdir().unwrap();
    let address = format!("{}/git/Behind.git", front.public.replace("://", &format!("://olga:{token}@")));
    let authority = format!("http.sslCAInfo={}", front.authority().display());
    let own = Own { at: place.path().to_owned() };
    own.does(&["-c", &authority, "clone", "--quiet", "--config", &authority, &address, "own"]).await;
    let own = own.within("own");
    let commit = own.commit("large.bin", noise(41_000_000)).await;
    own.does(&["push", "--quiet"]).await;
    assert!(own.does(&["ls-remote", "origin", "main"]).await.starts_with(&commit));

    // The server looks at both certificates. Whether the second name is found, this machine's resolver says.
    let seen = app.app.team.certificates().await;
    let hosts: Vec<&str> = seen.iter().map(|(host, _)| host.as_str()).collect();
    assert_eq!(hosts, ["localhost", "*.preview.localhost"]);
    assert!(seen[0].1.is_ok(), "{seen:?}");

    // The doctor looks at all of it from outside.
    let doctor = |trusted: bool| {
        let mut command = guildhall(app.dir.path());
        command
            .env("GUILDHALL_LISTEN", app.url.trim_start_matches("http://"))
            .env("GUILDHALL_PUBLIC_URL", &front.public);
        command.env("GUILDHALL_TRUSTED_PROXIES", "127.0.0.1");
        if trusted {
            command.env("SSL_CERT_FILE", front.authority());
        }
        command.arg("doctor");
        command
    };
    let (_, out, err) = run(&mut doctor(true)).await;
    for line in [
        format!("ok    public address: Guildhall answers at {}/", front.public),
        "ok    certificate: good until ".to_owned(),
        "ok    proxy: 127.0.0.1/32 is believed, and nobody else".to_owned(),
        format!("ok    address: {} is taken, as it should be", app.url.trim_start_matches("http://")),
    ] {
        assert!(out.contains(&line), "no {line:?} in {out}{err}");
    }
    let (code, out, err) = run(&mut doctor(false)).await;
    assert!(code == Some(1) && out.contains("shows a certificate that browsers do not trust"), "{out}{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn behind_caddy_servers_may_go_and_come() {
    let redis = Redis::start().await;
    let team = Team::over(&redis).await;
    let port = nodes::free_port().await;
    let (mut apps, front) = Front::before(Some((&team, port))).await;
    let mut owner = front.browser();
    let register = json!({ "email": "olga@example.com", "password": PASSWORD, "name": "Olga" });
    owner.post("/api/auth/register", register).await.is(StatusCode::CREATED);
    let cookie = owner.cookie.clone().unwrap();

    // What one of them has is there whichever is asked, and the client's own address with it.
    let mut direct = owner.clone();
    direct.base = apps[1].url.clone();
    let (_, of_run) = waits(&mut direct).await;
    let services = format!("{of_run}/services");
    let wish = json!({ "name": "web", "command": "perl serve.pl", "port": 8123 });
    owner.post(&services, wish).await.is(StatusCode::CREATED);
    passing::listens(&mut owner, &format!("{services}/web/log")).await;
    for _ in 0..8 {
        owner.get(&format!("{services}/web/log")).await.is(StatusCode::OK);
    }
    let audit = owner.get("/api/audit?action=service.start").await.is(StatusCode::OK);
    assert_eq!(audit["items"][0]["address"], "127.0.0.2", "{audit}");
    let url = owner.call(&format!("{services}/web/preview")).await.is(StatusCode::CREATED)["url"].clone();
    let url: url::Url = url.as_str().unwrap().parse().unwrap();
    let pages = front.client(&[url.host_str().unwrap()]).build().unwrap();
    let entered = pages.get(url.clone()).send().await.unwrap();
    let pass = entered.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    for _ in 0..8 {
        let page = pages.get(url.origin().ascii_serialization()).header("cookie", &pass).send().await.unwrap();
        let head = page.text().await.unwrap().to_lowercase();
        assert!(head.starts_with("get / http/1.1\r\n") && head.contains("x-forwarded-for: 127.0.0.2\r\n"), "{head}");
    }

    // A third one comes, a process of its own, and is asked as soon as Caddy finds it there.
    let data = tempfile::tempdir().unwrap();
    let mut third = team.program(data.path(), port);
    third.env("GUILDHALL_PUBLIC_URL", &front.public).env("GUILDHALL_TRUSTED_PROXIES", "127.0.0.1").arg("serve");
    let mut third = third.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (client, ready) = (Client::new(), format!("http://127.0.0.1:{port}/api/health/ready"));
    let comes = async {
        while !client.get(&ready).send().await.is_ok_and(|answer| answer.status() == StatusCode::OK) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, comes).await.unwrap();
    tokio::time::sleep(LOOKS * 2).await;

    // A WebSocket at each, as the one with the fewest connections takes the next.
    let mut sockets = Vec::new();
    for _ in 0..3 {
        let mut socket = front.listen(&cookie, &front.public).await.unwrap();
        frame(&mut socket, |frame| frame["type"] == "hello").await;
        sockets.push(socket);
    }
    // One is killed, another stops, and nobody is refused meanwhile.
    let mut asks = owner.clone();
    let going = tokio::spawn(async move {
        for _ in 0..80 {
            asks.get("/api/auth/me").await.is(StatusCode::OK);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    third.kill().await.unwrap();
    let stay = those_that_stay(sockets).await;
    assert_eq!(stay.len(), 2, "each had one");
    apps[1].stop().await;
    going.await.unwrap();
    let mut stay = those_that_stay(stay).await;
    let project = json!({ "name": "Goes on", "source": { "kind": "empty" } });
    owner.post("/api/projects", project).await.is(StatusCode::CREATED);
    assert_eq!(stay.len(), 1);
    frame(&mut stay[0], |frame| frame["type"] == "project.created").await;
    let mut socket = front.listen(&cookie, &front.public).await.unwrap();
    frame(&mut socket, |frame| frame["type"] == "hello").await;
}

/// Those that still hold after a moment.
async fn those_that_stay(sockets: Vec<WebSocketStream<reqwest::Upgraded>>) -> Vec<WebSocketStream<reqwest::Upgraded>> {
    let mut stay = Vec::new();
    for mut socket in sockets {
        let ends = async {
            while let Some(Ok(message)) = socket.next().await {
                if message.is_close() {
                    break;
                }
            }
        };
        if tokio::time::timeout(Duration::from_millis(500), ends).await.is_err() {
            stay.push(socket);
        }
    }
    stay
}
