//! The routes of the provider.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State as Shared};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::cache::Cache;
use crate::conversation::Conversation;
use crate::limits::Meter;
use crate::openai::{self, Dialect};
use crate::script::{self, Fault, Step};
use crate::stream::{self, Reply};
use crate::wire::{Refusal, validate};
use crate::{Arrival, Config, Outcome, Receipt};

#[derive(Debug)]
pub(crate) struct State {
    config: Config,
    /// Requests that are remembered.
    remembered: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    requests: VecDeque<Arc<Value>>,
    listeners: Vec<mpsc::UnboundedSender<Arrival>>,
    auditors: Vec<mpsc::UnboundedSender<Receipt>>,
    /// What goes wrong with every call, and until when.
    trouble: Option<(Instant, Fault)>,
    faults: VecDeque<Fault>,
    /// How often a scripted fault has happened, by the place in the conversation.
    happened: HashMap<[u8; 32], u32>,
    meters: HashMap<String, Meter>,
    cache: Cache,
}

impl State {
    pub(crate) fn new(config: Config, remembered: usize) -> Self {
        Self { config, remembered, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn requests(&self) -> Vec<Value> {
        self.inner().requests.iter().map(|body| Value::clone(body)).collect()
    }

    pub(crate) fn listen(&self) -> mpsc::UnboundedReceiver<Arrival> {
        let (listener, arrivals) = mpsc::unbounded_channel();
        self.inner().listeners.push(listener);
        arrivals
    }

    fn arrived(&self, at: Instant, body: &Arc<Value>) {
        let mut inner = self.inner();
        inner.listeners.retain(|listener| listener.send(Arrival { at, body: Arc::clone(body) }).is_ok());
        if self.remembered > 0 {
            if inner.requests.len() >= self.remembered {
                inner.requests.pop_front();
            }
            inner.requests.push_back(Arc::clone(body));
        }
    }

    pub(crate) fn audit(&self) -> mpsc::UnboundedReceiver<Receipt> {
        let (auditor, receipts) = mpsc::unbounded_channel();
        self.inner().auditors.push(auditor);
        receipts
    }

    fn receipt(&self, at: Instant, body: &Arc<Value>, outcome: Outcome) {
        let mut inner = self.inner();
        inner.auditors.retain(|auditor| auditor.send(Receipt { at, body: Arc::clone(body), outcome }).is_ok());
    }

    pub(crate) fn fail_until(&self, until: Instant, fault: Fault) {
        self.inner().trouble = Some((until, fault));
    }

    pub(crate) fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.inner().faults.extend(faults);
    }

    pub(crate) fn faults_to_come(&self) -> usize {
        self.inner().faults.len()
    }
}

pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/v1/messages", post(messages))
        .route("/v1/messages/count_tokens", post(count_tokens))
        .route("/v1/responses", post(responses))
        .route("/v1/chat/completions", post(completions))
        .route("/v1beta/openai/chat/completions", post(google))
        .route("/v1beta/openai/models", get(models))
        .route("/v1/models", get(models))
        .layer(DefaultBodyLimit::max(64 * 1024 * 1024))
        .with_state(state)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = json!({ "type": "error", "error": { "type": self.kind, "message": self.message } });
        (status, Json(body)).into_response()
    }
}

/// The key of a request. Keys that begin with `sk-bad` are unknown, those with `sk-poor` have no credit.
fn key(headers: &HeaderMap) -> Result<String, Refusal> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let unknown = |message: &str| Refusal { status: 401, kind: "authentication_error", message: message.to_owned() };
    if header("anthropic-version").is_empty() {
        return Err(Refusal::invalid("anthropic-version: header is required"));
    }
    match header("x-api-key") {
        "" => Err(unknown("x-api-key header is required")),
        bad if bad.starts_with("sk-bad") => Err(unknown("invalid x-api-key")),
        poor if poor.starts_with("sk-poor") => {
            Err(Refusal::invalid("Your credit balance is too low to access the Anthropic API."))
        }
        key => Ok(key.to_owned()),
    }
}

fn parse(body: &Bytes) -> Result<Value, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::invalid(format!("The request body is not valid JSON: {error}")))
}

