//! Webhooks over the API: whose they are, and what is never told of them.

use guildhall_types::member::MemberRole;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::receiver::Receiver;

fn hook(url: &str) -> Value {
    json!({ "name": "Mine", "url": url, "kinds": ["card.failed", "card.waits", "card.failed"] })
}

#[tokio::test]
async fn a_webhook_is_its_members_and_tells_neither_address_nor_secret() {
    let receiver = Receiver::start().await;
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let mut ben = app.member(MemberRole::Member).await;
    let url = receiver.url("/ok?token=a-secret-in-the-address");
    let made = ben.post("/api/webhooks", hook(&url)).await.is(StatusCode::CREATED);
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!((&made["kinds"], &made["format"]), (&json!(["card.waits", "card.failed"]), &json!("standard")));
    let path = format!("/api/webhooks/{}", made["id"].as_str().unwrap());
    let listed = ben.get("/api/webhooks").await;
    assert_eq!(listed.is(StatusCode::OK)["items"][0]["host"], receiver.url(""));
    assert!(!listed.text().contains("a-secret-in") && !listed.text().contains("whsec_"));

    // An owner of the server has no part in it, nor is it the team's.
    assert_eq!(olga.get("/api/webhooks").await.is(StatusCode::OK)["items"], json!([]));
    assert_eq!(olga.get("/api/settings/webhooks").await.is(StatusCode::OK)["items"], json!([]));
    for base in ["/api/webhooks", "/api/settings/webhooks"] {
        let path = path.replace("/api/webhooks", base);
        olga.patch(&path, json!({ "name": "Hers" })).await.is_problem(StatusCode::NOT_FOUND, "not-found");
        olga.delete(&path).await.is_problem(StatusCode::NOT_FOUND, "not-found");
        olga.get(&format!("{path}/deliveries")).await.is_problem(StatusCode::NOT_FOUND, "not-found");
        olga.call(&format!("{path}/test")).await.is_problem(StatusCode::NOT_FOUND, "not-found");
        olga.call(&format!("{path}/secret")).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    }
    let test = ben.call(&format!("{path}/test")).await.is(StatusCode::ACCEPTED);
    let again = json!({ "deliveryId": test["id"] });
    olga.post(&format!("{path}/send-again"), again.clone()).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    ben.post(&format!("{path}/send-again"), again).await.is(StatusCode::ACCEPTED);

    let renewed = ben.call(&format!("{path}/secret")).await.is(StatusCode::OK);
    assert_ne!(renewed["secret"], made["secret"]);
    let audit = olga.get("/api/audit?object=webhook").await;
    let actions: Vec<Value> =
        audit.is(StatusCode::OK)["items"].as_array().unwrap().iter().map(|one| one["action"].clone()).collect();
    assert_eq!(actions, ["webhook.change", "webhook.send", "webhook.send", "webhook.create"]);
    assert!(!audit.text().contains("a-secret-in") && !audit.text().contains("whsec_"));
    ben.delete(&path).await.is(StatusCode::NO_CONTENT);
    assert_eq!(ben.get("/api/webhooks").await.is(StatusCode::OK)["items"], json!([]));
}

#[tokio::test]
async fn a_test_gets_there_at_once_and_is_logged() {
    let mut receiver = Receiver::start().await;
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let made = olga.post("/api/settings/webhooks", hook(&receiver.url("/ok"))).await.is(StatusCode::CREATED);
    receiver.expects("/ok", made["secret"].as_str().unwrap()).await;
    let path = format!("/api/settings/webhooks/{}", made["id"].as_str().unwrap());
    olga.call(&format!("{path}/test")).await.is(StatusCode::ACCEPTED);
    let sent = receiver.next().await;
    assert_eq!((sent.verified, &sent.body["type"]), (json!(true), &json!("test")));
    loop {
        let log = olga.get(&format!("{path}/deliveries")).await.is(StatusCode::OK);
        if log["items"][0]["status"] == "delivered" {
            assert_eq!((&log["items"][0]["statusCode"], &log["items"][0]["answer"]), (&json!(200), &json!("thanks")));
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_is_no_webhook_is_refused_and_there_are_not_too_many() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    for (field, value) in [
        ("url", json!("http://169.254.169.254/latest")),
        ("url", json!("mailto:a@example.com")),
        ("name", json!("  ")),
        ("kinds", json!([])),
        ("kinds", json!(["webhook.off"])),
        ("kinds", json!(["weather"])),
        ("format", json!("xml")),
    ] {
        let mut new = hook("https://example.com/hook");
        new[field] = value.clone();
        let refused = olga.post("/api/webhooks", new).await;
        assert!(refused.status.is_client_error(), "{field} {value}: {}", refused.text());
        assert!(refused.json()["detail"].as_str().unwrap().len() > 10, "{}", refused.text());
    }
    let personal = json!({ "name": "x", "url": "https://example.com/", "kinds": ["budget.reached"] });
    olga.post("/api/settings/webhooks", personal).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    for _ in 0..10 {
        olga.post("/api/webhooks", hook("https://example.com/hook")).await.is(StatusCode::CREATED);
    }
    let one_more = olga.post("/api/webhooks", hook("https://example.com/hook")).await;
    one_more.is_problem(StatusCode::CONFLICT, "too-many");
    olga.post("/api/settings/webhooks", hook("https://example.com/hook")).await.is(StatusCode::CREATED);
}
