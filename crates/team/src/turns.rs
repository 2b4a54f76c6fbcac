//! Turns at what few may do at once, fairly between members.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use guildhall_types::MemberId;
use tokio::sync::Notify;

/// Places of which nobody has all, so that whoever comes next need not wait for what another member began.
#[derive(Debug)]
pub(crate) struct Turns {
    most: usize,
    line: Mutex<Line>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Line {
    last: u64,
    /// Who waits, the longest first.
    waiting: Vec<(u64, MemberId)>,
    busy: HashMap<MemberId, usize>,
}

impl Line {
    /// Who has the next free place: a member with the fewest, and of those who has waited longest.
    fn next(&self, most: usize) -> Option<u64> {
        let has = |member: &MemberId| self.busy.get(member).copied().unwrap_or_default();
        if self.busy.values().sum::<usize>() >= most {
            return None;
        }
        let alone = most.saturating_sub(1).max(1);
        let may = self.waiting.iter().filter(|(_, member)| has(member) < alone);
        may.min_by_key(|(number, member)| (has(member), *number)).map(|(number, _)| *number)
    }
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    member: MemberId,
}

/// A wait, until it is dropped.
struct Wait<'a> {
    turns: &'a Turns,
    number: u64,
}

impl Turns {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, line: Mutex::default(), changed: Notify::new() }
    }

    /// Waits for a place.
    pub(crate) async fn of(&self, member: MemberId) -> Turn<'_> {
        let number = {
            let mut line = self.line();
            line.last += 1;
            let number = line.last;
            line.waiting.push((number, member));
            number
        };
        let _wait = Wait { turns: self, number };
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut line = self.line();
                if line.next(self.most) == Some(number) {
                    *line.busy.entry(member).or_default() += 1;
                    return Turn { turns: self, member };
                }
            }
            changed.await;
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.turns.line().waiting.retain(|(number, _)| *number != self.number);
        self.turns.changed.notify_waiters();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut line = self.turns.line();
        if let Some(busy) = line.busy.get_mut(&self.member) {
            *busy = busy.saturating_sub(1);
        }
        line.busy.retain(|_, busy| *busy > 0);
        drop(line);
        self.turns.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn nobody_has_all_places_and_who_has_fewest_is_next() {
        let (turns, [anna, ben, eve]) = (Turns::new(3), [(); 3].map(|()| MemberId::new()));
        let now = |member| turns.of(member).now_or_never();
        let (first, second) = (now(anna).unwrap(), now(anna).unwrap());
        assert!(now(anna).is_none(), "a place is left for others");
        let third = now(ben).unwrap();
        // All are taken. Anna and Ben have waited longer than Eve, who has none.
        let (mut of_anna, mut of_ben, mut of_eve) =
            (Box::pin(turns.of(anna)), Box::pin(turns.of(ben)), Box::pin(turns.of(eve)));
        assert!((&mut of_anna).now_or_never().is_none() && (&mut of_ben).now_or_never().is_none());
        assert!((&mut of_eve).now_or_never().is_none());
        drop(first);
        assert!((&mut of_anna).now_or_never().is_none() && (&mut of_ben).now_or_never().is_none());
        let fourth = of_eve.now_or_never().unwrap();
        drop(third);
        assert!((&mut of_anna).now_or_never().is_none());
        let fifth = of_ben.now_or_never().unwrap();
        // Who waits no more is passed over.
        drop(of_anna);
        drop((second, fourth, fifth));
        assert!(turns.line().busy.is_empty() && turns.line().waiting.is_empty());
    }
}
