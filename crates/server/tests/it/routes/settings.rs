use reqwest::StatusCode;
use serde_json::json;

use crate::harness::TestApp;

#[tokio::test]
async fn limits_are_shown_set_and_checked() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut limits = owner.get("/api/settings/limits").await.is(StatusCode::OK);
    assert_eq!(limits["team"]["maxConcurrentFeaturesPerMember"], 3);
    assert_eq!(limits["team"]["maxMemoryMbPerMember"], 8_000);
    limits["team"]["maxConcurrentFeatures"] = json!(2);
    limits["run"]["maxTurns"] = json!(7);
    assert_eq!(owner.put("/api/settings/limits", limits.clone()).await.is(StatusCode::OK), limits);
    assert_eq!(owner.get("/api/settings/limits").await.is(StatusCode::OK), limits);

    for (field, value) in [("maxTurns", json!(0)), ("maxMinutes", json!(-1)), ("maxCostMicros", json!(1e15 as i64))] {
        let mut bad = limits.clone();
        bad["run"][field] = value;
        let problem =
            owner.put("/api/settings/limits", bad).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert_eq!(problem["errors"][0]["field"], format!("run.{field}"));
    }
    for (field, value) in [("maxMemoryMbPerMember", 63), ("maxProcessesPerMember", 15), ("maxDiskMbPerWorktree", 0)] {
        let mut bad = limits.clone();
        bad["team"][field] = json!(value);
        let problem =
            owner.put("/api/settings/limits", bad).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert_eq!(problem["errors"][0]["field"], format!("team.{field}"));
    }
    let mut bad = limits.clone();
    bad["run"]["maxTruns"] = json!(1);
    owner.put("/api/settings/limits", bad).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(owner.get("/api/settings/limits").await.is(StatusCode::OK), limits);
}
