//! Rate limits and the headers that tell of them.

use guildhall_sim::{Config, Fault, Quota, Sim};

use crate::harness::{Reply, ask, prompt, send};

fn left(reply: &Reply, bucket: &str) -> i64 {
    reply.headers[&format!("anthropic-ratelimit-{bucket}-remaining")].parse().unwrap()
}

async fn sim(requests: i64) -> Sim {
    // So slow a refill that a test does not see it.
    let quota = Quota { requests, input_tokens: 5_000, output_tokens: 5_000 };
    Sim::start(Config { quota: Some(quota), ..Config::default() }).await.unwrap()
}

#[tokio::test]
async fn the_headers_are_true_and_the_refusal_comes_when_nothing_is_left() {
    let sim = sim(3).await;
    let hello = prompt("Hello there.");
    for expected in [2, 1, 0] {
        let reply = ask(&sim, &hello).await;
        assert_eq!(reply.status, 200);
        assert_eq!(left(&reply, "requests"), expected);
        assert_eq!(reply.headers["anthropic-ratelimit-requests-limit"], "3");
    }
    let reply = ask(&sim, &hello).await;
    let (status, kind, message) = reply.error();
    assert_eq!((status, kind.as_str()), (429, "rate_limit_error"));
    // One of three requests a minute comes back after 20 seconds.
    let wait: i64 = reply.headers["retry-after"].parse().unwrap();
    assert!((18..=21).contains(&wait), "{wait}");
    assert!(message.contains(&format!("try again in {wait} s")), "{message}");
    assert_eq!(left(&reply, "requests"), 0, "a refusal bears the headers too");
    let reset = &reply.headers["anthropic-ratelimit-requests-reset"];
    assert!(chrono::DateTime::parse_from_rfc3339(reset).is_ok(), "{reset}");
    let other = send(&sim, "POST", "/v1/messages", "another-key", &hello.to_string()).await;
    assert_eq!(other.status, 200, "each key has limits of its own");
}

#[tokio::test]
async fn tokens_are_taken_as_they_are_billed_and_a_failed_call_takes_none() {
    let sim = sim(1_000).await;
    let mut body = prompt(&"word ".repeat(2_000));
    body["messages"][0]["content"][0]["cache_control"] = serde_json::json!({ "type": "ephemeral" });
    sim.fail_next([Fault::Server, Fault::Overloaded, Fault::RateLimited]);
    for status in [500, 529, 429] {
        assert_eq!(ask(&sim, &body).await.status, status);
    }
    let first = ask(&sim, &body).await;
    let usage = first.json()["usage"].clone();
    let written = usage["cache_creation_input_tokens"].as_i64().unwrap();
    let output = usage["output_tokens"].as_i64().unwrap();
    assert!(written > 2_000 && output > 0, "the failed calls left nothing in the cache: {usage}");
    let near = |left: i64, taken: i64| (5_000 - taken..5_000 - taken + 500).contains(&left);
    assert!(near(left(&first, "input-tokens"), written), "{:?}", first.headers);
    assert!(near(left(&first, "output-tokens"), output), "{:?}", first.headers);

    // What is read from the cache is not counted.
    let again = ask(&sim, &body).await;
    assert_eq!(again.json()["usage"]["cache_read_input_tokens"], written);
    assert!(left(&again, "input-tokens") >= left(&first, "input-tokens"));
}
