//! The decisions: which call goes next, and when.

use std::collections::HashMap;
use std::time::Duration;

use guildhall_types::MemberId;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::fair::Fair;
use super::learned::Learned;
use super::metrics::{BucketState, Metrics, Snapshot};
use super::mirror::{self, KINDS, Mirror};
use super::{Ask, Outcome, Reason, Settings, TooLarge, Waiting, weight};
use crate::RateLimits;

/// What the floor is raised by at each refusal, and the most that it comes to, as shares of the limit.
const FLOOR_STEP: f64 = 0.01;
const MOST_FLOOR: f64 = 0.10;
/// Seconds in which half of what the floor was raised by is forgotten.
const FLOOR_LIFE: f64 = 600.0;
/// How much a new call counts in the moving averages of output and pace.
const NEW: f64 = 0.05;
/// The longest pause of our own choosing, in the shortest ones.
const LONGEST_PAUSE: f64 = 16.0;
/// The longest wait for a refill without looking again, in seconds.
const LOOK_AGAIN: f64 = 15.0;
/// Tokens a second that a model is believed to write before any was seen.
const FIRST_PACE: f64 = 50.0;

/// A call in the governor's hands, waiting or under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// This call goes; ask again at once.
    Go(Ticket),
    /// This call can never go; ask again at once.
    Refuse(Ticket, TooLarge),
    /// Ask again at this time, or, without one, when a call has come, ended, or brought headers.
    Wait(Option<Duration>),
}

#[derive(Debug, Clone, Copy)]
struct Queued {
    ask: Ask,
    since: f64,
}

#[derive(Debug, Clone, Copy)]
struct Flying {
    member: MemberId,
    place: u64,
    sent: f64,
    /// Whether it went when the provider's limits were known.
    known: bool,
    /// Whether its answer has begun.
    begun: bool,
    input: f64,
    output: f64,
}

/// The governor of one key and class of models, without a clock, randomness or tasks of its own. Times are counted from
/// some beginning, and must not go back.
#[derive(Debug)]
pub struct Core {
    settings: Settings,
    random: StdRng,
    now: f64,
    mirror: Mirror,
    learned: Learned,
    fair: Fair,
    last: u64,
    queued: HashMap<Ticket, Queued>,
    flying: HashMap<Ticket, Flying>,
    /// Nothing goes before this time.
    gate: (f64, Reason),
    /// Calls at once.
    concurrency: f64,
    /// When it was halved.
    halved: f64,
    /// Overloads, and refusals without a word how long to wait, in a row.
    overloads: i32,
    refusals: i32,
    /// What the floor is raised by beyond its least.
    raised: f64,
    /// Moving averages of what a call puts out, and how fast.
    output: f64,
    pace: f64,
    metrics: Metrics,
}

