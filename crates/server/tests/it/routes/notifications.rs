//! What members are told, over the API and the socket.

use guildhall_types::FixedClock;
use guildhall_types::member::MemberRole;
use guildhall_types::notification::{NotificationKind as Kind, Tell};
use guildhall_types::rights::Scope;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Persona, TestApp, Wish};
use crate::post::Post;

async fn tell(app: &TestApp, kind: Kind, member: &mut Persona, subject: &str) {
    let id = member.id().await.parse().unwrap();
    app.app.team.store.tell(Tell::new(kind, id, subject, "It says so.")).await.unwrap();
}

fn subjects(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|one| one["subject"].as_str().unwrap()).collect()
}

async fn unread(member: &mut Persona) -> Value {
    member.get("/api/notifications/unread").await.is(StatusCode::OK)["unread"].clone()
}

#[tokio::test]
async fn a_card_that_waits_is_told_to_its_member_and_nobody_else() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let mut ben = app.member(MemberRole::Member).await;
    let project = ben.project("p", json!({ "kind": "empty" })).await["id"].as_str().unwrap().to_owned();
    let (mut to_ben, mut to_olga) = (ben.listen("").await.unwrap(), olga.listen("").await.unwrap());
    let card = json!({ "description": "Say hello.\n\n```sim\n{\"say\": \"Done.\"}\n```", "title": "Greeting", "model": "simulated" });
    let card = ben.post(&format!("/api/projects/{project}/features"), card).await.is(StatusCode::CREATED);
    let path = format!("/api/features/{}", card["id"].as_str().unwrap());
    ben.call(&format!("{path}/start")).await.is(StatusCode::ACCEPTED);
    let told = to_ben.wait(|frame| frame["type"] == "notification.updated").await;
    assert_eq!(
        (&told["notification"]["kind"], &told["notification"]["featureId"]),
        (&json!("card.waits"), &card["id"])
    );
    assert_eq!(told["memberId"], ben.id().await);
    // What comes after it is told to both.
    let late = json!({ "description": "Later." });
    let late = ben.post(&format!("/api/projects/{project}/features"), late).await.is(StatusCode::CREATED);
    let all = to_olga.until(|frame| frame["feature"]["id"] == late["id"]).await;
    assert!(all.iter().all(|frame| frame["type"] != "notification.updated"), "{all:#?}");
    let mut replayed = olga.listen("?since=0").await.unwrap();
    let all = replayed.until(|frame| frame["feature"]["id"] == late["id"]).await;
    assert!(all.iter().all(|frame| frame["type"] != "notification.updated"), "nor when it is replayed");
    assert_eq!((unread(&mut ben).await, unread(&mut olga).await), (json!(1), json!(0)));
    let page = ben.get("/api/notifications").await.is(StatusCode::OK);
    assert_eq!((subjects(&page), &page["items"][0]["runId"].is_string()), (vec!["#1 Greeting"], &true));

    // Read by opening the card; the member's other windows hear of it.
    let read = ben.post("/api/notifications/read", json!({ "featureId": card["id"] })).await.is(StatusCode::OK);
    assert_eq!(read["unread"], 0);
    let told = to_ben.wait(|frame| frame["type"] == "notification.updated").await;
    assert_eq!(told["notification"], Value::Null);
    // What is done by hand is told to nobody: Ben knows.
    ben.call(&format!("{path}/verify")).await;
    assert_eq!(unread(&mut ben).await, 0);
}

