//! Alerts over the API and the socket: for those who administer the team, and of what keeps work for everybody.

use chrono::Duration;
use guildhall_types::member::MemberRole;
use guildhall_types::reading::{Reading, Used};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::TestApp;

/// A reading so many seconds from now on.
pub fn reading(app: &TestApp, seconds: i64, memory: i64, failures: i64) -> Reading {
    Reading {
        node: app.app.engine.node(),
        at: app.app.team.clock.now() + Duration::seconds(seconds),
        memory: Some(Used { used: memory, total: 100 }),
        process_memory: None,
        disk: None,
        disks: Vec::new(),
        processors: 2,
        load: None,
        active_agents: Some(0),
        active_runs: 0,
        worktrees: 0,
        queue_depth: Some(0),
        provider_failures: failures,
        database_millis: Some(1.0),
        database_trouble: None,
    }
}

#[tokio::test]
async fn who_administers_sees_silences_and_is_told() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let mut ben = app.member(MemberRole::Member).await;
    assert_eq!(ben.get("/api/strain").await.is(StatusCode::OK), json!({ "strain": null, "message": null }));
    let (mut to_olga, mut to_ben) = (olga.listen("").await.unwrap(), ben.listen("").await.unwrap());
    app.app.engine.judge(&reading(&app, 0, 91, 7)).await;

    // What keeps everybody's work is told to everybody, the rest to those who administer the team.
    let raised = |frame: &Value| frame["type"] == "alert.raised";
    let mut kinds = Vec::new();
    for _ in 0..2 {
        kinds.push(to_olga.wait(raised).await["alert"]["kind"].clone());
    }
    assert_eq!(kinds, [json!("memory"), json!("api-failures")]);
    assert_eq!(to_ben.wait(raised).await["alert"]["level"], "critical");
    let strain = ben.get("/api/strain").await.is(StatusCode::OK);
    assert_eq!(strain["strain"], "memory");
    assert!(strain["message"].as_str().unwrap().contains("goes on by itself"), "{strain}");
    ben.get("/api/alerts").await.is_problem(StatusCode::FORBIDDEN, "missing-right");

    let page = olga.get("/api/alerts?open=true").await.is(StatusCode::OK);
    let items = page["items"].as_array().unwrap();
    assert_eq!(
        (items.len(), &items[0]["kind"], &items[0]["level"], &items[0]["worst"]),
        (2, &json!("api-failures"), &json!("warning"), &json!(7))
    );
    let first = olga.get("/api/alerts?limit=1").await.is(StatusCode::OK);
    let second = olga.get(&format!("/api/alerts?limit=1&cursor={}", first["next"].as_str().unwrap())).await;
    let second = second.is(StatusCode::OK);
    assert_eq!((&second["items"][0]["kind"], &second["next"]), (&json!("memory"), &Value::Null));
    let health = olga.get("/api/health/detailed").await.is(StatusCode::OK);
    assert_eq!(health["openAlerts"].as_array().unwrap().len(), 2);
    let told = olga.get("/api/notifications").await.is(StatusCode::OK);
    let kinds: Vec<_> = told["items"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["alert.warning", "alert.critical"]);
    assert!(told["items"][1]["alertId"].is_string());
    assert_eq!(ben.get("/api/notifications/unread").await.is(StatusCode::OK)["unread"], 0);

    let memory = format!("/api/alerts/{}/silence", second["items"][0]["id"].as_str().unwrap());
    olga.post(&memory, json!({ "minutes": 0 })).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    olga.post(&memory, json!({ "minutes": 43_201 })).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    let silent = olga.post(&memory, json!({ "minutes": 60 })).await.is(StatusCode::OK);
    assert_eq!(silent["silencedBy"], olga.id().await);
    to_olga.wait(|frame| frame["type"] == "alert.updated").await;
    let loud = olga.post(&memory, json!({})).await.is(StatusCode::OK);
    assert_eq!((&loud["silencedUntil"], &loud["silencedBy"]), (&Value::Null, &Value::Null));
    let audit = olga.get("/api/audit?action=alert.silence").await.is(StatusCode::OK);
    assert_eq!(audit["items"].as_array().unwrap().len(), 2);
    let none = "/api/alerts/01890000-0000-7000-8000-000000000000/silence";
    olga.post(none, json!({ "minutes": 5 })).await.is_problem(StatusCode::NOT_FOUND, "not-found");

    // It is over when it has been well for long enough.
    app.app.engine.judge(&reading(&app, 15, 20, 0)).await;
    app.app.engine.judge(&reading(&app, 400, 20, 0)).await;
    app.app.engine.judge(&reading(&app, 800, 20, 0)).await;
    to_ben.wait(|frame| frame["type"] == "alert.cleared").await;
    assert_eq!(olga.get("/api/alerts?open=true").await.is(StatusCode::OK)["items"], json!([]));
    assert_eq!(olga.get("/api/alerts?open=false").await.is(StatusCode::OK)["items"].as_array().unwrap().len(), 2);
    assert_eq!(ben.get("/api/strain").await.is(StatusCode::OK)["strain"], Value::Null);
}

