//! Writes an answer as server-sent events.

mod completions;
mod responses;

use std::time::Duration;

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::Config;
use crate::cache::Input;
use crate::openai::Dialect;
use crate::script::{Fault, Step};
use crate::wire::{sign, tokens};

/// The kind of the block that ends a paused turn. It is unknown to every client, which must send it back as it is.
pub(crate) const PAUSE: &str = "sim_pause";

/// The number of the answer that asked for a tool, out of the id of the call.
pub(crate) fn number_of(id: &str) -> Option<usize> {
    let rest = id.strip_prefix("toolu_").or_else(|| id.strip_prefix("call_"))?;
    rest.split_once('_')?.0.parse().ok()
}

/// The blocks of the answer `number` since its prompt, whole.
pub(crate) fn blocks(step: &Step, number: usize, message: &str, dialect: Dialect) -> Vec<Value> {
    let prefix = if dialect == Dialect::Messages { "toolu" } else { "call" };
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
            json!({ "type": "tool_use", "id": format!("{prefix}_{number}_{message}_{index}"), "name": name, "input": input }),
        );
    }
    if step.stop.as_deref() == Some("pause_turn") {
        blocks.push(json!({ "type": PAUSE }));
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
    dialect: Dialect,
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
            let part = rest.min(self.config.ping.max(Duration::from_millis(1)));
            tokio::select! {
                () = tokio::time::sleep(part) => {}
                () = self.pipe.closed() => return Err(Gone),
            }
            rest -= part;
            if !rest.is_zero() {
                match self.dialect {
                    Dialect::Messages => self.event(json!({ "type": "ping" })).await?,
                    _ => self.raw(": keep-alive\n\n").await?,
                }
            }
        }
        Ok(())
    }

    /// A text in words, at the configured pace.
    async fn words(&self, index: usize, kind: &str, key: &str, text: &str) -> Result<(), Gone> {
        // By the time since the first word, so that what timers and readers take does not add up.
        let began = tokio::time::Instant::now();
        for (said, piece) in (1..).zip(pieces(text)) {
            self.event(json!({ "type": "content_block_delta", "index": index, "delta": { "type": kind, key: piece } }))
                .await?;
            self.wait((self.config.per_word * said).saturating_sub(began.elapsed())).await?;
        }
        Ok(())
    }
}

/// Words with the space behind them.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(|c: char| c.is_whitespace())
}

/// An answer that is to be written.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) model: String,
    /// The message's id.
    pub(crate) id: String,
    pub(crate) input: Input,
    pub(crate) blocks: Vec<Value>,
    pub(crate) stop_reason: String,
    /// Before the first word, besides the usual time.
    pub(crate) silence: Duration,
    pub(crate) fault: Option<Fault>,
    pub(crate) dialect: Dialect,
}

/// Writes an answer, with the fault in it, if there is one.
pub(crate) async fn write(pipe: &Pipe, config: &Config, reply: &Reply) -> Result<(), Gone> {
    let out = Writer { pipe, config, dialect: reply.dialect };
    let Reply { model, id, input, blocks, stop_reason, silence, fault, dialect } = reply;
    if *fault == Some(Fault::Garbage) {
        return out.raw("<html>\u{1}\u{0} this is no stream of events\ndata: {\"type\": \"mess\n\n").await;
    }
    match dialect {
        Dialect::Messages => {}
        Dialect::Responses => return responses::write(&out, reply).await,
        Dialect::Completions | Dialect::Google => return completions::write(&out, reply).await,
    }
    out.event(json!({ "type": "message_start", "message": {
        "id": format!("msg_{id}"), "type": "message", "role": "assistant", "model": model, "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage(*input, 1),
    } }))
    .await?;
    out.event(json!({ "type": "ping" })).await?;
    out.event(json!({ "type": "an_event_of_the_future", "detail": 1 })).await?;
    out.wait(config.first_word + *silence).await?;
    for (index, block) in blocks.iter().enumerate() {
        let is_last = index + 1 == blocks.len();
        if is_last && *fault != Some(Fault::Cut) && out.fail(*fault).await? {
            return Ok(());
        }
        out.block(index, block).await?;
        if is_last && out.fail(*fault).await? {
            return Ok(());
        }
        out.event(json!({ "type": "content_block_stop", "index": index })).await?;
    }
    if blocks.is_empty() && out.fail(*fault).await? {
        return Ok(());
    }
    out.event(json!({ "type": "message_delta", "delta": { "stop_reason": stop_reason, "stop_sequence": null },
        "usage": { "output_tokens": output_tokens(blocks) } }))
        .await?;
    out.event(json!({ "type": "message_stop" })).await
}

