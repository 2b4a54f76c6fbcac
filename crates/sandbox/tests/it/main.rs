//! Hostile and ordinary use of the sandbox and the workspace, on the real kernel.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod commands;
mod endings;
mod files;
mod harness;
mod host;
mod outfit;
mod running;
mod search;
mod walls;
