//! A provider that is down, or the way to it: work waits for it and does not fail, for many hours.

use chrono::Duration;
use guildhall_llm::LlmError;
use guildhall_types::DateTime;

use crate::Ended;

/// How long work waits that is put off because a provider cannot answer, before it asks again.
const REST: Duration = Duration::minutes(10);
/// How long that goes on before the work fails: longer than a night.
const MOST: Duration = Duration::hours(12);

/// What becomes of a call that a provider does not answer, try as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// Since when none was answered, if the work was put off for that before.
    pub since: Option<DateTime>,
    /// How long the work is put off each time.
    pub rest: Duration,
    /// How long after the first failure it fails.
    pub most: Duration,
}

impl Default for Outage {
    fn default() -> Self {
        Self { since: None, rest: REST, most: MOST }
    }
}

impl Outage {
    /// Puts the work off.
    pub(crate) fn put_off(&self, now: DateTime, reason: String) -> Ended {
        Ended::Parked { until: now + self.rest, reason, budget: None, out_since: None }
    }

    /// Puts the work off because of this failure, which was not the first; nothing when that is of no use, or no longer.
    pub(crate) fn sat_out(&self, error: &LlmError, now: DateTime) -> Option<Ended> {
        let since = self.since.filter(|since| error.is_outage() && now - *since < self.most)?;
        let reason = format!(
            "{}. No call has been answered since {} (UTC). It is tried again by itself, until {}; this costs no attempt.",
            error.message.trim_end_matches('.'),
            since.format("%-d %B, %H:%M"),
            (since + self.most).format("%-d %B, %H:%M"),
        );
        Some(Ended::Parked { until: now + self.rest, reason, budget: None, out_since: Some(since) })
    }
}
