//! Puts an answer together out of the events of the Messages API.

use guildhall_types::chat::{Block, Message, StopReason, Usage};
use serde::Deserialize;
use serde_json::Value;

use crate::assemble::{BLOCKS, garbage, parsed};
use crate::error::{Complaint, Partial};
use crate::{Answer, Delta, ErrorKind, LlmError, RateLimits};

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Started,
    },
    ContentBlockStart {
        index: usize,
        content_block: Value,
    },
    ContentBlockDelta {
        index: usize,
        delta: Value,
    },
    MessageDelta {
        delta: Stopped,
        usage: Option<WireUsage>,
    },
    MessageStop,
    Error {
        error: Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Started {
    #[serde(default)]
    model: String,
    usage: Option<WireUsage>,
}

#[derive(Deserialize)]
struct Stopped {
    stop_reason: Option<String>,
}

/// Counts are cumulative; one that is absent stays as it was.
#[derive(Deserialize)]
struct WireUsage {
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    cache_read_input_tokens: Option<i64>,
    cache_creation_input_tokens: Option<i64>,
}

/// A block that is being written.
struct Open {
    block: Value,
    text: String,
    signature: String,
}

#[derive(Default)]
pub(crate) struct Assembler {
    blocks: Vec<Option<Open>>,
    model: String,
    usage: Usage,
    stop: Option<StopReason>,
    begun: bool,
    done: bool,
}

impl Assembler {
    /// Takes one event.
    pub(crate) fn take(&mut self, data: &str, on_delta: &mut impl FnMut(Delta<'_>)) -> Result<(), LlmError> {
        // The reason is put into words, because those are scrubbed of the key; an error that is kept as a source is not.
        let event: Event = serde_json::from_str(data)
            .map_err(|error| garbage(format!("the provider sent an event that cannot be read: {error}")))?;
        match event {
            Event::MessageStart { message } => {
                self.begun = true;
                self.model = message.model;
                self.count(message.usage);
                on_delta(Delta::Started);
            }
            Event::ContentBlockStart { index, content_block } => {
                let open = Open::new(content_block)?;
                if index >= BLOCKS || matches!(self.blocks.get(index), Some(Some(_))) {
                    return Err(garbage(format!("the provider began block {index} of its answer out of order")));
                }
                if self.blocks.len() <= index {
                    self.blocks.resize_with(index + 1, || None);
                }
                if open.block["type"] == "tool_use" {
                    on_delta(Delta::Tool { block: index as i64, name: open.field("name") });
                }
                self.blocks[index] = Some(open);
            }
            Event::ContentBlockDelta { index, delta } => self.extend(index, &delta, on_delta)?,
            Event::MessageDelta { delta, usage } => {
                self.count(usage);
                if let Some(reason) = delta.stop_reason {
                    self.stop = Some(reason.parse().unwrap_or(StopReason::Other));
                }
            }
            Event::MessageStop => self.done = true,
            Event::Error { error } => return Err(Complaint::of_error(&error).in_stream()),
            Event::Other => {}
        }
        Ok(())
    }

    fn extend(&mut self, index: usize, delta: &Value, on_delta: &mut impl FnMut(Delta<'_>)) -> Result<(), LlmError> {
        let Some(Some(open)) = self.blocks.get_mut(index) else {
            return Err(garbage("the provider went on with a block that it had not begun"));
        };
        let block = index as i64;
        let field = |key: &str| delta[key].as_str().unwrap_or_default();
        match delta["type"].as_str() {
            Some(kind) if !open.is_known() => open.extend_unknown(kind, delta),
            Some("text_delta") => {
                open.text.push_str(field("text"));
                on_delta(Delta::Text { block, text: field("text") });
            }
            Some("thinking_delta") => {
                open.text.push_str(field("thinking"));
                on_delta(Delta::Thinking { block, text: field("thinking") });
            }
            Some("input_json_delta") => open.text.push_str(field("partial_json")),
            Some("signature_delta") => open.signature.push_str(field("signature")),
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self, usage: Option<WireUsage>) {
        let Some(usage) = usage else { return };
        let set = |to: &mut i64, from: Option<i64>| *to = from.map_or(*to, |count| count.max(0));
        set(&mut self.usage.input_tokens, usage.input_tokens);
        set(&mut self.usage.output_tokens, usage.output_tokens);
        set(&mut self.usage.cache_read_tokens, usage.cache_read_input_tokens);
        set(&mut self.usage.cache_write_tokens, usage.cache_creation_input_tokens);
    }

    /// Whether any of the answer came.
    pub(crate) const fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether the answer is whole.
    pub(crate) const fn is_done(&self) -> bool {
        self.done
    }

    /// What an answer that is not whole has used, if it had begun.
    pub(crate) fn partial(&self) -> Option<Partial> {
        if !self.begun {
            return None;
        }
        // The count of output comes at the end; until then, four characters are taken for a token.
        let written: usize = self.blocks.iter().flatten().map(|open| open.text.len()).sum();
        let output_tokens = self.usage.output_tokens.max(written as i64 / 4);
        Some(Partial { model: self.model.clone(), usage: Usage { output_tokens, ..self.usage } })
    }

    /// The whole answer.
    pub(crate) fn finish(self, limits: RateLimits) -> Result<Answer, LlmError> {
        let stop_reason = self
            .stop
            .ok_or_else(|| LlmError::new(ErrorKind::Broken, "the provider ended its answer without saying why"))?;
        let content = self.blocks.into_iter().flatten().filter_map(Open::finish).collect();
        Ok(Answer { message: Message::assistant(content), stop_reason, usage: self.usage, model: self.model, limits })
    }
}

impl Open {
    fn new(block: Value) -> Result<Self, LlmError> {
        let open = Self { text: String::new(), signature: String::new(), block };
        let text = match open.block["type"].as_str() {
            None => return Err(garbage("the provider sent a block without a type")),
            Some("tool_use") if open.field("id").is_empty() || open.field("name").is_empty() => {
                return Err(garbage("the provider asked for a tool without saying which"));
            }
            Some(kind @ ("text" | "thinking")) => open.field(kind).to_owned(),
            Some(_) => String::new(),
        };
        let signature = open.field("signature").to_owned();
        Ok(Self { text, signature, ..open })
    }

    fn field(&self, key: &str) -> &str {
        self.block[key].as_str().unwrap_or_default()
    }

    fn is_known(&self) -> bool {
        matches!(self.block["type"].as_str(), Some("text" | "thinking" | "redacted_thinking" | "tool_use"))
    }

    /// A block of a kind that this version does not know is kept and sent back, so what is added to it is kept too:
    /// JSON in pieces is its input, other words go to the field of their name.
    fn extend_unknown(&mut self, kind: &str, delta: &Value) {
        if kind == "input_json_delta" {
            self.text.push_str(delta["partial_json"].as_str().unwrap_or_default());
            return;
        }
        for (key, added) in delta.as_object().into_iter().flatten().filter(|(key, _)| *key != "type") {
            match (&mut self.block[key], added) {
                (Value::String(text), Value::String(added)) => text.push_str(added),
                (Value::Array(list), added) => list.push(added.clone()),
                (field, added) => *field = added.clone(),
            }
        }
    }

    fn finish(mut self) -> Option<Block> {
        let string = |key: &str| self.field(key).to_owned();
        Some(match self.block["type"].as_str() {
            Some("text") if self.text.is_empty() => return None,
            Some("text") => Block::Text { text: self.text },
            Some("thinking") => Block::Thinking { thinking: self.text, signature: self.signature },
            Some("redacted_thinking") => Block::RedactedThinking { data: string("data") },
            Some("tool_use") => Block::ToolUse { id: string("id"), name: string("name"), input: arguments(&self) },
            _ => {
                if !self.text.is_empty() {
                    self.block["input"] = arguments(&self);
                }
                Block::Unknown(self.block)
            }
        })
    }
}

/// A tool's arguments: what was streamed if anything was, otherwise what the block began with. Text that is no JSON
/// object stays text, so that the tool can answer what was wrong with it.
fn arguments(open: &Open) -> Value {
    if open.text.trim().is_empty() {
        let input = open.block["input"].clone();
        return if input.is_object() { input } else { Value::Object(serde_json::Map::new()) };
    }
    parsed(&open.text)
}

#[cfg(test)]
mod tests;
