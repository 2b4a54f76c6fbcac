//! One trial: agents, a policy and a provider, event by event.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use guildhall_llm::RateLimits;
use guildhall_llm::governor::{Ask, Outcome};
use guildhall_types::MemberId;
use guildhall_types::chat::Usage;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::policy::{Policy, Step, Then};
use super::provider::{Limits, Provider};

/// Seconds until the counting begins: the full buckets of the start are spent by then.
const WARM_UP: f64 = 120.0;
/// Members; the first owns half the agents.
const MEMBERS: usize = 4;
const MAX_OUTPUT: f64 = 8_000.0;
/// Seconds over which use is looked at when the time to recover is measured.
const SLICE: f64 = 10.0;

/// What a trial is like.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// The provider's limits.
    pub limits: Limits,
    /// Agents.
    pub agents: usize,
    /// How long it goes on.
    pub minutes: f64,
    /// The share of the limits that somebody unseen wants.
    pub unseen: f64,
    /// How far estimates of input tokens are off at the most, as a share.
    pub error: f64,
    /// Seconds in which the provider is overloaded.
    pub overloads: Vec<(f64, f64)>,
    /// The chance of a call to meet 529 then.
    pub overload_chance: f64,
    /// Whether answers tell of the limits.
    pub headers: bool,
    /// Whether a refusal says how long to wait.
    pub retry_after: bool,
    /// When the provider changes the limits, and to what.
    pub change: Option<(f64, Limits)>,
    /// Seconds that the provider's clock is ahead.
    pub skew: f64,
}

impl Scenario {
    /// 120 agents for 40 minutes; input is the tightest limit.
    pub fn usual() -> Self {
        Self {
            name: "usual",
            limits: Limits { requests: 1_000.0, input: 400_000.0, output: 80_000.0 },
            agents: 120,
            minutes: 40.0,
            unseen: 0.08,
            error: 0.05,
            overloads: Vec::new(),
            overload_chance: 0.8,
            headers: true,
            retry_after: true,
            change: None,
            skew: 0.0,
        }
    }

    /// All kinds of trouble, one at a time.
    pub fn all() -> Vec<Self> {
        let usual = Self::usual();
        let windows = vec![(400.0, 460.0), (1_000.0, 1_120.0), (1_700.0, 1_760.0)];
        let less = Limits { requests: 600.0, input: 200_000.0, output: 40_000.0 };
        vec![
            usual.clone(),
            Self {
                name: "output is the tightest",
                limits: Limits { output: 30_000.0, ..usual.limits },
                ..usual.clone()
            },
            Self { name: "windows of 529", overloads: windows, ..usual.clone() },
            Self { name: "no headers", headers: false, ..usual.clone() },
            Self { name: "no headers, no retry-after", headers: false, retry_after: false, ..usual.clone() },
            Self { name: "no retry-after", retry_after: false, ..usual.clone() },
            Self { name: "limit halved after 20 minutes", change: Some((1_200.0, less)), ..usual.clone() },
            Self { name: "clock five minutes off", skew: 300.0, ..usual },
        ]
    }
}

/// What came of a trial.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The share of the tightest limit that was used, by all.
    pub used: f64,
    /// Answers.
    pub answered: u64,
    /// Refusals with 429.
    pub limited: u64,
    /// Overloads.
    pub overloaded: u64,
    /// Turns that were given up.
    pub failed: u64,
    /// Jain's index of what the members were given.
    pub fairness: f64,
    /// Seconds that half, and all but a twentieth, of each member's turns waited for less.
    pub waits: Vec<(f64, f64)>,
    /// The longest that any turn waited.
    pub longest_wait: f64,
    /// Seconds after each window of 529 until nine tenths of the limit were used again; the longest of them.
    pub recovery: f64,
    /// The mean error of the mirror, as a share of the limit.
    pub error: Option<f64>,
    /// Calls that the governor still holds at the end, against those that are truly under way or wait.
    pub held: Option<(usize, usize)>,
}

