//! What a run waits for that is nobody's fault and passes: room on the disk, a database that answers, a sandbox.

use std::path::{Path, PathBuf};

use guildhall_git::GitError;
use guildhall_sandbox::SandboxError;
use guildhall_store::StoreError;
use guildhall_types::alert::Strain;
use guildhall_types::room::Least;

use crate::Engine;
use crate::problems::Trouble;

const FULL: &str = "The server's disk is full. The run goes on by itself when there is room; this costs no attempt.";
const AWAY: &str = "The database did not answer. The run goes on by itself when it does; this costs no attempt.";
pub(crate) const ELSEWHERE: &str = "Another server has not shared the project's repository yet. The run goes on by itself when it has; this costs no attempt.";

/// A disk is full.
#[derive(Debug, thiserror::Error)]
#[error("the disk that holds {folder} is full")]
pub(crate) struct NoRoom {
    folder: PathBuf,
}

impl NoRoom {
    /// Looks whether there is room for a turn in each of these folders. What cannot be looked at has room.
    pub(crate) fn look(folders: &[&Path]) -> Result<(), Self> {
        for folder in folders {
            if guildhall_git::room(folder).is_ok_and(|room| room.lacks(Least::TURN)) {
                return Err(Self { folder: folder.to_path_buf() });
            }
        }
        Ok(())
    }
}

impl Engine {
    /// Whether there is room for work on this node's disks.
    pub(crate) fn has_room(&self) -> Result<(), NoRoom> {
        let places = &self.0.team.places;
        NoRoom::look(&[&places.worktrees, &places.repositories])
    }

    /// Why a run waits that failed while a disk is full. Git does not always say that it had no room.
    pub(crate) fn lacks_room(&self) -> Option<&'static str> {
        self.has_room().err().map(|_| FULL)
    }

    /// Why a run waits that failed for want of a sandbox, if this node has none, or had none a moment ago.
    pub(crate) async fn lacks_sandbox(&self, trouble: &Trouble) -> Option<&'static str> {
        let lacks = matches!(trouble, Trouble::Sandbox(SandboxError::Unavailable { .. }));
        (lacks && self.fails_to_isolate().await).then(|| Strain::Sandbox.parked())
    }
}

/// Why a run waits, if what went wrong passes by itself.
pub(crate) fn passes(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let full = error.is::<NoRoom>()
            || error.downcast_ref::<GitError>().is_some_and(GitError::is_full)
            || error.downcast_ref::<std::io::Error>().is_some_and(|error| {
                matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
            });
        match error.downcast_ref::<StoreError>() {
            _ if full => return Some(FULL),
            Some(StoreError::Full(_)) => return Some(FULL),
            Some(StoreError::Away(_)) => return Some(AWAY),
            _ => {}
        }
        cause = error.source();
    }
    None
}
