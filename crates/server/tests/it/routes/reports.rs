//! Morning reports, forecasts, the team's queue and everybody's auto modes.

use std::time::Duration;

use guildhall_types::FixedClock;
use guildhall_types::member::MemberRole;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Persona, SILENT, TestApp, Wish};
use crate::post::Post;

/// A card that is done after one turn.
const QUICK: &str = "Write.\n\n```sim\n{\"tools\": [[\"write\", {\"path\": \"a.txt\", \"content\": \"a\\n\"}]]}\n{\"say\": \"Done.\"}\n```";

async fn project(owner: &mut Persona) -> String {
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    format!("/api/projects/{}", project["id"].as_str().unwrap())
}

async fn write(who: &mut Persona, base: &str, title: &str, text: &str) -> Value {
    let body = json!({ "title": title, "description": text, "model": "simulated" });
    who.post(&format!("{base}/features"), body).await.is(StatusCode::CREATED)
}

async fn reaches(who: &mut Persona, card: &Value, status: &str) {
    let path = format!("/api/features/{}", card["id"].as_str().unwrap());
    while who.get(&path).await.is(StatusCode::OK)["status"] != status {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Lets auto mode build one card and stops it. Returns the report that comes of it.
async fn night(who: &mut Persona, base: &str) -> Value {
    let card = write(who, base, "Login form", QUICK).await;
    who.post(&format!("{base}/auto-mode"), json!({ "action": "start" })).await.is(StatusCode::OK);
    reaches(who, &card, "waiting_approval").await;
    who.post(&format!("{base}/auto-mode"), json!({ "action": "stop" })).await.is(StatusCode::OK);
    loop {
        let latest = who.get("/api/reports/latest").await.is(StatusCode::OK);
        if !latest["report"].is_null() {
            return latest["report"].clone();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_its_members_alone_and_says_what_to_do_next() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let base = project(&mut owner).await;
    assert_eq!(owner.get("/api/reports/latest").await.is(StatusCode::OK), json!({ "report": null }));
    let report = night(&mut owner, &base).await;
    assert_eq!((&report["cause"], &report["built"], &report["readAt"]), (&json!("stopped"), &json!(1), &json!(null)));
    let card = &report["cards"][0];
    assert_eq!((&card["title"], &card["outcome"]), (&json!("Login form"), &json!("waits-for-approval")));
    assert_eq!(card["next"], "Look at the changes, then verify or merge.");
    assert!(card["tokens"].as_i64().unwrap() > 0 && report["total"]["tokens"] == card["tokens"], "{report}");
    assert_eq!(report["forecasts"][0]["forecast"]["estimate"], json!(null), "there was no past");

    let path = format!("/api/reports/{}", report["id"].as_str().unwrap());
    let mut other = app.member(MemberRole::Admin).await;
    other.get(&path).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    other.call(&format!("{path}/read")).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    assert_eq!(other.get("/api/reports").await.is(StatusCode::OK), json!({ "items": [], "next": null }));
    owner.call(&format!("{path}/read")).await.is(StatusCode::NO_CONTENT);
    assert!(owner.get(&path).await.is(StatusCode::OK)["readAt"].is_string());
    let list = owner.get("/api/reports?limit=1").await.is(StatusCode::OK);
    assert_eq!((&list["items"][0]["id"], &list["next"]), (&report["id"], &json!(null)));

    let put = json!({ "mail": true, "morning": "06:30" });
    owner.put("/api/report-settings", put).await.is_problem(StatusCode::CONFLICT, "mail-off");
    let bad = json!({ "mail": false, "morning": "6:30" });
    owner.put("/api/report-settings", bad).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    let put = json!({ "mail": false, "morning": "06:30" });
    owner.put("/api/report-settings", put).await.is(StatusCode::OK);
    let kept = json!({ "mail": false, "morning": "06:30", "mailIsOn": false });
    assert_eq!(owner.get("/api/report-settings").await.is(StatusCode::OK), kept);
    assert_eq!(other.get("/api/report-settings").await.is(StatusCode::OK)["morning"], "07:00");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_mailed_to_who_wants_that() {
    let mut post = Post::start().await;
    let smtp = post.settings();
    let change = Box::new(move |config: &mut guildhall_server::config::Config| config.mail = Some(smtp));
    let app = TestApp::with(Wish { change, ..Wish::default() }).await;
    let mut owner = app.owner().await;
    let base = project(&mut owner).await;
    owner.put("/api/report-settings", json!({ "mail": true, "morning": "07:00" })).await.is(StatusCode::OK);
    let report = night(&mut owner, &base).await;
    let mail = post.next().await;
    assert_eq!(
        (mail.to.as_str(), mail.header("Subject")),
        ("olga@example.com", "1 card was built, 1 waits for you".to_owned())
    );
    let text = mail.text();
    assert!(text.contains("#1 Login form: waits for you. Look at the changes, then verify or merge."), "{text}");
    assert!(text.contains(&format!("{} tokens.", report["total"]["tokens"])) && text.contains(&app.url), "{text}");
    assert!(mail.html().contains("#1 Login form"), "{}", mail.raw);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_evening_is_foretold_from_past_runs_and_never_invented() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let base = project(&mut owner).await;
    let ask = format!("{base}/auto-mode/forecast");
    let none = owner.post(&ask, json!({})).await.is(StatusCode::OK);
    assert_eq!((&none["cards"], &none["runs"], &none["estimate"]), (&json!(0), &json!(0), &json!(null)));
    night(&mut owner, &base).await;
    for title in ["Log out", "Reset"] {
        write(&mut owner, &base, title, SILENT).await;
    }
    let window = json!({ "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "00:00", "until": "23:59", "timeZone": "UTC" });
    let told = owner.post(&ask, json!({ "maxConcurrent": 2, "window": window })).await.is(StatusCode::OK);
    assert_eq!((&told["cards"], &told["runs"], &told["circle"]), (&json!(2), &json!(1), &json!("team")));
    assert_eq!(told["estimate"]["done"], json!({ "low": 2, "median": 2, "high": 2 }));
    assert!(told["by"].as_str().unwrap().contains("T23:59:00"), "{told}");
    let again = owner.post(&ask, json!({ "maxConcurrent": 2, "window": window })).await.is(StatusCode::OK);
    assert_eq!(again["estimate"]["tokens"], told["estimate"]["tokens"], "it does not change by looking");
    owner.post(&ask, json!({ "maxConcurrent": 9 })).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(owner.get(&format!("{base}/auto-mode")).await.is(StatusCode::OK)["state"], "off", "nothing is started");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_sees_the_teams_queue_with_places_and_by_their_own_clock() {
    // It stands at midnight, UTC.
    let app = TestApp::with(Wish { clock: Some(FixedClock::default()), ..Wish::default() }).await;
    let mut owner = app.owner().await;
    let base = project(&mut owner).await;
    owner.patch("/api/auth/me", json!({ "timeZone": "Asia/Kathmandu" })).await.is(StatusCode::OK);
    let limits = owner.get("/api/settings/limits").await.is(StatusCode::OK);
    let mut one = limits.clone();
    one["team"]["maxConcurrentFeatures"] = json!(1);
    owner.put("/api/settings/limits", one).await.is(StatusCode::OK);
    let mut ids = Vec::new();
    for title in ["a", "b", "c"] {
        let card = write(&mut owner, &base, title, SILENT).await;
        owner.call(&format!("/api/features/{}/start", card["id"].as_str().unwrap())).await.is(StatusCode::ACCEPTED);
        if title == "a" {
            reaches(&mut owner, &card, "in_progress").await;
        }
        ids.push(card["id"].clone());
    }
    let mut member = app.member(MemberRole::Member).await;
    let theirs = write(&mut member, &base, "d", SILENT).await;
    let path = format!("/api/features/{}/start", theirs["id"].as_str().unwrap());
    member.call(&path).await.is(StatusCode::ACCEPTED);
    // Nine in the evening in Nepal.
    let closed = json!({ "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "21:00", "until": "21:01", "timeZone": "Asia/Kathmandu" });
    write(&mut member, &base, "e", SILENT).await;
    member.post(&format!("{base}/auto-mode"), json!({ "action": "start", "window": closed })).await.is(StatusCode::OK);

    let queue = owner.get("/api/queue").await.is(StatusCode::OK);
    let items = queue["items"].as_array().unwrap();
    let place = |id: &Value| items.iter().find(|item| item["featureId"] == *id).unwrap()["position"].clone();
    // Whoever has nothing at work comes first, though later.
    assert_eq!((place(&theirs["id"]), place(&ids[1]), place(&ids[2])), (json!(1), json!(2), json!(3)));
    assert_eq!(items[0]["waiting"]["message"], "Waits for a place: the team's limit of 1 runs is reached.");
    let waits = items.iter().find(|item| item["waiting"]["code"] == "window").unwrap();
    let message = waits["waiting"]["message"].as_str().unwrap();
    assert!(message.starts_with("The window opens at ") && message.ends_with(" 21:00."), "{message}");
    assert!(waits["waiting"]["until"].as_str().unwrap().ends_with("15:15:00Z"), "{waits}");
    let seen = member.get("/api/queue").await.is(StatusCode::OK);
    let waits =
        seen["items"].as_array().unwrap().iter().find(|item| item["waiting"]["code"] == "window").cloned().unwrap();
    assert!(waits["waiting"]["message"].as_str().unwrap().ends_with("15:15 UTC."), "{waits}");

    let modes = owner.get("/api/auto-modes").await.is(StatusCode::OK);
    let id = member.id().await;
    assert_eq!((&modes["items"][0]["memberId"], &modes["items"][0]["state"]), (&json!(id), &json!("on")));
    let stop = json!({ "action": "stop", "memberId": id });
    owner.post(&format!("{base}/auto-mode"), stop).await.is(StatusCode::OK);
    assert_eq!(owner.get("/api/auto-modes").await.is(StatusCode::OK)["items"], json!([]));
}
