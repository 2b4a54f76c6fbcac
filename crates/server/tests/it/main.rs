//! The whole server in one process, on a free port, as programs and browsers see it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

mod access;
mod authenticator;
mod backups;
mod bucket;
mod caddy;
mod canary;
mod connecting;
mod death;
mod deploy;
mod description;
mod docs;
mod executions;
mod faults;
mod fsck;
mod git;
mod guard;
mod harness;
mod import;
mod keys;
mod knowledge_command;
mod live;
mod log;
mod mail;
mod main_path;
mod mcp;
mod nodes;
mod older;
mod page;
mod passing;
mod post;
mod program;
mod provider;
mod receiver;
#[path = "../../../bus/tests/it/redis.rs"]
mod redis;
mod remotes;
mod rotation;
mod routes;
mod schema;
mod shared;
mod soak;
mod socket;
mod traces;
mod webhooks;
