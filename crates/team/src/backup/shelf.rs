//! Where backups are put.
//!
//! A folder is what there is today. Whatever comes besides has to do the same few things: take a part as a stream, give one,
//! take a small file in one step, list names, and let one go.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use super::BackupError;

/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;
/// Who holds this file makes, restores or checks a backup.
const LOCK: &str = "backup.lock";

/// A place for backups, each below its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shelf {
    /// A folder of this machine's, such as one on another disk or a mounted one.
    Folder(PathBuf),
}

/// Held by the one process that works at a destination. It goes with the process, however that ends.
#[derive(Debug)]
pub(super) struct Alone(#[expect(dead_code, reason = "held, not read")] File);

impl std::fmt::Display for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::Folder(folder) = self;
        folder.display().fmt(f)
    }
}

impl Shelf {
    fn path(&self, backup: &str, file: &str) -> PathBuf {
        let Self::Folder(folder) = self;
        folder.join(backup).join(file)
    }

    /// Keeps others from working here at the same time. With `make`, the place is made if it is not there.
    pub(super) async fn alone(&self, make: bool) -> Result<Alone, BackupError> {
        let Self::Folder(folder) = self.clone();
        blocking(move || {
            if make {
                make_private(&folder).map_err(BackupError::file(folder.display(), "made"))?;
            }
            let path = folder.join(LOCK);
            let open = || OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
            // A place that may only be read needs no lock: nobody here can change it.
            let file = match open() {
                Err(error) if !make && error.kind() != io::ErrorKind::NotFound => File::open(&folder),
                other => other,
            };
            let file = file.map_err(BackupError::file(path.display(), "opened"))?;
            match file.try_lock() {
                Ok(()) => Ok(Alone(file)),
                Err(TryLockError::WouldBlock) => Err(BackupError::Busy { at: folder.display().to_string() }),
                Err(TryLockError::Error(error)) => Err(BackupError::file(path.display(), "locked")(error)),
            }
        })
        .await
    }

    /// The names of what is here, whole or not, in their order.
    pub(super) async fn names(&self) -> Result<Vec<String>, BackupError> {
        let Self::Folder(folder) = self.clone();
        blocking(move || {
            let failed = |error| BackupError::file(folder.display(), "read")(error);
            let mut names = Vec::new();
            for entry in std::fs::read_dir(&folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let name = entry.file_name().to_str().map(str::to_owned);
                // Whatever else lies here is somebody's, and left alone.
                names.extend(name.filter(|name| super::list::is_name(name) && entry.path().is_dir()));
            }
            names.sort();
            Ok(names)
        })
        .await
    }

    /// Begins a backup of this name; false when there is one already.
    pub(super) async fn begin(&self, backup: &str) -> Result<bool, BackupError> {
        let Self::Folder(folder) = self.clone();
        let path = folder.join(backup);
        blocking(move || match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(BackupError::file(path.display(), "made")(error)),
        })
        .await
    }

    /// Takes a part, which is safe on the disk when this returns. Ends when nobody sends pieces any more.
    pub(super) async fn put(
        &self,
        backup: &str,
        file: &str,
        mut pieces: mpsc::Receiver<Vec<u8>>,
    ) -> Result<(), BackupError> {
        let path = self.path(backup, file);
        blocking(move || {
            let failed = |error| BackupError::file(path.display(), "written")(error);
            let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
            while let Some(piece) = pieces.blocking_recv() {
                out.write_all(&piece).map_err(failed)?;
            }
            out.sync_all().map_err(failed)
        })
        .await
    }

    /// Gives a part in pieces, the last of which may be why it could not be read.
    pub(super) fn get(&self, backup: &str, file: &str) -> mpsc::Receiver<io::Result<Vec<u8>>> {
        let path = self.path(backup, file);
        let (out, pieces) = mpsc::channel(4);
        tokio::task::spawn_blocking(move || {
            let mut from = match File::open(&path) {
                Ok(from) => from,
                Err(error) => return drop(out.blocking_send(Err(error))),
            };
            loop {
                let mut piece = vec![0; PIECE];
                let read = from.read(&mut piece);
                match read {
                    Ok(0) => return,
                    Ok(read) => piece.truncate(read),
                    Err(ref error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return drop(out.blocking_send(Err(error))),
                }
                if out.blocking_send(Ok(piece)).is_err() {
                    return;
                }
            }
        });
        pieces
    }

    /// Takes a small file in one step, after everything that was put before is safe.
    pub(super) async fn put_last(&self, backup: &str, file: &str, bytes: Vec<u8>) -> Result<(), BackupError> {
        let path = self.path(backup, file);
        blocking(move || {
            let failed = |error| BackupError::file(path.display(), "written")(error);
            let folder = path.parent().unwrap_or(Path::new("."));
            // The names of the parts, before a manifest says that they are there.
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
            let half = path.with_extension("half");
            let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&half).map_err(failed)?;
            out.write_all(&bytes).and_then(|()| out.sync_all()).map_err(failed)?;
            std::fs::rename(&half, &path).map_err(failed)?;
            let synced = |folder: &Path| File::open(folder).and_then(|folder| folder.sync_all());
            synced(folder).map_err(failed)?;
            folder.parent().map_or(Ok(()), synced).map_err(failed)
        })
        .await
    }

    /// A small file, if it is there.
    pub(super) async fn small(&self, backup: &str, file: &str) -> Result<Option<Vec<u8>>, BackupError> {
        let path = self.path(backup, file);
        blocking(move || match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) => Ok(None),
            Err(error) => Err(BackupError::file(path.display(), "read")(error)),
        })
        .await
    }

    /// How large a part is, if it is there.
    pub(super) async fn size(&self, backup: &str, file: &str) -> Option<u64> {
        let path = self.path(backup, file);
        tokio::task::spawn_blocking(move || std::fs::metadata(path).ok().map(|meta| meta.len())).await.ok().flatten()
    }

    /// Takes a part away that is not wanted after all.
    pub(super) async fn drop_part(&self, backup: &str, file: &str) -> Result<(), BackupError> {
        let path = self.path(backup, file);
        blocking(move || std::fs::remove_file(&path).map_err(BackupError::file(path.display(), "deleted"))).await
    }

    /// Takes a backup away: its manifest first, so that half of one is none.
    pub(super) async fn delete(&self, backup: &str) -> Result<(), BackupError> {
        let manifest = self.path(backup, super::manifest::FILE);
        let Self::Folder(folder) = self.clone();
        let path = folder.join(backup);
        blocking(move || {
            let failed = |error| BackupError::file(path.display(), "deleted")(error);
            match std::fs::remove_file(&manifest) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
            std::fs::remove_dir_all(&path).map_err(failed)
        })
        .await
    }
}

fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Does what waits for the disk where it holds nobody up.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    tokio::task::spawn_blocking(work).await.map_err(BackupError::internal("the work on the disk"))?
}
