//! A limit that the provider does not tell, learned from its refusals.

use std::collections::VecDeque;

/// Seconds of spending that are remembered.
const WINDOW: f64 = 60.0;
/// What the limit grows by in a second: fast until the second refusal, slowly after it.
const FAST: f64 = 0.01;
const SLOW: f64 = 0.001;
/// What is left of the limit after a refusal.
const LESS: f64 = 0.96;
/// Answered calls like the refused one without which nothing is learned.
const EVIDENCE: f64 = 4.0;
/// The share of the limit that may be saved up.
const BURST: f64 = 0.25;

/// Weighs calls as they are weighed between members; times are seconds.
#[derive(Debug, Default)]
pub(super) struct Learned {
    now: f64,
    began: Option<f64>,
    spent: VecDeque<(f64, f64)>,
    /// The limit for a minute, once there was a refusal.
    limit: Option<f64>,
    level: f64,
    refusals: u32,
    /// When the last refusal counted.
    refused: f64,
}

impl Learned {
    pub(super) fn advance(&mut self, now: f64) {
        let seconds = (now - self.now).max(0.0);
        self.now = self.now.max(now);
        while self.spent.front().is_some_and(|(at, _)| now - at > WINDOW) {
            self.spent.pop_front();
        }
        if let Some(limit) = &mut self.limit {
            self.level = (self.level + *limit / WINDOW * seconds).min(*limit * BURST);
            // Only a limit that is used can be found too low.
            if self.level < *limit * BURST {
                *limit *= 1.0 + if self.refusals < 2 { FAST } else { SLOW } * seconds.min(WINDOW);
            }
        }
    }

    pub(super) fn limit(&self) -> Option<f64> {
        self.limit
    }

    /// Seconds until a call of this weight fits, with `ahead` before it in line. One that is larger than what is saved up
    /// goes when all of that is there.
    pub(super) fn wait(&self, weight: f64, ahead: f64) -> Option<f64> {
        let limit = self.limit?;
        let missing = weight.min(limit * BURST * 0.999) + ahead - self.level;
        (missing > 1e-3).then(|| missing / limit * WINDOW)
    }

    pub(super) fn send(&mut self, weight: f64) {
        self.began.get_or_insert(self.now);
        self.level -= weight;
        self.spent.push_back((self.now, weight));
    }

    /// A call took so much more, or less, than was thought.
    pub(super) fn correct(&mut self, more: f64) {
        self.level -= more;
        self.spent.push_back((self.now, more));
    }

    /// A call that was let go at `sent` was refused; it weighed so much.
    pub(super) fn refused(&mut self, sent: f64, weight: f64, wait: Option<f64>) {
        self.correct(-weight);
        if self.refusals > 0 && sent <= self.refused {
            // It went before the last refusal was known.
            return;
        }
        let spent: f64 = self.spent.iter().map(|(_, weight)| weight).sum();
        if self.limit.is_none() && spent < weight * EVIDENCE {
            // So few calls say nothing about a limit: perhaps others have used it up. The pause is enough.
            return;
        }
        self.refusals += 1;
        self.refused = self.now;
        let limit = match self.limit {
            Some(limit) => limit * LESS,
            None => {
                // A bucket that was full at first has given its limit, and what it refilled since.
                let time = (self.now - self.began.unwrap_or(self.now)).clamp(0.0, WINDOW);
                spent / (1.0 + time / WINDOW)
            }
        };
        self.limit = Some(limit.max(1.0));
        let holds = weight.min(limit * BURST) - limit / WINDOW * wait.unwrap_or(1.0);
        let first = self.refusals == 1;
        self.level = if first { holds } else { self.level.min(holds) }.max(-limit);
    }
}
