use serde_json::json;

use super::*;

fn all(events: &[Value]) -> Result<Answer, LlmError> {
    let mut assembler = Assembler::default();
    for event in events {
        assembler.take(&event.to_string(), &mut |_| {})?;
    }
    assembler.finish(RateLimits::default())
}

fn start() -> Value {
    json!({ "type": "message_start", "message": { "model": "m", "usage": { "input_tokens": 5, "output_tokens": 1 } } })
}

fn end(reason: &str) -> [Value; 2] {
    [
        json!({ "type": "message_delta", "delta": { "stop_reason": reason }, "usage": { "output_tokens": 9 } }),
        json!({ "type": "message_stop" }),
    ]
}

fn block(index: usize, block: Value) -> Value {
    json!({ "type": "content_block_start", "index": index, "content_block": block })
}

fn delta(index: usize, delta: Value) -> Value {
    json!({ "type": "content_block_delta", "index": index, "delta": delta })
}

/// An answer of one block.
fn one(begin: Value, deltas: &[Value]) -> Result<Vec<Block>, LlmError> {
    let mut events = vec![start(), block(0, begin)];
    events.extend(deltas.iter().map(|added| delta(0, added.clone())));
    events.extend(end("end_turn"));
    all(&events).map(|answer| answer.message.content)
}

#[test]
fn reasoning_is_kept_to_the_letter() {
    let thinking = json!({ "type": "thinking", "thinking": "", "signature": "" });
    let pieces = [
        json!({ "type": "thinking_delta", "thinking": "  I \n" }),
        json!({ "type": "thinking_delta", "thinking": "see…\u{1F600} " }),
        json!({ "type": "signature_delta", "signature": "EqQB" }),
        json!({ "type": "signature_delta", "signature": "+/==" }),
    ];
    let kept = one(thinking.clone(), &pieces).unwrap();
    assert_eq!(
        kept,
        [Block::Thinking { thinking: "  I \nsee…\u{1F600} ".to_owned(), signature: "EqQB+/==".to_owned() }]
    );
    // Where reasoning is not shown, only its seal comes.
    let hidden = one(thinking, &pieces[2..3]).unwrap();
    assert_eq!(hidden, [Block::Thinking { thinking: String::new(), signature: "EqQB".to_owned() }]);
    // Some servers send the seal with the beginning.
    let at_once = one(json!({ "type": "thinking", "thinking": "a", "signature": "s" }), &pieces[..1]).unwrap();
    assert_eq!(at_once, [Block::Thinking { thinking: "a  I \n".to_owned(), signature: "s".to_owned() }]);
    let redacted = one(json!({ "type": "redacted_thinking", "data": "EmwKA" }), &[]).unwrap();
    assert_eq!(redacted, [Block::RedactedThinking { data: "EmwKA".to_owned() }]);
}

