use proptest::prelude::*;

use super::*;

fn assembler() -> Assembler {
    Assembler::new(700, Ids::default())
}

fn all(chunks: &[Value]) -> Result<Answer, LlmError> {
    let mut assembler = assembler();
    for chunk in chunks {
        assembler.take(&chunk.to_string(), &mut |_| {})?;
    }
    assembler.take(END, &mut |_| {})?;
    assembler.finish(RateLimits::default())
}

fn chunk(delta: Value) -> Value {
    json!({ "id": "c", "object": "chat.completion.chunk", "model": "m",
        "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] })
}

fn finished(reason: &str) -> Value {
    json!({ "model": "m", "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })
}

fn call(piece: Value) -> Value {
    chunk(json!({ "tool_calls": [piece] }))
}

/// Name and arguments of each call in an answer.
fn calls(chunks: &[Value]) -> Vec<(String, Value)> {
    let answer = all(chunks).unwrap();
    assert_eq!(answer.stop_reason, StopReason::ToolUse);
    let ids: std::collections::HashSet<&str> = answer.message.tool_uses().map(|(id, _, _)| id).collect();
    assert_eq!(ids.len(), answer.message.tool_uses().count(), "each has an id of its own");
    answer.message.tool_uses().map(|(_, name, input)| (name.to_owned(), input.clone())).collect()
}

#[test]
fn an_answer_with_everything_in_it() {
    let chunks = [
        chunk(json!({ "role": "assistant", "content": "" })),
        chunk(json!({ "reasoning_content": "Let me " })),
        chunk(json!({ "reasoning_content": "see.", "content": null })),
        chunk(json!({ "content": "I " })),
        chunk(json!({ "content": "look." })),
        call(
            json!({ "index": 0, "id": "call_1", "type": "function", "function": { "name": "read", "arguments": "" } }),
        ),
        call(
            json!({ "index": 1, "id": "call_2", "type": "function", "function": { "name": "bash", "arguments": "{\"a\"" } }),
        ),
        call(json!({ "index": 0, "function": { "arguments": "{\"path\": \"ü\"}" } })),
        call(json!({ "index": 1, "function": { "arguments": ": 1}" } })),
        finished("tool_calls"),
        json!({ "model": "m-1", "choices": [], "usage": { "prompt_tokens": 1_000, "completion_tokens": 50,
            "prompt_tokens_details": { "cached_tokens": 900 } } }),
    ];
    let answer = all(&chunks).unwrap();
    let expected = [
        Block::Thinking { thinking: "Let me see.".to_owned(), signature: String::new() },
        Block::text("I look."),
        Block::ToolUse { id: "call_1".to_owned(), name: "read".to_owned(), input: json!({ "path": "ü" }) },
        Block::ToolUse { id: "call_2".to_owned(), name: "bash".to_owned(), input: json!({ "a": 1 }) },
    ];
    assert_eq!(answer.message.content, expected);
    assert_eq!((answer.stop_reason, answer.model.as_str()), (StopReason::ToolUse, "m-1"));
    let usage = Usage { input_tokens: 100, output_tokens: 50, cache_read_tokens: 900, cache_write_tokens: 0 };
    assert_eq!(answer.usage, usage);
}

#[test]
fn servers_that_leave_things_out_are_understood() {
    let read = |path: &str| ("read".to_owned(), json!({ "path": path }));
    // Each call whole, all under one number, and no word of waiting: Google.
    let google = |id: &str, path: &str| {
        call(json!({ "index": 0, "id": id, "type": "function",
            "function": { "name": "read", "arguments": json!({ "path": path }).to_string() } }))
    };
    assert_eq!(calls(&[google("x1", "a"), google("x2", "b"), finished("stop")]), [read("a"), read("b")]);
    // Neither number nor id, and the arguments as an object.
    let bare = |path: &str| call(json!({ "function": { "name": "read", "arguments": { "path": path } } }));
    assert_eq!(calls(&[bare("a"), bare("b"), finished("stop")]), [read("a"), read("b")]);
    // The same id for all.
    let same = |index: u64, path: &str| {
        call(json!({ "index": index, "id": "call_0",
            "function": { "name": "read", "arguments": json!({ "path": path }).to_string() } }))
    };
    assert_eq!(calls(&[same(0, "a"), same(1, "b"), finished("tool_calls")]), [read("a"), read("b")]);
    // The id and the name again with every piece.
    let again = |arguments: &str| {
        call(json!({ "index": 0, "id": "c", "function": { "name": "read", "arguments": arguments } }))
    };
    assert_eq!(calls(&[again("{\"path\":"), again(" \"a\"}"), finished("tool_calls")]), [read("a")]);
    // A new id with every piece, but the name only once.
    let fickle = |id: &str, name: Value, arguments: &str| {
        call(json!({ "index": 0, "id": id, "function": { "name": name, "arguments": arguments } }))
    };
    let pieces =
        [fickle("a", json!("read"), "{\"path\":"), fickle("b", json!(null), " \"a\"}"), finished("tool_calls")];
    assert_eq!(calls(&pieces), [read("a")]);
    // No reason, no usage, no model.
    let answer = all(&[json!({ "choices": [{ "delta": { "content": "four".repeat(10) } }] })]).unwrap();
    assert_eq!((answer.stop_reason, answer.model.as_str()), (StopReason::EndTurn, ""));
    assert_eq!(answer.usage, Usage { input_tokens: 700, output_tokens: 10, ..Usage::default() });
    // A reason, but no end.
    let mut assembler = assembler();
    for chunk in [chunk(json!({ "content": "x" })), finished("stop")] {
        assert!(!assembler.may_end());
        assembler.take(&chunk.to_string(), &mut |_| {}).unwrap();
    }
    assert!(assembler.may_end() && !assembler.is_done());
    // Words as a list of parts.
    let parts = chunk(json!({ "content": [{ "type": "text", "text": "Hi" }, { "type": "thinking" }] }));
    assert_eq!(all(&[parts, finished("stop")]).unwrap().message.plain_text(), "Hi");
}

#[test]
fn each_reason_to_stop_is_known_and_new_ones_do_no_harm() {
    let words = chunk(json!({ "content": "x" }));
    for (reason, stop) in [
        ("stop", StopReason::EndTurn),
        ("length", StopReason::MaxTokens),
        ("content_filter", StopReason::Refusal),
        ("tool_calls", StopReason::EndTurn),
        ("went_fishing", StopReason::Other),
    ] {
        assert_eq!(all(&[words.clone(), finished(reason)]).unwrap().stop_reason, stop, "{reason}");
    }
    let refusal = chunk(json!({ "refusal": "I cannot." }));
    let refused = all(&[refusal, finished("stop")]).unwrap();
    assert_eq!((refused.stop_reason, refused.message.plain_text().as_str()), (StopReason::Refusal, "I cannot."));
    assert_eq!(all(&[words, finished("error")]).unwrap_err().kind, ErrorKind::Server);
    assert_eq!(all(&[chunk(json!({}))]).unwrap_err().kind, ErrorKind::Broken);
}

#[test]
fn arguments_that_are_no_json_stay_text() {
    let piece = |arguments: &str| {
        call(json!({ "index": 0, "id": "c", "function": { "name": "read", "arguments": arguments } }))
    };
    for text in ["{\"path\": ", "12", "[1]", "{} {}"] {
        assert_eq!(calls(&[piece(text), finished("tool_calls")])[0].1, Value::String(text.to_owned()));
    }
    assert_eq!(calls(&[piece(""), finished("tool_calls")])[0].1, json!({}));
}

#[test]
fn what_google_seals_is_kept_beside_its_call() {
    let extra = json!({ "google": { "thought_signature": "sealed" } });
    let piece = call(
        json!({ "index": 0, "id": "c", "extra_content": extra, "function": { "name": "read", "arguments": "{}" } }),
    );
    let content = all(&[piece, finished("stop")]).unwrap().message.content;
    let item = json!({ "tool_call_id": "c", "extra_content": extra });
    assert_eq!(content[0], Block::Sealed { dialect: NAME.to_owned(), item });
    assert!(matches!(&content[1], Block::ToolUse { id, .. } if id == "c"));
}

#[test]
fn an_error_inside_a_stream_is_sorted_like_a_status() {
    for (event, kind, wait) in [
        (
            json!({ "error": { "message": "Please try again in 17s", "type": "rate_limit_error", "code": "429" } }),
            ErrorKind::RateLimited,
            Some(17),
        ),
        (
            json!({ "id": "x", "choices": [], "error": { "code": 502, "message": "Provider returned error" } }),
            ErrorKind::Server,
            None,
        ),
        (
            json!({ "object": "error", "message": "the engine is dead", "type": "InternalServerError", "code": 500 }),
            ErrorKind::Server,
            None,
        ),
        (
            json!({ "error": { "code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE" } }),
            ErrorKind::Overloaded,
            None,
        ),
        (json!({ "error": "model requires more memory" }), ErrorKind::Server, None),
    ] {
        let failed = all(&[chunk(json!({ "content": "x" })), event.clone()]).unwrap_err();
        assert_eq!((failed.kind, failed.retry_after.map(|wait| wait.as_secs())), (kind, wait), "{event}");
    }
}

#[test]
fn what_is_not_the_protocol_is_garbage() {
    let many =
        json!({ "tool_calls": (0..=BLOCKS).map(|_| json!({ "function": { "name": "x" } })).collect::<Vec<_>>() });
    for (why, chunks) in [
        ("no object", vec![json!([])]),
        ("nothing before the end", vec![]),
        ("a call without a name", vec![call(json!({ "index": 0, "id": "c", "function": { "arguments": "{}" } }))]),
        ("too many parts", vec![chunk(many)]),
    ] {
        assert_eq!(all(&chunks).unwrap_err().kind, ErrorKind::Garbage, "{why}");
    }
}

proptest! {
    #[test]
    fn however_it_is_cut_it_says_the_same(
        text in "\\PC{0,30}",
        inputs in prop::collection::vec(prop::collection::btree_map("[a-z]{1,5}", ".{0,20}", 0..3), 0..4),
        size in 1_usize..7,
        numbered in any::<bool>(),
    ) {
        let cut = |text: &str| -> Vec<String> {
            text.chars().collect::<Vec<_>>().chunks(size).map(|part| part.iter().collect()).collect()
        };
        let mut chunks = vec![chunk(json!({ "role": "assistant" }))];
        chunks.extend(cut(&text).iter().map(|part| chunk(json!({ "content": part }))));
        for (at, input) in inputs.iter().enumerate() {
            let id = format!("call_{at}");
            let index = if numbered { json!(at) } else { json!(null) };
            chunks.push(call(json!({ "index": index, "id": id, "function": { "name": "n", "arguments": "" } })));
            for part in cut(&json!(input).to_string()) {
                chunks.push(call(json!({ "index": index, "function": { "arguments": part } })));
            }
        }
        chunks.push(finished(if inputs.is_empty() { "stop" } else { "tool_calls" }));
        let answer = all(&chunks).unwrap();
        prop_assert_eq!(answer.message.plain_text(), text);
        let calls: Vec<(String, Value)> =
            answer.message.tool_uses().map(|(id, _, input)| (id.to_owned(), input.clone())).collect();
        let expected: Vec<(String, Value)> =
            inputs.iter().enumerate().map(|(at, input)| (format!("call_{at}"), json!(input))).collect();
        prop_assert_eq!(calls, expected);
    }

    #[test]
    fn whatever_comes_does_no_harm(chunks in prop::collection::vec(".{0,60}", 0..10)) {
        let mut assembler = assembler();
        for chunk in chunks {
            let _ = assembler.take(&chunk, &mut |_| {});
        }
        prop_assert!(assembler.finish(RateLimits::default()).is_err());
    }
}
