//! The turn loop.

use std::sync::Arc;
use std::time::Duration;

use guildhall_llm::governor::Governor;
use guildhall_llm::{Backoff, Client, Endpoint, SystemPart};
use guildhall_types::blot::Blot;
use guildhall_types::budget::BudgetKind;
use guildhall_types::chat::Block;
use guildhall_types::feature::{Problem, ThinkingLevel};
use guildhall_types::limits::RunLimits;
use guildhall_types::plan::PlanApproval;
use guildhall_types::run::Turn;
use guildhall_types::{Clock, DateTime, MemberId};
use tokio_util::sync::CancellationToken;

use crate::outage::Outage;
use crate::work::Work;
use crate::work::keep::Kept;
use crate::{Journal, JournalError, Toolbox};

/// Shorter waits than this are not worth the way back.
const PATIENCE: Duration = Duration::from_secs(300);

/// What an agent is to do, and with what.
#[derive(Debug, Clone)]
pub struct Job {
    /// Makes the calls.
    pub client: Client,
    /// Lets the calls go when the key's limits have room.
    pub governor: Governor,
    /// Whose calls they are.
    pub member: MemberId,
    /// A wait for the provider that is known to be longer than this ends the work for now: see [`Ended::Parked`].
    pub patience: Duration,
    /// Where the model is, and the key.
    pub endpoint: Endpoint,
    /// The model.
    pub model: String,
    /// How hard it is asked to think.
    pub thinking: ThinkingLevel,
    /// Tokens of one answer at most, when that is not the usual.
    pub max_tokens: Option<i64>,
    /// Whether one answer is all that counts: one that is cut off is not gone on with.
    pub once: bool,
    /// How freely it words its answers, from 0 to 1, where the model lets one choose.
    pub temperature: Option<f64>,
    /// The system prompt.
    pub system: Vec<SystemPart>,
    /// The tools.
    pub tools: Toolbox,
    /// Blots out of all that is said to the model what neither it nor a member is to read.
    pub blot: Blot,
    /// Whether a person's yes to its plan is needed: while that is awaited, the work ends with a proposal.
    pub approval: PlanApproval,
    /// What the run may use.
    pub limits: RunLimits,
    /// The turns that are saved already, in order.
    pub history: Vec<Turn>,
    /// The number of the run's latest turn, whichever of its agents made it; the next one is numbered from there.
    pub last_turn: i64,
    /// What is said to the model first, when there are no turns yet.
    pub opening: Vec<Block>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Stops the agent when it is cancelled: the call and the tools that run are ended.
    pub cancel: CancellationToken,
    /// How long to wait between the tries of a call.
    pub backoff: Backoff,
    /// What becomes of a call that the provider does not answer, try as it may.
    pub outage: Outage,
    /// Tokens that the conversation may have, when that is not what is known of the model.
    pub context_window: Option<i64>,
}

impl Job {
    /// A job without words, tools or history, under the usual limits and a governor of its own; the fields say the rest.
    pub fn new(client: Client, endpoint: Endpoint, model: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self {
            client,
            governor: Governor::default(),
            member: MemberId::new(),
            patience: PATIENCE,
            endpoint,
            model: model.into(),
            thinking: ThinkingLevel::Medium,
            max_tokens: None,
            once: false,
            temperature: None,
            system: Vec::new(),
            tools: Toolbox::default(),
            blot: Blot::default(),
            approval: PlanApproval::NotNeeded,
            limits: RunLimits::default(),
            history: Vec::new(),
            last_turn: 0,
            opening: Vec::new(),
            clock,
            cancel: CancellationToken::new(),
            backoff: Backoff::default(),
            outage: Outage::default(),
            context_window: None,
        }
    }
}

/// How an agent's work ended.
#[derive(Debug)]
pub enum Ended {
    /// It said that it is done.
    Done {
        /// Its closing words.
        summary: String,
    },
    /// It proposed a plan, which is saved with the last turn; a person is to look at it.
    PlanProposed,
    /// It is a step of the pipeline, and asks for changes that the agent which builds the card is to make.
    ChangesRequested {
        /// What is to be mended, and why.
        what: String,
    },
    /// It cannot go on; the problem says why and what helps.
    Failed(Problem),
    /// It has to wait for the provider for long, or for money. The work goes on from the last saved turn.
    Parked {
        /// Until when.
        until: DateTime,
        /// Why, in a sentence.
        reason: String,
        /// The budget that has too little left, if it is that.
        budget: Option<BudgetKind>,
        /// Since when the provider has answered no call, if it is that.
        out_since: Option<DateTime>,
    },
    /// It was cancelled.
    Cancelled,
    /// The journal did not take an entry.
    Unsaved(JournalError),
}

impl From<JournalError> for Ended {
    fn from(error: JournalError) -> Self {
        Self::Unsaved(error)
    }
}

/// Lets an agent work until it is done, cannot go on, or is stopped.
pub async fn run(job: Job, journal: &dyn Journal) -> Ended {
    Work::new(job, journal).go().await
}

/// Asks an agent whose work is done what of it is worth keeping, by one call in which it can do nothing else. `known` are the
/// titles of what the hub told it already. The call is not billed yet: whoever asks saves it together with the answer, so that
/// what was paid for is never asked for again.
///
/// # Errors
/// How it ended without an answer.
pub async fn keep(job: Job, known: &[String], journal: &dyn Journal) -> Result<Kept, Ended> {
    Work::new(job, journal).keep(known).await
}
