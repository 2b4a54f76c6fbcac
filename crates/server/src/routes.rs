//! The handlers: one file for each resource. A handler checks, calls and answers; the rules are `guildhall_team`'s.

pub mod account;
pub mod agents;
pub mod alerts;
pub mod attachments;
pub mod audit;
pub mod auth;
pub mod backups;
pub mod budgets;
pub mod chats;
pub mod clients;
pub mod credentials;
pub mod deeds;
pub mod disk;
pub mod executions;
pub mod factors;
pub mod feature_texts;
pub mod features;
pub mod health;
pub mod identities;
pub mod invitations;
pub mod knowledge;
pub mod mail;
pub mod mcp_servers;
pub mod members;
pub mod models;
pub mod network;
pub mod night;
pub mod notifications;
pub mod operation;
pub mod outfit;
pub mod passkeys;
pub mod plans;
pub mod prices;
pub mod projects;
pub mod rate_limits;
pub mod remotes;
pub mod reports;
pub mod runs;
pub mod second_step;
pub mod services;
pub mod sessions;
pub mod settings;
pub mod sign_in;
pub mod systems;
pub mod terminal;
pub mod tokens;
pub mod trials;
pub mod usage;
pub mod webhooks;
pub mod work;

use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Items of a page when the request does not say.
const PAGE: i64 = 100;
/// Items of a page at most.
const PAGE_MOST: i64 = 500;

/// How many items a page is to have.
fn page_size(limit: Option<i64>) -> Result<i64, Problem> {
    match limit.unwrap_or(PAGE) {
        limit @ 1..=PAGE_MOST => Ok(limit),
        _ => Err(Problem::invalid("limit", format!("give a number from 1 to {PAGE_MOST}"))),
    }
}

/// One item more than the page holds was asked for; where the next page begins, if there is one.
fn next<T>(items: &mut Vec<T>, limit: i64, cursor: impl Fn(&T) -> String) -> Option<String> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    items.last().filter(|_| more).map(cursor)
}

/// Reads one of a fixed choice of words.
fn word<T: DeserializeOwned>(field: &str, text: &str) -> Result<T, Problem> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .map_err(|error| Problem::invalid(field, error.to_string()))
}
