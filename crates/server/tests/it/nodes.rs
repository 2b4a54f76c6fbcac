//! Several servers over one PostgreSQL, which hear of each other over a Redis.

use std::path::{Path, PathBuf};
use std::time::Duration;

use guildhall_bus::RedisUrl;
use guildhall_engine::Pace;
use guildhall_llm::Secret;
use guildhall_server::config::Config;
use guildhall_types::member::MemberRole;
use guildhall_types::{Clock, FixedClock, SystemClock};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, PATIENCE, Persona, Socket, TestApp, Wish, fresh_postgres};
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
    pub async fn server(&self, wish: Wish) -> TestApp {
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

pub async fn is_linked(app: &TestApp, up: bool) {
    until("the link", || app.app.bus.link().unwrap().up == up).await;
}

/// A member who is known already, at another server.
pub async fn at(app: &TestApp, email: &str) -> Persona {
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
