//! What the provider refuses.

use guildhall_sim::wire::{sign, validate};
use guildhall_sim::{Config, Sim};
use serde_json::{Value, json};

use crate::harness::{prompt, send, user};

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn call(id: &str) -> Value {
    json!({ "type": "tool_use", "id": id, "name": "read", "input": {} })
}

fn result(id: &str) -> Value {
    json!({ "type": "tool_result", "tool_use_id": id, "content": "" })
}

fn says(role: &str, content: &[Value]) -> Value {
    json!({ "role": role, "content": content })
}

fn with(messages: &[Value]) -> Value {
    json!({ "model": "m", "max_tokens": 2_000, "messages": messages })
}

fn changed(key: &str, value: Value) -> Value {
    let mut body = prompt("Hi.");
    body[key] = value;
    body
}

#[test]
fn what_the_provider_takes() {
    let thinking = json!({ "type": "thinking", "thinking": "Hm.", "signature": sign("Hm.") });
    let image = json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "aGk=" } });
    let list = json!({ "type": "tool_result", "tool_use_id": "b", "content": [text("x")], "is_error": true });
    for body in [
        prompt("Hi."),
        with(&[says("user", &[text("a"), image])]),
        with(&[
            user("a"),
            says("assistant", &[thinking, json!({ "type": "redacted_thinking", "data": "x" }), call("a"), call("b")]),
            says("user", &[result("a"), list, text("and this")]),
            says("assistant", &[text("b"), json!({ "type": "sim_pause" })]),
        ]),
        changed("thinking", json!({ "type": "enabled", "budget_tokens": 1_024 }).clone()),
        changed("tools", json!([{ "name": "a_B-9", "input_schema": { "type": "object" } }])),
    ] {
        let mut body = body;
        body["max_tokens"] = 2_000.into();
        assert_eq!(validate(&body, 2_000), Ok(()), "{body}");
    }
}

#[test]
fn what_the_provider_refuses() {
    let marked = |text: &str| json!({ "type": "text", "text": text, "cache_control": { "type": "ephemeral" } });
    let sealed = |signature: &str| json!({ "type": "thinking", "thinking": "Hm.", "signature": signature });
    let good = sealed(&sign("Hm."));
    let asked = |content: &[Value]| with(&[user("a"), says("assistant", content), user("b")]);
    let answered =
        |content: &[Value]| with(&[user("a"), says("assistant", &[call("x"), call("y")]), says("user", content)]);
    let mut cached = good.clone();
    cached["cache_control"] = json!({ "type": "ephemeral" });
    let table = [
        ("model: Field required", changed("model", Value::Null)),
        ("max_tokens: Field required", changed("max_tokens", Value::Null)),
        ("which is the maximum allowed", changed("max_tokens", 2_001.into())),
        ("which is the maximum allowed", changed("max_tokens", 0.into())),
        ("budget_tokens", changed("thinking", json!({ "budget_tokens": 1_000 }))),
        ("budget_tokens", changed("thinking", json!({ "budget_tokens": 2_000 }))),
        ("A maximum of 4 blocks", with(&[says("user", &["a", "b", "c", "d", "e"].map(marked))])),
        (
            "should match pattern",
            changed("tools", json!([{ "name": "no spaces", "input_schema": { "type": "object" } }])),
        ),
        ("should match pattern", changed("tools", json!([{ "input_schema": { "type": "object" } }]))),
        ("input_schema", changed("tools", json!([{ "name": "a", "input_schema": {} }]))),
        (
            "must be unique",
            changed("tools", json!([{ "name": "a", "input_schema": { "type": "object" } }, { "name": "a" }])),
        ),
        ("messages: Field required", changed("messages", Value::Null)),
        ("at least one message", with(&[])),
        ("expected \"user\"", with(&[says("assistant", &[text("a")])])),
        ("expected \"assistant\"", with(&[user("a"), user("b")])),
        ("must not be empty", with(&[says("user", &[])])),
        ("must not be empty", with(&[json!({ "role": "user", "content": "plain" })])),
        ("non-whitespace text", with(&[user(" \n")])),
        ("non-whitespace text", asked(&[text("")])),
        ("unexpected block \"tool_use\"", with(&[says("user", &[call("x")])])),
        ("unexpected block \"thinking\"", with(&[says("user", std::slice::from_ref(&good))])),
        ("unexpected block \"tool_result\"", asked(&[result("x")])),
        ("unexpected block \"image\"", asked(&[json!({ "type": "image", "source": { "data": "x" } })])),
        ("unexpected block \"news\"", asked(&[json!({ "type": "news" })])),
        ("Invalid `signature`", asked(&[sealed("forged"), text("b")])),
        ("cache_control cannot be set on thinking", asked(&[cached, text("b")])),
        ("The final block in an assistant message", asked(&[text("b"), good])),
        ("Input should be an object", asked(&[json!({ "type": "tool_use", "id": "x", "name": "n", "input": "{" })])),
        ("tool_use.id: Field required", asked(&[json!({ "type": "tool_use", "name": "n", "input": {} })])),
        ("ids must be unique", asked(&[call("x"), call("x")])),
        ("without `tool_result` blocks immediately after: x", asked(&[call("x")])),
        ("immediately after: x", with(&[user("a"), says("assistant", &[call("x")])])),
        ("immediately after: y", answered(&[result("x")])),
        ("Found multiple for x", answered(&[result("x"), result("x"), result("y")])),
        ("unexpected `tool_use_id`", answered(&[result("x"), result("y"), result("z")])),
        ("must come first", answered(&[result("x"), text("hm"), result("y")])),
        ("unexpected `tool_use_id`", with(&[says("user", &[result("x")])])),
    ];
    for (words, body) in table {
        let refusal = validate(&body, 2_000).expect_err(words);
        assert_eq!((refusal.status, refusal.kind), (400, "invalid_request_error"));
        assert!(refusal.message.contains(words), "{words:?} is not in {:?}", refusal.message);
    }
}

#[tokio::test]
async fn keys_headers_and_bodies_are_checked() {
    let sim = Sim::start(Config { context_window: 500, ..Config::default() }).await.unwrap();
    let hello = prompt("Hi.").to_string();
    for (key, body, status, words) in [
        ("", hello.as_str(), 401, "x-api-key header is required"),
        ("sk-bad-1", &hello, 401, "invalid x-api-key"),
        ("sk-poor-1", &hello, 400, "credit balance is too low"),
        ("sk-1", "{\"model\":", 400, "not valid JSON"),
        ("sk-1", "[]", 400, "model: Field required"),
        ("sk-1", &prompt(&"long ".repeat(1_000)).to_string(), 400, "prompt is too long"),
    ] {
        let reply = send(&sim, "POST", "/v1/messages", key, body).await;
        let (found, _, message) = reply.error();
        assert!(found == status && message.contains(words), "{key:?}: {found} {message}");
    }
    assert_eq!(send(&sim, "GET", "/v1/models", "sk-1", "").await.json()["data"][0]["id"], "simulated");
    assert_eq!(send(&sim, "GET", "/v1/models", "sk-bad", "").await.status, 401);
    let counted = send(&sim, "POST", "/v1/messages/count_tokens", "sk-1", &hello).await.json();
    assert!((5..50).contains(&counted["input_tokens"].as_i64().unwrap()), "{counted}");
    assert_eq!(send(&sim, "GET", "/v1/nothing", "sk-1", "").await.status, 404);
}
