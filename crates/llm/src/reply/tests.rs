//! However a stream is written and cut into pieces, the answer is the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use guildhall_types::chat::{Block, Message, StopReason, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// How the events are written; every way means the same.
#[derive(Debug, Clone)]
struct Style {
    end: &'static str,
    bom: bool,
    comments: bool,
    names: bool,
    pretty: bool,
    space: bool,
}

fn any_style() -> impl Strategy<Value = Style> {
    let end = prop_oneof![Just("\n"), Just("\r\n"), Just("\r")];
    (end, any::<[bool; 5]>()).prop_map(|(end, [bom, comments, names, pretty, space])| Style {
        end,
        bom,
        comments,
        names,
        pretty,
        space,
    })
}

fn any_block() -> impl Strategy<Value = Block> {
    prop_oneof![
        "\\PC{1,20}".prop_map(Block::text),
        ("\\PC{0,20}", "[A-Za-z0-9+/]{1,12}=")
            .prop_map(|(thinking, signature)| Block::Thinking { thinking, signature }),
        "[A-Za-z0-9+/]{1,12}".prop_map(|data| Block::RedactedThinking { data }),
        ("[a-z]{1,4}", ".{0,20}").prop_map(|(id, text)| Block::ToolUse {
            id,
            name: "write".to_owned(),
            input: json!({ "content": text, "n": [1, null] }),
        }),
        Just(Block::Unknown(json!({ "type": "sim_note", "x": "ü" }))),
    ]
}

/// The characters of `text`, two at a time.
fn pieces(text: &str) -> Vec<String> {
    text.chars().collect::<Vec<_>>().chunks(2).map(|pair| pair.iter().collect()).collect()
}

fn events(blocks: &[Block]) -> Vec<Value> {
    let mut list = vec![json!({ "type": "message_start", "message": {
        "model": "m", "usage": { "input_tokens": 7, "cache_read_input_tokens": 3, "output_tokens": 1 } } })];
    for (index, block) in blocks.iter().enumerate() {
        let (start, deltas): (Value, Vec<Value>) = match block {
            Block::Text { text } => (
                json!({ "type": "text", "text": "" }),
                pieces(text).iter().map(|text| json!({ "type": "text_delta", "text": text })).collect(),
            ),
            Block::Thinking { thinking, signature } => (
                json!({ "type": "thinking", "thinking": "", "signature": "" }),
                pieces(thinking)
                    .iter()
                    .map(|text| json!({ "type": "thinking_delta", "thinking": text }))
                    .chain([json!({ "type": "signature_delta", "signature": signature })])
                    .collect(),
            ),
            Block::ToolUse { id, name, input } => (
                json!({ "type": "tool_use", "id": id, "name": name, "input": {} }),
                pieces(&input.to_string())
                    .iter()
                    .map(|text| json!({ "type": "input_json_delta", "partial_json": text }))
                    .collect(),
            ),
            other => (serde_json::to_value(other).unwrap(), Vec::new()),
        };
        list.push(json!({ "type": "content_block_start", "index": index, "content_block": start }));
        list.extend(
            deltas.into_iter().map(|delta| json!({ "type": "content_block_delta", "index": index, "delta": delta })),
        );
        list.push(json!({ "type": "content_block_stop", "index": index }));
        list.push(json!({ "type": "ping" }));
    }
    list.push(
        json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use" }, "usage": { "output_tokens": 42 } }),
    );
    list.push(json!({ "type": "message_stop" }));
    list
}

fn written(events: &[Value], style: &Style) -> Vec<u8> {
    let Style { end, .. } = style;
    let mut text = if style.bom { "\u{feff}".to_owned() } else { String::new() };
    let data = if style.space { "data: " } else { "data:" };
    for event in events {
        if style.comments {
            text += &format!(": keep-alive ü{end}{end}");
        }
        if style.names {
            text += &format!("event: {}{end}", event["type"].as_str().unwrap());
        }
        let body = if style.pretty { serde_json::to_string_pretty(event) } else { serde_json::to_string(event) };
        for line in body.unwrap().lines() {
            text += &format!("{data}{line}{end}");
        }
        text += end;
    }
    text.into_bytes()
}

