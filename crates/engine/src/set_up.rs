//! Sets a worktree up by the project's own commands, once, before its agent begins: dependencies, generated files, a database.
//!
//! What was run is written beside the worktree, where no agent can write. The commands run again in a worktree that was made
//! anew or brought back to an earlier state, and when they or the toolchains have changed.

use std::path::{Path, PathBuf};

use guildhall_git::GitError;
use guildhall_sandbox::Room;
use guildhall_store::Claimed;
use guildhall_types::run::CheckKind;
use tokio_util::sync::CancellationToken;

use crate::Engine;
use crate::checks::Verdict;
use crate::problems::Trouble;
use crate::worktree::Ground;

impl Engine {
    /// Sets the run's worktree up, if that is still to be done. Where files only can be read, nothing is set up.
    pub(crate) async fn set_up(
        &self,
        claimed: &Claimed,
        ground: &Ground,
        room: &Room,
        cancel: &CancellationToken,
    ) -> Result<Verdict, Trouble> {
        let settings = &claimed.project.settings;
        if settings.set_up.is_empty() || room.frozen {
            return Ok(Verdict::Passed);
        }
        let folder = self.0.team.places.run(claimed.run.id);
        let wanted = mark(&settings.set_up, room);
        if std::fs::read_to_string(file(&folder)).is_ok_and(|found| found == wanted) {
            return Ok(Verdict::Passed);
        }
        let (kind, time) = (CheckKind::SetUp, settings.set_up_time());
        let verdict = self.check(claimed.lease, room, (kind, &settings.set_up), time, &ground.head, cancel).await?;
        if matches!(verdict, Verdict::Passed) {
            write(&folder, &wanted)?;
        }
        Ok(verdict)
    }
}

/// The worktree in this folder is not set up any more.
pub(crate) fn forget(folder: &Path) -> Result<(), GitError> {
    match std::fs::remove_file(file(folder)) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(GitError::File { path: file(folder), deed: "removed", source })
        }
        _ => Ok(()),
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("set-up")
}

/// What the commands are, and what they find.
fn mark(lines: &[String], room: &Room) -> String {
    let found = room.path.iter().chain(&room.read_only).map(|folder| folder.display().to_string());
    let all: Vec<String> = lines.iter().cloned().chain(found).collect();
    format!("{all:?}\n")
}

fn write(folder: &Path, text: &str) -> Result<(), GitError> {
    let (file, half) = (file(folder), folder.join("set-up.half"));
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| GitError::File { path, deed: "written", source }
    };
    std::fs::write(&half, text).map_err(failed(&half))?;
    std::fs::rename(&half, &file).map_err(failed(&file))
}
