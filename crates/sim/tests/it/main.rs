//! Tests of the simulator as its clients see it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

mod faults;
mod harness;
mod limits;
mod persona;
mod program;
mod scripts;
mod validate;
