//! Agents at work, against the simulated provider.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

mod bounds;
mod compaction;
mod faults;
mod house;
mod hub;
mod images;
mod outfit;
mod plans;
mod prompts;
mod resume;
mod said;
mod steps;
mod tasks;
mod tools;
mod work;
