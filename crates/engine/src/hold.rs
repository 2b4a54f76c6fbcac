//! A node's hold on a run: renewed for as long as it works, and given back.

use std::time::Duration;

use guildhall_store::{Backend, Lease, StoreError};
use guildhall_types::alert::Strain;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::Engine;
use crate::ending::log_unless_lost;

/// How long a renewal may take where no other process can have the run.
const ALONE: Duration = Duration::from_secs(24 * 3600);

/// Renews a lease for ever. When it is lost, or cannot be renewed in time, the run is cancelled: its tools must have
/// stopped before another node takes over. No answer within that time is none: a connection may be cut without a word.
pub(crate) async fn hold(engine: &Engine, lease: Lease, cancel: &CancellationToken) {
    let pace = engine.0.pace;
    let most = pace.lease * 2 / 3;
    let mut renewed = Instant::now();
    let mut pause = pace.lease / 3;
    loop {
        tokio::time::sleep(pause).await;
        pause = pace.lease / 3;
        let asked = Instant::now();
        let renewing = engine.0.team.store.renew_lease(&lease, pace.hold());
        let in_time = match engine.0.team.store.backend() {
            // The file is this process's alone: nobody takes the run over meanwhile.
            Backend::Sqlite => asked + ALONE,
            // One line may be dead, and the next alive: so it is asked more than once.
            Backend::Postgres => (asked + pace.lease / 4).min(renewed + most).max(asked + pace.lease / 6),
        };
        match timeout_at(in_time, renewing).await {
            Ok(Ok(())) => {
                renewed = asked;
                continue;
            }
            Ok(Err(StoreError::LeaseLost)) => break,
            Ok(Err(error)) => {
                tracing::warn!(run = %lease.run, error = &error as &dyn std::error::Error, "a lease could not be renewed");
            }
            Err(_) => {
                tracing::warn!(run = %lease.run, "the database did not say in time whether a lease is renewed");
            }
        }
        if renewed.elapsed() > most {
            break;
        }
        pause = pace.lease / 30;
    }
    cancel.cancel();
    std::future::pending().await
}

/// Lets a run wait until this server, or another one, has room for it.
pub(crate) async fn hold_back(engine: &Engine, lease: Lease) {
    // What it was short of may be over: then it goes on at once.
    let why = engine.parked_for(lease.run).unwrap_or(Strain::Memory).parked();
    tracing::info!(run = %lease.run, why, "a run makes room");
    log_unless_lost(lease, "a run could not make room", engine.0.team.store.hold_run(&lease, why).await);
}
