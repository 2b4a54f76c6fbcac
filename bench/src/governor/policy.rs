//! Ways to share a key: the governor, and what others do.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use guildhall_llm::RateLimits;
use guildhall_llm::governor::{Ask, Core, Next, Outcome, Settings, Snapshot, Ticket};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// What to do with a call that has ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Then {
    /// Nothing: it is answered.
    Done,
    /// It is asked again, after so many seconds.
    Again(f64),
    /// Its turn has failed.
    Fail,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// Send this call; then ask again.
    Go(usize),
    /// Ask again at this time, or when something happens.
    Wait(Option<f64>),
}

/// Decides when calls go. Calls are known by the number of the agent that makes them; times are seconds.
pub trait Policy {
    /// An agent wants to make a call.
    fn ask(&mut self, now: f64, agent: usize, ask: Ask);
    /// What to do now.
    fn next(&mut self, now: f64) -> Step;
    /// The provider began to answer.
    fn hear(&mut self, _now: f64, _agent: usize, _limits: &RateLimits) {}
    /// A call ended.
    fn settle(&mut self, now: f64, agent: usize, outcome: &Outcome) -> Then;
    /// The governor's own figures.
    fn snapshot(&mut self, _now: f64) -> Option<Snapshot> {
        None
    }
}

/// Overloads in a row after which a turn fails, as a run gives up.
const OVERLOADS: u32 = 10;

/// The governor.
#[derive(Debug)]
pub struct Governed {
    core: Core,
    agents: HashMap<Ticket, usize>,
    tickets: HashMap<usize, Ticket>,
    overloads: HashMap<usize, u32>,
}

impl Governed {
    /// With the usual settings.
    pub fn new(seed: u64) -> Self {
        Self {
            core: Core::new(Settings::default(), seed),
            agents: HashMap::new(),
            tickets: HashMap::new(),
            overloads: HashMap::new(),
        }
    }
}

fn time(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

impl Policy for Governed {
    fn ask(&mut self, now: f64, agent: usize, ask: Ask) {
        // A call that is too large is not among those that are tried here: it would show as an agent that stands still.
        if let Ok(ticket) = self.core.ask(time(now), ask) {
            self.agents.insert(ticket, agent);
            self.tickets.insert(agent, ticket);
        }
    }

    fn next(&mut self, now: f64) -> Step {
        loop {
            match self.core.next(time(now)) {
                Next::Go(ticket) => return Step::Go(self.agents.get(&ticket).copied().unwrap_or_default()),
                Next::Refuse(..) => {}
                Next::Wait(until) => return Step::Wait(until.map(|until| until.as_secs_f64())),
            }
        }
    }

    fn hear(&mut self, now: f64, agent: usize, limits: &RateLimits) {
        if let Some(ticket) = self.tickets.get(&agent) {
            self.core.hear(time(now), *ticket, limits);
        }
    }

    fn settle(&mut self, now: f64, agent: usize, outcome: &Outcome) -> Then {
        if let Some(ticket) = self.tickets.remove(&agent) {
            self.agents.remove(&ticket);
            self.core.settle(time(now), ticket, outcome);
        }
        let overloads = self.overloads.entry(agent).or_default();
        match outcome {
            Outcome::Overloaded { .. } => {
                *overloads += 1;
                if *overloads > OVERLOADS {
                    *overloads = 0;
                    return Then::Fail;
                }
                Then::Again(0.0)
            }
            Outcome::Limited { .. } => Then::Again(0.0),
            Outcome::Answered(_) | Outcome::Failed(_) => {
                *overloads = 0;
                Then::Done
            }
        }
    }

    fn snapshot(&mut self, now: f64) -> Option<Snapshot> {
        Some(self.core.snapshot(time(now)))
    }
}

/// Every call goes at once; one that is refused is tried again after what the provider asks for, four times.
#[derive(Debug)]
pub struct BackOff {
    random: StdRng,
    ready: VecDeque<usize>,
    tries: HashMap<usize, i32>,
}

impl BackOff {
    /// With jitter.
    pub fn new(seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed), ready: VecDeque::new(), tries: HashMap::new() }
    }
}

impl Policy for BackOff {
    fn ask(&mut self, _now: f64, agent: usize, _ask: Ask) {
        self.ready.push_back(agent);
    }

    fn next(&mut self, _now: f64) -> Step {
        self.ready.pop_front().map_or(Step::Wait(None), Step::Go)
    }

    fn settle(&mut self, _now: f64, agent: usize, outcome: &Outcome) -> Then {
        let tries = self.tries.entry(agent).or_default();
        let (Outcome::Limited { retry_after, .. } | Outcome::Overloaded { retry_after }) = outcome else {
            *tries = 0;
            return Then::Done;
        };
        *tries += 1;
        if *tries >= 4 {
            *tries = 0;
            return Then::Fail;
        }
        let own = 2.0_f64.powi(*tries) * self.random.random_range(0.5..=1.0);
        Then::Again(retry_after.map_or(own, |wait| wait.as_secs_f64()))
    }
}

/// A window of calls under way, one wider with each round that went well, half as wide after a refusal; first in, first out.
#[derive(Debug)]
pub struct AdditiveFifo {
    window: f64,
    halved: f64,
    gate: f64,
    queue: VecDeque<usize>,
    again: VecDeque<usize>,
    sent: HashMap<usize, f64>,
}

impl Default for AdditiveFifo {
    fn default() -> Self {
        Self {
            window: 4.0,
            halved: -1.0,
            gate: 0.0,
            queue: VecDeque::new(),
            again: VecDeque::new(),
            sent: HashMap::new(),
        }
    }
}

impl Policy for AdditiveFifo {
    fn ask(&mut self, _now: f64, agent: usize, ask: Ask) {
        match ask.again {
            true => self.again.push_back(agent),
            false => self.queue.push_back(agent),
        }
    }

    fn next(&mut self, now: f64) -> Step {
        if now < self.gate {
            return Step::Wait(Some(self.gate));
        }
        if self.sent.len() >= self.window as usize {
            return Step::Wait(None);
        }
        let Some(agent) = self.again.pop_front().or_else(|| self.queue.pop_front()) else { return Step::Wait(None) };
        self.sent.insert(agent, now);
        Step::Go(agent)
    }

    fn settle(&mut self, now: f64, agent: usize, outcome: &Outcome) -> Then {
        let sent = self.sent.remove(&agent).unwrap_or(now);
        match outcome {
            Outcome::Limited { retry_after, .. } | Outcome::Overloaded { retry_after } => {
                self.gate = self.gate.max(now + retry_after.map_or(1.0, |wait| wait.as_secs_f64()));
                if sent > self.halved {
                    self.window = (self.window / 2.0).max(1.0);
                    self.halved = now;
                }
                Then::Again(0.0)
            }
            Outcome::Answered(_) | Outcome::Failed(_) => {
                self.window += 1.0 / self.window;
                Then::Done
            }
        }
    }
}
