//! Calls in the Chat Completions API.

use serde_json::{Value, json};

use super::{NO_SEAL, Plain, limit, tool};
use crate::wire::{Refusal, sign};

/// The seal that Google puts on the first call of an answer.
pub(crate) fn seal(id: &str) -> String {
    format!("sig_{}", sign(id))
}

pub(super) fn read(body: &Value, max_output: i64, google: bool) -> Result<Value, Refusal> {
    let mut tools = Vec::new();
    for (at, one) in body["tools"].as_array().into_iter().flatten().enumerate() {
        if one["type"] != "function" {
            return Err(Refusal::invalid(format!("tools[{at}].type: Supported values are: 'function'.")));
        }
        if google && one.to_string().contains("additionalProperties") {
            return Err(Refusal::invalid("Unknown name \"additionalProperties\" at 'tools': Cannot find field."));
        }
        tools.push(tool(&one["function"]));
    }
    let messages = body["messages"].as_array().filter(|messages| !messages.is_empty());
    let messages = messages.ok_or_else(|| Refusal::invalid("Missing required parameter: 'messages'."))?;
    let mut plain = Plain::default();
    let mut system = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let place = format!("messages[{at}]");
        let role = message["role"].as_str().unwrap_or_default();
        if role != "tool" {
            unanswered(&plain)?;
        }
        match role {
            "system" if at == 0 => system.extend(message["content"].as_str().map(str::to_owned)),
            "user" => said(message, &place, &mut plain)?,
            "assistant" => answered(message, &place, google, &mut plain)?,
            "tool" => {
                let id = message["tool_call_id"].as_str().unwrap_or_default();
                let Some(output) = message["content"].as_str() else {
                    return Err(Refusal::invalid(format!("{place}.content: expected a string")));
                };
                if !plain.result(id, output.into()) {
                    return Err(Refusal::invalid(
                        "messages with role 'tool' must be a response to a preceding message with 'tool_calls'.",
                    ));
                }
            }
            other => return Err(Refusal::invalid(format!("{place}.role: Invalid value: '{other}'."))),
        }
    }
    unanswered(&plain)?;
    let (value, name) = match body["max_completion_tokens"].is_null() {
        true => (&body["max_tokens"], "max_tokens"),
        false => (&body["max_completion_tokens"], "max_completion_tokens"),
    };
    let max_tokens = limit(value, name, max_output)?;
    Ok(plain.finish(body, &max_tokens, system, tools))
}

fn said(message: &Value, place: &str, plain: &mut Plain) -> Result<(), Refusal> {
    match &message["content"] {
        Value::String(text) => plain.push("user", json!({ "type": "text", "text": text })),
        Value::Array(parts) if !parts.is_empty() => {
            for part in parts {
                let block = match (part["type"].as_str(), part["text"].as_str(), part["image_url"]["url"].as_str()) {
                    (Some("text"), Some(text), _) => json!({ "type": "text", "text": text }),
                    (Some("image_url"), _, Some(url)) => json!({ "type": "image", "source": { "data": url } }),
                    _ => return Err(Refusal::invalid(format!("{place}.content: Invalid part."))),
                };
                plain.push("user", block);
            }
        }
        _ => return Err(Refusal::invalid(format!("{place}.content: expected a string or an array of parts"))),
    }
    Ok(())
}

fn answered(message: &Value, place: &str, google: bool, plain: &mut Plain) -> Result<(), Refusal> {
    let calls = message["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default();
    match &message["content"] {
        Value::String(text) => plain.push("assistant", json!({ "type": "text", "text": text })),
        Value::Null if !calls.is_empty() => {}
        _ => return Err(Refusal::invalid(format!("{place}.content: expected a string"))),
    }
    for (at, call) in calls.iter().enumerate() {
        let place = format!("{place}.tool_calls[{at}]");
        if call["type"] != "function" {
            return Err(Refusal::invalid(format!("{place}.type: Supported values are: 'function'.")));
        }
        let id = call["id"].as_str().unwrap_or_default();
        let sealed = call["extra_content"]["google"]["thought_signature"].as_str();
        if google && at == 0 && sealed != Some(&seal(id)) && sealed != Some(NO_SEAL) {
            return Err(Refusal::invalid(format!("Function call is missing a thought_signature: {id}.")));
        }
        plain.call(&call["id"], &call["function"]["name"], &call["function"]["arguments"], &place)?;
    }
    Ok(())
}

fn unanswered(plain: &Plain) -> Result<(), Refusal> {
    match plain.open.is_empty() {
        true => Ok(()),
        false => Err(Refusal::invalid(format!(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
            plain.open.join(", ")
        ))),
    }
}
