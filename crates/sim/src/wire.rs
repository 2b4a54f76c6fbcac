//! The provider's side of the protocol: what it refuses, how it counts tokens, and how it seals reasoning.

use std::collections::HashSet;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// A request that is refused, as the provider would say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The provider's word for it.
    pub kind: &'static str,
    /// What was wrong.
    pub message: String,
}

impl Refusal {
    /// 400.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { status: 400, kind: "invalid_request_error", message: message.into() }
    }
}

/// Tokens that a text of so many bytes is taken for.
pub const fn tokens(bytes: usize) -> i64 {
    (bytes as i64 + 3) / 4
}

/// The seal on a reasoning block.
pub fn sign(thinking: &str) -> String {
    let digest = Sha256::digest(thinking.as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Checks a request as the real provider would, and more sternly where clients tend to be wrong.
///
/// # Errors
/// What the provider would answer.
pub fn validate(body: &Value, max_output: i64) -> Result<(), Refusal> {
    if body["model"].as_str().is_none_or(str::is_empty) {
        return Err(Refusal::invalid("model: Field required"));
    }
    let max_tokens = body["max_tokens"].as_i64().ok_or_else(|| Refusal::invalid("max_tokens: Field required"))?;
    if max_tokens < 1 || max_tokens > max_output {
        return Err(Refusal::invalid(format!(
            "max_tokens: {max_tokens} > {max_output}, which is the maximum allowed number of output tokens"
        )));
    }
    if let Some(budget) = body["thinking"]["budget_tokens"].as_i64()
        && (budget < 1024 || budget >= max_tokens)
    {
        return Err(Refusal::invalid("thinking.budget_tokens: must be at least 1024 and less than max_tokens"));
    }
    let reasons = body["thinking"]["type"].as_str().is_some_and(|kind| kind != "disabled");
    if reasons && matches!(body["tool_choice"]["type"].as_str(), Some("any" | "tool")) {
        return Err(Refusal::invalid("Thinking may not be enabled when tool_choice forces tool use."));
    }
    let marks = marks(body);
    if marks > 4 {
        let message = format!("A maximum of 4 blocks with cache_control may be provided. Found {marks}.");
        return Err(Refusal::invalid(message));
    }
    tools(body)?;
    messages(body)
}

fn tools(body: &Value) -> Result<(), Refusal> {
    let mut names = HashSet::new();
    for (at, tool) in body["tools"].as_array().into_iter().flatten().enumerate() {
        let name = tool["name"].as_str().unwrap_or_default();
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if name.is_empty() || name.len() > 128 || !plain {
            let message = format!("tools.{at}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'");
            return Err(Refusal::invalid(message));
        }
        if !names.insert(name) {
            return Err(Refusal::invalid("tools: Tool names must be unique."));
        }
        if tool["input_schema"]["type"] != "object" {
            return Err(Refusal::invalid(format!("tools.{at}.input_schema.type: Field required")));
        }
    }
    Ok(())
}

fn messages(body: &Value) -> Result<(), Refusal> {
    let messages = body["messages"].as_array().ok_or_else(|| Refusal::invalid("messages: Field required"))?;
    if messages.is_empty() {
        return Err(Refusal::invalid("messages: at least one message is required"));
    }
    let mut ids = HashSet::new();
    let mut open: Vec<&str> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        let expected = if at % 2 == 0 { "user" } else { "assistant" };
        if role != expected {
            return Err(Refusal::invalid(format!("messages.{at}.role: expected {expected:?}, found {role:?}")));
        }
        let Some(content) = message["content"].as_array().filter(|content| !content.is_empty()) else {
            return Err(Refusal::invalid(format!("messages.{at}.content: must not be empty")));
        };
        let mut asked: Vec<&str> = Vec::new();
        for (index, block) in content.iter().enumerate() {
            let place = format!("messages.{at}.content.{index}");
            if role == "user" {
                said(block, &place)?;
            } else if let Some(id) = answered(block, &place)? {
                if !ids.insert(id) {
                    return Err(Refusal::invalid(format!("{place}: `tool_use` ids must be unique")));
                }
                asked.push(id);
            }
        }
        if role == "user" {
            results(content, &open, at)?;
        } else if let Some(kind @ ("thinking" | "redacted_thinking")) =
            content.last().and_then(|last| last["type"].as_str())
        {
            let message = format!("messages.{at}: The final block in an assistant message cannot be `{kind}`.");
            return Err(Refusal::invalid(message));
        }
        open = asked;
    }
    match open.is_empty() {
        true => Ok(()),
        false => Err(unanswered(messages.len(), &open)),
    }
}

fn text(block: &Value, place: &str) -> Result<(), Refusal> {
    match block["text"].as_str().is_none_or(|text| text.trim().is_empty()) {
        true => Err(Refusal::invalid(format!("{place}: text content blocks must contain non-whitespace text"))),
        false => Ok(()),
    }
}

/// A block of a user's message.
fn said(block: &Value, place: &str) -> Result<(), Refusal> {
    match block["type"].as_str().unwrap_or_default() {
        "text" => text(block, place),
        "image" if block["source"]["data"].is_string() => Ok(()),
        "tool_result" if block["content"].is_string() => Ok(()),
        "tool_result" if block["content"].is_array() => returned(block, place),
        other => Err(Refusal::invalid(format!("{place}: unexpected block {other:?} in a message of the user"))),
    }
}

/// The parts of a tool's result. With a failure go words alone.
fn returned(block: &Value, place: &str) -> Result<(), Refusal> {
    for (at, part) in block["content"].as_array().into_iter().flatten().enumerate() {
        match part["type"].as_str().unwrap_or_default() {
            "text" => text(part, &format!("{place}.content.{at}"))?,
            _ if block["is_error"] == true => {
                let message = format!("{place}.tool_result: all content must be type \"text\" if `is_error` is true");
                return Err(Refusal::invalid(message));
            }
            "image" if part["source"]["data"].as_str().is_some_and(|data| !data.is_empty()) => {}
            other => {
                let message = format!("{place}.content.{at}: unexpected block {other:?} in a tool's result");
                return Err(Refusal::invalid(message));
            }
        }
    }
    Ok(())
}

/// A block of an assistant's message; the id if it is a call of a tool.
fn answered<'a>(block: &'a Value, place: &str) -> Result<Option<&'a str>, Refusal> {
    match block["type"].as_str().unwrap_or_default() {
        "text" => text(block, place)?,
        "thinking" => {
            if !block["cache_control"].is_null() {
                return Err(Refusal::invalid(format!("{place}: cache_control cannot be set on thinking blocks")));
            }
            if block["signature"].as_str() != Some(&sign(block["thinking"].as_str().unwrap_or_default())) {
                return Err(Refusal::invalid(format!("{place}: Invalid `signature` in `thinking` block")));
            }
        }
        "redacted_thinking" if block["data"].is_string() => {}
        "tool_use" => {
            if !block["input"].is_object() {
                return Err(Refusal::invalid(format!("{place}.tool_use.input: Input should be an object")));
            }
            let id = block["id"].as_str().filter(|id| !id.is_empty());
            let id = id.ok_or_else(|| Refusal::invalid(format!("{place}.tool_use.id: Field required")))?;
            return Ok(Some(id));
        }
        other if other.starts_with("sim_") => {}
        other => {
            return Err(Refusal::invalid(format!("{place}: unexpected block {other:?} in a message of the assistant")));
        }
    }
    Ok(None)
}

