//! Every fault of a provider, through the whole server: a night of auto mode passes through all of them.

use std::collections::HashMap;
use std::time::Duration;

use guildhall_engine::Pace;
use guildhall_llm::Patience;
use guildhall_types::FeatureId;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, TestApp, Wish};

/// Silence for which a provider is left.
const SILENCE: Duration = Duration::from_secs(3);

fn faulty(name: &str, kind: &str, times: usize) -> (String, Vec<Value>) {
    let write = json!({ "say": "I write.", "tools": [["write", { "path": format!("{name}.txt"), "content": "x\n" }]] });
    let done = json!({ "say": "I am done with it.", "fault": { "kind": kind, "times": times } });
    (name.to_owned(), vec![write, done])
}

fn cards() -> Vec<(String, Vec<Value>)> {
    let kinds = [
        ("limited", "rate-limited", 1),
        ("limited-silently", "rate-limited-silently", 1),
        ("limited-in-stream", "rate-limited-in-stream", 1),
        ("limited-for-long", "rate-limited-in-stream-for-long", 1),
        ("server", "server", 2),
        ("overloaded", "overloaded", 1),
        ("overloaded-in-stream", "overloaded-in-stream", 1),
        ("hang", "hang", 1),
        ("hang-before", "hang-before-headers", 1),
        ("cut", "cut", 2),
        ("garbage", "garbage", 1),
    ];
    let mut all: Vec<_> = kinds.into_iter().map(|(name, kind, times)| faulty(name, kind, times)).collect();
    let write = |name: &str| json!({ "tools": [["write", { "path": format!("{name}.txt"), "content": "x\n" }]] });
    let done = || json!({ "say": "I am done with it." });
    let wrong = json!({ "tools": [["write", "{\"path\": \"wrong.txt\", \"content\": \"cut of"]] });
    all.push(("wrong".to_owned(), vec![wrong, write("wrong"), done()]));
    // Longer than a silence for which a provider is left, but it pings.
    let thinks =
        json!({ "think": "Hm.", "silence_ms": 2 * SILENCE.as_millis() as u64, "tools": write("quiet")["tools"] });
    all.push(("quiet".to_owned(), vec![thinks, done()]));
    // More than the model's window holds, twice; after that a little, since the simulated model begins anew then.
    let pour = "n=$(cat n.txt 2>/dev/null || echo 0); echo $((n+1)) > n.txt; echo x > pours.txt; \
        [ $n -ge 3 ] || head -c 29000 /dev/urandom | base64";
    let pours = json!({ "tools": [["bash", { "command": pour }]] });
    all.push(("pours".to_owned(), vec![pours.clone(), pours.clone(), pours.clone(), pours, done()]));
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_night_passes_through_every_fault_of_its_provider() {
    let wish = Wish {
        pace: Pace {
            calls: Patience { headers: SILENCE, idle: SILENCE, ..Patience::default() },
            alerts: false,
            ..Pace::default()
        },
        sim: guildhall_sim::Config {
            ping: SILENCE / 4,
            // Less than is asked for at first: each run has to learn that from a 400.
            max_output: 20_000,
            context_window: 20_000,
            ..guildhall_sim::Config::default()
        },
        ..Wish::default()
    };
    let mut app = TestApp::with(wish).await;
    let mut owner = app.owner().await;
    let project = owner.project("p", json!({ "kind": "empty" })).await["id"].as_str().unwrap().to_owned();
    let path = format!("/api/projects/{project}");
    let settings = json!({ "settings": { "verifyCommands": ["ls *.txt"], "afterWork": "merge" } });
    owner.patch(&path, settings).await.is(StatusCode::OK);
    owner
        .put("/api/settings/limits", json!({ "team": { "maxConcurrentFeaturesPerMember": 8 }, "run": {} }))
        .await
        .is(StatusCode::OK);
    let mut names = HashMap::new();
    for (name, lines) in cards() {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        let text = format!("Card {name}\n\n```sim\n{}\n```", lines.join("\n"));
        let card = json!({ "title": name, "description": text, "model": "simulated" });
        let card = owner.post(&format!("{path}/features"), card).await.is(StatusCode::CREATED);
        names.insert(name, card["id"].as_str().unwrap().parse::<FeatureId>().unwrap());
    }
    let began = std::time::Instant::now();
    let on = json!({ "action": "start", "maxConcurrent": 8 });
    owner.post(&format!("{path}/auto-mode"), on).await.is(StatusCode::OK);

    let done = async {
        loop {
            let cards = owner.get(&format!("{path}/features")).await.is(StatusCode::OK);
            let cards = cards["items"].as_array().unwrap();
            let bad = cards
                .iter()
                .find(|card| ["failed", "paused", "waiting_approval"].contains(&card["status"].as_str().unwrap()));
            assert!(bad.is_none(), "{:#}", bad.unwrap());
            if cards.len() == names.len() && cards.iter().all(|card| card["status"] == "completed") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(3 * PATIENCE, done).await.expect("every card is merged");
    assert!(began.elapsed() >= Duration::from_secs(17), "the provider's word on the wait was kept");
    let order = owner.get(&format!("{path}/auto-mode")).await.is(StatusCode::OK);
    assert_eq!((&order["state"], &order["failures"]), (&json!("on"), &json!([])), "no fault counts as a failure");

    let store = &app.app.team.store;
    let mut turns_in_all = 0;
    for (name, id) in &names {
        let card = store.feature(*id).await.unwrap().unwrap();
        let run = store.run(card.card.run_id.unwrap()).await.unwrap().unwrap();
        let turns = store.turns(run.id).await.unwrap();
        turns_in_all += turns.len();
        let told = store.run_events(run.id, 0, 10_000).await.unwrap();
        let told = serde_json::to_string(&told).unwrap();
        match name.as_str() {
            // Nothing that a member must know went wrong.
            "quiet" => assert!(!told.contains("fell silent"), "a model that thinks was left: {told}"),
            "wrong" => assert!(told.contains("not a valid JSON object")),
            "pours" => assert!(turns.iter().any(|turn| turn.compacted.is_some()), "it was summarised: {told}"),
            "limited-for-long" => assert!(told.contains("costs no attempt"), "{told}"),
            _ => {}
        }
        assert!(run.attempt <= 2, "{name} was begun again and again");
    }
    // Each run learns the limit of an answer by one refusal, and is asked once what is worth keeping; faults cost a call each;
    // a summary is one.
    let asked = app.sim.requests().len();
    let faults = 1 + 1 + 1 + 1 + 2 + 1 + 1 + 1 + 1 + 2 + 1;
    let most = turns_in_all + 2 * names.len() + faults + 12;
    assert!(asked <= most, "{asked} calls for {turns_in_all} turns");
    let data = app.dir.path().to_owned();
    app.stop().await;
    crate::death::whole_database(&data).await;
}
