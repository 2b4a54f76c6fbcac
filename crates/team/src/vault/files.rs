//! Where key-encryption keys are kept: files that their owner alone can read.
//!
//! Each key names itself, by a hash, so a file's name says nothing that matters. A file comes to be whole or not at all, and
//! none is ever written over.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{Generate, Key, KeyInit};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{KEY, VaultError};

/// How the names of key files in the folder end.
const KIND: &str = "key";
/// How the names of files end that are still being written.
const UNFINISHED: &str = "new";

/// Where the keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFiles {
    /// The key that the first start makes. Its folder holds the later ones.
    pub first: PathBuf,
    /// A file of the operator's with one key on each line; never written to.
    pub given: Option<PathBuf>,
    /// Whether something else than the file's mode keeps others from `given`, and its group may so have the right to read
    /// it: systemd gives a service its credentials by an access list, which shows as that.
    pub guarded: bool,
}

/// A key that was read.
pub(super) struct Held {
    pub(super) id: String,
    pub(super) cipher: XChaCha20Poly1305,
    pub(super) path: PathBuf,
}

impl KeyFiles {
    /// Keys in the folder of `first` alone.
    pub fn new(first: &Path) -> Self {
        Self { first: first.to_owned(), given: None, guarded: false }
    }

    fn folder(&self) -> &Path {
        self.first.parent().unwrap_or(Path::new("."))
    }

    /// Reads every key: the operator's first, then the first one, then the others in the order of their names.
    pub(super) fn read(&self) -> Result<Vec<Held>, VaultError> {
        let mut all = Vec::new();
        if let Some(given) = &self.given {
            all.extend(read(given, self.guarded)?);
        }
        let failed = |source| VaultError::File { path: self.folder().to_owned(), deed: "read", source };
        let mut paths = match fs::read_dir(self.folder()) {
            Ok(entries) => {
                entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        paths.retain(|path| *path == self.first || path.extension().is_some_and(|kind| kind == KIND));
        paths.sort_by_key(|path| (*path != self.first, path.clone()));
        for path in paths {
            match read(&path, false) {
                // It went since the folder was read.
                Err(VaultError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                other => all.extend(other?),
            }
        }
        Ok(all)
    }

    /// Makes the first key. The caller sees to it that nobody else does so at the same time.
    pub(super) fn make_first(&self) -> Result<PathBuf, VaultError> {
        let key = Zeroizing::new(<[u8; KEY]>::from(Key::<XChaCha20Poly1305>::generate()));
        write(&self.first, &key)?;
        Ok(self.first.clone())
    }

    /// Makes one more key. The caller sees to it that nobody else does so at the same time.
    pub(super) fn make(&self) -> Result<(String, PathBuf), VaultError> {
        if let Some(given) = &self.given {
            return Err(VaultError::Given { path: given.clone() });
        }
        self.sweep();
        let key = Zeroizing::new(<[u8; KEY]>::from(Key::<XChaCha20Poly1305>::generate()));
        let id = name(&key);
        let path = self.folder().join(format!("{id}.{KIND}"));
        write(&path, &key)?;
        Ok((id, path))
    }

    /// Takes away what a process left that was killed while it wrote a key. Nothing was sealed under those.
    fn sweep(&self) {
        let entries = fs::read_dir(self.folder()).into_iter().flatten().flatten();
        for path in
            entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|kind| kind == UNFINISHED))
        {
            drop(fs::remove_file(path));
        }
    }
}

/// A hash of a random key tells nothing about it, and names it without a second secret to keep.
fn name(key: &[u8; KEY]) -> String {
    Sha256::digest(key)[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(path: &Path, guarded: bool) -> Result<Vec<Held>, VaultError> {
    let failed = |source| VaultError::File { path: path.to_owned(), deed: "read", source };
    let mode = fs::metadata(path).map_err(failed)?.mode() & 0o777;
    let others = if guarded { 0o037 } else { 0o077 };
    if mode & others != 0 {
        return Err(VaultError::Exposed { path: path.to_owned(), mode });
    }
    let not_a_key = || VaultError::NotAKey { path: path.to_owned() };
    let text = Zeroizing::new(fs::read(path).map_err(failed)?);
    let text = std::str::from_utf8(&text).map_err(|_| not_a_key())?;
    let mut keys = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let bytes = Zeroizing::new(BASE64.decode(line).map_err(|_| not_a_key())?);
        let key: &[u8; KEY] = bytes.as_slice().try_into().map_err(|_| not_a_key())?;
        keys.push(Held { id: name(key), cipher: XChaCha20Poly1305::new(key.into()), path: path.to_owned() });
    }
    if keys.is_empty() {
        return Err(not_a_key());
    }
    Ok(keys)
}

/// Writes a key beside its place, and puts it there when it is safe on the disk: a kill at any moment leaves all or nothing.
fn write(path: &Path, key: &[u8; KEY]) -> Result<(), VaultError> {
    let failed = |source| VaultError::File { path: path.to_owned(), deed: "made", source };
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let text = Zeroizing::new(BASE64.encode(key) + "\n");
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(".{UNFINISHED}"));
    let unfinished = PathBuf::from(unfinished);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    if path.exists() {
        return Err(failed(io::ErrorKind::AlreadyExists.into()));
    }
    fs::rename(&unfinished, path).map_err(failed)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
