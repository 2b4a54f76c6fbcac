//! Looking whether a backup is one: by restoring it into a scratch place, whole.

use std::fs::{DirEntry, File, TryLockError};
use std::path::Path;
use std::sync::Arc;

use guildhall_store::Store;
use guildhall_types::Clock;

use super::list::chain;
use super::restore::{Restored, Restoring};
use super::shelf::blocking;
use super::{BackupError, BackupKey, Manifest, Shelf};
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

/// How many times larger rows are in a database than compressed in a backup, about.
const UNPACKED: u64 = 8;
/// Of a hundred bytes of a pack, those that its repository takes, with what git writes to find things in it.
const PACKED: u64 = 115;

/// A look that takes less than one such part of what is free is begun however full the disk is.
const SMALL: u64 = 100;

/// How much of a disk a look at a backup may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// A look is not begun that would make so many percent of the disk used.
    pub percent: i64,
}

impl Room {
    /// All of the disk.
    pub const ALL: Self = Self { percent: 100 };

    /// Whether there is room for a look at these, of which each builds on the one before.
    async fn hold(self, chain: &[Manifest], scratch: &Path) -> Result<(), BackupError> {
        let Self { percent } = self;
        let needed = needed(chain);
        let at = scratch.to_owned();
        let disk = blocking(move || Ok(rustix::fs::statvfs(&at).ok())).await?;
        // What cannot be looked at has room.
        let Some(disk) = disk else { return Ok(()) };
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        let (used, free) = (bytes(disk.f_blocks.saturating_sub(disk.f_bfree)), bytes(disk.f_bavail));
        let most = used.saturating_add(free) / 100 * percent.clamp(1, 100).unsigned_abs();
        // What is small beside what is free does no harm on a full disk, either.
        let room = most.saturating_sub(used).min(free).max(free / SMALL);
        match needed > room {
            true => {
                let (needed, free) = (needed.div_ceil(1_000_000), room / 1_000_000);
                Err(BackupError::NoRoom { at: scratch.display().to_string(), needed, free, percent })
            }
            false => Ok(()),
        }
    }
}

/// Bytes that these take where they are restored, about.
fn needed(chain: &[Manifest]) -> u64 {
    let packs: u64 = chain.iter().flat_map(|one| &one.packs).map(|part| part.bytes).sum();
    let rows = chain.last().map_or(0, |last| last.rows.bytes);
    packs / 100 * PACKED + rows * UNPACKED
}

