//! Slows down whoever tries too often.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::Duration;
use guildhall_types::DateTime;

use crate::TeamError;

/// Tries of one account, or from one address, within [`WINDOW`], after which it must wait.
const TRIES: usize = 10;
const WINDOW: Duration = Duration::minutes(15);
/// Accounts and addresses that are remembered at most.
const REMEMBERED: usize = 10_000;
/// Entries that one member or one address can bring into the audit by being refused, and sign-ins by a provider that one
/// address can begin, in a minute.
const TOLD: usize = 30;

/// Slows down the guessing of passwords, per account and per address. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Throttle {
    failures: Arc<Mutex<HashMap<String, Vec<DateTime>>>>,
    told: Arc<Mutex<HashMap<String, Vec<DateTime>>>>,
}

impl Throttle {
    /// Refuses while any of these has failed too often.
    pub(crate) fn check(&self, keys: &[String], now: DateTime) -> Result<(), TeamError> {
        let failures = locked(&self.failures);
        for key in keys {
            let recent: Vec<&DateTime> =
                failures.get(key).into_iter().flatten().filter(|at| **at > now - WINDOW).collect();
            if let Some(first) = recent.iter().rev().nth(TRIES - 1) {
                return Err(TeamError::Throttled { seconds: (**first + WINDOW - now).num_seconds().max(1) });
            }
        }
        Ok(())
    }

    /// Counts a failure against each of these.
    pub(crate) fn failed(&self, keys: &[String], now: DateTime) {
        let mut failures = locked(&self.failures);
        for key in keys {
            add(&mut failures, key, now, WINDOW);
        }
    }

    /// Forgets the failures of this one.
    pub(crate) fn succeeded(&self, key: &str) {
        locked(&self.failures).remove(key);
    }

    /// Whether this one may do it once more in this minute. What is counted is what was done, not what failed.
    pub(crate) fn may_now(&self, key: &str, now: DateTime) -> Result<(), TeamError> {
        match add(&mut locked(&self.told), key, now, Duration::minutes(1)) <= TOLD {
            true => Ok(()),
            false => Err(TeamError::Throttled { seconds: 60 }),
        }
    }

    /// Whether the audit is to tell of one more refusal of this one: a flood of them must not fill the disk.
    pub fn worth_telling(&self, key: &str, now: DateTime) -> bool {
        add(&mut locked(&self.told), key, now, Duration::minutes(1)) <= TOLD
    }
}

fn locked(map: &Mutex<HashMap<String, Vec<DateTime>>>) -> MutexGuard<'_, HashMap<String, Vec<DateTime>>> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns how many there are within the window. No more are kept than anybody asks for.
fn add(map: &mut HashMap<String, Vec<DateTime>>, key: &str, now: DateTime, window: Duration) -> usize {
    if map.len() > REMEMBERED {
        map.retain(|_, times| times.iter().any(|at| *at > now - window));
    }
    let times = map.entry(key.to_owned()).or_default();
    times.retain(|at| *at > now - window);
    if times.len() <= TOLD.max(TRIES) {
        times.push(now);
    }
    times.len()
}
