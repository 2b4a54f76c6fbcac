//! What a provider says of a failure, in its own words.

use std::time::Duration;

use serde_json::Value;

use super::{ErrorKind, LlmError};

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
