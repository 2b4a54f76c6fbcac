//! Putting a part there whose length nobody knows before it ends, without holding it in memory.

use bytes::Bytes;
use object_store::aws::AmazonS3;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt, PutPayload};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Bucket;
use crate::backup::BackupError;

/// Bytes that go in one request. All parts of an upload but its last are of one size, as some stores ask.
const SIZE: usize = 16 * 1024 * 1024;
/// How many requests an upload may have: so much is S3's own limit.
const MOST: usize = 10_000;
/// Requests at once; one more is being gathered meanwhile.
const AT_ONCE: usize = 2;
/// An upload in parts is noted beside what comes of it, so that one that was cut off can be ended by somebody else.
pub(super) const NOTE: &str = ".upload";

/// Cuts a stream into pieces of one size.
struct Cutter {
    pieces: mpsc::Receiver<Vec<u8>>,
    rest: Bytes,
}

impl Cutter {
    /// The next so many bytes; fewer at the end only.
    async fn next(&mut self, size: usize) -> PutPayload {
        let (mut taken, mut length) = (Vec::new(), 0);
        while length < size {
            if self.rest.is_empty() {
                match self.pieces.recv().await {
                    Some(piece) => self.rest = piece.into(),
                    None => break,
                }
            }
            let piece = self.rest.split_to(self.rest.len().min(size - length));
            length += piece.len();
            taken.push(piece);
        }
        taken.into_iter().collect()
    }
}

impl Bucket {
    pub(in crate::backup) async fn put(
        &self,
        backup: &str,
        file: &str,
        pieces: mpsc::Receiver<Vec<u8>>,
    ) -> Result<(), BackupError> {
        let (path, note) = (self.path(&[backup, file]), self.path(&[backup, &format!("{file}{NOTE}")]));
        let mut cutter = Cutter { pieces, rest: Bytes::new() };
        let first = cutter.next(SIZE).await;
        self.ask(&self.shown(backup, file), "written", |store| async move {
            if first.content_length() < SIZE {
                return store.put(&path, first).await.map(drop);
            }
            let id = store.create_multipart(&path).await?;
            let done = in_parts(&store, &path, &note, &id, first, &mut cutter).await;
            if done.is_err() {
                // If that fails as well, the note tells whoever sweeps here.
                store.abort_multipart(&path, &id).await.ok();
            }
            done
        })
        .await
    }
}

async fn in_parts(
    store: &AmazonS3,
    path: &Path,
    note: &Path,
    id: &String,
    first: PutPayload,
    cutter: &mut Cutter,
) -> Result<(), Error> {
    store.put(note, id.clone().into_bytes().into()).await?;
    let mut sending: JoinSet<Result<(usize, PartId), Error>> = JoinSet::new();
    let mut sent: Vec<(usize, PartId)> = Vec::new();
    let (mut number, mut next) = (0, first);
    while next.content_length() > 0 {
        if number == MOST {
            let why = format!("it is larger than {} GiB, and S3 takes no more in one object", (SIZE * MOST) >> 30);
            return Err(Error::NotSupported { source: why.into() });
        }
        while sending.len() >= AT_ONCE {
            sent.extend(ended(&mut sending).await?);
        }
        let (store, path, id) = (store.clone(), path.clone(), id.clone());
        sending.spawn(async move { Ok((number, store.put_part(&path, &id, number, next).await?)) });
        number += 1;
        next = cutter.next(SIZE).await;
    }
    while let Some(one) = ended(&mut sending).await? {
        sent.push(one);
    }
    sent.sort_by_key(|(number, _)| *number);
    store.complete_multipart(path, id, sent.into_iter().map(|(_, part)| part).collect()).await?;
    store.delete(note).await
}

async fn ended(sending: &mut JoinSet<Result<(usize, PartId), Error>>) -> Result<Option<(usize, PartId)>, Error> {
    match sending.join_next().await {
        Some(ended) => ended?.map(Some),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_is_cut_into_pieces_of_one_size_whatever_it_came_in() {
        for lengths in [&[10usize, 1, 1][..], &[3, 4, 5], &[12], &[], &[4, 4, 4]] {
            let (out, pieces) = mpsc::channel(8);
            let mut all: Vec<u8> = Vec::new();
            for (n, length) in lengths.iter().enumerate() {
                let piece = vec![n as u8; *length];
                all.extend(&piece);
                out.send(piece).await.unwrap();
            }
            drop(out);
            let mut cutter = Cutter { pieces, rest: Bytes::new() };
            let mut came = Vec::new();
            for expected in [4, 4, 4, 0] {
                let payload = cutter.next(4).await;
                let expected = if all.is_empty() { 0 } else { expected };
                assert_eq!(payload.content_length(), expected, "{lengths:?}");
                came.extend(payload.iter().flat_map(|piece| piece.to_vec()));
            }
            assert_eq!(came, all);
        }
    }
}
