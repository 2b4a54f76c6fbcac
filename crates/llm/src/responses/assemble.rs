//! Puts an answer together out of the events of the Responses API.

use guildhall_types::chat::{Block, Message, StopReason, Usage};
use serde_json::Value;

use super::NAME;
use crate::assemble::{BLOCKS, Ids, count, event, garbage, parsed};
use crate::error::{Complaint, Partial};
use crate::{Answer, Delta, ErrorKind, LlmError, RateLimits};

/// An item of the answer that is being written.
struct Open {
    item: Value,
    /// Words, reasoning or arguments, as they came in pieces.
    text: String,
    /// The model declined, in these words.
    refusal: bool,
}

impl Open {
    fn kind(&self) -> &str {
        self.item["type"].as_str().unwrap_or_default()
    }
}

pub(crate) struct Assembler {
    items: Vec<Option<Open>>,
    model: String,
    usage: Option<Usage>,
    /// About how many tokens the call had.
    rough_input: i64,
    ids: Ids,
    stop: Option<StopReason>,
    begun: bool,
    done: bool,
}

impl Assembler {
    pub(crate) fn new(rough_input: i64, ids: Ids) -> Self {
        Self {
            items: Vec::new(),
            model: String::new(),
            usage: None,
            rough_input,
            ids,
            stop: None,
            begun: false,
            done: false,
        }
    }

