//! Puts an answer together out of the chunks of the Chat Completions API.

use guildhall_types::chat::{Block, Message, StopReason, Usage};
use serde_json::{Value, json};

use super::NAME;
use crate::assemble::{BLOCKS, Ids, count, event, garbage, parsed};
use crate::error::{Complaint, Partial};
use crate::{Answer, Delta, ErrorKind, LlmError, RateLimits};

/// What ends the stream.
const END: &str = "[DONE]";

/// A part of the answer that is being written.
enum Open {
    Text(String),
    Thinking(String),
    Call(Call),
}

#[derive(Default)]
struct Call {
    /// The server's number for it; some send none, or the same for all.
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
    /// What came beside it and goes back with it.
    extra: Option<Value>,
}

pub(crate) struct Assembler {
    parts: Vec<Open>,
    model: String,
    usage: Option<Usage>,
    /// About how many tokens the call had.
    rough_input: i64,
    ids: Ids,
    stop: Option<StopReason>,
    refused: bool,
    begun: bool,
    done: bool,
}

impl Assembler {
    pub(crate) fn new(rough_input: i64, ids: Ids) -> Self {
        Self {
            parts: Vec::new(),
            model: String::new(),
            usage: None,
            rough_input,
            ids,
            stop: None,
            refused: false,
            begun: false,
            done: false,
        }
    }

