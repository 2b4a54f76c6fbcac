//! Keeps a server tidy: what nobody needs goes from its disk and from the database, after it was on a ref if it is work.
//!
//! Worktrees are looked at whenever one may have become too much; the rest, with all that has to be measured, every half hour,
//! one thing at a time.

mod broom;
mod look;
mod orphans;
mod records;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use broom::author;
pub use broom::{Broom, Swept};
use guildhall_team::{Team, TeamError};
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::tidy::{DiskReport, Tidiness, TidyFault};
use guildhall_types::trace::{Side, Span};
use guildhall_types::{DateTime, RunId};
pub use orphans::Removed;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::Engine;

/// How old a measurement is that is shown without a new one being begun.
const FRESH: chrono::Duration = chrono::Duration::minutes(2);

/// How the clean-up of this node goes.
#[derive(Debug, Default)]
pub(crate) struct Tidying {
    state: Mutex<State>,
    /// Somebody asked for a clean-up, or the disk is full, rather than what uses the disk.
    asked: AtomicBool,
    /// Somebody asked for either.
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    report: Option<Arc<DiskReport>>,
    measuring: bool,
    running_since: Option<DateTime>,
    last_good_at: Option<DateTime>,
    last_fault: Option<TidyFault>,
    /// When the first began of those that went wrong since the last good one.
    faulty_since: Option<DateTime>,
    /// Worktrees that stay, because what they hold could not be put on a ref.
    unsaved: HashMap<RunId, Unsaved>,
    /// What the log was told of these.
    stays: Vec<String>,
}

/// Why what a worktree holds could not be put on a ref.
#[derive(Debug)]
struct Unsaved {
    why: String,
    /// When that was last tried.
    tried_at: DateTime,
}

impl State {
    /// What a worktree holds was put on a ref, or could not be.
    fn tried(&mut self, run: RunId, why_not: Option<String>, at: DateTime) {
        match why_not {
            Some(why) => self.unsaved.insert(run, Unsaved { why, tried_at: at }),
            None => self.unsaved.remove(&run),
        };
    }

    /// Forgets what a clean-up that began then did not come upon: it is gone, or in use again.
    fn forget_unsaved(&mut self, began: DateTime) {
        self.unsaved.retain(|_, one| one.tried_at >= began);
    }
}

impl Tidying {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has everything tidied up as soon as possible.
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }

    /// Says in the log what stays, unless that was said since the last clean-up that looked at all, or by it.
    fn tell_stays(&self, stays: Vec<String>, all: bool) {
        let mut state = self.state();
        for new in stays.iter().filter(|one| !state.stays.contains(one)) {
            tracing::warn!(stays = new, "what a worktree holds cannot be put on a ref, so that it is not tidied away");
        }
        match all {
            true => state.stays = stays,
            false => state.stays.extend(stays),
        }
    }
}

/// Tidies up now and whenever there may be something, until the engine stops.
pub(crate) async fn tidy_forever(engine: Engine) {
    let broom = Broom::of(&engine);
    let mut swept: Option<Instant> = None;
    let mut only_looks = false;
    loop {
        let tidying = &engine.0.tidying;
        let whole =
            tidying.asked.swap(false, Ordering::SeqCst) || swept.is_none_or(|at| at.elapsed() >= engine.0.pace.tidy);
        let work = async {
            if whole {
                Span::begin(Side::Internal, "job tidy", "").around(engine.sweep(&broom, swept.is_some())).await;
            } else if only_looks {
                engine.measure(&broom).await;
            } else {
                let Swept { stays, faults, .. } = broom.sweep_worktrees(false).await;
                engine.0.tidying.tell_stays(stays, false);
                for fault in faults {
                    tracing::warn!(fault, "a worktree could not be tidied away");
                }
            }
        };
        // What is cut off is found half done by the next one, as after the death of a server.
        tokio::select! {
            () = engine.0.stop.cancelled() => return,
            () = work => {}
        }
        if whole {
            swept = Some(Instant::now());
        }
        only_looks = tokio::select! {
            () = engine.0.stop.cancelled() => return,
            () = engine.0.untidy.notified() => false,
            () = tidying.wake.notified() => true,
            () = tokio::time::sleep(engine.0.pace.tidy) => false,
        };
    }
}

impl Engine {
    /// The runs whose worktrees are on this node's disk.
    pub(crate) async fn worktrees_on_disk(&self) -> Vec<RunId> {
        let all = look::names(&self.0.team.places.worktrees).await.unwrap_or_default();
        all.iter().filter_map(|name| name.parse().ok()).collect()
    }

