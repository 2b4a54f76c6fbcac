//! What an agent tells of its work, and hears of its members.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use guildhall_llm::ErrorKind;
use guildhall_types::DateTime;
use guildhall_types::budget::{BudgetKind, Need};
use guildhall_types::chat::Usage;
use guildhall_types::event::OutputStream;
use guildhall_types::feature::Attachment;
use guildhall_types::price::PriceRow;
use guildhall_types::run::{RunEvent, Said, Task, Turn};

use crate::ToolImage;

/// A model call that was made and is to be billed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The turn it was made for; nothing for a call beside the turns, such as a summary or an answer that broke off.
    pub turn: Option<i64>,
    /// The model that answered.
    pub model: String,
    /// What it took.
    pub usage: Usage,
    /// Its cost in micro-dollars.
    pub cost_micros: i64,
    /// Whether a price is known; without one the tokens count and the cost is nothing.
    pub priced: bool,
}

/// What an admin says that models cost, as it was read once.
pub type PriceTable = Arc<[PriceRow]>;

/// What is answered to a call that asks for money.
#[derive(Debug, Clone)]
pub enum Leave {
    /// It is set aside.
    Go {
        /// Tokens that the answer may have: there may be less money than for the whole.
        output: i64,
        /// What it will be billed by.
        prices: PriceTable,
    },
    /// Calls under way may cost all that there is; when they are over there may be enough.
    Held {
        /// That in a sentence.
        reason: String,
    },
    /// There is too little.
    Parked {
        /// Until when.
        until: DateTime,
        /// Why, and what helps, in a sentence.
        reason: String,
        /// Of which budget.
        budget: BudgetKind,
    },
}

/// Why the journal did not take an entry. The agent stops at once: it must not work on what nobody will know of.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The run is no longer this runner's.
    #[error("the run is no longer held here")]
    Lost,
    /// The run is to rest. Told only between two turns.
    #[error("the run is to rest")]
    Rest,
    /// The run is to make room on the server. Told only between two turns.
    #[error("the run is to make room")]
    Hold,
    /// A member said something that is for another agent of the run, or for this one with other tools, and comes first. Told
    /// only between two turns.
    #[error("a member said something that comes first")]
    Interrupted,
    /// It could not be saved.
    #[error("the journal failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Saves what an agent does, as it does it.
#[async_trait]
pub trait Journal: Send + Sync {
    /// What members said to the run and no turn has read yet, in order.
    ///
    /// # Errors
    /// See [`JournalError`].
    async fn inbox(&self) -> Result<Vec<Said>, JournalError>;

    /// The model answered: the turn is paid, and must never be asked for again. Its tools have not run; `turn.results` is
    /// absent. `read_upto` is the last message of the inbox that went into `turn.input`.
    ///
    /// # Errors
    /// See [`JournalError`].
    async fn answered(
        &self,
        turn: &Turn,
        read_upto: Option<i64>,
        call: &Call,
        events: Vec<RunEvent>,
    ) -> Result<(), JournalError>;

    /// The tools of a turn have run (there may have been none): `turn.results` holds one block for each call. The journal
    /// takes the snapshot of the files, and tells that the turn is saved.
    ///
    /// # Errors
    /// See [`JournalError`].
    async fn settled(&self, turn: &Turn, call: &Call, changed_files: bool) -> Result<(), JournalError>;

    /// A call is about to be made: money is set aside for the most that it can cost, in the place of what was set aside
    /// before. What is billed next, by [`Journal::answered`] or [`Journal::billed`], takes its place.
    ///
    /// # Errors
    /// See [`JournalError`].
    async fn reserve(&self, need: &Need) -> Result<Leave, JournalError>;

    /// The call for which money was set aside came to nothing.
    ///
    /// # Errors
    /// See [`JournalError`].
    async fn unused(&self) -> Result<(), JournalError>;

    /// A call beside the turns is to be billed.
    ///
    /// # Errors
    /// See [`JournalError`].
    async fn billed(&self, call: &Call) -> Result<(), JournalError>;

    /// Something happened.
    ///
    /// # Errors
    /// See [`JournalError`].
    async fn happened(&self, events: Vec<RunEvent>) -> Result<(), JournalError>;

    /// A tool returned an image that the model is to see: it is kept with the run. Nothing when the run has its fill of them.
    ///
    /// # Errors
    /// See [`JournalError`].
    async fn keep(&self, tool: &str, image: &ToolImage) -> Result<Option<Attachment>, JournalError>;

    /// The agent's tasks as they stand, those of a plan that a member approved included.
    ///
    /// # Errors
    /// See [`JournalError`].
    async fn tasks(&self) -> Result<Vec<Task>, JournalError>;

    /// The agent's tasks are now these.
    ///
    /// # Errors
    /// See [`JournalError`].
    async fn planned(&self, tasks: &[Task]) -> Result<(), JournalError>;

    /// A call to the provider has ended, whether its answer is used or not. For whoever watches how providers do; not saved.
    fn called(&self, outcome: Result<(), ErrorKind>) {
        let _ = outcome;
    }

    /// A call has waited for its leave, for so long. For whoever watches how much rate limits hold up; not saved.
    fn waited(&self, time: Duration) {
        let _ = time;
    }

    /// Something is being written; not saved, only shown.
    fn live(&self, turn: i64, stream: OutputStream, text: &str);
}
