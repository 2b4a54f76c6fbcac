//! The agent of a chat or of a task.

use guildhall_agent::{Ended, JournalError};
use guildhall_git::Repo;
use guildhall_sandbox::Room;
use guildhall_store::{Claimed, Ending};
use guildhall_types::feature::{Move, WorkMode};
use guildhall_types::run::{RunIntent, RunStatus};
use tokio_util::sync::CancellationToken;

use super::agent;
use crate::Engine;
use crate::checks::Verdict;
use crate::ending::{End, closing, failed, settle};
use crate::problems::Trouble;
use crate::worktree::Ground;

/// Lets it work: nothing follows but what somebody says next.
pub(super) async fn drive(
    engine: &Engine,
    claimed: &Claimed,
    repo: &Repo,
    mut ground: Ground,
    room: Room,
    cancel: &CancellationToken,
) -> Result<End, Trouble> {
    let store = &engine.0.team.store;
    let mut claimed = claimed.clone();
    // Once more each time that a member let the agent do something else to the files.
    loop {
        let room = Room { frozen: claimed.feature.card.mode == WorkMode::Read, ..room.clone() };
        match engine.set_up(&claimed, &ground, &room, cancel).await? {
            Verdict::Passed => {}
            Verdict::Told => return Ok(End::Told),
            Verdict::Failed(failing) => return Ok(End::Written(Box::new(failed(failing.problem)))),
        }
        let mut summary = None;
        if claimed.run.intent == RunIntent::Work {
            let (ended, reached) = agent(engine, &claimed, repo, ground.clone(), &room, cancel).await?;
            ground.head = reached;
            settle(engine, claimed.lease, repo, &ground).await;
            if let Ended::Unsaved(JournalError::Interrupted) = ended {
                store.forget_services(&claimed.lease, true).await?;
                if let Some(now) = store.feature(claimed.feature.card.id).await? {
                    claimed.feature = now;
                }
                continue;
            }
            summary = match closing(engine, ended) {
                Ok(summary) => Some(summary),
                Err(end) => return Ok(end),
            };
        }
        let ending = Ending { status: RunStatus::Waiting, what: Move::Finish, summary, problem: None, later: None };
        return Ok(End::Written(Box::new(ending)));
    }
}
