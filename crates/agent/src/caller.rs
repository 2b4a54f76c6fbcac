//! Calls to the model that are tried until they succeed, are of no use, or meet a limit.

use chrono::Duration;
use guildhall_llm::governor::{Ask, Governor, Permit, Reason, Wait};
use guildhall_llm::{Answer, Backoff, Client, Delta, Endpoint, ErrorKind, LlmError, Request};
use guildhall_types::event::OutputStream;
use guildhall_types::limits::RunLimits;
use guildhall_types::run::RunEvent;
use guildhall_types::trace::{Key, Side, Span};
use guildhall_types::{Clock, DateTime, MemberId};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Ended, Journal, JournalError, Outage, PriceTable, problem};

/// Waits shorter than this are told of only once.
const SHORT: std::time::Duration = std::time::Duration::from_secs(2);
/// How often a longer wait is looked at again.
const LOOK: std::time::Duration = std::time::Duration::from_secs(15);
/// How long a provider keeps what it cached.
const CACHED: Duration = Duration::minutes(5);
/// Overloads in a row after which a call is put off.
const OVERLOADS: u32 = 10;
/// Failures in a row after which a call is put off again that was put off for an outage before. It holds a place meanwhile.
const STILL_OUT: u32 = 3;
/// Longer than any try and the wait before it.
const ASLEEP: Duration = Duration::hours(1);

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
    pub(crate) governor: Governor,
    pub(crate) member: MemberId,
    pub(crate) patience: std::time::Duration,
    pub(crate) endpoint: Endpoint,
    /// The model's name, as it was asked for.
    pub(crate) model_id: String,
    pub(crate) limits: RunLimits,
    pub(crate) clock: std::sync::Arc<dyn Clock>,
    pub(crate) cancel: CancellationToken,
    pub(crate) backoff: Backoff,
    /// By what the latest call is billed.
    pub(crate) prices: PriceTable,
    /// Whether it was told that the model's price is not known.
    pub(crate) unpriced_told: bool,
    /// How often the call under way found all money set aside for others.
    pub(crate) held: u32,
    /// When this stretch of work began, by how long the machine has been awake.
    pub(crate) began: std::time::Duration,
    /// How much of it was spent waiting, for whatever: that is no work.
    pub(crate) waited: std::time::Duration,
    /// What becomes of a call that nobody answers.
    pub(crate) outage: Outage,
    /// How much of the conversation the provider has in its cache, in tokens, and since when.
    pub(crate) cached: Option<(i64, DateTime)>,
}

