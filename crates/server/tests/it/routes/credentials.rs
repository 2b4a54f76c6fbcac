use guildhall_llm::{Endpoint, Secret};
use guildhall_types::member::{MemberRole, ProviderKind};
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{TestApp, Wish};

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
        assert_eq!(model["keySource"].is_null(), model["why"].is_string(), "{model}");
        assert_eq!(model["why"].is_null(), model["usable"].as_bool().unwrap(), "{model}");
    }
    owner.put("/api/user/credentials/anthropic", json!({ "key": KEY })).await.is(StatusCode::OK);
    let models = owner.get("/api/models").await.is(StatusCode::OK);
    for model in models["items"].as_array().unwrap() {
        let usable = model["provider"] == "anthropic";
        assert_eq!(model["usable"], usable, "{model}");
        assert!(usable || model["why"].as_str().unwrap().contains("Settings"), "{model}");
    }
    assert!(models["default"].as_str().unwrap().starts_with("claude-"));
    // Without a key for the first provider, the next one's model is the default.
    owner.delete("/api/user/credentials/anthropic").await.is(StatusCode::NO_CONTENT);
    owner.put("/api/user/credentials/google", json!({ "key": KEY })).await.is(StatusCode::OK);
    assert!(owner.get("/api/models").await.is(StatusCode::OK)["default"].as_str().unwrap().starts_with("gemini-"));
}

#[tokio::test]
async fn a_key_of_every_kind_is_kept_and_tested() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let url = app.sim.url();
    for (provider, base_url) in [
        ("anthropic", url.clone()),
        ("openai", format!("{url}/v1")),
        ("google", format!("{url}/v1beta/openai")),
        ("compatible", format!("{url}/v1")),
    ] {
        let path = format!("/api/user/credentials/{provider}");
        let saved = owner.put(&path, json!({ "key": KEY, "baseUrl": base_url })).await.is(StatusCode::OK);
        assert_eq!((saved["provider"].as_str(), saved["hint"].as_str()), (Some(provider), Some("0123")));
        let tested = owner.call(&format!("{path}/test")).await.is(StatusCode::OK);
        assert_eq!(tested["ok"], true, "{provider}: {tested}");
        let bad = json!({ "key": "sk-bad-0123456789", "baseUrl": base_url });
        owner.put(&path, bad).await.is(StatusCode::OK);
        let tested = owner.call(&format!("{path}/test")).await.is(StatusCode::OK);
        assert_eq!(tested["ok"], false, "{provider}");
        assert!(tested["message"].as_str().unwrap().len() > 20, "{tested}");
    }
    // The token of a subscription is kept, and used for nothing.
    let path = "/api/user/credentials/claudeSubscription";
    let with_url = json!({ "key": KEY, "baseUrl": url });
    owner.put(path, with_url).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    owner.put(path, json!({ "key": KEY })).await.is(StatusCode::OK);
    owner.call(&format!("{path}/test")).await.is_problem(StatusCode::CONFLICT, "not-testable");
    owner.call("/api/user/credentials/openai/test").await.is(StatusCode::OK);
    let before = app.sim.requests().len();
    assert_eq!(before, 0, "a test of a key costs nothing");
}

#[tokio::test]
async fn a_server_of_ones_own_lists_its_models() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut other = app.member(MemberRole::Member).await;
    let path = "/api/user/credentials/compatible";
    owner.put(path, json!({ "key": KEY })).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    let body = json!({ "key": "any", "baseUrl": format!("{}/v1", app.sim.url()) });
    let saved = owner.put(path, body).await.is(StatusCode::OK);
    assert_eq!(saved["hint"], "", "a short key is not shown in part");
    assert_eq!(saved["models"][1]["id"], "simulated-large");
    let models = owner.get("/api/models").await.is(StatusCode::OK);
    let found = |models: &serde_json::Value| {
        let items = models["items"].as_array().unwrap().clone();
        items.into_iter().find(|model| model["id"] == "compatible/simulated-large")
    };
    let model = found(&models).unwrap();
    assert_eq!((&model["name"], &model["contextWindow"]), (&json!("simulated-large"), &json!(131_072)));
    assert_eq!(model["usable"], true);
    assert_eq!(models["default"], "compatible/simulated");
    assert!(found(&other.get("/api/models").await.is(StatusCode::OK)).is_none(), "they are its owner's alone");
    // A server that is not there yet is kept all the same.
    let nowhere = owner.put(path, json!({ "key": "", "baseUrl": "http://127.0.0.1:9/v1" })).await.is(StatusCode::OK);
    assert_eq!(nowhere["models"], json!([]));
    assert_eq!(owner.call(&format!("{path}/test")).await.is(StatusCode::OK)["ok"], false);
}

