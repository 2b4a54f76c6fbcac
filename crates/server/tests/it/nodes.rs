//! Several servers over one PostgreSQL, which hear of each other over a Redis.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::SinkExt;
use guildhall_bus::RedisUrl;
use guildhall_engine::Pace;
use guildhall_llm::Secret;
use guildhall_server::config::Config;
use guildhall_server::ws::Listening;
use guildhall_types::member::MemberRole;
use guildhall_types::{Clock, FixedClock, SystemClock};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{PASSWORD, PATIENCE, Persona, Socket, TestApp, Wish, fresh_postgres};
use crate::live::{Pages, next, open, until as shows, waits};
use crate::post::Authority;
use crate::program::{guildhall, run};
use crate::redis::Redis;
use crate::routes::alerts::reading;

const TOKEN: &str = "an-operators-metrics-token";

/// What the servers of one team have in common.
pub struct Team {
    database: String,
    redis: String,
    keys: PathBuf,
    _dir: tempfile::TempDir,
}

impl Team {
    pub async fn over(redis: &Redis) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys = dir.path().join("keys");
        std::fs::write(&keys, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n").unwrap();
        let own = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&keys, own).unwrap();
        Self { database: fresh_postgres().await, redis: redis.url(), keys, _dir: dir }
    }

    /// A server that looks by itself so seldom that what it knows of the other it has heard.
    async fn server(&self, wish: Wish) -> TestApp {
        let (database, redis, keys) = (self.database.clone(), self.redis.clone(), self.keys.clone());
        let change = wish.change;
        TestApp::with(Wish {
            change: Box::new(move |config| {
                change(config);
                config.database_url = Secret::new(database);
                config.redis_url = RedisUrl::parse(&redis);
                config.key_file = Some(keys);
                config.metrics_token = Some(Secret::new(TOKEN));
            }),
            pace: Pace { look: Duration::from_secs(600), ..wish.pace },
            ..wish
        })
        .await
    }
}

impl Team {
    /// One that the others reach.
    pub async fn reached(&self, wish: Wish, port: u16) -> TestApp {
        let change = wish.change;
        let change = Box::new(move |config: &mut Config| {
            change(config);
            config.listen = ([127, 0, 0, 1], port).into();
            config.node_url = Some(format!("http://127.0.0.1:{port}"));
        });
        self.server(Wish { change, ..wish }).await
    }

    /// One that is a process of its own, and can be killed.
    pub fn program(&self, data: &Path, port: u16) -> tokio::process::Command {
        let mut command = guildhall(data);
        command.env("DATABASE_URL", &self.database).env("REDIS_URL", &self.redis).env("GUILDHALL_KEY_FILE", &self.keys);
        command.env("GUILDHALL_LISTEN", format!("127.0.0.1:{port}"));
        command.env("GUILDHALL_NODE_URL", format!("http://127.0.0.1:{port}"));
        command
    }
}

async fn until(what: &str, so: impl Fn() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "waited in vain for {what}");
}

async fn is_linked(app: &TestApp, up: bool) {
    until("the link", || app.app.bus.link().unwrap().up == up).await;
}

/// A member who is known already, at another server.
async fn at(app: &TestApp, email: &str) -> Persona {
    let mut persona = app.anonymous();
    persona.post("/api/auth/login", json!({ "email": email, "password": PASSWORD })).await.is(StatusCode::OK);
    persona
}

fn output(frame: &Value) -> bool {
    frame["type"] == "run.output"
}

