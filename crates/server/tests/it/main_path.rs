//! The whole way of a newcomer: first account, sample project, a card, its agent, a follow-up, the checks, the merge.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Persona, TestApp, Wish};

fn status(id: &Value, wanted: &str) -> impl Fn(&Value) -> bool {
    move |frame| {
        let feature = &frame["feature"];
        assert!(
            feature["id"] != *id || feature["status"] != "failed" || wanted == "failed",
            "the card failed: {:#}",
            feature["error"]
        );
        feature["id"] == *id && feature["status"] == wanted
    }
}

/// Everything that happened in a run is told page by page as the socket told it.
async fn history(persona: &mut Persona, run: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut after = 0;
    loop {
        let page = persona.get(&format!("/api/runs/{run}/events?after={after}&limit=7")).await.is(StatusCode::OK);
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_i64() {
            Some(next) => after = next,
            None => return items,
        }
    }
}

async fn the_whole_way(app: TestApp) {
    let mut owner = app.owner().await;
    let project = owner.project("To-do list", json!({ "kind": "sample" })).await;
    assert_eq!(project["status"], "ready", "{project}");
    let project = format!("/api/projects/{}", project["id"].as_str().unwrap());
    let offered = owner.get("/api/sample/suggestions").await.is(StatusCode::OK)[0].clone();
    let card = owner.post(&format!("{project}/features"), offered).await.is(StatusCode::CREATED);
    let (id, path) = (card["id"].clone(), format!("/api/features/{}", card["id"].as_str().unwrap()));

    let mut socket = owner.listen("").await.unwrap();
    let started = owner.call(&format!("{path}/start")).await.is(StatusCode::ACCEPTED);
    assert_eq!(started["feature"]["status"], "queued");
    assert_eq!(started["run"]["model"], "simulated");
    owner.call(&format!("{path}/start")).await.is_problem(StatusCode::CONFLICT, "illegal-move");
    let run = started["run"]["id"].as_str().unwrap().to_owned();
    let frames = socket.until(status(&id, "waiting_approval")).await;
    let told: Vec<&Value> = frames.iter().filter(|frame| frame["type"] == "run.event").collect();
    for kind in ["started", "text", "tool_started", "tool_finished", "turn_saved", "plan", "check", "ended"] {
        assert!(told.iter().any(|frame| frame["event"]["kind"] == kind), "no {kind} in {told:#?}");
    }
    let ended = frames.last().unwrap();
    assert!(ended["feature"]["error"].is_null(), "{ended:#}");
    assert!(frames.iter().any(|frame| frame["type"] == "run.output"), "nothing came live");
    let history = history(&mut owner, &run).await;
    let told: Vec<&Value> = told.iter().map(|frame| &frame["seq"]).collect();
    assert_eq!(history.iter().map(|event| &event["seq"]).collect::<Vec<_>>(), told);

    let diff = owner.get(&format!("{path}/diff")).await.is(StatusCode::OK);
    let files: Vec<&str> =
        diff["files"].as_array().unwrap().iter().filter_map(|file| file["newPath"].as_str()).collect();
    assert!(files.contains(&"commands/done.sh"), "{files:?}");
    let file = owner.get(&format!("{path}/files?path=commands/done.sh")).await;
    assert_eq!(file.header("content-type"), "text/plain; charset=utf-8");
    assert!(file.text().contains("# help: done"), "{}", file.text());
    owner
        .get(&format!("{path}/files?path=commands/done.sh&side=base"))
        .await
        .is_problem(StatusCode::NOT_FOUND, "not-found");
    for odd in
        ["../x", "/etc/passwd", "", ".", "commands", "commands/", "commands//done.sh", ":(glob)**", "--help", "a%00b"]
    {
        let answer = owner.get(&format!("{path}/files?path={odd}")).await;
        answer.is_problem(StatusCode::NOT_FOUND, "not-found");
    }
    let checks = owner.get(&format!("/api/runs/{run}/checks")).await.is(StatusCode::OK);
    assert_eq!(checks["items"][0]["status"], "passed", "{checks}");

    let said = json!({ "message": "Please mention it in the README as well." });
    let followed = owner.post(&format!("{path}/follow-up"), said).await.is(StatusCode::ACCEPTED);
    assert_eq!(followed["run"]["id"], run.as_str());
    let frames = socket.until(status(&id, "waiting_approval")).await;
    assert!(frames.iter().any(|frame| frame["event"]["kind"] == "said"), "{frames:#?}");

    let verified = owner.call(&format!("{path}/verify")).await.is(StatusCode::ACCEPTED);
    if verified["feature"]["status"] != "verified" {
        socket.wait(status(&id, "verified")).await;
    }
    let merge = json!({ "message": "Add todo done" });
    let merged = owner.post(&format!("{path}/merge"), merge).await.is(StatusCode::OK);
    assert_eq!(merged["feature"]["status"], "completed");
    assert_eq!(merged["feature"]["mergeCommit"], merged["commit"]);
    let commits = owner.get(&format!("{project}/commits")).await.is(StatusCode::OK);
    assert_eq!(commits["items"][0]["id"], merged["commit"]);
    assert_eq!(commits["items"][0]["subject"], "Add todo done");
    assert_eq!(commits["items"][0]["authorName"], "Olga");
    owner.call(&format!("{path}/merge")).await.is_problem(StatusCode::CONFLICT, "illegal-move");
    let run = owner.get(&format!("/api/runs/{run}")).await.is(StatusCode::OK);
    assert_eq!((&run["status"], &run["keySource"]), (&json!("closed"), &json!("simulated")));
    assert!(run["turns"].as_i64().unwrap() > 2, "{run}");
    assert_eq!(owner.get(&format!("{path}/runs")).await.is(StatusCode::OK)["items"], json!([run]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn from_the_first_account_to_the_merge() {
    the_whole_way(TestApp::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn from_the_first_account_to_the_merge_on_postgres() {
    the_whole_way(TestApp::with(Wish { postgres: true, ..Wish::default() }).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_is_stopped_goes_on_and_is_shelved() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let cards = format!("/api/projects/{}/features", project["id"].as_str().unwrap());
    let script = "```sim\n{\"say\": \"I wait.\", \"silence_ms\": 600000}\n```";
    let body = json!({ "description": script, "model": "simulated" });
    let card = owner.post(&cards, body).await.is(StatusCode::CREATED);
    let (id, path) = (card["id"].clone(), format!("/api/features/{}", card["id"].as_str().unwrap()));
    let mut socket = owner.listen("").await.unwrap();
    owner.call(&format!("{path}/start")).await.is(StatusCode::ACCEPTED);
    socket.wait(|frame| frame["event"]["kind"] == "started").await;
    owner.delete(&path).await.is_problem(StatusCode::CONFLICT, "agent-at-work");
    let stopped = owner.call(&format!("{path}/stop")).await.is(StatusCode::ACCEPTED);
    assert_eq!((&stopped["feature"]["status"], &stopped["run"]["status"]), (&json!("paused"), &json!("stopped")));
    socket.wait(status(&id, "paused")).await;
    let again = owner.call(&format!("{path}/retry")).await.is(StatusCode::ACCEPTED);
    assert_eq!(again["run"]["id"], stopped["run"]["id"]);
    socket.wait(|frame| frame["event"]["kind"] == "started" && frame["event"]["attempt"] == 2).await;
    owner.call(&format!("{path}/stop")).await.is(StatusCode::ACCEPTED);
    let shelved = owner.call(&format!("{path}/shelve")).await.is(StatusCode::OK);
    assert_eq!(shelved["status"], "backlog");
}
