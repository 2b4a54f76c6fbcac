//! Writes an answer as server-sent events.

use std::time::Duration;

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::Config;
use crate::script::{Fault, Step};
use crate::wire::{Input, sign, tokens};

/// The blocks of an answer, whole.
pub(crate) fn blocks(step: &Step, message: &str) -> Vec<Value> {
    let mut blocks = Vec::new();
    if let Some(thinking) = &step.think {
        blocks.push(json!({ "type": "thinking", "thinking": thinking, "signature": sign(thinking) }));
    }
    if let Some(data) = &step.redacted {
        blocks.push(json!({ "type": "redacted_thinking", "data": data }));
    }
    if let Some(text) = &step.say {
        blocks.push(json!({ "type": "text", "text": text }));
    }
    for (index, (name, input)) in step.tools.iter().enumerate() {
        blocks.push(
            json!({ "type": "tool_use", "id": format!("toolu_{message}_{index}"), "name": name, "input": input }),
        );
    }
    blocks
}

pub(crate) fn stop_reason(step: &Step) -> &str {
    match &step.stop {
        Some(reason) => reason,
        None if step.tools.is_empty() => "end_turn",
        None => "tool_use",
    }
}

/// Output tokens of an answer.
pub(crate) fn output_tokens(blocks: &[Value]) -> i64 {
    blocks.iter().map(|block| tokens(block.to_string().len())).sum()
}

pub(crate) fn usage(input: Input, output: i64) -> Value {
    json!({
        "input_tokens": input.fresh,
        "cache_read_input_tokens": input.read,
        "cache_creation_input_tokens": input.written,
        "output_tokens": output,
    })
}

/// Where the events go. An error ends the connection in the middle, as a broken line would.
pub(crate) type Pipe = mpsc::Sender<Result<Bytes, std::io::Error>>;

/// The reader is gone.
pub(crate) struct Gone;

struct Writer<'a> {
    pipe: &'a Pipe,
    config: &'a Config,
}

impl Writer<'_> {
    async fn event(&self, data: Value) -> Result<(), Gone> {
        let name = data["type"].as_str().unwrap_or_default();
        self.raw(format!("event: {name}\ndata: {data}\n\n")).await
    }

    async fn raw(&self, text: impl Into<Bytes>) -> Result<(), Gone> {
        self.pipe.send(Ok(text.into())).await.map_err(|_| Gone)
    }

    /// Waits, with pings.
    async fn wait(&self, mut rest: Duration) -> Result<(), Gone> {
        while !rest.is_zero() {
            let part = rest.min(self.config.ping);
            tokio::select! {
                () = tokio::time::sleep(part) => {}
                () = self.pipe.closed() => return Err(Gone),
            }
            rest -= part;
            if !rest.is_zero() {
                self.event(json!({ "type": "ping" })).await?;
            }
        }
        Ok(())
    }

    /// A text in words, at the configured pace.
    async fn words(&self, index: usize, kind: &str, key: &str, text: &str) -> Result<(), Gone> {
        for piece in pieces(text) {
            self.event(json!({ "type": "content_block_delta", "index": index, "delta": { "type": kind, key: piece } }))
                .await?;
            self.wait(self.config.per_word).await?;
        }
        Ok(())
    }
}

/// Words with the space behind them.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(|c: char| c.is_whitespace())
}

/// Writes the answer `step`, with the fault in it, if there is one.
pub(crate) async fn answer(
    pipe: &Pipe,
    config: &Config,
    model: &str,
    message: &str,
    input: Input,
    step: &Step,
    fault: Option<Fault>,
) -> Result<(), Gone> {
    let out = Writer { pipe, config };
    if fault == Some(Fault::Garbage) {
        return out.raw("<html>\u{1}\u{0} this is no stream of events\ndata: {\"type\": \"mess\n\n").await;
    }
    out.event(json!({ "type": "message_start", "message": {
        "id": format!("msg_{message}"), "type": "message", "role": "assistant", "model": model, "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage(input, 1),
    } }))
    .await?;
    out.event(json!({ "type": "ping" })).await?;
    out.event(json!({ "type": "an_event_of_the_future", "detail": 1 })).await?;
    out.wait(config.first_word + Duration::from_millis(step.silence_ms)).await?;
    let blocks = blocks(step, message);
    for (index, block) in blocks.iter().enumerate() {
        if index + 1 == blocks.len() {
            match fault {
                Some(Fault::Hang) => {
                    pipe.closed().await;
                    return Err(Gone);
                }
                Some(Fault::OverloadedInStream) => {
                    return out.event(json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } })).await;
                }
                Some(Fault::RateLimitedInStream) => {
                    let message = "Number of tokens has exceeded your limit; please try again in 1 s";
                    return out
                        .event(json!({ "type": "error", "error": { "type": "rate_limit_error", "message": message } }))
                        .await;
                }
                _ => {}
            }
        }
        let string = |key: &str| block[key].as_str().unwrap_or_default();
        let kind = string("type");
        let start = match kind {
            "text" => json!({ "type": "text", "text": "" }),
            "thinking" => json!({ "type": "thinking", "thinking": "", "signature": "" }),
            "tool_use" => json!({ "type": "tool_use", "id": block["id"], "name": block["name"], "input": {} }),
            _ => block.clone(),
        };
        out.event(json!({ "type": "content_block_start", "index": index, "content_block": start })).await?;
        match kind {
            "text" => out.words(index, "text_delta", "text", string("text")).await?,
            "thinking" => {
                out.words(index, "thinking_delta", "thinking", string("thinking")).await?;
                out.event(json!({ "type": "content_block_delta", "index": index,
                    "delta": { "type": "signature_delta", "signature": block["signature"] } }))
                    .await?;
            }
            "tool_use" => {
                let text = match &block["input"] {
                    Value::String(text) => text.clone(),
                    input => input.to_string(),
                };
                out.words(index, "input_json_delta", "partial_json", &text).await?;
            }
            _ => {}
        }
        if index + 1 == blocks.len() && fault == Some(Fault::Cut) {
            out.raw("event: content_block_stop\ndata: {\"type\": \"content_bl").await?;
            let broken = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "cut");
            return pipe.send(Err(broken)).await.map_err(|_| Gone);
        }
        out.event(json!({ "type": "content_block_stop", "index": index })).await?;
    }
    out.event(json!({ "type": "message_delta", "delta": { "stop_reason": stop_reason(step), "stop_sequence": null },
        "usage": { "output_tokens": output_tokens(&blocks) } }))
        .await?;
    out.event(json!({ "type": "message_stop" })).await
}
