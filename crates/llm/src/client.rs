//! Calls over HTTP.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use guildhall_types::member::ListedModel;
use guildhall_types::{Clock, SystemClock};
use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response};
use serde::Deserialize;
use serde_json::Value;

use crate::assemble::Assembler;
use crate::dialect::Without;
use crate::error::{Complaint, wait_in_words, wait_of};
use crate::outside::Caller;
use crate::reach::{Blocked, Guard};
use crate::{Answer, Delta, Dialect, Endpoint, ErrorKind, LlmError, RateLimits, Reach, Request, messages, reply};

const VERSION: &str = "2023-06-01";
/// Bytes of an error's body that are read.
const ERROR_BODY: usize = 64 * 1024;
/// Bytes of a list of models that are read.
const LIST_BODY: usize = 4 * 1024 * 1024;
/// Characters of a provider's message that are shown.
const ERROR_SHOWN: usize = 2_000;
/// Characters of an error's body that are shown when it is not in the provider's form.
const FOREIGN_SHOWN: usize = 300;
/// Models of a server that are listed, and characters of a model's name.
const LISTED: usize = 500;
const MODEL_NAME: usize = 200;
/// Servers and models of which it is remembered what they do not take.
const REMEMBERED: usize = 1_000;

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
    /// For addresses that a member chose; made when the first of them is called.
    guarded: Arc<OnceLock<reqwest::Client>>,
    reach: Reach,
    patience: Patience,
    clock: Arc<dyn Clock>,
    /// What a model at an address does not take, as far as it said so.
    learnt: Arc<Mutex<HashMap<String, Without>>>,
}

