//! The buckets of a key, as the provider's headers tell of them, and the calls that are under way.

use std::collections::BTreeMap;

use super::bucket::Bucket;
use crate::RateLimits;

/// Requests, uncached input tokens, output tokens, and tokens of both kinds where a provider counts them together.
pub(super) const KINDS: usize = 4;
pub(super) const NAMES: [&str; KINDS] = ["requests", "inputTokens", "outputTokens", "tokens"];
const INPUT: usize = 1;
const OUTPUT: usize = 2;
const TOKENS: usize = 3;
/// A call that has put out all it was expected to may go on: this share of it stays reserved until it ends.
const REST: f64 = 0.1;

/// What a call takes out of each bucket.
pub(super) fn needs(input: f64, output: f64) -> [f64; KINDS] {
    [1.0, input, output, input + output]
}

/// A call that is under way.
#[derive(Debug, Clone)]
struct Flight {
    began: f64,
    input: f64,
    /// What it is expected to put out.
    output: f64,
    /// Tokens that it is believed to put out each second.
    pace: f64,
    heard: bool,
}

impl Flight {
    /// What it will probably put out yet.
    fn to_come(&self, now: f64) -> f64 {
        (self.output - self.pace * (now - self.began)).max(self.output * REST)
    }
}

#[derive(Debug, Default)]
pub(super) struct Mirror {
    now: f64,
    buckets: [Option<Bucket>; KINDS],
    /// By the order in which they were let go.
    flights: BTreeMap<u64, Flight>,
    last: u64,
    /// What the calls under way will put out yet, at `now`.
    reserved: f64,
    /// The latest call whose headers were taken, and when.
    synced: (u64, f64),
}

impl Mirror {
    pub(super) fn is_known(&self) -> bool {
        self.buckets.iter().any(Option::is_some)
    }

