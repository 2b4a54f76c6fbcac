use guildhall_sandbox::Isolation;
use guildhall_types::member::MemberRole;
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{TestApp, Wish};

#[tokio::test]
async fn the_server_says_how_it_is() {
    let app = TestApp::start().await;
    let health = app.anonymous().get("/api/health").await.is(StatusCode::OK);
    assert_eq!((health["status"].as_str(), health["version"].as_str()), (Some("ok"), Some(env!("CARGO_PKG_VERSION"))));

    let detailed = app.owner().await.get("/api/health/detailed").await.is(StatusCode::OK);
    for name in ["heapUsed", "heapTotal", "rss"] {
        assert!(detailed["memory"][name].as_i64().unwrap() > 100_000, "{name}: {detailed}");
    }
    assert_eq!(detailed["activeAgents"], 0);
    assert_eq!(detailed["database"]["backend"], "sqlite");
    assert_eq!(detailed["database"]["ok"], true);
    assert_eq!(detailed["sandbox"]["isolation"], "bubblewrap");
    let findings = detailed["sandbox"]["findings"].as_array().unwrap();
    for name in ["bubblewrap", "limit of memory", "limit of processes", "shares of processors", "limit of disk"] {
        let found = findings.iter().find(|finding| finding["name"] == name);
        assert!(found.is_some_and(|finding| !finding["detail"].as_str().unwrap().is_empty()), "{name}: {findings:?}");
    }
    assert_eq!(detailed["limits"]["team"]["maxConcurrentFeatures"], 8);
}

#[tokio::test]
async fn every_member_sees_how_agents_are_kept_apart() {
    let app = TestApp::start().await;
    app.owner().await;
    let mut viewer = app.member(MemberRole::Viewer).await;
    let sandbox = viewer.get("/api/sandbox").await.is(StatusCode::OK);
    assert_eq!((&sandbox["isolation"], &sandbox["usable"]), (&json!("bubblewrap"), &json!(true)));
    let findings = sandbox["findings"].as_array().unwrap();
    assert!(
        findings.iter().all(|found| found["ok"] == true && found["detail"].as_str().unwrap().len() > 3),
        "{sandbox}"
    );
    // An operator who does without is told so, wherever that is shown.
    let wish = Wish { change: Box::new(|config| config.sandbox = Isolation::None), ..Wish::default() };
    let app = TestApp::with(wish).await;
    let sandbox = app.owner().await.get("/api/sandbox").await.is(StatusCode::OK);
    assert_eq!((&sandbox["isolation"], &sandbox["findings"][0]["ok"]), (&json!("none"), &json!(false)));
    assert!(sandbox["findings"][0]["detail"].as_str().unwrap().contains("sandbox = \"none\""), "{sandbox}");
}
