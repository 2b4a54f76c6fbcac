//! Calls over HTTP.

use std::sync::{Arc, Once};
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use guildhall_types::{Clock, SystemClock};
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response};
use serde::Deserialize;
use serde_json::Value;
use sse_stream::SseByteStream;

use crate::assemble::{Assembler, WireError};
use crate::error::wait_in_words;
use crate::{Answer, Delta, Endpoint, ErrorKind, LlmError, RateLimits, Request};

const VERSION: &str = "2023-06-01";
/// Bytes of an answer at most. The longest real one, with 128,000 tokens, has some 20 MB on the wire.
const ANSWER: usize = 64 * 1024 * 1024;
/// Bytes of an error's body that are read.
const ERROR_BODY: usize = 64 * 1024;
/// Characters of an error's body that are shown when it is not in the provider's form.
const ERROR_SHOWN: usize = 300;

/// How long a provider may be silent.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until the answer's headers come.
    pub headers: Duration,
    /// Between two pieces of an answer; a ping is one. A model that thinks hard may be silent for minutes.
    pub idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(15), headers: Duration::from_secs(300), idle: Duration::from_secs(300) }
    }
}

/// Calls providers. Cheap to clone; one for the whole process, so that connections are shared.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    patience: Patience,
    clock: Arc<dyn Clock>,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: WireError,
}

impl Client {
    /// A client with the usual patience.
    ///
    /// # Errors
    /// When the system's certificates cannot be loaded.
    pub fn new() -> Result<Self, LlmError> {
        Self::with_patience(Patience::default())
    }

    /// A client that waits only so long.
    ///
    /// # Errors
    /// When the system's certificates cannot be loaded.
    pub fn with_patience(patience: Patience) -> Result<Self, LlmError> {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // Fails only if something else installed one first, which then serves as well.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let http = reqwest::Client::builder()
            // A redirect would carry the key to another host.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(patience.connect)
            .user_agent(concat!("guildhall/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                LlmError::from_source(ErrorKind::Unreachable, "the HTTP client could not be made", error)
            })?;
        Ok(Self { http, patience, clock: Arc::new(SystemClock) })
    }

    /// Makes a call and hands on its answer piece by piece. Dropping the future ends the call.
    ///
    /// # Errors
    /// See [`ErrorKind`]. When the answer had begun, the error says what it used so far.
    pub async fn stream(
        &self,
        endpoint: &Endpoint,
        request: &Request<'_>,
        mut on_delta: impl FnMut(Delta<'_>),
    ) -> Result<Answer, LlmError> {
        let response = self.send(endpoint, Method::POST, "messages", Some(request.body(true))).await?;
        let limits = RateLimits::read(response.headers());
        let mut events = Box::pin(SseByteStream::new(bounded(response, self.patience.idle)));
        let mut assembler = Assembler::default();
        while !assembler.is_done() {
            let taken = match events.next().await {
                Some(Ok(event)) => match event.data.as_deref() {
                    Some(data) if !data.is_empty() => assembler.take(data, &mut on_delta),
                    _ => Ok(()),
                },
                Some(Err(sse_stream::Error::Body(error))) => Err(match error.downcast::<Cut>() {
                    Ok(cut) => cut.error(endpoint),
                    Err(error) => {
                        let mut broken = LlmError::new(ErrorKind::Broken, "the provider's answer broke off");
                        broken.source = Some(error);
                        broken
                    }
                }),
                Some(Err(error)) => {
                    Err(LlmError::from_source(ErrorKind::Garbage, "what came is not a provider's stream", error))
                }
                None => Err(LlmError::new(ErrorKind::Broken, "the provider's answer ended before it was whole")),
            };
            if let Err(error) = taken {
                let message = endpoint.key.scrub(&error.message);
                return Err(LlmError { message, partial: assembler.partial(), ..error });
            }
        }
        let partial = assembler.partial();
        assembler.finish(limits).map_err(|error| LlmError { partial, ..error })
    }

    /// Asks how many input tokens a call would have.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub async fn count_tokens(&self, endpoint: &Endpoint, request: &Request<'_>) -> Result<i64, LlmError> {
        #[derive(Deserialize)]
        struct Count {
            input_tokens: i64,
        }
        let response = self.send(endpoint, Method::POST, "messages/count_tokens", Some(request.countable())).await?;
        let body = read(response, ERROR_BODY).await;
        serde_json::from_slice::<Count>(&body)
            .map(|count| count.input_tokens)
            .map_err(|error| LlmError::from_source(ErrorKind::Garbage, "the provider's count could not be read", error))
    }

