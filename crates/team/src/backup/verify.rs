//! Looking whether a backup is one: by restoring it into a scratch place, whole.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;

use guildhall_store::Store;
use guildhall_types::Clock;

use super::restore::{Restored, Restoring};
use super::shelf::blocking;
use super::{BackupError, BackupKey, Shelf};
use crate::Places;
use crate::vault::Vault;

/// How scratch places are named.
const SCRATCH: &str = ".verify-";
/// Who holds this file has the only one.
const LOCK: &str = "verify.lock";

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What came out.
    pub restored: Restored,
    /// What is wrong; nothing when all is well. Lacking keys are no fault of the backup.
    pub problems: Vec<String>,
}

/// Restores a backup, the latest if none is named, into a folder below `scratch` that goes afterwards: an SQLite database, the
/// repositories with all that their refs reach, the counts, the chain of the audit, and what `vault` opens.
///
/// # Errors
/// When a part is damaged, the key is another, or there is no room; the backup is then not one to rely on.
pub async fn verify(
    shelf: &Shelf,
    name: Option<&str>,
    key: Option<&BackupKey>,
    vault: &Vault,
    clock: Arc<dyn Clock>,
    scratch: &Path,
) -> Result<Verified, BackupError> {
    let (_alone, dir) = scratch_place(scratch).await?;
    let url = format!("sqlite://{}", dir.path().join("guildhall.db").display());
    let store = Store::open(&url, clock).await?;
    let places = Places::below(dir.path(), Vec::new());
    let restoring = Restoring { shelf, name, key, store: &store, places: &places, data: dir.path(), vault };
    let restored = restoring.restore().await;
    store.close().await;
    let restored = restored?;
    let problems = restored.problems.clone();
    // What is removed takes a while; here nobody waits for it.
    tokio::task::spawn_blocking(move || drop(dir))
        .await
        .map_err(BackupError::internal("the removal of a scratch folder"))?;
    Ok(Verified { restored, problems })
}

/// Makes a scratch place, and takes away those that were left by who was killed.
async fn scratch_place(scratch: &Path) -> Result<(File, tempfile::TempDir), BackupError> {
    let scratch = scratch.to_owned();
    blocking(move || {
        let failed = |error| BackupError::file(scratch.display(), "written")(error);
        let path = scratch.join(LOCK);
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::Busy { at: scratch.display().to_string() }),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        for entry in std::fs::read_dir(&scratch).map_err(failed)?.flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(SCRATCH)) {
                std::fs::remove_dir_all(entry.path()).map_err(failed)?;
            }
        }
        let dir = tempfile::Builder::new().prefix(SCRATCH).tempdir_in(&scratch).map_err(failed)?;
        Ok((lock, dir))
    })
    .await
}