/// Follows what a run says until that is stored; returns what was seen of it, from which place on, and what was stored.
async fn follow(socket: &mut Socket) -> (i64, String, String) {
    let (mut from, mut seen) = (None, String::new());
    loop {
        let frame = socket.next().await.unwrap();
        if output(&frame) && frame["stream"]["kind"] == "text" {
            let (offset, text) = (frame["offset"].as_i64().unwrap(), frame["text"].as_str().unwrap());
            let begins = *from.get_or_insert(offset);
            // Whoever comes listens first and is told what there is then: of a piece that comes in between, both tell.
            assert!(offset >= begins, "before where it began");
            let told_before = begins + seen.chars().count() as i64 - offset;
            assert!(told_before >= 0, "a gap behind {seen:?}, before {text:?}");
            let again = seen.chars().skip((offset - begins) as usize);
            assert!(
                again.zip(text.chars()).all(|(seen, told)| seen == told),
                "{text:?} is not what {seen:?} says there"
            );
            seen.extend(text.chars().skip(told_before as usize));
        } else if frame["event"]["kind"] == "text" {
            return (from.unwrap(), seen, frame["event"]["text"].as_str().unwrap().to_owned());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_at_one_server_hears_at_once_what_happens_at_another() {
    let redis = Redis::start().await;
    let team = Team::over(&redis).await;
    let sim = guildhall_sim::Config { per_word: Duration::from_millis(30), ..guildhall_sim::Config::default() };
    let one = team.server(Wish { sim, ..Wish::default() }).await;
    let mut olga = one.owner().await;
    let project = olga.project("Demo", json!({ "kind": "empty" })).await;
    let cards = format!("/api/projects/{}/features", project["id"].as_str().unwrap());
    let said: Vec<String> = (0..200).map(|n| format!("wörd{n}")).collect();
    let script = json!({ "say": said.join(" ") });
    let card = json!({ "description": format!("Talk.\n\n```sim\n{script}\n```"), "model": "simulated" });
    let card = olga.post(&cards, card).await.is(StatusCode::CREATED);
    let mut here = olga.listen("").await.unwrap();
    olga.call(&format!("/api/features/{}/start", card["id"].as_str().unwrap())).await.is(StatusCode::ACCEPTED);
    here.wait(output).await;

    // A server that comes in the middle of a turn is told what was said until then.
    let two = team.server(Wish::default()).await;
    let mut there = at(&two, "olga@example.com").await;
    until("what is said", || !two.app.bus.live_so_far().is_empty()).await;
    let mut far = there.listen("").await.unwrap();
    let (from, seen, stored) = follow(&mut far).await;
    assert_eq!(from, 0);
    // The store may be faster than the last words.
    assert!(stored.starts_with(&seen) && seen.chars().count() > 100, "{seen:?} of {stored:?}");
    far.wait(|frame| frame["feature"]["status"] == "waiting_approval").await;
    until("the end of the turn", || two.app.bus.live_so_far().is_empty()).await;

    // Events of each are heard at the other, once, and in their order.
    let mut near = olga.listen("").await.unwrap();
    far.close().await;
    let mut far = there.listen("").await.unwrap();
    let begins = far.next().await.unwrap()["seq"].as_i64().unwrap();
    for n in 0..6 {
        let persona = if n % 2 == 0 { &mut olga } else { &mut there };
        persona.post(&cards, json!({ "description": format!("card {n}") })).await.is(StatusCode::CREATED);
    }
    for socket in [&mut near, &mut far] {
        let frames = socket.until(|frame| frame["seq"] == begins + 6).await;
        let seqs: Vec<i64> =
            frames.iter().filter_map(|frame| frame["seq"].as_i64()).filter(|seq| *seq > begins).collect();
        assert_eq!(seqs, (begins + 1..=begins + 6).collect::<Vec<_>>());
    }

    // Who writes at what.
    let mut ben = one.named("ben", MemberRole::Member).await;
    let (writer, item) = (ben.id().await, guildhall_types::KnowledgeId::new().to_string());
    let mut at_one = ben.listen("").await.unwrap();
    at_one.say(json!({ "type": "knowledge.editing", "itemId": item })).await;
    let told = far.wait(|frame| frame["type"] == "knowledge.editing").await;
    assert_eq!((&told["memberId"], &told["itemId"], &told["seconds"]), (&json!(writer), &json!(item), &json!(30)));
    at_one.close().await;
    let told = far.wait(|frame| frame["type"] == "knowledge.editing").await;
    assert_eq!(told["seconds"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_may_go_and_come_back_and_nothing_is_lost() {
    let mut redis = Redis::start().await;
    let team = Team::over(&redis).await;
    redis.kill().await;
    // A server whose Redis is away starts, and says so.
    let clock = FixedClock::new(SystemClock.now());
    let one = team.server(Wish { clock: Some(clock.clone()), ..Wish::default() }).await;
    let mut olga = one.owner().await;
    let project = olga.project("Demo", json!({ "kind": "empty" })).await;
    let cards = format!("/api/projects/{}/features", project["id"].as_str().unwrap());
    let two = team.server(Wish::default()).await;
    let bus = |health: &Value| (health["bus"]["kind"].clone(), health["bus"]["ok"].clone());
    let health = olga.get("/api/health/detailed").await.is(StatusCode::OK);
    assert_eq!(bus(&health), (json!("redis"), json!(false)));
    redis.again().await;
    is_linked(&one, true).await;
    is_linked(&two, true).await;
    let health = olga.get("/api/health/detailed").await.is(StatusCode::OK);
    assert_eq!(bus(&health), (json!("redis"), json!(true)));
    assert!(health["bus"]["since"].is_string() && health["bus"]["trouble"].is_null(), "{health}");
    let mut program = one.program(TOKEN);
    assert!(program.get("/metrics").await.text().contains("\nguildhall_bus_up 1\n"));

    let mut far = at(&two, "olga@example.com").await.listen("").await.unwrap();
    let told = far.next().await.unwrap()["seq"].as_i64().unwrap();
    redis.kill().await;
    is_linked(&one, false).await;
    is_linked(&two, false).await;
    let card = olga.post(&cards, json!({ "description": "while nobody hears" })).await.is(StatusCode::CREATED);
    assert!(program.get("/metrics").await.text().contains("\nguildhall_bus_up 0\n"));
    let health = olga.get("/api/health/detailed").await.is(StatusCode::OK);
    assert_eq!(bus(&health), (json!("redis"), json!(false)));
    let trouble = health["bus"]["trouble"].as_str().unwrap();
    assert!(!trouble.contains(Redis::PASSWORD), "{trouble}");

    // It is told whoever runs the servers, and is worse after a while.
    let judge = async |seconds: i64| {
        clock.advance(chrono::Duration::seconds(seconds));
        one.app.engine.judge(&reading(&one, 0, 20, 0)).await;
        let page = one.app.team.store.open_alerts().await.unwrap();
        let lost = page.into_iter().find(|alert| alert.kind.as_str() == "bus-lost");
        lost.map(|alert| (alert.level.as_str().to_owned(), alert.text))
    };
    assert_eq!(judge(30).await, None);
    let (level, text) = judge(40).await.unwrap();
    assert!(level == "warning" && text.contains("Look whether Redis runs"), "{level}: {text}");
    assert_eq!(judge(600).await.unwrap().0, "critical");

    redis.again().await;
    is_linked(&one, true).await;
    is_linked(&two, true).await;
    // Nothing else lets it look but that Redis is back.
    let frames = far.until(|frame| frame["feature"]["id"] == card["id"]).await;
    assert!(frames.iter().all(|frame| frame["seq"].as_i64().is_some_and(|seq| seq > told)), "{frames:#?}");
    assert!(judge(1).await.is_some());
    judge(40).await;
    assert_eq!(judge(40).await, None);
    olga.post(&cards, json!({ "description": "heard again" })).await.is(StatusCode::CREATED);
    far.wait(|frame| frame["feature"]["title"] == "heard again").await;
}

async fn doctor(team: &Team, url: &str, more: &[(&str, &Path)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut command = guildhall(dir.path());
    command.envs(more.iter().copied()).env("DATABASE_URL", &team.database).env("REDIS_URL", url).arg("doctor");
    let (_, out, err) = run(&mut command).await;
    assert!(!out.contains(Redis::PASSWORD) && !err.contains(Redis::PASSWORD), "{out}{err}");
    let line = out.lines().find(|line| line.contains("redis: ") || line.contains("REDIS_URL"));
    line.unwrap_or_else(|| panic!("{out}{err}")).to_owned()
}

#[tokio::test]
async fn the_doctor_says_a_word_by_redis() {
    let mut redis = Redis::start().await;
    let team = Team::over(&redis).await;
    let line = doctor(&team, &redis.url(), &[]).await;
    assert!(line.starts_with("ok ") && line.contains("hands on what is said"), "{line}");
    let line = doctor(&team, &redis.url().replace(Redis::PASSWORD, "another"), &[]).await;
    assert!(line.starts_with("FAIL") && line.contains("its user and password"), "{line}");
    redis.kill().await;
    let line = doctor(&team, &redis.url(), &[]).await;
    assert!(line.starts_with("FAIL") && line.contains("refused"), "{line}");
    let line = doctor(&team, &redis.url().replace("redis://", "http://"), &[]).await;
    assert!(line.starts_with("FAIL") && line.contains("expected redis:// or rediss://"), "{line}");
}

#[tokio::test]
async fn by_tls_redis_is_who_its_certificate_says() {
    let (own, other) = tokio::join!(Authority::new(), Authority::new());
    let file = |name: &str| own.file(name).display().to_string();
    let redis = Redis::with(|port| {
        let port = port.to_string();
        let tls =
            ["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no", "--tls-cert-file", &file("leaf.pem")];
        let files = ["--tls-key-file", &file("leaf.key"), "--tls-ca-cert-file", &file("ca.pem")];
        tls.into_iter().chain(files).map(str::to_owned).collect()
    });
    let redis = redis.await;
    let team = Team::over(&redis).await;
    let url = redis.url().replace("redis://", "rediss://");
    let line = doctor(&team, &url, &[("SSL_CERT_FILE", &own.file("ca.pem"))]).await;
    assert!(line.starts_with("ok ") && line.contains("hands on what is said"), "{line}");
    let line = doctor(&team, &url, &[("SSL_CERT_FILE", &other.file("ca.pem"))]).await;
    assert!(line.starts_with("FAIL") && line.contains("trusts its certificate"), "{line}");
    // Who speaks no TLS is not spoken to.
    let line = doctor(&team, &redis.url(), &[("SSL_CERT_FILE", &own.file("ca.pem"))]).await;
    assert!(line.starts_with("FAIL"), "{line}");
}

/// A port that nobody listens at.
pub async fn free_port() -> u16 {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_one_server_has_is_reached_through_any() {
    let redis = Redis::start().await;
    let team = Team::over(&redis).await;
    let port = free_port().await;
    let one = team.reached(Wish::default(), port).await;
    let mut olga = one.owner().await;
    let (_, run) = waits(&mut olga).await;
    // Only what the second server says of the client tells the first one where it is.
    let two = team
        .server(Wish {
            change: Box::new(|config| config.guard.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()]),
            ..Wish::default()
        })
        .await;
    let mut there = at(&two, "olga@example.com").await;
    let services = format!("{run}/services");
    let from = "198.51.100.7";
    let wish = json!({ "name": "web", "command": "perl serve.pl", "port": 8123 });
    let begun = there.request(Method::POST, &services).header("x-forwarded-for", from).json(&wish);
    let begun = there.send(begun).await.is(StatusCode::CREATED);
    assert_eq!(begun["status"], "running");
    let audit = olga.get("/api/audit?action=service.start").await.is(StatusCode::OK);
    assert_eq!(audit["items"][0]["address"], from, "{audit}");

    // Its log, its pages with their WebSockets, and what never ends.
    let log = format!("{services}/web/log");
    listens(&mut there, &log).await;
    let url = there.call(&format!("{services}/web/preview")).await.is(StatusCode::CREATED)["url"].clone();
    let pages = Pages::enter(&two, url.as_str().unwrap()).await;
    let head = pages.get("/a?b=c").await.text().await.unwrap().to_lowercase();
    assert!(head.starts_with("get /a?b=c http/1.1\r\n") && head.contains("host: localhost:8123\r\n"), "{head}");
    assert!(!head.contains("guildhall") && !head.contains("passed-on"), "nothing of the house's own: {head}");
    let own = format!("http://{}", pages.host);
    let cookie = pages.cookie.clone().unwrap();
    let headers = [("host", pages.host.as_str()), ("cookie", cookie.as_str()), ("origin", own.as_str())];
    let mut socket = open(&two, "/socket", &headers).await.unwrap();
    socket.send(Message::Text("hot reload".into())).await.unwrap();
    assert_eq!(next(&mut socket).await.unwrap(), Message::Text("hot reload".into()));
    let mut stream = pages.get("/stream").await;
    assert_eq!(stream.chunk().await.unwrap().unwrap().as_ref(), b"data: x\n\n");

    // A terminal.
    let cookie = there.cookie.clone().unwrap();
    let headers = [("cookie", cookie.as_str()), ("origin", two.url.as_str())];
    let mut terminal = open(&two, &format!("{run}/terminal"), &headers).await.unwrap();
    let ready = next(&mut terminal).await.unwrap();
    assert_eq!(ready, Message::Text(r#"{"type":"ready","readOnly":false}"#.into()));
    terminal.send(Message::Binary("echo $((6 * 7))\n".into())).await.unwrap();
    shows(&mut terminal, "42\r\n").await;
    drop(terminal);

    let stopped = there.call(&format!("{services}/web/stop")).await.is(StatusCode::OK);
    assert_eq!((&stopped["status"], &stopped["problem"]), (&json!("stopped"), &json!("Olga stopped it.")));

    // Whoever is no member here is none there.
    let mut nobody = two.anonymous();
    nobody.get(&log).await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    // Nobody but a node says for whom it asks, and that for this request to this node, and now.
    let house = one.url.trim_start_matches("http://").to_owned();
    let (place, now) = (one.app.engine.place().to_string(), SystemClock.now());
    let seal =
        |place: &str, path: &str, host: &str, at| seal(&one, &format!("passed-on\n{place}\nGET\n{path}\n{host}"), at);
    let good = seal(&place, &log, &house, now);
    let asked = olga.request(Method::GET, &log).header("x-guildhall-passed-on", good);
    olga.send(asked).await.is(StatusCode::OK);
    for forged in [
        String::new(),
        "x".to_owned(),
        "a.b.c".to_owned(),
        seal(&place, &services, &house, now),
        seal(&place, &log, "elsewhere", now),
        seal(&two.app.engine.place().to_string(), &log, &house, now),
        seal(&place, &log, &house, now - chrono::Duration::seconds(40)),
        seal(&place, &log, &house, now + chrono::Duration::seconds(40)),
    ] {
        let asked = olga.request(Method::GET, &log).header("x-guildhall-passed-on", forged);
        olga.send(asked).await.is_problem(StatusCode::FORBIDDEN, "bad-node-seal");
    }
}

/// Until the service of [`waits`] answers.
pub async fn listens(persona: &mut Persona, log: &str) {
    let listens = async {
        while persona.get(log).await.is(StatusCode::OK)["text"] != "listening\n" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, listens).await.unwrap();
}

/// What a node writes on a request that it passes on.
fn seal(app: &TestApp, identity: &str, at: chrono::DateTime<chrono::Utc>) -> String {
    use base64::Engine as _;
    let plain = json!({ "at": at, "address": "198.51.100.9" }).to_string();
    let sealed = app.app.team.vault.seal(identity, plain.as_bytes()).unwrap();
    let code = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    format!("{}.{}.{}", sealed.key_id, code(&sealed.wrapped_key), code(&sealed.sealed))
}

/// Until the terminal is closed; why it was.
async fn closed(terminal: &mut crate::live::Socket) -> Option<u16> {
    loop {
        match next(terminal).await {
            Some(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
            Some(_) => {}
            None => return None,
        }
    }
}

/// Somebody who has changed a file at a terminal, and sits there still.
async fn types(app: &TestApp, persona: &Persona, run: &str) -> crate::live::Socket {
    let cookie = persona.cookie.clone().unwrap();
    let headers = [("cookie", cookie.as_str()), ("origin", app.url.as_str())];
    let mut terminal = open(app, &format!("{run}/terminal"), &headers).await.unwrap();
    let ready = next(&mut terminal).await.unwrap();
    assert_eq!(ready, Message::Text(r#"{"type":"ready","readOnly":false}"#.into()));
    terminal.send(Message::Binary("echo hand > hand.txt; echo $((6 * 7))\n".into())).await.unwrap();
    shows(&mut terminal, "42\r\n").await;
    terminal
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_typed_where_a_deed_cannot_wait_for_it_is_kept_apart() {
    let redis = Redis::start().await;
    let team = Team::over(&redis).await;
    // Nobody reaches this one.
    let one = team.server(Wish::default()).await;
    let mut olga = one.owner().await;
    let (feature, run) = waits(&mut olga).await;
    let two = team.server(Wish::default()).await;
    let mut there = at(&two, "olga@example.com").await;
    is_linked(&one, true).await;
    let mut terminal = types(&one, &olga, &run).await;
    let deed = format!("{feature}/verify");
    let (verified, why) = tokio::join!(there.call(&deed), closed(&mut terminal));
    assert_eq!((verified.is(StatusCode::ACCEPTED)["feature"]["filesChanged"].clone(), why), (json!(1), Some(4423)));
    let told = async {
        while !olga.get(&format!("{run}/events")).await.text().contains("came too late") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap();
    assert!(olga.get(&format!("{run}/events")).await.text().contains("refs/guildhall/beside/"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deed_at_any_server_takes_what_is_typed_at_another() {
    let redis = Redis::start().await;
    let team = Team::over(&redis).await;
    let port = free_port().await;
    let one = team.reached(Wish::default(), port).await;
    let mut olga = one.owner().await;
    let (feature, run) = waits(&mut olga).await;
    let two = team.server(Wish::default()).await;
    let mut there = at(&two, "olga@example.com").await;
    let mut terminal = types(&one, &olga, &run).await;
    let deed = format!("{feature}/verify");
    let (verified, why) = tokio::join!(there.call(&deed), closed(&mut terminal));
    assert_eq!((verified.is(StatusCode::ACCEPTED)["feature"]["filesChanged"].clone(), why), (json!(2), Some(4423)));
    there.call(&format!("{feature}/merge")).await.is(StatusCode::OK);
    let text = there.get(&format!("{feature}/files?path=hand.txt&side=head")).await;
    assert_eq!((text.status, text.text().as_str()), (StatusCode::OK, "hand\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_signs_out_at_one_server_sees_nothing_more_through_another() {
    let redis = Redis::start().await;
    let team = Team::over(&redis).await;
    let port = free_port().await;
    let listening = Listening { recheck: Duration::from_millis(50), ..Listening::default() };
    let one = team.reached(Wish { listening, ..Wish::default() }, port).await;
    let mut olga = one.owner().await;
    let (_, run) = waits(&mut olga).await;
    let mut two = team.server(Wish::default()).await;
    let mut there = at(&two, "olga@example.com").await;
    let services = format!("{run}/services");
    let wish = json!({ "name": "web", "command": "perl serve.pl", "port": 8123 });
    there.post(&services, wish).await.is(StatusCode::CREATED);
    listens(&mut there, &format!("{services}/web/log")).await;
    let url = there.call(&format!("{services}/web/preview")).await.is(StatusCode::CREATED)["url"].clone();
    let pages = Pages::enter(&two, url.as_str().unwrap()).await;
    let mut stream = pages.get("/stream").await;
    assert!(stream.chunk().await.unwrap().is_some());
    let (cookie, house) = (there.cookie.clone().unwrap(), two.url.clone());
    let headers = [("cookie", cookie.as_str()), ("origin", house.as_str())];
    let mut terminal = open(&two, &format!("{run}/terminal"), &headers).await.unwrap();
    assert!(next(&mut terminal).await.unwrap().is_text());

    // The same session, at the other server.
    let mut same = one.anonymous();
    same.cookie.clone_from(&there.cookie);
    same.call("/api/auth/logout").await.is(StatusCode::NO_CONTENT);
    let ends = async {
        while let Ok(Some(_)) = stream.chunk().await {}
        closed(&mut terminal).await
    };
    let why = tokio::time::timeout(PATIENCE, ends).await.unwrap();
    assert_eq!(why, Some(4401));
    there.get(&format!("{services}/web/log")).await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    assert_eq!(pages.get("/").await.status(), StatusCode::UNAUTHORIZED);

    // A server that stops lets go of what it passes on.
    let mut again = at(&two, "olga@example.com").await;
    let cookie = again.cookie.clone().unwrap();
    again.get(&format!("{services}/web/log")).await.is(StatusCode::OK);
    let headers = [("cookie", cookie.as_str()), ("origin", house.as_str())];
    let mut terminal = open(&two, &format!("{run}/terminal"), &headers).await.unwrap();
    assert!(next(&mut terminal).await.unwrap().is_text());
    two.stop().await;
    assert_eq!(closed(&mut terminal).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_told_in_words() {
    let redis = Redis::start().await;
    let team = Team::over(&redis).await;
    let app = team.server(Wish::default()).await;
    let mut olga = app.owner().await;
    let (feature, run) = waits(&mut olga).await;
    let store = &app.app.team.store;
    let node = guildhall_types::NodeId::new();
    let known = guildhall_store::KnownNode {
        id: guildhall_types::PlaceId::new(),
        node,
        name: "guild-2".to_owned(),
        version: "0".to_owned(),
        url: Some(format!("http://127.0.0.1:{}", free_port().await)),
        started_at: SystemClock.now(),
        seen_at: SystemClock.now(),
        reading: reading(&app, 0, 20, 0),
    };
    store.meet_node(&known).await.unwrap();
    let id = run.rsplit('/').next().unwrap().parse().unwrap();
    let theirs = guildhall_store::NewService {
        id: guildhall_types::ServiceId::new(),
        run: id,
        name: "theirs".to_owned(),
        command: "perl serve.pl".to_owned(),
        port: Some(8123),
        member: None,
        node,
        until: None,
        label: guildhall_team::preview_label(),
    };
    store.begin_service(theirs).await.unwrap().unwrap();
    let services = format!("{run}/services");
    let away = olga.get(&format!("{services}/theirs/log")).await;
    let problem = away.is_problem(StatusCode::SERVICE_UNAVAILABLE, "node-away");
    assert!(
        problem["detail"].as_str().unwrap().starts_with("This is on the server guild-2, and it cannot be reached.")
    );
    olga.call(&format!("{services}/theirs/stop")).await.is_problem(StatusCode::SERVICE_UNAVAILABLE, "node-away");
    let url = olga.call(&format!("{services}/theirs/preview")).await.is(StatusCode::CREATED)["url"].clone();
    let pages = Pages::enter(&app, url.as_str().unwrap()).await;
    let answer = pages.get("/").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.text().await.unwrap().contains("The service theirs runs on the server guild-2"));
    // What was passed on is answered by whom it reached, and not passed on once more.
    let log = format!("{services}/theirs/log");
    let (place, house) = (app.app.engine.place(), app.url.trim_start_matches("http://"));
    let passed = seal(&app, &format!("passed-on\n{place}\nGET\n{log}\n{house}"), SystemClock.now());
    let asked = olga.request(Method::GET, &log).header("x-guildhall-passed-on", passed);
    olga.send(asked).await.is_problem(StatusCode::CONFLICT, "other-node");
    // A worktree there is waited for while its server may come back, and then made again here.
    let place_of_theirs = known.id;
    store.note_place(id, place_of_theirs).await.unwrap();
    let wish = json!({ "name": "mine", "command": "sleep 300" });
    let away = olga.post(&services, wish.clone()).await;
    away.is_problem(StatusCode::SERVICE_UNAVAILABLE, "node-away");
    let gone = guildhall_store::KnownNode { seen_at: SystemClock.now() - chrono::Duration::minutes(5), ..known };
    store.meet_node(&gone).await.unwrap();
    olga.post(&services, wish).await.is(StatusCode::CREATED);
    // Its address is asked no more: it may be somebody else's by now.
    let problem = olga.get(&log).await.is_problem(StatusCode::SERVICE_UNAVAILABLE, "node-away");
    assert!(problem["detail"].as_str().unwrap().contains("nothing was heard of that one"), "{problem}");
    // Work is taken by any.
    store.meet_node(&guildhall_store::KnownNode { seen_at: SystemClock.now(), ..gone }).await.unwrap();
    store.note_place(id, place_of_theirs).await.unwrap();
    olga.call(&format!("{feature}/verify")).await.is(StatusCode::ACCEPTED);
}
