//! What the disks have on which repositories and worktrees are.

use std::io;
use std::path::Path;
use std::time::Duration;

use guildhall_types::room::{Counted, Least, Room};

use crate::worktree::blocking;
use crate::{GitError, Repo};

/// How often it is looked at what something that comes leaves of the disk.
const LOOK: Duration = Duration::from_secs(1);

/// What there is in the file system that holds what is at `path`. Blocks, briefly.
///
/// # Errors
/// When it cannot be looked at.
pub fn room(path: &Path) -> io::Result<Room> {
    let found = rustix::fs::statvfs(path)?;
    let blocks = Counted { all: found.f_blocks, free: found.f_bfree, usable: found.f_bavail };
    let files = Counted { all: found.f_files, free: found.f_ffree, usable: found.f_favail };
    Ok(Room::of(blocks, found.f_frsize, files))
}

impl Repo {
    /// Whether something large may come: others find room beside it.
    pub(crate) async fn has_room(&self) -> Result<(), GitError> {
        let at = self.path().to_owned();
        let room = blocking(move || room(&at).map_err(GitError::file(at, "looked at"))).await?;
        if room.lacks(Least::BESIDE_A_CLONE) { Err(GitError::NoRoom) } else { Ok(()) }
    }

    /// Ends when what comes leaves others no room.
    pub(crate) async fn runs_out_of_room(&self) -> GitError {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Err(error) = self.has_room().await {
                return error;
            }
        }
    }
}
