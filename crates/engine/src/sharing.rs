//! Shares with other nodes what this one alone has: a turn's files before the turn is saved, and whole repositories.

use std::error::Error;

use guildhall_agent::JournalError;
use guildhall_git::Oid;
use guildhall_team::{How, TeamError, Wish};

use crate::Engine;
use crate::journal::{RunJournal, refused, unsaved};
use crate::unsaved::Tries;

impl RunJournal {
    /// Lets all nodes have a snapshot, before anybody counts on it.
    pub(crate) async fn share(&self, commit: &Oid) -> Result<(), JournalError> {
        let mut tries = Tries::within(self.patience);
        loop {
            let wish = Wish::run(self.id(), Some(commit));
            let how = How { lease: Some(&self.lease), ..How::default() };
            let done = match self.team.shared.give(self.run.project_id, &self.repo, &[wish], how).await {
                Ok(()) => Ok(()),
                Err(TeamError::Store(error)) => Err(error),
                Err(error) => return Err(unsaved(error)),
            };
            if !tries.go_on(&done).await {
                return done.map_err(refused);
            }
        }
    }
}

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
