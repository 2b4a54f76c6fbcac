//! Prompts: the team's active blueprints, each with a task to do by it.

use std::sync::Arc;

use axum::Router;
use guildhall_types::rights::MemberRight;
use serde_json::{Value, json};

use super::call::Caller;
use super::resources::ask;
use crate::problem::Problem;

/// Blueprints of a page.
const PAGE: i64 = 100;
/// Letters of a name at most, without what tells it from others.
const NAME: usize = 40;

/// A page of prompts, and where the next one begins; nothing for who may not look at the team's work.
///
/// # Errors
/// What the route refuses with.
pub async fn list(
    routes: &Router,
    caller: &Caller,
    cursor: Option<&str>,
) -> Result<(Vec<Value>, Option<String>), Arc<Problem>> {
    if !caller.signed.may(MemberRight::Read) {
        return Ok((Vec::new(), None));
    }
    let page = page(routes, caller, cursor).await?;
    let items = page["items"].as_array().into_iter().flatten().map(prompt).collect();
    Ok((items, page["next"].as_str().map(str::to_owned)))
}

async fn page(routes: &Router, caller: &Caller, after: Option<&str>) -> Result<Value, Arc<Problem>> {
    let asked = json!({ "kind": "blueprint", "status": "active", "after": after, "limit": PAGE });
    ask(routes, caller, "knowledge_list", asked).await
}

fn prompt(blueprint: &Value) -> Value {
    json!({
        "name": name(blueprint),
        "title": blueprint["name"],
        "description": blueprint["description"],
        "arguments": [{ "name": "task", "description": "What is to be done by this blueprint.", "required": true }],
    })
}

/// A name that clients can take for a command: that of the blueprint, and the end of its id.
fn name(blueprint: &Value) -> String {
    let (words, id) = (blueprint["name"].as_str().unwrap_or_default(), blueprint["id"].as_str().unwrap_or_default());
    let mut name = String::new();
    for letter in words.chars().flat_map(char::to_lowercase) {
        match letter {
            letter if letter.is_ascii_alphanumeric() => name.push(letter),
            _ if !name.ends_with('-') && !name.is_empty() => name.push('-'),
            _ => {}
        }
        if name.len() == NAME {
            break;
        }
    }
    format!("{}-{}", name.trim_end_matches('-'), id.get(id.len().saturating_sub(6)..).unwrap_or_default())
}

/// The blueprint of this name with a task; nothing when none is active under it.
///
/// # Errors
/// What the routes refuse with.
pub async fn get(routes: &Router, caller: &Caller, wanted: &str, task: &str) -> Result<Option<Value>, Arc<Problem>> {
    let mut after = None;
    loop {
        let page = page(routes, caller, after.as_deref()).await?;
        let found = page["items"].as_array().into_iter().flatten().find(|blueprint| name(blueprint) == wanted);
        if let Some(found) = found {
            let whole = ask(routes, caller, "knowledge_get", json!({ "itemId": found["id"] })).await?;
            let content = whole["item"]["content"].as_str().unwrap_or_default();
            let text = format!("Do the task below by this blueprint of the team.\n\n{content}\n\n# Task\n\n{task}");
            return Ok(Some(json!({
                "description": found["description"],
                "messages": [{ "role": "user", "content": { "type": "text", "text": text } }],
            })));
        }
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_plain_word_and_its_own() {
        let of = |words: &str| name(&json!({ "name": words, "id": "01890000-0000-7000-8000-0000000abcde" }));
        assert_eq!(of("Error handling, in Rust!"), "error-handling-in-rust-0abcde");
        assert_eq!(of("完成"), "-0abcde");
        assert!(of(&"x".repeat(200)).len() <= NAME + 7);
    }
}
