//! The provider's side of the protocol: what it refuses, how it counts tokens, and what its cache holds.

use std::collections::HashMap;
use std::time::{Duration, Instant};

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
    if marks(body) > 4 {
        return Err(Refusal::invalid(format!(
            "A maximum of 4 blocks with cache_control may be provided. Found {}.",
            marks(body)
        )));
    }
    let messages = body["messages"].as_array().ok_or_else(|| Refusal::invalid("messages: Field required"))?;
    if messages.is_empty() {
        return Err(Refusal::invalid("messages: at least one message is required"));
    }
    let mut open: Vec<&str> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        let expected = if at % 2 == 0 { "user" } else { "assistant" };
        if role != expected {
            return Err(Refusal::invalid(format!("messages.{at}.role: expected {expected:?}, found {role:?}")));
        }
        let content = message["content"].as_array().filter(|content| !content.is_empty());
        let Some(content) = content else {
            return Err(Refusal::invalid(format!("messages.{at}.content: must not be empty")));
        };
        let mut answered: Vec<&str> = Vec::new();
        let mut asked: Vec<&str> = Vec::new();
        for (index, block) in content.iter().enumerate() {
            let place = format!("messages.{at}.content.{index}");
            match block["type"].as_str().unwrap_or_default() {
                "text" if block["text"].as_str().is_none_or(|text| text.trim().is_empty()) => {
                    return Err(Refusal::invalid(format!(
                        "{place}: text content blocks must contain non-whitespace text"
                    )));
                }
                "text" => {}
                "image" if role == "user" && block["source"]["data"].is_string() => {}
                "thinking" if role == "assistant" => {
                    if !block["cache_control"].is_null() {
                        return Err(Refusal::invalid(format!(
                            "{place}: cache_control cannot be set on thinking blocks"
                        )));
                    }
                    if block["signature"].as_str() != Some(&sign(block["thinking"].as_str().unwrap_or_default())) {
                        return Err(Refusal::invalid(format!("{place}: Invalid `signature` in `thinking` block")));
                    }
                }
                "redacted_thinking" if role == "assistant" && block["data"].is_string() => {}
                "tool_use" if role == "assistant" => {
                    if !block["input"].is_object() {
                        return Err(Refusal::invalid(format!("{place}.tool_use.input: Input should be an object")));
                    }
                    asked.push(block["id"].as_str().unwrap_or_default());
                }
                "tool_result" if role == "user" => {
                    let id = block["tool_use_id"].as_str().unwrap_or_default();
                    if !open.contains(&id) {
                        return Err(Refusal::invalid(format!(
                            "{place}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
                        )));
                    }
                    answered.push(id);
                }
                other if role == "assistant" && other.starts_with("sim_") => {}
                other => {
                    return Err(Refusal::invalid(format!(
                        "{place}: unexpected block {other:?} in a message of the {role}"
                    )));
                }
            }
        }
        let missing: Vec<&&str> = open.iter().filter(|id| !answered.contains(id)).collect();
        if role == "user" && !missing.is_empty() {
            return Err(Refusal::invalid(format!(
                "messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {missing:?}"
            )));
        }
        open = asked;
    }
    if !open.is_empty() {
        return Err(Refusal::invalid("`tool_use` ids were found without `tool_result` blocks immediately after"));
    }
    Ok(())
}

fn marks(value: &Value) -> usize {
    match value {
        Value::Object(map) => map.iter().map(|(key, value)| usize::from(key == "cache_control") + marks(value)).sum(),
        Value::Array(list) => list.iter().map(marks).sum(),
        _ => 0,
    }
}

/// Input tokens of one call, sorted by price.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Input {
    /// Neither read from nor written to the cache.
    pub fresh: i64,
    /// Read from the cache.
    pub read: i64,
    /// Written to the cache.
    pub written: i64,
}

impl Input {
    /// All of them.
    pub const fn total(&self) -> i64 {
        self.fresh + self.read + self.written
    }
}

/// How long a prefix stays cached after its last use.
const LIFE: Duration = Duration::from_secs(5 * 60);
/// Blocks before a breakpoint in which a cached prefix is looked for.
const LOOK_BACK: usize = 20;
/// Prefixes that are remembered at most.
const REMEMBERED: usize = 100_000;

/// The provider's prompt cache: prefixes of requests, by key and model.
#[derive(Debug, Default)]
pub struct Cache {
    prefixes: HashMap<[u8; 32], Instant>,
}

impl Cache {
    /// Counts a request's input, and remembers its prefixes.
    pub fn count(&mut self, key: &str, body: &Value) -> Input {
        let now = Instant::now();
        if self.prefixes.len() > REMEMBERED {
            self.prefixes.retain(|_, used| now.duration_since(*used) < LIFE);
        }
        let mut hash = Sha256::new_with_prefix(format!("{key}\n{}\n", body["model"]));
        let mut prefixes: Vec<([u8; 32], i64, bool)> = Vec::new();
        let mut sum = 0;
        let lists = [&body["tools"], &body["system"]]
            .into_iter()
            .chain(body["messages"].as_array().into_iter().flatten().map(|message| &message["content"]));
        for block in lists.flat_map(|list| list.as_array().into_iter().flatten()) {
            let mut plain = block.clone();
            let marked = plain.as_object_mut().is_some_and(|map| map.remove("cache_control").is_some());
            let text = plain.to_string();
            sum += tokens(text.len());
            hash.update(&text);
            prefixes.push((hash.clone().finalize().into(), sum, marked));
        }
        let mut input = Input::default();
        let mut upto = 0;
        for (at, (_, until, _)) in prefixes.iter().enumerate().filter(|(_, (_, _, marked))| *marked) {
            let known = prefixes[at.saturating_sub(LOOK_BACK)..=at]
                .iter()
                .rev()
                .find(|(hash, _, _)| self.prefixes.get(hash).is_some_and(|used| now.duration_since(*used) < LIFE));
            input.read = input.read.max(known.map_or(0, |(_, until, _)| *until));
            upto = *until;
        }
        input.written = (upto - input.read).max(0);
        input.fresh = sum - input.read - input.written;
        for (hash, _, _) in prefixes.iter().filter(|(_, _, marked)| *marked) {
            self.prefixes.insert(*hash, now);
        }
        input
    }
}
