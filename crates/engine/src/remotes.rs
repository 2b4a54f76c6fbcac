//! Projects' other repositories, brought up to date with.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use guildhall_store::DueRemote;
use guildhall_types::ProjectId;

use crate::Engine;
use crate::lasting::caught;

/// Looks after those that the server follows, or pushes to, by itself.
pub(crate) async fn sync_forever(engine: Engine) {
    let in_hand = InHand::default();
    loop {
        tokio::select! {
            () = engine.0.stop.cancelled() => return,
            () = tokio::time::sleep(engine.0.pace.remotes) => {}
        }
        let listed = tokio::select! {
            () = engine.0.stop.cancelled() => return,
            listed = engine.0.team.store.remotes_by_themselves() => listed,
        };
        match listed {
            // None that takes long holds up others: neither of this round, nor of those to come.
            Ok(all) => all.into_iter().for_each(|due| engine.sync_remote(due, &in_hand)),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "no other repository was looked at; trying again");
            }
        }
    }
}

impl Engine {
    /// Looks after one, unless that is going on.
    fn sync_remote(&self, due: DueRemote, in_hand: &InHand) {
        let project = due.project_id;
        let Some(place) = in_hand.take(project) else { return };
        let engine = self.clone();
        self.spawn(async move {
            let _place = place;
            let look = engine.0.team.sync_due(&due, engine.0.stop.cancelled());
            if let Some(Err(error)) = caught(look).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(%project, error, "a project's other repository could not be looked at");
            }
        });
    }
}

/// The projects whose other repository is being looked at here.
#[derive(Clone, Default)]
struct InHand(Arc<Mutex<HashSet<ProjectId>>>);

impl InHand {
    fn take(&self, project: ProjectId) -> Option<Place> {
        self.projects().insert(project).then(|| Place { all: self.clone(), project })
    }

    fn projects(&self) -> MutexGuard<'_, HashSet<ProjectId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them, until it is dropped.
struct Place {
    all: InHand,
    project: ProjectId,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.projects().remove(&self.project);
    }
}
