//! What this node's runs did, counted since it started, for whoever watches.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use guildhall_agent::Call;
use guildhall_llm::ErrorKind;
use guildhall_types::member::ProviderKind;
use guildhall_types::reading::FAILURES_OF;
use tokio::time::Instant;

/// Failures that are remembered; more are as bad. Waits that are kept until somebody takes them.
const REMEMBERED: usize = 10_000;

/// Counts what runs do. Shared by all runs of this node.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// When the latest failures of providers were.
    failures: VecDeque<Instant>,
    counted: Counted,
}

/// What was counted since the node started.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counted {
    /// Calls to providers, by how they ended: `answered`, or the word for the failure.
    pub calls: BTreeMap<(ProviderKind, &'static str), u64>,
    /// Tokens that were billed.
    pub tokens: BTreeMap<ProviderKind, Tokens>,
    /// Seconds that calls waited for their leave, those since this was last asked.
    pub waits: Vec<f64>,
    /// Stretches of work of runs, by how they ended.
    pub ended: BTreeMap<&'static str, u64>,
    /// Commands that were started in the sandbox, and that could not be.
    pub sandbox: (u64, u64),
}

/// Tokens that were billed, by their kind, and what they cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Input that was neither read from nor written to the cache.
    pub input: u64,
    /// Output.
    pub output: u64,
    /// Input that was read from the cache.
    pub cache_read: u64,
    /// Input that was written to the cache.
    pub cache_write: u64,
    /// In micro-dollars.
    pub cost_micros: u64,
}

impl Tally {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call to a provider has ended so.
    pub(crate) fn called(&self, provider: ProviderKind, outcome: Result<(), ErrorKind>) {
        self.called_at(Instant::now(), provider, outcome);
    }

    fn called_at(&self, now: Instant, provider: ProviderKind, outcome: Result<(), ErrorKind>) {
        let mut inner = self.lock();
        let word = outcome.map_or_else(ErrorKind::code, |()| "answered");
        *inner.counted.calls.entry((provider, word)).or_default() += 1;
        if outcome.is_err_and(ErrorKind::is_failure) {
            if inner.failures.len() >= REMEMBERED {
                inner.failures.pop_front();
            }
            inner.failures.push_back(now);
        }
    }

    /// A call was billed.
    pub(crate) fn billed(&self, provider: ProviderKind, call: &Call) {
        let mut inner = self.lock();
        let tokens = inner.counted.tokens.entry(provider).or_default();
        let count = |sum: &mut u64, more: i64| *sum = sum.saturating_add(u64::try_from(more).unwrap_or_default());
        count(&mut tokens.input, call.usage.input_tokens);
        count(&mut tokens.output, call.usage.output_tokens);
        count(&mut tokens.cache_read, call.usage.cache_read_tokens);
        count(&mut tokens.cache_write, call.usage.cache_write_tokens);
        count(&mut tokens.cost_micros, call.cost_micros);
    }

    /// A call has waited for its leave.
    pub(crate) fn waited(&self, time: Duration) {
        let mut inner = self.lock();
        if inner.counted.waits.len() < REMEMBERED {
            inner.counted.waits.push(time.as_secs_f64());
        }
    }

    /// A run's stretch of work has ended so.
    pub(crate) fn ended(&self, how: &'static str) {
        *self.lock().counted.ended.entry(how).or_default() += 1;
    }

    /// Failures of providers within the last minutes.
    pub(crate) fn failures(&self) -> i64 {
        self.failures_at(Instant::now())
    }

    fn failures_at(&self, now: Instant) -> i64 {
        let window = Duration::from_secs(FAILURES_OF.unsigned_abs() * 60);
        let mut inner = self.lock();
        while inner.failures.front().is_some_and(|at| now.duration_since(*at) >= window) {
            inner.failures.pop_front();
        }
        i64::try_from(inner.failures.len()).unwrap_or(i64::MAX)
    }

    /// What was counted. The waits are told once.
    pub(crate) fn counted(&self) -> Counted {
        let mut inner = self.lock();
        let waits = std::mem::take(&mut inner.counted.waits);
        Counted { waits, ..inner.counted.clone() }
    }
}

#[cfg(test)]
mod tests {
    use guildhall_types::chat::Usage;

    use super::*;

    const PROVIDER: ProviderKind = ProviderKind::Anthropic;

    #[test]
    fn failures_count_for_five_minutes_and_limits_never() {
        let (tally, start) = (Tally::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        tally.called_at(start, PROVIDER, Ok(()));
        for kind in [ErrorKind::RateLimited, ErrorKind::Overloaded, ErrorKind::PromptTooLong] {
            tally.called_at(start, PROVIDER, Err(kind));
        }
        assert_eq!(tally.failures_at(start), 0);
        tally.called_at(start, PROVIDER, Err(ErrorKind::Server));
        tally.called_at(at(200), PROVIDER, Err(ErrorKind::InvalidKey));
        assert_eq!((tally.failures_at(at(299)), tally.failures_at(at(300))), (2, 1));
        let calls = tally.counted().calls;
        let words: Vec<_> = calls.iter().map(|((_, word), count)| (*word, *count)).collect();
        let once =
            ["answered", "invalid-key", "prompt-too-long", "provider-error", "provider-overloaded", "rate-limited"];
        assert_eq!(words, once.map(|word| (word, 1)));
    }

    #[test]
    fn tokens_add_up_and_waits_are_told_once() {
        let tally = Tally::default();
        let usage = Usage { input_tokens: 1, output_tokens: 2, cache_read_tokens: 3, cache_write_tokens: 4 };
        let call = Call { turn: None, model: "m".to_owned(), usage, cost_micros: 5, priced: true };
        tally.billed(PROVIDER, &call);
        tally.billed(PROVIDER, &call);
        tally.waited(Duration::from_millis(500));
        tally.ended("failed");
        let counted = tally.counted();
        let twice = Tokens { input: 2, output: 4, cache_read: 6, cache_write: 8, cost_micros: 10 };
        assert_eq!(counted.tokens[&PROVIDER], twice);
        assert_eq!((counted.waits, counted.ended["failed"]), (vec![0.5], 1));
        let again = tally.counted();
        assert!(again.waits.is_empty() && again.tokens[&PROVIDER] == twice);
    }
}
