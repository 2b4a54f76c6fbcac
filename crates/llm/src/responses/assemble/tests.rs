use proptest::prelude::*;
use serde_json::json;

use super::*;

fn assembler() -> Assembler {
    Assembler::new(700, Ids::default())
}

fn all(events: &[Value]) -> Result<Answer, LlmError> {
    let mut assembler = assembler();
    for event in events {
        assembler.take(&event.to_string(), &mut |_| {})?;
    }
    assembler.finish(RateLimits::default())
}

fn created() -> Value {
    json!({ "type": "response.created", "response": { "id": "resp_1", "model": "m", "status": "in_progress" } })
}

fn ended(kind: &str, more: Value) -> Value {
    let mut response = json!({ "id": "resp_1", "model": "m-1", "usage": {
        "input_tokens": 1_000, "input_tokens_details": { "cached_tokens": 900 }, "output_tokens": 50,
        "output_tokens_details": { "reasoning_tokens": 20 } } });
    for (key, value) in more.as_object().unwrap() {
        response[key] = value.clone();
    }
    json!({ "type": format!("response.{kind}"), "response": response })
}

fn added(index: usize, item: Value) -> Value {
    json!({ "type": "response.output_item.added", "output_index": index, "item": item })
}

fn done(index: usize, item: Value) -> Value {
    json!({ "type": "response.output_item.done", "output_index": index, "item": item })
}

fn piece(kind: &str, index: usize, delta: &str) -> Value {
    json!({ "type": format!("response.{kind}.delta"), "output_index": index, "delta": delta })
}

fn reasoning(seal: &str) -> Value {
    json!({ "type": "reasoning", "id": "rs_1", "encrypted_content": seal,
        "summary": [{ "type": "summary_text", "text": "First." }, { "type": "summary_text", "text": "Then." }] })
}

