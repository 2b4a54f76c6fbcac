//! Prices, the ledger added up, and budgets.

use guildhall_types::member::MemberRole;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Persona, TestApp};

const DONE: &str = "Do it.\n\n```sim\n{\"say\": \"One two three.\"}\n```";

/// A card that an agent has built.
async fn built(persona: &mut Persona, project: &Value, title: &str) -> Value {
    let mut socket = persona.listen("").await.unwrap();
    let path = format!("/api/projects/{}/features", project["id"].as_str().unwrap());
    let card = json!({ "description": DONE, "title": title, "model": "simulated" });
    let card = persona.post(&path, card).await.is(StatusCode::CREATED);
    let id = card["id"].as_str().unwrap().to_owned();
    persona.call(&format!("/api/features/{id}/start")).await.is(StatusCode::ACCEPTED);
    socket.wait(|frame| frame["feature"]["id"] == *id && frame["feature"]["status"] == "waiting_approval").await;
    card
}

fn price(output: i64) -> Value {
    json!({ "provider": "anthropic", "pattern": "simulated", "input": 0, "output": output, "cacheRead": 0, "cacheWrite": 0 })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_says_what_models_cost_and_the_next_call_costs_it() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let before = owner.get("/api/settings/prices").await.is(StatusCode::OK);
    assert_eq!(before["items"], json!([]));
    let opus = before["builtIn"].as_array().unwrap().iter().find(|row| row["model"] == "claude-opus-5-5").unwrap();
    assert_eq!((&opus["input"], &opus["output"]), (&json!(4_000_000), &json!(20_000_000)));
    for (field, value) in [
        ("pattern", json!("a b")),
        ("pattern", json!("")),
        ("output", json!(-1)),
        ("provider", json!("claudeSubscription")),
    ] {
        let mut bad = price(1);
        bad[field] = value;
        let problem =
            owner.put("/api/settings/prices", bad).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert_eq!(problem["errors"][0]["field"], field);
    }
    let row = owner.put("/api/settings/prices", price(1_000_000)).await.is(StatusCode::OK);
    assert_eq!((&row["pattern"], &row["output"]), (&json!("simulated"), &json!(1_000_000)));
    let mut dearer = price(7_000_000);
    dearer["pattern"] = json!("claude-opus-5-5");
    owner.put("/api/settings/prices", dearer).await.is(StatusCode::OK);
    let models = owner.get("/api/models").await.is(StatusCode::OK);
    let model =
        models["items"].as_array().unwrap().iter().find(|model| model["id"] == "claude-opus-5-5").unwrap().clone();
    assert_eq!((&model["outputPrice"], &model["priced"]), (&json!(7_000_000), &json!(true)));

    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    built(&mut owner, &project, "One").await;
    let first = owner.get("/api/usage?by=day").await.is(StatusCode::OK);
    assert_eq!(first["total"]["costMicros"], first["total"]["outputTokens"], "a micro-dollar a token");
    let mut member = app.member(MemberRole::Member).await;
    assert_eq!(member.get("/api/settings/prices").await.is(StatusCode::OK)["items"].as_array().unwrap().len(), 2);
    let path = format!("/api/settings/prices/{}", row["id"].as_str().unwrap());
    owner.delete(&path).await.is(StatusCode::NO_CONTENT);
    owner.delete(&path).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    built(&mut owner, &project, "Two").await;
    let second = owner.get("/api/usage?by=day").await.is(StatusCode::OK);
    assert_eq!(second["total"]["costMicros"], first["total"]["costMicros"], "free again");
    assert!(second["total"]["calls"].as_i64() > first["total"]["calls"].as_i64());
    let audit = owner.get("/api/audit?action=price.put").await.is(StatusCode::OK);
    assert_eq!(audit["items"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_see_their_own_and_the_teams_sums_and_admins_everything() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    owner.put("/api/settings/prices", price(1_000_000)).await.is(StatusCode::OK);
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    built(&mut owner, &project, "Of the owner").await;
    let mut member = app.member(MemberRole::Member).await;
    let (owner_id, id) = (owner.id().await, member.id().await);
    built(&mut member, &project, "Of the member").await;

    let all = owner.get("/api/usage?by=member").await.is(StatusCode::OK);
    assert_eq!((all["groups"].as_array().unwrap().len(), &all["whose"]), (2, &json!("team")));
    let own = member.get("/api/usage?by=member").await.is(StatusCode::OK);
    assert_eq!((own["groups"].as_array().unwrap().len(), &own["whose"]), (1, &json!("member")));
    assert_eq!(own["groups"][0]["id"], id.as_str());
    for by in ["key", "model", "day"] {
        let own = member.get(&format!("/api/usage?by={by}")).await.is(StatusCode::OK);
        assert!(own["total"]["costMicros"].as_i64() < all["total"]["costMicros"].as_i64(), "{by}: {own}");
    }
    for by in ["project", "feature"] {
        let shared = member.get(&format!("/api/usage?by={by}")).await.is(StatusCode::OK);
        assert_eq!(shared["total"], all["total"], "{by}");
    }
    let cards = member
        .get(&format!("/api/usage?by=feature&project={}", project["id"].as_str().unwrap()))
        .await
        .is(StatusCode::OK);
    let labels: Vec<&str> =
        cards["groups"].as_array().unwrap().iter().map(|group| group["label"].as_str().unwrap()).collect();
    assert!(labels.contains(&"#1 Of the owner") && labels.contains(&"#2 Of the member"), "{labels:?}");
    let days = cards["days"].as_array().unwrap();
    assert_eq!(days.len(), 30);
    assert_eq!(days[29]["parts"].as_array().unwrap().len(), 2);
    let problem = member
        .get(&format!("/api/usage?by=day&member={owner_id}"))
        .await
        .is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(problem["errors"][0]["field"], "member");
    owner.get(&format!("/api/usage?by=day&member={id}")).await.is(StatusCode::OK);
    for bad in ["by=day&from=2026-01-02&to=2026-01-01", "by=day&from=2020-01-01"] {
        owner.get(&format!("/api/usage?{bad}")).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }
    for bad in ["by=moon", "by=day&from=yesterday", "by=day&project=x", ""] {
        owner.get(&format!("/api/usage?{bad}")).await.is_problem(StatusCode::BAD_REQUEST, "bad-query");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn budgets_are_given_lowered_and_raised_and_a_run_goes_on_with_more() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut member = app.member(MemberRole::Member).await;
    let id = member.id().await;
    owner.put("/api/settings/budgets", json!({ "monthMicros": 50_000_000 })).await.is(StatusCode::OK);
    let silent = owner.put("/api/settings/budgets", json!({})).await;
    silent.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    owner
        .put("/api/settings/budgets", json!({ "monthMicros": 0 }))
        .await
        .is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    let all = owner.get("/api/budgets").await.is(StatusCode::OK);
    assert_eq!((&all["monthMicros"], all["items"].as_array().unwrap().len()), (&json!(50_000_000), 2));
    let own = member.get("/api/budgets").await.is(StatusCode::OK);
    assert_eq!(own["items"].as_array().unwrap().len(), 1, "not the others'");
    assert_eq!((&own["items"][0]["memberId"], &own["items"][0]["capMicros"]), (&json!(id), &json!(50_000_000)));
    let lower = member.put("/api/budgets/own", json!({ "monthMicros": 5_000_000 })).await.is(StatusCode::OK);
    assert_eq!(lower["capMicros"], 5_000_000);
    let more = member.put("/api/budgets/own", json!({ "monthMicros": 500_000_000 })).await.is(StatusCode::OK);
    assert_eq!(more["capMicros"], 50_000_000, "no more than is given");
    let given =
        owner.put(&format!("/api/members/{id}/budget"), json!({ "monthMicros": 80_000_000 })).await.is(StatusCode::OK);
    assert_eq!(given["capMicros"], 80_000_000);

    // A card whose own budget holds no call: it waits, says so, and goes on with more.
    owner.put("/api/settings/prices", price(1_000_000_000)).await.is(StatusCode::OK);
    let project = member.project("Demo", json!({ "kind": "empty" })).await;
    let path = format!("/api/projects/{}/features", project["id"].as_str().unwrap());
    let card = json!({ "description": DONE, "model": "simulated", "budgetMicros": 1_000_000 });
    let card = member.post(&path, card).await.is(StatusCode::CREATED);
    assert_eq!(card["budgetMicros"], 1_000_000);
    let card = format!("/api/features/{}", card["id"].as_str().unwrap());
    let mut socket = member.listen("").await.unwrap();
    member.call(&format!("{card}/start")).await.is(StatusCode::ACCEPTED);
    let parked = socket.wait(|frame| frame["run"]["parkedFor"] == "run").await;
    assert!(parked["run"]["parkedReason"].as_str().unwrap().contains("$1.00"), "{parked}");
    let mut other = app.member(MemberRole::Viewer).await;
    let more = json!({ "micros": 40_000_000 });
    other.post(&format!("{card}/allow-cost"), more.clone()).await.is_problem(StatusCode::FORBIDDEN, "missing-right");
    let none = json!({ "micros": 0 });
    member.post(&format!("{card}/allow-cost"), none).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    member.post(&format!("{card}/allow-cost"), more).await.is(StatusCode::ACCEPTED);
    socket.wait(|frame| frame["feature"]["status"] == "waiting_approval").await;
    let now = member.get("/api/budgets").await.is(StatusCode::OK);
    assert_eq!(now["items"][0]["reservedMicros"], 0);
    assert!(now["items"][0]["spentMicros"].as_i64().unwrap() > 0);

    // What a card may cost that auto mode would take with the key of whoever wrote it, nobody else raises.
    let held = json!({ "description": DONE, "model": "simulated", "title": "held", "dependencies": [card.rsplit('/').next()] });
    let held = member.post(&path, held).await.is(StatusCode::CREATED);
    let held = format!("/api/features/{}", held["id"].as_str().unwrap());
    let auto = format!("/api/projects/{}/auto-mode", project["id"].as_str().unwrap());
    let mut mate = app.named("mate", MemberRole::Member).await;
    let raise = |micros: i64| json!({ "budgetMicros": micros });
    mate.patch(&held, raise(2_000_000)).await.is(StatusCode::OK);
    member.post(&auto, json!({ "action": "start" })).await.is(StatusCode::OK);
    mate.patch(&held, raise(9_000_000)).await.is_problem(StatusCode::FORBIDDEN, "not-yours");
    mate.patch(&held, raise(1_000_000)).await.is(StatusCode::OK);
    member.patch(&held, raise(9_000_000)).await.is(StatusCode::OK);
    member.post(&auto, json!({ "action": "stop" })).await.is(StatusCode::OK);
    mate.patch(&held, raise(10_000_000)).await.is(StatusCode::OK);
    let audit = owner.get("/api/audit?action=budget.change").await.is(StatusCode::OK);
    assert_eq!(audit["items"].as_array().unwrap().len(), 3);
}
