//! Shares with other nodes what this one alone has.

use std::error::Error;

use crate::Engine;

/// Puts into the database each repository that is here and is not there yet, and looks again from time to time: what could not be
/// done now is done later.
pub(crate) async fn share_forever(engine: Engine) {
    let team = &engine.0.team;
    while !engine.0.stop.is_cancelled() {
        if team.shared.is_on() {
            tokio::select! {
                () = engine.0.stop.cancelled() => return,
                () = share(&engine) => {}
            }
        }
        tokio::select! {
            () = engine.0.stop.cancelled() => return,
            () = tokio::time::sleep(engine.0.pace.remotes) => {}
        }
    }
}

async fn share(engine: &Engine) {
    let team = &engine.0.team;
    let all = match team.store.unshared_projects().await {
        Ok(all) => all,
        Err(error) => {
            tracing::error!(error = &error as &dyn Error, "no repository could be shared; trying again");
            return;
        }
    };
    for project in all {
        if let Err(error) = team.shared.share(project).await {
            tracing::error!(%project, error = &error as &dyn Error, "a repository could not be shared; trying again");
        }
    }
}
