//! The vault seals members' keys.
//!
//! Each secret has a data key of its own, which seals it; a key-encryption key seals the data key. A change of
//! the key-encryption key so needs only the small wrapped keys written anew. The vault opens what is sealed under any of the
//! keys that are there, and seals under the current one; which that is, the database says. Both seals are XChaCha20-Poly1305 with a
//! random nonce, and both carry the identity of the row as associated data: a sealed key that is moved to another
//! member's row does not open.

mod files;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use chacha20poly1305::aead::{Aead, Generate, Key, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use guildhall_store::{SealedSecret, WrappedKey};
use zeroize::Zeroizing;

use files::Held;
pub use files::KeyFiles;

const NONCE: usize = 24;
const KEY: usize = 32;

/// What went wrong with the vault.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The key file could not be read or made.
    #[error("the key file {path} could not be {deed}")]
    File {
        /// Which file.
        path: PathBuf,
        /// "read" or "made".
        deed: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The key file may be read by others.
    #[error("the key file {path} may be read by others (mode {mode:o}); run: chmod 600 {path}")]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The key file does not hold a key.
    #[error("the key file {path} does not hold 32 bytes in base64 (on each line); restore it from your backup")]
    NotAKey {
        /// Which file.
        path: PathBuf,
    },
    /// The keys are the operator's, and no file of theirs is written.
    #[error(
        "the keys are read from {path}, which Guildhall never writes: add a line made by `head -c 32 /dev/urandom | base64` below those that are there, bring the file to every server, then run `guildhall keys list`, which shows the new key's ID, and `guildhall keys rotate --to ID`"
    )]
    Given {
        /// Which file.
        path: PathBuf,
    },
    /// The secret was sealed under a key that this vault does not have.
    #[error(
        "this secret was sealed under the key {key_id}, which this server does not have; restore that key file, or put the secret in place again"
    )]
    UnknownKey {
        /// Which key.
        key_id: String,
    },
    /// The key under which new secrets are sealed is not here.
    #[error(
        "secrets are sealed under the key {key_id}, whose file this server does not have; an operator copies it into the folder of keys, from another server or from a backup (`guildhall doctor` tells more)"
    )]
    Lacking {
        /// Which key.
        key_id: String,
    },
    /// There is no key at all.
    #[error("there is no key to seal secrets with; start the server once, which makes one")]
    Empty,
    /// The seal does not open: the row was changed or moved.
    #[error("a sealed secret does not open: its row was changed or moved; put the key in place again")]
    Broken,
}

/// Seals secrets under the current key-encryption key, and opens them under every one that is there.
pub struct Vault {
    files: KeyFiles,
    ring: RwLock<Ring>,
}

#[derive(Default)]
struct Ring {
    keys: BTreeMap<String, XChaCha20Poly1305>,
    current: Option<String>,
}

/// Where a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPlace {
    /// Names the key.
    pub id: String,
    /// The file that it is in.
    pub path: PathBuf,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("key_id", &self.key_id()).finish_non_exhaustive()
    }
}

impl Vault {
    /// Opens the vault with the keys in the folder of `path`, or makes a first key there, readable by the owner alone.
    /// Returns whether the key was made now.
    ///
    /// # Errors
    /// When a file cannot be read or made, may be read by others, or holds no key.
    pub fn open_or_create(path: &Path) -> Result<(Self, bool), VaultError> {
        let vault = Self::open_files(KeyFiles::new(path))?;
        let made = vault.key_id().is_none();
        if made {
            vault.make_first()?;
        }
        Ok((vault, made))
    }

    /// Opens the vault with the keys that are there. Until it is told which is current, it is the operator's first, else
    /// the one that the first start made.
    ///
    /// # Errors
    /// When a file cannot be read, may be read by others, or holds no key.
    pub fn open_files(files: KeyFiles) -> Result<Self, VaultError> {
        let vault = Self { files, ring: RwLock::default() };
        let held = vault.reload()?;
        vault.change(|ring| ring.current = held.into_iter().next().map(|place| place.id));
        Ok(vault)
    }

