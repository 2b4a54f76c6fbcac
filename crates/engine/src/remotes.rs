//! Projects' other repositories, brought up to date with.

use crate::Engine;

/// Looks after those that the server follows, or pushes to, by itself.
pub(crate) async fn sync_forever(engine: Engine) {
    loop {
        tokio::select! {
            () = engine.0.stop.cancelled() => return,
            () = tokio::time::sleep(engine.0.pace.remotes) => {}
        }
        let done = tokio::select! {
            () = engine.0.stop.cancelled() => return,
            done = engine.0.team.sync_remotes() => done,
        };
        if let Err(error) = done {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "no other repository was looked at; trying again"
            );
        }
    }
}
