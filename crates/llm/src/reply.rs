//! Reads what a provider answers: a stream of events, or a body of bounded size.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use sse_stream::SseByteStream;

use crate::assemble::Assembler;
use crate::{Answer, Delta, ErrorKind, LlmError, RateLimits};

/// Bytes of an answer at most. The longest real one, with 128,000 tokens, has some 20 MB on the wire.
const ANSWER: usize = 64 * 1024 * 1024;
/// Bytes of one line of an answer at most. A line holds a word or two, or at worst one sealed block of reasoning.
const LINE: usize = 4 * 1024 * 1024;
/// How long a body that is no stream may take.
const BODY: Duration = Duration::from_secs(30);

/// Why we stopped reading an answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cut {
    /// Nothing came for so long.
    #[error("nothing came for {} s", .0.as_secs_f64())]
    Idle(Duration),
    /// More than an answer can have.
    #[error("that is no answer: it has more than {0} bytes without an end")]
    TooLarge(usize),
    /// The connection broke.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

impl Cut {
    fn error(self, host: &str) -> LlmError {
        match self {
            Self::Idle(_) => LlmError::new(ErrorKind::Idle, format!("{host} fell silent: {self}")),
            Self::TooLarge(_) => LlmError::new(ErrorKind::Garbage, format!("{host}: {self}")),
            Self::Http(error) => {
                let message = format!("the answer of {host} broke off");
                LlmError::from_source(ErrorKind::Broken, message, error.without_url())
            }
        }
    }
}

/// The bytes of an answer, until nothing comes for `idle` or there are too many of them.
pub(crate) fn bounded(response: Response, idle: Duration) -> impl Stream<Item = Result<Bytes, Cut>> {
    let state = Some((response.bytes_stream(), 0, 0));
    stream::unfold(state, move |state| async move {
        let (mut bytes, mut seen, mut line) = state?;
        match tokio::time::timeout(idle, bytes.next()).await {
            Err(_) => Some((Err(Cut::Idle(idle)), None)),
            Ok(None) => None,
            Ok(Some(Err(error))) => Some((Err(error.into()), None)),
            Ok(Some(Ok(chunk))) => {
                seen += chunk.len();
                line = match chunk.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')) {
                    Some(end) => chunk.len() - end - 1,
                    None => line + chunk.len(),
                };
                match (seen <= ANSWER, line <= LINE) {
                    (true, true) => Some((Ok(chunk), Some((bytes, seen, line)))),
                    (false, _) => Some((Err(Cut::TooLarge(ANSWER)), None)),
                    (true, false) => Some((Err(Cut::TooLarge(LINE)), None)),
                }
            }
        }
    })
}

/// Reads an answer out of the bytes of a stream of events. An error says what the answer had used, if it had begun.
pub(crate) async fn answer(
    host: &str,
    bytes: impl Stream<Item = Result<Bytes, Cut>>,
    mut assembler: Assembler,
    limits: RateLimits,
    on_delta: &mut impl FnMut(Delta<'_>),
) -> Result<Answer, LlmError> {
    let mut events = std::pin::pin!(SseByteStream::new(bytes));
    while !assembler.is_done() {
        let taken = match events.next().await {
            Some(Ok(event)) => match event.data.as_deref() {
                Some(data) if !data.is_empty() => assembler.take(data, on_delta),
                _ => Ok(()),
            },
            Some(Err(sse_stream::Error::Body(error))) => Err(match error.downcast::<Cut>() {
                Ok(cut) => cut.error(host),
                Err(error) => LlmError {
                    source: Some(error),
                    ..LlmError::new(ErrorKind::Broken, format!("the answer of {host} broke off"))
                },
            }),
            Some(Err(error)) => {
                let message = format!("what {host} sent is not a provider's stream");
                Err(LlmError::from_source(ErrorKind::Garbage, message, error))
            }
            None if assembler.may_end() => break,
            None if assembler.has_begun() => {
                Err(LlmError::new(ErrorKind::Broken, format!("the answer of {host} ended before it was whole")))
            }
            None => Err(LlmError::new(ErrorKind::Garbage, format!("{host} sent no answer"))),
        };
        if let Err(error) = taken {
            return Err(LlmError { partial: assembler.partial(), ..error });
        }
    }
    let partial = assembler.partial();
    assembler.finish(limits).map_err(|error| LlmError { partial, ..error })
}

/// The kind of document that came, in lower case and without parameters, such as `text/event-stream`.
pub(crate) fn media_type(response: &Response) -> String {
    let text = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_lowercase()
}

/// At most `limit` bytes of a body; what cannot be read in time is left out.
pub(crate) async fn body(response: Response, limit: usize) -> Vec<u8> {
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    // What has been read stays when the time is up.
    let _ = tokio::time::timeout(BODY, async {
        while let Some(Ok(chunk)) = chunks.next().await {
            body.extend_from_slice(&chunk[..chunk.len().min(limit - body.len())]);
            if body.len() >= limit {
                break;
            }
        }
    })
    .await;
    body
}

#[cfg(test)]
mod tests;
