//! Calls over HTTP.

use std::sync::{Arc, Once};
use std::time::Duration;

use futures::StreamExt;
use guildhall_types::{Clock, SystemClock};
use reqwest::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::assemble::WireError;
use crate::error::{wait_in_words, wait_of};
use crate::{Answer, Delta, Endpoint, ErrorKind, LlmError, RateLimits, Request, reply};

const VERSION: &str = "2023-06-01";
/// Bytes of an error's body that are read.
const ERROR_BODY: usize = 64 * 1024;
/// Bytes of a list of models that are read.
const LIST_BODY: usize = 4 * 1024 * 1024;
/// Characters of a provider's message that are shown.
const ERROR_SHOWN: usize = 2_000;
/// Characters of an error's body that are shown when it is not in the provider's form.
const FOREIGN_SHOWN: usize = 300;

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
        on_delta: impl FnMut(Delta<'_>),
    ) -> Result<Answer, LlmError> {
        self.stream_until(endpoint, request, std::future::pending(), on_delta).await
    }

    /// The same, until `stop` is done: then the call ends as if its connection had broken, so that what it used until then
    /// is known. An answer that is whole by then is handed out.
    ///
    /// # Errors
    /// As for [`Client::stream`].
    pub async fn stream_until(
        &self,
        endpoint: &Endpoint,
        request: &Request<'_>,
        stop: impl Future<Output = ()>,
        mut on_delta: impl FnMut(Delta<'_>),
    ) -> Result<Answer, LlmError> {
        let mut stop = std::pin::pin!(stop);
        let sent = self.send(endpoint, Method::POST, "messages", Some(request.body(true)));
        let response = tokio::select! {
            biased;
            () = &mut stop => return Err(LlmError::new(ErrorKind::Broken, "the call was stopped before it was answered")),
            response = sent => response?,
        };
        let limits = RateLimits::read(response.headers());
        on_delta(Delta::Limits(&limits));
        let host = endpoint.host();
        let answer = match reply::media_type(&response).as_str() {
            "application/json" | "text/html" => Err(self.misplaced(&host, response).await),
            _ => {
                let bytes = reply::bounded(response, self.patience.idle).take_until(stop);
                reply::answer(&host, bytes, limits, &mut on_delta).await
            }
        };
        answer.map_err(|error| LlmError { message: endpoint.key.scrub(&error.message), ..error })
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
        let body = reply::body(response, ERROR_BODY).await;
        serde_json::from_slice::<Count>(&body).map(|count| count.input_tokens).map_err(|_| {
            LlmError::new(ErrorKind::Garbage, format!("the answer of {} is no count of tokens", endpoint.host()))
        })
    }

    /// Tries a key, at no cost.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub async fn check(&self, endpoint: &Endpoint) -> Result<(), LlmError> {
        #[derive(Deserialize)]
        struct Models {
            #[serde(rename = "data")]
            _data: Vec<IgnoredAny>,
        }
        let response = self.send(endpoint, Method::GET, "models", None).await?;
        let body = reply::body(response, LIST_BODY).await;
        serde_json::from_slice::<Models>(&body).map(|_| ()).map_err(|_| {
            // Any web server answers 200 to something.
            LlmError::new(ErrorKind::Garbage, format!("{} answers, but not as a provider does", endpoint.host()))
        })
    }

    /// An answer with status 200 that is no stream of events: perhaps an error after all.
    async fn misplaced(&self, host: &str, response: Response) -> LlmError {
        let media_type = reply::media_type(&response);
        let body = reply::body(response, ERROR_BODY).await;
        match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(ErrorBody { error }) => {
                let kind = ErrorKind::of_event(&error.kind, &error.message);
                let retry_after = wait_in_words(&error.message);
                let message = format!("{host} answered: {}", shown(&error.message, ERROR_SHOWN));
                LlmError { retry_after, ..LlmError::new(kind, message) }
            }
            Err(_) => {
                LlmError::new(ErrorKind::Garbage, format!("{host} answered with {media_type}, not with a stream"))
            }
        }
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
            let message = match error.is_timeout() {
                true => format!("{host} did not answer in time"),
                false => format!("{host} cannot be reached: {}", root(&error)),
            };
            LlmError::from_source(ErrorKind::Unreachable, message, error)
        })?;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(self.refused(endpoint, response).await),
        }
    }

    async fn refused(&self, endpoint: &Endpoint, response: Response) -> LlmError {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = reply::body(response, ERROR_BODY).await;
        let said = match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(body) => shown(&body.error.message, ERROR_SHOWN),
            _ if (300..400).contains(&status) => {
                "it sends callers on to another address, which is not followed".to_owned()
            }
            Err(_) => shown(&endpoint.key.scrub(&String::from_utf8_lossy(&body)), FOREIGN_SHOWN),
        };
        let said = endpoint.key.scrub(&said);
        let kind = ErrorKind::of_status(status, &said);
        let host = endpoint.host();
        let message = match said.is_empty() {
            true => format!("{host} answered {status}"),
            false => format!("{host} answered {status}: {said}"),
        };
        let retry_after = self.wait_from_headers(&headers).or_else(|| wait_in_words(&said));
        let limits = Some(Box::new(RateLimits::read(&headers)));
        LlmError { retry_after, limits, ..LlmError::new(kind, message) }
    }

    fn wait_from_headers(&self, headers: &HeaderMap) -> Option<Duration> {
        // By the provider's own clock, where it shows it: ours may differ.
        let date = headers.get(DATE).and_then(|value| chrono::DateTime::parse_from_rfc2822(value.to_str().ok()?).ok());
        let now = date.map_or_else(|| self.clock.now(), |date| date.to_utc());
        let text = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
        let asked = match (text.parse::<f64>(), chrono::DateTime::parse_from_rfc2822(text)) {
            (Ok(seconds), _) => wait_of(seconds),
            (_, Ok(at)) => wait_of((at.to_utc() - now).as_seconds_f64().max(0.0)),
            _ => None,
        };
        asked.or_else(|| wait_of(RateLimits::read(headers).wait(now)?.as_secs_f64()))
    }
}

/// The beginning of what a provider says, on one line.
fn shown(text: &str, limit: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(limit).collect()
}

/// The cause below all others.
fn root(error: &dyn std::error::Error) -> &dyn std::error::Error {
    let mut cause = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause
}
