//! What the database does not take: a write is tried for a while, and a call that was paid is kept until it does, so that the
//! ledger and the month's budget know of it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use guildhall_store::{Lease, Store, StoreError};
use guildhall_types::run::LedgerRow;
use tokio::time::Instant;

use crate::Engine;

/// Calls that are kept at most; beyond them the oldest goes, and the log says what it was.
const MOST: usize = 1_000;
/// How often a call is tried that the database, which is there and has room, does not take: some five minutes.
const REFUSED: u32 = 60;
/// How often it is looked whether the last run has ended, when this node stops.
const ENDING: Duration = Duration::from_millis(100);

/// Between two tries of a write.
const AGAIN: Duration = Duration::from_millis(300);

/// The tries of a write that must not be lost, though the database be away or have no room for a while.
pub(crate) struct Tries {
    until: Instant,
    /// An earlier try failed. It may have come through, with its answer lost on the way: whoever tries again looks first.
    pub(crate) again: bool,
}

impl Tries {
    pub(crate) fn within(patience: Duration) -> Self {
        Self { until: Instant::now() + patience, again: false }
    }

    /// Whether to try once more, after a wait.
    pub(crate) async fn go_on(&mut self, done: &Result<(), StoreError>) -> bool {
        let passes = matches!(done, Err(StoreError::Away(_) | StoreError::Full(_)));
        if !passes || Instant::now() >= self.until {
            return false;
        }
        tokio::time::sleep(AGAIN).await;
        self.again = true;
        true
    }
}

/// A call that is to be written.
#[derive(Debug, Clone)]
struct Kept {
    lease: Lease,
    row: LedgerRow,
    /// How often the database refused it, being there.
    refused: u32,
}

/// Calls of this node that are to be written.
#[derive(Debug, Default)]
pub(crate) struct Unsaved(Mutex<VecDeque<Kept>>);

impl Unsaved {
    fn calls(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a call to the ledger, or keeps it.
    pub(crate) async fn bill(&self, store: &Store, lease: Lease, row: LedgerRow) {
        let Err(error) = store.save_late_call(&lease, &row).await else { return };
        tracing::error!(run = %lease.run, error = &error as &dyn std::error::Error, "a call could not be written to the ledger; it is kept");
        let mut calls = self.calls();
        calls.push_back(Kept { lease, row, refused: 0 });
        if calls.len() > MOST
            && let Some(oldest) = calls.pop_front()
        {
            oldest.lost();
        }
    }

    /// Writes what is kept, as far as the database takes it. That it is there already does no harm.
    async fn write(&self, store: &Store) {
        let waiting = self.calls().len();
        for _ in 0..waiting {
            let Some(mut kept) = self.calls().front().cloned() else { return };
            let written = store.save_late_call(&kept.lease, &kept.row).await;
            if matches!(written, Err(StoreError::Away(_) | StoreError::Full(_))) {
                return;
            }
            self.calls().retain(|other| other.row.id != kept.row.id);
            match written {
                Ok(()) => tracing::info!(run = %kept.lease.run, "a call that was kept is in the ledger"),
                // With its run, who would pay is gone.
                Err(StoreError::NotFound { .. }) => kept.lost(),
                // It does not hold up the others.
                Err(error) => {
                    let run = kept.lease.run;
                    tracing::warn!(%run, error = &error as &dyn std::error::Error, "a call that was kept is not taken");
                    kept.refused += 1;
                    if kept.refused < REFUSED {
                        self.calls().push_back(kept);
                    } else {
                        kept.lost();
                    }
                }
            }
        }
    }
}

impl Kept {
    fn lost(&self) {
        let Self { lease, row, .. } = self;
        tracing::error!(run = %lease.run, member = %row.member_id, model = row.model, cost_micros = row.cost_micros, "a call is not in the ledger");
    }
}

/// Writes what is kept whenever the database may be back, until the engine stops and its last run has ended.
pub(crate) async fn write_forever(engine: Engine) {
    let unsaved = &engine.0.unsaved;
    let store = &engine.0.team.store;
    while !engine.0.stop.is_cancelled() {
        unsaved.write(store).await;
        tokio::select! {
            () = engine.0.stop.cancelled() => {}
            () = tokio::time::sleep(engine.0.pace.look) => {}
        }
    }
    while !engine.active().is_empty() {
        tokio::time::sleep(ENDING).await;
    }
    unsaved.write(store).await;
    unsaved.calls().iter().for_each(Kept::lost);
}
