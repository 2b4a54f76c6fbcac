//! The data folder, in which one process works at a time.

use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use guildhall_team::backup::UNFINISHED;

/// The file in the data folder that a server at work holds locked.
const LOCK: &str = "guildhall.lock";

/// How often, and how far apart, the data folder's lock is tried.
const LOCK_TRIES: u32 = 20;
const LOCK_WAIT: Duration = Duration::from_millis(100);

/// Why the data folder cannot be worked in.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It is not this user's to make, or to work in: root made it, or has to.
    #[error(
        "the data folder {path} is not this user's; as root: install -d -m 0700 -o {user} {path} (and chown -R {user} {path}, where another user's files are in it), or choose another with GUILDHALL_DATA_DIR or --data-dir"
    )]
    Foreign {
        /// Which.
        path: PathBuf,
        /// The number of the user that this runs as.
        user: u32,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be made or used.
    #[error("the data folder {path} cannot be used; choose another with GUILDHALL_DATA_DIR or --data-dir")]
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process works in it.
    #[error("another Guildhall works in {path}; stop it first, or choose another folder with --data-dir")]
    InUse {
        /// Which folder.
        path: PathBuf,
    },
}

/// A restore into a data folder was cut off.
#[derive(Debug, thiserror::Error)]
#[error(
    "a restore into {path} was cut off; run `guildhall restore` again, which finishes it, or choose another folder with --data-dir"
)]
pub struct Unfinished {
    path: PathBuf,
}

/// Whether no restore into the data folder was cut off.
///
/// # Errors
/// When one was.
pub(crate) fn is_whole(data_dir: &Path) -> Result<(), Unfinished> {
    match data_dir.join(UNFINISHED).exists() {
        true => Err(Unfinished { path: data_dir.to_owned() }),
        false => Ok(()),
    }
}

impl FolderError {
    fn of(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied => {
                Self::Foreign { path, user: rustix::process::geteuid().as_raw(), source }
            }
            _ => Self::Unusable { path, source },
        }
    }
}

/// Makes a folder that its owner alone can enter.
fn make_private_folder(path: &Path) -> Result<(), FolderError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|source| FolderError::of(path, source))
}

/// Makes the data folder, if it is not there, and takes it for this process.
///
/// # Errors
/// When it cannot be used, or another process works in it.
pub(crate) async fn take(data_dir: &Path) -> Result<File, FolderError> {
    make_private_folder(data_dir)?;
    lock(data_dir).await
}

/// Takes a data folder that is there for this process, for as long as the file is held.
///
/// # Errors
/// [`FolderError::InUse`] while a server works in it.
pub(crate) async fn hold(data_dir: &Path) -> Result<File, FolderError> {
    if !data_dir.is_dir() {
        let source = io::Error::new(io::ErrorKind::NotFound, "there is no such folder");
        return Err(FolderError::Unusable { path: data_dir.to_owned(), source });
    }
    lock(data_dir).await
}

/// Takes the data folder for this process. The lock goes with the process, however it ends.
async fn lock(data_dir: &Path) -> Result<File, FolderError> {
    let failed = |source| FolderError::of(data_dir, source);
    let file = File::options().create(true).truncate(false).write(true).open(data_dir.join(LOCK)).map_err(failed)?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            // A server that was killed a moment ago may have left a child between its birth and its own program, which
            // holds the lock for as long as that takes.
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_WAIT).await,
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
    Err(FolderError::InUse { path: data_dir.to_owned() })
}

/// Whether a server is at work in this data folder. The lock is taken for a moment, and not made where there is none.
pub(crate) fn is_taken(data_dir: &Path) -> bool {
    let Ok(file) = File::open(data_dir.join(LOCK)) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_roots_to_make_is_told_with_the_command() {
        let user = rustix::process::geteuid().as_raw();
        let of = |kind: io::ErrorKind| FolderError::of(Path::new("/var/lib/guildhall"), kind.into()).to_string();
        let told = of(io::ErrorKind::PermissionDenied);
        assert!(told.contains(&format!("install -d -m 0700 -o {user} /var/lib/guildhall")), "{told}");
        let told = of(io::ErrorKind::NotADirectory);
        assert!(told.contains("cannot be used") && !told.contains("install"), "{told}");
    }

    #[test]
    fn a_server_at_work_is_known_by_its_lock() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_taken(dir.path()), "there is no lock, and none is made");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let lock = File::create(dir.path().join(LOCK)).unwrap();
        assert!(!is_taken(dir.path()));
        lock.try_lock().unwrap();
        assert!(is_taken(dir.path()));
    }
}
