//! Requests for what only one server has, which any passes on to it.

use std::time::Duration;

use futures::SinkExt;
use guildhall_server::ws::Listening;
use guildhall_types::{Clock, SystemClock};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{PATIENCE, Persona, TestApp, Wish};
use crate::live::{Pages, next, open, until as shows, waits};
use crate::nodes::{Team, at, free_port, is_linked};
use crate::redis::Redis;
use crate::routes::alerts::reading;

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
