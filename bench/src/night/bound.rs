//! How fast a scene could be at best.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use super::scene::Card;
use super::watch::Taken;

/// What holds a scene back.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Runs of each member at once.
    pub own: usize,
    /// Runs of all members at once.
    pub all: usize,
    /// What the provider gives.
    pub limit: Option<Limit>,
}

/// What the provider gives: in a second, at once at the beginning, and at once at most.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    pub rate: Taken,
    pub first: Taken,
    pub most: Taken,
}

/// The lower bounds of the makespan, each of which holds whatever is done: nothing but answers, tools' own time and the
/// project's checks is counted.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// The longest chain of cards that depend on each other.
    pub path: f64,
    /// The work of a member by the member's places, or all work by all places.
    pub places: f64,
    /// The calls and tokens by the provider's limits, less what these hold at the beginning.
    pub tokens: f64,
}

impl Bound {
    pub fn most(&self) -> f64 {
        self.path.max(self.places).max(self.tokens)
    }

    pub fn which(&self) -> &'static str {
        if self.most() <= self.tokens {
            "the limit"
        } else if self.most() <= self.places {
            "work by places"
        } else {
            "critical path"
        }
    }
}

/// `tokens`: what each card's turns took out of the limits.
pub fn bound(cards: &[Card], each: usize, room: Room, tokens: &HashMap<(usize, usize), Taken>) -> Bound {
    let work: Vec<f64> = cards.iter().map(|card| card.work().as_secs_f64()).collect();
    let (mut path, mut places, mut ends) = (0.0_f64, 0.0_f64, vec![0.0_f64; cards.len()]);
    for (first, group) in cards.chunks(each).enumerate().map(|(at, group)| (at * each, group)) {
        for (at, card) in group.iter().enumerate() {
            let begins = card.depends.iter().map(|on| ends[first + on]).fold(0.0, f64::max);
            ends[first + at] = begins + work[first + at];
            path = path.max(ends[first + at]);
        }
        places = places.max(work[first..first + group.len()].iter().sum::<f64>() / room.own as f64);
    }
    places = places.max(work.iter().sum::<f64>() / room.all as f64);
    let tokens = room.limit.map_or(0.0, |limit| {
        let taken = |kind: usize| tokens.values().map(|taken| taken[kind]).sum::<f64>();
        (0..3).map(|kind| (taken(kind) - limit.first[kind]) / limit.rate[kind]).fold(0.0, f64::max)
    });
    Bound { path, places, tokens }
}

/// How long the scene takes by the rule that the product follows (each free place to the member with the fewest, then by
/// priority and age; each call when the limit has room, in the order of asking), if nothing but the work itself takes any
/// time. What this is above the bound lies in the cards; what the product is above this lies in the product.
pub fn ideal(cards: &[Card], each: usize, room: Room, tokens: &HashMap<(usize, usize), Taken>) -> f64 {
    let mut world = World::new(cards, each, room);
    world.start_cards(0.0);
    let mut now = 0.0;
    loop {
        world.let_go(now, tokens);
        let Some(Reverse((at, card))) = world.events.pop() else { return now };
        now = at.0;
        world.step(now, card);
    }
}

/// A time that can be ordered.
#[derive(Debug, Clone, Copy, PartialEq)]
struct At(f64);

impl Eq for At {}

impl PartialOrd for At {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for At {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

struct World<'a> {
    cards: &'a [Card],
    each: usize,
    room: Room,
    /// Turns begun of each card; nothing before it starts.
    begun: Vec<Option<usize>>,
    done: Vec<bool>,
    /// When a card's turn, or its checks, are over; or, for the number behind the last card, when to look again.
    events: BinaryHeap<Reverse<(At, usize)>>,
    /// Calls that wait for the limit.
    asking: VecDeque<usize>,
    left: Taken,
    at: f64,
}

impl<'a> World<'a> {
    fn new(cards: &'a [Card], each: usize, room: Room) -> Self {
        let left = room.limit.map_or([0.0; 3], |limit| limit.first);
        Self {
            cards,
            each,
            room,
            begun: vec![None; cards.len()],
            done: vec![false; cards.len()],
            events: BinaryHeap::new(),
            asking: VecDeque::new(),
            left,
            at: 0.0,
        }
    }

