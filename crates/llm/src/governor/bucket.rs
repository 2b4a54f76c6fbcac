//! One of the provider's buckets, as far as it can be known from here.

/// Over how many seconds a constant difference between what was predicted and what the provider said becomes known.
const LEARN: f64 = 60.0;
/// Share of the refill that others may be believed to spend. With the whole of it nothing would ever go again.
const MOST_DRIFT: f64 = 0.9;
/// After so many seconds without a word from the provider, half of the drift is forgotten in as many as it takes to learn.
const SILENCE: f64 = 10.0;
/// How much a new observation counts in the mean error.
const NEW: f64 = 0.1;

/// Amounts are requests or tokens, times are seconds.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    pub(super) limit: f64,
    /// What the provider has left now. Below nothing, when answers put out more than was left.
    pub(super) level: f64,
    /// What others spend on the same key, each second.
    pub(super) drift: f64,
    /// The mean difference between the prediction and the provider's word, as a share of the limit.
    pub(super) error: f64,
    /// Seconds since the provider's last word.
    silent: f64,
}

impl Bucket {
    pub(super) fn new(limit: f64, level: f64) -> Self {
        Self { limit, level, drift: 0.0, error: 0.0, silent: 0.0 }
    }

    /// The provider refills continuously, the whole limit in a minute.
    pub(super) fn refill(&self) -> f64 {
        self.limit / 60.0
    }

    /// The refill, less what others take of it.
    pub(super) fn gain(&self) -> f64 {
        self.refill() - self.drift
    }

    pub(super) fn advance(&mut self, seconds: f64) {
        self.level = (self.level + self.gain() * seconds).min(self.limit);
        self.silent += seconds;
        if self.silent > SILENCE {
            self.drift *= 0.5_f64.powf(seconds / LEARN);
        }
    }

    /// Takes the provider's word for what is left, and learns from how far the prediction was off.
    pub(super) fn observe(&mut self, limit: f64, level: f64) {
        self.silent = 0.0;
        let same = (limit - self.limit).abs() < 0.5;
        // A full bucket says nothing about what others spend.
        if same && self.level < self.limit * 0.98 {
            let off = self.level - level;
            self.error += NEW * (off.abs() / limit - self.error);
            self.drift = (self.drift + off / LEARN).clamp(0.0, self.refill() * MOST_DRIFT);
        }
        if !same {
            self.drift *= limit / self.limit;
        }
        (self.limit, self.level) = (limit, level.min(limit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_spend_is_learned_and_forgotten() {
        let mut bucket = Bucket::new(60_000.0, 30_000.0);
        let mut truth = 30_000.0;
        let mut go = |bucket: &mut Bucket, seconds: u32, others: f64| {
            for _ in 0..seconds {
                truth += 1_000.0 - others - 900.0;
                bucket.level -= 900.0;
                bucket.advance(1.0);
                bucket.observe(60_000.0, truth);
            }
        };
        go(&mut bucket, 300, 80.0);
        assert!((bucket.drift - 80.0).abs() < 2.0, "{}", bucket.drift);
        go(&mut bucket, 300, 0.0);
        assert!(bucket.drift < 2.0, "{}", bucket.drift);
    }

    #[test]
    fn a_bucket_is_never_fuller_than_full_and_never_believed_to_stand_still() {
        let mut bucket = Bucket::new(600.0, 0.0);
        bucket.advance(3_600.0);
        assert!((bucket.level - 600.0).abs() < 1e-6);
        for _ in 0..100 {
            bucket.level = 300.0;
            bucket.observe(600.0, -600.0);
        }
        assert!(bucket.gain() > 0.0);
        bucket.observe(1_200.0, 5_000.0);
        assert_eq!((bucket.limit, bucket.level), (1_200.0, 1_200.0));
        assert!(bucket.gain() > 0.0);
    }
}
