//! What a provider says of its rate limits.

use chrono::Duration as Span;
use guildhall_types::DateTime;
use reqwest::header::HeaderMap;

use crate::error::wait_of;

/// One of a key's limits as the provider stated it last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bucket {
    /// How much it holds when it is full.
    pub limit: Option<i64>,
    /// How much is left.
    pub remaining: Option<i64>,
    /// When it will be full again.
    pub reset: Option<DateTime>,
}

/// A key's limits as the provider stated them last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests.
    pub requests: Bucket,
    /// Tokens of both kinds.
    pub tokens: Bucket,
    /// Input tokens.
    pub input_tokens: Bucket,
    /// Output tokens.
    pub output_tokens: Bucket,
}

impl RateLimits {
    /// Reads the `anthropic-ratelimit-*` headers, or the `x-ratelimit-*` ones of OpenAI and many others, who say in how
    /// long a limit resets.
    pub(crate) fn read(headers: &HeaderMap, now: DateTime) -> Self {
        let anthropic = Self::read_anthropic(headers);
        if anthropic != Self::default() {
            return anthropic;
        }
        let bucket = |name: &str| {
            let value = |what: &str| headers.get(format!("x-ratelimit-{what}-{name}"))?.to_str().ok();
            Bucket {
                limit: value("limit").and_then(|text| text.trim().parse().ok()),
                remaining: value("remaining").and_then(|text| text.trim().parse().ok()),
                reset: value("reset").and_then(span).and_then(|span| now.checked_add_signed(span)),
            }
        };
        Self { requests: bucket("requests"), tokens: bucket("tokens"), ..Self::default() }
    }

    fn read_anthropic(headers: &HeaderMap) -> Self {
        let bucket = |name: &str| {
            let value = |what: &str| headers.get(format!("anthropic-ratelimit-{name}-{what}"))?.to_str().ok();
            Bucket {
                limit: value("limit").and_then(|text| text.parse().ok()),
                remaining: value("remaining").and_then(|text| text.parse().ok()),
                reset: value("reset").and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok()).map(Into::into),
            }
        };
        Self {
            requests: bucket("requests"),
            tokens: bucket("tokens"),
            input_tokens: bucket("input-tokens"),
            output_tokens: bucket("output-tokens"),
        }
    }

    /// How long until the limits that are used up are full again.
    pub(crate) fn wait(&self, now: DateTime) -> Option<std::time::Duration> {
        [&self.requests, &self.tokens, &self.input_tokens, &self.output_tokens]
            .into_iter()
            .filter(|bucket| bucket.remaining.is_some_and(|left| left <= 0))
            .filter_map(|bucket| bucket.reset)
            .map(|reset| (reset - now).max(Span::zero()))
            .max()
            .and_then(|wait| wait.to_std().ok())
    }
}

/// A span such as `1s`, `6m0s`, `1h2m3.5s`, `120ms`, or a number of seconds.
fn span(text: &str) -> Option<Span> {
    let mut rest = text.trim();
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..end].parse().ok()?;
        let unit = rest[end..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |length| end + length);
        seconds += number
            * match &rest[end..unit] {
                "ms" => 0.001,
                "s" | "" => 1.0,
                "m" => 60.0,
                "h" => 3_600.0,
                "d" => 86_400.0,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    Span::from_std(wait_of(seconds)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_in_words_becomes_a_time() {
        for (text, millis) in [
            ("1s", Some(1_000)),
            ("6m0s", Some(360_000)),
            ("1h2m3.5s", Some(3_723_500)),
            ("120ms", Some(120)),
            ("17", Some(17_000)),
            (" 1d ", Some(86_400_000)),
            ("", None),
            ("soon", None),
            ("1x", None),
            ("-1s", None),
            ("1.2.3s", None),
        ] {
            assert_eq!(span(text).map(|span| span.num_milliseconds()), millis, "{text}");
        }
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "59"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let limits = RateLimits::read(&headers, DateTime::UNIX_EPOCH);
        assert_eq!((limits.requests.limit, limits.requests.remaining), (Some(60), Some(59)));
        assert_eq!(limits.requests.reset.map(|at| at.timestamp()), Some(1));
        assert_eq!(limits.wait(DateTime::UNIX_EPOCH), Some(std::time::Duration::from_secs(360)));
        assert_eq!(limits.input_tokens, Bucket::default());
        headers.insert("anthropic-ratelimit-requests-limit", "7".parse().unwrap());
        assert_eq!(RateLimits::read(&headers, DateTime::UNIX_EPOCH).requests.limit, Some(7));
    }
}