#[test]
fn arguments_are_an_object_or_the_text_that_came() {
    let tool = json!({ "type": "tool_use", "id": "t", "name": "read", "input": {} });
    let with = |pieces: &[&str]| {
        let deltas: Vec<Value> =
            pieces.iter().map(|piece| json!({ "type": "input_json_delta", "partial_json": piece })).collect();
        match one(tool.clone(), &deltas).unwrap().pop() {
            Some(Block::ToolUse { input, .. }) => input,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(with(&[]), json!({}));
    assert_eq!(with(&["", "{\"pa", "th\": \"ü\"", "}"]), json!({ "path": "ü" }));
    for text in ["{\"path\": ", "12", "[1]", "null", "\"x\"", "{} {}"] {
        assert_eq!(with(&[text]), Value::String(text.to_owned()), "{text}");
    }
    let given = one(json!({ "type": "tool_use", "id": "t", "name": "n", "input": { "a": 1 } }), &[]).unwrap();
    assert!(matches!(&given[0], Block::ToolUse { input, .. } if *input == json!({ "a": 1 })));
}

#[test]
fn a_block_of_an_unknown_kind_is_kept_with_all_that_was_added() {
    let search = json!({ "type": "server_tool_use", "id": "s", "name": "web_search", "input": {} });
    let kept = one(search, &[json!({ "type": "input_json_delta", "partial_json": "{\"q\": 1}" })]).unwrap();
    let whole = json!({ "type": "server_tool_use", "id": "s", "name": "web_search", "input": { "q": 1 } });
    assert_eq!(kept, [Block::Unknown(whole)]);

    let words = |text: &str| json!({ "type": "compaction_delta", "content": text });
    let kept = one(json!({ "type": "compaction", "content": null }), &[words("So "), words("far.")]).unwrap();
    assert_eq!(kept, [Block::Unknown(json!({ "type": "compaction", "content": "So far." }))]);
}

#[test]
fn each_stop_reason_is_known_and_new_ones_do_no_harm() {
    for reason in StopReason::ALL {
        let mut events = vec![start()];
        events.extend(end(reason.as_str()));
        assert_eq!(all(&events).unwrap().stop_reason, *reason);
    }
    let mut events = vec![start()];
    events.extend(end("went_fishing"));
    assert_eq!(all(&events).unwrap().stop_reason, StopReason::Other);
    assert_eq!(all(&[start(), json!({ "type": "message_stop" })]).unwrap_err().kind, ErrorKind::Broken);
}

#[test]
fn usage_is_cumulative_and_what_is_absent_stays() {
    let usage = |usage: Value| json!({ "type": "message_delta", "delta": {}, "usage": usage });
    let first = json!({ "type": "message_start", "message": { "model": "m", "usage": {
        "input_tokens": 10, "cache_read_input_tokens": 900, "cache_creation_input_tokens": 50, "output_tokens": 1 } } });
    let mut events = vec![
        first,
        usage(json!({ "output_tokens": 20 })),
        usage(json!({ "output_tokens": 35, "input_tokens": 12, "cache_read_input_tokens": null })),
        usage(Value::Null),
    ];
    events.extend(end("end_turn"));
    events.pop();
    events.push(usage(json!({ "output_tokens": -7_000, "server_tool_use": { "web_search_requests": 1 } })));
    events.push(json!({ "type": "message_stop" }));
    let sum = Usage { input_tokens: 12, output_tokens: 0, cache_read_tokens: 900, cache_write_tokens: 50 };
    assert_eq!(all(&events).unwrap().usage, sum);
}

#[test]
fn what_is_not_the_protocol_is_garbage() {
    let text = json!({ "type": "text", "text": "" });
    let added = json!({ "type": "text_delta", "text": "x" });
    for (why, events) in [
        ("no object", vec![json!([])]),
        ("no type", vec![json!({ "message": {} })]),
        ("a block that has no type", vec![block(0, json!({}))]),
        ("a block that is nothing", vec![block(0, Value::Null)]),
        ("a number out of all bounds", vec![block(usize::MAX, text.clone())]),
        ("a number twice", vec![block(0, text.clone()), block(0, text.clone())]),
        ("more of what never began", vec![delta(0, added.clone())]),
        ("more of a gap", vec![block(1, text), delta(0, added)]),
        ("a tool without a name", vec![block(0, json!({ "type": "tool_use", "id": "t", "input": {} }))]),
        ("a tool without an id", vec![block(0, json!({ "type": "tool_use", "name": "read", "input": {} }))]),
    ] {
        assert_eq!(all(&events).unwrap_err().kind, ErrorKind::Garbage, "{why}");
    }
}

#[test]
fn events_and_deltas_of_the_future_are_passed_over() {
    let mut events = vec![
        json!({ "type": "ping" }),
        start(),
        json!({ "type": "ping", "cost": { "x": [1, 2] } }),
        json!({ "type": "an_event_of_the_future", "index": "seven" }),
        block(0, json!({ "type": "text", "text": "", "citations": null })),
        delta(0, json!({ "type": "glitter_delta", "glitter": 1 })),
        delta(0, json!({ "type": "text_delta", "text": "Hi." })),
        json!({ "type": "content_block_stop", "index": 0 }),
    ];
    events.extend(end("end_turn"));
    assert_eq!(all(&events).unwrap().message, Message::assistant(vec![Block::text("Hi.")]));
}

#[test]
fn what_broke_off_is_counted() {
    let mut assembler = Assembler::default();
    assert!(assembler.partial().is_none());
    let words = "four".repeat(100);
    for event in [
        start(),
        block(0, json!({ "type": "text", "text": "" })),
        delta(0, json!({ "type": "text_delta", "text": words })),
    ] {
        assembler.take(&event.to_string(), &mut |_| {}).unwrap();
    }
    let error = json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } });
    assert_eq!(assembler.take(&error.to_string(), &mut |_| {}).unwrap_err().kind, ErrorKind::Overloaded);
    let usage = Usage { input_tokens: 5, output_tokens: 100, ..Usage::default() };
    assert_eq!(assembler.partial(), Some(Partial { model: "m".to_owned(), usage }));
}

#[test]
fn an_error_inside_a_stream_is_sorted_like_a_status() {
    for (kind, message, expected, wait) in [
        ("rate_limit_error", "please try again in 17 s", ErrorKind::RateLimited, Some(17)),
        ("overloaded_error", "Overloaded", ErrorKind::Overloaded, None),
        ("api_error", "Internal server error", ErrorKind::Server, None),
        ("timeout_error", "", ErrorKind::Server, None),
        ("authentication_error", "", ErrorKind::InvalidKey, None),
        ("billing_error", "", ErrorKind::Billing, None),
        ("permission_error", "", ErrorKind::Forbidden, None),
        ("request_too_large", "", ErrorKind::TooLarge, None),
        ("invalid_request_error", "prompt is too long: 3 > 2", ErrorKind::PromptTooLong, None),
        ("a_new_one", "", ErrorKind::Server, None),
    ] {
        let error =
            all(&[start(), json!({ "type": "error", "error": { "type": kind, "message": message } })]).unwrap_err();
        assert_eq!((error.kind, error.retry_after.map(|wait| wait.as_secs())), (expected, wait), "{kind}");
    }
}
