//! What is measured of a governor.

use std::collections::{HashMap, VecDeque};

use guildhall_types::MemberId;
use serde::Serialize;
use utoipa::ToSchema;

use super::mirror::KINDS;

/// Waits that are remembered of each member.
const WAITS: usize = 256;
/// Seconds after which something counts about a third in what is measured over time.
const MEMORY: f64 = 300.0;
/// A member who waited for less of the measured time than this took all it wanted; it says nothing about fairness.
const BUSY: f64 = 0.5;
/// Seconds in a slot of the latest hour, and slots in it.
const SLOT: f64 = 60.0;
const SLOTS: u64 = 60;
/// A member's share of the memory below which it is forgotten.
const GONE: f64 = 1e-3;

#[derive(Debug, Default)]
struct Member {
    waits: VecDeque<f64>,
    /// What the member was given, weighed, and for how long it waited and was known; all fade with time.
    given: f64,
    waited: f64,
    known: f64,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) answered: u64,
    pub(super) limited: u64,
    pub(super) overloaded: u64,
}

#[derive(Debug, Default)]
pub(super) struct Metrics {
    pub(super) counts: Counts,
    /// Seconds that were measured.
    now: f64,
    /// The latest hour by the minute, those without a call left out.
    hour: VecDeque<(u64, Counts)>,
    members: HashMap<MemberId, Member>,
    used: [f64; KINDS],
    refilled: [f64; KINDS],
}

impl Metrics {
    /// `refills` is what each limit gives in a second.
    pub(super) fn advance(&mut self, seconds: f64, refills: [f64; KINDS], waiting: impl Iterator<Item = MemberId>) {
        if seconds <= 0.0 {
            return;
        }
        self.now += seconds;
        let first = self.slot().saturating_sub(SLOTS - 1);
        while self.hour.front().is_some_and(|(slot, _)| *slot < first) {
            self.hour.pop_front();
        }
        let keep = (-seconds / MEMORY).exp();
        for ((used, refilled), refill) in self.used.iter_mut().zip(&mut self.refilled).zip(refills) {
            *used *= keep;
            *refilled = *refilled * keep + refill * seconds;
        }
        for member in self.members.values_mut() {
            member.given *= keep;
            member.waited *= keep;
            member.known = member.known * keep + seconds;
        }
        for member in waiting {
            self.members.entry(member).or_default().waited += seconds;
        }
        self.members.retain(|_, member| member.given + member.waited > GONE);
    }

    pub(super) fn went(&mut self, member: MemberId, waited: f64) {
        let member = self.members.entry(member).or_default();
        member.given += 1.0;
        if member.waits.len() >= WAITS {
            member.waits.pop_front();
        }
        member.waits.push_back(waited);
    }

    pub(super) fn used(&mut self, member: MemberId, weight: f64, needs: [f64; KINDS]) {
        self.members.entry(member).or_default().given += weight;
        self.used.iter_mut().zip(needs).for_each(|(used, need)| *used += need);
    }

    fn slot(&self) -> u64 {
        (self.now / SLOT) as u64
    }

    fn count(&mut self, what: impl Fn(&mut Counts)) {
        what(&mut self.counts);
        let slot = self.slot();
        if self.hour.back().is_none_or(|(last, _)| *last != slot) {
            self.hour.push_back((slot, Counts::default()));
        }
        if let Some((_, counts)) = self.hour.back_mut() {
            what(counts);
        }
    }

    pub(super) fn answered(&mut self) {
        self.count(|counts| counts.answered += 1);
    }

    pub(super) fn limited(&mut self) {
        self.count(|counts| counts.limited += 1);
    }

    pub(super) fn overloaded(&mut self) {
        self.count(|counts| counts.overloaded += 1);
    }

    /// The calls of the latest hour, to the minute.
    pub(super) fn last_hour(&self) -> HourState {
        let sum = |of: fn(&Counts) -> u64| self.hour.iter().map(|(_, counts)| of(counts)).sum::<u64>();
        let (answered, limited, overloaded) =
            (sum(|counts| counts.answered), sum(|counts| counts.limited), sum(|counts| counts.overloaded));
        let per_thousand = |count: u64| count as f64 * 1_000.0 / answered.max(1) as f64;
        HourState {
            answered,
            limited,
            overloaded,
            limited_per_thousand: per_thousand(limited),
            overloaded_per_thousand: per_thousand(overloaded),
        }
    }

    /// The share of each limit's refill that our calls used lately.
    pub(super) fn use_of_limits(&self) -> [f64; KINDS] {
        std::array::from_fn(|kind| match self.refilled[kind] > 0.0 {
            true => self.used[kind] / self.refilled[kind],
            false => 0.0,
        })
    }

