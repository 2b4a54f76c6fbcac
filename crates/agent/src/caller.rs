//! Calls to the model that are tried until they succeed, are of no use, or meet a limit.

use chrono::Duration;
use guildhall_llm::models::{self, Model};
use guildhall_llm::{Answer, Backoff, Client, Delta, Endpoint, ErrorKind, LlmError, Request};
use guildhall_types::chat::Usage;
use guildhall_types::event::OutputStream;
use guildhall_types::limits::RunLimits;
use guildhall_types::run::RunEvent;
use guildhall_types::{Clock, DateTime};
use tokio_util::sync::CancellationToken;

use crate::{Call, Ended, Journal, JournalError, problem};

/// Waits shorter than this are told of only once.
const SHORT: std::time::Duration = std::time::Duration::from_secs(2);

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// The run ends.
    Ended(Ended),
    /// The provider refuses the call, or has failed for so long that it was given up.
    GivenUp(LlmError),
}

impl From<Ended> for NoAnswer {
    fn from(ended: Ended) -> Self {
        Self::Ended(ended)
    }
}

impl From<JournalError> for NoAnswer {
    fn from(error: JournalError) -> Self {
        Self::Ended(error.into())
    }
}

/// Makes a run's calls, and counts what they cost and how long they take.
pub(crate) struct Caller<'a> {
    pub(crate) journal: &'a dyn Journal,
    pub(crate) client: Client,
    pub(crate) endpoint: Endpoint,
    /// The model's name, as it was asked for.
    pub(crate) model_id: String,
    pub(crate) model: Model,
    pub(crate) limits: RunLimits,
    pub(crate) clock: std::sync::Arc<dyn Clock>,
    pub(crate) cancel: CancellationToken,
    pub(crate) backoff: Backoff,
    /// What the run has cost, in micro-dollars.
    pub(crate) spent: i64,
    /// When this stretch of work began.
    pub(crate) began: DateTime,
    /// How much of it was spent waiting for a rate limit, which is no work.
    pub(crate) parked: Duration,
}

impl Caller<'_> {
    /// Makes a call. Its words are shown as those of turn `live`; a call beside the turns shows nothing.
    pub(crate) async fn call(&mut self, request: &Request<'_>, live: Option<i64>) -> Result<Answer, NoAnswer> {
        let mut backoff = self.backoff.clone();
        let mut told = false;
        // The words of a try that broke off are shown already; those of the next come after them.
        let mut shown = 0;
        loop {
            self.check_limits()?;
            let journal = self.journal;
            let first = shown;
            let show = |delta: Delta<'_>| {
                let (stream, text) = match delta {
                    Delta::Text { block, text } => (OutputStream::Text { block: first + block }, text),
                    Delta::Thinking { block, text } => (OutputStream::Thinking { block: first + block }, text),
                    Delta::Started | Delta::Tool { .. } => return,
                };
                if let Some(turn) = live {
                    let (OutputStream::Text { block } | OutputStream::Thinking { block }) = &stream else { return };
                    shown = shown.max(block + 1);
                    journal.live(turn, stream, text);
                }
            };
            let stop = self.cancel.cancelled();
            let error = match self.client.stream_until(&self.endpoint, request, stop, show).await {
                Ok(answer) => {
                    self.spent += self.cost(&answer.model, &answer.usage);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            tracing::debug!(kind = error.kind.code(), "a call failed");
            if let Some(partial) = &error.partial {
                let call = self.bill(None, &partial.model, partial.usage);
                self.spent += call.cost_micros;
                self.journal.billed(&call).await?;
            }
            if self.cancel.is_cancelled() {
                return Err(Ended::Cancelled.into());
            }
            let Some(wait) = backoff.after(&error) else { return Err(NoAnswer::GivenUp(error)) };
            self.wait(&error, wait, told).await?;
            told = true;
        }
    }

    /// The bill for a call that was answered.
    pub(crate) fn bill(&self, turn: Option<i64>, model: &str, usage: Usage) -> Call {
        let model = if model.is_empty() { &self.model_id } else { model };
        Call { turn, model: model.to_owned(), usage, cost_micros: self.cost(model, &usage) }
    }

    fn cost(&self, model: &str, usage: &Usage) -> i64 {
        // What another provider's model of the same name costs is of no interest.
        let answered = models::find(model).filter(|found| found.provider == self.model.provider);
        answered.unwrap_or(&self.model).cost_micros(usage)
    }

    fn check_limits(&self) -> Result<(), Ended> {
        if self.spent >= self.limits.max_cost_micros {
            return Err(Ended::Failed(problem::cost_limit(&self.limits, self.spent)));
        }
        let at_work = self.clock.now() - self.began - self.parked;
        if at_work >= Duration::try_minutes(self.limits.max_minutes).unwrap_or(Duration::MAX) {
            return Err(Ended::Failed(problem::time_limit(&self.limits)));
        }
        Ok(())
    }

    async fn wait(&mut self, error: &LlmError, wait: std::time::Duration, told: bool) -> Result<(), Ended> {
        let now = self.clock.now();
        let limited = error.kind == ErrorKind::RateLimited;
        if !told || wait >= SHORT {
            let reason = match limited {
                true => "The key's rate limit is used up. The run goes on by itself when it has reset; this costs no \
                    attempt."
                    .to_owned(),
                false => format!("{}; it is tried again.", error.message.trim_end_matches('.')),
            };
            let until = now + Duration::from_std(wait).unwrap_or_else(|_| Duration::days(1));
            self.journal.happened(vec![RunEvent::Waiting { reason, until }]).await?;
        }
        unless_cancelled(&self.cancel, tokio::time::sleep(wait)).await?;
        if limited {
            self.parked += self.clock.now() - now;
        }
        Ok(())
    }
}

/// What comes of a future, unless the run is cancelled before; then the future is dropped. An answer that is there already
/// is paid for, and taken.
pub(crate) async fn unless_cancelled<T>(
    cancel: &CancellationToken,
    future: impl Future<Output = T>,
) -> Result<T, Ended> {
    tokio::select! {
        biased;
        done = future => Ok(done),
        () = cancel.cancelled() => Err(Ended::Cancelled),
    }
}
