//! Resources: what can be read by an address of its own.

use std::sync::Arc;

use axum::Router;
use serde_json::{Map, Value, json};

use super::call::{Caller, call};
use super::tools::{Tool, named};
use crate::problem::Problem;

/// What a card's address begins with; its id follows.
const FEATURE: &str = "guildhall://feature/";
/// Cards of a page.
const PAGE: i64 = 50;

/// The forms of addresses that can be read.
pub fn templates() -> Value {
    json!([{
        "uriTemplate": format!("{FEATURE}{{id}}"),
        "name": "feature",
        "title": "A feature",
        "description": "A card of the board: what to build, where it stands, what its agent said at the end.",
        "mimeType": "text/markdown",
    }])
}

async fn ask(routes: &Router, caller: &Caller, tool: &str, arguments: Value) -> Result<Value, Arc<Problem>> {
    let tool: &Tool = named(tool).ok_or_else(|| Problem::internal("a resource asks for a tool that there is not"))?;
    let arguments: Map<String, Value> = arguments.as_object().cloned().unwrap_or_default();
    call(routes, caller, tool, arguments).await
}

/// A page of the cards of all projects, and where the next one begins: the project, and where it goes on within.
///
/// # Errors
/// What the routes refuse with; `invalid` for a cursor that is none.
pub async fn list(
    routes: &Router,
    caller: &Caller,
    cursor: Option<&str>,
) -> Result<(Vec<Value>, Option<String>), Arc<Problem>> {
    let projects = ask(routes, caller, "project_list", json!({})).await?;
    let ids: Vec<&str> =
        projects["items"].as_array().into_iter().flatten().filter_map(|project| project["id"].as_str()).collect();
    let (mut at, mut after) = match cursor {
        None => (0, None),
        Some(cursor) => {
            let (project, after) = cursor.split_once(' ').unwrap_or((cursor, ""));
            let at = ids.iter().position(|id| *id == project);
            let at = at.ok_or_else(|| Problem::invalid("cursor", "give what the page before gave as nextCursor"))?;
            (at, Some(after.to_owned()).filter(|after| !after.is_empty()))
        }
    };
    while let Some(project) = ids.get(at) {
        let asked = json!({ "projectId": project, "limit": PAGE, "after": after.take() });
        let page = ask(routes, caller, "feature_list", asked).await?;
        let cards: Vec<Value> = page["items"].as_array().into_iter().flatten().map(resource).collect();
        at += 1;
        let next = match page["next"].as_str() {
            Some(next) => Some(format!("{project} {next}")),
            None => ids.get(at).map(|id| (*id).to_owned()),
        };
        // An empty project is passed over.
        if !cards.is_empty() {
            return Ok((cards, next));
        }
    }
    Ok((Vec::new(), None))
}

fn resource(card: &Value) -> Value {
    let word = |name: &str| card[name].as_str().unwrap_or_default();
    json!({
        "uri": format!("{FEATURE}{}", word("id")),
        "name": format!("#{} {}", card["number"], word("title")),
        "description": format!("A card: {}", word("status")),
        "mimeType": "text/markdown",
    })
}

/// What stands at an address; nothing when nothing does.
///
/// # Errors
/// What the routes refuse with.
pub async fn read(routes: &Router, caller: &Caller, uri: &str) -> Result<Option<Value>, Arc<Problem>> {
    let Some(id) = uri.strip_prefix(FEATURE) else { return Ok(None) };
    match ask(routes, caller, "feature_get", json!({ "featureId": id })).await {
        Ok(card) => Ok(Some(json!({ "uri": uri, "mimeType": "text/markdown", "text": text(&card) }))),
        Err(problem) if matches!(problem.code(), "not-found" | "invalid") => Ok(None),
        Err(problem) => Err(problem),
    }
}

fn text(card: &Value) -> String {
    let word = |name: &str| card[name].as_str().unwrap_or_default();
    let mut text = format!("# #{} {}\n\n", card["number"], word("title"));
    text += &format!("- status: {}\n- project: {}\n", word("status"), word("projectId"));
    if let Some(stage) = card["stage"].as_str() {
        text += &format!("- stage: {stage}\n");
    }
    text += &format!("\n{}\n", word("description"));
    if let Some(summary) = card["summary"].as_str().filter(|summary| !summary.is_empty()) {
        text += &format!("\n## What the agent says of it\n\n{summary}\n");
    }
    text
}
