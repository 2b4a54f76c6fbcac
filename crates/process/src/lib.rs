//! How the server starts other programs: without a fork of itself, with what they are to take on before they begin, and so that
//! they die with it.

mod program;
mod starter;

pub use program::{Process, Program};
pub use starter::{die_with, on_starter};
