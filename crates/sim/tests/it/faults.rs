//! Everything that goes wrong, as it looks on the wire.

use std::time::Duration;

use guildhall_sim::{Config, Fault, Sim};
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::harness::{ask, open, prompt, stream};

async fn fast() -> Sim {
    Sim::start(Config::default()).await.unwrap()
}

const SCRIPT: &str = "```sim\n{\"think\": \"Well.\", \"say\": \"Some words to read.\"}\n```";

#[tokio::test]
async fn refusals_come_as_a_status_and_pass() {
    let sim = fast().await;
    for (fault, status, kind, retry_after) in [
        (Fault::RateLimited, 429, "rate_limit_error", Some("1")),
        (Fault::RateLimitedSilently, 429, "rate_limit_error", None),
        (Fault::Server, 500, "api_error", None),
        (Fault::Overloaded, 529, "overloaded_error", None),
        (Fault::BadKey, 401, "authentication_error", None),
        (Fault::PromptTooLong, 400, "invalid_request_error", None),
    ] {
        sim.fail_next([fault]);
        let reply = stream(&sim, &prompt(SCRIPT)).await;
        assert_eq!((reply.error().0, reply.error().1.as_str()), (status, kind));
        assert_eq!(reply.headers.get("retry-after").map(String::as_str), retry_after);
        assert_eq!(stream(&sim, &prompt(SCRIPT)).await.count("message_stop"), 1, "the next call succeeds");
    }
}

#[tokio::test]
async fn a_stream_can_break_in_many_ways() {
    let sim = fast().await;
    // Also in an answer that has nothing in it.
    for script in [SCRIPT, "```sim\n{}\n```"] {
        sim.fail_next([Fault::Cut]);
        let cut = stream(&sim, &prompt(script)).await;
        assert!(!cut.whole && cut.body.ends_with("{\"type\": \"content_bl"), "{cut:?}");

        for (fault, kind, words) in [
            (Fault::OverloadedInStream, "overloaded_error", "Overloaded"),
            (Fault::RateLimitedInStream, "rate_limit_error", "try again in 1 s"),
        ] {
            sim.fail_next([fault]);
            let reply = stream(&sim, &prompt(script)).await;
            assert!(reply.status == 200 && reply.whole && reply.count("message_stop") == 0);
            let last = reply.events().pop().unwrap();
            assert_eq!((&last["type"], &last["error"]["type"]), (&json!("error"), &json!(kind)));
            assert!(last["error"]["message"].as_str().unwrap().contains(words));
        }
    }
    sim.fail_next([Fault::Garbage]);
    let garbage = stream(&sim, &prompt(SCRIPT)).await;
    assert!(garbage.status == 200 && garbage.events().is_empty() && garbage.body.starts_with("<html>"));
}

#[tokio::test]
async fn a_silent_provider_stays_silent_until_the_caller_goes() {
    let sim = fast().await;
    for (fault, begins) in [(Fault::Hang, true), (Fault::HangBeforeHeaders, false)] {
        sim.fail_next([fault]);
        let mut body = prompt(SCRIPT);
        body["stream"] = true.into();
        let mut line = open(&sim, "POST", "/v1/messages", "sk-test", &body.to_string()).await;
        let mut text = Vec::new();
        let mut piece = [0; 4_096];
        while let Ok(read) = tokio::time::timeout(Duration::from_secs(1), line.read(&mut piece)).await {
            let read = read.unwrap();
            assert_ne!(read, 0, "it did not end by itself");
            text.extend_from_slice(&piece[..read]);
        }
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.contains("Well."), begins, "{text}");
        assert!(!text.contains("message_stop"));
    }
    assert_eq!(ask(&sim, &prompt(SCRIPT)).await.status, 200);
}

#[tokio::test]
async fn a_scripted_fault_happens_so_often_at_its_place() {
    let sim = fast().await;
    let script = prompt("```sim\n{\"fault\": {\"kind\": \"overloaded\", \"times\": 2}, \"say\": \"Done.\"}\n```");
    for status in [529, 529, 200, 200] {
        assert_eq!(ask(&sim, &script).await.status, status);
    }
}
