//! What the provider keeps of the prompts it has read, and what a call costs by it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::wire::tokens;

/// Input tokens of one call, sorted by price.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Input {
    /// Neither read from nor written to the cache.
    pub fresh: i64,
    /// Read from the cache.
    pub read: i64,
    /// Written to the cache.
    pub written: i64,
}

impl Input {
    /// All of them.
    pub const fn total(&self) -> i64 {
        self.fresh + self.read + self.written
    }
}

/// How long a prefix stays cached after its last use.
const LIFE: Duration = Duration::from_secs(5 * 60);
/// Blocks before a breakpoint in which a cached prefix is looked for.
const LOOK_BACK: usize = 20;
/// Prefixes that are remembered at most.
const REMEMBERED: usize = 100_000;

/// The provider's prompt cache: prefixes of requests, by key and model.
#[derive(Debug, Default)]
pub struct Cache {
    prefixes: HashMap<[u8; 32], Instant>,
}

/// What a request finds in the cache, and what it will leave there.
#[derive(Debug)]
pub struct Counted {
    /// Its tokens.
    pub input: Input,
    uses: Vec<[u8; 32]>,
}

impl Cache {
    /// Counts a request's input.
    pub fn count(&self, key: &str, body: &Value, now: Instant) -> Counted {
        let alive = |hash: &[u8; 32]| self.prefixes.get(hash).is_some_and(|used| now.duration_since(*used) < LIFE);
        let mut hash = Sha256::new_with_prefix(format!("{key}\n{}\n", body["model"]));
        let mut prefixes: Vec<([u8; 32], i64, bool)> = Vec::new();
        let mut sum = 0;
        let lists = [("tools", &body["tools"]), ("system", &body["system"])].into_iter().chain(
            body["messages"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|message| (message["role"].as_str().unwrap_or_default(), &message["content"])),
        );
        for (list, block) in
            lists.flat_map(|(name, list)| list.as_array().into_iter().flatten().map(move |b| (name, b)))
        {
            let mut plain = block.clone();
            let marked = plain.as_object_mut().is_some_and(|map| map.remove("cache_control").is_some());
            let text = plain.to_string();
            sum += tokens(text.len());
            hash.update(format!("{list}\n{text}\n"));
            prefixes.push((hash.clone().finalize().into(), sum, marked));
        }
        let mut counted = Counted { input: Input::default(), uses: Vec::new() };
        let mut upto = 0;
        for (at, (end, until, _)) in prefixes.iter().enumerate().filter(|(_, (_, _, marked))| *marked) {
            let near = &prefixes[at.saturating_sub(LOOK_BACK)..=at];
            if let Some((hash, until, _)) = near.iter().rev().find(|(hash, _, _)| alive(hash)) {
                counted.input.read = counted.input.read.max(*until);
                counted.uses.push(*hash);
            }
            counted.uses.push(*end);
            upto = *until;
        }
        counted.input.written = (upto - counted.input.read).max(0);
        counted.input.fresh = sum - counted.input.read - counted.input.written;
        counted
    }

    /// Remembers the prefixes of a request that is answered; those that it read live on.
    pub fn remember(&mut self, counted: &Counted, now: Instant) {
        if self.prefixes.len() > REMEMBERED {
            self.prefixes.retain(|_, used| now.duration_since(*used) < LIFE);
        }
        self.prefixes.extend(counted.uses.iter().map(|hash| (*hash, now)));
    }
}

#[cfg(test)]
mod tests;