/// The results in a user's message: one for each call in the message before, ahead of anything else.
fn results(content: &[Value], open: &[&str], at: usize) -> Result<(), Refusal> {
    let mut answered: Vec<&str> = Vec::new();
    for (index, block) in content.iter().enumerate().filter(|(_, block)| block["type"] == "tool_result") {
        let place = format!("messages.{at}.content.{index}");
        let id = block["tool_use_id"].as_str().unwrap_or_default();
        if !open.contains(&id) {
            return Err(Refusal::invalid(format!(
                "{place}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )));
        }
        if answered.contains(&id) {
            let message = format!("{place}: each `tool_use` must have a single result. Found multiple for {id}.");
            return Err(Refusal::invalid(message));
        }
        if index != answered.len() {
            return Err(Refusal::invalid(format!("{place}: `tool_result` blocks must come first in a message")));
        }
        answered.push(id);
    }
    let missing: Vec<&str> = open.iter().filter(|id| !answered.contains(id)).copied().collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(unanswered(at, &missing)),
    }
}

fn unanswered(at: usize, ids: &[&str]) -> Refusal {
    Refusal::invalid(format!(
        "messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {}",
        ids.join(", ")
    ))
}

fn marks(value: &Value) -> usize {
    match value {
        Value::Object(map) => map.iter().map(|(key, value)| usize::from(key == "cache_control") + marks(value)).sum(),
        Value::Array(list) => list.iter().map(marks).sum(),
        _ => 0,
    }
}
