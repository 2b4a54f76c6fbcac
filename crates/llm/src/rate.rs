//! What a provider says of its rate limits.

use chrono::Duration as Span;
use guildhall_types::DateTime;
use reqwest::header::HeaderMap;

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
    /// Reads the `anthropic-ratelimit-*` headers.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
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
