//! What a server that is a program says: bounded, and kept in mind for when it fails.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

/// Bytes of one message at most.
pub(crate) const MESSAGE: usize = 4 * 1024 * 1024;
/// Bytes that it may print among its messages that are none.
const STRAY: usize = 64 * 1024;
/// Bytes of those that are shown when it fails.
const SHOWN: usize = 300;
/// Bytes of the end of its standard error that are kept.
const TAIL: usize = 4 * 1024;

/// What a program has said beside its messages.
#[derive(Debug, Default)]
pub(crate) struct Said(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    errors: VecDeque<u8>,
    stray: Vec<u8>,
    fault: Option<&'static str>,
}

impl Said {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end of its standard error.
    pub(crate) fn errors(&self) -> Option<String> {
        let bytes: Vec<u8> = self.kept().errors.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    /// The beginning of what it printed that is no message.
    pub(crate) fn stray(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.kept().stray).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    /// What it did that no server may, and was ended for.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        self.kept().fault
    }

    /// Keeps the end of what comes from its standard error, until that ends.
    pub(crate) fn listen(self: &Arc<Self>, mut errors: impl AsyncRead + Unpin + Send + 'static) {
        let said = Arc::clone(self);
        tokio::spawn(async move {
            let mut piece = vec![0; TAIL];
            while let Ok(read @ 1..) = errors.read(&mut piece).await {
                let mut kept = said.kept();
                kept.errors.extend(&piece[..read]);
                let over = kept.errors.len().saturating_sub(TAIL);
                kept.errors.drain(..over);
            }
        });
    }
}

/// A program's messages, a line each. One that is too long, or too much that is none, ends them.
#[derive(Debug)]
pub(crate) struct Messages<R> {
    inner: R,
    said: Arc<Said>,
    /// Bytes of the line so far.
    line: usize,
    /// Whether it begins like a message; not known before its first byte that is no space.
    message: Option<bool>,
    strayed: usize,
}

impl<R> Messages<R> {
    pub(crate) fn new(inner: R, said: Arc<Said>) -> Self {
        Self { inner, said, line: 0, message: None, strayed: 0 }
    }

    fn look(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.message.is_none() {
                self.message = piece.iter().find(|byte| !byte.is_ascii_whitespace()).map(|byte| *byte == b'{');
            }
            self.line += piece.len();
            if self.message == Some(false) {
                self.strayed += piece.len();
                let mut kept = self.said.kept();
                let room = SHOWN.saturating_sub(kept.stray.len()).min(piece.len());
                kept.stray.extend_from_slice(&piece[..room]);
                if self.strayed > STRAY {
                    return Err("it printed a flood of text that is not MCP on its standard output");
                }
            } else if self.line > MESSAGE {
                return Err("it sent a message of over 4 MiB");
            }
            if piece.ends_with(b"\n") {
                (self.line, self.message) = (0, None);
            }
        }
        Ok(())
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Messages<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let this = &mut *self;
        let looked = this.look(&buf.filled()[before..]);
        if let Err(fault) = looked {
            this.said.kept().fault = Some(fault);
            // Who returns an error has read nothing.
            buf.set_filled(before);
            return Poll::Ready(Err(io::Error::other(fault)));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &[u8]) -> (Arc<Said>, io::Result<Vec<u8>>) {
        let said = Arc::new(Said::default());
        let mut all = Vec::new();
        let mut messages = Messages::new(text, Arc::clone(&said));
        let done = messages.read_to_end(&mut all).await.map(|_| all);
        (said, done)
    }

    #[tokio::test]
    async fn messages_pass_and_what_is_none_is_kept_in_mind() {
        let text = b"Starting up\n  {\"a\":1}\n\nDeprecated!\n{\"b\":2}\n";
        let (said, done) = read(text).await;
        assert_eq!(done.unwrap(), text);
        assert_eq!(said.stray().as_deref(), Some("Starting up\nDeprecated!"));
        assert_eq!(said.fault(), None);
    }

    #[tokio::test]
    async fn what_floods_is_ended() {
        let (said, done) = read(&[b'y'; 70_000]).await;
        assert!(done.is_err() && said.fault().unwrap().contains("not MCP"));
        assert!(said.stray().unwrap().len() <= SHOWN);
        let mut long = vec![b'{'];
        long.resize(MESSAGE + 100_000, b' ');
        let (said, done) = read(&long).await;
        assert!(done.is_err() && said.fault().unwrap().contains("4 MiB"));
    }

    #[tokio::test]
    async fn of_its_errors_the_end_is_kept() {
        let said = Arc::new(Said::default());
        let (ours, mut theirs) = tokio::io::duplex(64);
        said.listen(ours);
        tokio::io::AsyncWriteExt::write_all(&mut theirs, &[b'x'; 10_000]).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut theirs, b" the end").await.unwrap();
        drop(theirs);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let errors = said.errors().unwrap();
        assert!(errors.len() <= TAIL && errors.ends_with("the end"), "{}", errors.len());
    }
}
