//! How long to wait before a call is tried again, and when to give up.

use std::time::Duration;

use crate::{ErrorKind, LlmError};

/// Failures in a row after which a call is given up. With [`LONGEST`] that is some ten minutes.
const TRIES: u32 = 10;
/// The same for answers that are not a provider's: more often a wrong address than a passing fault.
const TRIES_AT_GARBAGE: u32 = 5;
/// The longest wait between two tries, in units.
const LONGEST: u32 = 120;

/// The waits of one call: 1, 2, 4 … 120 units with jitter, or what the provider asks for. A rate limit costs no try:
/// it is a state that passes, not a failure.
#[derive(Debug, Clone)]
pub struct Backoff {
    unit: Duration,
    failures: u32,
    limited: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::with_unit(Duration::from_secs(1))
    }
}

impl Backoff {
    /// Waits counted in `unit`s.
    pub const fn with_unit(unit: Duration) -> Self {
        Self { unit, failures: 0, limited: 0 }
    }

    /// How long to wait after this failure; nothing when another try is of no use.
    pub fn after(&mut self, error: &LlmError) -> Option<Duration> {
        if !error.kind.may_pass() {
            return None;
        }
        if error.kind == ErrorKind::RateLimited {
            self.limited += 1;
            // Without a word from the provider, limits refill by the minute.
            return Some(error.retry_after.unwrap_or_else(|| self.jittered(self.limited.min(6))).max(self.unit));
        }
        self.failures += 1;
        let tries = if error.kind == ErrorKind::Garbage { TRIES_AT_GARBAGE } else { TRIES };
        if self.failures > tries {
            return None;
        }
        Some(self.jittered(self.failures).max(error.retry_after.unwrap_or_default()))
    }

    fn jittered(&self, step: u32) -> Duration {
        let full = self.unit * 2_u32.saturating_pow(step - 1).min(LONGEST);
        // Between half and the whole: runs that failed together do not come back together.
        full.mul_f64(rand::random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_wait_longer_and_longer_and_end() {
        let mut backoff = Backoff::default();
        let error = LlmError::new(ErrorKind::Overloaded, "busy");
        let waits: Vec<Duration> = std::iter::from_fn(|| backoff.after(&error)).collect();
        assert_eq!(waits.len(), TRIES as usize);
        assert!(waits[0] <= Duration::from_secs(1) && waits[9] >= Duration::from_secs(60), "{waits:?}");

        let mut backoff = Backoff::default();
        let garbage = LlmError::new(ErrorKind::Garbage, "<html>");
        assert_eq!(std::iter::from_fn(|| backoff.after(&garbage)).count(), TRIES_AT_GARBAGE as usize);
    }

    #[test]
    fn a_wait_that_the_provider_asks_for_is_kept_and_a_limit_without_one_is_not_asked_at_once() {
        let mut backoff = Backoff::default();
        let asked = LlmError { retry_after: Some(Duration::from_secs(40)), ..LlmError::new(ErrorKind::Server, "") };
        assert_eq!(backoff.after(&asked), Some(Duration::from_secs(40)));
        let at_once = LlmError { retry_after: Some(Duration::ZERO), ..LlmError::new(ErrorKind::RateLimited, "") };
        assert_eq!(backoff.after(&at_once), Some(Duration::from_secs(1)), "no hot loop");
        let silent = LlmError::new(ErrorKind::RateLimited, "");
        let waits: Vec<Duration> = (0..100).filter_map(|_| backoff.after(&silent)).collect();
        assert_eq!(waits.len(), 100);
        assert!(waits[50..].iter().all(|wait| (16..=32).contains(&wait.as_secs())), "{waits:?}");
    }

    #[test]
    fn a_rate_limit_costs_no_try_and_what_cannot_pass_is_not_tried() {
        let mut backoff = Backoff::default();
        let limited =
            LlmError { retry_after: Some(Duration::from_secs(17)), ..LlmError::new(ErrorKind::RateLimited, "") };
        for _ in 0..1_000 {
            assert_eq!(backoff.after(&limited), Some(Duration::from_secs(17)));
        }
        assert!(backoff.after(&LlmError::new(ErrorKind::InvalidKey, "")).is_none());
    }
}
