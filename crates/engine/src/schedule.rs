//! Claims runs as long as there is a free place, and starts each.

use guildhall_store::Claimed;
use guildhall_team::TeamError;
use guildhall_types::RunId;
use tokio_util::sync::CancellationToken;

use crate::{Engine, drive};

/// Claims whatever may work, now and whenever that changes, until the engine stops.
pub(crate) async fn claim_forever(engine: Engine) {
    loop {
        while !engine.0.stop.is_cancelled() {
            match engine.claim().await {
                Ok(Some(claimed)) => engine.begin(claimed),
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "no run can be claimed; trying again");
                    break;
                }
            }
        }
        tokio::select! {
            () = engine.0.stop.cancelled() => return,
            () = engine.0.wake.notified() => {}
            () = tokio::time::sleep(engine.0.pace.look) => {}
        }
    }
}

impl Engine {
    async fn claim(&self) -> Result<Option<Claimed>, TeamError> {
        let limits = self.limits().await?;
        Ok(self.0.team.store.claim_run(self.0.node, self.0.pace.hold(), &limits).await?)
    }

    fn begin(&self, claimed: Claimed) {
        let run = claimed.run.id;
        let cancel = self.0.stop.child_token();
        self.active().insert(run, cancel.clone());
        let engine = self.clone();
        self.spawn(async move {
            drive::drive(&engine, claimed, &cancel).await;
            engine.forget(run, &cancel);
            engine.0.bus.ended(run);
            // A place is free.
            engine.0.wake.notify_one();
        });
    }

    /// The run no longer works here. It may have been claimed again already; that claim has a token of its own.
    fn forget(&self, run: RunId, cancel: &CancellationToken) {
        cancel.cancel();
        let mut active = self.active();
        if active.get(&run).is_some_and(CancellationToken::is_cancelled) {
            active.remove(&run);
        }
    }

    /// Stops a run that works here.
    pub(crate) fn cancel(&self, run: RunId) {
        if let Some(token) = self.active().get(&run) {
            token.cancel();
        }
    }
}
