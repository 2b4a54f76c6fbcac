//! Sealing of parts: a stream of chunks, each encrypted and authenticated, in which none can be changed, left out, moved or cut
//! off without that showing.
//!
//! A part is sealed with a key of its own, made of the operator's key, a random salt, and the names of backup and part; so a
//! part cannot be put in another's place, and chunks can simply be counted. The last one is marked. This is the STREAM
//! construction (Hoang, Reyhanitabar, Rogaway, Vizár: Online authenticated-encryption and its nonce-reuse misuse-resistance)
//! over XChaCha20-Poly1305, which seals members' keys as well.

use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead, Generate, Key, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::BackupError;

/// Names what follows.
const MAGIC: &[u8; 19] = b"guildhall sealed 1\n";
/// Bytes of a chunk before it is sealed. The last one of a part may be shorter, and empty.
const CHUNK: usize = 64 * 1024;
/// Bytes by which sealing makes a chunk longer.
const TAG: usize = 16;
const SALT: usize = 32;
const KEY: usize = 32;

/// A key that backups are sealed with. The operator's own: Guildhall keeps it nowhere.
#[derive(Clone)]
pub struct BackupKey {
    key: Zeroizing<[u8; KEY]>,
    name: String,
}

impl std::fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BackupKey").field("name", &self.name).finish_non_exhaustive()
    }
}

impl BackupKey {
    /// Reads a key: 32 random bytes in base64, in a file that its owner alone can read.
    ///
    /// # Errors
    /// [`BackupError::KeyFile`].
    pub fn read(path: &Path) -> Result<Self, BackupError> {
        let unusable = |why: String| BackupError::KeyFile { path: path.display().to_string(), why };
        let mode = std::fs::metadata(path).map_err(|error| unusable(error.to_string()))?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(unusable(format!("others can read it (mode {mode:o}); run chmod 600 on it")));
        }
        let text = Zeroizing::new(std::fs::read(path).map_err(|error| unusable(error.to_string()))?);
        let no_key = || unusable("it must hold 32 random bytes in base64: head -c 32 /dev/urandom | base64".to_owned());
        let line = std::str::from_utf8(&text).map_err(|_| no_key())?.trim();
        let bytes = Zeroizing::new(BASE64.decode(line).map_err(|_| no_key())?);
        let key: [u8; KEY] = bytes.as_slice().try_into().map_err(|_| no_key())?;
        Ok(Self::of(key))
    }

    fn of(key: [u8; KEY]) -> Self {
        // A hash of a random key tells nothing about it.
        let hash = Sha256::new().chain_update(b"guildhall backup key").chain_update(key).finalize();
        Self { key: Zeroizing::new(key), name: hash[..6].iter().map(|byte| format!("{byte:02x}")).collect() }
    }

    /// Names the key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key of one part.
    fn for_part(&self, salt: &[u8; SALT], backup: &str, file: &str) -> io::Result<XChaCha20Poly1305> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.key).map_err(io::Error::other)?;
        mac.update(b"guildhall backup part\0");
        mac.update(salt);
        mac.update(backup.as_bytes());
        mac.update(b"\0");
        mac.update(file.as_bytes());
        let key = Zeroizing::new(<[u8; KEY]>::from(mac.finalize().into_bytes()));
        Ok(XChaCha20Poly1305::new((&*key).into()))
    }
}

/// The nonce of a chunk: its number, and whether it is the last one.
fn nonce(number: u64, last: bool) -> XNonce {
    let mut nonce = [0; 24];
    nonce[15..23].copy_from_slice(&number.to_be_bytes());
    nonce[23] = last.into();
    nonce.into()
}

/// Seals what is written into it. Only [`Sealing::finish`] makes a part of it.
pub(super) struct Sealing<W> {
    out: W,
    cipher: XChaCha20Poly1305,
    chunk: Vec<u8>,
    number: u64,
}

