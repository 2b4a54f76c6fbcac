//! Lets auto mode start cards and claims runs as long as there is a free place, and begins each.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, MutexGuard, PoisonError};

use guildhall_store::{Chosen, Claimed, Ready};
use guildhall_team::TeamError;
use guildhall_types::trace::{self, Key, Side, Span};
use guildhall_types::{FeatureId, RunId};
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::lasting::{AtWork, caught};
use crate::passed::Passed;
use crate::services::Why;
use crate::{Attempt, Engine, drive};

/// Cards that auto mode looks at in one round at most, to find how they would run: meanwhile nothing is claimed.
const LOOKS: usize = 50;

/// Claims whatever may work, now and whenever that changes, until the engine stops.
pub(crate) async fn claim_forever(engine: Engine) {
    loop {
        if !engine.0.stop.is_cancelled()
            && let Err(error) = engine.take_up_merges().await
        {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "work that is to be merged cannot be taken up; trying again"
            );
        }
        if !engine.0.stop.is_cancelled()
            && let Err(error) = engine.start_by_order().await
        {
            tracing::error!(error = &error as &dyn std::error::Error, "auto mode cannot start a card; trying again");
        }
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
            // Windows open and close by the clock, without a commit: they are seen here.
            () = tokio::time::sleep(engine.0.pace.look) => {}
        }
    }
}

impl Engine {
    /// Starts every card of auto mode for which there is a place.
    async fn start_by_order(&self) -> Result<(), TeamError> {
        if !self.begins_work().await {
            return Ok(());
        }
        let limits = self.limits().await?;
        let team = &self.0.team;
        let (lacking, mut pausing) = self.passed_over().still();
        let mut ready: HashMap<FeatureId, Ready> = lacking.into_iter().map(|feature| (feature, Ready::Lacks)).collect();
        let mut looks = 0;
        while !self.0.stop.is_cancelled() {
            if looks == LOOKS {
                // After what is claimed meanwhile.
                self.0.wake.notify_one();
                break;
            }
            match team.store.start_by_order_beside(&limits, &ready, &pausing).await? {
                Chosen::Nothing => return Ok(()),
                Chosen::Started(feature) => {
                    tracing::info!(%feature, "auto mode starts a card");
                    ready.remove(&feature);
                }
                Chosen::Unknown { project, member, feature, stopped } => {
                    looks += 1;
                    let found = match stopped {
                        true => team.may_go_on(member, feature).await.map(|()| Ready::GoesOn),
                        false => team.new_run(member, feature).await.map(Box::new).map(Ready::Begins),
                    };
                    if let Err(error) = &found {
                        tracing::debug!(%feature, error = error as &dyn std::error::Error, "auto mode passes a card over");
                        if self.passed_over().card_of((project, member), feature) {
                            pausing.insert((project, member));
                        }
                    }
                    ready.insert(feature, found.unwrap_or(Ready::Lacks));
                }
            }
        }
        Ok(())
    }

    /// Takes up verified work that is to be merged by itself, where what it is built on was merged since.
    async fn take_up_merges(&self) -> Result<(), TeamError> {
        let team = &self.0.team;
        let lacking: Vec<FeatureId> = self.passed_over().still().0.into_iter().collect();
        for due in team.store.due_merges(&lacking).await? {
            // Verified work is not to fail for want of a key, which it may need where it conflicts: it waits.
            let taken = match team.provider_for(due.member, &due.model).await {
                Ok(_) => team.store.take_up_merge(&due).await.map_err(TeamError::from),
                Err(error) => Err(error),
            };
            match taken {
                Ok(true) => {
                    tracing::info!(feature = %due.feature, "what verified work is built on was merged: it is taken up")
                }
                Ok(false) => {}
                Err(error) => {
                    tracing::debug!(feature = %due.feature, error = &error as &dyn std::error::Error, "verified work is not taken up");
                    self.passed_over().card(due.feature);
                }
            }
        }
        Ok(())
    }