    /// Jain's index of what the members who wanted more were given: 1 when all were given the same, 1/n when one had all.
    pub(super) fn fairness(&self) -> f64 {
        let busy = self.members.values().filter(|member| member.waited >= BUSY * member.known && member.known > 0.0);
        jain(busy.map(|member| member.given / member.known))
    }

    /// `waiting` says how many calls of a member wait, and for how long the first of them has.
    pub(super) fn members(&self, waiting: impl Fn(MemberId) -> (usize, f64)) -> Vec<MemberState> {
        let total: f64 = self.members.values().map(|member| member.given).sum();
        let state = |(id, member): (&MemberId, &Member)| {
            let mut waits: Vec<f64> = member.waits.iter().copied().collect();
            waits.sort_unstable_by(f64::total_cmp);
            let quantile = |share: f64| waits.get((waits.len().saturating_sub(1) as f64 * share).round() as usize);
            let (queued, longest_wait_seconds) = waiting(*id);
            MemberState {
                member: *id,
                queued,
                longest_wait_seconds,
                wait_p50_seconds: quantile(0.5).copied().unwrap_or_default(),
                wait_p95_seconds: quantile(0.95).copied().unwrap_or_default(),
                share: if total > 0.0 { member.given / total } else { 0.0 },
            }
        };
        let mut list: Vec<MemberState> = self.members.iter().map(state).collect();
        list.sort_unstable_by_key(|state| state.member);
        list
    }
}

/// Jain's index.
pub(super) fn jain(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum, squares) = values
        .fold((0.0, 0.0, 0.0), |(count, sum, squares), value| (count + 1.0, sum + value, squares + value * value));
    if squares > 0.0 { sum * sum / (count * squares) } else { 1.0 }
}

/// How a governor stands, for people and monitors. Shares are between 0 and 1; what fades counts the last minutes most.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The share of the tightest limit that our calls used lately; nothing while no limit is known.
    pub used: Option<f64>,
    /// Calls that were answered since the start.
    pub answered: u64,
    /// Calls that were refused with 429 since the start.
    pub limited: u64,
    /// Calls that met an overload (529) since the start.
    pub overloaded: u64,
    /// The calls of the latest hour.
    pub last_hour: HourState,
    /// Jain's index of what members who waited were given lately.
    pub fairness: f64,
    /// The limits that the provider tells.
    pub buckets: Vec<BucketState>,
    /// The members whose calls came here lately.
    pub members: Vec<MemberState>,
    /// Where the provider tells no limits: what was learned from its refusals, as weighed tokens a minute.
    pub learned_limit: Option<i64>,
    /// The share of each limit that is kept untouched.
    pub floor: f64,
    /// Calls that may be under way at once.
    pub concurrency: usize,
    /// Calls under way.
    pub in_flight: usize,
    /// Calls that wait.
    pub queued: usize,
    /// Seconds until the next call may go at all.
    pub gate_seconds: f64,
}

/// How the calls of the latest hour ended, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HourState {
    /// Answered.
    pub answered: u64,
    /// Refused with 429.
    pub limited: u64,
    /// Met an overload (529).
    pub overloaded: u64,
    /// Refusals for each 1,000 answers.
    pub limited_per_thousand: f64,
    /// Overloads for each 1,000 answers.
    pub overloaded_per_thousand: f64,
}

impl Snapshot {
    /// Refusals with 429 for each 1,000 answers.
    pub fn limited_per_thousand(&self) -> f64 {
        self.limited as f64 * 1_000.0 / self.answered.max(1) as f64
    }

    /// Overloads for each 1,000 answers.
    pub fn overloaded_per_thousand(&self) -> f64 {
        self.overloaded as f64 * 1_000.0 / self.answered.max(1) as f64
    }
}

/// One of the provider's limits as it is believed to stand.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BucketState {
    /// `requests`, `inputTokens`, `outputTokens` or `tokens`.
    pub name: &'static str,
    /// For a minute.
    pub limit: i64,
    /// What comes back in a minute, as the limits' headers show it.
    pub refill_per_minute: i64,
    /// What is left now.
    pub remaining: i64,
    /// What calls under way will probably take of it.
    pub reserved: i64,
    /// What others take of it in a minute.
    pub drift_per_minute: i64,
    /// The mean error of the mirror, as a share of the limit.
    pub error: f64,
    /// The share that our calls used lately.
    pub used: f64,
}

/// What a member gets of a key.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberState {
    /// Who.
    pub member: MemberId,
    /// Calls that wait.
    pub queued: usize,
    /// For how long the first of them has waited.
    pub longest_wait_seconds: f64,
    /// Half of the latest calls waited for less.
    pub wait_p50_seconds: f64,
    /// All but a twentieth of them did.
    pub wait_p95_seconds: f64,
    /// The member's share of what all were given lately, weighed.
    pub share: f64,
}
