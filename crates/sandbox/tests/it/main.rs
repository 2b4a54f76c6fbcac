//! Hostile and ordinary use of the sandbox and the workspace, on the real kernel.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

mod cgroups;
mod commands;
mod endings;
mod files;
mod harness;
mod host;
mod net;
mod outfit;
mod running;
mod search;
mod walls;
