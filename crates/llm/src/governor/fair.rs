//! Whose turn it is: deficit round robin between members, first in first out within a member.

use std::collections::{HashMap, VecDeque};

use guildhall_types::MemberId;

use super::Ticket;

/// What a member may owe, in quanta, because calls took more than was thought.
const MOST_DEBT: f64 = 32.0;
/// After so many seconds without a call a member's debt is forgotten.
const FORGET: f64 = 60.0;

#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<(Ticket, f64)>,
    /// What the member may spend before the turn goes on; below nothing, it owes.
    deficit: f64,
    /// When the lane was last used.
    at: f64,
}

#[derive(Debug)]
pub(super) struct Fair {
    lanes: HashMap<MemberId, Lane>,
    /// Members who wait, the one whose turn it is first.
    order: VecDeque<MemberId>,
    /// What a member gets when its turn comes: about one call.
    quantum: f64,
    waiting: usize,
}

impl Fair {
    pub(super) fn new(quantum: f64) -> Self {
        Self { lanes: HashMap::new(), order: VecDeque::new(), quantum, waiting: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    /// Members who wait.
    pub(super) fn members(&self) -> impl Iterator<Item = MemberId> {
        self.order.iter().copied()
    }

    /// How many of a member's calls wait.
    pub(super) fn waiting(&self, member: MemberId) -> usize {
        self.lanes.get(&member).map_or(0, |lane| lane.queue.len())
    }

    /// Takes a call in line. `again` puts it before its member's others.
    pub(super) fn push(&mut self, member: MemberId, ticket: Ticket, weight: f64, again: bool, now: f64) {
        self.lanes.retain(|_, lane| !lane.queue.is_empty() || now - lane.at < FORGET);
        self.quantum += 0.02 * (weight - self.quantum);
        let lane = self.lanes.entry(member).or_default();
        lane.at = now;
        if lane.queue.is_empty() {
            self.order.push_back(member);
        }
        match again {
            true => lane.queue.push_front((ticket, weight)),
            false => lane.queue.push_back((ticket, weight)),
        }
        self.waiting += 1;
    }

    /// The call that goes next. It stays the same until it is taken or withdrawn, or another comes before it.
    pub(super) fn peek(&mut self) -> Option<Ticket> {
        let quantum = self.quantum.max(1.0);
        if let [only] = self.order.make_contiguous() {
            let lane = self.lanes.get_mut(only)?;
            let &(ticket, weight) = lane.queue.front()?;
            lane.deficit = lane.deficit.max(weight);
            return Some(ticket);
        }
        loop {
            let lane = self.lanes.get(self.order.front()?)?;
            let &(ticket, weight) = lane.queue.front()?;
            if lane.deficit >= weight {
                return Some(ticket);
            }
            // The turn goes on, and whoever has it gets a quantum.
            self.order.rotate_left(1);
            self.lanes.get_mut(self.order.front()?)?.deficit += quantum;
        }
    }

    /// Takes a call out of the line: it goes (and its member pays), or nobody wants it any more.
    pub(super) fn remove(&mut self, member: MemberId, ticket: Ticket, goes: bool, now: f64) {
        let Some(lane) = self.lanes.get_mut(&member) else { return };
        let Some(place) = lane.queue.iter().position(|(other, _)| *other == ticket) else { return };
        let weight = lane.queue.remove(place).map_or(0.0, |(_, weight)| weight);
        self.waiting -= 1;
        lane.at = now;
        if goes {
            lane.deficit -= weight;
        }
        if lane.queue.is_empty() {
            // Nobody saves up turns.
            lane.deficit = lane.deficit.min(0.0);
            self.order.retain(|other| *other != member);
        }
    }

    /// A call took so much more, or less, than was thought.
    pub(super) fn correct(&mut self, member: MemberId, more: f64, now: f64) {
        let Some(lane) = self.lanes.get_mut(&member) else { return };
        lane.at = now;
        lane.deficit = (lane.deficit - more).max(-MOST_DEBT * self.quantum);
        if lane.queue.is_empty() {
            lane.deficit = lane.deficit.min(0.0);
        }
    }

    /// The calls that go before this one at the most: its member's earlier ones, and as many of each other member and one.
    pub(super) fn ahead(&self, member: MemberId, ticket: Ticket) -> impl Iterator<Item = Ticket> {
        let place = self.lanes.get(&member).and_then(|lane| lane.queue.iter().position(|(other, _)| *other == ticket));
        let place = place.unwrap_or(0);
        self.order.iter().flat_map(move |other| {
            let most = if *other == member { place } else { place + 1 };
            let queue = self.lanes.get(other).map(|lane| &lane.queue);
            queue.into_iter().flatten().take(most).map(|(ticket, _)| *ticket)
        })
    }
}
