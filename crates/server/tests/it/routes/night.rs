//! Auto mode, the queue, and the switch that stops every agent.

use std::time::{Duration, Instant};

use guildhall_types::member::MemberRole;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{SILENT, TestApp};

fn moved(id: &Value, status: &'static str) -> impl Fn(&Value) -> bool {
    move |frame| frame["feature"]["id"] == *id && frame["feature"]["status"] == status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn auto_mode_is_switched_on_takes_cards_and_says_why_it_does_not() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let base = format!("/api/projects/{}", project["id"].as_str().unwrap());
    let auto = format!("{base}/auto-mode");
    let off = owner.get(&auto).await.is(StatusCode::OK);
    assert_eq!((&off["state"], &off["waiting"], &off["limit"]), (&json!("off"), &json!(null), &json!(3)));

    for (body, word) in [
        (json!({ "action": "start", "maxConcurrent": 0 }), "1 to 3"),
        (json!({ "action": "start", "maxConcurrent": 4 }), "1 to 3"),
        (
            json!({ "action": "start", "window": { "days": [], "from": "22:00", "until": "07:00", "timeZone": "UTC" } }),
            "day",
        ),
        (
            json!({ "action": "start", "window": { "days": ["mon"], "from": "22", "until": "07:00", "timeZone": "UTC" } }),
            "22:00",
        ),
        (
            json!({ "action": "start", "window": { "days": ["mon"], "from": "22:00", "until": "07:00", "timeZone": "X" } }),
            "Europe/Berlin",
        ),
    ] {
        let refused = owner.post(&auto, body).await;
        let problem = refused.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert!(problem.to_string().contains(word), "{problem}");
    }
    let mut socket = owner.listen("").await.unwrap();
    let on = owner.post(&auto, json!({ "action": "start", "maxConcurrency": 1 })).await.is(StatusCode::OK);
    assert_eq!((&on["state"], &on["waiting"]["code"]), (&json!("on"), &json!("backlog-empty")));
    socket.wait(|frame| frame["type"] == "auto-mode.updated" && frame["order"]["state"] == "on").await;

    let cards = format!("{base}/features");
    let keyless = owner.post(&cards, json!({ "description": "no key", "priority": 1 })).await.is(StatusCode::CREATED);
    let told = owner.get(&auto).await.is(StatusCode::OK);
    assert_eq!(told["waiting"]["code"], "hindered", "{told}");
    assert!(told["waiting"]["message"].as_str().unwrap().contains("key"), "{told}");
    let first = json!({ "description": SILENT, "title": "login form", "model": "simulated" });
    let first = owner.post(&cards, first).await.is(StatusCode::CREATED);
    socket.wait(moved(&first["id"], "in_progress")).await;
    let second = json!({ "description": "x", "model": "simulated", "dependencies": [first["id"]] });
    let second = owner.post(&cards, second).await.is(StatusCode::CREATED);
    let third = json!({ "description": "y", "model": "simulated" });
    let third = owner.post(&cards, third).await.is(StatusCode::CREATED);
    let queue = owner.get(&format!("{base}/queue")).await.is(StatusCode::OK);
    let why = |card: &Value| {
        let items = queue["items"].as_array().unwrap();
        items.iter().find(|item| item["featureId"] == card["id"]).unwrap()["waiting"].clone()
    };
    assert_eq!(why(&second)["message"], "Waits for #2 login form.");
    assert_eq!(why(&keyless)["code"], "hindered", "and not that it waits for its turn");
    assert!(why(&keyless)["message"].as_str().unwrap().starts_with("There is no key "), "{}", why(&keyless));
    assert_eq!((&why(&third)["code"], &why(&third)["limit"]), (&json!("order-limit"), &json!(1)));
    assert_eq!(owner.get(&auto).await.is(StatusCode::OK)["running"], 1);
    let card = owner.get(&format!("/api/features/{}", keyless["id"].as_str().unwrap())).await.is(StatusCode::OK);
    assert_eq!((&card["status"], &card["error"]), (&json!("backlog"), &json!(null)), "nothing failed");

    // Another member sees it, and only an admin stops it.
    let mut member = app.member(MemberRole::Member).await;
    let id = owner.id().await;
    assert_eq!(member.get(&format!("{auto}?memberId={id}")).await.is(StatusCode::OK)["state"], "on");
    assert_eq!(member.get(&auto).await.is(StatusCode::OK)["state"], "off");
    let stop = json!({ "action": "stop", "memberId": id });
    member.post(&auto, stop).await.is_problem(StatusCode::FORBIDDEN, "missing-right");
    let start = json!({ "action": "start", "memberId": id });
    member.post(&auto, start).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    let theirs = member.id().await;
    member.post(&auto, json!({ "action": "start" })).await.is(StatusCode::OK);
    let stopped = owner.post(&auto, json!({ "action": "stop", "memberId": theirs })).await.is(StatusCode::OK);
    assert_eq!((&stopped["state"], &stopped["memberId"]), (&json!("off"), &json!(theirs)));
    assert_eq!(stopped["pause"]["message"], "Olga switched it off.");
    let told = member.get("/api/notifications").await.is(StatusCode::OK);
    assert_eq!(told["items"][0]["kind"], "auto-mode.paused");
    assert!(told["items"][0]["text"].as_str().unwrap().starts_with("Olga switched it off."), "{told}");
    let audit = owner.get("/api/audit?action=auto-mode.stop").await.is(StatusCode::OK);
    assert_eq!(audit["items"][0]["detail"]["of"], theirs.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_agent_is_stopped_at_once() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let base = format!("/api/projects/{}", project["id"].as_str().unwrap());
    let mut socket = owner.listen("").await.unwrap();
    // One waits for the model, another for its command.
    let busy = "Be busy.\n\n```sim\n{\"tools\": [[\"bash\", {\"command\": \"sleep 600\"}]]}\n{\"say\": \"Done.\"}\n```";
    let mut ids = Vec::new();
    for text in [SILENT, busy, SILENT, SILENT] {
        let body = json!({ "description": text, "model": "simulated" });
        let card = owner.post(&format!("{base}/features"), body).await.is(StatusCode::CREATED);
        ids.push(card["id"].clone());
    }
    owner.post(&format!("{base}/auto-mode"), json!({ "action": "start", "maxConcurrent": 3 })).await.is(StatusCode::OK);
    socket.wait(|frame| frame["event"]["kind"] == "tool_started").await;
    while app.app.engine.stats().await.active_runs < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let began = Instant::now();
    let stopped = owner.call("/api/agents/stop-all").await.is(StatusCode::OK);
    assert_eq!(stopped, json!({ "runs": 3, "autoModes": 1 }));
    while app.app.engine.stats().await.active_runs > 0 {
        // Two seconds are what operators are told, of a machine that does nothing else. Nothing here ends by itself for minutes.
        assert!(began.elapsed() < Duration::from_secs(10), "agents are still at work");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let board = owner.get(&format!("{base}/features")).await.is(StatusCode::OK);
    let statuses: Vec<&str> =
        board["items"].as_array().unwrap().iter().map(|card| card["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["paused", "paused", "paused", "backlog"]);
    let auto = owner.get(&format!("{base}/auto-mode")).await.is(StatusCode::OK);
    assert_eq!((&auto["state"], &auto["pause"]["code"]), (&json!("paused"), &json!("stopped-by-admin")));
    assert_eq!(auto["pause"]["message"], "Olga stopped every agent.");
    assert_eq!((&auto["stopped"], &auto["backlog"]), (&json!(3), &json!(1)));
    let audit = owner.get("/api/audit?action=agents.stop-all").await.is(StatusCode::OK);
    assert_eq!(audit["items"][0]["detail"], json!({ "runs": "3", "autoModes": "1" }));
    let again = owner.post(&format!("{base}/auto-mode"), json!({ "action": "start" })).await.is(StatusCode::OK);
    assert_eq!((&again["state"], &again["maxConcurrent"]), (&json!("on"), &json!(3)));
    // What the pause says: they go on where they were stopped, and come before the new one.
    assert!(auto["pause"]["hint"].as_str().unwrap().contains("go on where they were stopped"), "{auto}");
    for id in &ids[..3] {
        socket.wait(moved(id, "in_progress")).await;
        let runs = owner.get(&format!("/api/features/{}/runs", id.as_str().unwrap())).await.is(StatusCode::OK);
        assert_eq!((runs["items"].as_array().unwrap().len(), &runs["items"][0]["auto"]), (1, &json!(true)));
    }
    let auto = owner.get(&format!("{base}/auto-mode")).await.is(StatusCode::OK);
    assert_eq!((&auto["stopped"], &auto["backlog"], &auto["running"]), (&json!(0), &json!(1), &json!(3)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybodys_agents_are_listed_whatever_they_work_on() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut member = app.member(MemberRole::Member).await;
    let mut viewer = app.member(MemberRole::Viewer).await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let base = format!("/api/projects/{}", project["id"].as_str().unwrap());
    let mut limits = owner.get("/api/settings/limits").await.is(StatusCode::OK);
    limits["team"]["maxConcurrentFeatures"] = json!(2);
    owner.put("/api/settings/limits", limits).await.is(StatusCode::OK);
    let works = |n: usize| {
        let engine = app.app.engine.clone();
        async move {
            while engine.stats().await.active_runs < n {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    };
    // A chat and a task take the two places; a card and a chat wait, in one line.
    let say = |text: &str| json!({ "message": SILENT, "title": text, "model": "simulated", "mode": "read" });
    let chat = member.post(&format!("{base}/chats"), say("Private matters")).await.is(StatusCode::ACCEPTED);
    works(1).await;
    let agents = owner.get("/api/agents").await.is(StatusCode::OK);
    let agent = agents["items"][0]["id"].as_str().unwrap().to_owned();
    let task = json!({ "projectId": project["id"], "prompt": SILENT, "model": "simulated", "mode": "read" });
    let task = owner.post(&format!("/api/agents/{agent}/run"), task).await.is(StatusCode::ACCEPTED);
    works(2).await;
    let second = member.post(&format!("{base}/chats"), say("Second")).await.is(StatusCode::ACCEPTED);
    let card = json!({ "description": SILENT, "model": "simulated" });
    let card = owner.post(&format!("{base}/features"), card).await.is(StatusCode::CREATED);
    owner.call(&format!("/api/features/{}/start", card["id"].as_str().unwrap())).await.is(StatusCode::ACCEPTED);

    let listed = owner.get("/api/agents/at-work").await.is(StatusCode::OK);
    let items = listed["items"].as_array().unwrap().clone();
    let of = |id: &Value| items.iter().find(|item| item["featureId"] == *id).unwrap().clone();
    let seen = |item: &Value| (item["kind"].clone(), item["working"].clone(), item["memberId"].clone());
    let (mine, theirs) = (json!(owner.id().await), json!(member.id().await));
    assert_eq!(items.len(), 4, "{listed}");
    assert_eq!(seen(&of(&chat["feature"]["id"])), (json!("chat"), json!(true), theirs.clone()));
    assert_eq!(seen(&of(&task["feature"]["id"])), (json!("task"), json!(true), mine.clone()));
    assert_eq!(seen(&of(&second["feature"]["id"])), (json!("chat"), json!(false), theirs));
    assert_eq!(seen(&of(&card["id"])), (json!("card"), json!(false), mine));
    // Nobody reads here what its own page would not show them: chats are the team's, to read along.
    for who in [&mut owner, &mut member, &mut viewer] {
        let listed = who.get("/api/agents/at-work").await.is(StatusCode::OK);
        for item in listed["items"].as_array().unwrap() {
            let shown =
                who.get(&format!("/api/features/{}", item["featureId"].as_str().unwrap())).await.is(StatusCode::OK);
            assert_eq!((&item["title"], &item["kind"]), (&shown["title"], &shown["kind"]));
        }
    }

    // In the team's queue no place is left out, and a board's has its cards alone.
    let queue = owner.get("/api/queue").await.is(StatusCode::OK);
    let places: Vec<_> =
        queue["items"].as_array().unwrap().iter().map(|item| (&item["position"], &item["kind"])).collect();
    let (one, two) = (json!(1), json!(2));
    assert_eq!(places, [(&one, &json!("card")), (&two, &json!("chat"))], "whoever has no card at work comes first");
    let board = owner.get(&format!("{base}/queue")).await.is(StatusCode::OK);
    assert_eq!(board["items"].as_array().unwrap().iter().map(|item| &item["kind"]).collect::<Vec<_>>(), ["card"]);

    // Whoever may run agents stops one of any kind there; a viewer stops none.
    for one in [&chat, &task, &second] {
        let stop = format!("/api/features/{}/stop", one["feature"]["id"].as_str().unwrap());
        viewer.call(&stop).await.is_problem(StatusCode::FORBIDDEN, "missing-right");
        owner.call(&stop).await.is(StatusCode::ACCEPTED);
    }
    let left = owner.get("/api/agents/at-work").await.is(StatusCode::OK);
    assert_eq!(left["items"].as_array().unwrap().iter().map(|item| &item["kind"]).collect::<Vec<_>>(), ["card"]);
}
