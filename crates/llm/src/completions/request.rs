//! How a call is written for the Chat Completions API.

use guildhall_types::chat::{Block, Message, Picture, Role, UNSHOWN};
use guildhall_types::feature::ThinkingLevel;
use guildhall_types::member::ProviderKind;
use serde_json::{Value, json};

use super::NAME;
use crate::Request;
use crate::dialect::Without;
use crate::models;

/// What Google takes in the place of a seal on calls that another model made.
const NO_SEAL: &str = "skip_thought_signature_validator";

/// The body of a streamed call.
pub(crate) fn body(request: &Request<'_>, provider: ProviderKind, without: Without) -> Value {
    let google = provider == ProviderKind::Google;
    let mut messages: Vec<Value> = Vec::new();
    let system: Vec<&str> =
        request.system.iter().map(|part| part.text.as_str()).filter(|text| !text.is_empty()).collect();
    if !system.is_empty() {
        messages.push(json!({ "role": "system", "content": system.join("\n\n") }));
    }
    for message in request.messages {
        match message.role {
            Role::User => said(message, &mut messages),
            Role::Assistant => answered(message, google, &mut messages),
        }
    }
    let limit = if without.max_tokens { "max_completion_tokens" } else { "max_tokens" };
    let mut body = json!({
        "model": models::wire_name(request.model),
        "messages": messages,
        limit: request.max_tokens,
        "stream": true,
    });
    if !without.usage {
        body["stream_options"] = json!({ "include_usage": true });
    }
    let tools: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| {
            let parameters = if google { plain(&tool.input_schema) } else { tool.input_schema.clone() };
            json!({ "type": "function", "function":
                { "name": tool.name, "description": tool.description, "parameters": parameters } })
        })
        .collect();
    if !tools.is_empty() {
        body["tools"] = tools.into();
        if request.must_call {
            body["tool_choice"] = "required".into();
        }
    }
    if let Some(temperature) = request.temperature.filter(|_| !without.temperature) {
        body["temperature"] = temperature.into();
    }
    // Of other servers nobody knows whether they take it.
    if google && !without.reasoning {
        body["reasoning_effort"] = effort(request.thinking).into();
    }
    body
}

const fn effort(thinking: ThinkingLevel) -> &'static str {
    match thinking {
        ThinkingLevel::None | ThinkingLevel::Low => "low",
        ThinkingLevel::Medium => "medium",
        ThinkingLevel::High | ThinkingLevel::Ultrathink => "high",
    }
}

/// A schema without the words that Google has refused.
fn plain(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| !matches!(key.as_str(), "additionalProperties" | "$schema"))
            .map(|(key, value)| (key.clone(), plain(value)))
            .collect(),
        Value::Array(list) => list.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// The results of tools come first, right behind the calls; then whatever else is said, as one message: several models'
/// templates want user and assistant in turns. A tool's message holds text alone here, so that the images of its result
/// follow as if they were said.
fn said(message: &Message, messages: &mut Vec<Value>) {
    let mut parts: Vec<Value> = Vec::new();
    for block in &message.content {
        match block {
            Block::ToolResult { tool_use_id, content, is_error, images } => {
                let content = if *is_error { format!("The call failed: {content}") } else { content.clone() };
                messages.push(json!({ "role": "tool", "tool_call_id": tool_use_id, "content": content }));
                if !images.is_empty() {
                    let whose = format!("The images that the call {tool_use_id} of a tool returned:");
                    parts.push(json!({ "type": "text", "text": whose }));
                    parts.extend(images.iter().map(picture));
                }
            }
            Block::Text { text } if !text.trim().is_empty() => parts.push(json!({ "type": "text", "text": text })),
            Block::Image { media_type, data } => parts.push(image(media_type, data)),
            Block::Picture(seen) => parts.push(picture(seen)),
            _ => {}
        }
    }
    if parts.is_empty() {
        return;
    }
    if let Some(last) = messages.last_mut().filter(|last| last["role"] == "user") {
        let mut all = match last["content"].take() {
            Value::Array(list) => list,
            text => vec![json!({ "type": "text", "text": text })],
        };
        all.append(&mut parts);
        last["content"] = content(all);
    } else {
        messages.push(json!({ "role": "user", "content": content(parts) }));
    }
}

fn image(media_type: &str, data: &str) -> Value {
    json!({ "type": "image_url", "image_url": { "url": format!("data:{media_type};base64,{data}") } })
}

fn picture(picture: &Picture) -> Value {
    match picture.data() {
        Some(data) => image(&picture.media_type, data),
        None => json!({ "type": "text", "text": UNSHOWN }),
    }
}

/// Texts alone are one text: some servers take no list.
fn content(parts: Vec<Value>) -> Value {
    let texts: Option<Vec<&str>> = parts.iter().map(|part| part["text"].as_str()).collect();
    match texts {
        Some(texts) => texts.join("\n\n").into(),
        None => parts.into(),
    }
}

fn answered(message: &Message, google: bool, messages: &mut Vec<Value>) {
    let text = message.plain_text();
    let mut calls: Vec<Value> = Vec::new();
    for (id, name, input) in message.tool_uses() {
        // Arguments that were no JSON cannot go back; the tool's result says what they were.
        let arguments = if input.is_object() { input.to_string() } else { "{}".to_owned() };
        let mut call = json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } });
        if let Some(extra) = sealed_with(message, id) {
            call["extra_content"] = extra.clone();
        } else if google && calls.is_empty() {
            call["extra_content"] = json!({ "google": { "thought_signature": NO_SEAL } });
        }
        calls.push(call);
    }
    let words = !text.trim().is_empty();
    if !words && calls.is_empty() {
        return;
    }
    if let Some(last) = messages.last_mut().filter(|last| last["role"] == "assistant" && last["tool_calls"].is_null()) {
        let before = last["content"].as_str().unwrap_or_default().to_owned();
        last["content"] = if words { format!("{before}\n\n{text}").into() } else { before.into() };
        if !calls.is_empty() {
            last["tool_calls"] = calls.into();
        }
        return;
    }
    let mut answer = json!({ "role": "assistant", "content": if words { Value::from(text) } else { Value::Null } });
    if !calls.is_empty() {
        answer["tool_calls"] = calls.into();
    }
    messages.push(answer);
}

/// What came beside a call and goes back with it.
fn sealed_with<'a>(message: &'a Message, call: &str) -> Option<&'a Value> {
    message.content.iter().find_map(|block| match block {
        Block::Sealed { dialect, item } if dialect == NAME && item["tool_call_id"] == call => {
            Some(&item["extra_content"])
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests;