async fn models(headers: HeaderMap) -> Result<Json<Value>, Response> {
    if headers.contains_key(header::AUTHORIZATION) {
        openai::key(&headers).map_err(|refusal| openai::refused(Dialect::Responses, &refusal))?;
        let models = ["simulated", "simulated-large"]
            .map(|id| json!({ "id": id, "object": "model", "owned_by": "sim", "max_model_len": 131_072 }));
        return Ok(Json(json!({ "object": "list", "data": models })));
    }
    key(&headers).map_err(IntoResponse::into_response)?;
    Ok(Json(
        json!({ "data": [{ "type": "model", "id": "simulated", "display_name": "Simulated" }], "has_more": false }),
    ))
}

async fn count_tokens(headers: HeaderMap, body: Bytes) -> Result<Json<Value>, Refusal> {
    key(&headers)?;
    let body = parse(&body)?;
    Ok(Json(json!({ "input_tokens": Cache::default().count("", &body, Instant::now()).input.total() })))
}

/// A refusal with the headers that belong to it.
struct Refused(Box<(Refusal, HeaderMap)>);

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        (refusal, HeaderMap::new()).into()
    }
}

impl From<(Refusal, HeaderMap)> for Refused {
    fn from(refused: (Refusal, HeaderMap)) -> Self {
        Self(Box::new(refused))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (refusal, headers) = *self.0;
        (headers, refusal).into_response()
    }
}

