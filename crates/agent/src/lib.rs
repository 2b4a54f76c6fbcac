//! The turn loop: a conversation, a model and tools become events.
//!
//! This crate knows neither store nor bus. Whoever runs an agent gives it a history and tools, and a [`Journal`] to which
//! it tells what happens; the journal saves it.

mod caller;
mod conversation;
mod habits;
pub mod hub;
mod journal;
mod money;
mod outage;
mod problem;
pub mod prompt;
mod run;
pub mod services;
mod text;
mod tool;
pub mod tools;
mod work;

pub use conversation::KEPT_IN_VIEW;
pub use journal::{Call, Journal, JournalError, Leave, PriceTable};
pub use outage::Outage;
pub use run::{Ended, Job, keep, run};
pub use tool::{Tool, ToolAnswer, ToolContext, ToolImage, Toolbox};
pub use work::keep::Kept;
