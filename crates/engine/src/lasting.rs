//! What a panic in the engine comes to. It is a mistake of Guildhall's own; it costs the task or the run that met it, never
//! the night: a task that is to last begins anew, a run is let go of and tells why.

use std::time::Duration;

use guildhall_store::Lease;
pub(crate) use guildhall_team::caught;
use guildhall_types::feature::Problem;
use guildhall_types::{RunId, boundary};
use tokio_util::sync::CancellationToken;

use crate::Engine;
use crate::ending::{failed, log_unless_lost};
use crate::services::Why;

/// What a member is told of it.
pub(crate) const MISTAKE: &str = "Guildhall itself made a mistake";

/// Keeps a task at work that is to end when `stop` is cancelled and not before: if it panics, it begins anew after a pause.
/// The process goes on. Its end would cost every run the turn that it is in the middle of, for the sake of one task.
pub async fn last<F: Future<Output = ()>>(
    what: &'static str,
    pause: Duration,
    stop: CancellationToken,
    task: impl Fn() -> F,
) {
    while caught(task()).await.is_none() {
        tracing::error!(task = what, "a task that is to last panicked; it begins anew");
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

impl Engine {
    /// Keeps a task at work for as long as the engine is.
    pub(crate) fn last<F>(&self, what: &'static str, task: impl Fn(Self) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let engine = self.clone();
        let (pause, stop) = (self.0.pace.look, self.0.stop.clone());
        self.spawn(last(what, pause, stop, move || task(engine.clone())));
    }

    /// A run whose work here panicked ends: what panics once mostly does so again, and each try would be paid for.
    pub(crate) async fn give_up(&self, lease: Lease) {
        boundary!("run.panicked");
        tracing::error!(run = %lease.run, "the work on a run panicked");
        self.end_services(lease.run, Why::Attempt).await;
        self.ended("failed");
        let problem = Problem {
            code: "internal".to_owned(),
            message: format!("{MISTAKE} while it worked on this card."),
            hint: "Retry: it goes on from the last saved turn. If it stays, tell whoever runs this server: the log says more."
                .to_owned(),
        };
        let written = self.0.team.store.finish_run(&lease, failed(problem)).await.map(drop);
        log_unless_lost(lease, "the end of a run that panicked could not be written", written);
    }
}

/// A run's stay among those at work here. Whatever ends the task that drives it, the run is not taken for one at work for ever:
/// such a run is never claimed again here.
pub(crate) struct AtWork {
    pub(crate) engine: Engine,
    pub(crate) run: RunId,
    pub(crate) cancel: CancellationToken,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.engine.forget(self.run, &self.cancel);
        self.engine.0.bus.ended(self.run);
        // A place is free.
        self.engine.0.wake.notify_one();
    }
}