async fn messages(Shared(state): Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Result<Response, Refused> {
    answer(state, Dialect::Messages, &headers, &body).await
}

/// Answers in the dialects of OpenAI, whose refusals look otherwise.
async fn answer_openai(state: Arc<State>, dialect: Dialect, headers: &HeaderMap, body: &Bytes) -> Response {
    match answer(state, dialect, headers, body).await {
        Ok(response) => response,
        Err(Refused(refused)) => {
            let (refusal, headers) = *refused;
            (headers, openai::refused(dialect, &refusal)).into_response()
        }
    }
}

async fn responses(Shared(state): Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Response {
    answer_openai(state, Dialect::Responses, &headers, &body).await
}

async fn completions(Shared(state): Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Response {
    answer_openai(state, Dialect::Completions, &headers, &body).await
}

async fn google(Shared(state): Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Response {
    answer_openai(state, Dialect::Google, &headers, &body).await
}

async fn answer(state: Arc<State>, dialect: Dialect, headers: &HeaderMap, body: &Bytes) -> Result<Response, Refused> {
    let at = Instant::now();
    let key = match dialect {
        Dialect::Messages => key(headers)?,
        _ => openai::key(headers)?,
    };
    let body = Arc::new(parse(body)?);
    state.arrived(at, &body);
    let planned = weigh(&state, &key, &body, dialect);
    let outcome = match &planned {
        Ok((reply, _)) => Outcome::Answered {
            input: reply.input.fresh + reply.input.written,
            output: stream::output_tokens(&reply.blocks),
            fault: reply.fault,
        },
        Err(Refused(refused)) => Outcome::Refused(refused.0.status),
    };
    state.receipt(at, &body, outcome);
    let (reply, limits) = planned?;
    tracing::info!(model = reply.model, fault = ?reply.fault, input = reply.input.total(), "a call");
    if reply.fault == Some(Fault::HangBeforeHeaders) {
        return std::future::pending().await;
    }
    let mut response = match body["stream"].as_bool() {
        Some(true) => streamed(state, reply),
        _ => whole(reply).into_response(),
    };
    response.headers_mut().extend(limits);
    Ok(response)
}

/// What is to be said to a call.
fn weigh(state: &State, key: &str, body: &Value, dialect: Dialect) -> Result<(Reply, HeaderMap), Refused> {
    if dialect == Dialect::Messages {
        validate(body, state.config.max_output)?;
        return plan(state, key, body, dialect);
    }
    // What is asked for is the same, whatever words it is put in.
    let mut plain = openai::as_messages(dialect, body, state.config.max_output)?;
    validate(&plain, state.config.max_output)?;
    openai::mark(&mut plain);
    plan(state, key, &plain, dialect)
}

/// The faults that are an answer of their own.
fn refusal(fault: Fault) -> Option<Refusal> {
    let (status, kind, message) = match fault {
        Fault::RateLimited | Fault::RateLimitedSilently => {
            (429, "rate_limit_error", "This request would exceed your rate limit")
        }
        Fault::Server => (500, "api_error", "Internal server error"),
        Fault::Overloaded => (529, "overloaded_error", "Overloaded"),
        Fault::BadKey => (401, "authentication_error", "invalid x-api-key"),
        Fault::NoQuota => (400, "billing_error", "Your credit balance is too low to access the Anthropic API."),
        Fault::BadImage => (400, "invalid_request_error", "messages.2.content.0.image: Could not process image"),
        Fault::PromptTooLong => (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
        _ => return None,
    };
    Some(Refusal { status, kind, message: message.to_owned() })
}

fn plan(state: &State, key: &str, body: &Value, dialect: Dialect) -> Result<(Reply, HeaderMap), Refused> {
    let conversation = Conversation::read(body);
    let place: [u8; 32] = Sha256::digest(body["messages"].to_string()).into();
    let id: String = place.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let (number, step) = match conversation.wants_summary {
        true => {
            let say = Some("The work stands as it is in the files.".to_owned());
            (conversation.answers, Step { say, ..Step::default() })
        }
        false => script::step(&script::steps(&conversation.prompts), conversation.answers, conversation.failed),
    };

    let mut inner = state.inner();
    let scripted = step.fault.as_ref().filter(|fault| {
        let happened = inner.happened.entry(place).or_default();
        *happened += 1;
        *happened <= fault.times
    });
    let trouble = inner.trouble.filter(|(until, _)| Instant::now() < *until);
    let fault =
        scripted.map(|fault| fault.kind).or(trouble.map(|(_, fault)| fault)).or_else(|| inner.faults.pop_front());
    if let Some(refusal) = fault.and_then(refusal) {
        let mut headers = HeaderMap::new();
        if fault == Some(Fault::RateLimited) {
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        }
        return Err((refusal, headers).into());
    }
    let now = Instant::now();
    let counted = inner.cache.count(key, body, now);
    let input = counted.input;
    let window = state.config.context_window;
    if input.total() > window {
        let message = format!("prompt is too long: {} tokens > {window} maximum", input.total());
        return Err(Refusal::invalid(message).into());
    }
    let blocks = stream::blocks(&step, number, &id, dialect);
    let mut limits = HeaderMap::new();
    if let Some(quota) = state.config.quota {
        #[expect(clippy::disallowed_methods, reason = "the simulator is another program, with a clock of its own")]
        let date = chrono::Utc::now();
        let meter = inner.meters.entry(key.to_owned()).or_insert_with(|| Meter::new(quota, state.config.filled, now));
        let taken = meter.take(input.fresh + input.written, stream::output_tokens(&blocks), now);
        limits = match dialect {
            Dialect::Messages => meter.headers(date),
            _ => meter.openai_headers(),
        };
        if let Err(wait) = taken {
            let seconds = wait.as_secs() + 1;
            limits.insert(header::RETRY_AFTER, seconds.into());
            let message = format!("This request would exceed your rate limit; try again in {seconds} s");
            return Err((Refusal { status: 429, kind: "rate_limit_error", message }, limits).into());
        }
    }
    inner.cache.remember(&counted, now);
    let reply = Reply {
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        id,
        input,
        blocks,
        stop_reason: stream::stop_reason(&step).to_owned(),
        silence: std::time::Duration::from_millis(step.silence_ms),
        fault,
        dialect,
    };
    Ok((reply, limits))
}

fn streamed(state: Arc<State>, reply: Reply) -> Response {
    let (pipe, events) = mpsc::channel(16);
    tokio::spawn(async move {
        // A reader who has left needs no answer.
        let _ = stream::write(&pipe, &state.config, &reply).await;
    });
    let mut response = Body::from_stream(ReceiverStream::new(events)).into_response();
    let kind = header::HeaderValue::from_static("text/event-stream; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn whole(reply: Reply) -> Json<Value> {
    let usage = stream::usage(reply.input, stream::output_tokens(&reply.blocks));
    Json(json!({
        "id": format!("msg_{}", reply.id), "type": "message", "role": "assistant", "model": reply.model,
        "stop_reason": reply.stop_reason, "stop_sequence": null, "usage": usage, "content": reply.blocks,
    }))
}
