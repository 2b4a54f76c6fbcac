//! The turn loop.

use std::sync::Arc;

use guildhall_llm::{Client, Endpoint, SystemPart};
use guildhall_types::Clock;
use guildhall_types::chat::Block;
use guildhall_types::feature::{Problem, ThinkingLevel};
use guildhall_types::limits::RunLimits;
use guildhall_types::run::Turn;
use tokio_util::sync::CancellationToken;

use crate::{Journal, JournalError, Toolbox};

/// What an agent is to do, and with what.
#[derive(Debug, Clone)]
pub struct Job {
    /// Makes the calls.
    pub client: Client,
    /// Where the model is, and the key.
    pub endpoint: Endpoint,
    /// The model.
    pub model: String,
    /// How hard it is asked to think.
    pub thinking: ThinkingLevel,
    /// The system prompt.
    pub system: Vec<SystemPart>,
    /// The tools.
    pub tools: Toolbox,
    /// What the run may use.
    pub limits: RunLimits,
    /// What the run has cost before, in micro-dollars.
    pub spent_micros: i64,
    /// The turns that are saved already, in order.
    pub history: Vec<Turn>,
    /// What is said to the model first, when there are no turns yet.
    pub opening: Vec<Block>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Stops the agent when it is cancelled: the call and the tools that run are ended.
    pub cancel: CancellationToken,
}

/// How an agent's work ended.
#[derive(Debug)]
pub enum Ended {
    /// It said that it is done.
    Done {
        /// Its closing words.
        summary: String,
    },
    /// It cannot go on; the problem says why and what helps.
    Failed(Problem),
    /// It was cancelled.
    Cancelled,
    /// The journal did not take an entry.
    Unsaved(JournalError),
}

/// Lets an agent work until it is done, cannot go on, or is stopped.
pub async fn run(_job: Job, _journal: &dyn Journal) -> Ended {
    Ended::Cancelled
}