    /// Makes a first key and takes it as the current one. Returns where it is.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn make_first(&self) -> Result<PathBuf, VaultError> {
        let path = self.files.make_first()?;
        let held = self.reload()?;
        self.change(|ring| ring.current = held.into_iter().find(|place| place.path == path).map(|place| place.id));
        Ok(path)
    }

    /// Makes a key that is not yet used for anything.
    ///
    /// # Errors
    /// [`VaultError::Given`] when the keys are the operator's; when the file cannot be made.
    pub fn make_key(&self) -> Result<KeyPlace, VaultError> {
        let (id, path) = self.files.make()?;
        self.reload()?;
        Ok(KeyPlace { id, path })
    }

    /// Reads the key files anew and says which are there. A key that was there before stays in memory.
    ///
    /// # Errors
    /// When a file cannot be read, may be read by others, or holds no key.
    pub fn reload(&self) -> Result<Vec<KeyPlace>, VaultError> {
        let held = self.files.read()?;
        let places = held.iter().map(|Held { id, path, .. }| KeyPlace { id: id.clone(), path: path.clone() }).collect();
        self.change(|ring| ring.keys.extend(held.into_iter().map(|Held { id, cipher, .. }| (id, cipher))));
        Ok(places)
    }

    /// Where keys are looked for.
    pub fn files(&self) -> &KeyFiles {
        &self.files
    }

    /// Names the key under which secrets are sealed.
    pub fn key_id(&self) -> Option<String> {
        self.look(|ring| ring.current.clone())
    }

    /// Seals under this key from now on.
    ///
    /// # Errors
    /// [`VaultError::Lacking`] when it is not here: until its file is, nothing is sealed at all, least of all under an
    /// earlier key. When the key files cannot be read.
    pub fn turn_to(&self, id: &str) -> Result<(), VaultError> {
        self.change(|ring| ring.current = Some(id.to_owned()));
        match self.cipher(id)? {
            Some(_) => Ok(()),
            None => Err(VaultError::Lacking { key_id: id.to_owned() }),
        }
    }

    /// Whether this key is here.
    ///
    /// # Errors
    /// When the key files cannot be read.
    pub fn holds(&self, id: &str) -> Result<bool, VaultError> {
        Ok(self.cipher(id)?.is_some())
    }

    /// The cipher of a key. One that is not known is looked for on the disk: it may have come since.
    fn cipher(&self, id: &str) -> Result<Option<XChaCha20Poly1305>, VaultError> {
        let known = || self.look(|ring| ring.keys.get(id).cloned());
        if let Some(cipher) = known() {
            return Ok(Some(cipher));
        }
        self.reload()?;
        Ok(known())
    }

    fn look<T>(&self, look: impl FnOnce(&Ring) -> T) -> T {
        look(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Ring)) {
        change(&mut self.ring.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Seals `secret` for the row that `identity` names.
    ///
    /// # Errors
    /// [`VaultError::Lacking`] when the current key is not here, and [`VaultError::Broken`] if the cipher refuses, which it
    /// does only for secrets of hundreds of gigabytes.
    pub fn seal(&self, identity: &str, secret: &[u8]) -> Result<SealedSecret, VaultError> {
        let key_id = self.key_id().ok_or(VaultError::Empty)?;
        let cipher = self.cipher(&key_id)?.ok_or_else(|| VaultError::Lacking { key_id: key_id.clone() })?;
        let data_key = Zeroizing::new(<[u8; KEY]>::from(Key::<XChaCha20Poly1305>::generate()));
        let data = XChaCha20Poly1305::new((&*data_key).into());
        Ok(SealedSecret {
            identity: identity.to_owned(),
            key_id,
            wrapped_key: encrypt(&cipher, identity, &*data_key)?,
            sealed: encrypt(&data, identity, secret)?,
        })
    }

    /// Opens what was sealed for the row that `identity` names, under whichever key.
    ///
    /// # Errors
    /// When it was sealed under a key that is not here, for another row, or was changed.
    pub fn open(&self, identity: &str, sealed: &SealedSecret) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let data_key = self.data_key(identity, &sealed.key_id, &sealed.wrapped_key)?;
        let data_key: &[u8; KEY] = data_key.as_slice().try_into().map_err(|_| VaultError::Broken)?;
        decrypt(&XChaCha20Poly1305::new(data_key.into()), identity, &sealed.sealed)
    }

    /// Seals the data key of a secret anew, under the key `to`. The secret itself is not touched.
    ///
    /// # Errors
    /// When one of the keys is not here, or the data key does not open.
    pub fn rewrap(&self, old: &WrappedKey, to: &str) -> Result<WrappedKey, VaultError> {
        let data_key = self.data_key(&old.identity, &old.key_id, &old.wrapped_key)?;
        let cipher = self.cipher(to)?.ok_or_else(|| VaultError::Lacking { key_id: to.to_owned() })?;
        let wrapped_key = encrypt(&cipher, &old.identity, &data_key)?;
        Ok(WrappedKey { identity: old.identity.clone(), key_id: to.to_owned(), wrapped_key })
    }

    fn data_key(&self, identity: &str, key_id: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let cipher = self.cipher(key_id)?.ok_or_else(|| VaultError::UnknownKey { key_id: key_id.to_owned() })?;
        decrypt(&cipher, identity, wrapped)
    }
}

fn encrypt(cipher: &XChaCha20Poly1305, identity: &str, secret: &[u8]) -> Result<Vec<u8>, VaultError> {
    let nonce = XNonce::generate();
    let payload = Payload { msg: secret, aad: identity.as_bytes() };
    let mut out = nonce.to_vec();
    out.extend(cipher.encrypt(&nonce, payload).map_err(|_| VaultError::Broken)?);
    Ok(out)
}

fn decrypt(cipher: &XChaCha20Poly1305, identity: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let (nonce, ciphertext) = sealed.split_at_checked(NONCE).ok_or(VaultError::Broken)?;
    let nonce = <&XNonce>::try_from(nonce).map_err(|_| VaultError::Broken)?;
    let payload = Payload { msg: ciphertext, aad: identity.as_bytes() };
    cipher.decrypt(nonce, payload).map(Zeroizing::new).map_err(|_| VaultError::Broken)
}

#[cfg(test)]
mod tests;
