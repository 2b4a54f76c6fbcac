//! The server: the one part that speaks HTTP. Routes, sign-in, the WebSocket, the page, and what the program does when it
//! starts and ends.

pub mod alive;
pub mod app;
pub mod audit;
pub mod auth;
pub mod backup;
#[cfg(debug_assertions)]
pub mod boundaries;
pub mod config;
mod connections;
pub mod copy;
pub mod database;
pub mod doctor;
pub mod extract;
pub mod folder;
mod git;
pub mod import;
pub mod keys;
pub mod knowledge;
mod layers;
pub mod log;
pub mod mcp;
pub mod memory;
pub mod metrics;
mod nodes;
pub mod notify;
pub mod oauth;
pub mod openapi;
mod page;
pub mod preview;
pub mod problem;
pub mod rates;
pub mod rescue;
mod router;
pub mod routes;
pub mod serve;
pub mod sockets;
pub mod tidy;
mod toolchains;
pub mod traces;
pub mod version;
pub mod ws;

pub use router::router;