impl Core {
    /// A governor that knows nothing yet.
    pub fn new(settings: Settings, seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            now: 0.0,
            mirror: Mirror::default(),
            learned: Learned::default(),
            fair: Fair::new(weight(0.0, settings.first_output)),
            last: 0,
            queued: HashMap::new(),
            flying: HashMap::new(),
            gate: (0.0, Reason::Asked),
            concurrency: f64::from(settings.first_concurrency.max(1)),
            halved: -1.0,
            overloads: 0,
            refusals: 0,
            raised: 0.0,
            output: settings.first_output,
            pace: FIRST_PACE,
            metrics: Metrics::default(),
            settings,
        }
    }

    fn advance(&mut self, now: Duration) {
        let now = now.as_secs_f64().max(self.now);
        let seconds = now - self.now;
        self.raised *= 0.5_f64.powf(seconds / FLOOR_LIFE);
        self.now = now;
        let refills = std::array::from_fn(|kind| self.mirror.bucket(kind).map_or(0.0, |bucket| bucket.refill()));
        self.metrics.advance(seconds, refills, self.fair.members());
        self.mirror.advance(now);
        self.learned.advance(now);
    }

    fn floor(&self) -> f64 {
        (self.settings.least_floor + self.raised).min(MOST_FLOOR)
    }

    /// What a call is thought to take: input and output.
    fn thought(&self, ask: &Ask) -> (f64, f64) {
        (ask.input.max(0) as f64, self.output.min(ask.max_output.max(1) as f64))
    }

    fn too_large(&self, ask: &Ask) -> Option<TooLarge> {
        let limit = self.mirror.too_small(ask.input as f64)?;
        Some(TooLarge { needed: ask.input, limit: limit as i64 })
    }

    /// Takes a call in line.
    ///
    /// # Errors
    /// [`TooLarge`], as far as the limits are known.
    pub fn ask(&mut self, now: Duration, ask: Ask) -> Result<Ticket, TooLarge> {
        self.advance(now);
        if let Some(refused) = self.too_large(&ask) {
            return Err(refused);
        }
        self.last += 1;
        let ticket = Ticket(self.last);
        let (input, output) = self.thought(&ask);
        self.fair.push(ask.member, ticket, weight(input, output), ask.again, self.now);
        self.queued.insert(ticket, Queued { ask, since: self.now });
        Ok(ticket)
    }

    /// Nobody wants a waiting call any more. One that is under way is settled instead.
    pub fn withdraw(&mut self, now: Duration, ticket: Ticket) {
        self.advance(now);
        if let Some(queued) = self.queued.remove(&ticket) {
            self.fair.remove(queued.ask.member, ticket, false, self.now);
        }
    }

    /// What to do now.
    pub fn next(&mut self, now: Duration) -> Next {
        self.advance(now);
        let Some(ticket) = self.fair.peek() else { return Next::Wait(None) };
        let Some(queued) = self.queued.get(&ticket).copied() else { return Next::Wait(None) };
        let ask = queued.ask;
        if let Some(refused) = self.too_large(&ask) {
            self.withdraw(now, ticket);
            return Next::Refuse(ticket, refused);
        }
        if self.gate.0 > self.now {
            return Next::Wait(Some(at(self.gate.0)));
        }
        if self.flying.len() >= self.places() {
            return Next::Wait(None);
        }
        let (input, output) = self.thought(&ask);
        if let Some(wait) = self.refill_wait(input, output, [0.0; KINDS], 0.0) {
            // Not so short that a rounding keeps it from fitting, nor so long that a drift is believed in for ever.
            return Next::Wait(Some(at(self.now + wait.clamp(0.001, LOOK_AGAIN))));
        }
        self.queued.remove(&ticket);
        self.fair.remove(ask.member, ticket, true, self.now);
        let known = self.mirror.is_known();
        let place = self.mirror.send(input, output, self.pace);
        self.learned.send(weight(input, output));
        self.flying
            .insert(ticket, Flying { member: ask.member, place, sent: self.now, known, begun: false, input, output });
        self.metrics.went(ask.member, self.now - queued.since);
        Next::Go(ticket)
    }

    fn places(&self) -> usize {
        self.concurrency as usize
    }

    /// Seconds until the limits have room for a call.
    fn refill_wait(&self, input: f64, output: f64, ahead: [f64; KINDS], ahead_weight: f64) -> Option<f64> {
        match self.mirror.is_known() {
            true => self.mirror.wait(mirror::needs(input, output), ahead, self.floor()),
            false => self.learned.wait(weight(input, output), ahead_weight),
        }
    }

    /// The provider has begun to answer a call, and said this of its limits.
    pub fn hear(&mut self, now: Duration, ticket: Ticket, limits: &RateLimits) {
        self.advance(now);
        let Some(flying) = self.flying.get_mut(&ticket) else { return };
        let first = !std::mem::replace(&mut flying.begun, true);
        let flying = *flying;
        if first {
            self.welcome(&flying);
        }
        self.learn(&flying, limits);
    }

    fn learn(&mut self, flying: &Flying, limits: &RateLimits) {
        let knew = self.mirror.is_known();
        self.mirror.hear(flying.place, limits);
        if !knew && self.mirror.is_known() {
            // From now on the limits say how many calls may go; what was guessed is of no more use.
            self.learned = Learned::default();
            self.concurrency = f64::from(self.settings.max_concurrency);
        }
    }

    /// A call has ended. Every call that went is settled once; a second time does nothing.
    pub fn settle(&mut self, now: Duration, ticket: Ticket, outcome: &Outcome) {
        self.advance(now);
        let Some(flying) = self.flying.remove(&ticket) else { return };
        if let Outcome::Limited { limits, .. } = outcome {
            self.learn(&flying, limits);
        }
        match outcome {
            Outcome::Answered(usage) => {
                let (input, output) = took(usage);
                self.answered(&flying, output);
                self.used(&flying, input, output);
            }
            Outcome::Failed(Some(usage)) => {
                let (input, output) = took(usage);
                self.used(&flying, input, output);
            }
            // Nobody knows what it took; the next headers will tell.
            Outcome::Failed(None) => self.mirror.settle(flying.place, None),
            Outcome::Limited { retry_after, limits } => self.limited(&flying, *retry_after, limits),
            Outcome::Overloaded { retry_after } => self.overloaded(&flying, *retry_after),
        }
    }

    fn used(&mut self, flying: &Flying, input: f64, output: f64) {
        self.mirror.settle(flying.place, Some((input, output)));
        let more = weight(input, output) - weight(flying.input, flying.output);
        self.learned.correct(more);
        self.fair.correct(flying.member, more, self.now);
        self.metrics.used(flying.member, weight(input, output), mirror::needs(input, output));
    }

    fn answered(&mut self, flying: &Flying, output: f64) {
        self.metrics.answered();
        let took = self.now - flying.sent;
        self.output += NEW * (output - self.output);
        if took > 0.0 {
            self.pace += NEW * ((output / took).max(1.0) - self.pace);
        }
        if !flying.begun {
            self.welcome(flying);
        }
    }

    /// The provider took a call.
    fn welcome(&mut self, flying: &Flying) {
        self.refusals = 0;
        if flying.sent > self.halved {
            self.overloads = 0;
            // One more for each doubles it in a round; without known limits it grows by one in a round.
            let step = if self.mirror.is_known() { 1.0 } else { 1.0 / self.concurrency };
            self.concurrency = (self.concurrency + step).min(f64::from(self.settings.max_concurrency));
        }
    }

    fn limited(&mut self, flying: &Flying, retry_after: Option<Duration>, limits: &RateLimits) {
        self.metrics.limited();
        self.raised = (self.raised + FLOOR_STEP).min(MOST_FLOOR - self.settings.least_floor);
        let asked = retry_after.map(|wait| wait.as_secs_f64());
        let told = *limits != RateLimits::default();
        let pause = match asked {
            Some(asked) => asked,
            // The mirror knows when there is room again.
            None if told => self.random.random_range(0.25..0.5),
            None => {
                // Calls that were refused together count once.
                if flying.sent >= self.gate.0 {
                    self.refusals += 1;
                }
                self.pause(self.refusals)
            }
        };
        if !told {
            self.mirror.refused(flying.place, asked);
        }
        if !flying.known {
            self.learned.refused(flying.sent, weight(flying.input, flying.output), asked);
        }
        // Nothing was put out.
        self.mirror.settle(flying.place, None);
        self.fair.correct(flying.member, -weight(flying.input, flying.output), self.now);
        self.close(pause, Reason::Asked);
    }

    fn overloaded(&mut self, flying: &Flying, retry_after: Option<Duration>) {
        self.metrics.overloaded();
        self.mirror.settle(flying.place, None);
        self.fair.correct(flying.member, -weight(flying.input, flying.output), self.now);
        if flying.sent > self.halved {
            let under_way = (self.flying.len() + 1) as f64;
            self.concurrency = (self.concurrency.min(under_way) / 2.0).max(1.0);
            self.halved = self.now;
            self.overloads += 1;
            let pause = self.pause(self.overloads);
            self.close(pause.max(retry_after.map_or(0.0, |wait| wait.as_secs_f64())), Reason::Overload);
        }
    }

    /// 1, 2, 4 … times the shortest pause in seconds, between half and the whole of that.
    fn pause(&mut self, step: i32) -> f64 {
        let steps = 2.0_f64.powi(step.clamp(1, 16) - 1).min(LONGEST_PAUSE);
        steps * self.settings.pause.as_secs_f64() * self.random.random_range(0.5..=1.0)
    }

    fn close(&mut self, seconds: f64, reason: Reason) {
        let until = self.now + seconds;
        if until > self.gate.0 {
            self.gate = (until, reason);
        }
    }

    /// Why a call waits; nothing when it does not.
    pub fn why(&mut self, now: Duration, ticket: Ticket) -> Option<Waiting> {
        self.advance(now);
        let queued = self.queued.get(&ticket)?;
        let (mut ahead, mut ahead_weight) = ([0.0; KINDS], 0.0);
        for other in self.fair.ahead(queued.ask.member, ticket) {
            let Some(other) = self.queued.get(&other) else { continue };
            let (input, output) = self.thought(&other.ask);
            ahead_weight += weight(input, output);
            ahead.iter_mut().zip(mirror::needs(input, output)).for_each(|(sum, need)| *sum += need);
        }
        let (input, output) = self.thought(&queued.ask);
        let refill = self.refill_wait(input, output, ahead, ahead_weight).map(|wait| self.now + wait);
        let gate = Some(self.gate.0).filter(|until| *until > self.now);
        let (reason, until) = match (gate, refill) {
            (Some(gate), Some(refill)) if refill > gate => (Reason::RateLimit, Some(refill)),
            (Some(gate), _) => (self.gate.1, Some(gate)),
            (None, Some(refill)) => (Reason::RateLimit, Some(refill)),
            (None, None) => (Reason::Concurrency, None),
        };
        Some(Waiting { reason, until: until.map(at) })
    }

    /// Whether a call waits.
    pub fn is_waiting(&self, ticket: Ticket) -> bool {
        self.queued.contains_key(&ticket)
    }

    /// Whether nothing waits and nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.queued.is_empty() && self.flying.is_empty()
    }

    /// How the governor stands.
    pub fn snapshot(&mut self, now: Duration) -> Snapshot {
        self.advance(now);
        let used = self.metrics.use_of_limits();
        let bucket = |kind: usize| {
            let bucket = self.mirror.bucket(kind)?;
            Some(BucketState {
                name: mirror::NAMES[kind],
                limit: bucket.limit as i64,
                refill_per_minute: (bucket.refill() * 60.0).round() as i64,
                remaining: bucket.level as i64,
                reserved: self.mirror.reserved(kind) as i64,
                drift_per_minute: (bucket.drift * 60.0) as i64,
                error: bucket.error,
                used: used[kind],
            })
        };
        let buckets: Vec<BucketState> = (0..KINDS).filter_map(bucket).collect();
        let mut since: HashMap<MemberId, f64> = HashMap::new();
        for queued in self.queued.values() {
            let first = since.entry(queued.ask.member).or_insert(queued.since);
            *first = first.min(queued.since);
        }
        let longest = |member: MemberId| since.get(&member).map_or(0.0, |since| self.now - since);
        let members = self.metrics.members(|member| (self.fair.waiting(member), longest(member)));
        Snapshot {
            used: buckets.iter().map(|bucket| bucket.used).max_by(f64::total_cmp),
            answered: self.metrics.counts.answered,
            limited: self.metrics.counts.limited,
            overloaded: self.metrics.counts.overloaded,
            last_hour: self.metrics.last_hour(),
            fairness: self.metrics.fairness(),
            buckets,
            members,
            learned_limit: self.learned.limit().map(|limit| limit as i64),
            floor: self.floor(),
            concurrency: self.places(),
            in_flight: self.mirror.in_flight(),
            queued: self.fair.len(),
            gate_seconds: (self.gate.0 - self.now).max(0.0),
        }
    }
}

fn at(seconds: f64) -> Duration {
    // Up to the next microsecond: who comes at that time comes late enough.
    Duration::from_micros((seconds * 1e6).ceil() as u64)
}

/// What a call took of the limits: input that did not come from the cache, and output.
fn took(usage: &guildhall_types::chat::Usage) -> (f64, f64) {
    ((usage.input_tokens + usage.cache_write_tokens) as f64, usage.output_tokens as f64)
}
