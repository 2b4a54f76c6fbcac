use reqwest::StatusCode;

use crate::harness::TestApp;

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