    /// Tries a key, at no cost.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub async fn check(&self, endpoint: &Endpoint) -> Result<(), LlmError> {
        self.send(endpoint, Method::GET, "models", None).await.map(|_| ())
    }

    async fn send(
        &self,
        endpoint: &Endpoint,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Response, LlmError> {
        let mut key = HeaderValue::from_str(endpoint.key.expose()).map_err(|error| {
            LlmError::from_source(ErrorKind::InvalidKey, "the key has characters that no key has", error)
        })?;
        key.set_sensitive(true);
        let mut call = self.http.request(method, endpoint.route(path)).header("x-api-key", key);
        call = call.header("anthropic-version", VERSION);
        if let Some(body) = &body {
            call = call.json(body);
        }
        drop(body);
        let host = endpoint.host();
        let sent = tokio::time::timeout(self.patience.headers, call.send()).await.map_err(|_| {
            LlmError::new(ErrorKind::Idle, format!("{host} did not answer for {} s", self.patience.headers.as_secs()))
        })?;
        let response = sent.map_err(|error| {
            // The URL is shown by our own words, and may hold what is not for everyone.
            let error = error.without_url();
            let what = if error.is_timeout() { "did not answer in time" } else { "cannot be reached" };
            LlmError::from_source(ErrorKind::Unreachable, format!("{host} {what}"), error)
        })?;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(self.refused(endpoint, response).await),
        }
    }

    async fn refused(&self, endpoint: &Endpoint, response: Response) -> LlmError {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = read(response, ERROR_BODY).await;
        let said = match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(body) => body.error.message,
            Err(_) => String::from_utf8_lossy(&body).chars().filter(|c| !c.is_control()).take(ERROR_SHOWN).collect(),
        };
        let said = endpoint.key.scrub(said.trim());
        let kind = ErrorKind::of_status(status, &said);
        let host = endpoint.host();
        let message = match said.is_empty() {
            true => format!("{host} answered {status}"),
            false => format!("{host} answered {status}: {said}"),
        };
        let retry_after = self.wait_from_headers(&headers).or_else(|| wait_in_words(&said));
        LlmError { retry_after, ..LlmError::new(kind, message) }
    }

    fn wait_from_headers(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        if let Some(text) = text {
            if let Ok(seconds) = text.trim().parse::<f64>() {
                return Duration::try_from_secs_f64(seconds).ok();
            }
            if let Ok(at) = chrono::DateTime::parse_from_rfc2822(text) {
                return (at.to_utc() - self.clock.now()).to_std().ok();
            }
        }
        RateLimits::read(headers).wait(self.clock.now())
    }
}

/// Why we stopped reading an answer.
#[derive(Debug, thiserror::Error)]
enum Cut {
    #[error("nothing came for {} s", .0.as_secs())]
    Idle(Duration),
    #[error("the answer is larger than {ANSWER} bytes")]
    TooLarge,
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

impl Cut {
    fn error(self, endpoint: &Endpoint) -> LlmError {
        let host = endpoint.host();
        match self {
            Self::Idle(_) => LlmError::new(ErrorKind::Idle, format!("{host} fell silent: {self}")),
            Self::TooLarge => LlmError::new(ErrorKind::Garbage, format!("{host}: {self}")),
            Self::Http(error) => {
                let message = format!("the answer of {host} broke off");
                LlmError::from_source(ErrorKind::Broken, message, error.without_url())
            }
        }
    }
}

/// The bytes of an answer, until nothing comes for `idle` or there are too many of them.
fn bounded(response: Response, idle: Duration) -> impl Stream<Item = Result<bytes::Bytes, Cut>> {
    let state = Some((response.bytes_stream(), 0));
    stream::unfold(state, move |state| async move {
        let (mut bytes, mut seen) = state?;
        match tokio::time::timeout(idle, bytes.next()).await {
            Err(_) => Some((Err(Cut::Idle(idle)), None)),
            Ok(None) => None,
            Ok(Some(Err(error))) => Some((Err(error.into()), None)),
            Ok(Some(Ok(chunk))) => {
                seen += chunk.len();
                match seen <= ANSWER {
                    true => Some((Ok(chunk), Some((bytes, seen)))),
                    false => Some((Err(Cut::TooLarge), None)),
                }
            }
        }
    })
}

/// At most `limit` bytes of a body; what cannot be read is left out.
async fn read(response: Response, limit: usize) -> Vec<u8> {
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Ok(Some(Ok(chunk))) = tokio::time::timeout(Duration::from_secs(10), chunks.next()).await {
        body.extend_from_slice(&chunk[..chunk.len().min(limit - body.len())]);
        if body.len() >= limit {
            break;
        }
    }
    body
}