impl Writer<'_> {
    /// A block, but for its end.
    async fn block(&self, index: usize, block: &Value) -> Result<(), Gone> {
        let string = |key: &str| block[key].as_str().unwrap_or_default();
        let kind = string("type");
        let start = match kind {
            "text" => json!({ "type": "text", "text": "" }),
            "thinking" => json!({ "type": "thinking", "thinking": "", "signature": "" }),
            "tool_use" => json!({ "type": "tool_use", "id": block["id"], "name": block["name"], "input": {} }),
            _ => block.clone(),
        };
        self.event(json!({ "type": "content_block_start", "index": index, "content_block": start })).await?;
        match kind {
            "text" => self.words(index, "text_delta", "text", string("text")).await,
            "thinking" => {
                self.words(index, "thinking_delta", "thinking", string("thinking")).await?;
                let delta = json!({ "type": "signature_delta", "signature": block["signature"] });
                self.event(json!({ "type": "content_block_delta", "index": index, "delta": delta })).await
            }
            "tool_use" => {
                let text = match &block["input"] {
                    Value::String(text) => text.clone(),
                    input => input.to_string(),
                };
                self.words(index, "input_json_delta", "partial_json", &text).await
            }
            _ => Ok(()),
        }
    }

    /// Lets a fault of the stream happen; whether there was one, which is the end.
    async fn fail(&self, fault: Option<Fault>) -> Result<bool, Gone> {
        let (kind, message) = match fault {
            Some(Fault::Hang) => {
                self.pipe.closed().await;
                return Err(Gone);
            }
            Some(Fault::Cut) => {
                self.raw("event: content_block_stop\ndata: {\"type\": \"content_bl").await?;
                // The server drops what it has not yet written when the line breaks; a reader shall see all of it.
                self.pipe.reserve_many(self.pipe.max_capacity()).await.map_err(|_| Gone)?;
                tokio::time::sleep(Duration::from_millis(20)).await;
                let broken = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "cut");
                self.pipe.send(Err(broken)).await.map_err(|_| Gone)?;
                return Ok(true);
            }
            Some(Fault::OverloadedInStream) => ("overloaded_error", "Overloaded"),
            Some(Fault::RateLimitedInStream) => {
                ("rate_limit_error", "Number of tokens has exceeded your limit; please try again in 1 s")
            }
            Some(Fault::RateLimitedInStreamForLong) => {
                ("rate_limit_error", "Number of tokens has exceeded your limit; please try again in 17 s")
            }
            _ => return Ok(false),
        };
        match self.dialect {
            Dialect::Messages => {
                self.event(json!({ "type": "error", "error": { "type": kind, "message": message } })).await?;
            }
            Dialect::Responses => {
                let code = if kind == "overloaded_error" { "server_is_overloaded" } else { "rate_limit_exceeded" };
                let response = json!({ "status": "failed", "error": { "code": code, "message": message } });
                self.event(json!({ "type": "response.failed", "response": response })).await?;
            }
            Dialect::Completions | Dialect::Google => {
                let code = if kind == "overloaded_error" { 503 } else { 429 };
                let error = json!({ "code": code, "message": message });
                self.raw(format!("data: {}\n\n", json!({ "error": error }))).await?;
            }
        }
        Ok(true)
    }
}
