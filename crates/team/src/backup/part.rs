//! One part on its way out, and back: compressed, sealed, counted.

use std::io::{self, BufRead, BufReader, Read, Write};

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::manifest::Part;
use super::seal::{Opening, Sealing};
use super::{BackupError, BackupKey, Shelf, Trouble};

/// Bytes that are handed on at once.
const PIECE: usize = 256 * 1024;
/// How hard Zstandard tries: about as fast as the disk.
const LEVEL: i32 = 3;

/// A destination, and how parts of one backup are put there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) shelf: &'a Shelf,
    pub(super) backup: &'a str,
    pub(super) key: Option<&'a BackupKey>,
}

impl Parts<'_> {
    /// Puts what `fill` writes there as a part. `fill` may wait for what it writes.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        name: &str,
        compressed: bool,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<T> + Send + 'static,
    ) -> Result<(Part, T), BackupError> {
        let file = if self.key.is_some() { format!("{name}.sealed") } else { name.to_owned() };
        let (out, pieces) = mpsc::channel(4);
        let put = self.shelf.put(self.backup, &file, pieces);
        let (key, backup, own) = (self.key.cloned(), self.backup.to_owned(), file.clone());
        let make = tokio::task::spawn_blocking(move || {
            let mut counted = Counted { out, piece: Vec::with_capacity(PIECE), hasher: Sha256::new(), bytes: 0 };
            let value = match &key {
                Some(key) => {
                    let mut sealing = Sealing::begin(&mut counted, key, &backup, &own)?;
                    let value = packed(&mut sealing, compressed, fill)?;
                    sealing.finish()?;
                    value
                }
                None => packed(&mut counted, compressed, fill)?,
            };
            counted.flush()?;
            let Counted { hasher, bytes, .. } = counted;
            Ok::<_, io::Error>((Part { file: own, bytes, sha256: hex(&hasher.finalize()), compressed }, value))
        });
        let (put, made) = tokio::join!(put, make);
        // When both failed, the other end was gone because the disk was full, or the like.
        put?;
        made.map_err(BackupError::internal("the writing of a part"))?
            .map_err(BackupError::file(format!("{}/{}/{file}", self.shelf, self.backup), "written"))
    }

    /// Gives a part to `eat`, which must read all of it, and checks it against what the manifest says.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        part: &Part,
        eat: impl FnOnce(&mut dyn BufRead) -> io::Result<T> + Send + 'static,
    ) -> Result<T, BackupError> {
        let pieces = self.shelf.get(self.backup, &part.file);
        let (key, backup, own) = (self.key.cloned(), self.backup.to_owned(), part.clone());
        let read = tokio::task::spawn_blocking(move || {
            let mut from = Came { pieces, piece: Vec::new(), at: 0, hasher: Sha256::new(), bytes: 0, failed: None };
            let eaten = unpacked(&mut from, key.as_ref(), &backup, &own, eat);
            // Whatever was wrong: what is there is compared first, which tells more.
            io::copy(&mut from, &mut io::sink()).ok();
            let Came { hasher, bytes, failed, .. } = from;
            let damaged = |why: String| Err(Wrong::Damaged(why));
            match failed.map(io::Error::downcast::<Trouble>) {
                Some(Ok(trouble)) if !trouble.absent() => Err(Wrong::Away(trouble)),
                Some(Ok(absent)) => damaged(absent.to_string()),
                Some(Err(error)) => damaged(error.to_string()),
                None if bytes != own.bytes => {
                    damaged(format!("it has {bytes} bytes, and the manifest says {}", own.bytes))
                }
                None if hex(&hasher.finalize()) != own.sha256 => {
                    damaged("its bytes are not those that were written (SHA-256)".to_owned())
                }
                None => eaten.or_else(|error| damaged(error.to_string())),
            }
        });
        let read = read.await.map_err(BackupError::internal("the reading of a part"))?;
        read.map_err(|wrong| match wrong {
            Wrong::Damaged(why) => BackupError::Damaged { part: part.file.clone(), name: self.backup.to_owned(), why },
            Wrong::Away(source) => {
                let at = format!("{}/{}/{}", self.shelf, self.backup, part.file);
                BackupError::Bucket { at, deed: "read", source }
            }
        })
    }

    /// Looks whether a part is as it was written, without opening it.
    pub(super) async fn check(&self, part: &Part) -> Result<(), BackupError> {
        let plain = Part { compressed: false, ..part.clone() };
        let eat = |from: &mut dyn BufRead| io::copy(from, &mut io::sink());
        Parts { key: None, ..*self }.read(&plain, eat).await.map(|_| ())
    }
}

/// Why a part could not be read.
enum Wrong {
    /// It is not as it was written.
    Damaged(String),
    /// Where it is could not be reached, which says nothing of it.
    Away(Trouble),
}

fn packed<T>(
    out: &mut dyn Write,
    compressed: bool,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<T> {
    if !compressed {
        return fill(out);
    }
    let mut squeezing = zstd::Encoder::new(out, LEVEL)?;
    squeezing.include_checksum(true)?;
    let value = fill(&mut squeezing)?;
    squeezing.finish()?;
    Ok(value)
}

fn unpacked<T>(
    from: &mut Came,
    key: Option<&BackupKey>,
    backup: &str,
    part: &Part,
    eat: impl FnOnce(&mut dyn BufRead) -> io::Result<T>,
) -> io::Result<T> {
    let mut opened: Box<dyn Read + '_> = match key {
        Some(key) => Box::new(Opening::begin(from, key, backup, &part.file)?),
        None => Box::new(from),
    };
    if !part.compressed {
        return whole(&mut BufReader::with_capacity(PIECE, &mut opened), eat);
    }
    let unsqueezed = zstd::Decoder::new(&mut opened)?;
    whole(&mut BufReader::with_capacity(PIECE, unsqueezed), eat)
}

/// What follows belongs to the part as well, and must open.
fn whole<T>(from: &mut dyn BufRead, eat: impl FnOnce(&mut dyn BufRead) -> io::Result<T>) -> io::Result<T> {
    let value = eat(from)?;
    io::copy(from, &mut io::sink())?;
    Ok(value)
}

/// Hands bytes on in pieces, and knows what they come to.
struct Counted {
    out: mpsc::Sender<Vec<u8>>,
    piece: Vec<u8>,
    hasher: Sha256,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.out.blocking_send(piece).map_err(|_| io::Error::other("the destination takes no more"))
    }
}

/// Bytes that come in pieces, and what they come to.
struct Came {
    pieces: mpsc::Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    at: usize,
    hasher: Sha256,
    bytes: u64,
    failed: Option<io::Error>,
}

impl Read for Came {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            match self.pieces.blocking_recv() {
                None => return Ok(0),
                Some(Ok(piece)) => (self.piece, self.at) = (piece, 0),
                Some(Err(error)) => {
                    let told = io::Error::new(error.kind(), error.to_string());
                    self.failed = Some(error);
                    return Err(told);
                }
            }
        }
        let given = into.len().min(self.piece.len() - self.at);
        let bytes = &self.piece[self.at..self.at + given];
        into[..given].copy_from_slice(bytes);
        self.hasher.update(bytes);
        self.bytes += given as u64;
        self.at += given;
        Ok(given)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
