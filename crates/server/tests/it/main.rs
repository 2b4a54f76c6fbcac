//! The whole server in one process, on a free port, as programs and browsers see it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

mod access;
mod death;
mod description;
mod docs;
mod guard;
mod harness;
mod mail;
mod main_path;
mod page;
mod post;
mod program;
mod routes;
mod schema;
mod socket;