    /// Takes one chunk.
    pub(crate) fn take(&mut self, data: &str, on_delta: &mut impl FnMut(Delta<'_>)) -> Result<(), LlmError> {
        if data.trim() == END {
            if !self.begun {
                return Err(garbage("the provider ended its answer before it began"));
            }
            self.done = true;
            return Ok(());
        }
        let chunk = event(data)?;
        if let Some(model) = chunk["model"].as_str().filter(|model| !model.is_empty()) {
            model.clone_into(&mut self.model);
        }
        self.count(&chunk["usage"]);
        if !chunk["choices"].is_array()
            && let Some(complaint) = Complaint::read(&chunk)
        {
            return Err(complaint.in_stream());
        }
        if !chunk["error"].is_null() {
            return Err(Complaint::of_error(&chunk["error"]).in_stream());
        }
        let Some(choices) = chunk["choices"].as_array() else { return Ok(()) };
        if !self.begun {
            self.begun = true;
            on_delta(Delta::Started);
        }
        // One answer is asked for.
        let Some(choice) = choices.first() else { return Ok(()) };
        self.extend(&choice["delta"], on_delta)?;
        if let Some(reason) = choice["finish_reason"].as_str().filter(|reason| !reason.is_empty()) {
            self.stop = Some(match reason {
                "stop" | "eos" | "end_turn" => StopReason::EndTurn,
                "length" | "max_tokens" => StopReason::MaxTokens,
                "tool_calls" | "function_call" => StopReason::ToolUse,
                "content_filter" | "safety" => StopReason::Refusal,
                "error" => return Err(LlmError::new(ErrorKind::Server, "the provider broke its answer off")),
                _ => StopReason::Other,
            });
        }
        Ok(())
    }

    fn extend(&mut self, delta: &Value, on_delta: &mut impl FnMut(Delta<'_>)) -> Result<(), LlmError> {
        let thought = ["reasoning_content", "reasoning"].iter().find_map(|field| words(&delta[*field]));
        if let Some(text) = thought {
            if !matches!(self.parts.last(), Some(Open::Thinking(_))) {
                self.push(Open::Thinking(String::new()))?;
            }
            let block = self.parts.len() as i64 - 1;
            if let Some(Open::Thinking(all)) = self.parts.last_mut() {
                all.push_str(&text);
            }
            on_delta(Delta::Thinking { block, text: &text });
        }
        let refusal = words(&delta["refusal"]);
        self.refused |= refusal.is_some();
        if let Some(text) = words(&delta["content"]).or(refusal) {
            if !matches!(self.parts.last(), Some(Open::Text(_))) {
                self.push(Open::Text(String::new()))?;
            }
            let block = self.parts.len() as i64 - 1;
            if let Some(Open::Text(all)) = self.parts.last_mut() {
                all.push_str(&text);
            }
            on_delta(Delta::Text { block, text: &text });
        }
        for piece in delta["tool_calls"].as_array().into_iter().flatten() {
            self.call(piece, on_delta)?;
        }
        Ok(())
    }

    fn push(&mut self, part: Open) -> Result<(), LlmError> {
        if self.parts.len() >= BLOCKS {
            return Err(garbage("the provider sent more parts than an answer can have"));
        }
        self.parts.push(part);
        Ok(())
    }

    /// A piece of a call. A new id with a name begins a new call, even under a number that was there already; without an id, the
    /// number says which call goes on, and without both, it is the last one.
    fn call(&mut self, piece: &Value, on_delta: &mut impl FnMut(Delta<'_>)) -> Result<(), LlmError> {
        let index = piece["index"].as_u64();
        let id = piece["id"].as_str().unwrap_or_default();
        let name = piece["function"]["name"].as_str().unwrap_or_default();
        let goes_on = self.parts.iter().rposition(|part| match part {
            Open::Call(call) => {
                let same_id = id.is_empty() || id == call.id || call.id.is_empty() || name.is_empty();
                same_id && (index.is_none() || call.index.is_none() || index == call.index)
            }
            _ => false,
        });
        // A server that sends neither number nor id sends each call whole, with its name.
        let whole = index.is_none() && id.is_empty() && !name.is_empty();
        let at = match goes_on.filter(|_| !whole) {
            Some(at) => at,
            None => {
                self.push(Open::Call(Call { index, id: id.to_owned(), ..Call::default() }))?;
                self.parts.len() - 1
            }
        };
        let Some(Open::Call(call)) = self.parts.get_mut(at) else { return Ok(()) };
        if call.id.is_empty() {
            id.clone_into(&mut call.id);
        }
        if call.name.is_empty() && !name.is_empty() {
            name.clone_into(&mut call.name);
            on_delta(Delta::Tool { block: at as i64, name });
        }
        match &piece["function"]["arguments"] {
            Value::String(text) => call.arguments.push_str(text),
            Value::Null => {}
            // Some servers send the object itself.
            other => call.arguments = other.to_string(),
        }
        if piece["extra_content"].is_object() {
            call.extra = Some(piece["extra_content"].clone());
        }
        Ok(())
    }

    /// Counts are of the whole call so far. What a cache gave is part of the prompt, under a name that differs by server.
    fn count(&mut self, usage: &Value) {
        let Some(input) = count(&usage["prompt_tokens"]) else { return };
        let detail = |name: &str| count(&usage["prompt_tokens_details"][name]);
        let read = detail("cached_tokens").or_else(|| count(&usage["prompt_cache_hit_tokens"])).unwrap_or_default();
        let read = read.min(input);
        let written = detail("cache_write_tokens").unwrap_or_default().min(input - read);
        self.usage = Some(Usage {
            input_tokens: input - read - written,
            output_tokens: count(&usage["completion_tokens"]).unwrap_or_default(),
            cache_read_tokens: read,
            cache_write_tokens: written,
        });
    }

    /// The server's count, or about what it would be: four characters are taken for a token.
    fn used(&self) -> Usage {
        let written: usize = self
            .parts
            .iter()
            .map(|part| match part {
                Open::Text(text) | Open::Thinking(text) => text.len(),
                Open::Call(call) => call.name.len() + call.arguments.len(),
            })
            .sum();
        let rough = Usage { input_tokens: self.rough_input, output_tokens: written as i64 / 4, ..Usage::default() };
        self.usage.filter(|usage| usage.context_tokens() > 0).unwrap_or(rough)
    }

    pub(crate) const fn has_begun(&self) -> bool {
        self.begun
    }

    pub(crate) const fn is_done(&self) -> bool {
        self.done
    }

    /// Some servers say why they stop, and then leave out the end.
    pub(crate) const fn may_end(&self) -> bool {
        self.done || self.stop.is_some()
    }

    pub(crate) fn partial(&self) -> Option<Partial> {
        self.begun.then(|| Partial { model: self.model.clone(), usage: self.used() })
    }

    pub(crate) fn finish(mut self, limits: RateLimits) -> Result<Answer, LlmError> {
        let usage = self.used();
        let mut content = Vec::new();
        let mut calls = false;
        for part in self.parts {
            match part {
                Open::Text(text) => content.push(Block::Text { text }),
                Open::Thinking(thinking) => content.push(Block::Thinking { thinking, signature: String::new() }),
                Open::Call(call) if call.name.is_empty() => {
                    return Err(garbage("the provider asked for a tool without saying which"));
                }
                Open::Call(call) => {
                    calls = true;
                    let id = self.ids.fit(&call.id);
                    if let Some(extra) = call.extra {
                        let item = json!({ "tool_call_id": id, "extra_content": extra });
                        content.push(Block::Sealed { dialect: NAME.to_owned(), item });
                    }
                    content.push(Block::ToolUse { id, name: call.name, input: parsed(&call.arguments) });
                }
            }
        }
        let stop_reason = match self.stop {
            // Not every server says that it waits for tools.
            Some(StopReason::EndTurn | StopReason::Other) | None if calls => StopReason::ToolUse,
            Some(StopReason::EndTurn) if self.refused => StopReason::Refusal,
            // Some say that they wait for tools and ask for none.
            Some(StopReason::ToolUse) if !calls => StopReason::EndTurn,
            Some(reason) => reason,
            None if !content.is_empty() => StopReason::EndTurn,
            None => {
                return Err(LlmError::new(ErrorKind::Broken, "the provider ended its answer without saying why"));
            }
        };
        Ok(Answer { message: Message::assistant(content), stop_reason, usage, model: self.model, limits })
    }
}

/// Words that are a text, or a list of parts with texts; nothing when there are none.
fn words(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