impl<W: Write> Sealing<W> {
    pub(super) fn begin(mut out: W, key: &BackupKey, backup: &str, file: &str) -> io::Result<Self> {
        let salt = <[u8; SALT]>::from(Key::<XChaCha20Poly1305>::generate());
        out.write_all(MAGIC)?;
        out.write_all(&salt)?;
        Ok(Self { out, cipher: key.for_part(&salt, backup, file)?, chunk: Vec::with_capacity(CHUNK), number: 0 })
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let nonce = nonce(self.number, last);
        let sealed = self.cipher.encrypt(&nonce, self.chunk.as_slice());
        self.out.write_all(&sealed.map_err(|_| io::Error::other("the cipher refused a chunk"))?)?;
        self.chunk.clear();
        self.number += 1;
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits for more: the last one must be known as such.
        if self.chunk.len() == CHUNK {
            self.seal(false)?;
        }
        let taken = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens what was sealed.
pub(super) struct Opening<R> {
    from: R,
    cipher: XChaCha20Poly1305,
    /// Sealed bytes, up to one more than a chunk: whether anything follows tells whether a chunk is the last.
    sealed: Vec<u8>,
    open: Vec<u8>,
    at: usize,
    number: u64,
    ended: bool,
}

impl<R: Read> Opening<R> {
    pub(super) fn begin(mut from: R, key: &BackupKey, backup: &str, file: &str) -> io::Result<Self> {
        let mut magic = [0; MAGIC.len()];
        let mut salt = [0; SALT];
        from.read_exact(&mut magic)?;
        from.read_exact(&mut salt)?;
        if magic != *MAGIC {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not sealed as it should be"));
        }
        let cipher = key.for_part(&salt, backup, file)?;
        Ok(Self { from, cipher, sealed: Vec::new(), open: Vec::new(), at: 0, number: 0, ended: false })
    }

    fn next(&mut self) -> io::Result<()> {
        let wanted = CHUNK + TAG + 1 - self.sealed.len();
        (&mut self.from).take(wanted as u64).read_to_end(&mut self.sealed)?;
        let last = self.sealed.len() <= CHUNK + TAG;
        let rest = if last { Vec::new() } else { self.sealed.split_off(CHUNK + TAG) };
        let opened = self.cipher.decrypt(&nonce(self.number, last), self.sealed.as_slice());
        self.open = opened.map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "it does not open: it was changed or cut off, or the key is another",
            )
        })?;
        (self.at, self.sealed, self.ended) = (0, rest, last);
        self.number += 1;
        Ok(())
    }
}

impl<R: Read> Read for Opening<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.open.len() {
            if self.ended {
                return Ok(0);
            }
            self.next()?;
        }
        let given = into.len().min(self.open.len() - self.at);
        into[..given].copy_from_slice(&self.open[self.at..self.at + given]);
        self.at += given;
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(key: &BackupKey, bytes: &[u8]) -> Vec<u8> {
        let mut sealing = Sealing::begin(Vec::new(), key, "b", "f").unwrap();
        sealing.write_all(bytes).unwrap();
        sealing.finish().unwrap()
    }

    fn opened(key: &BackupKey, backup: &str, sealed: &[u8]) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        Opening::begin(sealed, key, backup, "f")?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn what_is_sealed_opens_whole_whatever_its_length_and_any_change_shows() {
        let (key, other) = (BackupKey::of([7; KEY]), BackupKey::of([8; KEY]));
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 5] {
            let bytes: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            let sealed = sealed(&key, &bytes);
            assert_eq!(opened(&key, "b", &sealed).unwrap(), bytes, "{length}");
            assert!(opened(&other, "b", &sealed).is_err() && opened(&key, "c", &sealed).is_err());
            // A bit anywhere, the end missing, a whole chunk missing at the end or in between.
            for at in [0, 20, MAGIC.len() + SALT, sealed.len() - 1] {
                let mut flipped = sealed.clone();
                flipped[at] ^= 1;
                assert!(opened(&key, "b", &flipped).is_err(), "{length}: byte {at}");
            }
            assert!(opened(&key, "b", &sealed[..sealed.len() - 1]).is_err(), "{length}");
            let head = MAGIC.len() + SALT;
            if length > CHUNK {
                assert!(opened(&key, "b", &sealed[..head + CHUNK + TAG]).is_err(), "{length}");
                let mut without = sealed[..head].to_vec();
                without.extend(&sealed[head + CHUNK + TAG..]);
                assert!(opened(&key, "b", &without).is_err(), "{length}");
            }
        }
        assert_ne!(sealed(&key, b"same"), sealed(&key, b"same"));
        assert!(!format!("{key:?}").contains("[7") && key.name() != other.name());
    }

    #[test]
    fn a_key_file_is_the_owners_alone_and_holds_one_key() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, format!("{}\n", BASE64.encode([7; KEY]))).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(BackupKey::read(&path).unwrap_err().to_string().contains("chmod 600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(BackupKey::read(&path).unwrap().name(), BackupKey::of([7; KEY]).name());
        std::fs::write(&path, "short").unwrap();
        let told = BackupKey::read(&path).unwrap_err().to_string();
        assert!(told.contains("32 random bytes") && !told.contains("short"), "{told}");
    }
}