#[derive(Debug)]
enum Event {
    /// An agent begins its next turn, or asks again.
    Ready(usize),
    Arrive(usize),
    Heard(usize, Box<RateLimits>),
    Ended(usize, Box<Outcome>),
    Unseen,
    Change(Limits),
    Count,
    Look,
}

struct Agent {
    random: StdRng,
    member: usize,
    input: f64,
    estimate: i64,
    output: f64,
    pace: f64,
    again: bool,
    /// Since when it waits to be let go.
    since: f64,
    waited: f64,
    /// In the policy's hands: waits or is under way.
    held: bool,
}

impl Agent {
    /// The next turn; each agent's turns are the same under every policy.
    fn think(&mut self, error: f64) {
        self.input = spread(&mut self.random, 4_500.0, 0.7).min(60_000.0).round();
        self.output = spread(&mut self.random, 500.0, 0.8).min(MAX_OUTPUT).round();
        self.estimate = (self.input * self.random.random_range(1.0 - error..=1.0 + error)) as i64;
        self.pace = self.random.random_range(40.0..80.0);
        self.again = false;
    }
}

/// A log-normal amount around `median`.
fn spread(random: &mut StdRng, median: f64, width: f64) -> f64 {
    let (a, b): (f64, f64) = (random.random_range(1e-9..1.0), random.random_range(0.0..1.0));
    median * (width * (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()).exp()
}

struct Trial<'a> {
    scenario: &'a Scenario,
    policy: &'a mut dyn Policy,
    provider: Provider,
    random: StdRng,
    agents: Vec<Agent>,
    events: BinaryHeap<Reverse<(u64, u64)>>,
    /// What happens at each place of `events`.
    what: std::collections::HashMap<u64, Event>,
    number: u64,
    /// When the policy is to be asked again, and the event that does it.
    look: Option<(f64, u64)>,
    report: Report,
    given: [f64; MEMBERS],
    waits: [Vec<f64>; MEMBERS],
    /// What our calls took of the tightest limit, by slices of time.
    slices: Vec<f64>,
    errors: Vec<f64>,
}

/// Runs a trial.
pub fn run(scenario: &Scenario, policy: &mut dyn Policy, seed: u64) -> Report {
    let agents = (0..scenario.agents).map(|number| {
        let member = if number * 2 < scenario.agents { 0 } else { 1 + number % (MEMBERS - 1) };
        let random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number as u64));
        let (input, output, pace, since, waited) = (0.0, 0.0, 1.0, 0.0, 0.0);
        Agent { random, member, input, estimate: 0, output, pace, again: false, since, waited, held: false }
    });
    let mut trial = Trial {
        scenario,
        policy,
        provider: Provider::new(scenario.limits),
        random: StdRng::seed_from_u64(!seed),
        agents: agents.collect(),
        events: BinaryHeap::new(),
        what: std::collections::HashMap::new(),
        number: 0,
        look: None,
        report: Report::default(),
        given: [0.0; MEMBERS],
        waits: Default::default(),
        slices: Vec::new(),
        errors: Vec::new(),
    };
    trial.go()
}

fn member(number: usize) -> MemberId {
    MemberId(uuid::Uuid::from_u128(number as u128 + 1))
}

