//! The WebSocket.

use std::time::Duration;

use guildhall_server::ws::Listening;
use guildhall_types::member::MemberRole;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Persona, TestApp, Wish};

async fn board(owner: &mut Persona) -> String {
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    format!("/api/projects/{}/features", project["id"].as_str().unwrap())
}

async fn write(owner: &mut Persona, cards: &str, count: usize) {
    for n in 0..count {
        owner.post(cards, json!({ "description": format!("card {n}") })).await.is(StatusCode::CREATED);
    }
}

fn seqs(frames: &[Value]) -> Vec<i64> {
    frames.iter().filter_map(|frame| frame["seq"].as_i64()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_missed_or_told_twice_while_events_are_written() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let cards = board(&mut owner).await;
    let writers = (0..4).map(|_| {
        let (mut owner, cards) = (owner.clone(), cards.clone());
        tokio::spawn(async move { write(&mut owner, &cards, 25).await })
    });
    let writers: Vec<_> = writers.collect();
    // Listeners come while the others write, each from another place.
    let listeners: Vec<_> = (0..12i64)
        .map(|n| {
            let owner = owner.clone();
            tokio::spawn(async move {
                let since = n % 3;
                let mut socket = owner.listen(&format!("?since={since}")).await.unwrap();
                assert_eq!(socket.next().await.unwrap()["type"], "hello");
                let frames = socket.until(|frame| frame["seq"] == 102).await;
                assert_eq!(seqs(&frames), ((since + 1)..=102).collect::<Vec<_>>());
                socket.close().await;
            })
        })
        .collect();
    for task in writers.into_iter().chain(listeners) {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn without_since_only_what_is_new_is_told() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let cards = board(&mut owner).await;
    let mut socket = owner.listen("").await.unwrap();
    let hello = socket.next().await.unwrap();
    assert_eq!((&hello["type"], &hello["seq"]), (&json!("hello"), &json!(2)));
    write(&mut owner, &cards, 1).await;
    let frame = socket.next().await.unwrap();
    assert_eq!((&frame["type"], &frame["seq"]), (&json!("feature.created"), &json!(3)));
    assert_eq!(frame["feature"]["title"], "card 0");
}

#[tokio::test]
async fn whoever_is_too_far_behind_or_ahead_is_told_to_start_anew() {
    let listening = Listening { replayed: 5, ..Listening::default() };
    let app = TestApp::with(Wish { listening, ..Wish::default() }).await;
    let mut owner = app.owner().await;
    let cards = board(&mut owner).await;
    write(&mut owner, &cards, 6).await;
    for (since, resync) in [(0, true), (2, true), (3, false), (8, false), (9, true)] {
        let mut socket = owner.listen(&format!("?since={since}")).await.unwrap();
        assert_eq!(socket.next().await.unwrap()["seq"], 8);
        if resync {
            assert_eq!(socket.next().await.unwrap(), json!({ "type": "resync" }), "{since}");
            assert_eq!(socket.next().await, Err(4409));
        } else {
            for seq in since + 1..=8 {
                assert_eq!(socket.next().await.unwrap()["seq"], seq);
            }
        }
    }
    // Of events that are gone nobody can be told.
    let url = format!("sqlite://{}", app.dir.path().join("guildhall.db").display());
    let mut db = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url).await.unwrap();
    sqlx::raw_sql("UPDATE event_counter SET forgotten_seq = 5").execute(&mut db).await.unwrap();
    for (since, resync) in [("?since=4", true), ("?since=5", false), ("", false)] {
        let mut socket = owner.listen(since).await.unwrap();
        assert_eq!(socket.next().await.unwrap()["seq"], 8);
        if resync {
            assert_eq!(socket.next().await.unwrap(), json!({ "type": "resync" }), "{since}");
        } else if !since.is_empty() {
            assert_eq!(socket.next().await.unwrap()["seq"], 6);
        }
    }
}

/// Events of more bytes together than the network takes in between.
const MANY: i64 = 100;
/// More hints than the bus keeps for a slow listener.
const HINTS: usize = 1_100;

/// A socket that was opened and not read while many events were written.
async fn left_behind(app: &TestApp) -> crate::harness::Socket {
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let project = serde_json::from_value(project["id"].clone()).unwrap();
    let mut socket = owner.listen("?since=2").await.unwrap();
    assert_eq!(socket.next().await.unwrap()["seq"], 2);
    let member = app.app.team.store.members(None, 1).await.unwrap().remove(0);
    for n in 0..MANY {
        let description = format!("{n}: {}", "long ".repeat(18_000));
        let card = guildhall_team::NewCard { description, ..Default::default() };
        app.app.team.create_feature(&member, project, card).await.unwrap();
    }
    // What everybody knows already pushes what this socket has not heard yet out of the bus.
    let known = std::sync::Arc::new(app.app.team.store.events_after(0, 1).await.unwrap().remove(0));
    for _ in 0..HINTS {
        app.app.bus.publish(std::sync::Arc::clone(&known));
    }
    socket
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_client_gets_what_it_missed_from_the_store() {
    let app = TestApp::start().await;
    let mut socket = left_behind(&app).await;
    let frames = socket.until(|frame| frame["seq"] == MANY + 2).await;
    assert_eq!(seqs(&frames), (3..=MANY + 2).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_too_slow_is_told_to_start_anew() {
    let listening = Listening { replayed: 5, ..Listening::default() };
    let app = TestApp::with(Wish { listening, ..Wish::default() }).await;
    let mut socket = left_behind(&app).await;
    let frames = socket.until(|frame| frame["type"] == "resync").await;
    let seqs = seqs(&frames);
    assert!(seqs.len() < MANY as usize, "{}", seqs.len());
    assert_eq!(seqs, (3..3 + seqs.len() as i64).collect::<Vec<_>>());
    assert_eq!(socket.next().await, Err(4409));
}

#[tokio::test]
async fn only_the_own_page_of_a_member_listens() {
    let app = TestApp::start().await;
    let owner = app.owner().await;
    for origin in [None, Some("https://evil.example"), Some("null")] {
        let mut lured = owner.clone();
        lured.origin = origin.map(str::to_owned);
        assert_eq!(lured.listen("").await.err(), Some(StatusCode::FORBIDDEN), "{origin:?}");
    }
    assert_eq!(app.anonymous().listen("").await.err(), Some(StatusCode::UNAUTHORIZED));
    assert_eq!(owner.listen("?since=-1").await.err(), Some(StatusCode::UNPROCESSABLE_ENTITY));
    assert_eq!(owner.listen("?since=x").await.err(), Some(StatusCode::BAD_REQUEST));
    let plain = owner.clone().get("/api/events").await;
    plain.is_problem(StatusCode::UPGRADE_REQUIRED, "websocket-wanted");
    let viewer = app.member(MemberRole::Viewer).await;
    assert_eq!(viewer.listen("").await.unwrap().next().await.unwrap()["type"], "hello");
}

#[tokio::test]
async fn the_socket_ends_with_its_session() {
    let listening = Listening { recheck: Duration::from_millis(20), ..Listening::default() };
    let app = TestApp::with(Wish { listening, ..Wish::default() }).await;
    let mut owner = app.owner().await;
    let mut socket = owner.listen("").await.unwrap();
    assert_eq!(socket.next().await.unwrap()["type"], "hello");
    owner.call("/api/auth/logout").await.is(StatusCode::NO_CONTENT);
    assert_eq!(socket.next().await, Err(4401));
}

#[tokio::test]
async fn the_socket_is_told_that_the_server_goes() {
    let mut app = TestApp::start().await;
    let owner = app.owner().await;
    let mut socket = owner.listen("").await.unwrap();
    assert_eq!(socket.next().await.unwrap()["type"], "hello");
    app.stop().await;
    assert_eq!(socket.next().await, Err(1001));
}

/// Listens as this member, and has been greeted.
async fn greeted(member: &Persona) -> crate::harness::Socket {
    let mut socket = member.listen("").await.unwrap();
    assert_eq!(socket.next().await.unwrap()["type"], "hello");
    socket
}

#[tokio::test]
async fn who_writes_at_an_item_is_told_to_the_others_until_they_leave() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let member = app.member(MemberRole::Member).await;
    let viewer = app.member(MemberRole::Viewer).await;
    let me = owner.get("/api/auth/me").await.is(StatusCode::OK)["id"].clone();
    let item = "0199c1a0-0000-7000-8000-000000000001";
    let mut writes = greeted(&owner).await;
    let mut second = greeted(&owner).await;
    let mut looks = greeted(&viewer).await;
    let mut reads = greeted(&member).await;

    // A viewer may not write in the hub, so that they do is nothing to tell.
    looks.say(json!({ "type": "knowledge.editing", "itemId": item })).await;
    looks.say(json!({ "type": "nonsense" })).await;
    writes.say(json!({ "type": "knowledge.editing", "itemId": item })).await;
    let told =
        |seconds: i64| json!({ "type": "knowledge.editing", "memberId": me, "itemId": item, "seconds": seconds });
    assert_eq!(reads.next().await.unwrap(), told(30));
    assert_eq!(looks.next().await.unwrap(), told(30));
    // Whoever goes without a word has left, too.
    writes.close().await;
    assert_eq!(reads.next().await.unwrap(), told(0));
    // The member's own other page was told nothing of it: what comes next is the next change.
    let cards = board(&mut owner).await;
    write(&mut owner, &cards, 1).await;
    assert_eq!(second.next().await.unwrap()["type"], "project.created");
}
