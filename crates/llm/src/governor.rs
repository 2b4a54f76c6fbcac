//! The rate governor: a key's rate limits as a resource to be filled, not an error to be met.
//!
//! [`Core`] decides, and does nothing else: time comes in as the time since some beginning, randomness as a seed. It mirrors
//! the provider's buckets, lets calls go when they fit, fairly between members, and says why the others wait.
//! [`Governor`] is the same for callers that wait, one for each key and class of models.

mod bucket;
mod core;
mod fair;
mod front;
mod learned;
mod metrics;
mod mirror;

use std::time::Duration;

use guildhall_types::MemberId;
use guildhall_types::chat::Usage;
use serde::Serialize;
use utoipa::ToSchema;

pub use self::core::{Core, Next, Ticket};
pub use self::front::{Asking, Governor, Lane, LaneState, Permit, Wait};
pub use self::metrics::{BucketState, HourState, MemberState, Snapshot};

use crate::{Answer, ErrorKind, LlmError, RateLimits};

/// How a governor behaves.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Calls at once while nothing is known of the limits; grows with each call that is answered.
    pub first_concurrency: u32,
    /// Calls at once at most.
    pub max_concurrency: u32,
    /// Output that a call is expected to have before any was seen, in tokens.
    pub first_output: f64,
    /// The shortest pause after an overload, or after a refusal that says nothing; each further one is twice as long.
    pub pause: Duration,
    /// The share of each limit that is kept untouched when there was no refusal.
    pub least_floor: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            first_concurrency: 8,
            max_concurrency: 1_024,
            first_output: 1_000.0,
            pause: Duration::from_secs(1),
            least_floor: 0.02,
        }
    }
}

/// A call that somebody wants to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Who pays and waits; calls are shared out fairly between members.
    pub member: MemberId,
    /// Input tokens that will not come from the cache, as well as the caller knows.
    pub input: i64,
    /// Output tokens that the call allows.
    pub max_output: i64,
    /// The same call was let go before and failed: it goes before its member's others.
    pub again: bool,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was answered.
    Answered(Usage),
    /// The provider refused it, for the key's limit is used up.
    Limited {
        /// How long the provider asks to wait.
        retry_after: Option<Duration>,
        /// What it said of the limits.
        limits: RateLimits,
    },
    /// The provider has too much to do.
    Overloaded {
        /// How long the provider asks to wait.
        retry_after: Option<Duration>,
    },
    /// It failed otherwise; what it used until then, if that is known.
    Failed(Option<Usage>),
}

impl Outcome {
    /// How a call ended that was made over the wire.
    pub fn of(result: &Result<Answer, LlmError>) -> Self {
        match result {
            Ok(answer) => Self::Answered(answer.usage),
            Err(error) => match error.kind {
                ErrorKind::RateLimited => Self::Limited {
                    retry_after: error.retry_after,
                    limits: error.limits.as_deref().cloned().unwrap_or_default(),
                },
                ErrorKind::Overloaded => Self::Overloaded { retry_after: error.retry_after },
                _ => Self::Failed(error.partial.as_ref().map(|partial| partial.usage)),
            },
        }
    }
}

/// A call that can never go: it needs more than the limit holds when it is full. The caller makes it shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the call has some {needed} input tokens, and the key's limit is {limit} a minute")]
pub struct TooLarge {
    /// Input tokens of the call.
    pub needed: i64,
    /// Tokens that the limit holds.
    pub limit: i64,
}

impl From<TooLarge> for LlmError {
    fn from(error: TooLarge) -> Self {
        Self::new(ErrorKind::TooLarge, error.to_string())
    }
}

/// What a call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// The key's rate limit refills.
    RateLimit,
    /// The provider asked for a pause, because the key's limit was used up.
    Asked,
    /// The provider has too much to do.
    Overload,
    /// As many calls as are wise are under way.
    Concurrency,
}

/// Why a call waits, and until when, as well as that can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Why.
    pub reason: Reason,
    /// When it may go, as the time since the governor's beginning; nothing when that depends on other calls alone.
    pub until: Option<Duration>,
}

/// What a call weighs between members: output is as dear as five times the input.
fn weight(input: f64, output: f64) -> f64 {
    1.0 + input + 5.0 * output
}

#[cfg(test)]
mod tests;