#[tokio::test]
async fn addresses_that_a_member_may_not_call_are_refused() {
    let wish = Wish { change: Box::new(|config| config.allow_private_providers = false), ..Wish::default() };
    for (wish, private) in [(wish, false), (Wish::default(), true)] {
        let app = TestApp::with(wish).await;
        let mut owner = app.owner().await;
        for (address, allowed) in [
            ("http://169.254.169.254/latest/meta-data", false),
            ("http://[::ffff:169.254.169.254]/v1", false),
            ("http://2852039166/v1", false),
            ("http://[fe80::1]/v1", false),
            ("http://127.0.0.1:9/v1", private),
            ("http://10.255.255.254:9/v1", private),
            ("http://[::1]:9/v1", private),
        ] {
            for provider in ["anthropic", "openai", "google", "compatible"] {
                // Private addresses where nobody answers would only take time.
                if allowed && address.contains("10.255") {
                    continue;
                }
                for base in ["/api/user/credentials", "/api/settings/credentials"] {
                    let body = json!({ "key": KEY, "baseUrl": address });
                    let answer = owner.put(&format!("{base}/{provider}"), body).await;
                    match allowed {
                        true => drop(answer.is(StatusCode::OK)),
                        false => {
                            let problem = answer.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
                            assert_eq!(problem["errors"][0]["field"], "baseUrl", "{address}");
                        }
                    }
                }
            }
        }
        // A name is judged by where it leads, when it is called.
        let body = json!({ "key": KEY, "baseUrl": app.sim.url().replace("127.0.0.1", "localhost") });
        owner.put("/api/user/credentials/openai", body).await.is(StatusCode::OK);
        let tested = owner.call("/api/user/credentials/openai/test").await.is(StatusCode::OK);
        assert_eq!(tested["ok"], private, "{tested}");
        assert!(private || tested["message"].as_str().unwrap().contains("GUILDHALL_ALLOW_PRIVATE_PROVIDERS"));
    }
}

#[tokio::test]
async fn the_teams_key_is_an_admins_and_every_member_sees_that_it_is_used() {
    let wish = Wish {
        change: Box::new(|config| {
            let key = Secret::new("sk-of-the-operator-9876");
            config.openai = Some(
                Endpoint::new(ProviderKind::Openai, config.simulated.as_ref().map(|sim| sim.base_url.as_str()), key)
                    .unwrap(),
            );
        }),
        ..Wish::default()
    };
    let app = TestApp::with(wish).await;
    let mut owner = app.owner().await;
    let mut member = app.member(MemberRole::Member).await;
    let given = json!([{ "provider": "openai", "byAdmin": false, "inUse": true, "models": [] }]);
    assert_eq!(member.get("/api/user/credentials").await.is(StatusCode::OK)["teamKeys"], given);
    let list = owner.get("/api/settings/credentials").await.is(StatusCode::OK);
    assert_eq!(list, json!({ "items": [], "configured": ["openai"] }));
    assert_eq!(owner.call("/api/settings/credentials/openai/test").await.is(StatusCode::OK)["ok"], true);
    owner.call("/api/settings/credentials/google/test").await.is_problem(StatusCode::NOT_FOUND, "not-found");

    // An admin's goes before the operator's.
    let body = json!({ "key": "sk-of-the-team-secret-5432", "baseUrl": app.sim.url() });
    let saved = owner.put("/api/settings/credentials/openai", body).await.is(StatusCode::OK);
    assert_eq!(saved["hint"], "5432");
    let seen = member.get("/api/user/credentials").await.is(StatusCode::OK);
    assert_eq!(seen["teamKeys"][0]["byAdmin"], true);
    assert!(!seen.to_string().contains("5432"), "not even its last characters");
    let model = |models: serde_json::Value| {
        let items = models["items"].as_array().unwrap().clone();
        items.into_iter().find(|model| model["provider"] == "openai").unwrap()["keySource"].clone()
    };
    assert_eq!(model(member.get("/api/models").await.is(StatusCode::OK)), "team");
    member.put("/api/user/credentials/openai", json!({ "key": KEY })).await.is(StatusCode::OK);
    let seen = member.get("/api/user/credentials").await.is(StatusCode::OK);
    assert_eq!(seen["teamKeys"][0]["inUse"], false, "one's own comes first");
    assert_eq!(model(member.get("/api/models").await.is(StatusCode::OK)), "member");

    let subscription = owner.put("/api/settings/credentials/claudeSubscription", json!({ "key": KEY })).await;
    subscription.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    owner.delete("/api/settings/credentials/openai").await.is(StatusCode::NO_CONTENT);
    owner.delete("/api/settings/credentials/openai").await.is_problem(StatusCode::NOT_FOUND, "not-found");
    let on_disk = std::fs::read(app.dir.path().join("guildhall.db")).unwrap();
    assert!(!on_disk.windows(15).any(|bytes| bytes == b"the-team-secret"));
    let audit = owner.get("/api/audit").await.is(StatusCode::OK).to_string();
    for deed in ["team-credential.put", "team-credential.test", "team-credential.delete"] {
        assert!(audit.contains(deed), "{deed}");
    }
    assert!(!audit.contains("team-secret"));
}