impl Caller<'_> {
    /// Makes a call of about `size` input tokens when the key's limits have room for it. Its words are shown as those of
    /// turn `live`; a call beside the turns shows nothing, and finds nothing in the cache.
    pub(crate) async fn call(
        &mut self,
        request: &Request<'_>,
        size: i64,
        live: Option<i64>,
    ) -> Result<Answer, NoAnswer> {
        let mut backoff = self.backoff.clone();
        let mut told = false;
        let mut overloads = 0;
        // Claimed anew in an outage, it only looks whether that is over.
        let mut left = if self.outage.since.is_some() { STILL_OUT } else { u32::MAX };
        let mut again = false;
        let mut failed = self.clock.now();
        self.held = 0;
        // The words of a try that broke off are shown already; those of the next come after them.
        let mut shown = 0;
        loop {
            self.check_limits()?;
            let (asked, before) = (Instant::now(), self.clock.awake());
            let permit = self.permit(request, self.uncached(size, live), again, &mut told).await?;
            self.waited += self.clock.awake().saturating_sub(before);
            self.journal.waited(asked.elapsed());
            self.check_limits()?;
            // Asked for last, so that nothing is set aside while a call stands in line.
            let Some(max_tokens) = self.leave(request, size).await? else {
                drop(permit);
                self.let_others_end().await?;
                continue;
            };
            let request = &Request { max_tokens, ..*request };
            let journal = self.journal;
            let first = shown;
            let show = |delta: Delta<'_>| {
                if let Delta::Limits(limits) = delta {
                    permit.hear(limits);
                }
                let (stream, text) = match delta {
                    Delta::Text { block, text } => (OutputStream::Text { block: first + block }, text),
                    Delta::Thinking { block, text } => (OutputStream::Thinking { block: first + block }, text),
                    Delta::Limits(_) | Delta::Started | Delta::Tool { .. } => return,
                };
                if let Some(turn) = live {
                    let (OutputStream::Text { block } | OutputStream::Thinking { block }) = &stream else { return };
                    shown = shown.max(block + 1);
                    journal.live(turn, stream, text);
                }
            };
            let stop = self.cancel.cancelled();
            let span = begin(&self.endpoint, request);
            let result = span.around(self.client.stream_until(&self.endpoint, request, stop, show)).await;
            end(span, &result);
            permit.settle_call(&result);
            // A call that was told to stop says nothing of the provider.
            if result.is_ok() || !self.cancel.is_cancelled() {
                journal.called(result.as_ref().map(|_| ()).map_err(|error| error.kind));
            }
            let error = match result {
                Ok(answer) => {
                    self.outage.since = None;
                    if live.is_some() {
                        let caches = answer.usage.cache_read_tokens + answer.usage.cache_write_tokens > 0;
                        self.cached = caches.then(|| (answer.usage.context_tokens(), self.clock.now()));
                    }
                    return Ok(answer);
                }
                Err(error) => error,
            };
            tracing::debug!(kind = error.kind.code(), "a call failed");
            if let Some(partial) = &error.partial {
                let call = self.bill(None, &partial.model, partial.usage);
                self.journal.billed(&call).await?;
            } else {
                self.journal.unused().await?;
            }
            if self.cancel.is_cancelled() {
                return Err(Ended::Cancelled.into());
            }
            again = true;
            match error.kind {
                // The governor knows how long to wait. Whoever refuses is there: an outage is over.
                ErrorKind::RateLimited => {
                    (self.outage.since, left) = (None, u32::MAX);
                    continue;
                }
                ErrorKind::Overloaded => {
                    (self.outage.since, left) = (None, u32::MAX);
                    overloads += 1;
                    if overloads > OVERLOADS {
                        let reason = format!("{}; it is tried again later.", error.message.trim_end_matches('.'));
                        return Err(self.outage.put_off(self.clock.now(), reason).into());
                    }
                    continue;
                }
                _ if error.is_outage() => {
                    let now = self.clock.now();
                    // Of the hours that the machine slept since the failure before, nobody knows.
                    if now - std::mem::replace(&mut failed, now) > ASLEEP {
                        (self.outage.since, left) = (None, u32::MAX);
                    }
                    self.outage.since.get_or_insert(now);
                    left = left.saturating_sub(1);
                }
                _ => {}
            }
            let wait = if left == 0 { None } else { backoff.after(&error) };
            let Some(wait) = wait else {
                return Err(match self.outage.sat_out(&error, self.clock.now()) {
                    Some(parked) => parked.into(),
                    None => NoAnswer::GivenUp(error),
                });
            };
            let before = self.clock.awake();
            self.wait(&error, wait, told).await?;
            self.waited += self.clock.awake().saturating_sub(before);
            told = true;
        }
    }

    fn check_limits(&self) -> Result<(), Ended> {
        let at_work = self.clock.awake().saturating_sub(self.began + self.waited);
        let most = u64::try_from(self.limits.max_minutes).unwrap_or_default().saturating_mul(60);
        if at_work >= std::time::Duration::from_secs(most) {
            return Err(Ended::Failed(problem::time_limit(&self.limits)));
        }
        Ok(())
    }

    /// About how many of a call's tokens will not come from the provider's cache.
    fn uncached(&self, size: i64, live: Option<i64>) -> i64 {
        let fresh = self.cached.filter(|(_, since)| live.is_some() && self.clock.now() - *since < CACHED);
        (size - fresh.map_or(0, |(tokens, _)| tokens)).max(1)
    }

    /// Waits for the leave to make a call; tells of waits that a member would notice.
    async fn permit(
        &mut self,
        request: &Request<'_>,
        input: i64,
        again: bool,
        told: &mut bool,
    ) -> Result<Permit, NoAnswer> {
        let ask = Ask { member: self.member, input, max_output: request.max_tokens, again };
        let mut asking =
            self.governor.ask(&self.endpoint, &self.model_id, ask).map_err(|error| NoAnswer::GivenUp(error.into()))?;
        // A call that was refused has been noticed already.
        let mut step = if again { std::time::Duration::ZERO } else { SHORT };
        let mut until_told = None;
        loop {
            let now = self.clock.now();
            let wait = asking.wait();
            if let Some(wait) = wait
                && let Some(until) = until(&wait, now)
            {
                if wait.time.is_some_and(|time| time > self.patience) {
                    let reason = reason(wait.reason).to_owned();
                    return Err(Ended::Parked { until, reason, budget: None, out_since: None }.into());
                }
                // Told once, and again when it takes notably longer than was said.
                let news = until_told.is_none_or(|told| until > told + Duration::seconds(10));
                let notable = wait.time.is_some_and(|time| time >= SHORT) || !*told;
                if step != SHORT && news && notable {
                    let event = RunEvent::Waiting { reason: reason(wait.reason).to_owned(), until };
                    self.journal.happened(vec![event]).await?;
                    (*told, until_told) = (true, Some(until));
                }
            }
            let granted = tokio::time::timeout(if step.is_zero() { LOOK } else { step }, asking.granted());
            let granted = unless_cancelled(&self.cancel, granted).await?;
            match granted {
                Ok(permit) => return permit.map_err(|error| NoAnswer::GivenUp(error.into())),
                Err(_) => step = LOOK,
            }
        }
    }

    async fn wait(&mut self, error: &LlmError, wait: std::time::Duration, told: bool) -> Result<(), Ended> {
        if !told || wait >= SHORT {
            let reason = format!("{}; it is tried again.", error.message.trim_end_matches('.'));
            let until = self.clock.now() + Duration::from_std(wait).unwrap_or_else(|_| Duration::days(1));
            self.journal.happened(vec![RunEvent::Waiting { reason, until }]).await?;
        }
        unless_cancelled(&self.cancel, tokio::time::sleep(wait)).await
    }
}

