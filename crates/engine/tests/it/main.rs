//! The engine with everything below it: a store, real repositories, the sandbox, and a simulated provider.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

mod accidents;
mod budgets;
mod chats;
mod death;
mod harness;
mod hub;
mod leaks;
mod limits;
mod morning;
mod network;
mod night;
mod outfit;
mod path;
mod pipeline;
mod plans;
mod sources;
mod systems;
mod trouble;
