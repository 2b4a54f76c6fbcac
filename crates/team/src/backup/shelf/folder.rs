//! A folder of this machine's.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use super::blocking;
use crate::backup::{BackupError, list, manifest};

/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;
/// Who holds this file makes, restores or checks a backup.
const LOCK: &str = "backup.lock";

pub(super) async fn lock(folder: &Path, make: bool) -> Result<File, BackupError> {
    let folder = folder.to_owned();
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
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(BackupError::Busy { at: folder.display().to_string() }),
            Err(TryLockError::Error(error)) => Err(BackupError::file(path.display(), "locked")(error)),
        }
    })
    .await
}

pub(super) async fn names(folder: &Path) -> Result<Vec<String>, BackupError> {
    let folder = folder.to_owned();
    blocking(move || {
        let failed = |error| BackupError::file(folder.display(), "read")(error);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_str().map(str::to_owned);
            // Whatever else lies here is somebody's, and left alone.
            names.extend(name.filter(|name| list::is_name(name) && entry.path().is_dir()));
        }
        names.sort();
        Ok(names)
    })
    .await
}

pub(super) async fn begin(path: PathBuf) -> Result<bool, BackupError> {
    blocking(move || match DirBuilder::new().mode(0o700).create(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(BackupError::file(path.display(), "made")(error)),
    })
    .await
}

pub(super) async fn put(path: PathBuf, mut pieces: mpsc::Receiver<Vec<u8>>) -> Result<(), BackupError> {
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

pub(super) fn get(path: PathBuf) -> mpsc::Receiver<io::Result<Vec<u8>>> {
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

pub(super) async fn put_last(path: PathBuf, bytes: Vec<u8>) -> Result<(), BackupError> {
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

pub(super) async fn small(path: PathBuf) -> Result<Option<Vec<u8>>, BackupError> {
    blocking(move || match std::fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) => Ok(None),
        Err(error) => Err(BackupError::file(path.display(), "read")(error)),
    })
    .await
}

pub(super) async fn sizes(path: PathBuf) -> Result<BTreeMap<String, u64>, BackupError> {
    blocking(move || {
        let failed = |error| BackupError::file(path.display(), "read")(error);
        let mut sizes = BTreeMap::new();
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let size = entry.metadata().map_err(failed)?.len();
            sizes.extend(entry.file_name().into_string().ok().map(|name| (name, size)));
        }
        Ok(sizes)
    })
    .await
}

pub(super) async fn drop_part(path: PathBuf) -> Result<(), BackupError> {
    blocking(move || std::fs::remove_file(&path).map_err(BackupError::file(path.display(), "deleted"))).await
}

pub(super) async fn delete(path: PathBuf) -> Result<(), BackupError> {
    blocking(move || {
        let failed = |error| BackupError::file(path.display(), "deleted")(error);
        match std::fs::remove_file(path.join(manifest::FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        std::fs::remove_dir_all(&path).map_err(failed)
    })
    .await
}

fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
