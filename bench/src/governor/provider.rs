//! The provider as its documentation describes it: token buckets that refill continuously up to the limit of a minute.
//! Input is taken when a call arrives, output as it is written. Knows nothing of the governor.

use guildhall_llm::{Bucket, RateLimits};

/// Limits for a minute.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests.
    pub requests: f64,
    /// Input tokens that do not come from the cache.
    pub input: f64,
    /// Output tokens.
    pub output: f64,
}

impl Limits {
    fn list(self) -> [f64; 3] {
        [self.requests, self.input, self.output]
    }
}

#[derive(Debug)]
struct Writing {
    begins: f64,
    pace: f64,
    left: f64,
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    /// Seconds until the call would fit.
    pub(super) wait: f64,
}

#[derive(Debug)]
pub(super) struct Provider {
    limits: [f64; 3],
    left: [f64; 3],
    at: f64,
    writing: Vec<Writing>,
    /// Since the counting began.
    pub(super) taken: [f64; 3],
    pub(super) refilled: [f64; 3],
}

impl Provider {
    pub(super) fn new(limits: Limits) -> Self {
        let limits = limits.list();
        Self { limits, left: limits, at: 0.0, writing: Vec::new(), taken: [0.0; 3], refilled: [0.0; 3] }
    }

    /// Changes the limits; what is left stays, as far as it fits.
    pub(super) fn set(&mut self, limits: Limits, now: f64) {
        self.advance(now);
        self.limits = limits.list();
        self.left.iter_mut().zip(self.limits).for_each(|(left, limit)| *left = left.min(limit));
    }

    pub(super) fn count_anew(&mut self, now: f64) {
        self.advance(now);
        (self.taken, self.refilled) = ([0.0; 3], [0.0; 3]);
    }

    pub(super) fn advance(&mut self, now: f64) {
        let seconds = now - self.at;
        for kind in 0..3 {
            let refill = self.limits[kind] / 60.0 * seconds;
            self.refilled[kind] += refill;
            self.left[kind] = (self.left[kind] + refill).min(self.limits[kind]);
        }
        let mut written = 0.0;
        for writing in &mut self.writing {
            let part = ((now - writing.begins.max(self.at)).max(0.0) * writing.pace).min(writing.left);
            writing.left -= part;
            written += part;
        }
        self.writing.retain(|writing| writing.left > 0.0);
        self.left[2] -= written;
        self.taken[2] += written;
        self.at = now;
    }

    /// A call arrives; what it writes begins at `begins`.
    pub(super) fn arrive(&mut self, now: f64, input: f64, output: f64, begins: f64, pace: f64) -> Result<(), Refusal> {
        self.advance(now);
        let missing = [1.0 - self.left[0], input.min(self.limits[1]) - self.left[1], 1.0 - self.left[2]];
        let waits = missing.iter().zip(self.limits).map(|(missing, limit)| missing / limit * 60.0);
        let wait = waits.fold(0.0, f64::max);
        if wait > 0.0 {
            return Err(Refusal { wait });
        }
        self.left[0] -= 1.0;
        self.left[1] -= input;
        self.taken[0] += 1.0;
        self.taken[1] += input;
        self.writing.push(Writing { begins, pace, left: output });
        Ok(())
    }

    /// What the headers say now: whole requests, thousands of tokens, and times by a clock that is off by `skew`.
    pub(super) fn headers(&self, now: f64, skew: f64) -> RateLimits {
        let bucket = |kind: usize, step: f64| {
            let full = (self.limits[kind] - self.left[kind]) / self.limits[kind] * 60.0;
            let seconds = (now + full + skew).ceil() as i64;
            Bucket {
                limit: Some(self.limits[kind] as i64),
                remaining: Some(((self.left[kind].max(0.0) / step).round() * step) as i64),
                reset: chrono::DateTime::from_timestamp(1_800_000_000 + seconds, 0),
            }
        };
        let [requests, input_tokens, output_tokens] = [bucket(0, 1.0), bucket(1, 1_000.0), bucket(2, 1_000.0)];
        let sum = |a: Option<i64>, b: Option<i64>| a.zip(b).map(|(a, b)| a + b);
        let tokens = Bucket {
            limit: sum(input_tokens.limit, output_tokens.limit),
            remaining: sum(input_tokens.remaining, output_tokens.remaining),
            reset: input_tokens.reset,
        };
        RateLimits { requests, tokens, input_tokens, output_tokens }
    }
}
