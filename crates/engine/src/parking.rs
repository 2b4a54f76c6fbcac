//! How work waits while a node is short of memory or disk, or has no sandbox: none begins, and what is at work makes room.
//!
//! For the disk and the sandbox, a run waits at its next turn. For memory, the run whose commands hold most is stopped, and the next one when
//! that was not enough: its commands end, and its turn goes on later as after any interruption. A call to a model holds hardly
//! any memory and is paid for, so that a run waits for its answer first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use guildhall_types::alert::Strain;
use guildhall_types::{MemberId, RunId};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Engine;

/// What a node is short of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Strains {
    /// Memory.
    pub(crate) memory: bool,
    /// Room on the disk.
    pub(crate) disk: bool,
    /// A sandbox.
    pub(crate) sandbox: bool,
}

/// How to let one attempt at a run make room.
#[derive(Debug)]
pub(crate) struct Parking {
    member: MemberId,
    begun: Instant,
    cancel: CancellationToken,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    asked: Option<Strain>,
    calling: bool,
}

impl Parking {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it is to make room for.
    pub(crate) fn asked(&self) -> Option<Strain> {
        self.state().asked
    }

    /// A call to a model begins, or what it brought is saved.
    pub(crate) fn at_call(&self, calling: bool) {
        let mut state = self.state();
        state.calling = calling;
        self.stop_if_free(&state);
    }

    /// Asks it to make room.
    fn ask(&self, strain: Strain) {
        let mut state = self.state();
        // Memory is the more urgent.
        if state.asked != Some(Strain::Memory) {
            state.asked = Some(strain);
        }
        self.stop_if_free(&state);
    }

    /// It need not make room any more, unless it does so already.
    fn withdraw(&self, strain: Strain) {
        let mut state = self.state();
        if state.asked == Some(strain) && !self.cancel.is_cancelled() {
            state.asked = None;
        }
    }

    fn stop_if_free(&self, state: &State) {
        if state.asked == Some(Strain::Memory) && !state.calling {
            self.cancel.cancel();
        }
    }
}

impl Engine {
    /// What this node is short of, so that it begins no work.
    pub fn strain(&self) -> Option<Strain> {
        let strains = *self.strains();
        match strains {
            Strains { memory: true, .. } => Some(Strain::Memory),
            Strains { disk: true, .. } => Some(Strain::Disk),
            Strains { sandbox: true, .. } => Some(Strain::Sandbox),
            Strains { .. } => None,
        }
    }

    /// Whether this node begins work now. Whether it has a sandbox is looked at each time, and not only when somebody judges.
    pub(crate) async fn begins_work(&self) -> bool {
        let sandbox = !self.sandbox_report().await.usable;
        // Memory and disk are left as whoever judges them says, who may do so at this moment.
        if self.strains().sandbox != sandbox {
            self.strained(|before| Strains { sandbox, ..before }, false).await;
        }
        self.strain().is_none()
    }

    fn strains(&self) -> MutexGuard<'_, Strains> {
        self.0.strains.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parkings(&self) -> MutexGuard<'_, HashMap<RunId, Arc<Parking>>> {
        self.0.parkings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An attempt at a run begins, which this token stops.
    pub(crate) fn may_park(&self, run: RunId, member: MemberId, cancel: &CancellationToken) {
        let parking = Parking { member, begun: Instant::now(), cancel: cancel.clone(), state: Mutex::default() };
        self.parkings().insert(run, Arc::new(parking));
    }

    pub(crate) fn forget_parking(&self, run: RunId) {
        self.parkings().remove(&run);
    }

    pub(crate) fn parking(&self, run: RunId) -> Option<Arc<Parking>> {
        self.parkings().get(&run).cloned()
    }

    /// What a run at work here makes room for, or was asked to.
    pub(crate) fn parked_for(&self, run: RunId) -> Option<Strain> {
        self.parking(run).and_then(|parking| parking.asked())
    }

    /// This node is short of this now, by what it was short of before. `urgent` says that memory is, at this moment: one more run is
    /// to make room.
    pub(crate) async fn strained(&self, short_of: impl FnOnce(Strains) -> Strains, urgent: bool) {
        let (before, now) = {
            let mut strains = self.strains();
            let before = *strains;
            *strains = short_of(before);
            (before, *strains)
        };
        if before != now {
            tracing::warn!(
                memory = now.memory,
                disk = now.disk,
                sandbox = now.sandbox,
                "what this node is short of, so that it begins no work"
            );
        }
        if now.disk && !before.disk {
            // What nobody uses makes room, rather than that work waits for the next half hour.
            self.0.tidying.ask();
        }
        let all = [(Strain::Memory, now.memory), (Strain::Disk, now.disk), (Strain::Sandbox, now.sandbox)];
        for (strain, _) in all.iter().filter(|(_, short)| !short) {
            self.parkings().values().for_each(|parking| parking.withdraw(*strain));
        }
        for (strain, _) in all.iter().filter(|(strain, short)| *short && *strain != Strain::Memory) {
            self.parkings().values().for_each(|parking| parking.ask(*strain));
        }
        if now.memory && urgent {
            self.park_largest().await;
        }
        if before != now && now == Strains::default() {
            self.0.wake.notify_one();
        }
    }

    /// Lets the run make room whose commands hold most memory, of those that do not yet. Where the host does not count it, that
    /// is the one that began last: it has least to lose.
    async fn park_largest(&self) {
        let free: Vec<(RunId, Arc<Parking>)> = self
            .parkings()
            .iter()
            .filter(|(_, parking)| parking.asked() != Some(Strain::Memory))
            .map(|(run, parking)| (*run, Arc::clone(parking)))
            .collect();
        let groups = self.0.groups.clone();
        let largest = tokio::task::spawn_blocking(move || {
            let held = |run: RunId, parking: &Parking| groups.memory_of(parking.member, &run.to_string()).unwrap_or(0);
            let counted = free.into_iter().map(|(run, parking)| (held(run, &parking), parking.begun, run, parking));
            counted.max_by_key(|(held, begun, ..)| (*held, *begun))
        });
        if let Ok(Some((held, _, run, parking))) = largest.await {
            tracing::warn!(%run, held, "the node is short of memory: a run makes room");
            parking.ask(Strain::Memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parking() -> Parking {
        let cancel = CancellationToken::new();
        Parking { member: MemberId::new(), begun: Instant::now(), cancel, state: Mutex::default() }
    }

    #[test]
    fn for_memory_it_stops_at_once_but_not_in_a_call_that_is_paid_for() {
        let at_work = parking();
        at_work.ask(Strain::Memory);
        assert!(at_work.cancel.is_cancelled());
        let calling = parking();
        calling.at_call(true);
        calling.ask(Strain::Memory);
        assert!(!calling.cancel.is_cancelled());
        calling.at_call(false);
        assert!(calling.cancel.is_cancelled());
        assert_eq!(calling.asked(), Some(Strain::Memory));
    }

    #[test]
    fn for_the_disk_it_is_only_asked_and_what_passes_is_taken_back() {
        let one = parking();
        one.ask(Strain::Disk);
        assert!(!one.cancel.is_cancelled() && one.asked() == Some(Strain::Disk));
        one.withdraw(Strain::Memory);
        assert_eq!(one.asked(), Some(Strain::Disk));
        one.withdraw(Strain::Disk);
        assert_eq!(one.asked(), None);
        one.ask(Strain::Memory);
        one.ask(Strain::Disk);
        one.withdraw(Strain::Memory);
        assert_eq!(one.asked(), Some(Strain::Memory), "it stops already");
    }
}
