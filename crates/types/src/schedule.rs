//! What runs next: a pure function of who waits and who works.

use std::collections::HashMap;

use crate::feature::FeatureKind;
use crate::limits::Limits;
use crate::{DateTime, MemberId, RunId};

/// A run that waits to be claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The run.
    pub run: RunId,
    /// Who started it.
    pub member: MemberId,
    /// What it works on.
    pub kind: FeatureKind,
    /// Its feature's priority: 1 comes first.
    pub priority: i64,
    /// Since when it waits.
    pub since: DateTime,
}

/// How many runs of each kind each member has at work.
///
/// Cards, chats and tasks of a member are shared out apart, each within a limit of its own, as if they were three members':
/// so a night's auto mode does not keep a member from talking, and talking does not keep cards from being built. The limit
/// of the whole team holds for all of them together.
pub type AtWork = HashMap<(MemberId, FeatureKind), i64>;

/// How many of one kind a member has at work.
pub(crate) fn of(working: &AtWork, member: MemberId, kind: FeatureKind) -> i64 {
    working.get(&(member, kind)).copied().unwrap_or(0)
}

/// In a place that several could have, a person who waits for an answer comes first.
pub(crate) const fn rank(kind: FeatureKind) -> u8 {
    match kind {
        FeatureKind::Chat => 0,
        FeatureKind::Card | FeatureKind::Task => 1,
    }
}

/// Chooses the run to claim next, or none when every place is taken.
///
/// Fair first (of which member's kind fewer are at work, that comes first), then chats before all else, then by priority,
/// then by age.
pub fn next<'a>(waiting: &'a [Candidate], working: &AtWork, limits: &Limits) -> Option<&'a Candidate> {
    if working.values().sum::<i64>() >= limits.max_concurrent_features {
        return None;
    }
    let at_work = |candidate: &Candidate| of(working, candidate.member, candidate.kind);
    waiting.iter().filter(|candidate| at_work(candidate) < limits.per_member(candidate.kind)).min_by_key(|candidate| {
        (at_work(candidate), rank(candidate.kind), candidate.priority, candidate.since, candidate.run)
    })
}

/// All that wait, in the order in which places are given if nothing changes: as [`next`] chooses, once a place is free for
/// each.
pub fn line<'a>(waiting: &'a [Candidate], working: &AtWork) -> Vec<&'a Candidate> {
    let mut by: HashMap<(MemberId, FeatureKind), Vec<&Candidate>> = HashMap::new();
    for candidate in waiting {
        by.entry((candidate.member, candidate.kind)).or_default().push(candidate);
    }
    // The n-th of a member comes when the member has n more at work.
    let mut line: Vec<(i64, &Candidate)> = Vec::with_capacity(waiting.len());
    for ((member, kind), mut own) in by {
        own.sort_by_key(|candidate| (candidate.priority, candidate.since, candidate.run));
        line.extend((of(working, member, kind)..).zip(own));
    }
    line.sort_by_key(|(at_work, candidate)| {
        (*at_work, rank(candidate.kind), candidate.priority, candidate.since, candidate.run)
    });
    line.into_iter().map(|(_, candidate)| candidate).collect()
}

#[cfg(test)]
mod tests;