/// Makes TLS ready for every HTTP client of this process. Does nothing the second time.
pub fn ready_tls() {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Fails only if something else installed one first, which then serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
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
        ready_tls();
        Ok(Self {
            http: http(patience, None)?,
            guarded: Arc::default(),
            reach: Reach::default(),
            patience,
            clock: Arc::new(SystemClock),
            learnt: Arc::default(),
        })
    }

    /// The same client, in which the addresses that members choose reach only so far.
    #[must_use]
    pub fn reaching(self, reach: Reach) -> Self {
        Self { guarded: Arc::default(), reach, ..self }
    }

    /// What calls the addresses that members choose.
    fn guarded(&self) -> Result<reqwest::Client, LlmError> {
        if let Some(made) = self.guarded.get() {
            return Ok(made.clone());
        }
        let made = http(self.patience, Some(self.reach))?;
        Ok(self.guarded.get_or_init(|| made).clone())
    }

    /// Whether the address of an endpoint may be called, as far as it can be seen without asking for the name's address.
    ///
    /// # Errors
    /// [`ErrorKind::Blocked`].
    pub fn admits(&self, endpoint: &Endpoint) -> Result<(), LlmError> {
        match endpoint.guarded {
            true => self.reach.admits_host(&endpoint.base_url).map_err(|blocked| blocked_error(&blocked)),
            false => Ok(()),
        }
    }

    /// What calls addresses that members chose for something other than a model, within the same reach.
    ///
    /// # Errors
    /// When the system's certificates cannot be loaded.
    pub fn caller(&self) -> Result<Caller, LlmError> {
        Caller::new(self.reach)
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
        let dialect = Dialect::of(endpoint.provider).ok_or_else(uncallable)?;
        let sent = self.call(endpoint, dialect, request);
        let response = tokio::select! {
            biased;
            () = &mut stop => return Err(LlmError::new(ErrorKind::Broken, "the call was stopped before it was answered")),
            response = sent => response?,
        };
        let limits = RateLimits::read(response.headers(), self.clock.now());
        on_delta(Delta::Limits(&limits));
        let host = endpoint.host();
        let answer = match reply::media_type(&response).as_str() {
            "application/json" | "text/html" => Err(self.misplaced(&host, response).await),
            _ => {
                let bytes = reply::bounded(response, self.patience.idle).take_until(stop);
                reply::answer(&host, bytes, Assembler::new(dialect, request), limits, &mut on_delta).await
            }
        };
        answer.map_err(|error| LlmError { message: endpoint.key.scrub(&error.message), ..error })
    }

    /// Sends a call. What a provider says that it does not take is left out, and the call sent again.
    async fn call(&self, endpoint: &Endpoint, dialect: Dialect, request: &Request<'_>) -> Result<Response, LlmError> {
        let place = format!("{}\n{}", endpoint.base_url, request.model);
        let known = || self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        let mut without = known().get(&place).copied().unwrap_or_default();
        loop {
            let body = dialect.body(endpoint.provider, request, without);
            match self.send(endpoint, Method::POST, dialect.route(), Some(body)).await {
                Err(error) if without.learn(dialect, &error) => {
                    let mut all = known();
                    if all.len() >= REMEMBERED {
                        all.clear();
                    }
                    all.insert(place.clone(), without.lasting());
                }
                other => return other,
            }
        }
    }

    /// Asks how many input tokens a call would have. Only the Messages API can say.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub async fn count_tokens(&self, endpoint: &Endpoint, request: &Request<'_>) -> Result<i64, LlmError> {
        #[derive(Deserialize)]
        struct Count {
            input_tokens: i64,
        }
        if Dialect::of(endpoint.provider) != Some(Dialect::Messages) {
            return Err(LlmError::new(ErrorKind::NotFound, "this provider counts no tokens beforehand"));
        }
        let body = messages::Body(request).countable();
        let response = self.send(endpoint, Method::POST, "messages/count_tokens", Some(body)).await?;
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
        self.models(endpoint).await.map(|_| ())
    }

    /// Asks which models there are; at most 500.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub async fn models(&self, endpoint: &Endpoint) -> Result<Vec<ListedModel>, LlmError> {
        let response = self.send(endpoint, Method::GET, "models", None).await?;
        let body = reply::body(response, LIST_BODY).await;
        // Any web server answers 200 to something.
        let list = serde_json::from_slice(&body).ok().and_then(listed);
        list.ok_or_else(|| {
            LlmError::new(ErrorKind::Garbage, format!("{} answers, but not as a provider does", endpoint.host()))
        })
    }

    /// An answer with status 200 that is no stream of events: perhaps an error after all.
    async fn misplaced(&self, host: &str, response: Response) -> LlmError {
        let media_type = reply::media_type(&response);
        let body = reply::body(response, ERROR_BODY).await;
        match serde_json::from_slice(&body).ok().and_then(|body| Complaint::read(&body)) {
            Some(said) => {
                let retry_after = wait_in_words(&said.message);
                let message = format!("{host} answered: {}", shown(&said.message, ERROR_SHOWN));
                LlmError { retry_after, ..LlmError::new(ErrorKind::of_event(&said), message) }
            }
            None => LlmError::new(ErrorKind::Garbage, format!("{host} answered with {media_type}, not with a stream")),
        }
    }

    async fn send(
        &self,
        endpoint: &Endpoint,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Response, LlmError> {
        self.admits(endpoint)?;
        let http = match endpoint.guarded {
            true => self.guarded()?,
            false => self.http.clone(),
        };
        let mut call = with_key(http.request(method, endpoint.route(path)), endpoint)?;
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
            if let Some(blocked) = cause::<Blocked>(&error) {
                return blocked_error(blocked);
            }
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
        let complaint = serde_json::from_slice(&body).ok().and_then(|body| Complaint::read(&body));
        let mut complaint = complaint.unwrap_or_else(|| Complaint {
            message: match status {
                300..400 => "it sends callers on to another address, which is not followed".to_owned(),
                _ => shown(&endpoint.key.scrub(&String::from_utf8_lossy(&body)), FOREIGN_SHOWN),
            },
            ..Complaint::default()
        });
        let kind = ErrorKind::of(status, &complaint);
        complaint.message = endpoint.key.scrub(&shown(&complaint.message, ERROR_SHOWN));
        let said = complaint.message;
        let host = endpoint.host();
        let message = match said.is_empty() {
            true => format!("{host} answered {status}"),
            false => format!("{host} answered {status}: {said}"),
        };
        let retry_after = self.wait_from_headers(&headers).or_else(|| wait_in_words(&said));
        let limits = Some(Box::new(RateLimits::read(&headers, self.clock.now())));
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
        // OpenAI says it to the millisecond as well.
        let exact = headers.get("retry-after-ms").and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok());
        let asked = exact.and_then(|millis| wait_of(millis / 1_000.0)).or(asked);
        asked.or_else(|| wait_of(RateLimits::read(headers, now).wait(now)?.as_secs_f64()))
    }
}

