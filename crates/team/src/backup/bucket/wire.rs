//! Requests to a store, over the HTTP and the TLS that everything else here uses.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use tokio::time::{Instant, Sleep, sleep, timeout};
use url::Url;

use super::Trouble;

const CONNECT: Duration = Duration::from_secs(10);
/// How long a store may take to answer, once it has the whole request.
const ANSWER: Duration = Duration::from_secs(30);
/// How long it may be silent in the middle of an answer.
const SILENT: Duration = Duration::from_secs(60);
/// Bytes that a request must be able to send in a second.
const SLOWEST: u64 = 64 * 1024;
/// After so long a request is not tried again. It is this that ends the tries, not how many there were.
pub(super) const LONGEST: Duration = Duration::from_secs(4 * 60);

/// Sends requests. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    http: reqwest::Client,
    /// Whether the store ever answered. One that never did is rather named wrongly than away for a moment, and not asked again.
    reached: Arc<AtomicBool>,
}

/// Why there is no answer, with all that led to it and without the address.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NoAnswer(String);

impl Wire {
    pub(super) fn new(authorities: &[u8]) -> Result<Self, Trouble> {
        guildhall_llm::ready_tls();
        let wrong =
            |error: reqwest::Error| Trouble::new(format!("the HTTP client could not be made: {}", chain(&error)));
        let authorities = reqwest::Certificate::from_pem_bundle(authorities).map_err(wrong)?;
        let mut builder = reqwest::Client::builder()
            // What is signed is signed for one host.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .user_agent(concat!("guildhall/", env!("CARGO_PKG_VERSION")));
        if !authorities.is_empty() {
            builder = builder.tls_certs_merge(authorities);
        }
        Ok(Self { http: builder.build().map_err(wrong)?, reached: Arc::default() })
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url: Url = parts.uri.to_string().parse().map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let length = body.content_length() as u64;
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        *request.body_mut() = Some(match body.as_bytes() {
            Some(bytes) => bytes.clone().into(),
            None => reqwest::Body::wrap(body),
        });
        let most = ANSWER + Duration::from_secs(length / SLOWEST);
        let answer = timeout(most, self.http.execute(request)).await;
        let answer = match answer {
            Err(_) => Err(self.failed(HttpErrorKind::Timeout, format!("none within {} seconds", most.as_secs()))),
            Ok(Err(error)) => Err(self.failed(HttpErrorKind::Request, chain(&error.without_url()))),
            Ok(Ok(answer)) => Ok(answer),
        }?;
        self.reached.store(true, Ordering::Relaxed);
        let answer: http::Response<reqwest::Body> = answer.into();
        let (parts, body) = answer.into_parts();
        let body = Impatient { body, silence: Box::pin(sleep(SILENT)) };
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
    }

    /// A request that was not answered. All that is asked here can be asked twice; `kind` says whether it is.
    fn failed(&self, kind: HttpErrorKind, why: String) -> HttpError {
        match self.reached.load(Ordering::Relaxed) {
            true => HttpError::new(kind, NoAnswer(why)),
            // Of this kind nothing is asked again.
            false => HttpError::new(HttpErrorKind::Unknown, NoAnswer(why)),
        }
    }
}

impl HttpConnector for Wire {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait::async_trait]
impl HttpService for Wire {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.send(request).await
    }
}

/// An answer that may take any time but not be silent for long.
struct Impatient {
    body: reqwest::Body,
    silence: Pin<Box<Sleep>>,
}

impl Body for Impatient {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.silence.as_mut().reset(Instant::now() + SILENT);
            return Poll::Ready(frame.map(|frame| {
                frame.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, NoAnswer(chain(&error.without_url()))))
            }));
        }
        self.silence.as_mut().poll(cx).map(|()| {
            let why = format!("it said nothing for {} seconds in the middle of an answer", SILENT.as_secs());
            Some(Err(HttpError::new(HttpErrorKind::Timeout, NoAnswer(why))))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A failure and all that led to it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
