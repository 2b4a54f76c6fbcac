//! Calls in the Responses API.

use serde_json::{Value, json};

use super::{Plain, limit, tool};
use crate::wire::{Refusal, sign};

/// The seal on reasoning that is shown in these words.
pub(crate) fn seal(words: &str) -> String {
    format!("enc_{}", sign(words))
}

/// The beginning of the seal on reasoning that is not shown.
pub(crate) const HIDDEN: &str = "enc_hidden_";

pub(super) fn read(body: &Value, max_output: i64) -> Result<Value, Refusal> {
    if body["store"] != false {
        return Err(Refusal::invalid("store: nothing is stored here; it must be false"));
    }
    let mut tools = Vec::new();
    for (at, one) in body["tools"].as_array().into_iter().flatten().enumerate() {
        if one["type"] != "function" {
            return Err(Refusal::invalid(format!("tools[{at}].type: only functions are simulated")));
        }
        tools.push(tool(one));
    }
    let items = body["input"].as_array().filter(|items| !items.is_empty());
    let items = items.ok_or_else(|| Refusal::invalid("Missing required parameter: 'input'."))?;
    let sealed = body["include"].as_array().is_some_and(|list| list.contains(&json!("reasoning.encrypted_content")));
    let mut plain = Plain::default();
    for (at, item) in items.iter().enumerate() {
        let place = format!("input[{at}]");
        match (item["type"].as_str().unwrap_or_default(), item["role"].as_str()) {
            ("message", Some("user")) => {
                unanswered(&plain)?;
                for part in parts(item, &place)? {
                    plain.push("user", said(part, &place)?);
                }
            }
            ("message", Some("assistant")) => {
                unanswered(&plain)?;
                for part in parts(item, &place)? {
                    match (part["type"].as_str(), part["text"].as_str()) {
                        (Some("output_text"), Some(text)) => {
                            plain.push("assistant", json!({ "type": "text", "text": text }));
                        }
                        _ => return Err(Refusal::invalid(format!("{place}: Supported values are: 'output_text'."))),
                    }
                }
            }
            ("function_call", _) => plain.call(&item["call_id"], &item["name"], &item["arguments"], &place)?,
            ("function_call_output", _) => {
                let id = item["call_id"].as_str().unwrap_or_default();
                let output = match &item["output"] {
                    Value::String(words) => words.as_str().into(),
                    Value::Array(parts) if !parts.is_empty() => {
                        parts.iter().map(|part| said(part, &format!("{place}.output"))).collect::<Result<Value, _>>()?
                    }
                    _ => {
                        return Err(Refusal::invalid(format!(
                            "{place}.output: expected a string or an array of parts"
                        )));
                    }
                };
                if !plain.result(id, output) {
                    let message = format!("No tool call found for function call output with call_id {id}.");
                    return Err(Refusal::invalid(message));
                }
            }
            ("reasoning", _) => {
                let next = items.get(at + 1).map(|next| (next["type"].as_str(), next["role"].as_str()));
                let led_to = matches!(next, Some((Some("reasoning" | "function_call"), _) | (_, Some("assistant"))));
                if !led_to {
                    let id = item["id"].as_str().unwrap_or_default();
                    return Err(Refusal::invalid(format!(
                        "Item '{id}' of type 'reasoning' was provided without its required following item."
                    )));
                }
                if !sealed {
                    return Err(Refusal::invalid(
                        "include: 'reasoning.encrypted_content' is needed when nothing is stored",
                    ));
                }
                plain.push("assistant", thought(item)?);
            }
            (kind, _) => return Err(Refusal::invalid(format!("{place}: Invalid value: '{kind}'."))),
        }
    }
    unanswered(&plain)?;
    let max_tokens = limit(&body["max_output_tokens"], "max_output_tokens", max_output)?;
    let system = body["instructions"].as_str().map(str::to_owned).into_iter().collect();
    Ok(plain.finish(body, &max_tokens, system, tools))
}

fn parts<'a>(item: &'a Value, place: &str) -> Result<&'a [Value], Refusal> {
    let parts = item["content"].as_array().filter(|parts| !parts.is_empty());
    parts.map(Vec::as_slice).ok_or_else(|| Refusal::invalid(format!("{place}.content: must not be empty")))
}

fn said(part: &Value, place: &str) -> Result<Value, Refusal> {
    match (part["type"].as_str(), part["text"].as_str(), part["image_url"].as_str()) {
        (Some("input_text"), Some(text), _) => Ok(json!({ "type": "text", "text": text })),
        (Some("input_image"), _, Some(url)) if url.starts_with("data:image/") => {
            Ok(json!({ "type": "image", "source": { "data": url } }))
        }
        _ => Err(Refusal::invalid(format!("{place}: Supported values are: 'input_text' and 'input_image'."))),
    }
}

fn thought(item: &Value) -> Result<Value, Refusal> {
    let seal_of_item = item["encrypted_content"].as_str().unwrap_or_default();
    let summary = item["summary"].as_array().map(Vec::as_slice).unwrap_or_default();
    let words: Vec<&str> = summary.iter().filter_map(|part| part["text"].as_str()).collect();
    let words = words.join("\n\n");
    if let Some(data) = seal_of_item.strip_prefix(HIDDEN).filter(|_| words.is_empty()) {
        return Ok(json!({ "type": "redacted_thinking", "data": data }));
    }
    match seal_of_item == seal(&words) {
        true => Ok(json!({ "type": "thinking", "thinking": words, "signature": sign(&words) })),
        false => Err(Refusal::invalid(format!(
            "The encrypted content for item {} could not be verified.",
            item["id"].as_str().unwrap_or_default()
        ))),
    }
}

fn unanswered(plain: &Plain) -> Result<(), Refusal> {
    match plain.open.first() {
        Some(id) => Err(Refusal::invalid(format!("No tool output found for function call {id}."))),
        None => Ok(()),
    }
}
