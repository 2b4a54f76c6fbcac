//! A place in a bucket of an S3-compatible store.
//!
//! An object has the name that the file would have in a folder, below the prefix. Nothing is asked of the store but what all of them do:
//! put, get, delete, list, and uploads in parts; and that a list shows at once what was put.

mod claim;
mod place;
mod trouble;
mod upload;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, TryStreamExt};
use guildhall_types::BackupId;
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{BackoffConfig, Error, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, RetryConfig};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{BackupError, list, manifest};
pub(super) use claim::Claim;
pub use place::{BadPlace, Patience, S3Access};
pub use trouble::Trouble;

/// Bytes of a small object at most. A manifest of ten thousand repositories has two million.
const SMALL: u64 = 64 * 1024 * 1024;

/// A place in a bucket. Cheap to clone, and all clones are one: connections and what was left behind are shared.
#[derive(Clone)]
pub struct Bucket(Arc<Inner>);

struct Inner {
    name: String,
    prefix: Option<Path>,
    access: S3Access,
    store: Mutex<Option<AmazonS3>>,
    /// Claims of this process that could not be taken away when they were given back.
    left: Mutex<Vec<Path>>,
    /// What takes away claims that were dropped, as far as it is not done.
    leaving: Mutex<Vec<JoinHandle<()>>>,
}

impl std::fmt::Display for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}", self.0.name)?;
        self.0.prefix.as_ref().map_or(Ok(()), |prefix| write!(f, "/{prefix}"))
    }
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Bucket").field(&self.to_string()).field(&self.0.access).finish()
    }
}

impl PartialEq for Bucket {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (&*self.0, &*other.0);
        one.name == other.name && one.prefix == other.prefix && one.access == other.access
    }
}

impl Eq for Bucket {}

