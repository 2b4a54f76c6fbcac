//! Rate limits of a key, as continuous refills, and the headers that tell of them.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use chrono::{DateTime, SecondsFormat, Utc};

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
    fn new(name: &'static str, limit: i64, filled: f64, now: Instant) -> Self {
        // A limit of nothing could never refill.
        let limit = limit.max(1) as f64;
        Self { name, limit, left: limit * filled.clamp(0.0, 1.0), at: now }
    }

    fn refill(&mut self, now: Instant) {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * self.limit / 60.0;
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
    /// `filled`: what share of the limits is there at the beginning.
    pub(crate) fn new(quota: Quota, filled: f64, now: Instant) -> Self {
        Self {
            requests: Bucket::new("requests", quota.requests, filled, now),
            input: Bucket::new("input-tokens", quota.input_tokens, filled, now),
            output: Bucket::new("output-tokens", quota.output_tokens, filled, now),
        }
    }

    /// Takes what a call needs, or says how long to wait.
    pub(crate) fn take(&mut self, input: i64, output: i64, now: Instant) -> Result<(), Duration> {
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

    /// The headers that every answer bears. `date` is the time of the last [`Self::take`].
    pub(crate) fn headers(&self, date: DateTime<Utc>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for bucket in [&self.requests, &self.input, &self.output] {
            let wait = chrono::Duration::from_std(bucket.until(bucket.limit)).unwrap_or_default();
            // Whole seconds, rounded up: at the stated time the bucket is full.
            let reset = (date + wait + chrono::Duration::milliseconds(999)).to_rfc3339_opts(SecondsFormat::Secs, true);
            let values = [
                ("limit", format!("{}", bucket.limit)),
                ("remaining", format!("{}", bucket.left.max(0.0).floor())),
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

    /// The same in the words of OpenAI: how long until a limit is whole again, and one limit on tokens.
    pub(crate) fn openai_headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, bucket) in [("requests", &self.requests), ("tokens", &self.input)] {
            let wait = bucket.until(bucket.limit);
            let reset = match wait.as_secs() {
                0 => format!("{}ms", wait.as_millis()),
                seconds if seconds < 60 => format!("{:.1}s", wait.as_secs_f64()),
                seconds => format!("{}m{}s", seconds / 60, seconds % 60 + 1),
            };
            let values = [
                ("limit", format!("{}", bucket.limit)),
                ("remaining", format!("{}", bucket.left.max(0.0).floor())),
                ("reset", reset),
            ];
            for (what, value) in values {
                let name = HeaderName::try_from(format!("x-ratelimit-{what}-{name}"));
                if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
                    headers.insert(name, value);
                }
            }
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota { requests: 60, input_tokens: 6_000, output_tokens: 600 };

    fn header(meter: &Meter, name: &str) -> String {
        let headers = meter.headers(DateTime::UNIX_EPOCH);
        headers.get(format!("anthropic-ratelimit-{name}")).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn what_is_used_up_comes_back_with_time() {
        let start = Instant::now();
        let mut meter = Meter::new(QUOTA, 1.0, start);
        meter.take(4_000, 100, start).unwrap();
        assert_eq!(header(&meter, "requests-remaining"), "59");
        assert_eq!(header(&meter, "input-tokens-limit"), "6000");
        assert_eq!(header(&meter, "input-tokens-remaining"), "2000");
        assert_eq!(header(&meter, "input-tokens-reset"), "1970-01-01T00:00:40Z");
        assert_eq!(header(&meter, "output-tokens-remaining"), "500");
        // 1,000 tokens are missing, at 100 a second.
        assert_eq!(meter.take(3_000, 1, start).unwrap_err(), Duration::from_secs(10));
        assert_eq!(header(&meter, "requests-remaining"), "59", "a refused call takes nothing");
        assert!(meter.take(3_000, 1, start + Duration::from_millis(9_900)).is_err());
        meter.take(3_000, 1, start + Duration::from_secs(10)).unwrap();
        assert_eq!(header(&meter, "input-tokens-remaining"), "0");
        meter.take(6_000, 600, start + Duration::from_secs(3_600)).unwrap();
    }

    #[test]
    fn a_key_may_begin_with_less_than_a_minute_s_worth() {
        let start = Instant::now();
        let mut meter = Meter::new(QUOTA, 0.25, start);
        assert_eq!(meter.take(2_000, 1, start).unwrap_err(), Duration::from_secs(5));
        meter.take(1_500, 1, start).unwrap();
        assert_eq!(header(&meter, "input-tokens-limit"), "6000");
        assert_eq!(header(&meter, "requests-remaining"), "14");
    }

    #[test]
    fn each_of_the_three_limits_holds() {
        let start = Instant::now();
        let mut meter = Meter::new(QUOTA, 1.0, start);
        for _ in 0..60 {
            meter.take(1, 1, start).unwrap();
        }
        assert_eq!(meter.take(1, 1, start).unwrap_err(), Duration::from_secs(1));
        let mut meter = Meter::new(QUOTA, 1.0, start);
        meter.take(1, 600, start).unwrap();
        assert_eq!(meter.take(1, 60, start).unwrap_err(), Duration::from_secs(6));
    }

    #[test]
    fn a_call_larger_than_the_limit_takes_all_of_it_and_no_limit_is_nothing() {
        let start = Instant::now();
        let mut meter = Meter::new(Quota { requests: 0, ..QUOTA }, 1.0, start);
        meter.take(9_000, 1, start).unwrap();
        assert_eq!(meter.take(1, 1, start).unwrap_err(), Duration::from_secs(60));
        assert_eq!(header(&meter, "input-tokens-remaining"), "0");
    }
}