    pub(super) fn bucket(&self, kind: usize) -> Option<&Bucket> {
        self.buckets[kind].as_ref()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// What calls under way will put out yet.
    pub(super) fn reserved(&self, kind: usize) -> f64 {
        if kind == OUTPUT || kind == TOKENS { self.reserved } else { 0.0 }
    }

    pub(super) fn advance(&mut self, now: f64) {
        let seconds = (now - self.now).max(0.0);
        self.now = self.now.max(now);
        let reserved = self.to_come(self.now);
        let put_out = (self.reserved - reserved).max(0.0);
        self.reserved = reserved;
        for (kind, bucket) in self.buckets.iter_mut().enumerate() {
            let Some(bucket) = bucket else { continue };
            if kind == OUTPUT || kind == TOKENS {
                bucket.level -= put_out;
            }
            bucket.advance(seconds);
        }
    }

    fn to_come(&self, now: f64) -> f64 {
        self.flights.values().map(|flight| flight.to_come(now)).sum()
    }

    /// What is left of each limit when it is full, for a call that alone wants it: it must be able to go at some time.
    fn wanted(bucket: &Bucket, need: f64, floor: f64) -> f64 {
        (need + floor * bucket.limit).min(bucket.limit * 0.999)
    }

    /// Seconds until a call fits, with `ahead` before it in line; nothing when it fits now.
    pub(super) fn wait(&self, need: [f64; KINDS], ahead: [f64; KINDS], floor: f64) -> Option<f64> {
        let mut longest = None;
        for (kind, bucket) in self.buckets.iter().enumerate() {
            let Some(bucket) = bucket else { continue };
            let missing = Self::wanted(bucket, need[kind], floor) + ahead[kind] - (bucket.level - self.reserved(kind));
            // Less than a thousandth of a token is a rounding.
            if missing > 1e-3 {
                longest = Some((missing / bucket.gain()).max(longest.unwrap_or(0.0)));
            }
        }
        longest
    }

    /// The smallest of the limits that a call can never pass.
    pub(super) fn too_small(&self, input: f64) -> Option<f64> {
        let limits = [INPUT, TOKENS].into_iter().filter_map(|kind| self.bucket(kind)).map(|bucket| bucket.limit);
        limits.filter(|limit| input > *limit).min_by(f64::total_cmp)
    }

    /// Lets a call go. Returns its place in the order.
    pub(super) fn send(&mut self, input: f64, output: f64, pace: f64) -> u64 {
        self.last += 1;
        let flight = Flight { began: self.now, input, output, pace, heard: false };
        self.reserved += flight.to_come(self.now);
        self.flights.insert(self.last, flight);
        for (bucket, need) in self.buckets.iter_mut().zip([1.0, input, 0.0, input]) {
            if let Some(bucket) = bucket {
                bucket.level -= need;
            }
        }
        self.last
    }

    /// Takes what the provider said in answer to a call.
    pub(super) fn hear(&mut self, place: u64, limits: &RateLimits) {
        if let Some(flight) = self.flights.get_mut(&place) {
            flight.heard = true;
        }
        // What was said of a later call is newer.
        if place < self.synced.0 {
            return;
        }
        // Calls that were let go later are not in what the provider counted.
        let later = || self.flights.range(place + 1..).filter(|(_, flight)| !flight.heard);
        let input: f64 = later().map(|(_, flight)| flight.input).sum();
        let unseen = [later().count() as f64, input, 0.0, input];
        // A provider that counts both kinds apart tells their sum as well, which limits nothing.
        let apart = limits.input_tokens.limit.zip(limits.output_tokens.limit).map(|(input, output)| input + output);
        let said = [&limits.requests, &limits.input_tokens, &limits.output_tokens, &limits.tokens];
        let mut any = false;
        for (kind, said) in said.into_iter().enumerate() {
            let (Some(limit), Some(remaining)) = (said.limit, said.remaining) else { continue };
            if kind == TOKENS && apart.is_some_and(|sum| limit >= sum) {
                continue;
            }
            any = true;
            let (limit, level) = (limit.max(1) as f64, remaining as f64 - unseen[kind]);
            match &mut self.buckets[kind] {
                Some(bucket) => bucket.observe(limit, level),
                none => *none = Some(Bucket::new(limit, level)),
            }
        }
        if any {
            self.synced = (place, self.now);
        }
    }

    /// A call has ended. `used` is what it took of input and put out, if that is known.
    pub(super) fn settle(&mut self, place: u64, used: Option<(f64, f64)>) {
        let Some(flight) = self.flights.remove(&place) else { return };
        let left = flight.to_come(self.now);
        self.reserved = if self.flights.is_empty() { 0.0 } else { (self.reserved - left).max(0.0) };
        let Some((input, output)) = used else { return };
        let (synced, at) = self.synced;
        // What the provider has said since includes the true input, and the output until then.
        let input_off = if synced >= place { 0.0 } else { input - flight.input };
        let since = at.max(flight.began);
        let share = if since > flight.began { (self.now - since) / (self.now - flight.began) } else { 1.0 };
        let output_off = output * share - (flight.to_come(since) - left);
        for (bucket, off) in self.buckets.iter_mut().zip([0.0, input_off, output_off, input_off + output_off]) {
            if let Some(bucket) = bucket {
                bucket.level = (bucket.level - off).min(bucket.limit);
            }
        }
    }

    /// The provider refused a call and said nothing of its limits: it took nothing, and the bucket that is lowest holds only
    /// so much that the call fits after `wait`.
    pub(super) fn refused(&mut self, place: u64, wait: Option<f64>) {
        let Some(flight) = self.flights.get(&place) else { return };
        let need = needs(flight.input, flight.output);
        for (bucket, took) in self.buckets.iter_mut().zip([1.0, flight.input, 0.0, flight.input]) {
            if let Some(bucket) = bucket {
                bucket.level = (bucket.level + took).min(bucket.limit);
            }
        }
        let reserved = self.reserved;
        let share = |kind: usize, bucket: &Bucket| {
            let reserved = if kind == OUTPUT || kind == TOKENS { reserved } else { 0.0 };
            (bucket.level - reserved) / bucket.limit
        };
        let buckets = self.buckets.iter_mut().enumerate().filter_map(|(kind, bucket)| Some((kind, bucket.as_mut()?)));
        let lowest = buckets.min_by(|(a, left), (b, right)| share(*a, left).total_cmp(&share(*b, right)));
        if let Some((kind, bucket)) = lowest {
            let holds = need[kind].min(bucket.limit) - bucket.refill() * wait.unwrap_or(1.0);
            bucket.level = bucket.level.min(holds.max(-bucket.limit));
        }
    }
}
