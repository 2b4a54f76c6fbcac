//! How the rate limits of keys stand, told to those whom they concern.

use std::sync::PoisonError;

use guildhall_llm::governor::LaneState;
use guildhall_team::Provider;
use guildhall_types::MemberId;
use guildhall_types::run::{KeySource, RunKey};

use crate::Engine;

/// A key that runs of this node used lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedKey {
    /// As far as it may be shown.
    pub key: RunKey,
    /// Whose it is; nobody's when it is the team's, or simulated.
    pub member: Option<MemberId>,
}

/// How the limits of a key stand, for one class of models.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyLimits {
    /// The key.
    pub used: UsedKey,
    /// How its limits stand.
    pub lane: LaneState,
}

impl Engine {
    /// Remembers whose key the calls of a lane bear: the governor itself knows keys by their hashes.
    pub(crate) fn note_key(&self, provider: &Provider, member: MemberId, model: &str) {
        let lane = self.0.governor.lane(&provider.endpoint, model);
        let member = (provider.key.source == KeySource::Member).then_some(member);
        let mut keys = self.0.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(lane.credential, UsedKey { key: provider.key.clone(), member });
    }

    /// How the rate limits of the keys stand that this node's runs used lately: of all of them, or of those that concern one
    /// member. That is the member's own keys, and of keys that are shared what the member's own calls are given.
    pub fn rate_limits(&self, of: Option<MemberId>) -> Vec<KeyLimits> {
        let lanes = self.0.governor.snapshot();
        let mut keys = self.0.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|credential, _| lanes.iter().any(|lane| lane.lane.credential == *credential));
        let known = lanes.into_iter().filter_map(|lane| {
            let used = keys.get(&lane.lane.credential)?.clone();
            Some(KeyLimits { used, lane })
        });
        let Some(member) = of else { return known.collect() };
        let own = known.filter_map(|mut limits| {
            let shown = &mut limits.lane.state.members;
            shown.retain(|state| state.member == member);
            match limits.used.member {
                Some(owner) => owner == member,
                None => !shown.is_empty(),
            }
            .then_some(limits)
        });
        own.collect()
    }
}