    /// What lacks something, and until when it is not looked at again.
    pub(crate) fn passed_over(&self) -> MutexGuard<'_, Passed> {
        self.0.passed_over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn claim(&self) -> Result<Option<Claimed>, TeamError> {
        if !self.begins_work().await {
            return Ok(None);
        }
        let limits = self.limits().await?;
        // Somebody may have changed them on another node.
        self.0.groups.set(limits).await;
        let at_work: HashSet<RunId> = self.active().keys().copied().collect();
        Ok(self.0.team.store.claim_run_beside(self.0.node, self.0.pace.hold(), &limits, &at_work).await?)
    }

    fn begin(&self, claimed: Claimed) {
        let run = claimed.run.id;
        let cancel = self.0.stop.child_token();
        let attempt = Attempt { number: claimed.lease.attempt, cancel: cancel.clone() };
        if let Some(former) = self.active().insert(run, attempt) {
            // This node lost it and claims it anew, as after a stop longer than its lease.
            former.cancel.cancel();
        }
        self.may_park(run, claimed.run.member_id, &cancel);
        let (lease, engine) = (claimed.lease, self.clone());
        self.spawn(async move {
            let at_work = AtWork { engine: engine.clone(), run, cancel: cancel.clone() };
            // As an error, so that a log that tells of nothing less still says to which run a line belongs.
            let span = tracing::error_span!("run", run = %run, attempt = lease.attempt);
            let driving = async {
                let traced = engine.trace(&claimed).await;
                traced.around(drive::drive(&engine, claimed, &cancel)).await;
            };
            if caught(driving.instrument(span.clone())).await.is_none() {
                engine.give_up(lease).instrument(span).await;
            }
            drop(at_work);
        });
    }

    /// Begins a span for a stretch of a run's work, below the request that made the run, where that is known.
    async fn trace(&self, claimed: &Claimed) -> Span {
        let run = &claimed.run;
        let parent = match trace::is_on() {
            true => self.0.team.store.run_traceparent(run.id).await.ok().flatten(),
            false => None,
        };
        let span = Span::begin_after(parent.as_deref(), Side::Internal, "run", "");
        span.set(Key::Run, run.id);
        span.set(Key::Feature, run.feature_id);
        span.set(Key::Project, run.project_id);
        span.count(Key::Attempt, claimed.lease.attempt);
        span
    }

    /// Waits until no former claim of the run has its hands in the worktree any more.
    pub(crate) async fn ground_turn(&self, run: RunId) -> OwnedMutexGuard<()> {
        let turn = Arc::clone(self.grounds().entry(run).or_default());
        turn.lock_owned().await
    }

    /// The same, where somebody may be there who only looks, or works by hand: they have to leave.
    pub(crate) async fn clear_ground(&self, run: RunId) -> OwnedMutexGuard<()> {
        self.send_away(run, false);
        self.end_services(run, Why::Ground).await;
        self.ground_turn(run).await
    }

    /// The worktree of a run, if nobody works in it now.
    pub(crate) fn free_ground(&self, run: RunId) -> Option<OwnedMutexGuard<()>> {
        let turn = Arc::clone(self.grounds().entry(run).or_default());
        turn.try_lock_owned().ok()
    }

    /// Forgets whose turn it is in a worktree, if it is nobody's and nobody waits for it.
    pub(crate) fn forget_ground(&self, run: RunId) {
        let mut grounds = self.grounds();
        if grounds.get(&run).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            grounds.remove(&run);
        }
    }

    fn grounds(&self) -> MutexGuard<'_, HashMap<RunId, Arc<tokio::sync::Mutex<()>>>> {
        self.0.grounds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run no longer works here. It may have been claimed again already; that claim has a token of its own.
    pub(crate) fn forget(&self, run: RunId, cancel: &CancellationToken) {
        cancel.cancel();
        let mut active = self.active();
        if active.get(&run).is_some_and(|attempt| attempt.cancel.is_cancelled()) {
            active.remove(&run);
            self.forget_parking(run);
            self.forget_ground(run);
        }
    }

    /// Stops a run that works here, which was ended in this attempt. One that was begun since goes on: of what another node did,
    /// this one may hear late.
    pub(crate) fn cancel(&self, run: RunId, attempt: i64) {
        if let Some(at_work) = self.active().get(&run)
            && at_work.number <= attempt
        {
            at_work.cancel.cancel();
        }
    }
}
