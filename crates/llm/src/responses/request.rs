//! How a call is written for the Responses API.

use guildhall_types::chat::{Block, Message, Picture, Role, UNSHOWN};
use guildhall_types::feature::ThinkingLevel;
use serde_json::{Value, json};

use super::NAME;
use crate::Request;
use crate::dialect::Without;
use crate::models::{self, Reasoning};

/// The body of a streamed call. Nothing is stored with the provider: the whole conversation goes with each call, and what
/// the model reasoned goes with it as the provider sealed it.
pub(crate) fn body(request: &Request<'_>, without: Without) -> Value {
    let mut body = json!({
        "model": models::wire_name(request.model),
        "input": input(request.messages, without),
        "max_output_tokens": request.max_tokens,
        "stream": true,
        "store": false,
    });
    let system: Vec<&str> =
        request.system.iter().map(|part| part.text.as_str()).filter(|text| !text.is_empty()).collect();
    if !system.is_empty() {
        body["instructions"] = system.join("\n\n").into();
    }
    let tools: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| {
            json!({ "type": "function", "name": tool.name, "description": tool.description,
                "parameters": tool.input_schema, "strict": false })
        })
        .collect();
    if !tools.is_empty() {
        body["tools"] = tools.into();
        if request.must_call {
            body["tool_choice"] = "required".into();
        }
    }
    let reasons = models::assume(request.model).reasoning != Reasoning::None;
    if let Some(temperature) = request.temperature.filter(|_| !reasons && !without.temperature) {
        body["temperature"] = temperature.into();
    }
    if reasons && !without.reasoning {
        body["include"] = json!(["reasoning.encrypted_content"]);
        body["reasoning"] = json!({ "effort": effort(request.thinking) });
        if !without.summary {
            body["reasoning"]["summary"] = "auto".into();
        }
    }
    body
}

/// The levels that every reasoning model takes.
const fn effort(thinking: ThinkingLevel) -> &'static str {
    match thinking {
        ThinkingLevel::None | ThinkingLevel::Low => "low",
        ThinkingLevel::Medium => "medium",
        ThinkingLevel::High | ThinkingLevel::Ultrathink => "high",
    }
}

fn input(messages: &[Message], without: Without) -> Vec<Value> {
    let mut items: Vec<Value> = Vec::new();
    for message in messages {
        match message.role {
            Role::User => said(&message.content, &mut items),
            Role::Assistant => answered(&message.content, without, &mut items),
        }
    }
    // Before its turn is over, an answer may end with reasoning only if it was cut off there.
    drop_loose_reasoning(&mut items);
    items
}

fn said(content: &[Block], items: &mut Vec<Value>) {
    drop_loose_reasoning(items);
    let mut parts = Vec::new();
    for block in content {
        match block {
            Block::Text { text } if !text.trim().is_empty() => {
                parts.push(json!({ "type": "input_text", "text": text }))
            }
            Block::Image { media_type, data } => parts.push(image(media_type, data)),
            Block::Picture(seen) => parts.push(picture(seen)),
            Block::ToolResult { tool_use_id, content, is_error, images } => {
                let words = if *is_error { format!("The call failed: {content}") } else { content.clone() };
                let output = match images.is_empty() {
                    true => words.into(),
                    false => {
                        let words = (!words.trim().is_empty()).then(|| json!({ "type": "input_text", "text": words }));
                        words.into_iter().chain(images.iter().map(picture)).collect::<Value>()
                    }
                };
                items.push(json!({ "type": "function_call_output", "call_id": tool_use_id, "output": output }));
            }
            _ => {}
        }
    }
    if !parts.is_empty() {
        items.push(json!({ "type": "message", "role": "user", "content": parts }));
    }
}

fn image(media_type: &str, data: &str) -> Value {
    json!({ "type": "input_image", "image_url": format!("data:{media_type};base64,{data}") })
}

fn picture(picture: &Picture) -> Value {
    match picture.data() {
        Some(data) => image(&picture.media_type, data),
        None => json!({ "type": "input_text", "text": UNSHOWN }),
    }
}

fn answered(content: &[Block], without: Without, items: &mut Vec<Value>) {
    for block in content {
        match block {
            Block::Text { text } if !text.trim().is_empty() => {
                let part = json!({ "type": "output_text", "text": text });
                items.push(json!({ "type": "message", "role": "assistant", "content": [part] }));
            }
            Block::ToolUse { id, name, input } => {
                // Arguments that were no JSON cannot go back; the tool's result says what they were.
                let arguments = if input.is_object() { input.to_string() } else { "{}".to_owned() };
                items.push(json!({ "type": "function_call", "call_id": id, "name": name, "arguments": arguments }));
            }
            Block::Sealed { dialect, item } if dialect == NAME && !without.sealed => items.push(item.clone()),
            _ => {}
        }
    }
}

/// The provider takes no reasoning without what it led to.
fn drop_loose_reasoning(items: &mut Vec<Value>) {
    while items.pop_if(|last| last["type"] == "reasoning").is_some() {}
}

#[cfg(test)]
mod tests;
