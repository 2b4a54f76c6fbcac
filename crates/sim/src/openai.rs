//! The dialects of OpenAI: what they refuse, in which words, and what a call in them means. A call is put into the words of
//! the Messages API, by which the answer is chosen.

pub(crate) mod completions;
pub(crate) mod responses;

use std::collections::HashSet;

use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::wire::Refusal;

/// The protocol of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// The Anthropic Messages API.
    Messages,
    /// The OpenAI Responses API.
    Responses,
    /// The Chat Completions API.
    Completions,
    /// The same as Google has it for Gemini.
    Google,
}

/// What Google takes in the place of a seal on calls that another model made.
pub(crate) const NO_SEAL: &str = "skip_thought_signature_validator";

/// The key of a request. Keys that begin with `sk-bad` are unknown, those with `sk-poor` have no credit.
pub(crate) fn key(headers: &HeaderMap) -> Result<String, Refusal> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let unknown = |message: &str| Refusal { status: 401, kind: "authentication_error", message: message.to_owned() };
    match header.strip_prefix("Bearer ").unwrap_or_default() {
        "" => Err(unknown("You didn't provide an API key.")),
        bad if bad.starts_with("sk-bad") => Err(unknown("Incorrect API key provided.")),
        poor if poor.starts_with("sk-poor") => {
            Err(Refusal { status: 400, kind: "billing_error", message: String::new() })
        }
        key => Ok(key.to_owned()),
    }
}

/// A refusal as these providers write it.
pub(crate) fn refused(dialect: Dialect, refusal: &Refusal) -> Response {
    let Refusal { status, kind, message } = refusal;
    let quota = "You exceeded your current quota, please check your plan and billing details.";
    let overlong = message.starts_with("prompt is too long");
    let (status, kind, code, word, message) = match *kind {
        "rate_limit_error" => (429, "tokens", Some("rate_limit_exceeded"), "RESOURCE_EXHAUSTED", message.as_str()),
        "overloaded_error" => {
            (503, "server_error", Some("server_is_overloaded"), "UNAVAILABLE", "The model is overloaded.")
        }
        "api_error" => (500, "server_error", None, "INTERNAL", message.as_str()),
        "authentication_error" => {
            (401, "invalid_request_error", Some("invalid_api_key"), "UNAUTHENTICATED", message.as_str())
        }
        "billing_error" => (429, "insufficient_quota", Some("insufficient_quota"), "RESOURCE_EXHAUSTED", quota),
        _ if overlong => (
            400,
            "invalid_request_error",
            Some("context_length_exceeded"),
            "INVALID_ARGUMENT",
            "The input token count exceeds the maximum number of tokens allowed: your input exceeds the context window.",
        ),
        _ => (*status, "invalid_request_error", None, "INVALID_ARGUMENT", message.as_str()),
    };
    let body = match dialect {
        Dialect::Google if kind != "insufficient_quota" => {
            json!([{ "error": { "code": status, "message": message, "status": word } }])
        }
        _ => json!({ "error": { "message": message, "type": kind, "param": null, "code": code } }),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(body)).into_response()
}

/// The call in the words of the Messages API.
pub(crate) fn as_messages(dialect: Dialect, body: &Value, max_output: i64) -> Result<Value, Refusal> {
    if body["stream"] != true {
        return Err(Refusal::invalid("stream: only streamed answers are simulated in this dialect"));
    }
    match dialect {
        Dialect::Responses => responses::read(body, max_output),
        _ => completions::read(body, max_output, dialect == Dialect::Google),
    }
}

/// These providers keep every prefix by themselves: as if each message ended with a mark.
pub(crate) fn mark(body: &mut Value) {
    let ends = |list: &mut Value| {
        let last = list.as_array_mut().and_then(|list| list.last_mut());
        if let Some(last) = last.filter(|last| last["type"] != "thinking") {
            last["cache_control"] = json!({ "type": "ephemeral" });
        }
    };
    ends(&mut body["tools"]);
    ends(&mut body["system"]);
    for message in body["messages"].as_array_mut().into_iter().flatten() {
        ends(&mut message["content"]);
    }
}

/// A call under construction.
#[derive(Default)]
struct Plain {
    messages: Vec<Value>,
    /// Calls that wait for their results.
    open: Vec<String>,
    ids: HashSet<String>,
}

impl Plain {
    fn push(&mut self, role: &str, block: Value) {
        match self.messages.last_mut().filter(|last| last["role"] == role) {
            Some(last) => {
                if let Some(content) = last["content"].as_array_mut() {
                    content.push(block);
                }
            }
            None => self.messages.push(json!({ "role": role, "content": [block] })),
        }
    }

    fn call(&mut self, id: &Value, name: &Value, arguments: &Value, place: &str) -> Result<(), Refusal> {
        let id = id.as_str().unwrap_or_default();
        if id.is_empty() || id.len() > 64 {
            return Err(Refusal::invalid(format!("{place}: the id of a call has 1 to 64 characters")));
        }
        if !self.ids.insert(id.to_owned()) {
            return Err(Refusal::invalid(format!("{place}: Duplicate call id {id}.")));
        }
        let input = arguments.as_str().and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
        let Some(input) = input else {
            return Err(Refusal::invalid(format!("{place}: arguments are a text with a JSON object")));
        };
        self.open.push(id.to_owned());
        self.push("assistant", json!({ "type": "tool_use", "id": id, "name": name, "input": input }));
        Ok(())
    }

    /// The result of a call; false when nobody waits for it.
    fn result(&mut self, id: &str, output: Value) -> bool {
        let Some(at) = self.open.iter().position(|open| open == id) else { return false };
        self.open.remove(at);
        self.push("user", json!({ "type": "tool_result", "tool_use_id": id, "content": output }));
        true
    }

    fn finish(self, body: &Value, max_tokens: &Value, system: Vec<String>, tools: Vec<Value>) -> Value {
        let mut plain =
            json!({ "model": body["model"], "max_tokens": max_tokens, "messages": self.messages, "stream": true });
        let system: Vec<Value> = system.into_iter().map(|text| json!({ "type": "text", "text": text })).collect();
        if !system.is_empty() {
            plain["system"] = system.into();
        }
        if !tools.is_empty() {
            plain["tools"] = tools.into();
        }
        plain
    }
}

/// The limit on the answer's length.
fn limit(value: &Value, name: &str, max_output: i64) -> Result<Value, Refusal> {
    match value.as_i64() {
        None if value.is_null() => Ok(max_output.into()),
        Some(limit) if (16..=max_output).contains(&limit) => Ok(limit.into()),
        _ => Err(Refusal::invalid(format!(
            "Invalid '{name}': integer above maximum value. Expected a value from 16 to {max_output}."
        ))),
    }
}

fn tool(function: &Value) -> Value {
    json!({ "name": function["name"], "description": function["description"], "input_schema": function["parameters"] })
}
