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

#[tokio::test]
async fn whoever_changes_a_part_leaves_what_others_set() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    for (path, one, other, bad) in [
        (
            "/api/settings/limits",
            json!({ "run": { "maxTurns": 333 } }),
            json!({ "run": { "maxMinutes": 7 }, "team": { "maxConcurrentFeatures": 2 } }),
            json!({ "run": { "maxTurns": 0 } }),
        ),
        (
            "/api/settings/alerts",
            json!({ "memory": { "warning": 50, "critical": 60 } }),
            json!({ "disk": { "warning": 51, "critical": 61 } }),
            json!({ "disk": { "warning": 61, "critical": 51 } }),
        ),
        ("/api/settings/retention", json!({ "runDays": null }), json!({ "eventDays": 9 }), json!({ "eventDays": 0 })),
    ] {
        let mut all = owner.get(path).await.is(StatusCode::OK);
        for part in [one, other] {
            for (name, value) in part.as_object().unwrap() {
                match value.as_object() {
                    Some(fields) => all[name].as_object_mut().unwrap().extend(fields.clone()),
                    None => all[name] = value.clone(),
                }
            }
            assert_eq!(owner.patch(path, part).await.is(StatusCode::OK), all);
        }
        assert_eq!(owner.get(path).await.is(StatusCode::OK), all);
        for no in [bad, json!({ "nonsense": 1 })] {
            owner.patch(path, no).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        }
        assert_eq!(owner.get(path).await.is(StatusCode::OK), all, "what is refused changes nothing");
    }
}
