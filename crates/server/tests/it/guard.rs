//! What keeps others from overwhelming the server, and what it does when the database is away.

use std::time::{Duration, Instant};

use guildhall_llm::Secret;
use guildhall_server::config::Config;
use guildhall_types::FixedClock;
use guildhall_types::member::MemberRole;
use guildhall_types::rights::Scope;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::harness::{PASSWORD, PATIENCE, TestApp, Wish, fresh_postgres};

async fn with(change: impl FnOnce(&mut Config) + Send + 'static) -> TestApp {
    let clock = Some(FixedClock::default());
    TestApp::with(Wish { change: Box::new(change), clock, ..Wish::default() }).await
}

#[tokio::test]
async fn clients_that_never_come_to_the_point_keep_nobody_out() {
    let app = with(|config| {
        config.guard.max_connections = 16;
        config.guard.header_timeout = Duration::from_secs(2);
    })
    .await;
    let address = app.url.trim_start_matches("http://").to_owned();
    let began = Instant::now();
    let mut slow = JoinSet::new();
    for n in 0..16 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(b"GET /api/health HTTP/1.1\r\nHost: x\r\n").await.unwrap();
        slow.spawn(async move {
            // Some say nothing more, some a byte now and then; the end comes to both.
            let (mut reader, mut writer) = stream.split();
            let trickle = async {
                loop {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    if n % 2 == 1 || writer.write_all(b"x").await.is_err() {
                        return std::future::pending::<()>().await;
                    }
                }
            };
            let mut said = Vec::new();
            tokio::select! {
                () = trickle => {}
                _ = reader.read_to_end(&mut said) => {}
            }
            began.elapsed()
        });
    }
    let mut member = app.anonymous();
    tokio::time::timeout(PATIENCE, member.get("/api/health")).await.unwrap().is(StatusCode::OK);
    assert!(began.elapsed() >= Duration::from_secs(1), "there was no free place at first");
    while let Some(ended) = slow.join_next().await {
        assert!(ended.unwrap() >= Duration::from_secs(1));
    }
}

#[tokio::test]
async fn a_connection_that_is_not_used_is_closed_and_a_websocket_is_not() {
    let app = with(|config| config.guard.header_timeout = Duration::from_secs(1)).await;
    let owner = app.owner().await;
    let mut socket = owner.listen("").await.unwrap();
    let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await.unwrap().unwrap();
    assert!(said.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&said));
    // On a connection of its own: one that was kept may be closed at the very moment at which it is used again.
    let mut again = app.anonymous();
    again.cookie = owner.cookie.clone();
    again.post("/api/projects", json!({ "name": "p", "source": { "kind": "empty" } })).await.is(StatusCode::CREATED);
    socket.wait(|frame| frame["type"] == "project.created").await;
}

#[tokio::test]
async fn nobody_holds_every_connection_by_websockets() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let other = app.member(MemberRole::Viewer).await;
    let (token, _) = owner.token(&[Scope::Read]).await;
    let (another, _) = owner.token(&[Scope::Read]).await;
    let (program, second) = (app.program(&token), app.program(&another));
    let full = Some(StatusCode::TOO_MANY_REQUESTS);
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(program.listen("").await.unwrap());
    }
    assert_eq!(program.listen("").await.err(), full, "a token holds a part");
    held.push(second.listen("").await.unwrap());
    for _ in 0..29 {
        held.push(owner.listen("").await.unwrap());
    }
    for persona in [&owner, &second] {
        assert_eq!(persona.listen("").await.err(), full, "and all of a member's together have an end");
    }
    other.listen("").await.unwrap();
    owner.get("/api/auth/me").await.is(StatusCode::OK);
    held.pop();
    let free = async {
        while owner.listen("").await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, free).await.expect("a place that is given up is free again");
}

#[tokio::test]
async fn requests_are_counted_of_each_member_and_each_token() {
    let clock = FixedClock::default();
    let change = Box::new(|config: &mut Config| config.guard.requests_per_member = Some(6));
    let app = TestApp::with(Wish { change, clock: Some(clock.clone()), ..Wish::default() }).await;
    let mut owner = app.owner().await;
    let (token, _) = owner.token(&[Scope::Read]).await;
    let mut other = app.member(MemberRole::Member).await;
    for _ in 0..5 {
        owner.get("/api/members").await.is(StatusCode::OK);
    }
    let answer = owner.get("/api/members").await;
    let problem = answer.is_problem(StatusCode::TOO_MANY_REQUESTS, "too-many-requests");
    assert_eq!((answer.header("retry-after"), &problem["retryAfter"]), ("10", &json!(10)));
    other.get("/api/members").await.is(StatusCode::OK);
    let mut program = app.program(&token);
    program.get("/api/members").await.is(StatusCode::OK);
    clock.advance(chrono::Duration::seconds(10));
    owner.get("/api/members").await.is(StatusCode::OK);
    owner.get("/api/members").await.is_problem(StatusCode::TOO_MANY_REQUESTS, "too-many-requests");
}

