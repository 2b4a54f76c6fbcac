//! Hears what the store commits: hands it on to the bus, and acts on what concerns the engine.

use std::sync::Arc;

use guildhall_types::ProjectId;
use guildhall_types::event::Happening;
use guildhall_types::feature::FeatureStatus;
use guildhall_types::project::ProjectStatus;
use guildhall_types::run::RunStatus;

use crate::Engine;

/// Events that are read at once.
const AT_ONCE: i64 = 200;

/// Follows the store's events from number `seen` on, until the engine stops.
pub(crate) async fn listen(engine: Engine, mut seen: i64) {
    let store = &engine.0.team.store;
    let mut commits = store.commits();
    match store.preparing_projects().await {
        Ok(projects) => projects.into_iter().for_each(|project| engine.prepare(project.id)),
        Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "unfinished projects cannot be listed"),
    }
    loop {
        match store.events_after(seen, AT_ONCE).await {
            Ok(events) if !events.is_empty() => {
                for event in events {
                    seen = event.seq;
                    engine.react(&event.what);
                    engine.0.bus.publish(Arc::new(event));
                }
                continue;
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "events cannot be read; trying again");
                tokio::time::sleep(engine.0.pace.look).await;
            }
        }
        tokio::select! {
            () = engine.0.stop.cancelled() => return,
            // A commit of this process shows here at once; those of other nodes, and one that came while the events were
            // read, are found by looking.
            _ = commits.wait_for(|last| *last > seen) => {}
            () = tokio::time::sleep(engine.0.pace.look) => {}
        }
    }
}

impl Engine {
    fn react(&self, what: &Happening) {
        match what {
            Happening::ProjectCreated { project } | Happening::ProjectUpdated { project }
                if project.status == ProjectStatus::Preparing =>
            {
                self.prepare(project.id);
            }
            Happening::RunUpdated { run } => match run.status {
                RunStatus::Queued => self.0.wake.notify_one(),
                RunStatus::Running => {}
                // Whatever ended it, here it must not go on. A run that ended by itself is no longer among the active ones.
                RunStatus::Stopped | RunStatus::Closed => {
                    self.cancel(run.id);
                    if run.status == RunStatus::Closed {
                        self.leave_ground(run.id);
                    }
                    self.0.executions.notify_one();
                }
                RunStatus::Waiting | RunStatus::Failed => {
                    self.0.wake.notify_one();
                    self.0.executions.notify_one();
                }
            },
            Happening::ExecutionUpdated { .. } => self.0.executions.notify_one(),
            Happening::FeatureUpdated { feature } => match feature.card.status {
                FeatureStatus::Completed | FeatureStatus::Backlog => {
                    self.passed_over().remove(&feature.card.id);
                    self.0.untidy.notify_one();
                    self.0.wake.notify_one();
                }
                // Begun anew, perhaps: the worktree of the former run goes.
                FeatureStatus::Queued => self.0.untidy.notify_one(),
                // What depends on it may begin.
                FeatureStatus::Verified => self.0.wake.notify_one(),
                _ => {}
            },
            Happening::FeatureCreated { .. } => self.0.wake.notify_one(),
            Happening::AutoModeUpdated { .. } => {
                // Whoever switches it on has perhaps mended what was missing.
                self.passed_over().clear();
                self.0.wake.notify_one();
            }
            Happening::ProjectDeleted { project_id } => {
                let (engine, project) = (self.clone(), *project_id);
                self.spawn(async move { engine.tidy_cache(project).await });
            }
            Happening::FeatureDeleted { .. } => self.0.untidy.notify_one(),
            _ => {}
        }
    }

    /// Makes a project's repository, unless that is going on.
    fn prepare(&self, project: ProjectId) {
        if !self.preparing().insert(project) {
            return;
        }
        let engine = self.clone();
        self.spawn(async move {
            let made = tokio::select! {
                () = engine.0.stop.cancelled() => None,
                made = engine.0.team.prepare_project(project) => Some(made),
            };
            if let Some(Err(error)) = made {
                tracing::error!(%project, error = &error as &dyn std::error::Error, "a project could not be prepared");
            }
            engine.preparing().remove(&project);
        });
    }
}
