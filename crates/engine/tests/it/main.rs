//! The engine with everything below it: a store, real repositories, the sandbox, and a simulated provider.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

mod accidents;
mod alerts;
mod budgets;
mod chats;
mod checked;
mod death;
mod evening;
mod harness;
mod hostile;
mod hub;
mod last_moment;
mod leaks;
mod limits;
mod mcp;
mod merged_later;
mod morning;
mod network;
mod night;
mod no_sandbox;
mod outfit;
mod panics;
mod path;
mod pipeline;
mod plans;
mod services;
mod sources;
mod stacked;
mod systems;
mod systems_around;
mod terminal;
mod tidy;
mod trouble;