    fn working(&self, member: Option<usize>) -> usize {
        let mine = |at: &usize| member.is_none_or(|member| self.cards[*at].member == member);
        (0..self.cards.len()).filter(|at| self.begun[*at].is_some() && !self.done[*at]).filter(mine).count()
    }

    fn start_cards(&mut self, now: f64) {
        while self.working(None) < self.room.all {
            let first = |at: usize| at / self.each * self.each;
            let may = |at: &usize| {
                self.begun[*at].is_none()
                    && self.cards[*at].depends.iter().all(|on| self.done[first(*at) + on])
                    && self.working(Some(self.cards[*at].member)) < self.room.own
            };
            let next = (0..self.cards.len()).filter(may).min_by_key(|at| {
                (self.working(Some(self.cards[*at].member)), self.cards[*at].priority, at % self.each)
            });
            let Some(next) = next else { return };
            self.begun[next] = Some(0);
            self.events.push(Reverse((At(now), next)));
        }
    }

    /// A card's turn or its checks are over.
    fn step(&mut self, now: f64, card: usize) {
        let Some(begun) = self.begun.get(card).copied().flatten() else { return };
        let turns = self.cards[card].turns.len();
        if begun < turns {
            self.asking.push_back(card);
        } else if begun == turns {
            self.begun[card] = Some(turns + 1);
            self.events.push(Reverse((At(now + self.cards[card].checks.as_secs_f64()), card)));
        } else {
            self.done[card] = true;
            self.start_cards(now);
        }
    }

    /// Lets calls go as long as the limit has room.
    fn let_go(&mut self, now: f64, tokens: &HashMap<(usize, usize), Taken>) {
        if let Some(limit) = self.room.limit {
            for kind in 0..3 {
                self.left[kind] = (self.left[kind] + limit.rate[kind] * (now - self.at)).min(limit.most[kind]);
            }
        }
        self.at = now;
        while let Some(card) = self.asking.front().copied() {
            let turn = self.begun[card].unwrap_or_default();
            if let Some(limit) = self.room.limit {
                let needs = tokens.get(&(card, turn)).copied().unwrap_or_default();
                let wait = (0..3).map(|kind| (needs[kind].min(limit.most[kind]) - self.left[kind]) / limit.rate[kind]);
                let wait = wait.fold(0.0, f64::max);
                if wait > 1e-9 {
                    self.events.push(Reverse((At(now + wait), self.cards.len())));
                    return;
                }
                (0..3).for_each(|kind| self.left[kind] -= needs[kind]);
            }
            self.asking.pop_front();
            self.begun[card] = Some(turn + 1);
            let Some(turn) = self.cards[card].turns.get(turn) else { continue };
            let took: Duration = turn.answer + turn.tools;
            self.events.push(Reverse((At(now + took.as_secs_f64()), card)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::night::scene::{Scale, cards};

    #[test]
    fn the_bounds_hold_and_one_place_needs_all_the_work() {
        let each = 10;
        let cards = cards(&["anna", "ben", "cleo"], each, 5, Scale(10.0));
        let none = HashMap::new();
        for own in 1..=3 {
            let room = Room { own, all: 8, limit: None };
            let (bound, ideal) = (bound(&cards, each, room, &none), ideal(&cards, each, room, &none));
            assert!(ideal >= bound.most() - 1e-6, "{own}: {ideal} {bound:?}");
            assert!(own > 1 || (ideal - bound.places).abs() < 1e-6, "{ideal} {bound:?}");
        }
    }

    #[test]
    fn a_tight_limit_is_what_counts() {
        let cards = cards(&["anna"], 5, 6, Scale(10.0));
        let all = cards.iter().enumerate().flat_map(|(card, what)| (0..what.turns.len()).map(move |turn| (card, turn)));
        let tokens: HashMap<_, _> = all.map(|turn| (turn, [1.0, 100.0, 10.0])).collect();
        let sum = tokens.len() as f64 * 100.0;
        let most = [1e9, 200.0, 1e9];
        let limit = Limit { rate: [1e9, sum / 500.0, 1e9], first: most, most };
        let room = Room { own: 3, all: 8, limit: Some(limit) };
        let (bound, ideal) = (bound(&cards, 5, room, &tokens), ideal(&cards, 5, room, &tokens));
        assert_eq!(bound.which(), "the limit");
        assert!(ideal >= bound.tokens && ideal < bound.tokens * 1.1, "{ideal} {bound:?}");
    }
}
