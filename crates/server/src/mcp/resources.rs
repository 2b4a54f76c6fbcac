//! Resources: what can be read by an address of its own.

use std::sync::Arc;

use axum::Router;
use guildhall_types::rights::MemberRight;
use serde_json::{Map, Value, json};

use super::call::{Caller, call};
use super::tools::{KINDS, named};
use crate::problem::Problem;

/// What a card's address begins with; its id follows.
const FEATURE: &str = "guildhall://feature/";
/// What an item's address begins with; its kind and its id follow.
const KNOWLEDGE: &str = "guildhall://knowledge/";
/// Resources of a page.
const PAGE: i64 = 50;
/// Projects that are read at once.
const PROJECTS: i64 = 50;
/// Bytes of an answer at most of which only a little is given on.
const LOOKED_AT: usize = 32 * 1024 * 1024;

/// The forms of addresses that can be read.
pub fn templates() -> Value {
    json!([
        {
            "uriTemplate": format!("{FEATURE}{{id}}"),
            "name": "feature",
            "title": "A feature",
            "description": "A card of the board: what to build, where it stands, what its agent said at the end.",
            "mimeType": "text/markdown",
        },
        {
            "uriTemplate": format!("{KNOWLEDGE}{{kind}}/{{id}}"),
            "name": "knowledge",
            "title": "An item of the hub",
            "description": "A blueprint, an entry or a learning of the team.",
            "mimeType": "text/markdown",
        },
    ])
}

/// What the tool of this name answers.
pub(super) async fn ask(routes: &Router, caller: &Caller, tool: &str, arguments: Value) -> Result<Value, Arc<Problem>> {
    let tool = named(tool).ok_or_else(|| Problem::internal("a resource asks for a tool that there is not"))?;
    let arguments: Map<String, Value> = arguments.as_object().cloned().unwrap_or_default();
    call(routes, caller, tool, arguments, LOOKED_AT).await
}

/// A page of what members vouch for in the hub and, after that, of the cards of all projects; and where the next one begins: the kind or
/// the project, and where it goes on within.
///
/// # Errors
/// What the routes refuse with; `invalid` for a cursor that is none.
pub async fn list(
    routes: &Router,
    caller: &Caller,
    cursor: Option<&str>,
) -> Result<(Vec<Value>, Option<String>), Arc<Problem>> {
    if !caller.signed.may(MemberRight::Read) {
        return Ok((Vec::new(), None));
    }
    let projects = projects(routes, caller).await?;
    let sources: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).chain(projects.iter().map(String::as_str)).collect();
    let (mut at, mut after) = match cursor {
        None => (0, None),
        Some(cursor) => {
            let (source, after) = cursor.split_once(' ').unwrap_or((cursor, ""));
            let at = sources.iter().position(|known| *known == source);
            let at = at.ok_or_else(|| Problem::invalid("cursor", "give what the page before gave as nextCursor"))?;
            (at, Some(after.to_owned()).filter(|after| !after.is_empty()))
        }
    };
    while let Some(source) = sources.get(at) {
        let after = after.take();
        let page = match at < KINDS.len() {
            true => {
                // What a member has not looked at, or has rejected, is found by who asks for it by its address.
                let asked = json!({ "kind": source, "trusted": true, "limit": PAGE, "after": after });
                ask(routes, caller, "knowledge_search", asked).await?
            }
            false => {
                let asked = json!({ "projectId": source, "limit": PAGE, "after": after });
                ask(routes, caller, "feature_list", asked).await?
            }
        };
        let of = |item: &Value| match at < KINDS.len() {
            true => item_resource(source, item),
            false => card_resource(item),
        };
        let items: Vec<Value> = page["items"].as_array().into_iter().flatten().map(of).collect();
        at += 1;
        let next = match page["next"].as_str() {
            Some(next) => Some(format!("{source} {next}")),
            None => sources.get(at).map(|source| (*source).to_owned()),
        };
        // What is empty is passed over.
        if !items.is_empty() {
            return Ok((items, next));
        }
    }
    Ok((Vec::new(), None))
}

