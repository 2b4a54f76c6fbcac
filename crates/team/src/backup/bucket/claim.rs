//! One at a time in a bucket, without anything that only some stores can do.
//!
//! Who wants the place puts an object of its own beside the backups and then lists all such objects. If another one is there that was
//! put or put again not long ago, it takes its own away. Lists show what was put at once, so of two that come together at least
//! one sees the other: never do both go on. How old an object is, the store's own clock says. Who has the place puts its object
//! again now and then; one whose process died is forgotten after a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use guildhall_types::BackupId;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::{Bucket, Trouble};
use crate::backup::BackupError;

/// Below this name stand the claims.
const CLAIMS: &str = "backup.lock";
/// How often a claim is put again.
const BEAT: Duration = Duration::from_secs(2 * 60);
/// After so long without that the one who holds it does nothing more. The rest until others forget it is for what is under way: one
/// request with all its tries.
const STALE: Duration = Duration::from_secs(6 * 60);
/// After so long others forget it, in minutes.
const FORGOTTEN: i64 = 15;
const TEXT: &str = "A process of Guildhall makes, restores or checks a backup here.\n";

/// A claim on the place, for as long as it is held.
#[derive(Debug)]
pub(in crate::backup) struct Claim {
    bucket: Bucket,
    path: Path,
    /// When it was last put, by the clock of this process: before the request, so that it is never younger than at the store.
    put: Arc<Mutex<Instant>>,
    /// The loop that puts it again, which ends when the other end of its channel goes.
    beat: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Bucket {
    /// Claims the place. Nothing where it cannot be written and need not be (`must_write`).
    pub(in crate::backup) async fn claim(&self, must_write: bool) -> Result<Option<Claim>, BackupError> {
        let path = self.path(&[CLAIMS, &BackupId::new().to_string()]);
        let put = Instant::now();
        let to = &path;
        let text = |store: AmazonS3| async move { store.put(to, TEXT.into()).await };
        match self.ask(&self.shown(CLAIMS, ""), "written", text).await {
            Ok(_) => {}
            Err(BackupError::Bucket { source, .. }) if source.denied() && !must_write => return Ok(None),
            Err(error) => {
                // Perhaps it is there, and only the answer was lost.
                self.leave(path);
                return Err(error);
            }
        }
        let mut claim = Claim { bucket: self.clone(), path, put: Arc::new(Mutex::new(put)), beat: None };
        match self.others(&claim.path).await {
            Ok(()) => {
                claim.keep();
                Ok(Some(claim))
            }
            Err(error) => {
                claim.release().await;
                Err(error)
            }
        }
    }

    /// Looks whether somebody else has the place, and takes away what those left who are gone.
    async fn others(&self, own: &Path) -> Result<(), BackupError> {
        let all = self.below(CLAIMS).await?;
        let at = || self.shown(CLAIMS, "");
        let Some(now) = all.iter().find(|one| one.location == *own).map(|one| one.last_modified) else {
            let source = Trouble::new(
                "what was just written is not in the list: this store shows things late, and backups need one that does not",
            );
            return Err(BackupError::Bucket { at: at(), deed: "read", source });
        };
        for ObjectMeta { location, last_modified, .. } in all.iter().filter(|one| one.location != *own) {
            let silent = (now - *last_modified).num_minutes();
            if silent < FORGOTTEN && !self.left().contains(location) {
                return Err(BackupError::Claimed { at: self.to_string(), silent: silent.max(0), forgotten: FORGOTTEN });
            }
            self.remove(&at(), location).await?;
            self.left().retain(|left| left != location);
        }
        Ok(())
    }

    fn left(&self) -> std::sync::MutexGuard<'_, Vec<Path>> {
        self.0.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a claim that nobody holds and that may still be there.
    fn leave(&self, path: Path) {
        self.left().push(path);
    }
}

impl Claim {
    /// Puts it again and again from now on.
    fn keep(&mut self) {
        let (end, mut ended) = oneshot::channel();
        let (bucket, path, put) = (self.bucket.clone(), self.path.clone(), Arc::clone(&self.put));
        let beat = tokio::spawn(async move {
            // Only while it waits: a request that is on its way when the claim goes would bring it back.
            while timeout(BEAT, &mut ended).await.is_err() {
                let began = Instant::now();
                let to = &path;
                let again = |store: AmazonS3| async move { store.put(to, TEXT.into()).await };
                match bucket.ask(CLAIMS, "written", again).await {
                    Ok(_) => *put.lock().unwrap_or_else(PoisonError::into_inner) = began,
                    Err(error) => {
                        tracing::warn!(%error, "it could not be said at the store that a backup is at work there")
                    }
                }
            }
        });
        self.beat = Some((end, beat));
    }

    /// Whether nobody can have forgotten it yet.
    pub(in crate::backup) fn still(&self) -> Result<(), BackupError> {
        let put = *self.put.lock().unwrap_or_else(PoisonError::into_inner);
        match put.elapsed() < STALE {
            true => Ok(()),
            false => Err(BackupError::Forgotten { at: self.bucket.to_string() }),
        }
    }

    pub(in crate::backup) async fn release(mut self) {
        if let Some((end, beat)) = self.beat.take() {
            drop(end);
            beat.await.ok();
        }
        let at = self.bucket.shown(CLAIMS, "");
        if self.bucket.remove(&at, &self.path).await.is_ok() {
            // Nothing is left to be done when it is dropped.
            self.path = Path::default();
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.path == Path::default() {
            return;
        }
        let (bucket, path) = (self.bucket.clone(), std::mem::take(&mut self.path));
        bucket.leave(path.clone());
        let beat = self.beat.take();
        // Whoever was stopped in the middle leaves at once where it still can.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if let Some((end, beat)) = beat {
                    drop(end);
                    beat.await.ok();
                }
                if bucket.remove(CLAIMS, &path).await.is_ok() {
                    bucket.left().retain(|left| *left != path);
                }
            });
        }
    }
}