impl Trial<'_> {
    fn at(&mut self, time: f64, event: Event) {
        self.number += 1;
        self.events.push(Reverse(((time * 1e6) as u64 + 1, self.number)));
        self.what.insert(self.number, event);
    }

    fn go(&mut self) -> Report {
        let end = self.scenario.minutes * 60.0;
        for agent in 0..self.agents.len() {
            self.agents[agent].think(self.scenario.error);
            let begin = self.random.random_range(0.0..5.0);
            self.at(begin, Event::Ready(agent));
        }
        self.at(WARM_UP, Event::Count);
        if self.scenario.unseen > 0.0 {
            self.at(0.0, Event::Unseen);
        }
        if let Some((time, limits)) = self.scenario.change {
            self.at(time, Event::Change(limits));
        }
        while let Some(Reverse((micros, number))) = self.events.pop() {
            let now = micros as f64 / 1e6;
            if now > end {
                break;
            }
            if let Some(event) = self.what.remove(&number) {
                if matches!(event, Event::Look) {
                    // Another look, at an earlier time, has taken the place of this one.
                    if self.look.is_none_or(|(_, look)| look != number) {
                        continue;
                    }
                    self.look = None;
                }
                self.happen(now, event);
                self.pump(now);
            }
        }
        self.finish(end)
    }

    fn happen(&mut self, now: f64, event: Event) {
        match event {
            Event::Ready(number) => {
                let agent = &mut self.agents[number];
                (agent.since, agent.held) = (now, true);
                let ask = Ask {
                    member: member(agent.member),
                    input: agent.estimate,
                    max_output: MAX_OUTPUT as i64,
                    again: agent.again,
                };
                self.policy.ask(now, number, ask);
            }
            Event::Arrive(number) => self.arrive(now, number),
            Event::Heard(number, limits) => self.policy.hear(now, number, &limits),
            Event::Ended(number, outcome) => self.ended(now, number, &outcome),
            Event::Unseen => {
                let input = spread(&mut self.random, 4_500.0, 0.7).min(60_000.0);
                let output = spread(&mut self.random, 500.0, 0.8).min(MAX_OUTPUT);
                // Whoever it is has no governor; a refusal is a call that is not made.
                let _ = self.provider.arrive(now, input, output, now + 1.0, 60.0);
                let mean = 4_500.0 * (0.7_f64 * 0.7 / 2.0).exp();
                let every = mean / (self.scenario.unseen * self.scenario.limits.input / 60.0);
                let next = now - every * self.random.random_range(1e-9_f64..1.0).ln();
                self.at(next, Event::Unseen);
            }
            Event::Change(limits) => self.provider.set(limits, now),
            Event::Count => {
                self.provider.count_anew(now);
                (self.report.limited, self.report.answered) = (0, 0);
                (self.report.overloaded, self.report.failed) = (0, 0);
                self.given = [0.0; MEMBERS];
                self.waits.iter_mut().for_each(Vec::clear);
            }
            Event::Look => {}
        }
    }

    /// Sends what may go, and sees to being called again.
    fn pump(&mut self, now: f64) {
        loop {
            match self.policy.next(now) {
                Step::Go(number) => {
                    let agent = &mut self.agents[number];
                    agent.waited += now - agent.since;
                    agent.since = f64::INFINITY;
                    let latency = self.random.random_range(0.03..0.12);
                    self.at(now + latency, Event::Arrive(number));
                }
                Step::Wait(None) => return,
                Step::Wait(Some(until)) => {
                    if self.look.is_none_or(|(look, _)| until < look) {
                        self.at(until, Event::Look);
                        self.look = Some((until, self.number));
                    }
                    return;
                }
            }
        }
    }

    fn arrive(&mut self, now: f64, number: usize) {
        let (input, output, pace) = (self.agents[number].input, self.agents[number].output, self.agents[number].pace);
        let back = self.random.random_range(0.03..0.12);
        let overloaded = self.scenario.overloads.iter().any(|(from, to)| (*from..*to).contains(&now));
        if overloaded && self.random.random_range(0.0..1.0) < self.scenario.overload_chance {
            self.at(now + back, Event::Ended(number, Box::new(Outcome::Overloaded { retry_after: None })));
            return;
        }
        let first_word = self.random.random_range(0.4..2.0);
        let taken = self.provider.arrive(now, input, output, now + first_word, pace);
        let limits = match self.scenario.headers {
            true => self.provider.headers(now, self.scenario.skew),
            false => RateLimits::default(),
        };
        match taken {
            Ok(()) => {
                let slice = (now / SLICE) as usize;
                self.slices.resize(self.slices.len().max(slice + 1), 0.0);
                self.slices[slice] += input;
                self.at(now + first_word + back, Event::Heard(number, Box::new(limits)));
                let usage = Usage { input_tokens: input as i64, output_tokens: output as i64, ..Usage::default() };
                let end = now + first_word + output / pace + back;
                self.at(end, Event::Ended(number, Box::new(Outcome::Answered(usage))));
            }
            Err(refusal) => {
                let retry_after = self.scenario.retry_after.then(|| Duration::from_secs(refusal.wait as u64 + 1));
                self.at(now + back, Event::Ended(number, Box::new(Outcome::Limited { retry_after, limits })));
            }
        }
    }

    fn ended(&mut self, now: f64, number: usize, outcome: &Outcome) {
        match outcome {
            Outcome::Limited { .. } => self.report.limited += 1,
            Outcome::Overloaded { .. } => self.report.overloaded += 1,
            Outcome::Answered(_) | Outcome::Failed(_) => {}
        }
        let then = self.policy.settle(now, number, outcome);
        if number.is_multiple_of(8)
            && let Some(snapshot) = self.policy.snapshot(now)
        {
            let errors = snapshot.buckets.iter().map(|bucket| bucket.error);
            self.errors.extend(errors.max_by(f64::total_cmp));
        }
        let agent = &mut self.agents[number];
        agent.held = false;
        if let Then::Again(seconds) = then {
            agent.again = true;
            agent.waited += seconds;
            self.at(now + seconds, Event::Ready(number));
            return;
        }
        let waited = std::mem::take(&mut agent.waited);
        match then {
            Then::Fail => self.report.failed += 1,
            _ => {
                self.report.answered += 1;
                self.given[agent.member] += agent.input + 5.0 * agent.output;
                self.waits[agent.member].push(waited);
            }
        }
        // The tools work, then comes the next turn.
        agent.think(self.scenario.error);
        let tools = agent.random.random_range(2.0..15.0);
        self.at(now + tools, Event::Ready(number));
    }

    fn finish(&mut self, end: f64) -> Report {
        self.provider.advance(end);
        let mut report = std::mem::take(&mut self.report);
        let used = (0..3).map(|kind| self.provider.taken[kind] / self.provider.refilled[kind]);
        report.used = used.fold(0.0, f64::max);
        let (sum, squares) = self.given.iter().fold((0.0, 0.0), |(s, q), given| (s + given, q + given * given));
        report.fairness = if squares > 0.0 { sum * sum / (MEMBERS as f64 * squares) } else { 1.0 };
        // Who still waits counts as well.
        let waiting =
            self.agents.iter().map(|agent| agent.waited + if agent.held { (end - agent.since).max(0.0) } else { 0.0 });
        report.longest_wait = self.waits.iter().flatten().copied().chain(waiting).fold(0.0, f64::max);
        report.waits = self
            .waits
            .iter_mut()
            .map(|waits| {
                waits.sort_unstable_by(f64::total_cmp);
                let last = waits.len().saturating_sub(1) as f64;
                let quantile = |share: f64| waits.get((last * share).round() as usize).copied().unwrap_or_default();
                (quantile(0.5), quantile(0.95))
            })
            .collect();
        let enough = self.scenario.limits.input / 60.0 * SLICE * (0.9 - self.scenario.unseen);
        let recovery = self.scenario.overloads.iter().map(|(_, to)| {
            let from = (to / SLICE).ceil() as usize;
            let slices = self.slices.iter().skip(from).take_while(|used| **used < enough).count();
            slices as f64 * SLICE
        });
        report.recovery = recovery.fold(0.0, f64::max);
        if !self.errors.is_empty() {
            report.error = Some(self.errors.iter().sum::<f64>() / self.errors.len() as f64);
        }
        let held = self.agents.iter().filter(|agent| agent.held).count();
        report.held = self.policy.snapshot(end).map(|state| (state.queued + state.in_flight, held));
        report
    }
}
