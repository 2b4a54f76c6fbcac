//! The clock is injected, so that a test can set it.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Instant;

use chrono::{Duration, SubsecRound};

use crate::DateTime;

/// Tells the time. Cheap to clone behind its `Arc`.
pub trait Clock: std::fmt::Debug + Send + Sync + 'static {
    /// Now, cut to microseconds, so that what is stored reads back equal on both databases.
    fn now(&self) -> DateTime;

    /// How long the machine has been awake since some moment: for what took how long. Neither a leap of the hands nor a sleep
    /// of the machine counts.
    fn awake(&self) -> std::time::Duration {
        static SINCE: LazyLock<Instant> = LazyLock::new(Instant::now);
        SINCE.elapsed()
    }
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
pub struct FixedClock(Arc<Mutex<(DateTime, std::time::Duration)>>);

impl FixedClock {
    /// A clock that shows `at`.
    pub fn new(at: DateTime) -> Self {
        Self(Arc::new(Mutex::new((at, std::time::Duration::ZERO))))
    }

    /// Lets time pass; with a negative duration, sets the hands back.
    pub fn advance(&self, by: Duration) {
        let mut time = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        time.0 += by;
        time.1 += by.to_std().unwrap_or_default();
    }

    /// Moves the hands alone, as while the machine sleeps.
    pub fn leap(&self, by: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 += by;
    }
}

impl Default for FixedClock {
    fn default() -> Self {
        Self::new(chrono::DateTime::UNIX_EPOCH + Duration::days(20_000))
    }
}

impl Clock for FixedClock {
    fn now(&self) -> DateTime {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn awake(&self) -> std::time::Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}
