//! What runs next: a pure function of who waits and who works.

use std::collections::HashMap;

use crate::limits::Limits;
use crate::{DateTime, MemberId, RunId};

/// A run that waits to be claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The run.
    pub run: RunId,
    /// Who started it.
    pub member: MemberId,
    /// Its feature's priority: 1 comes first.
    pub priority: i64,
    /// Since when it waits.
    pub since: DateTime,
}

/// Chooses the run to claim next, or none when every place is taken.
///
/// Fair between members first (who has fewer runs at work comes first), then by priority, then by age. `working` holds
/// the number of runs at work for each member.
pub fn next<'a>(waiting: &'a [Candidate], working: &HashMap<MemberId, i64>, limits: &Limits) -> Option<&'a Candidate> {
    if working.values().sum::<i64>() >= limits.max_concurrent_features {
        return None;
    }
    let at_work = |member: &MemberId| working.get(member).copied().unwrap_or(0);
    waiting
        .iter()
        .filter(|candidate| at_work(&candidate.member) < limits.max_concurrent_features_per_member)
        .min_by_key(|candidate| (at_work(&candidate.member), candidate.priority, candidate.since, candidate.run))
}

/// All that wait, in the order in which places are given if nothing changes: as [`next`] chooses, once a place is free for
/// each.
pub fn line<'a>(waiting: &'a [Candidate], working: &HashMap<MemberId, i64>) -> Vec<&'a Candidate> {
    let mut of: HashMap<MemberId, Vec<&Candidate>> = HashMap::new();
    for candidate in waiting {
        of.entry(candidate.member).or_default().push(candidate);
    }
    // The n-th of a member comes when the member has n more at work.
    let mut line: Vec<(i64, &Candidate)> = Vec::with_capacity(waiting.len());
    for (member, mut own) in of {
        own.sort_by_key(|candidate| (candidate.priority, candidate.since, candidate.run));
        line.extend((working.get(&member).copied().unwrap_or(0)..).zip(own));
    }
    line.sort_by_key(|(at_work, candidate)| (*at_work, candidate.priority, candidate.since, candidate.run));
    line.into_iter().map(|(_, candidate)| candidate).collect()
}

#[cfg(test)]
mod tests;