#[tokio::test]
async fn thresholds_hold_from_the_next_reading_on() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let mut thresholds = olga.get("/api/settings/alerts").await.is(StatusCode::OK);
    assert_eq!(thresholds["memory"], json!({ "warning": 70, "critical": 85 }));
    assert_eq!(thresholds["certificateDays"], json!({ "warning": 14, "critical": 3 }));
    let path = "/api/settings/alerts";
    thresholds["memory"] = json!({ "warning": 90, "critical": 80 });
    let refused = olga.put(path, thresholds.clone()).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(refused["errors"][0]["field"], "memory.critical");
    thresholds["memory"] = json!({ "warning": 20, "critical": 98 });
    assert_eq!(olga.put(path, thresholds.clone()).await.is(StatusCode::OK), thresholds);
    app.app.engine.judge(&reading(&app, 0, 30, 0)).await;
    let open = olga.get("/api/alerts?open=true").await.is(StatusCode::OK);
    assert_eq!((&open["items"][0]["kind"], &open["items"][0]["level"]), (&json!("memory"), &json!("warning")));
    let audit = olga.get("/api/audit?action=setting.change").await.is(StatusCode::OK);
    assert_eq!(audit["items"][0]["objectId"], "alert_thresholds");
    assert_eq!(
        audit["items"][0]["detail"],
        json!({ "memory": "warning 20, critical 98" }),
        "what changed, and nothing else"
    );
    // What follows from how often a backup is made is set by whoever says so, and by nobody else.
    let hours = |warning, critical| json!({ "backupHours": { "warning": warning, "critical": critical } });
    assert_eq!(olga.patch(path, hours(26, 50)).await.is(StatusCode::OK), thresholds);
    assert_eq!(olga.patch(path, hours(30, 60)).await.is(StatusCode::OK)["backupHours"]["critical"], 60);
    let half = olga.patch(path, json!({ "backupHours": { "warning": 30 } })).await;
    assert!(half.status.is_client_error());
    assert_eq!(olga.patch(path, json!({ "backupHours": null })).await.is(StatusCode::OK), thresholds);
    let audit = olga.get("/api/audit?action=setting.change").await.is(StatusCode::OK);
    let told: Vec<&Value> = (0..3).map(|n| &audit["items"][n]["detail"]["backup-old"]).collect();
    let follows = "as it follows from how often one is made";
    assert_eq!(told, [follows, "warning 30, critical 60", "warning 26, critical 50"]);
}

#[tokio::test]
async fn who_is_never_told_of_alerts_does_not_choose_mails_of_them() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let mut ben = app.member(MemberRole::Member).await;
    let chosen = |page: Value| {
        let of_alerts =
            page["items"].as_array().unwrap().iter().filter(|one| one["kind"].as_str().unwrap().starts_with("alert."));
        of_alerts.map(|one| one["mail"].as_bool().unwrap()).collect::<Vec<_>>()
    };
    let path = "/api/notifications/settings";
    assert_eq!(chosen(olga.get(path).await.is(StatusCode::OK)), [true, true, false]);
    assert_eq!(chosen(ben.get(path).await.is(StatusCode::OK)), Vec::<bool>::new());
}