/// Restores a backup, the latest if none is named, into a folder below `scratch` that goes afterwards: an SQLite database, the
/// repositories with all that their refs reach, the counts, the chain of the audit, and what `vault` opens.
///
/// # Errors
/// When a part is damaged: the backup is then not one to rely on. When the key is another, or there is no room: then
/// nothing is known of it.
pub async fn verify(
    shelf: &Shelf,
    name: Option<&str>,
    key: Option<&BackupKey>,
    vault: &Vault,
    clock: Arc<dyn Clock>,
    scratch: &Path,
    room: Room,
) -> Result<Verified, BackupError> {
    let chain = chain(shelf, name).await?.all;
    // First of all what was left goes: it may be what takes the room.
    let alone = alone(scratch).await?;
    room.hold(&chain, scratch).await?;
    let (_alone, dir) = scratch_place(scratch, alone).await?;
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

/// Takes away what was left in this folder by who was killed while looking at a backup. Returns whether there was anything.
///
/// # Errors
/// When it cannot be taken away.
pub async fn sweep_scratch(scratch: &Path) -> Result<bool, BackupError> {
    let folder = scratch.to_owned();
    let left = blocking(move || {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        Ok(entries.into_iter().any(|entry| is_scratch(&entry)))
    });
    if !left.await? {
        return Ok(false);
    }
    match alone(scratch).await {
        Ok(_) => Ok(true),
        // It is in use.
        Err(BackupError::Busy { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_scratch(entry: &DirEntry) -> bool {
    entry.file_name().to_str().is_some_and(|name| name.starts_with(SCRATCH))
}

/// Keeps others from looking at backups in the same folder, and takes away the scratch places that were left by who was killed.
async fn alone(scratch: &Path) -> Result<File, BackupError> {
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
            if is_scratch(&entry) {
                std::fs::remove_dir_all(entry.path()).map_err(failed)?;
            }
        }
        Ok(lock)
    })
    .await
}

/// Makes a scratch place.
async fn scratch_place(scratch: &Path, alone: File) -> Result<(File, tempfile::TempDir), BackupError> {
    let scratch = scratch.to_owned();
    blocking(move || {
        let failed = |error| BackupError::file(scratch.display(), "written")(error);
        let dir = tempfile::Builder::new().prefix(SCRATCH).tempdir_in(&scratch).map_err(failed)?;
        Ok((alone, dir))
    })
    .await
}

#[cfg(test)]
mod tests {
    use guildhall_types::DateTime;
    use guildhall_types::backup::BackupKind;

    use super::*;
    use crate::backup::Part;

    fn manifest(rows: u64, packs: &[u64]) -> Manifest {
        let part = |bytes: u64| Part { file: "f".to_owned(), bytes, sha256: String::new(), compressed: true };
        Manifest {
            format: 1,
            name: "20260101T000000Z".to_owned(),
            installation: None,
            made_at: DateTime::UNIX_EPOCH,
            version: String::new(),
            schema: 1,
            kind: BackupKind::Full,
            parent: None,
            sealed_with: None,
            rows: part(rows),
            index: part(1),
            packs: packs.iter().map(|bytes| part(*bytes)).collect(),
        }
    }

    #[tokio::test]
    async fn what_a_killed_look_left_goes_and_what_is_in_use_stays() {
        let scratch = tempfile::tempdir().unwrap();
        let left = scratch.path().join(".verify-abc/repositories");
        std::fs::create_dir_all(&left).unwrap();
        let used = alone_at(scratch.path());
        assert!(!sweep_scratch(scratch.path()).await.unwrap() && left.exists());
        drop(used);
        assert!(sweep_scratch(scratch.path()).await.unwrap() && !left.exists());
        assert!(!sweep_scratch(scratch.path()).await.unwrap(), "there is nothing any more");
    }

    fn alone_at(scratch: &Path) -> File {
        let lock = File::create(scratch.join(LOCK)).unwrap();
        lock.try_lock().unwrap();
        lock
    }

    #[tokio::test]
    async fn a_look_is_not_begun_that_would_fill_the_disk() {
        let scratch = tempfile::tempdir().unwrap();
        let chain = [manifest(500, &[1_000, 2_000]), manifest(600, &[100])];
        assert_eq!(needed(&chain), 31 * 115 + 8 * 600, "the packs of all, and the rows of the last");
        let all = Room::ALL;
        all.hold(&chain, scratch.path()).await.unwrap();
        let large = [manifest(1 << 50, &[])];
        let refused = all.hold(&large, scratch.path()).await.unwrap_err();
        assert!(matches!(&refused, BackupError::NoRoom { needed, .. } if *needed > 1 << 30), "{refused}");
        assert_eq!(refused.unsound("20260101T000000Z"), None, "it says nothing of the backup");
        // Any disk is fuller than that. What takes hardly anything goes all the same.
        let full = Room { percent: 1 };
        full.hold(&chain, scratch.path()).await.unwrap();
        let disk = rustix::fs::statvfs(scratch.path()).unwrap();
        let free = disk.f_bavail * disk.f_frsize;
        let half = [manifest(free / 16, &[])];
        let refused = full.hold(&half, scratch.path()).await.unwrap_err();
        assert!(matches!(refused, BackupError::NoRoom { percent: 1, .. }), "{refused}");
    }
}
