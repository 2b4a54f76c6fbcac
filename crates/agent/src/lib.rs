//! The turn loop: a conversation, a model and tools become events.
//!
//! This crate knows neither store nor bus. Whoever runs an agent gives it a history and tools, and a [`Journal`] to which
//! it tells what happens; the journal saves it.

mod journal;
mod run;
mod tool;

pub use journal::{Call, Journal, JournalError};
pub use run::{Ended, Job, run};
pub use tool::{Tool, ToolAnswer, ToolContext, Toolbox};
