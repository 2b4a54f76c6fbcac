//! What can go wrong with a call, sorted by what helps.

use std::time::Duration;

use guildhall_types::chat::Usage;

use crate::RateLimits;

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// 401: the provider does not know the key.
    InvalidKey,
    /// 403: the key may not do this.
    Forbidden,
    /// 402, or a message that says so: the account has no credit.
    Billing,
    /// 400: the conversation does not fit the model's context window.
    PromptTooLong,
    /// 400: the request asks for more output than the model can give. Not an overflow of the context.
    OutputTooLong,
    /// 400 for any other reason.
    BadRequest,
    /// 413: the request is larger than the provider takes.
    TooLarge,
    /// 404: there is no such model, or nothing at this address. Also a redirect, which is not followed.
    NotFound,
    /// 429, as a status or inside a stream: the key's rate limit is used up for now.
    RateLimited,
    /// 529, as a status or inside a stream: the provider has too much to do.
    Overloaded,
    /// Another 5xx, as a status or inside a stream.
    Server,
    /// The provider could not be reached.
    Unreachable,
    /// Nothing came for too long.
    Idle,
    /// The stream ended before the answer did.
    Broken,
    /// What came was not the provider's protocol.
    Garbage,
}

/// How providers say that a conversation is too long for a model.
const OVERFLOWS: [&str; 3] = ["prompt is too long", "context window", "context limit"];

impl ErrorKind {
    /// Whether the same call may succeed later.
    pub const fn may_pass(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::Overloaded
                | Self::Server
                | Self::Unreachable
                | Self::Idle
                | Self::Broken
                | Self::Garbage
        )
    }

    /// A stable word for it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::InvalidKey => "invalid-key",
            Self::Forbidden => "key-not-allowed",
            Self::Billing => "no-credit",
            Self::PromptTooLong => "prompt-too-long",
            Self::OutputTooLong => "output-too-long",
            Self::BadRequest => "bad-request",
            Self::TooLarge => "request-too-large",
            Self::NotFound => "no-such-model",
            Self::RateLimited => "rate-limited",
            Self::Overloaded => "provider-overloaded",
            Self::Server => "provider-error",
            Self::Unreachable => "provider-unreachable",
            Self::Idle => "provider-silent",
            Self::Broken => "stream-broken",
            Self::Garbage => "not-a-provider",
        }
    }

    /// What a member can do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::InvalidKey => "Put a valid key in place under Settings, then retry.",
            Self::Forbidden => "Check what this key may do with the provider, or use another one, then retry.",
            Self::Billing => "Add credit with the provider, then retry.",
            Self::PromptTooLong => {
                "Start again with a smaller feature, or choose a model with a larger context window."
            }
            Self::OutputTooLong => "Choose another model for this feature.",
            Self::BadRequest => "Retry; if it stays, start the feature again or choose another model.",
            Self::TooLarge => "Start again with a smaller feature or fewer attachments.",
            Self::NotFound => "Choose another model, and check the base URL under Settings.",
            Self::RateLimited => "Retry when the limit has reset.",
            Self::Overloaded | Self::Server => "The provider has trouble; retry later.",
            Self::Unreachable => "Check the base URL under Settings and the server's network, then retry.",
            Self::Idle | Self::Broken => "Retry; the work goes on from the last saved turn.",
            Self::Garbage => "Check that the base URL under Settings is that of the provider's API.",
        }
    }

    pub(crate) fn of_status(status: u16, message: &str) -> Self {
        let plain = message.to_lowercase();
        match status {
            400 if plain.contains("credit balance") || plain.contains("usage limit") => Self::Billing,
            400 if OVERFLOWS.iter().any(|words| plain.contains(words)) => Self::PromptTooLong,
            400 if plain.contains("max_tokens") && plain.contains("maximum") => Self::OutputTooLong,
            400 | 422 => Self::BadRequest,
            401 => Self::InvalidKey,
            402 => Self::Billing,
            403 => Self::Forbidden,
            300..=399 | 404 => Self::NotFound,
            413 => Self::TooLarge,
            429 => Self::RateLimited,
            529 => Self::Overloaded,
            408 | 500..=599 => Self::Server,
            _ => Self::BadRequest,
        }
    }

    /// The kind of an `error` event inside a stream.
    pub(crate) fn of_event(kind: &str, message: &str) -> Self {
        let status = match kind {
            "invalid_request_error" => 400,
            "authentication_error" => 401,
            "billing_error" => 402,
            "permission_error" => 403,
            "not_found_error" => 404,
            "request_too_large" => 413,
            "rate_limit_error" => 429,
            "overloaded_error" => 529,
            _ => 500,
        };
        Self::of_status(status, message)
    }
}