fn messages() -> Assembler {
    Assembler::Messages(crate::messages::Assembler::default())
}

fn read(chunks: Vec<Bytes>) -> Result<Answer, LlmError> {
    let bytes = stream::iter(chunks.into_iter().map(Ok::<_, Cut>));
    let read = async { answer("host", bytes, messages(), RateLimits::default(), &mut |_| {}).await };
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(read)
}

/// Cuts `text` at the given places, which may fall within a character or a line's end.
fn cut(text: &[u8], places: &[prop::sample::Index]) -> Vec<Bytes> {
    let mut places: Vec<usize> = places.iter().map(|place| place.index(text.len())).collect();
    places.sort_unstable();
    places.push(text.len());
    let mut from = 0;
    places
        .into_iter()
        .map(|to| {
            let piece = Bytes::copy_from_slice(&text[from..to]);
            from = to;
            piece
        })
        .collect()
}

proptest! {
    #[test]
    fn any_style_and_any_cut_gives_the_same_answer(
        blocks in prop::collection::vec(any_block(), 0..5),
        style in any_style(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let text = written(&events(&blocks), &style);
        let answer = read(cut(&text, &places)).unwrap();
        prop_assert_eq!(answer.message, Message::assistant(blocks));
        prop_assert_eq!(answer.stop_reason, StopReason::ToolUse);
        let usage = Usage { input_tokens: 7, output_tokens: 42, cache_read_tokens: 3, cache_write_tokens: 0 };
        prop_assert_eq!(answer.usage, usage);
    }

    #[test]
    fn whatever_is_cut_off_is_no_answer(blocks in prop::collection::vec(any_block(), 0..4), at in any::<prop::sample::Index>()) {
        let style = Style { end: "\n", bom: false, comments: false, names: true, pretty: false, space: true };
        let text = written(&events(&blocks), &style);
        let short = &text[..at.index(text.len())];
        let error = read(vec![Bytes::copy_from_slice(short)]).unwrap_err();
        prop_assert!(matches!(error.kind, ErrorKind::Broken | ErrorKind::Garbage), "{error:?}");
        prop_assert_eq!(error.partial.is_some(), error.kind == ErrorKind::Broken);
    }

    #[test]
    fn noise_is_no_answer_and_does_no_harm(noise in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(read(vec![Bytes::from(noise)]).is_err());
    }
}

#[test]
fn every_single_cut_gives_the_same_answer() {
    let blocks =
        [Block::Thinking { thinking: "Größe 😀".to_owned(), signature: "s=".to_owned() }, Block::text("naïve — 日本")];
    for end in ["\n", "\r\n", "\r"] {
        let style = Style { end, bom: true, comments: true, names: true, pretty: true, space: true };
        let text = written(&events(&blocks), &style);
        for at in 0..text.len() {
            let (one, two) = text.split_at(at);
            let answer = read(vec![Bytes::copy_from_slice(one), Bytes::copy_from_slice(two)]).unwrap();
            assert_eq!(answer.message.content, blocks, "cut at {at}");
        }
        let bytes = text.iter().map(|byte| Bytes::copy_from_slice(&[*byte])).collect();
        assert_eq!(read(bytes).unwrap().message.content, blocks, "byte by byte");
    }
}

#[test]
fn nothing_is_read_beyond_the_end() {
    let style = Style { end: "\n", bom: false, comments: false, names: true, pretty: false, space: true };
    let text = Bytes::from(written(&events(&[]), &style));
    let polled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&polled);
    let bytes = stream::iter([text, Bytes::from_static(b"\xff")]).map(move |chunk| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Cut>(chunk)
    });
    let read = async { answer("host", bytes, messages(), RateLimits::default(), &mut |_| {}).await };
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(read).unwrap();
    assert_eq!(polled.load(Ordering::Relaxed), 1);
}
