//! Rate limits of a key, as continuous refills, and the headers that tell of them.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// What a key may use in a minute.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// Requests.
    pub requests: i64,
    /// Input tokens that do not come from the cache.
    pub input_tokens: i64,
    /// Output tokens.
    pub output_tokens: i64,
}

#[derive(Debug)]
struct Bucket {
    name: &'static str,
    limit: f64,
    left: f64,
    at: Instant,
}

impl Bucket {
    fn new(name: &'static str, limit: i64) -> Self {
        Self { name, limit: limit as f64, left: limit as f64, at: Instant::now() }
    }

    fn refill(&mut self, now: Instant) {
        let gained = now.duration_since(self.at).as_secs_f64() * self.limit / 60.0;
        self.left = (self.left + gained).min(self.limit);
        self.at = now;
    }

    fn until(&self, amount: f64) -> Duration {
        Duration::from_secs_f64(((amount - self.left) / self.limit * 60.0).max(0.0))
    }
}

/// The limits of one key.
#[derive(Debug)]
pub(crate) struct Meter {
    requests: Bucket,
    input: Bucket,
    output: Bucket,
}

impl Meter {
    pub(crate) fn new(quota: Quota) -> Self {
        Self {
            requests: Bucket::new("requests", quota.requests),
            input: Bucket::new("input-tokens", quota.input_tokens),
            output: Bucket::new("output-tokens", quota.output_tokens),
        }
    }

    /// Takes what a call needs, or says how long to wait.
    pub(crate) fn take(&mut self, input: i64, output: i64) -> Result<(), Duration> {
        let now = Instant::now();
        let mut wait = Duration::ZERO;
        for (bucket, amount) in [(&mut self.requests, 1), (&mut self.input, input), (&mut self.output, output)] {
            bucket.refill(now);
            wait = wait.max(bucket.until((amount as f64).min(bucket.limit)));
        }
        if !wait.is_zero() {
            return Err(wait);
        }
        self.requests.left -= 1.0;
        self.input.left -= input as f64;
        self.output.left -= output as f64;
        Ok(())
    }

    /// The headers that every answer bears.
    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for bucket in [&self.requests, &self.input, &self.output] {
            let wait = chrono::Duration::from_std(bucket.until(bucket.limit)).unwrap_or_default();
            #[expect(clippy::disallowed_methods, reason = "the simulator is another program, with a clock of its own")]
            let reset = (chrono::Utc::now() + wait).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            let values = [
                ("limit", format!("{:.0}", bucket.limit)),
                ("remaining", format!("{:.0}", bucket.left.max(0.0))),
                ("reset", reset),
            ];
            for (what, value) in values {
                let name = HeaderName::try_from(format!("anthropic-ratelimit-{}-{what}", bucket.name));
                if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
                    headers.insert(name, value);
                }
            }
        }
        headers
    }
}
