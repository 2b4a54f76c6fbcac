//! The clock is injected, so that a test can set it.

use std::sync::{Arc, Mutex};

use chrono::{Duration, SubsecRound};

use crate::DateTime;

/// Tells the time. Cheap to clone behind its `Arc`.
pub trait Clock: std::fmt::Debug + Send + Sync + 'static {
    /// Now, cut to microseconds, so that what is stored reads back equal on both databases.
    fn now(&self) -> DateTime;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine's clock is read")]
    fn now(&self) -> DateTime {
        chrono::Utc::now().trunc_subsecs(6)
    }
}

/// A clock that stands still until it is told to move; for tests.
#[derive(Debug, Clone)]
pub struct FixedClock(Arc<Mutex<DateTime>>);

impl FixedClock {
    /// A clock that shows `at`.
    pub fn new(at: DateTime) -> Self {
        Self(Arc::new(Mutex::new(at)))
    }

    /// Moves the hands forward (or back, with a negative duration).
    pub fn advance(&self, by: Duration) {
        let mut at = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *at += by;
    }
}

impl Default for FixedClock {
    fn default() -> Self {
        Self::new(chrono::DateTime::UNIX_EPOCH + Duration::days(20_000))
    }
}

impl Clock for FixedClock {
    fn now(&self) -> DateTime {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
