//! Sets a worktree up by the project's own commands, once, before its agent begins: dependencies, generated files, a database.
//!
//! What was run is written beside the worktree, where no agent can write. The commands run again in a worktree that was made
//! anew or brought back to an earlier state, and when they or the toolchains have changed: then also before a member's service.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use guildhall_git::GitError;
use guildhall_sandbox::{Command, Exit, Room};
use guildhall_store::Claimed;
use guildhall_types::RunId;
use guildhall_types::project::ProjectSettings;
use guildhall_types::run::CheckKind;
use guildhall_types::secret::SecretUse;
use tokio_util::sync::CancellationToken;

use crate::Engine;
use crate::checks::{Commands, OUTPUT, Verdict};
use crate::problems::{Trouble, chain};
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
        let Some(due) = self.set_up_due(&claimed.project.settings, claimed.run.id, room) else {
            return Ok(Verdict::Passed);
        };
        let (lines, time) = (due.lines.as_slice(), due.time);
        let commands = Commands { kind: CheckKind::SetUp, lines, time, commit: &ground.head };
        // What it writes is there for the agent.
        let verdict = self.check(claimed.lease, room, &commands, None, cancel).await?;
        if matches!(verdict, Verdict::Passed) {
            due.done()?;
        }
        Ok(verdict)
    }

    /// How the worktree of a run is still to be set up; nothing where it is, or where files only can be read.
    pub(crate) fn set_up_due(&self, settings: &ProjectSettings, run: RunId, room: &Room) -> Option<Due> {
        if settings.set_up.is_empty() || room.frozen {
            return None;
        }
        let (lines, time, folder) = (settings.set_up.clone(), settings.set_up_time(), self.0.team.places.run(run));
        Some(Due { mark: mark(&lines, room), lines, time, folder }).filter(Due::stands)
    }

    /// Sets up the worktree of a run that waits, for a member who looks at the work: as far as it goes, since they may look
    /// for what is wrong with it. What there is to be read of it is told to `show`.
    pub(crate) async fn set_up_to_look(
        &self,
        run: RunId,
        due: &Due,
        room: &Room,
        stop: &CancellationToken,
        show: &mut (dyn FnMut(&str) + Send),
    ) {
        let turns = Arc::clone(self.set_ups().entry(run).or_default());
        let turn = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            turn = turns.lock_owned() => Some(turn),
        };
        let room = room.given(SecretUse::SetUp);
        let all = async {
            if turn.is_none() {
                return false;
            }
            // Somebody else may have done it meanwhile.
            if !due.stands() {
                return true;
            }
            for line in &due.lines {
                show(&format!("[Set-up: {line}]\n"));
                let command = Command { line: line.clone(), timeout: due.time, max_output: OUTPUT };
                let outcome = tokio::select! {
                    biased;
                    () = stop.cancelled() => return false,
                    outcome = self.0.sandbox.run(&room, &command, show) => outcome,
                };
                let how = match outcome.map(|outcome| outcome.exit) {
                    Ok(Exit::Code(0)) => continue,
                    Ok(Exit::Code(code)) => format!("ended with exit code {code}"),
                    Ok(Exit::Signal(signal)) => format!("was ended by signal {signal}"),
                    Ok(Exit::TimedOut) => format!("was ended after {} minutes", due.time.as_secs() / 60),
                    Err(error) => format!("could not be run: {}", chain(&error)),
                };
                show(&format!("[It {how}. The worktree is not set up.]\n"));
                return false;
            }
            true
        };
        if all.await
            && let Err(error) = due.done()
        {
            // It is set up once more than needed.
            tracing::warn!(%run, error = &error as &dyn std::error::Error, "that a worktree is set up was not noted");
        }
        drop(turn);
        self.set_ups().retain(|_, turns| Arc::strong_count(turns) > 1);
    }

    fn set_ups(&self) -> MutexGuard<'_, Turns> {
        self.0.set_ups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose turn it is to set up a worktree for somebody who looks.
pub(crate) type Turns = HashMap<RunId, Arc<tokio::sync::Mutex<()>>>;

/// How a worktree is to be set up.
pub(crate) struct Due {
    pub(crate) lines: Vec<String>,
    time: Duration,
    folder: PathBuf,
    mark: String,
}

impl Due {
    fn stands(&self) -> bool {
        !std::fs::read_to_string(file(&self.folder)).is_ok_and(|found| found == self.mark)
    }

    fn done(&self) -> Result<(), GitError> {
        write(&self.folder, &self.mark)
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
