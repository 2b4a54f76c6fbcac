//! Who is about to look into a worktree, and which worktrees are being taken away: the two never meet.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use guildhall_types::{DateTime, RunId};
use tokio_util::sync::CancellationToken;

use crate::Engine;

/// Who stays where.
pub(crate) type Registry = Mutex<Stays>;

#[derive(Debug, Default)]
pub(crate) struct Stays {
    staying: HashMap<RunId, usize>,
    /// Cancelled when the worktree is gone, or stays after all.
    going: HashMap<RunId, CancellationToken>,
}

/// Somebody is about to look into a worktree: it is not taken away until this is dropped.
#[derive(Debug)]
pub(crate) struct Stay {
    engine: Engine,
    run: RunId,
}

impl Drop for Stay {
    fn drop(&mut self) {
        let mut stays = self.engine.stays();
        if let Some(count) = stays.staying.get_mut(&self.run) {
            *count -= 1;
            if *count == 0 {
                stays.staying.remove(&self.run);
            }
        }
    }
}

/// A worktree is being taken away: whoever wants to look into it waits until this is dropped, and then makes it anew.
#[derive(Debug)]
pub(crate) struct Goes {
    engine: Engine,
    run: RunId,
}

impl Drop for Goes {
    fn drop(&mut self) {
        if let Some(over) = self.engine.stays().going.remove(&self.run) {
            over.cancel();
        }
    }
}

impl Engine {
    fn stays(&self) -> MutexGuard<'_, Stays> {
        self.0.stays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a worktree where it is, or waits until it is gone.
    pub(crate) async fn stay(&self, run: RunId) -> Stay {
        loop {
            let over = {
                let mut stays = self.stays();
                match stays.going.get(&run) {
                    Some(over) => over.clone(),
                    None => {
                        *stays.staying.entry(run).or_default() += 1;
                        return Stay { engine: self.clone(), run };
                    }
                }
            };
            over.cancelled().await;
        }
    }

    /// Begins to take a worktree away, unless somebody is about to look into it or is in it.
    pub(crate) fn begin_going(&self, run: RunId) -> Option<Goes> {
        let goes = {
            let mut stays = self.stays();
            if stays.staying.contains_key(&run) || stays.going.contains_key(&run) {
                return None;
            }
            stays.going.insert(run, CancellationToken::new());
            Goes { engine: self.clone(), run }
        };
        // Whoever came before is in one of these by now; whoever comes later waits.
        (!self.is_looked_at(run)).then_some(goes)
    }

    /// Whether a member sits at a terminal in a worktree, or something runs there.
    pub(crate) fn is_looked_at(&self, run: RunId) -> bool {
        self.has_seat(run) || self.runs_service(run)
    }

    /// Notes that a worktree is used now, if it is there.
    pub(crate) async fn note_used(&self, run: RunId) {
        let (folder, now) = (self.0.team.places.run(run), self.0.team.clock.now());
        let written = tokio::task::spawn_blocking(move || match folder.is_dir() {
            true => std::fs::write(file(&folder), format!("{}\n", now.to_rfc3339())),
            false => Ok(()),
        });
        if let Ok(Err(error)) = written.await {
            tracing::warn!(%run, %error, "it could not be noted that a worktree is used");
        }
    }
}

/// When somebody last went into the worktree in this folder who was no agent; nothing when nobody did, or when it cannot be read.
pub(crate) fn used_at(folder: &Path) -> Option<DateTime> {
    let text = std::fs::read_to_string(file(folder)).ok()?;
    text.trim().parse().ok()
}

fn file(folder: &Path) -> PathBuf {
    folder.join("used")
}
