//! Hears what the store commits: hands it on to the bus, and acts on what concerns the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use guildhall_team::TeamError;
use guildhall_types::event::Happening;
use guildhall_types::feature::FeatureStatus;
use guildhall_types::project::ProjectStatus;
use guildhall_types::run::RunStatus;
use guildhall_types::{ProjectId, RunId};

use crate::Engine;
use crate::lasting::{MISTAKE, caught};

/// Events that are read at once.
const AT_ONCE: i64 = 200;

/// Follows the store's events from number `seen` on, until the engine stops. `seen` outlives it, so that whoever begins anew
/// after it neither repeats an event nor meets once more the one by which it ended.
pub(crate) async fn listen(engine: Engine, seen: Arc<AtomicI64>) {
    let store = &engine.0.team.store;
    let mut commits = store.commits();
    let mut elsewhere = engine.0.bus.committed();
    match store.preparing_projects().await {
        Ok(projects) => projects.into_iter().for_each(|project| engine.prepare(project.id)),
        Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "unfinished projects cannot be listed"),
    }
    loop {
        let last = seen.load(Ordering::Relaxed);
        // What is hinted at from now on may not be among what is read now.
        elsewhere.mark_unchanged();
        match store.events_after(last, AT_ONCE).await {
            Ok(events) if !events.is_empty() => {
                for event in events {
                    seen.store(event.seq, Ordering::Relaxed);
                    let event = Arc::new(event);
                    engine.0.bus.publish(Arc::clone(&event));
                    engine.react(&event.what);
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
            // A commit of this process shows here at once, one of another node when the bus hints at it; what neither shows,
            // and one that came while the events were read, is found by looking.
            _ = commits.wait_for(|latest| *latest > last) => {}
            Ok(()) = elsewhere.changed() => {}
            () = tokio::time::sleep(engine.0.pace.look) => {}
        }
    }
}

impl Engine {
    /// Work was taken as it is, perhaps by another node, which sees nobody who works by hand here: they leave now.
    fn taken_as_it_is(&self, run: Option<RunId>) {
        if let Some(run) = run.filter(|_| self.0.team.shared.is_on()) {
            self.send_away(run, false);
        }
    }

    fn react(&self, what: &Happening) {
        match what {
            Happening::ProjectCreated { project } | Happening::ProjectUpdated { project }
                if project.status == ProjectStatus::Preparing =>
            {
                self.prepare(project.id);
            }
            Happening::RunUpdated { run } => match run.status {
                RunStatus::Queued => {
                    self.0.wake.notify_one();
                    // A step of which it is rests, and its time with it.
                    self.0.executions.notify_one();
                }
                RunStatus::Running => {
                    // At another node: whoever works by hand here leaves, as they would if it were this one.
                    if self.0.team.shared.is_on() && !self.active().contains_key(&run.id) {
                        self.send_away(run.id, false);
                    }
                }
                // Whatever ended it, here it must not go on. A run that ended by itself is no longer among the active ones.
                RunStatus::Stopped | RunStatus::Closed => {
                    self.cancel(run.id, run.attempt);
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
                    self.taken_as_it_is(feature.card.run_id);
                    self.passed_over().forget(feature.card.id);
                    self.0.untidy.notify_one();
                    self.0.wake.notify_one();
                }
                // Begun anew, perhaps: the worktree of the former run goes.
                FeatureStatus::Queued => self.0.untidy.notify_one(),
                // What depends on it may begin.
                FeatureStatus::Verified => {
                    self.taken_as_it_is(feature.card.run_id);
                    self.0.wake.notify_one();
                }
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
            // What runs for a member beside runs: who disables them, or takes their right, ends the runs.
            Happening::MemberUpdated { member } if !member.may_run() => {
                self.dismiss_services(member.id);
                self.dismiss_trials(member.id);
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
            let team = &engine.0.team;
            let prepared = async {
                match caught(team.prepare_project(project)).await {
                    Some(made) => made.map(drop),
                    None => {
                        Ok(team.store.project_failed(project, &format!("{MISTAKE}. Try again.")).await.map(drop)?)
                    }
                }
            };
            let made: Result<(), TeamError> = tokio::select! {
                () = engine.0.stop.cancelled() => Ok(()),
                made = prepared => made,
            };
            engine.preparing().remove(&project);
            match made {
                // Somebody who was told that it failed may have asked for it again before that was forgotten here.
                Ok(()) if !engine.0.stop.is_cancelled() => {
                    let now = team.store.project(project).await.ok().flatten();
                    if now.is_some_and(|project| project.status == ProjectStatus::Preparing) {
                        engine.prepare(project);
                    }
                }
                Ok(()) => {}
                Err(TeamError::NotFound { .. }) => {}
                // That it failed could not be noted, either: the database is away.
                Err(error) => {
                    tracing::error!(%project, error = &error as &dyn std::error::Error, "a project could not be prepared; trying again");
                    tokio::select! {
                        () = engine.0.stop.cancelled() => {}
                        () = tokio::time::sleep(engine.0.pace.rest) => engine.prepare(project),
                    }
                }
            }
        });
    }
}