    /// Takes one event.
    pub(crate) fn take(&mut self, data: &str, on_delta: &mut impl FnMut(Delta<'_>)) -> Result<(), LlmError> {
        let event = event(data)?;
        let Some(kind) = event["type"].as_str() else {
            // A proxy's error may come in a form of its own.
            return Err(Complaint::read(&event)
                .map_or_else(|| garbage("the provider sent an event without a type"), Complaint::in_stream));
        };
        match kind {
            "response.created" => self.begin(&event["response"], on_delta),
            "response.output_item.added" => self.add(&event, on_delta)?,
            "response.output_item.done" => self.replace(&event)?,
            "response.output_text.delta" | "response.refusal.delta" => {
                let (block, open) = self.open(&event)?;
                open.refusal |= kind == "response.refusal.delta";
                let text = event["delta"].as_str().unwrap_or_default();
                open.text.push_str(text);
                on_delta(Delta::Text { block, text });
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                let (block, open) = self.open(&event)?;
                let text = event["delta"].as_str().unwrap_or_default();
                open.text.push_str(text);
                on_delta(Delta::Thinking { block, text });
            }
            "response.reasoning_summary_part.added" => {
                let (block, open) = self.open(&event)?;
                if !open.text.is_empty() {
                    open.text.push_str("\n\n");
                    on_delta(Delta::Thinking { block, text: "\n\n" });
                }
            }
            "response.function_call_arguments.delta" => {
                let text = event["delta"].as_str().unwrap_or_default();
                self.open(&event)?.1.text.push_str(text);
            }
            "response.function_call_arguments.done" => {
                if let Some(arguments) = event["arguments"].as_str() {
                    arguments.clone_into(&mut self.open(&event)?.1.text);
                }
            }
            "response.completed" | "response.incomplete" => self.end(&event["response"], kind, on_delta)?,
            "response.failed" => {
                self.count(&event["response"]["usage"]);
                return Err(Complaint::of_error(&event["response"]["error"]).in_stream());
            }
            "error" => {
                let error = if event["error"].is_object() { &event["error"] } else { &event };
                return Err(Complaint::of_error(error).in_stream());
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, response: &Value, on_delta: &mut impl FnMut(Delta<'_>)) {
        if let Some(model) = response["model"].as_str() {
            model.clone_into(&mut self.model);
        }
        if !self.begun {
            self.begun = true;
            on_delta(Delta::Started);
        }
    }

    /// Which item an event is about.
    fn index(&self, event: &Value) -> Result<usize, LlmError> {
        let index = event["output_index"].as_u64().and_then(|index| usize::try_from(index).ok());
        index
            .filter(|index| *index < BLOCKS)
            .ok_or_else(|| garbage("the provider sent a piece of its answer without saying of which item"))
    }

    fn open(&mut self, event: &Value) -> Result<(i64, &mut Open), LlmError> {
        let index = self.index(event)?;
        match self.items.get_mut(index) {
            Some(Some(open)) => Ok((index as i64, open)),
            _ => Err(garbage("the provider went on with an item that it had not begun")),
        }
    }

    fn add(&mut self, event: &Value, on_delta: &mut impl FnMut(Delta<'_>)) -> Result<(), LlmError> {
        let index = self.index(event)?;
        if matches!(self.items.get(index), Some(Some(_))) {
            return Err(garbage(format!("the provider began item {index} of its answer out of order")));
        }
        self.begin(&Value::Null, on_delta);
        self.put(index, event["item"].clone())?;
        if event["item"]["type"] == "function_call" {
            on_delta(Delta::Tool { block: index as i64, name: event["item"]["name"].as_str().unwrap_or_default() });
        }
        Ok(())
    }

    /// The item as it is when it is whole. What came of it in pieces counts where this leaves something out.
    fn replace(&mut self, event: &Value) -> Result<(), LlmError> {
        let index = self.index(event)?;
        let before = self.items.get_mut(index).and_then(Option::take);
        self.begun = true;
        self.put(index, event["item"].clone())?;
        if let (Some(before), Some(Some(now))) = (before, self.items.get_mut(index)) {
            now.refusal |= before.refusal;
            if now.text.is_empty() {
                now.text = before.text;
            }
        }
        Ok(())
    }

    fn put(&mut self, index: usize, item: Value) -> Result<(), LlmError> {
        let (text, refusal) = match item["type"].as_str() {
            None => return Err(garbage("the provider sent an item without a type")),
            Some("function_call") if item["name"].as_str().is_none_or(str::is_empty) => {
                return Err(garbage("the provider asked for a tool without saying which"));
            }
            Some("function_call") => (item["arguments"].as_str().unwrap_or_default().to_owned(), false),
            Some("message") => {
                let parts = item["content"].as_array().map(Vec::as_slice).unwrap_or_default();
                let words = parts.iter().filter_map(|part| part["text"].as_str().or(part["refusal"].as_str()));
                (words.collect(), parts.iter().any(|part| part["type"] == "refusal"))
            }
            Some("reasoning") => (summary(&item), false),
            Some(_) => (String::new(), false),
        };
        if self.items.len() <= index {
            self.items.resize_with(index + 1, || None);
        }
        self.items[index] = Some(Open { item, text, refusal });
        Ok(())
    }

    fn end(&mut self, response: &Value, kind: &str, on_delta: &mut impl FnMut(Delta<'_>)) -> Result<(), LlmError> {
        self.begin(response, on_delta);
        self.count(&response["usage"]);
        if self.items.is_empty() {
            // A server that sends no pieces sends the whole at the end.
            for (index, item) in response["output"].as_array().into_iter().flatten().take(BLOCKS).enumerate() {
                self.put(index, item.clone())?;
            }
        }
        self.stop = Some(match (kind, response["incomplete_details"]["reason"].as_str()) {
            ("response.completed", _) => self.stopped(),
            (_, Some("max_output_tokens" | "max_tokens")) => StopReason::MaxTokens,
            (_, Some("content_filter")) => StopReason::Refusal,
            _ => StopReason::Other,
        });
        self.done = true;
        Ok(())
    }

    fn stopped(&self) -> StopReason {
        let mut items = self.items.iter().flatten();
        if items.clone().any(|open| open.kind() == "function_call") {
            StopReason::ToolUse
        } else if items.any(|open| open.refusal) {
            StopReason::Refusal
        } else {
            StopReason::EndTurn
        }
    }

    fn count(&mut self, usage: &Value) {
        let Some(input) = count(&usage["input_tokens"]) else { return };
        let detail = |name: &str| count(&usage["input_tokens_details"][name]).unwrap_or_default();
        let read = detail("cached_tokens").min(input);
        // Newer models bill what is written to the cache; the older ones say nothing of it.
        let written = detail("cache_write_tokens").min(input - read);
        self.usage = Some(Usage {
            input_tokens: input - read - written,
            output_tokens: count(&usage["output_tokens"]).unwrap_or_default(),
            cache_read_tokens: read,
            cache_write_tokens: written,
        });
    }

    /// The provider's count, or about what it would be: four characters are taken for a token.
    fn used(&self) -> Usage {
        self.usage.unwrap_or_else(|| {
            let written: usize = self.items.iter().flatten().map(|open| open.text.len()).sum();
            Usage { input_tokens: self.rough_input, output_tokens: written as i64 / 4, ..Usage::default() }
        })
    }

    pub(crate) const fn has_begun(&self) -> bool {
        self.begun
    }

    pub(crate) const fn is_done(&self) -> bool {
        self.done
    }

    pub(crate) fn partial(&self) -> Option<Partial> {
        self.begun.then(|| Partial { model: self.model.clone(), usage: self.used() })
    }

    pub(crate) fn finish(mut self, limits: RateLimits) -> Result<Answer, LlmError> {
        let stop_reason = self
            .stop
            .ok_or_else(|| LlmError::new(ErrorKind::Broken, "the provider ended its answer without saying why"))?;
        let usage = self.used();
        let mut content = Vec::new();
        for open in self.items.into_iter().flatten() {
            blocks(open, &mut self.ids, &mut content);
        }
        Ok(Answer { message: Message::assistant(content), stop_reason, usage, model: self.model, limits })
    }
}

/// What is shown of reasoning.
fn summary(item: &Value) -> String {
    let parts = |field: &str| item[field].as_array().map(Vec::as_slice).unwrap_or_default();
    let shown = if parts("summary").is_empty() { parts("content") } else { parts("summary") };
    let texts: Vec<&str> = shown.iter().filter_map(|part| part["text"].as_str()).collect();
    texts.join("\n\n")
}

fn blocks(open: Open, ids: &mut Ids, content: &mut Vec<Block>) {
    match open.kind() {
        "message" if open.text.is_empty() => {}
        "message" => content.push(Block::Text { text: open.text }),
        "function_call" => content.push(Block::ToolUse {
            id: ids.fit(open.item["call_id"].as_str().unwrap_or_default()),
            name: open.item["name"].as_str().unwrap_or_default().to_owned(),
            input: parsed(&open.text),
        }),
        "reasoning" => {
            if !open.text.is_empty() {
                // For people. What goes back is the item itself.
                content.push(Block::Thinking { thinking: open.text, signature: String::new() });
            }
            if open.item["encrypted_content"].is_string() {
                content.push(Block::Sealed { dialect: NAME.to_owned(), item: open.item });
            }
        }
        _ => content.push(Block::Sealed { dialect: NAME.to_owned(), item: open.item }),
    }
}

#[cfg(test)]
mod tests;
