//! What can go wrong with a call, sorted by what helps.

use std::time::Duration;

use guildhall_types::chat::Usage;
use serde_json::Value;

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

/// What a provider says of a failure, in whatever form: Anthropic's, OpenAI's, Google's, or that of a server in front.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// Its word for the kind, in lower case.
    pub(crate) kind: String,
    /// Its code, in lower case.
    pub(crate) code: String,
    /// Its words.
    pub(crate) message: String,
}

impl Complaint {
    /// Reads a body; nothing when it is no complaint.
    pub(crate) fn read(body: &Value) -> Option<Self> {
        match body {
            // Google sends a list of one.
            Value::Array(list) => list.first().and_then(Self::read),
            Value::Object(map) => match map.get("error") {
                Some(error @ (Value::Object(_) | Value::String(_))) => Some(Self::of_error(error)),
                _ if map.get("message").is_some_and(Value::is_string) && !map.contains_key("choices") => {
                    Some(Self::of_error(body))
                }
                _ => map.get("detail").and_then(Value::as_str).map(|text| Self::of_error(&text.into())),
            },
            _ => None,
        }
    }

    /// Reads what stands under `error`.
    pub(crate) fn of_error(error: &Value) -> Self {
        let word = |name: &str| match &error[name] {
            Value::String(text) => text.to_lowercase(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        let kind = if error["type"].is_string() && error["type"] != "error" { word("type") } else { word("status") };
        let message = error["message"].as_str().or_else(|| error.as_str()).unwrap_or_default();
        Self { kind, code: word("code"), message: message.to_owned() }
    }

    /// The failure of a call whose stream said this.
    pub(crate) fn in_stream(self) -> LlmError {
        let mut failed =
            LlmError::new(ErrorKind::of_event(&self), format!("the provider ended its answer: {}", self.message));
        failed.retry_after = wait_in_words(&self.message);
        failed
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
    fn every_form_of_a_complaint_is_read() {
        let read = |text: &str| Complaint::read(&serde_json::from_str(text).unwrap());
        let said = |kind: &str, code: &str, message: &str| {
            Some(Complaint { kind: kind.to_owned(), code: code.to_owned(), message: message.to_owned() })
        };
        for (text, expected) in [
            (r#"{"type":"error","error":{"type":"api_error","message":"a"}}"#, said("api_error", "", "a")),
            (
                r#"{"error":{"message":"a","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
                said("tokens", "rate_limit_exceeded", "a"),
            ),
            (
                r#"[{"error":{"code":429,"message":"a","status":"RESOURCE_EXHAUSTED"}}]"#,
                said("resource_exhausted", "429", "a"),
            ),
            (
                r#"{"object":"error","message":"a","type":"BadRequestError","code":400}"#,
                said("badrequesterror", "400", "a"),
            ),
            (r#"{"error":"a"}"#, said("", "", "a")),
            (r#"{"detail":"a"}"#, said("", "", "a")),
            (r#"{"error":null,"choices":[]}"#, None),
            (r#"{"content":[]}"#, None),
            ("[]", None),
            ("7", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn words_of_other_providers_are_sorted_by_what_helps() {
        use ErrorKind::*;
        for (status, kind, code, message, expected) in [
            (
                429,
                "insufficient_quota",
                "insufficient_quota",
                "You exceeded your current quota, please check your plan",
                Billing,
            ),
            (
                429,
                "tokens",
                "rate_limit_exceeded",
                "Rate limit reached for gpt-x on tokens per min. Please try again in 17s.",
                RateLimited,
            ),
            (
                429,
                "tokens",
                "rate_limit_exceeded",
                "Request too large for gpt-x: Limit 30000, Requested 40000.",
                TooLarge,
            ),
            (429, "resource_exhausted", "429", "You exceeded your current quota. Please retry in 17.5s.", RateLimited),
            (429, "resource_exhausted", "429", "Quota exceeded for metric: x, limit: 0\nPlease retry in 17s.", Billing),
            (429, "resource_exhausted", "429", "Quota exceeded for metric: x, limit: 05, y", RateLimited),
            (400, "invalid_argument", "400", "API key not valid. Please pass a valid API key.", InvalidKey),
            (400, "invalid_request_error", "context_length_exceeded", "Too many.", PromptTooLong),
            (
                400,
                "invalid_argument",
                "400",
                "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
                PromptTooLong,
            ),
            (
                400,
                "",
                "",
                "max_tokens is too large: 100000. This model supports at most 16384 completion tokens",
                OutputTooLong,
            ),
            (400, "", "", "Invalid 'max_output_tokens': integer above maximum value.", OutputTooLong),
            (
                400,
                "",
                "400",
                "This model's maximum context length is 8192 tokens. However, you requested 17000 tokens (1000 in the messages, 16000 in the completion).",
                OutputTooLong,
            ),
            (
                400,
                "",
                "400",
                "This model's maximum context length is 8192 tokens. However, you requested 23000 tokens (7000 in the messages, 16000 in the completion).",
                PromptTooLong,
            ),
            (404, "invalid_request_error", "model_not_found", "The model does not exist.", NotFound),
            (503, "unavailable", "503", "The model is overloaded. Please try again later.", Overloaded),
            (503, "", "", "Service Unavailable", Server),
        ] {
            let said = Complaint { kind: kind.to_owned(), code: code.to_owned(), message: message.to_owned() };
            assert_eq!(ErrorKind::of(status, &said), expected, "{message}");
            let inside = ErrorKind::of_event(&said);
            assert!(inside == expected || code.is_empty(), "{message}: {inside:?}");
        }
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
