//! How an attempt at a run ends, and what is left in order then.

use guildhall_agent::{Ended, JournalError};
use guildhall_git::{GitError, Repo};
use guildhall_store::{Ending, Lease, StoreError};
use guildhall_team::{TeamError, Wish};
use guildhall_types::DateTime;
use guildhall_types::feature::{Move, Problem};
use guildhall_types::run::{Awaits, RunEvent, RunStatus};

use crate::Engine;
use crate::problems::{Trouble, chain, unsaved};
use crate::room;
use crate::worktree::Ground;

/// How an attempt at a run ended.
pub(crate) enum End {
    /// It is to be written down so.
    Written(Box<Ending>),
    /// It rests until auto mode's window opens.
    Rests,
    /// Its work is merged, and that is written down.
    Merged,
    /// It has to wait for its provider for long, or for something else, and goes on by itself.
    Parked { until: DateTime, reason: String, awaits: Option<Awaits>, out_since: Option<DateTime> },
    /// It makes room on this server, and goes on by itself.
    Holds,
    /// It was told to stop: by a member, by the loss of its lease, or because this node stops.
    Told,
}

/// An ending with a problem that a member looks at.
pub(crate) fn failed(problem: Problem) -> Ending {
    Ending { status: RunStatus::Failed, what: Move::Fail, summary: None, problem: Some(problem), later: None }
}

/// The agent's closing words, or how the attempt ends without any.
pub(crate) fn closing(engine: &Engine, ended: Ended) -> Result<String, End> {
    match ended {
        Ended::Done { summary } => Ok(summary),
        Ended::PlanProposed => {
            let ending =
                Ending { status: RunStatus::Waiting, what: Move::Propose, summary: None, problem: None, later: None };
            Err(End::Written(Box::new(ending)))
        }
        // Only a step of the pipeline has the tool for that, and it is answered there.
        Ended::ChangesRequested { what } => Ok(what),
        Ended::Failed(problem) => Err(End::Written(Box::new(failed(problem)))),
        Ended::Parked { until, reason, budget, out_since } => {
            Err(End::Parked { until, reason, awaits: budget.map(Awaits::from), out_since })
        }
        Ended::Cancelled | Ended::Unsaved(JournalError::Lost) => Err(End::Told),
        Ended::Unsaved(JournalError::Rest) => Err(End::Rests),
        Ended::Unsaved(JournalError::Hold) => Err(End::Holds),
        Ended::Unsaved(error) => {
            if let Some(reason) = room::passes(&error).or_else(|| engine.lacks_room()) {
                return Err(put_off(engine, &error, reason));
            }
            let problem = unsaved(&error);
            Err(End::Written(Box::new(failed(problem))))
        }
    }
}

/// Lets a run wait for what passes by itself.
pub(crate) fn put_off(engine: &Engine, error: &(dyn std::error::Error + 'static), reason: &str) -> End {
    tracing::error!(error, "a run cannot go on now; it is tried again");
    let until = engine.0.team.clock.now() + chrono::Duration::from_std(engine.0.pace.rest).unwrap_or_default();
    End::Parked { until, reason: reason.to_owned(), awaits: Some(Awaits::Server), out_since: None }
}

/// Puts the run's branch on the latest state of its work. The snapshot is on a ref of its own, so nothing is lost when a
/// branch that somebody moved stays where it is; that is told.
pub(crate) async fn settle(engine: &Engine, lease: Lease, repo: &Repo, ground: &Ground) {
    let (branch, head) = (&ground.branch, &ground.head);
    let settled = async {
        repo.settle_branch(branch, head).await?;
        engine.give(&lease, repo, Wish::branch(branch, Some(head))).await
    };
    let error = match settled.await {
        Ok(()) => return,
        Err(trouble) if trouble.lost() => return,
        Err(trouble) => trouble,
    };
    tracing::warn!(run = %lease.run, branch, error = &error as &dyn std::error::Error, "a run's branch was not brought up to date");
    let text = match error {
        Trouble::Git(GitError::Moved { .. }) | Trouble::Team(TeamError::Git(GitError::Moved { .. })) => format!(
            "Somebody else moved the branch {branch}, so it stays where it is. The work is whole and can be merged: it is at \
             commit {head}."
        ),
        other => format!(
            "The branch {branch} was not brought up to date: {}. The work is whole, at commit {head}.",
            chain(&other)
        ),
    };
    log_unless_lost(
        lease,
        "a note could not be written",
        engine.0.team.store.append_events(&lease, vec![RunEvent::Note { text }]).await,
    );
}

/// Logs that something about a run was not written. That its lease is lost is no news: whoever has it now writes.
pub(crate) fn log_unless_lost(lease: Lease, what: &str, result: Result<(), StoreError>) {
    match result {
        Ok(()) | Err(StoreError::LeaseLost) => {}
        // The lease runs out, and the run is claimed again.
        Err(error) => tracing::error!(run = %lease.run, error = &error as &dyn std::error::Error, "{what}"),
    }
}
