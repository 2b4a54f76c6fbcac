//! Where backups are put: a folder, or a place in a bucket of an S3-compatible store.
//!
//! Both do the same few things: take a part as a stream, give one, take a small file in one step, list names, and let one go. What
//! is where is the same in both.

mod folder;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use super::BackupError;
use super::bucket::{BadPlace, Bucket, Claim, S3Access};

/// What an address of a bucket begins with.
const S3: &str = "s3://";

/// A place for backups, each below its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shelf {
    /// A folder of this machine's, such as one on another disk or a mounted one.
    Folder(PathBuf),
    /// A place in a bucket of an S3-compatible store.
    Bucket(Bucket),
}

/// Held by the one process that works at a destination.
#[derive(Debug)]
pub(super) enum Alone {
    /// It goes with the process, however that ends.
    Folder(#[expect(dead_code, reason = "held, not read")] File),
    /// It is forgotten some time after its process ended, and at once when it is given back.
    Bucket(Claim),
    /// Nothing can be changed from here, so nobody has to be kept away.
    Reading,
}

impl Alone {
    /// Whether nobody else may think by now that this one is gone. To be asked before each change that cannot be made twice.
    pub(super) async fn still(&self) -> Result<(), BackupError> {
        match self {
            Self::Folder(_) | Self::Reading => Ok(()),
            Self::Bucket(claim) => claim.still().await,
        }
    }

    /// Lets others in.
    pub(super) async fn release(self) {
        if let Self::Bucket(claim) = self {
            claim.release().await;
        }
    }
}

impl std::fmt::Display for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::Bucket(bucket) => bucket.fmt(f),
        }
    }
}

impl Shelf {
    /// The place that `text` names: an absolute path, or `s3://BUCKET` with a prefix behind it or without.
    ///
    /// # Errors
    /// [`BadPlace`]: what it should be instead.
    pub fn at(text: &str, access: &S3Access) -> Result<Self, BadPlace> {
        if let Some(rest) = text.strip_prefix(S3) {
            return Bucket::at(rest, access).map(Self::Bucket);
        }
        if text.contains("://") || !Path::new(text).is_absolute() {
            return Err(BadPlace::new(
                "the absolute path of a folder, better on another disk, or s3:// and a bucket, such as s3://backups/guildhall",
            ));
        }
        Ok(Self::Folder(PathBuf::from(text)))
    }

    /// Whether `text` means a place in a bucket.
    pub fn names_bucket(text: &str) -> bool {
        text.starts_with(S3)
    }

    /// Keeps others from working here at the same time. With `make`, the place is made if it is not there, and must be one that can
    /// be written.
    pub(super) async fn alone(&self, make: bool) -> Result<Alone, BackupError> {
        match self {
            Self::Folder(folder) => folder::lock(folder, make).await.map(Alone::Folder),
            Self::Bucket(bucket) => Ok(bucket.claim(make).await?.map_or(Alone::Reading, Alone::Bucket)),
        }
    }

    /// Waits until others are let in by whoever was cut off in the middle of working here.
    pub(super) async fn left(&self) {
        if let Self::Bucket(bucket) = self {
            bucket.gone().await;
        }
    }

    /// The names of what is here, whole or not, in their order.
    pub(super) async fn names(&self) -> Result<Vec<String>, BackupError> {
        match self {
            Self::Folder(folder) => folder::names(folder).await,
            Self::Bucket(bucket) => bucket.names().await,
        }
    }

    /// Begins a backup of this name; false when there is one already.
    pub(super) async fn begin(&self, backup: &str) -> Result<bool, BackupError> {
        match self {
            Self::Folder(folder) => folder::begin(folder.join(backup)).await,
            Self::Bucket(bucket) => bucket.is_free(backup).await,
        }
    }

    /// Takes a part, which is safe there when this returns. Ends when nobody sends pieces any more.
    pub(super) async fn put(
        &self,
        backup: &str,
        file: &str,
        pieces: mpsc::Receiver<Vec<u8>>,
    ) -> Result<(), BackupError> {
        match self {
            Self::Folder(folder) => folder::put(folder.join(backup).join(file), pieces).await,
            Self::Bucket(bucket) => bucket.put(backup, file, pieces).await,
        }
    }

    /// Gives a part in pieces, the last of which may be why it could not be read.
    pub(super) fn get(&self, backup: &str, file: &str) -> mpsc::Receiver<io::Result<Vec<u8>>> {
        match self {
            Self::Folder(folder) => folder::get(folder.join(backup).join(file)),
            Self::Bucket(bucket) => bucket.get(backup, file),
        }
    }

    /// Takes a small file in one step, after everything that was put before is safe.
    pub(super) async fn put_last(&self, backup: &str, file: &str, bytes: Vec<u8>) -> Result<(), BackupError> {
        match self {
            Self::Folder(folder) => folder::put_last(folder.join(backup).join(file), bytes).await,
            Self::Bucket(bucket) => bucket.put_small(backup, file, bytes).await,
        }
    }

    /// A small file, if it is there.
    pub(super) async fn small(&self, backup: &str, file: &str) -> Result<Option<Vec<u8>>, BackupError> {
        match self {
            Self::Folder(folder) => folder::small(folder.join(backup).join(file)).await,
            Self::Bucket(bucket) => bucket.small(backup, file).await,
        }
    }

    /// The files of a backup that are there, and how large each is.
    pub(super) async fn sizes(&self, backup: &str) -> Result<BTreeMap<String, u64>, BackupError> {
        match self {
            Self::Folder(folder) => folder::sizes(folder.join(backup)).await,
            Self::Bucket(bucket) => bucket.sizes(backup).await,
        }
    }

    /// Takes a part away that is not wanted after all.
    pub(super) async fn drop_part(&self, backup: &str, file: &str) -> Result<(), BackupError> {
        match self {
            Self::Folder(folder) => folder::drop_part(folder.join(backup).join(file)).await,
            Self::Bucket(bucket) => bucket.drop_part(backup, file).await,
        }
    }

    /// Takes a backup away: its manifest first, so that half of one is none.
    pub(super) async fn delete(&self, backup: &str) -> Result<(), BackupError> {
        match self {
            Self::Folder(folder) => folder::delete(folder.join(backup)).await,
            Self::Bucket(bucket) => bucket.delete(backup).await,
        }
    }
}

/// Does what waits for the disk where it holds nobody up.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    tokio::task::spawn_blocking(work).await.map_err(BackupError::internal("the work on the disk"))?
}