#[tokio::test]
async fn requests_of_strangers_are_counted_of_each_address() {
    let app = with(|config| {
        config.guard.requests_per_address = Some(8);
        config.guard.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let mut owner = app.owner().await;
    let mut stranger = app.anonymous();
    let ask = |from: &str, path: &str| app.anonymous().request(Method::GET, path).header("x-forwarded-for", from);
    for n in 0..8 {
        // Open routes and closed ones without a pass count alike, and so does a whole network of IPv6.
        let (path, status) = match n % 2 {
            0 => ("/api/health", StatusCode::OK),
            _ => ("/api/members", StatusCode::UNAUTHORIZED),
        };
        stranger.send(ask(&format!("2001:db8::{n}"), path)).await.is(status);
    }
    for path in ["/api/health", "/api/members"] {
        let answer = stranger.send(ask("2001:db8::99", path)).await;
        answer.is_problem(StatusCode::TOO_MANY_REQUESTS, "too-many-requests");
    }
    stranger.send(ask("2001:db8:0:1::1", "/api/health")).await.is(StatusCode::OK);
    owner.get("/api/members").await.is(StatusCode::OK);
}

#[tokio::test]
async fn what_a_trusted_proxy_says_of_the_client_is_believed_and_what_a_client_says_is_not() {
    let login = json!({ "email": "olga@example.com", "password": "not this one" });
    for (trusted, first, other) in [
        (true, StatusCode::TOO_MANY_REQUESTS, StatusCode::UNAUTHORIZED),
        (false, StatusCode::TOO_MANY_REQUESTS, StatusCode::TOO_MANY_REQUESTS),
    ] {
        let app = with(move |config| {
            let proxies = if trusted { vec!["127.0.0.1/32".parse().unwrap()] } else { Vec::new() };
            config.guard.trusted_proxies = proxies;
        })
        .await;
        let mut owner = app.owner().await;
        let mut guesser = app.anonymous();
        let mut guess = async |n: usize, from: &str| {
            let body = json!({ "email": format!("m{n}@example.com"), "password": login["password"] });
            // Whatever the client writes itself stands to the left of what the proxy adds.
            let said = format!("203.0.113.{n}, {from}");
            let request = guesser.request(Method::POST, "/api/auth/login").header("x-forwarded-for", said);
            guesser.send(request.json(&body)).await.status
        };
        for n in 0..10 {
            assert_eq!(guess(n, "198.51.100.1").await, StatusCode::UNAUTHORIZED);
        }
        assert_eq!(guess(10, "198.51.100.1").await, first, "trusted: {trusted}");
        assert_eq!(guess(11, "198.51.100.2").await, other, "trusted: {trusted}");
        let audit = owner.get("/api/audit?action=member.sign-in&outcome=refused").await.is(StatusCode::OK);
        let address = if trusted { "198.51.100.1" } else { "127.0.0.1" };
        let refused = audit["items"].as_array().unwrap();
        assert_eq!(refused.iter().filter(|entry| entry["address"] == address).count(), 10, "{audit}");
    }
}

/// Stands between the server and the database, and can be cut.
struct Wire {
    port: u16,
    cut: CancellationToken,
}

impl Wire {
    async fn to(database: std::net::SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, cut) = (listener.local_addr().unwrap().port(), CancellationToken::new());
        let end = cut.clone();
        tokio::spawn(async move {
            while let Some(Ok((mut near, _))) = end.run_until_cancelled(listener.accept()).await {
                let end = end.clone();
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(database).await else { return };
                    end.run_until_cancelled(tokio::io::copy_bidirectional(&mut near, &mut far)).await;
                });
            }
        });
        Self { port, cut }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_is_away_is_told_as_such() {
    let mut url: url::Url = fresh_postgres().await.parse().unwrap();
    let host = url.host_str().unwrap().to_owned();
    let address = tokio::net::lookup_host((host, url.port().unwrap_or(5432))).await.unwrap().next().unwrap();
    let wire = Wire::to(address).await;
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(wire.port)).unwrap();
    let change = Box::new(move |config: &mut Config| config.database_url = Secret::new(url.as_str()));
    let app = TestApp::with(Wish { change, ..Wish::default() }).await;
    let mut owner = app.owner().await;
    owner.get("/api/members").await.is(StatusCode::OK);
    wire.cut.cancel();
    let login = json!({ "email": "olga@example.com", "password": PASSWORD });
    for answer in [owner.get("/api/members").await, app.anonymous().post("/api/auth/login", login).await] {
        answer.is_problem(StatusCode::SERVICE_UNAVAILABLE, "database-away");
        assert_eq!(answer.header("retry-after"), "5");
    }
    app.anonymous().get("/api/health").await.is(StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_comes_after_its_answer_costs_the_next_request_nothing() {
    let app = with(|_| {}).await;
    let host = app.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await.unwrap();
    // Refused for want of a token, before anybody asks for the body.
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: 40000\r\n\r\n"
    );
    for round in 0..3 {
        stream.write_all(head.as_bytes()).await.unwrap();
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 401"), "{round}");
        stream.write_all(&[b' '; 40_000]).await.unwrap();
        stream.write_all(format!("GET /api/health HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).await.unwrap();
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"), "{round}");
    }
    // What is too large to be thrown away ends the connection.
    stream.write_all(head.replace("40000", "4000000").as_bytes()).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 401"));
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert_eq!(rest, b"");
}

/// An answer, whole.
async fn answer(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    loop {
        let mut part = [0; 4096];
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut part)).await.unwrap().unwrap();
        assert!(read > 0, "the connection ended: {}", String::from_utf8_lossy(&said));
        said.extend(&part[..read]);
        let text = String::from_utf8_lossy(&said);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0_usize) {
            return text.into_owned();
        }
    }
}
