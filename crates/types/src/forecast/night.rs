//! One night, played through.

use std::collections::HashMap;

use chrono::Duration;

use super::random::draw;
use super::{Begun, ENOUGH, Evening, Kind, PastRun, Then};
use crate::auto::{self, AtClose, AutoOrder, Card, Live, Order, OrderFailure, OrderState};
use crate::feature::{FeatureKind, PlanningMode, Problem};
use crate::schedule::{self, AtWork, Candidate};
use crate::window::Standing;
use crate::{DateTime, FeatureId, MemberId, ProjectId, RunId};

/// The longest that is looked ahead where no window closes.
pub(super) const LONGEST: Duration = Duration::days(7);

/// What a night brought of the order in question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Brought {
    /// Cards done by the time by which they are counted.
    pub(super) done: i64,
    /// Cards that failed by then.
    pub(super) failed: i64,
    pub(super) cost_micros: i64,
    pub(super) tokens: i64,
    /// When the last card was done, if all of them were.
    pub(super) all_done: Option<DateTime>,
}

type Likeness<'a> = (ProjectId, PlanningMode, Option<&'a str>);

/// The past runs that each kind of card is like.
pub(super) struct Pools<'a>(HashMap<Likeness<'a>, Vec<&'a PastRun>>);

impl<'a> Pools<'a> {
    pub(super) fn of(evening: &'a Evening) -> Self {
        let kinds = evening.cards.iter().map(|(_, kind)| kind).chain(evening.begun.iter().map(|run| &run.kind));
        let mut pools = HashMap::new();
        for kind in kinds {
            pools.entry(likeness(kind)).or_insert_with(|| alike(&evening.past, kind));
        }
        Self(pools)
    }

    fn draw(&self, night: u64, feature: FeatureId, kind: &'a Kind) -> Option<&'a PastRun> {
        let pool = self.0.get(&likeness(kind))?;
        // The past runs are a sample of what could have been. So each night has a past of its own first, drawn from the one
        // that there was; without that, few past runs would look surer than they are.
        let within = draw(night, feature.0, pool.len());
        pool.get(draw(night, uuid::Uuid::from_u128(within as u128), pool.len())).copied()
    }
}

fn likeness(kind: &Kind) -> Likeness<'_> {
    (kind.project, kind.planning, kind.model.as_deref())
}

/// The narrowest circle of past runs in which there are enough.
fn alike<'a>(past: &'a [PastRun], kind: &Kind) -> Vec<&'a PastRun> {
    let model = |run: &PastRun| kind.model.as_ref().is_none_or(|model| *model == run.model);
    let within: [&dyn Fn(&PastRun) -> bool; 4] = [
        &|run| run.project == kind.project && run.planning == kind.planning && model(run),
        &|run| run.project == kind.project && run.planning == kind.planning,
        &|run| run.project == kind.project,
        &|run| run.planning == kind.planning && model(run),
    ];
    let mut circles = within.iter().map(|within| past.iter().filter(|run| within(run)).collect::<Vec<_>>());
    circles.find(|circle| circle.len() >= ENOUGH).unwrap_or_else(|| past.iter().collect())
}

/// A run of the night.
struct Job<'a> {
    live: Live,
    feature: FeatureId,
    kind: &'a Kind,
    /// What is left of it to do, in milliseconds.
    left_ms: i64,
    /// What is left as a share of the whole is what it still costs.
    whole_ms: i64,
    cost_micros: i64,
    tokens: i64,
    failed: bool,
    auto: bool,
    own: bool,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Queued,
    Working {
        since: DateTime,
    },
    /// Put off by its provider.
    PutOff {
        until: DateTime,
    },
    /// Its order's window is closed.
    Rests,
}

struct Night<'a> {
    evening: &'a Evening,
    now: DateTime,
    orders: Vec<AutoOrder>,
    /// How the window of each order stands now.
    standings: Vec<Standing>,
    cards: Vec<Card>,
    kinds: HashMap<FeatureId, &'a Kind>,
    jobs: Vec<Job<'a>>,
    held: HashMap<MemberId, i64>,
    by: DateTime,
    brought: Brought,
    /// Own cards that are not done yet.
    left: i64,
    last: Option<DateTime>,
    seed: u64,
}