#[tokio::test]
async fn ones_own_are_listed_page_by_page_and_read_one_by_one_or_all() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let mut ben = app.member(MemberRole::Viewer).await;
    for (n, kind) in [Kind::BudgetReached, Kind::MorningReport, Kind::AutoModePaused].into_iter().enumerate() {
        tell(&app, kind, &mut ben, &n.to_string()).await;
    }
    let first = ben.get("/api/notifications?limit=2").await.is(StatusCode::OK);
    assert_eq!((subjects(&first), &first["unread"]), (vec!["2", "1"], &json!(3)));
    let next = format!("/api/notifications?limit=2&cursor={}", first["next"].as_str().unwrap());
    let second = ben.get(&next).await.is(StatusCode::OK);
    assert_eq!((subjects(&second), &second["next"]), (vec!["0"], &Value::Null));
    olga.get(&next).await.is(StatusCode::OK)["items"].as_array().unwrap().is_empty().then_some(()).unwrap();
    let one = json!({ "id": second["items"][0]["id"] });
    olga.post("/api/notifications/read", one.clone()).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    assert_eq!(ben.post("/api/notifications/read", one).await.is(StatusCode::OK)["unread"], 2);
    let unread_only = ben.get("/api/notifications?unread=true").await.is(StatusCode::OK);
    assert_eq!(subjects(&unread_only), ["2", "1"]);
    tell(&app, Kind::WebhookOff, &mut ben, "3").await;
    let all = json!({ "upTo": first["items"][0]["seq"] });
    assert_eq!(ben.post("/api/notifications/read", all).await.is(StatusCode::OK)["unread"], 1, "one came in between");
    for nonsense in [json!({}), json!({ "upTo": 1, "id": first["items"][0]["id"] }), json!({ "all": true })] {
        let refused = ben.post("/api/notifications/read", nonsense).await;
        assert!(refused.status.is_client_error(), "{}", refused.text());
    }
    ben.get("/api/notifications?cursor=x").await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    // A program that may look sees what its member is told, and marks nothing.
    let (token, _) = ben.token(&[Scope::Read]).await;
    let mut program = app.program(&token);
    assert_eq!(unread(&mut program).await, 1);
    let read = program.post("/api/notifications/read", json!({ "upTo": 1_000_000 })).await;
    read.is_problem(StatusCode::FORBIDDEN, "session-only");
}

#[tokio::test]
async fn a_mail_comes_to_who_wants_it_with_a_link_to_what_it_is_about() {
    let (mut post, clock) = (Post::start().await, FixedClock::default());
    let smtp = post.settings();
    let change = Box::new(move |config: &mut guildhall_server::config::Config| config.mail = Some(smtp));
    let app = TestApp::with(Wish { change, clock: Some(clock), ..Wish::default() }).await;
    let mut olga = app.owner().await;
    let settings = olga.get("/api/notifications/settings").await.is(StatusCode::OK);
    let by_mail: Vec<&str> = settings["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["mail"] == true)
        .map(|one| one["kind"].as_str().unwrap())
        .collect();
    let usual =
        ["auto-mode.paused", "runs.stopped", "budget.reached", "webhook.off", "alert.warning", "alert.critical"];
    assert_eq!((by_mail, &settings["mailOn"]), (usual.to_vec(), &json!(true)));
    let wishes =
        json!({ "items": [{ "kind": "budget.reached", "mail": false }, { "kind": "card.failed", "mail": true }] });
    let chosen = olga.put("/api/notifications/settings", wishes).await.is(StatusCode::OK);
    assert_eq!(chosen["items"].as_array().unwrap().iter().filter(|one| one["mail"] == true).count(), 6);
    tell(&app, Kind::BudgetReached, &mut olga, "November").await;
    tell(&app, Kind::AutoModePaused, &mut olga, "Shop\r\nBcc: all@example.com <img src=x>").await;
    let mail = post.next().await;
    assert_eq!(mail.header("Subject"), "Shop Bcc: all@example.com <img src=x>: auto mode has stopped");
    assert!(mail.text().contains("It says so.") && mail.text().contains(&format!("\n{}/\n", app.url)), "{}", mail.raw);
    assert!(!mail.html().contains("<img"), "{}", mail.raw);
    let unknown = json!({ "items": [{ "kind": "weather", "mail": true }] });
    assert!(olga.put("/api/notifications/settings", unknown).await.status.is_client_error());
}
