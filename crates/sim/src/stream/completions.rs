//! Answers in the Chat Completions API. Google's leave out what other servers leave out, too: the numbers of calls, and
//! that it waits for them.

use serde_json::{Value, json};

use super::{Gone, Reply, Writer, output_tokens, pieces};
use crate::openai::Dialect;
use crate::openai::completions::seal;
use crate::script::Fault;

pub(super) async fn write(out: &Writer<'_>, reply: &Reply) -> Result<(), Gone> {
    let Reply { model, id, input, blocks, stop_reason, silence, fault, dialect } = reply;
    let google = *dialect == Dialect::Google;
    let chunk = |delta: Value, reason: Value| {
        json!({ "id": format!("chatcmpl-{id}"), "object": "chat.completion.chunk", "model": model,
            "choices": [{ "index": 0, "delta": delta, "finish_reason": reason }] })
    };
    let send = async |chunk: Value| out.raw(format!("data: {chunk}\n\n")).await;
    send(chunk(json!({ "role": "assistant", "content": "" }), Value::Null)).await?;
    out.wait(out.config.first_word + *silence).await?;
    let mut calls = 0;
    for (index, block) in blocks.iter().enumerate() {
        let is_last = index + 1 == blocks.len();
        if is_last && *fault != Some(Fault::Cut) && out.fail(*fault).await? {
            return Ok(());
        }
        let string = |key: &str| block[key].as_str().unwrap_or_default();
        match string("type") {
            "thinking" | "text" => {
                let field = if string("type") == "text" { "content" } else { "reasoning_content" };
                for piece in pieces(string(string("type"))) {
                    send(chunk(json!({ field: piece }), Value::Null)).await?;
                    out.wait(out.config.per_word).await?;
                }
            }
            "tool_use" => {
                let arguments = match &block["input"] {
                    Value::String(text) => text.clone(),
                    input => input.to_string(),
                };
                let call = |arguments: &str| {
                    json!({ "index": calls, "id": block["id"], "type": "function",
                        "function": { "name": block["name"], "arguments": arguments } })
                };
                if google {
                    let mut whole = call(&arguments);
                    whole["index"] = 0.into();
                    if calls == 0 {
                        whole["extra_content"] = json!({ "google": { "thought_signature": seal(string("id")) } });
                    }
                    send(chunk(json!({ "tool_calls": [whole] }), Value::Null)).await?;
                } else {
                    send(chunk(json!({ "tool_calls": [call("")] }), Value::Null)).await?;
                    for piece in pieces(&arguments) {
                        let delta = json!({ "index": calls, "function": { "arguments": piece } });
                        send(chunk(json!({ "tool_calls": [delta] }), Value::Null)).await?;
                        out.wait(out.config.per_word).await?;
                    }
                }
                calls += 1;
            }
            // This API has no place for anything else.
            _ => {}
        }
        if is_last && out.fail(*fault).await? {
            return Ok(());
        }
    }
    if blocks.is_empty() && out.fail(*fault).await? {
        return Ok(());
    }
    let reason = match stop_reason.as_str() {
        "max_tokens" | "model_context_window_exceeded" => "length",
        "refusal" => "content_filter",
        _ if calls > 0 && !google => "tool_calls",
        _ => "stop",
    };
    send(chunk(json!({}), reason.into())).await?;
    let output = output_tokens(blocks);
    send(json!({ "id": format!("chatcmpl-{id}"), "model": model, "choices": [], "usage": {
        "prompt_tokens": input.total(), "completion_tokens": output, "total_tokens": input.total() + output,
        "prompt_tokens_details": { "cached_tokens": input.read },
    } }))
    .await?;
    out.raw("data: [DONE]\n\n").await
}