/// Plays a night through, from the evening until `stop`; cards are counted that are done by `by`.
pub(super) fn play(evening: &Evening, pools: &Pools<'_>, seed: u64, by: DateTime, stop: DateTime) -> Brought {
    let mut night = Night::begin(evening, pools, seed, by);
    loop {
        night.open_and_close();
        night.start(pools);
        night.claim();
        let Some(next) = night.next_change().filter(|next| *next <= stop) else { break };
        night.now = next;
        night.end_jobs();
    }
    night.over(stop)
}

impl<'a> Night<'a> {
    fn begin(evening: &'a Evening, pools: &Pools<'a>, seed: u64, by: DateTime) -> Self {
        let job = |run: &'a Begun| {
            let took = pools.draw(seed, run.feature, &run.kind)?;
            let state = match (run.wakes, run.live.working) {
                (Some(until), _) if until > evening.at && run.live.put_off => State::PutOff { until },
                (Some(until), _) if until > evening.at => State::Rests,
                (_, true) => State::Working { since: evening.at },
                _ => State::Queued,
            };
            Some(Job {
                live: Live { working: run.live.working, put_off: false, ..run.live.clone() },
                feature: run.feature,
                kind: &run.kind,
                left_ms: (took.worked_ms - run.worked_ms).max(0),
                whole_ms: took.worked_ms,
                cost_micros: took.cost_micros,
                tokens: took.tokens,
                failed: took.failed,
                auto: run.auto,
                own: evening.is_own(run),
                state,
            })
        };
        Self {
            now: evening.at,
            orders: evening.orders.clone(),
            standings: evening.orders.iter().map(|order| order.standing(evening.at)).collect(),
            cards: evening.cards.iter().map(|(card, _)| card.clone()).collect(),
            kinds: evening.cards.iter().map(|(card, kind)| (card.feature, kind)).collect(),
            jobs: evening.begun.iter().filter_map(job).collect(),
            held: evening.held.clone(),
            by,
            brought: Brought::default(),
            left: evening.own_cards(),
            last: None,
            seed,
            evening,
        }
    }

    /// Whether a run rests now, because it was started by an order whose window is closed.
    fn rests(&self, job: &Job<'_>) -> bool {
        let own = |order: &AutoOrder| order.project_id == job.live.project && order.member_id == job.live.member;
        let order = self.orders.iter().zip(&self.standings).find(|(order, _)| job.auto && own(order));
        order.is_some_and(|(order, standing)| {
            !standing.open && order.at_close == AtClose::FinishTurn && standing.changes_at.is_some()
        })
    }

    /// What rests goes on when its window opens, and the other way round.
    fn open_and_close(&mut self) {
        for (order, standing) in self.orders.iter().zip(&mut self.standings) {
            if standing.changes_at.is_some_and(|change| change <= self.now) {
                *standing = order.standing(self.now);
            }
        }
        for at in 0..self.jobs.len() {
            let Some(job) = self.jobs.get(at) else { continue };
            let rests = self.rests(job);
            let (state, worked) = match job.state {
                State::PutOff { until } if until <= self.now => (State::Queued, 0),
                State::Working { since } if rests => (State::Rests, (self.now - since).num_milliseconds()),
                State::Queued if rests => (State::Rests, 0),
                State::Rests if !rests => (State::Queued, 0),
                same => (same, 0),
            };
            if let Some(job) = self.jobs.get_mut(at) {
                job.state = state;
                job.left_ms -= worked;
            }
        }
    }

    fn live(&self) -> Vec<Live> {
        let live = |job: &Job<'_>| {
            let (working, put_off) = match job.state {
                State::Queued => (false, false),
                State::Working { .. } => (true, false),
                State::PutOff { .. } => (false, true),
                State::Rests => return None,
            };
            Some(Live { working, put_off, ..job.live.clone() })
        };
        self.jobs.iter().filter_map(live).collect()
    }

    /// Starts what auto mode would start now.
    fn start(&mut self, pools: &Pools<'a>) {
        let open: Vec<Order> = self
            .orders
            .iter()
            .zip(&self.standings)
            .filter(|(order, _)| order.state == OrderState::On)
            .map(|(order, standing)| Order { open: standing.open, ..order.into() })
            .collect();
        loop {
            let live = self.live();
            let next = auto::next_start(&open, &self.cards, &live, &self.held, &self.evening.limits);
            let Some(card) = next.cloned() else { return };
            self.cards.retain(|other| other.feature != card.feature);
            let Some(kind) = self.kinds.get(&card.feature).copied() else { continue };
            let Some(took) = pools.draw(self.seed, card.feature, kind) else { continue };
            *self.held.entry(card.member).or_default() += i64::from(card.run.is_none());
            self.jobs.push(Job {
                live: Live {
                    run: RunId(card.feature.0),
                    project: card.project,
                    member: card.member,
                    kind: FeatureKind::Card,
                    priority: card.priority,
                    since: self.now,
                    working: false,
                    put_off: false,
                },
                feature: card.feature,
                kind,
                left_ms: took.worked_ms.max(0),
                whole_ms: took.worked_ms,
                cost_micros: took.cost_micros,
                tokens: took.tokens,
                failed: took.failed,
                auto: true,
                own: card.project == self.evening.project && card.member == self.evening.member,
                state: State::Queued,
            });
        }
    }

    /// Gives places to what is queued.
    fn claim(&mut self) {
        loop {
            let mut working = AtWork::new();
            let mut waiting = Vec::new();
            for Job { live, state, .. } in &self.jobs {
                match state {
                    State::Working { .. } => *working.entry((live.member, live.kind)).or_default() += 1,
                    State::Queued => {
                        let Live { run, member, kind, priority, since, .. } = *live;
                        waiting.push(Candidate { run, member, kind, priority, since });
                    }
                    State::PutOff { .. } | State::Rests => {}
                }
            }
            let next = schedule::next(&waiting, &working, &self.evening.limits).map(|next| next.run);
            let Some(job) = next.and_then(|run| self.jobs.iter_mut().find(|job| job.live.run == run)) else { return };
            job.state = State::Working { since: self.now };
        }
    }

    fn next_change(&self) -> Option<DateTime> {
        let ends = self.jobs.iter().filter_map(|job| match job.state {
            State::Working { since } => Some(since + Duration::milliseconds(job.left_ms)),
            State::PutOff { until } => Some(until),
            State::Queued | State::Rests => None,
        });
        let windows = self.standings.iter().filter_map(|standing| standing.changes_at);
        // A window matters only to who has something to do in it.
        let idle = self.jobs.is_empty() && self.cards.is_empty();
        ends.chain(windows.filter(|_| !idle)).min()
    }

    /// Ends the runs that are done by now.
    fn end_jobs(&mut self) {
        let over = |job: &Job<'_>| match job.state {
            State::Working { since } => since + Duration::milliseconds(job.left_ms) <= self.now,
            _ => false,
        };
        let (ended, going): (Vec<_>, Vec<_>) = std::mem::take(&mut self.jobs).into_iter().partition(over);
        self.jobs = going;
        for job in ended {
            self.end(&job);
        }
    }

    fn end(&mut self, job: &Job<'a>) {
        let stops = job.kind.then == Then::Plan;
        let built = !job.failed && !stops;
        if job.auto && !stops {
            let of =
                |order: &&mut AutoOrder| order.project_id == job.live.project && order.member_id == job.live.member;
            if let Some(order) = self.orders.iter_mut().find(of) {
                let failure = OrderFailure {
                    feature_id: job.feature,
                    run_id: job.live.run,
                    at: self.now,
                    problem: Problem { code: "failed".to_owned(), message: String::new(), hint: String::new() },
                };
                order.count(if job.failed { Err(failure) } else { Ok(()) });
            }
        }
        if built && matches!(job.kind.then, Then::Verified | Then::Merged) {
            self.cards.iter_mut().for_each(|card| card.open.retain(|open| *open != job.feature));
        }
        if built && job.kind.then == Then::Merged {
            self.held.entry(job.live.member).and_modify(|held| *held -= 1);
        }
        if !job.own {
            return;
        }
        self.brought.cost_micros += job.cost_micros;
        self.brought.tokens += job.tokens;
        if built {
            self.left -= 1;
            self.last = Some(self.now);
        }
        if self.now <= self.by {
            self.brought.done += i64::from(built);
            self.brought.failed += i64::from(job.failed);
        }
    }

    /// What the night brought by its end: what is half done has cost its half.
    fn over(mut self, stop: DateTime) -> Brought {
        for job in self.jobs.iter().filter(|job| job.own) {
            let worked = match job.state {
                State::Working { since } => (stop - since).num_milliseconds().min(job.left_ms),
                _ => 0,
            };
            let share = |whole: i64| match job.whole_ms {
                0 => 0,
                ms => (i128::from(whole) * i128::from(ms - job.left_ms + worked) / i128::from(ms)) as i64,
            };
            self.brought.cost_micros += share(job.cost_micros);
            self.brought.tokens += share(job.tokens);
        }
        self.brought.all_done = self.last.filter(|_| self.left == 0);
        self.brought
    }
}
