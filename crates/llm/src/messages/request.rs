//! How a call is written for the Messages API.

use guildhall_types::chat::{Block, Picture, Role, UNSHOWN};
use guildhall_types::feature::ThinkingLevel;
use serde_json::{Value, json};

use crate::Request;
use crate::models::{self, Reasoning};

/// A call as the Messages API takes it.
pub(crate) struct Body<'a>(pub(crate) &'a Request<'a>);

impl Body<'_> {
    /// The body of a call to the Messages API.
    ///
    /// The cache's breakpoints, of which the provider takes four: after the tools, after the system prompt, and at the
    /// ends of the last two messages of the user. The older of these two is where the last call ended, so its prefix is
    /// found even when more than the provider's look-back of 20 blocks came in between.
    pub(crate) fn whole(&self, stream: bool) -> Value {
        let mut body = self.countable();
        body["max_tokens"] = self.0.max_tokens.into();
        if stream {
            body["stream"] = true.into();
        }
        body
    }

    /// The part of the body that counts as input.
    pub(crate) fn countable(&self) -> Value {
        let plain = self.0.messages.iter().map(|message| {
            let content: Vec<Value> = message.content.iter().filter_map(block).collect();
            (message.role.as_str(), content)
        });
        let mut turns = joined(plain);
        for (role, content) in &mut turns {
            // The provider takes no answer that ends with reasoning, as one does that was cut off there.
            while *role == Role::Assistant.as_str()
                && content.last().is_some_and(|last| last["type"] == "thinking" || last["type"] == "redacted_thinking")
            {
                content.pop();
            }
        }
        let mut messages: Vec<Value> =
            joined(turns).into_iter().map(|(role, content)| json!({ "role": role, "content": content })).collect();
        for message in messages.iter_mut().rev().filter(|message| message["role"] == Role::User.as_str()).take(2) {
            if let Some(last) = message["content"].as_array_mut().and_then(|list| list.last_mut()) {
                mark(last);
            }
        }
        let mut system: Vec<Value> = self
            .0
            .system
            .iter()
            .filter(|part| !part.text.is_empty())
            .map(|part| json!({ "type": "text", "text": part.text }))
            .collect();
        system.last_mut().map(mark);
        let mut tools: Vec<Value> = self
            .0
            .tools
            .iter()
            .map(
                |tool| json!({ "name": tool.name, "description": tool.description, "input_schema": tool.input_schema }),
            )
            .collect();
        tools.last_mut().map(mark);

        let mut body = json!({ "model": models::wire_name(self.0.model), "messages": messages });
        if !system.is_empty() {
            body["system"] = system.into();
        }
        if !tools.is_empty() {
            body["tools"] = tools.into();
            if self.0.must_call {
                body["tool_choice"] = json!({ "type": "any" });
                return body;
            }
        }
        self.reasoning(&mut body);
        if let Some(temperature) = self.0.temperature
            && body["thinking"].is_null()
        {
            body["temperature"] = temperature.into();
        }
        body
    }

    /// Models that decide themselves how much to think get an effort, and are asked to show a summary of their
    /// reasoning, without which their words between tools do not show; the others get a budget.
    fn reasoning(&self, body: &mut Value) {
        match models::assume(self.0.model).reasoning {
            Reasoning::Adaptive => {
                let effort = match self.0.thinking {
                    ThinkingLevel::None | ThinkingLevel::Low => "low",
                    ThinkingLevel::Medium => "medium",
                    ThinkingLevel::High => "high",
                    ThinkingLevel::Ultrathink => "max",
                };
                body["thinking"] = json!({ "type": "adaptive", "display": "summarized" });
                body["output_config"] = json!({ "effort": effort });
            }
            Reasoning::Budget | Reasoning::None => {
                let budget = match self.0.thinking {
                    ThinkingLevel::None => return,
                    ThinkingLevel::Low => 1_024,
                    ThinkingLevel::Medium => 4_096,
                    ThinkingLevel::High => 12_000,
                    ThinkingLevel::Ultrathink => 32_000,
                };
                // The provider wants room for an answer beside the reasoning.
                let budget = budget.min(self.0.max_tokens / 2);
                if budget >= 1_024 {
                    body["thinking"] = json!({ "type": "enabled", "budget_tokens": budget });
                }
            }
        }
    }
}

/// Without empty messages; two messages of one role in a row are one message to the provider.
fn joined<'a>(messages: impl IntoIterator<Item = (&'a str, Vec<Value>)>) -> Vec<(&'a str, Vec<Value>)> {
    let mut list: Vec<(&str, Vec<Value>)> = Vec::new();
    for (role, content) in messages.into_iter().filter(|(_, content)| !content.is_empty()) {
        match list.last_mut() {
            Some((last, whole)) if *last == role => whole.extend(content),
            _ => list.push((role, content)),
        }
    }
    list
}

fn mark(block: &mut Value) {
    block["cache_control"] = json!({ "type": "ephemeral" });
}

/// A block on the wire. Empty texts and reasoning whose seal never came, which the provider refuses, are left out.
fn block(block: &Block) -> Option<Value> {
    Some(match block {
        Block::Text { text } if text.trim().is_empty() => return None,
        Block::Text { text } => json!({ "type": "text", "text": text }),
        Block::Image { media_type, data } => image(media_type, data),
        Block::Picture(seen) => picture(seen),
        Block::Thinking { signature, .. } if signature.is_empty() => return None,
        Block::Thinking { thinking, signature } => {
            json!({ "type": "thinking", "thinking": thinking, "signature": signature })
        }
        Block::RedactedThinking { data } => json!({ "type": "redacted_thinking", "data": data }),
        Block::ToolUse { id, name, input } => {
            // Arguments that were no JSON cannot go back; the tool's result says what they were.
            let input = if input.is_object() { input.clone() } else { json!({}) };
            json!({ "type": "tool_use", "id": id, "name": name, "input": input })
        }
        Block::ToolResult { tool_use_id, content, is_error, images } => {
            let mut result = json!({ "type": "tool_result", "tool_use_id": tool_use_id, "content": content });
            if !images.is_empty() {
                let words = (!content.trim().is_empty()).then(|| json!({ "type": "text", "text": content }));
                result["content"] = words.into_iter().chain(images.iter().map(picture)).collect();
            }
            if *is_error {
                result["is_error"] = true.into();
            }
            result
        }
        // What another dialect sealed means nothing here.
        Block::Sealed { .. } => return None,
        Block::Unknown(value) => value.clone(),
    })
}

fn image(media_type: &str, data: &str) -> Value {
    json!({ "type": "image", "source": { "type": "base64", "media_type": media_type, "data": data } })
}

fn picture(picture: &Picture) -> Value {
    match picture.data() {
        Some(data) => image(&picture.media_type, data),
        None => json!({ "type": "text", "text": UNSHOWN }),
    }
}

#[cfg(test)]
mod tests;
