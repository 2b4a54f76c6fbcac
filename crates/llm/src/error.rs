//! What can go wrong with a call, sorted by what helps.

use std::time::Duration;

use guildhall_types::chat::Usage;

use crate::RateLimits;

mod said;

pub(crate) use said::{Complaint, wait_in_words, wait_of};

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
    /// The provider is at an address that a member may not make the server call.
    Blocked,
    /// Nothing came for too long.
    Idle,
    /// The stream ended before the answer did.
    Broken,
    /// What came was not the provider's protocol.
    Garbage,
}

/// How providers say that a conversation is too long for a model.
const OVERFLOWS: [&str; 7] = [
    "prompt is too long",
    "context window",
    "context limit",
    "context length",
    "context size",
    "input token count",
    "context_length_exceeded",
];
/// Tokens of an answer without which a call is of no use.
const LEAST_OUTPUT: u64 = 4_096;

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

    /// Whether it says that a provider, the way to it or the key for it is not in order. Limits and overloads are waited
    /// for, and what a call asked too much of is the call's fault.
    pub const fn is_failure(self) -> bool {
        matches!(
            self,
            Self::InvalidKey
                | Self::Forbidden
                | Self::Billing
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
            Self::Blocked => "address-not-allowed",
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
            Self::Blocked => "Give another base URL under Settings, or ask the operator to allow it.",
            Self::Unreachable => "Check the base URL under Settings and the server's network, then retry.",
            Self::Idle | Self::Broken => "Retry; the work goes on from the last saved turn.",
            Self::Garbage => "Check that the base URL under Settings is that of the provider's API.",
        }
    }

    /// The kind of a refusal with this status and these words.
    pub(crate) fn of(status: u16, said: &Complaint) -> Self {
        let is = |words: &[&str]| words.iter().any(|word| said.kind == *word || said.code == *word);
        let plain = said.message.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| plain.contains(word));
        if is(&["insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "billing_error"])
            || says(&["insufficient_quota"])
            // What Google says of a model that the account may not use at all; this never refills.
            || status == 429 && (says(&["limit: 0,", "limit: 0\n"]) || plain.ends_with("limit: 0"))
        {
            return Self::Billing;
        }
        if is(&["context_length_exceeded"]) {
            return Self::PromptTooLong;
        }
        if is(&["invalid_api_key", "api_key_invalid"]) || says(&["api key not valid", "incorrect api key"]) {
            return Self::InvalidKey;
        }
        if is(&["model_not_found"]) {
            return Self::NotFound;
        }
        if status == 429 && says(&["request too large"]) {
            // It asks for more than the limit can ever hold.
            return Self::TooLarge;
        }
        if is(&["server_is_overloaded", "slow_down", "overloaded_error", "engine_overloaded"])
            || status == 503 && says(&["overloaded"])
        {
            return Self::Overloaded;
        }
        Self::of_status(status, &said.message)
    }

    pub(crate) fn of_status(status: u16, message: &str) -> Self {
        let plain = message.to_lowercase();
        let limit =
            ["max_tokens", "max_output_tokens", "max_completion_tokens"].iter().any(|word| plain.contains(word));
        match status {
            400 if plain.contains("credit balance") || plain.contains("usage limit") => Self::Billing,
            400 if limit && plain.contains("is too large") => Self::OutputTooLong,
            400 if asks_too_much(&plain) => Self::OutputTooLong,
            400 if OVERFLOWS.iter().any(|words| plain.contains(words)) => Self::PromptTooLong,
            400 if limit && plain.contains("maximum") => Self::OutputTooLong,
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

    /// The kind of an error inside a stream, where there is no status.
    pub(crate) fn of_event(said: &Complaint) -> Self {
        let status = said.code.parse().ok().filter(|code| (400..=599).contains(code));
        let word = |word: &str| match word {
            "invalid_request_error" | "invalid_prompt" | "invalid_argument" | "badrequesterror" => Some(400),
            "authentication_error" | "unauthenticated" => Some(401),
            "billing_error" => Some(402),
            "permission_error" | "permission_denied" => Some(403),
            "not_found_error" | "not_found" => Some(404),
            "request_too_large" => Some(413),
            "rate_limit_error" | "rate_limit_exceeded" | "resource_exhausted" | "too_many_requests" => Some(429),
            "overloaded_error" => Some(529),
            "unavailable" => Some(503),
            _ => None,
        };
        let status = status.or_else(|| word(&said.code)).or_else(|| word(&said.kind));
        Self::of(status.unwrap_or(500), said)
    }
}

/// Whether it is the answer's limit that does not fit into the window, as vLLM says: "maximum context length is 8192 tokens.
/// However, you requested 17000 tokens (1000 in the messages, 16000 in the completion)".
fn asks_too_much(plain: &str) -> bool {
    let number_after = |words: &str| {
        let rest = plain.split_once(words)?.1.trim_start();
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok()
    };
    let (Some(window), Some(prompt)) = (number_after("maximum context length is"), number_after("tokens (")) else {
        return false;
    };
    plain.contains("in the completion") && prompt + LEAST_OUTPUT <= window
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
    /// Whether it says that the provider, or the way to it, is down: that passes, though it may take hours. An overload does, too,
    /// and says so itself. An answer that broke off was begun, and is paid for at each try: that is none to be sat out.
    pub const fn is_outage(&self) -> bool {
        let down =
            matches!(self.kind, ErrorKind::Server | ErrorKind::Unreachable | ErrorKind::Idle | ErrorKind::Broken);
        down && self.partial.is_none()
    }

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

#[cfg(test)]
mod tests;
