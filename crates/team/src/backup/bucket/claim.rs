//! One at a time in a bucket, without anything that only some stores can do.
//!
//! Who wants the place puts an object of its own beside the backups and then lists all such objects. If another one is there that was
//! put or put again not long ago, it takes its own away. Lists show what was put at once, so of two that come together at least
//! one sees the other: never do both go on. How old an object is, the store's own clock says. Who has the place puts its object
//! again now and then; one whose process died is forgotten after a while. A process that merely stood still may come back after
//! that: it looks whether its object was taken away before it puts it again, and before it does what cannot be made good.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use guildhall_types::{BackupId, DateTime};
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::{Bucket, Trouble};
use crate::backup::BackupError;

#[cfg(test)]
mod tests;

/// Below this name stand the claims.
const CLAIMS: &str = "backup.lock";
/// How often a claim is put again.
const BEAT: Duration = Duration::from_secs(2 * 60);
/// After so long without that the one who holds it does nothing more. The rest until others forget it is for what is under way: one
/// request with all its tries.
const STALE: Duration = Duration::from_secs(6 * 60);
/// After so long others forget it, in minutes.
const FORGOTTEN: i64 = 15;
/// A claim that was silent for so long is not put again, in minutes: less than others wait, since all of this is by one clock.
const LOST: i64 = 10;
const TEXT: &str = "A process of Guildhall makes, restores or checks a backup here.\n";

/// A claim on the place, for as long as it is held.
#[derive(Debug)]
pub(in crate::backup) struct Claim {
    bucket: Bucket,
    path: Path,
    /// When it was last put, by the clock of this process: before the request, so that it is never younger than at the store.
    /// Nothing once others may have the place: such a claim never holds again.
    put: Arc<Mutex<Option<Instant>>>,
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
        let mut claim = Claim { bucket: self.clone(), path, put: Arc::new(Mutex::new(Some(put))), beat: None };
        match self.others(&claim.path).await {
            Ok(at) => {
                claim.keep(at, BEAT);
                Ok(Some(claim))
            }
            Err(error) => {
                claim.release().await;
                Err(error)
            }
        }
    }

    /// Looks whether somebody else has the place, and takes away what those left who are gone. Returns when the own claim was put,
    /// by the store's clock.
    async fn others(&self, own: &Path) -> Result<DateTime, BackupError> {
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
        Ok(now)
    }

    /// When a claim was last put, by the store's clock; nothing if it is not there.
    async fn put_at(&self, own: &Path) -> Result<Option<DateTime>, BackupError> {
        let all = self.below(CLAIMS).await?;
        Ok(all.iter().find(|one| one.location == *own).map(|one| one.last_modified))
    }

    /// Puts a claim again that is known to have been put `at` that time, by the store's clock. Returns when it was put now; nothing,
    /// and it is there no more, if others may have the place.
    ///
    /// Only that clock is believed: the one of a machine that stood still may not have moved. Whoever forgets a claim has put its
    /// own so much later that one which was put again before that was forgotten by nobody.
    async fn again(&self, own: &Path, at: DateTime) -> Result<Option<DateTime>, BackupError> {
        if self.put_at(own).await?.is_none() {
            return Ok(None);
        }
        self.ask(CLAIMS, "written", |store| async move { store.put(own, TEXT.into()).await }).await?;
        let now = self.put_at(own).await?.filter(|now| (*now - at).num_minutes() < LOST);
        if now.is_none() {
            self.remove(CLAIMS, own).await?;
        }
        Ok(now)
    }

    fn left(&self) -> std::sync::MutexGuard<'_, Vec<Path>> {
        self.0.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a claim that nobody holds and that may still be there.
    fn leave(&self, path: Path) {
        self.left().push(path);
    }

    fn leaving(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.0.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the claims that were dropped are taken away, as far as that can be done.
    pub(in crate::backup) async fn gone(&self) {
        let leaving = std::mem::take(&mut *self.leaving());
        for one in leaving {
            one.await.ok();
        }
    }
}

impl Claim {
    /// Puts it again and again from now on, each time after so long. It was put `at` that time, by the store's clock.
    fn keep(&mut self, mut at: DateTime, every: Duration) {
        let (end, mut ended) = oneshot::channel();
        let (bucket, path, put) = (self.bucket.clone(), self.path.clone(), Arc::clone(&self.put));
        let beat = tokio::spawn(async move {
            // Only while it waits: a request that is on its way when the claim goes would bring it back.
            while timeout(every, &mut ended).await.is_err() {
                let began = Instant::now();
                let known = |put_at| *put.lock().unwrap_or_else(PoisonError::into_inner) = put_at;
                match bucket.again(&path, at).await {
                    Ok(Some(now)) => {
                        at = now;
                        known(Some(began));
                    }
                    Ok(None) => {
                        tracing::warn!(
                            place = %bucket,
                            "it was not said for so long that a backup is at work there that another process may be; it is given up"
                        );
                        return known(None);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "it could not be said at the store that a backup is at work there")
                    }
                }
            }
        });
        self.beat = Some((end, beat));
    }

    /// Whether nobody has forgotten it, or can have done so yet.
    pub(in crate::backup) async fn still(&self) -> Result<(), BackupError> {
        self.fresh()?;
        // The clock of this process may have stood still with it.
        if self.bucket.put_at(&self.path).await?.is_none() {
            *self.put() = None;
        }
        // To look may have taken long as well.
        self.fresh()
    }

    fn fresh(&self) -> Result<(), BackupError> {
        let put = *self.put();
        match put.is_some_and(|put| put.elapsed() < STALE) {
            true => Ok(()),
            false => Err(BackupError::Forgotten { at: self.bucket.to_string() }),
        }
    }

    fn put(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.put.lock().unwrap_or_else(PoisonError::into_inner)
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
            let place = bucket.clone();
            let leaving = runtime.spawn(async move {
                if let Some((end, beat)) = beat {
                    drop(end);
                    beat.await.ok();
                }
                if bucket.remove(CLAIMS, &path).await.is_ok() {
                    bucket.left().retain(|left| *left != path);
                }
            });
            let mut all = place.leaving();
            all.retain(|one| !one.is_finished());
            all.push(leaving);
        }
    }
}
