use guildhall_types::member::MemberRole;
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::TestApp;

const KEY: &str = "sk-ant-api03-very-secret-0123";

#[tokio::test]
async fn a_key_comes_in_and_never_goes_out() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut other = app.member(MemberRole::Member).await;
    let body = json!({ "key": KEY, "baseUrl": app.sim.url() });
    let saved = owner.put("/api/user/credentials/anthropic", body).await.is(StatusCode::OK);
    assert_eq!(saved["hint"], "0123");
    let list = owner.get("/api/user/credentials").await.is(StatusCode::OK);
    assert_eq!(list["items"][0], saved);
    assert_eq!(list["teamKeys"], json!([]));
    assert!(!format!("{saved}{list}").contains("very-secret"));
    // A key is its owner's alone.
    assert_eq!(other.get("/api/user/credentials").await.is(StatusCode::OK)["items"], json!([]));
    other.delete("/api/user/credentials/anthropic").await.is_problem(StatusCode::NOT_FOUND, "not-found");
    other.call("/api/user/credentials/anthropic/test").await.is_problem(StatusCode::NOT_FOUND, "not-found");

    let tested = owner.call("/api/user/credentials/anthropic/test").await.is(StatusCode::OK);
    assert_eq!(tested["ok"], true, "{tested}");
    owner.delete("/api/user/credentials/anthropic").await.is(StatusCode::NO_CONTENT);
    owner.delete("/api/user/credentials/anthropic").await.is_problem(StatusCode::NOT_FOUND, "not-found");
    let on_disk = std::fs::read(app.dir.path().join("guildhall.db")).unwrap();
    assert!(!on_disk.windows(11).any(|bytes| bytes == b"very-secret"));
}

#[tokio::test]
async fn a_wrong_key_and_an_unreachable_provider_are_told_in_words() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    for (key, base_url) in [("sk-bad-0123456789", app.sim.url()), (KEY, "http://127.0.0.1:9".to_owned())] {
        let body = json!({ "key": key, "baseUrl": base_url });
        owner.put("/api/user/credentials/anthropic", body).await.is(StatusCode::OK);
        let tested = owner.call("/api/user/credentials/anthropic/test").await.is(StatusCode::OK);
        assert_eq!(tested["ok"], false);
        assert!(tested["message"].as_str().unwrap().len() > 20 && !tested.to_string().contains(key), "{tested}");
    }
}

#[tokio::test]
async fn what_is_no_key_is_refused_without_repeating_it() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    for (field, body) in [
        ("key", json!({ "key": "short" })),
        ("key", json!({ "key": "two words and more" })),
        ("baseUrl", json!({ "key": KEY, "baseUrl": "ftp://x" })),
        ("baseUrl", json!({ "key": KEY, "baseUrl": "https://user:pass@x" })),
        ("baseURL", json!({ "key": KEY, "baseURL": "https://x" })),
    ] {
        let answer = owner.put("/api/user/credentials/anthropic", body).await;
        let problem = answer.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
        assert!(!problem.to_string().contains(KEY), "{problem}");
    }
    let body = json!({ "key": KEY });
    owner.put("/api/user/credentials/closedai", body).await.is_problem(StatusCode::NOT_FOUND, "not-found");
}

#[tokio::test]
async fn models_say_whether_this_member_can_use_them() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let models = owner.get("/api/models").await.is(StatusCode::OK);
    assert!(models["default"].is_null());
    for model in models["items"].as_array().unwrap() {
        assert_eq!(model["usable"], model["simulated"], "{model}");
        assert_eq!(model["why"].is_null(), model["usable"].as_bool().unwrap(), "{model}");
    }
    owner.put("/api/user/credentials/anthropic", json!({ "key": KEY })).await.is(StatusCode::OK);
    let models = owner.get("/api/models").await.is(StatusCode::OK);
    assert!(models["items"].as_array().unwrap().iter().all(|model| model["usable"] == true));
    assert!(models["default"].is_string());
}