/// The ids of all projects, page by page.
async fn projects(routes: &Router, caller: &Caller) -> Result<Vec<String>, Arc<Problem>> {
    let (mut ids, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = ask(routes, caller, "project_list", json!({ "after": after, "limit": PROJECTS })).await?;
        let of_page = page["items"].as_array().into_iter().flatten().filter_map(|project| project["id"].as_str());
        ids.extend(of_page.map(str::to_owned));
        after = page["next"].clone();
        if after.is_null() {
            return Ok(ids);
        }
    }
}

fn card_resource(card: &Value) -> Value {
    json!({
        "uri": format!("{FEATURE}{}", word(card, "id")),
        "name": format!("#{} {}", card["number"], word(card, "title")),
        "description": format!("A card: {}", word(card, "status")),
        "mimeType": "text/markdown",
    })
}

fn item_resource(kind: &str, item: &Value) -> Value {
    json!({
        "uri": format!("{KNOWLEDGE}{kind}/{}", word(item, "id")),
        "name": title(item),
        "description": word(item, "description"),
        "mimeType": "text/markdown",
    })
}

fn word<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

/// Blueprints have a name, the others a title.
fn title(item: &Value) -> &str {
    item["title"].as_str().unwrap_or_else(|| word(item, "name"))
}

/// What stands at an address; nothing when nothing does.
///
/// # Errors
/// What the routes refuse with.
pub async fn read(routes: &Router, caller: &Caller, uri: &str) -> Result<Option<Value>, Arc<Problem>> {
    let known = match (uri.strip_prefix(FEATURE), uri.strip_prefix(KNOWLEDGE).and_then(|rest| rest.split_once('/'))) {
        (Some(id), _) => {
            ask(routes, caller, "feature_get", json!({ "featureId": id })).await.map(|card| card_text(&card))
        }
        (None, Some((kind, id))) => {
            let whole = ask(routes, caller, "knowledge_get", json!({ "itemId": id })).await;
            match whole {
                Ok(whole) if whole["item"]["kind"] != kind => return Ok(None),
                whole => whole.map(|whole| item_text(&whole["item"])),
            }
        }
        (None, None) => return Ok(None),
    };
    match known {
        Ok(text) => Ok(Some(json!({ "uri": uri, "mimeType": "text/markdown", "text": text }))),
        Err(problem) if matches!(problem.code(), "not-found" | "invalid") => Ok(None),
        Err(problem) => Err(problem),
    }
}

fn card_text(card: &Value) -> String {
    let mut text = format!("# #{} {}\n\n", card["number"], word(card, "title"));
    text += &format!("- status: {}\n- project: {}\n", word(card, "status"), word(card, "projectId"));
    if let Some(stage) = card["stage"].as_str() {
        text += &format!("- stage: {stage}\n");
    }
    text += &format!("\n{}\n", word(card, "description"));
    if let Some(summary) = card["summary"].as_str().filter(|summary| !summary.is_empty()) {
        text += &format!("\n## What the agent says of it\n\n{summary}\n");
    }
    text
}

fn item_text(item: &Value) -> String {
    let mut text = format!("# {}\n\n", title(item));
    for name in ["status", "review", "rejectReason", "confidence"] {
        let called = if name == "rejectReason" { "rejected because" } else { name };
        if let Some(words) = item[name].as_str().filter(|words| !words.is_empty()) {
            text += &format!("- {called}: {}\n", words.replace('\n', " "));
        }
    }
    if !text.ends_with("\n\n") {
        text.push('\n');
    }
    text += &format!("{}\n\n{}\n", word(item, "description"), word(item, "content"));
    for (name, heading) in [("problem", "Problem"), ("solution", "Solution"), ("prevention", "Prevention")] {
        if let Some(words) = item[name].as_str().filter(|words| !words.is_empty()) {
            text += &format!("\n## {heading}\n\n{words}\n");
        }
    }
    text
}
