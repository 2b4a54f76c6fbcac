//! Slows down whoever tries too often. Tries are counted in the database: over all nodes, and over restarts.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::Duration;
use guildhall_store::{Store, TryLimit};
use guildhall_types::{Clock, DateTime, MemberId};
use sha2::{Digest, Sha256};

use crate::TeamError;
use crate::accounts::Origin;

/// Sign-ins of one account, or from one address, that may fail within [`WINDOW`], after which it must wait.
const TRIES: i64 = 10;
const WINDOW: Duration = Duration::minutes(15);
/// Mails that may be asked for to one address, within an hour.
const MAILS_TO_ONE: i64 = 3;
/// Mails that may be asked for from one address, within an hour.
const MAILS_FROM_ONE: i64 = 30;
/// Members and addresses that are remembered at most, of those whose refusals are told to the audit.
const REMEMBERED: usize = 10_000;
/// Entries that one member or one address can bring into the audit by being refused, and sign-ins by a provider that one
/// address can begin, in a minute.
const TOLD: usize = 30;

/// Slows down the guessing of passwords and the asking for mails, per account and per address. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Throttle {
    clock: Arc<dyn Clock>,
    told: Arc<Mutex<HashMap<String, Vec<DateTime>>>>,
}

impl Throttle {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, told: Arc::default() }
    }

    /// Counts one try against each of these, before it is made; refuses when any of them has no try left.
    pub(crate) async fn take(&self, store: &Store, limits: &[TryLimit]) -> Result<(), TeamError> {
        match store.count_try(limits).await? {
            None => Ok(()),
            Some(until) => Err(TeamError::Throttled { seconds: (until - self.clock.now()).num_seconds().max(1) }),
        }
    }

    /// A sign-in was right: the account's failures are forgotten, and for the address it was no try. The failures of the
    /// address stay, or whoever has one account could go on guessing at all others.
    pub(crate) async fn succeeded(&self, store: &Store, limits: &[TryLimit]) -> Result<(), TeamError> {
        if let Some((account, others)) = limits.split_first() {
            store.forget_tries(&account.key).await?;
            for other in others {
                store.uncount_try(&other.key).await?;
            }
        }
        Ok(())
    }

    /// Whether this one may do it once more in this minute. What is counted is what was done, not what failed.
    pub(crate) fn may_now(&self, key: &str, now: DateTime) -> Result<(), TeamError> {
        match add(&mut locked(&self.told), key, now, Duration::minutes(1)) <= TOLD {
            true => Ok(()),
            false => Err(TeamError::Throttled { seconds: 60 }),
        }
    }

    /// Whether the audit is to tell of one more refusal of this one: a flood of them must not fill the disk. Counted by
    /// each process for itself.
    pub fn worth_telling(&self, key: &str, now: DateTime) -> bool {
        add(&mut locked(&self.told), key, now, Duration::minutes(1)) <= TOLD
    }
}

/// What is counted, and how often it may be.
fn limit(kind: &str, of: &str, tries: i64, window: Duration) -> TryLimit {
    // Hashed, because what was typed as an address may be a password.
    let key = Sha256::digest(format!("{kind} {of}").as_bytes()).to_vec();
    TryLimit { key, tries, window }
}

/// What a sign-in counts against: the account first, then the address it comes from.
pub(crate) fn sign_in(email: &str, origin: &Origin) -> Vec<TryLimit> {
    let mut limits = vec![limit("account", email, TRIES, WINDOW)];
    limits.extend(origin.address.iter().map(|address| limit("address", &network(address), TRIES, WINDOW)));
    limits
}

/// What the guessing of codes counts against. Not the account of the password: who knows that one would set the count back
/// with each sign-in.
pub(crate) fn second_factor(member: MemberId, origin: &Origin) -> Vec<TryLimit> {
    let mut limits = vec![limit("second", &member.to_string(), TRIES, WINDOW)];
    limits.extend(origin.address.iter().map(|address| limit("address", &network(address), TRIES, WINDOW)));
    limits
}

/// What asking for a mail counts against: the address that it goes to, then the address that asks.
pub(crate) fn asking_for_mail(email: &str, origin: &Origin) -> Vec<TryLimit> {
    let mut limits = vec![limit("mail to", email, MAILS_TO_ONE, Duration::hours(1))];
    let from = origin.address.iter();
    limits.extend(from.map(|address| limit("mail for", &network(address), MAILS_FROM_ONE, Duration::hours(1))));
    limits
}

/// What signing up counts against.
pub(crate) fn sign_up(origin: &Origin) -> Vec<TryLimit> {
    origin.address.iter().map(|address| limit("sign-up", &network(address), TRIES, WINDOW)).collect()
}

/// Who an address stands for: of IPv6 the network of 64 bits, all of which one customer has.
pub fn network(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => address.to_owned(),
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
    if times.len() <= TOLD {
        times.push(now);
    }
    times.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_counts_as_one_and_what_is_mapped_as_what_it_is() {
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_ne!(network("192.0.2.7"), network("192.0.2.8"));
    }
}