/// The span of a call: who is asked for what. What is said is nobody's business.
fn begin(endpoint: &Endpoint, request: &Request<'_>) -> Span {
    let span = Span::begin(Side::Client, "chat", request.model);
    span.set(Key::Operation, "chat");
    span.set(Key::Provider, endpoint.provider);
    span.set(Key::Model, request.model);
    span.count(Key::MaxTokens, request.max_tokens);
    span
}

/// What came of it.
fn end(span: Span, result: &Result<Answer, LlmError>) {
    let usage = match result {
        Ok(answer) => Some(answer.usage),
        Err(error) => {
            span.failed(error.kind.code());
            error.partial.as_ref().map(|partial| partial.usage)
        }
    };
    if let Some(usage) = usage {
        span.count(Key::InputTokens, usage.context_tokens());
        span.count(Key::OutputTokens, usage.output_tokens);
        span.count(Key::CacheRead, usage.cache_read_tokens);
        span.count(Key::CacheWrite, usage.cache_write_tokens);
    }
}

fn until(wait: &Wait, now: DateTime) -> Option<DateTime> {
    Some(now + Duration::from_std(wait.time?).unwrap_or_else(|_| Duration::days(1)))
}

/// Why a call waits, for its members.
const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::RateLimit | Reason::Asked => {
            "The key's rate limit is used up. The run goes on by itself when it has reset; this costs no attempt."
        }
        Reason::Overload => "The provider has too much to do. The run goes on by itself; this costs no attempt.",
        Reason::Concurrency => "Other calls with the same key go first.",
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
