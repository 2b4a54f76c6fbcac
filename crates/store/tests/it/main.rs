//! Contract tests: each runs on SQLite and on PostgreSQL.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

mod access;
mod agents;
mod alerts;
mod asides;
mod audit;
mod backups;
mod board;
mod budgets;
mod clients;
mod erased;
mod events;
mod factors;
mod found;
mod foundations;
mod guides;
mod halted;
mod harness;
mod identities;
mod judged;
mod keys;
mod knowledge;
mod mails;
mod mcp_servers;
mod members;
mod merges;
mod network;
mod notifications;
mod orders;
mod people;
mod plans;
mod prices;
mod project_secrets;
mod reports;
mod samples;
mod schema;
mod services;
mod steps;
mod systems;
mod tidy;
mod transfer;
mod usage;
mod webhooks;
mod work;
