//! Answers in the Responses API.

use serde_json::{Value, json};

use super::{Gone, Reply, Writer, output_tokens, pieces};
use crate::cache::Input;
use crate::openai::responses::{HIDDEN, seal};
use crate::script::Fault;

pub(super) async fn write(out: &Writer<'_>, reply: &Reply) -> Result<(), Gone> {
    let Reply { model, id, input, blocks, stop_reason, silence, fault, .. } = reply;
    let response = |status: &str| json!({ "id": format!("resp_{id}"), "object": "response", "model": model, "status": status, "output": [] });
    out.event(json!({ "type": "response.created", "response": response("in_progress") })).await?;
    out.event(json!({ "type": "response.in_progress", "response": response("in_progress") })).await?;
    out.event(json!({ "type": "response.an_event_of_the_future", "detail": 1 })).await?;
    out.wait(out.config.first_word + *silence).await?;
    for (index, block) in blocks.iter().enumerate() {
        let is_last = index + 1 == blocks.len();
        if is_last && *fault != Some(Fault::Cut) && out.fail(*fault).await? {
            return Ok(());
        }
        let item = item(block, &format!("{id}_{index}"));
        begin(out, index, &item).await?;
        if is_last && out.fail(*fault).await? {
            return Ok(());
        }
        out.event(json!({ "type": "response.output_item.done", "output_index": index, "item": item })).await?;
    }
    if blocks.is_empty() && out.fail(*fault).await? {
        return Ok(());
    }
    let (kind, reason) = match stop_reason.as_str() {
        "max_tokens" | "model_context_window_exceeded" => ("incomplete", Some("max_output_tokens")),
        "refusal" => ("incomplete", Some("content_filter")),
        _ => ("completed", None),
    };
    let mut end = response(kind);
    end["usage"] = usage(*input, output_tokens(blocks));
    if let Some(reason) = reason {
        end["incomplete_details"] = json!({ "reason": reason });
    }
    out.event(json!({ "type": format!("response.{kind}"), "response": end })).await
}

fn usage(input: Input, output: i64) -> Value {
    json!({
        "input_tokens": input.total(),
        "input_tokens_details": { "cached_tokens": input.read },
        "output_tokens": output,
        "output_tokens_details": { "reasoning_tokens": 0 },
        "total_tokens": input.total() + output,
    })
}

/// A block as an item of this API, whole.
fn item(block: &Value, id: &str) -> Value {
    let string = |key: &str| block[key].as_str().unwrap_or_default();
    match string("type") {
        "thinking" => {
            let words = string("thinking");
            json!({ "type": "reasoning", "id": format!("rs_{id}"), "encrypted_content": seal(words),
                "summary": [{ "type": "summary_text", "text": words }] })
        }
        "redacted_thinking" => {
            let sealed = format!("{HIDDEN}{}", string("data"));
            json!({ "type": "reasoning", "id": format!("rs_{id}"), "summary": [], "encrypted_content": sealed })
        }
        "tool_use" => {
            let arguments = match &block["input"] {
                Value::String(text) => text.clone(),
                input => input.to_string(),
            };
            json!({ "type": "function_call", "id": format!("fc_{id}"), "call_id": block["id"], "name": block["name"],
                "arguments": arguments, "status": "completed" })
        }
        _ => {
            let content = json!([{ "type": "output_text", "text": string("text"), "annotations": [] }]);
            json!({ "type": "message", "id": format!("msg_{id}"), "role": "assistant", "content": content })
        }
    }
}

/// An item, but for its end.
async fn begin(out: &Writer<'_>, index: usize, item: &Value) -> Result<(), Gone> {
    let mut empty = item.clone();
    let (text, kind) = match item["type"].as_str().unwrap_or_default() {
        "reasoning" => {
            empty["summary"] = json!([]);
            (item["summary"][0]["text"].as_str().unwrap_or_default(), "reasoning_summary_text")
        }
        "function_call" => {
            empty["arguments"] = "".into();
            (item["arguments"].as_str().unwrap_or_default(), "function_call_arguments")
        }
        _ => {
            empty["content"] = json!([]);
            (item["content"][0]["text"].as_str().unwrap_or_default(), "output_text")
        }
    };
    out.event(json!({ "type": "response.output_item.added", "output_index": index, "item": empty })).await?;
    if kind == "reasoning_summary_text" && !text.is_empty() {
        out.event(
            json!({ "type": "response.reasoning_summary_part.added", "output_index": index, "summary_index": 0 }),
        )
        .await?;
    }
    for piece in pieces(text) {
        out.event(json!({ "type": format!("response.{kind}.delta"), "item_id": item["id"], "output_index": index,
            "delta": piece }))
            .await?;
        out.wait(out.config.per_word).await?;
    }
    out.event(
        json!({ "type": format!("response.{kind}.done"), "output_index": index, "text": text, "arguments": text }),
    )
    .await
}