impl Bucket {
    fn of(name: String, prefix: Option<Path>, access: S3Access) -> Self {
        let (store, left, leaving) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { name, prefix, access, store, left, leaving }))
    }

    /// Where it is, in words: for what is said of the store itself.
    pub fn endpoint(&self) -> String {
        self.0.access.endpoint()
    }

    /// The client, which is made when it is first needed.
    fn store(&self) -> Result<AmazonS3, Trouble> {
        let mut made = self.0.store.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = &*made {
            return Ok(store.clone());
        }
        let access = &self.0.access;
        let Patience { retries, pause, longest } = access.patience;
        let retry = RetryConfig {
            backoff: BackoffConfig { init_backoff: pause, max_backoff: longest, base: 3.0 },
            max_retries: retries,
            // A request is signed once for all its tries, and stores take no signature that is older than a quarter of an hour.
            retry_timeout: wire::LONGEST,
        };
        let wire = wire::Wire::new(&access.authorities)?;
        let mut builder = AmazonS3Builder::new()
            .with_http_connector(wire)
            .with_retry(retry)
            .with_bucket_name(&self.0.name)
            .with_region(access.region())
            .with_endpoint(access.endpoint())
            // One request for each object: not every store takes them together.
            .with_disable_bulk_delete(true);
        if let (Some(id), Some(secret)) = (&access.key_id, &access.secret) {
            // Without both it would ask the machine's own metadata for keys.
            builder = builder.with_access_key_id(id).with_secret_access_key(secret.expose());
        } else {
            return Err(Trouble::new("no access key is configured (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"));
        }
        if let Some(token) = &access.token {
            builder = builder.with_token(token.expose());
        }
        if access.sha256 {
            builder = builder.with_checksum_algorithm(Checksum::SHA256);
        }
        let store = builder.build().map_err(|error| self.trouble(&error))?;
        Ok(made.insert(store).clone())
    }

    /// The object of this name below the prefix.
    fn path(&self, names: &[&str]) -> Path {
        let root = self.0.prefix.clone().unwrap_or_default();
        names.iter().fold(root, |path, name| path.join(*name))
    }

    /// Why it was not done, in words.
    fn trouble(&self, error: &Error) -> Trouble {
        trouble::told(error, &self.0)
    }

    /// Has the store do something.
    async fn ask<T, F>(&self, at: &str, deed: &'static str, work: impl FnOnce(AmazonS3) -> F) -> Result<T, BackupError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let wrong = |source| BackupError::Bucket { at: at.to_owned(), deed, source };
        let store = self.store().map_err(wrong)?;
        work(store).await.map_err(|error| wrong(self.trouble(&error)))
    }

    fn shown(&self, backup: &str, file: &str) -> String {
        format!("{self}/{backup}/{file}")
    }

    pub(super) async fn names(&self) -> Result<Vec<String>, BackupError> {
        let root = self.0.prefix.clone();
        let found = self
            .ask(&self.to_string(), "read", |store| async move { store.list_with_delimiter(root.as_ref()).await })
            .await?;
        // Whatever else lies here is somebody's, and left alone.
        let names = found.common_prefixes.iter().filter_map(Path::filename).filter(|name| list::is_name(name));
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    /// Everything below a name, however deep.
    async fn below(&self, name: &str) -> Result<Vec<ObjectMeta>, BackupError> {
        let path = self.path(&[name]);
        let at = format!("{self}/{name}");
        self.ask(&at, "read", |store| async move { store.list(Some(&path)).try_collect().await }).await
    }

    /// Whether nothing is there of this name. Only for who has claimed the place: there is nothing to hold a name by.
    pub(super) async fn is_free(&self, backup: &str) -> Result<bool, BackupError> {
        Ok(self.below(backup).await?.is_empty())
    }

    pub(super) fn get(&self, backup: &str, file: &str) -> mpsc::Receiver<io::Result<Vec<u8>>> {
        let (out, pieces) = mpsc::channel(4);
        let (bucket, path) = (self.clone(), self.path(&[backup, file]));
        tokio::spawn(async move {
            if let Err(trouble) = bucket.read(&path, &out).await {
                out.send(Err(io::Error::other(trouble))).await.ok();
            }
        });
        pieces
    }

    /// Reads an object, and goes on with it where the connection broke.
    async fn read(&self, path: &Path, out: &mpsc::Sender<io::Result<Vec<u8>>>) -> Result<(), Trouble> {
        let store = self.store()?;
        let mut at = 0;
        let mut options = GetOptions::default();
        loop {
            let began = at;
            let found = store.get_opts(path, options.clone()).await.map_err(|error| self.trouble(&error))?;
            let (size, tag) = (found.meta.size, found.meta.e_tag.clone());
            let mut pieces = found.into_stream();
            let error = loop {
                match pieces.next().await {
                    None => return Ok(()),
                    Some(Err(error)) => break error,
                    Some(Ok(piece)) => {
                        at += piece.len() as u64;
                        if out.send(Ok(piece.into())).await.is_err() {
                            return Ok(());
                        }
                    }
                }
            };
            // Each try has to bring something, and of the same object.
            if at == began || at >= size || tag.is_none() {
                return Err(self.trouble(&error));
            }
            options = GetOptions { range: Some(GetRange::Offset(at)), if_match: tag, ..GetOptions::default() };
        }
    }

    pub(super) async fn put_small(&self, backup: &str, file: &str, bytes: Vec<u8>) -> Result<(), BackupError> {
        let path = self.path(&[backup, file]);
        let put = |store: AmazonS3| async move { store.put(&path, bytes.into()).await };
        self.ask(&self.shown(backup, file), "written", put).await.map(drop)
    }

    pub(super) async fn small(&self, backup: &str, file: &str) -> Result<Option<Vec<u8>>, BackupError> {
        let path = self.path(&[backup, file]);
        let get = |store: AmazonS3| async move {
            let found = store.get(&path).await?;
            match found.meta.size {
                0..=SMALL => found.bytes().await.map(Some),
                _ => Ok(None),
            }
        };
        match self.ask(&self.shown(backup, file), "read", get).await {
            Ok(Some(bytes)) => Ok(Some(bytes.into())),
            Ok(None) => {
                let why = format!("{file} is larger than any that is written here");
                Err(BackupError::Manifest { name: backup.to_owned(), why })
            }
            Err(BackupError::Bucket { source, .. }) if source.absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn sizes(&self, backup: &str) -> Result<BTreeMap<String, u64>, BackupError> {
        let all = self.below(backup).await?;
        Ok(all.iter().filter_map(|one| Some((one.location.filename()?.to_owned(), one.size))).collect())
    }

    /// Takes an object away, if it is there. `at` names it in words.
    async fn remove(&self, at: &str, path: &Path) -> Result<(), BackupError> {
        match self.ask(at, "deleted", |store| async move { store.delete(path).await }).await {
            Err(BackupError::Bucket { source, .. }) if source.absent() => Ok(()),
            done => done,
        }
    }

    pub(super) async fn drop_part(&self, backup: &str, file: &str) -> Result<(), BackupError> {
        self.remove(&self.shown(backup, file), &self.path(&[backup, file])).await
    }

    pub(super) async fn delete(&self, backup: &str) -> Result<(), BackupError> {
        self.drop_part(backup, manifest::FILE).await?;
        for one in self.below(backup).await? {
            let file = one.location.filename().unwrap_or_default();
            if let Some(part) = file.strip_suffix(upload::NOTE) {
                self.abort_noted(backup, part).await?;
            }
            self.remove(&self.shown(backup, file), &one.location).await?;
        }
        Ok(())
    }

    /// Ends an upload in parts that was cut off. What of it is there shows in no list, and costs what it weighs.
    async fn abort_noted(&self, backup: &str, part: &str) -> Result<(), BackupError> {
        let Some(id) = self.small(backup, &format!("{part}{}", upload::NOTE)).await? else { return Ok(()) };
        let id = String::from_utf8_lossy(&id).into_owned();
        let path = self.path(&[backup, part]);
        let abort = |store: AmazonS3| async move { store.abort_multipart(&path, &id).await };
        match self.ask(&self.shown(backup, part), "deleted", abort).await {
            // It was ended, and only the note of it was left.
            Err(BackupError::Bucket { source, .. }) if source.absent() => Ok(()),
            done => done,
        }
    }

    /// Lists what is here, and writes, reads and deletes one small object.
    ///
    /// # Errors
    /// [`BackupError::Bucket`]: what cannot be done, and why.
    pub async fn try_out(&self) -> Result<(), BackupError> {
        self.names().await?;
        let (file, text) =
            (format!("{}.txt", BackupId::new()), "Guildhall was here and looked whether it can write.\n");
        self.put_small("doctor", &file, text.into()).await?;
        let read = self.small("doctor", &file).await;
        self.drop_part("doctor", &file).await?;
        if read?.as_deref() == Some(text.as_bytes()) {
            return Ok(());
        }
        let source = Trouble::new("what came back is not what was written");
        Err(BackupError::Bucket { at: self.shown("doctor", &file), deed: "read", source })
    }
}