/// What a call that failed midway has used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial {
    /// The model that had begun to answer.
    pub model: String,
    /// Tokens so far.
    pub usage: Usage,
}

/// Why a call failed. Holds no key.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct LlmError {
    /// What kind of failure it was.
    pub kind: ErrorKind,
    /// What happened, in a sentence.
    pub message: String,
    /// How long to wait before the next try, if the provider said so.
    pub retry_after: Option<Duration>,
    /// What the provider said of the key's limits when it refused the call.
    pub limits: Option<Box<RateLimits>>,
    /// What it used, if the answer had begun. To be billed once.
    pub partial: Option<Partial>,
    /// What lies below.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl LlmError {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None, limits: None, partial: None, source: None }
    }

    pub(crate) fn from_source(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self { source: Some(Box::new(source)), ..Self::new(kind, message) }
    }
}

/// The longest wait that is believed; also a bound for those who add it to a date.
const LONGEST_WAIT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A wait of so many seconds, if that is one at all.
pub(crate) fn wait_of(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds.min(LONGEST_WAIT.as_secs_f64())).ok()
}

/// Reads "try again in 17 s" or "in 1m30s" out of a message, with the units that providers use.
pub(crate) fn wait_in_words(message: &str) -> Option<Duration> {
    let plain = message.to_lowercase();
    let mut rest = ["try again in ", "retry after ", "retry in "]
        .iter()
        .find_map(|words| Some(plain.split_once(words)?.1.trim_start()))?;
    let mut sum = None;
    while rest.starts_with(|c: char| c.is_ascii_digit()) {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..end].trim_end_matches('.').parse().ok()?;
        let unit = rest[end..].trim_start();
        let seconds = if unit.starts_with("ms") || unit.starts_with("milli") {
            number / 1000.0
        } else if unit.starts_with('m') {
            number * 60.0
        } else if unit.starts_with('h') {
            number * 3600.0
        } else {
            number
        };
        sum = Some(sum.unwrap_or(0.0) + seconds);
        rest = unit.trim_start_matches(|c: char| c.is_alphabetic()).trim_start();
    }
    wait_of(sum?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_in_words_is_read() {
        for (message, seconds) in [
            ("Rate limit reached. Please try again in 17 s.", Some(17.0)),
            ("try again in 1.5s", Some(1.5)),
            ("Please retry after 250ms", Some(0.25)),
            ("please try again in 2 minutes", Some(120.0)),
            ("try again in 1m30s", Some(90.0)),
            ("Try again in 2 h 5 min, or ask for more", Some(7_500.0)),
            ("retry after 99999999999999999999 s", Some(604_800.0)),
            ("retry after 1.2.3 s", None),
            ("try again in a while", None),
            ("try again in", None),
            ("overloaded", None),
        ] {
            assert_eq!(wait_in_words(message), seconds.map(Duration::from_secs_f64), "{message}");
        }
    }

    #[test]
    fn each_status_has_its_meaning_and_only_what_may_pass_is_tried_again() {
        use ErrorKind::*;
        let table = [
            (302, NotFound),
            (400, BadRequest),
            (401, InvalidKey),
            (402, Billing),
            (403, Forbidden),
            (404, NotFound),
            (413, TooLarge),
            (418, BadRequest),
            (422, BadRequest),
            (429, RateLimited),
            (500, Server),
            (503, Server),
            (504, Server),
            (529, Overloaded),
        ];
        for (status, kind) in table {
            assert_eq!(ErrorKind::of_status(status, ""), kind, "{status}");
            assert_eq!(kind.may_pass(), status == 429 || status >= 500, "{status}");
        }
        assert_eq!(ErrorKind::of_status(400, "Your credit balance is too low"), Billing);
        assert_eq!(ErrorKind::of_status(400, "You have reached your specified API usage limits."), Billing);
    }

    #[test]
    fn a_bad_max_tokens_is_no_overflow_of_the_context() {
        let message = "max_tokens: 200000 > 64000, which is the maximum allowed number of output tokens";
        assert_eq!(ErrorKind::of_status(400, message), ErrorKind::OutputTooLong);
        assert_eq!(
            ErrorKind::of_status(400, "prompt is too long: 210000 tokens > 200000 maximum"),
            ErrorKind::PromptTooLong
        );
        assert_eq!(ErrorKind::of_status(400, "messages: roles must alternate"), ErrorKind::BadRequest);
        let both = "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000";
        assert_eq!(ErrorKind::of_status(400, both), ErrorKind::PromptTooLong);
        let budget = "thinking.budget_tokens must be less than max_tokens";
        assert_eq!(ErrorKind::of_status(400, budget), ErrorKind::BadRequest);
    }
}
