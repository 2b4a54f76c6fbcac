//! Tests against the simulated provider, and against servers that send whatever bytes a test wants.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod dialects;
mod errors;
mod governor;
mod harness;
mod sim;
mod wire;