/// A client for addresses that the operator chose, or for those that a member did.
fn http(patience: Patience, reach: Option<Reach>) -> Result<reqwest::Client, LlmError> {
    let mut builder = reqwest::Client::builder()
        // A redirect would carry the key to another host.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(patience.connect)
        .user_agent(concat!("guildhall/", env!("CARGO_PKG_VERSION")));
    if let Some(reach) = reach {
        // A proxy would look up the name for itself.
        builder = builder.no_proxy().dns_resolver(Guard(reach));
    }
    builder
        .build()
        .map_err(|error| LlmError::from_source(ErrorKind::Unreachable, "the HTTP client could not be made", error))
}

fn uncallable() -> LlmError {
    LlmError::new(
        ErrorKind::Forbidden,
        "a subscription's token is only kept for an external agent; no model is called with it",
    )
}

fn blocked_error(blocked: &Blocked) -> LlmError {
    LlmError::new(ErrorKind::Blocked, blocked.to_string())
}

/// Puts the key on a call, in the header where the provider looks for it.
fn with_key(call: RequestBuilder, endpoint: &Endpoint) -> Result<RequestBuilder, LlmError> {
    let dialect = Dialect::of(endpoint.provider).ok_or_else(uncallable)?;
    let header = |text: &str| {
        let mut value = HeaderValue::from_str(text).map_err(|error| {
            LlmError::from_source(ErrorKind::InvalidKey, "the key has characters that no key has", error)
        })?;
        value.set_sensitive(true);
        Ok::<_, LlmError>(value)
    };
    let key = endpoint.key.expose();
    Ok(match dialect {
        Dialect::Messages => call.header("x-api-key", header(key)?).header("anthropic-version", VERSION),
        _ if key.is_empty() => call,
        _ => call.header(AUTHORIZATION, header(&format!("Bearer {key}"))?),
    })
}

/// The models in a list, however a server writes it; nothing when it is none.
fn listed(body: Value) -> Option<Vec<ListedModel>> {
    let list = match body {
        Value::Array(list) if !list.is_empty() => list,
        Value::Object(mut map) => match map.remove("data") {
            Some(Value::Array(list)) => list,
            // Ollama's, when it has none.
            Some(Value::Null) if map.contains_key("object") => Vec::new(),
            _ => return None,
        },
        _ => return None,
    };
    let windows = ["max_model_len", "context_length", "context_window", "max_context_length"];
    let models = list.iter().filter_map(|model| {
        let id = model["id"].as_str().filter(|id| !id.is_empty() && id.chars().count() <= MODEL_NAME)?;
        let plain = !id.chars().any(|c| c.is_control() || c.is_whitespace());
        let window = windows.iter().find_map(|name| model[*name].as_i64()).filter(|window| *window > 0);
        plain.then(|| ListedModel { id: id.to_owned(), context_window: window })
    });
    Some(models.take(LISTED).collect())
}

/// The first cause of this type.
fn cause<'a, E: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
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