    /// How the clean-up of this node goes: since when it is stuck, among other things.
    pub fn tidiness(&self) -> Tidiness {
        let state = self.0.tidying.state();
        // It begins again after this; whatever takes twice as long does not end.
        let long = chrono::Duration::from_std(self.0.pace.tidy * 2).unwrap_or(chrono::Duration::MAX);
        let endless = state.running_since.filter(|since| self.0.team.clock.now() - *since > long);
        Tidiness {
            running_since: state.running_since,
            last_good_at: state.last_good_at,
            last_fault: state.last_fault.clone(),
            stuck_since: state.faulty_since.or(endless),
        }
    }

    /// What uses this node's disk, as it was measured last, and whether it is being measured. A new measurement is begun when
    /// that was a while ago.
    pub fn disk_report(&self) -> (Option<Arc<DiskReport>>, bool) {
        let now = self.0.team.clock.now();
        let mut state = self.0.tidying.state();
        let fresh = state.report.as_ref().is_some_and(|report| now - report.at < FRESH);
        if !fresh && !state.measuring {
            state.measuring = true;
            self.0.tidying.wake.notify_one();
        }
        (state.report.clone(), state.measuring)
    }

    /// Tidies up as soon as possible, rather than at the next half hour. The audit tells that it was whoever `by` acts for.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn tidy_now(&self, by: &Team) -> Result<(), TeamError> {
        by.store.audit(Note::new(AuditAction::Tidy).on(AuditObject::Disk, self.0.node)).await?;
        self.0.tidying.state().measuring = true;
        self.0.tidying.ask();
        Ok(())
    }

    /// Removes what nothing in the database belongs to, named as the report names it. Returns what went
    /// and what did not.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a name that is none of these, or of something that is too young: nothing went then.
    pub async fn remove_orphans(&self, by: &Team, paths: &[String]) -> Result<Removed, TeamError> {
        let removed = Broom::of(self).remove_orphans(by, paths).await?;
        self.0.tidying.state().measuring = true;
        self.0.tidying.wake.notify_one();
        Ok(removed)
    }

    /// Tidies everything up once. With `pack`, repositories are packed as well: not as the first thing that a server does.
    async fn sweep(&self, broom: &Broom, pack: bool) {
        let began = self.0.team.clock.now();
        {
            let mut state = self.0.tidying.state();
            state.running_since = Some(began);
        }
        let swept = broom.sweep(pack).await;
        self.0.tidying.tell_stays(swept.stays, true);
        for fault in &swept.faults {
            tracing::warn!(fault, "something could not be tidied up");
        }
        let now = self.0.team.clock.now();
        {
            let mut state = self.0.tidying.state();
            state.running_since = None;
            state.forget_unsaved(began);
            match swept.faults.first() {
                None => (state.last_good_at, state.faulty_since) = (Some(now), None),
                Some(fault) => {
                    let more = swept.faults.len() - 1;
                    let message = match more {
                        0 => fault.clone(),
                        _ => format!("{fault} (and {more} more; the log has them all)"),
                    };
                    state.last_fault = Some(TidyFault { at: now, message });
                    state.faulty_since.get_or_insert(began);
                }
            }
        }
        self.measure(broom).await;
    }

    async fn measure(&self, broom: &Broom) {
        self.0.tidying.state().measuring = true;
        let report = broom.report().await;
        let mut state = self.0.tidying.state();
        state.measuring = false;
        match report {
            Ok(report) => state.report = Some(Arc::new(report)),
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "the disk could not be measured"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever gives one up while a clean-up is at work finds it: it is not clean before it was tried again.
    #[test]
    fn what_could_not_be_saved_is_known_until_it_was_tried_again() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let [first, second, third] = [RunId::new(), RunId::new(), RunId::new()];
        let mut state = State::default();
        for run in [first, second, third] {
            state.tried(run, Some("no room".to_owned()), at(10));
        }
        state.tried(first, Some("still no room".to_owned()), at(21));
        state.tried(second, None, at(22));
        assert_eq!(state.unsaved.len(), 2);
        state.forget_unsaved(at(20));
        assert_eq!(state.unsaved.keys().collect::<Vec<_>>(), [&first], "nobody came upon the third");
        assert_eq!(state.unsaved[&first].why, "still no room");
    }
}
