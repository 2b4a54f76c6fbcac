//! The vault seals members' keys.
//!
//! Each secret has a data key of its own, which seals it; the team's key-encryption key seals the data key. A change of
//! the key-encryption key so needs only the small wrapped keys written anew. Both seals are XChaCha20-Poly1305 with a
//! random nonce, and both carry the identity of the row as associated data: a sealed key that is moved to another
//! member's row does not open.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead, Generate, Key, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use guildhall_store::SealedSecret;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

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
    #[error("the key file {path} does not hold 32 bytes in base64; restore it from your backup")]
    NotAKey {
        /// Which file.
        path: PathBuf,
    },
    /// The secret was sealed under a key that this vault does not have.
    #[error("this secret was sealed under the key {key_id}, which this server does not have; restore that key file")]
    UnknownKey {
        /// Which key.
        key_id: String,
    },
    /// The seal does not open: the row was changed or moved.
    #[error("a sealed secret does not open: its row was changed or moved; put the key in place again")]
    Broken,
}

/// Seals and opens secrets under the team's key-encryption key.
pub struct Vault {
    key_id: String,
    cipher: XChaCha20Poly1305,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl Vault {
    /// Opens the vault with the key in `path`, or makes a new key there, readable by the owner alone.
    /// Returns whether the key was made now.
    ///
    /// # Errors
    /// When the file cannot be read or made, may be read by others, or holds no key.
    pub fn open_or_create(path: &Path) -> Result<(Self, bool), VaultError> {
        match Self::read(path) {
            Err(VaultError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Self::make(path)?;
                Ok((Self::read(path)?, true))
            }
            other => Ok((other?, false)),
        }
    }

    fn read(path: &Path) -> Result<Self, VaultError> {
        let failed = |source| VaultError::File { path: path.to_owned(), deed: "read", source };
        let mode = fs::metadata(path).map_err(failed)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(VaultError::Exposed { path: path.to_owned(), mode });
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
        let mut bytes = BASE64.decode(text.trim()).map_err(|_| VaultError::NotAKey { path: path.to_owned() })?;
        let vault = Self::with_key(&bytes).ok_or_else(|| VaultError::NotAKey { path: path.to_owned() });
        bytes.zeroize();
        vault
    }

    fn make(path: &Path) -> Result<(), VaultError> {
        let failed = |source| VaultError::File { path: path.to_owned(), deed: "made", source };
        let key = Key::<XChaCha20Poly1305>::generate();
        let text = Zeroizing::new(BASE64.encode(key) + "\n");
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
    }

    fn with_key(bytes: &[u8]) -> Option<Self> {
        let key: &[u8; KEY] = bytes.try_into().ok()?;
        // A hash of a random key tells nothing about it, and names it without a second secret to keep.
        let key_id = Sha256::digest(key)[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Self { key_id, cipher: XChaCha20Poly1305::new(key.into()) })
    }

    /// Names the key-encryption key.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Seals `secret` for the row that `identity` names.
    ///
    /// # Errors
    /// [`VaultError::Broken`] if the cipher refuses, which it does only for secrets of hundreds of gigabytes.
    pub fn seal(&self, identity: &str, secret: &[u8]) -> Result<SealedSecret, VaultError> {
        let data_key = Zeroizing::new(<[u8; KEY]>::from(Key::<XChaCha20Poly1305>::generate()));
        let data = XChaCha20Poly1305::new((&*data_key).into());
        Ok(SealedSecret {
            identity: identity.to_owned(),
            key_id: self.key_id.clone(),
            wrapped_key: encrypt(&self.cipher, identity, &*data_key)?,
            sealed: encrypt(&data, identity, secret)?,
        })
    }

    /// Opens what was sealed for the row that `identity` names.
    ///
    /// # Errors
    /// When it was sealed under another key, for another row, or was changed.
    pub fn open(&self, identity: &str, sealed: &SealedSecret) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        if sealed.key_id != self.key_id {
            return Err(VaultError::UnknownKey { key_id: sealed.key_id.clone() });
        }
        let data_key = decrypt(&self.cipher, identity, &sealed.wrapped_key)?;
        let data_key: &[u8; KEY] = data_key.as_slice().try_into().map_err(|_| VaultError::Broken)?;
        decrypt(&XChaCha20Poly1305::new(data_key.into()), identity, &sealed.sealed)
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