#[test]
fn an_answer_with_everything_in_it() {
    let call = |arguments: &str| json!({ "type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "read", "arguments": arguments });
    let message = |parts: Value| json!({ "type": "message", "id": "msg_1", "role": "assistant", "content": parts });
    let events = [
        created(),
        json!({ "type": "response.in_progress", "response": {} }),
        added(0, json!({ "type": "reasoning", "id": "rs_1", "summary": [] })),
        json!({ "type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 0 }),
        piece("reasoning_summary_text", 0, "First."),
        json!({ "type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 1 }),
        piece("reasoning_summary_text", 0, "Then."),
        done(0, reasoning("sealed")),
        added(1, message(json!([]))),
        json!({ "type": "response.content_part.added", "output_index": 1, "part": {} }),
        piece("output_text", 1, "I lo"),
        piece("output_text", 1, "ok."),
        done(1, message(json!([{ "type": "output_text", "text": "I look." }]))),
        added(2, call("")),
        piece("function_call_arguments", 2, "{\"path\":"),
        piece("function_call_arguments", 2, " \"ü\"}"),
        json!({ "type": "response.function_call_arguments.done", "output_index": 2, "arguments": "{\"path\": \"ü\"}" }),
        done(2, call("{\"path\": \"ü\"}")),
        json!({ "type": "response.an_event_of_the_future", "output_index": "seven" }),
        ended("completed", json!({ "status": "completed" })),
    ];
    let mut deltas = Vec::new();
    let mut assembler = assembler();
    for event in &events {
        assembler.take(&event.to_string(), &mut |delta| deltas.push(format!("{delta:?}"))).unwrap();
    }
    assert!(assembler.is_done());
    let answer = assembler.finish(RateLimits::default()).unwrap();
    let expected = [
        Block::Thinking { thinking: "First.\n\nThen.".to_owned(), signature: String::new() },
        Block::Sealed { dialect: NAME.to_owned(), item: reasoning("sealed") },
        Block::text("I look."),
        Block::ToolUse { id: "call_1".to_owned(), name: "read".to_owned(), input: json!({ "path": "ü" }) },
    ];
    assert_eq!(answer.message.content, expected);
    assert_eq!((answer.stop_reason, answer.model.as_str()), (StopReason::ToolUse, "m-1"));
    let usage = Usage { input_tokens: 100, output_tokens: 50, cache_read_tokens: 900, cache_write_tokens: 0 };
    assert_eq!(answer.usage, usage);
    for delta in [
        "Started",
        "Thinking { block: 0, text: \"\\n\\n\" }",
        "Text { block: 1, text: \"I lo\" }",
        "Tool { block: 2, name: \"read\" }",
    ] {
        assert!(deltas.iter().any(|seen| seen == delta), "{delta} is not in {deltas:?}");
    }
}

#[test]
fn an_answer_may_end_in_many_ways() {
    let text = |parts: Value| done(0, json!({ "type": "message", "content": parts }));
    let words = json!([{ "type": "output_text", "text": "x" }]);
    let refusal = json!([{ "type": "refusal", "refusal": "No." }]);
    let reason = |reason: &str| json!({ "incomplete_details": { "reason": reason } });
    for (item, end, stop) in [
        (text(words.clone()), ended("completed", json!({})), StopReason::EndTurn),
        (text(refusal), ended("completed", json!({})), StopReason::Refusal),
        (text(words.clone()), ended("incomplete", reason("max_output_tokens")), StopReason::MaxTokens),
        (text(words.clone()), ended("incomplete", reason("content_filter")), StopReason::Refusal),
        (text(words), ended("incomplete", reason("of_the_future")), StopReason::Other),
    ] {
        assert_eq!(all(&[created(), item, end]).unwrap().stop_reason, stop);
    }
    // A server that sends no pieces sends all of it at the end.
    let output = json!({ "output": [{ "type": "message", "content": [{ "type": "output_text", "text": "All." }] }] });
    assert_eq!(all(&[ended("completed", output)]).unwrap().message.plain_text(), "All.");
    assert_eq!(all(&[created()]).unwrap_err().kind, ErrorKind::Broken);
}

#[test]
fn a_call_that_was_cut_off_stays_text() {
    let call = json!({ "type": "function_call", "call_id": "c", "name": "write", "arguments": "" });
    let reason = json!({ "incomplete_details": { "reason": "max_output_tokens" } });
    let events =
        [created(), added(0, call), piece("function_call_arguments", 0, "{\"path\": \"a"), ended("incomplete", reason)];
    let answer = all(&events).unwrap();
    assert_eq!(answer.stop_reason, StopReason::MaxTokens);
    assert!(
        matches!(&answer.message.content[0], Block::ToolUse { input: Value::String(text), .. } if text == "{\"path\": \"a")
    );
}

#[test]
fn an_error_inside_a_stream_is_sorted_like_a_status() {
    let failed = |code: &str, message: &str| {
        json!({ "type": "response.failed", "response": { "status": "failed",
            "error": { "code": code, "message": message }, "usage": { "input_tokens": 11, "output_tokens": 3 } } })
    };
    let limit = "Rate limit reached for m on tokens per min. Please try again in 17 s.";
    for (event, kind, wait) in [
        (failed("rate_limit_exceeded", limit), ErrorKind::RateLimited, Some(17)),
        (failed("server_error", "Oh."), ErrorKind::Server, None),
        (failed("server_is_overloaded", "Oh."), ErrorKind::Overloaded, None),
        (failed("insufficient_quota", "You exceeded your current quota."), ErrorKind::Billing, None),
        (
            failed("context_length_exceeded", "Your input exceeds the context window of this model."),
            ErrorKind::PromptTooLong,
            None,
        ),
        (failed("invalid_prompt", "No."), ErrorKind::BadRequest, None),
        (failed("a_new_one", "No."), ErrorKind::Server, None),
        (json!({ "type": "error", "code": "rate_limit_exceeded", "message": limit }), ErrorKind::RateLimited, Some(17)),
        (
            json!({ "type": "error", "error": { "code": null, "type": "server_error", "message": "" } }),
            ErrorKind::Server,
            None,
        ),
        (json!({ "error": { "message": "upstream is overloaded", "code": 503 } }), ErrorKind::Overloaded, None),
    ] {
        let mut assembler = assembler();
        assembler.take(&created().to_string(), &mut |_| {}).unwrap();
        let error = assembler.take(&event.to_string(), &mut |_| {}).unwrap_err();
        assert_eq!((error.kind, error.retry_after.map(|wait| wait.as_secs())), (kind, wait), "{event}");
        let counted = if event["type"] == "response.failed" { (11, 3) } else { (700, 0) };
        let usage = assembler.partial().unwrap().usage;
        assert_eq!((usage.input_tokens, usage.output_tokens), counted, "billed once, and as the provider counts");
    }
}

#[test]
fn what_is_not_the_protocol_is_garbage() {
    let message = json!({ "type": "message", "content": [] });
    for (why, events) in [
        ("no object", vec![json!([])]),
        ("no type", vec![json!({ "response": {} })]),
        ("an item that has no type", vec![added(0, json!({}))]),
        ("an item without a number", vec![json!({ "type": "response.output_item.added", "item": message })]),
        ("a number out of all bounds", vec![added(usize::MAX, message.clone())]),
        ("a number twice", vec![added(0, message.clone()), added(0, message)]),
        ("more of what never began", vec![piece("output_text", 0, "x")]),
        ("a tool without a name", vec![added(0, json!({ "type": "function_call", "call_id": "c" }))]),
    ] {
        assert_eq!(all(&events).unwrap_err().kind, ErrorKind::Garbage, "{why}");
    }
}

#[test]
fn a_call_without_an_id_gets_one() {
    let call = json!({ "type": "function_call", "name": "read", "arguments": "{}" });
    let answer = all(&[created(), done(0, call.clone()), done(1, call), ended("completed", json!({}))]).unwrap();
    let ids: Vec<&str> = answer.message.tool_uses().map(|(id, _, _)| id).collect();
    assert!(ids.len() == 2 && ids[0] != ids[1] && ids.iter().all(|id| !id.is_empty()), "{ids:?}");
}

proptest! {
    #[test]
    fn the_pieces_and_the_whole_say_the_same(
        text in "\\PC{1,30}",
        arguments in prop::collection::btree_map("[a-z]{1,5}", ".{0,20}", 0..4),
        size in 1_usize..7,
        whole in any::<bool>(),
    ) {
        let arguments = json!(arguments);
        let written = arguments.to_string();
        let cut = |text: &str| -> Vec<String> {
            text.chars().collect::<Vec<_>>().chunks(size).map(|part| part.iter().collect()).collect()
        };
        let call = |arguments: &str| json!({ "type": "function_call", "call_id": "c", "name": "n", "arguments": arguments });
        let mut events = vec![created(), added(0, json!({ "type": "message", "content": [] }))];
        events.extend(cut(&text).iter().map(|part| piece("output_text", 0, part)));
        events.push(added(1, call("")));
        events.extend(cut(&written).iter().map(|part| piece("function_call_arguments", 1, part)));
        if whole {
            events.push(done(0, json!({ "type": "message", "content": [{ "type": "output_text", "text": text }] })));
            events.push(done(1, call(&written)));
        }
        events.push(ended("completed", json!({})));
        let answer = all(&events).unwrap();
        let call = Block::ToolUse { id: "c".to_owned(), name: "n".to_owned(), input: arguments };
        prop_assert_eq!(answer.message.content, vec![Block::text(text), call]);
    }

    #[test]
    fn whatever_comes_does_no_harm(events in prop::collection::vec(".{0,60}", 0..10)) {
        let mut assembler = assembler();
        for event in events {
            let _ = assembler.take(&event, &mut |_| {});
        }
        prop_assert!(assembler.finish(RateLimits::default()).is_err());
    }
}
