//! How this node's calls to providers ended.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use guildhall_llm::ErrorKind;
use guildhall_types::member::ProviderKind;
use guildhall_types::reading::FAILURES_OF;
use tokio::time::Instant;

/// Failures that are remembered; more are as bad.
const REMEMBERED: usize = 10_000;

/// What counts as answered.
pub(crate) const ANSWERED: &str = "answered";

/// How calls to providers ended. Shared by all runs of this node.
#[derive(Debug, Default)]
pub(crate) struct Calls(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// When the latest failures were.
    failures: VecDeque<Instant>,
    /// Since the start, by provider and how they ended.
    ended: HashMap<(ProviderKind, &'static str), u64>,
}

impl Calls {
    /// A call has ended so.
    pub(crate) fn ended(&self, provider: ProviderKind, outcome: Result<(), ErrorKind>) {
        self.ended_at(Instant::now(), provider, outcome);
    }

    fn ended_at(&self, now: Instant, provider: ProviderKind, outcome: Result<(), ErrorKind>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let word = outcome.map_or_else(ErrorKind::code, |()| ANSWERED);
        *inner.ended.entry((provider, word)).or_default() += 1;
        if outcome.is_err_and(ErrorKind::is_failure) {
            if inner.failures.len() >= REMEMBERED {
                inner.failures.pop_front();
            }
            inner.failures.push_back(now);
        }
    }

    /// Failures within the last minutes.
    pub(crate) fn failures(&self) -> i64 {
        self.failures_at(Instant::now())
    }

    fn failures_at(&self, now: Instant) -> i64 {
        let window = Duration::from_secs(FAILURES_OF.unsigned_abs() * 60);
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while inner.failures.front().is_some_and(|at| now.duration_since(*at) >= window) {
            inner.failures.pop_front();
        }
        i64::try_from(inner.failures.len()).unwrap_or(i64::MAX)
    }

    /// How many calls ended how since the start, by provider.
    pub(crate) fn counts(&self) -> Vec<(ProviderKind, &'static str, u64)> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.ended.iter().map(|((provider, word), count)| (*provider, *word, *count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_count_for_five_minutes_and_limits_never() {
        let (calls, provider, start) = (Calls::default(), ProviderKind::Anthropic, Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        calls.ended_at(start, provider, Ok(()));
        for kind in [ErrorKind::RateLimited, ErrorKind::Overloaded, ErrorKind::PromptTooLong] {
            calls.ended_at(start, provider, Err(kind));
        }
        assert_eq!(calls.failures_at(start), 0);
        calls.ended_at(start, provider, Err(ErrorKind::Server));
        calls.ended_at(at(200), provider, Err(ErrorKind::InvalidKey));
        assert_eq!((calls.failures_at(at(299)), calls.failures_at(at(300))), (2, 1));
        let mut counts = calls.counts();
        counts.sort_unstable_by_key(|(_, word, _)| *word);
        let words: Vec<_> = counts.iter().map(|(_, word, count)| (*word, *count)).collect();
        let once = ["answered", "invalid-key", "prompt-too-long", "provider-error", "provider-overloaded", "rate-limited"];
        assert_eq!(words, once.map(|word| (word, 1)));
        assert_eq!(counts[0].0, provider);
    }
}
