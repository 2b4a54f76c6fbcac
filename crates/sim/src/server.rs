//! The routes of the provider.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

use crate::limits::Meter;
use crate::script::{self, Fault, Step};
use crate::wire::{Cache, Input, Refusal, tokens, validate};
use crate::{Config, stream};

/// Requests that are remembered.
const REMEMBERED: usize = 1_000;

#[derive(Debug)]
pub(crate) struct State {
    config: Config,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    requests: VecDeque<Value>,
    faults: VecDeque<Fault>,
    /// How often a scripted fault has happened, by the place in the conversation.
    happened: HashMap<[u8; 32], u32>,
    meters: HashMap<String, Meter>,
    cache: Cache,
}

impl State {
    pub(crate) fn new(config: Config) -> Self {
        Self { config, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn requests(&self) -> Vec<Value> {
        self.inner().requests.iter().cloned().collect()
    }

    pub(crate) fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.inner().faults.extend(faults);
    }
}

pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/v1/messages", post(messages))
        .route("/v1/messages/count_tokens", post(count_tokens))
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

async fn models(headers: HeaderMap) -> Result<Json<Value>, Refusal> {
    key(&headers)?;
    Ok(Json(
        json!({ "data": [{ "type": "model", "id": "simulated", "display_name": "Simulated" }], "has_more": false }),
    ))
}

async fn count_tokens(headers: HeaderMap, body: Bytes) -> Result<Json<Value>, Refusal> {
    key(&headers)?;
    let body = parse(&body)?;
    Ok(Json(json!({ "input_tokens": Cache::default().count("", &body).total() })))
}

async fn messages(Shared(state): Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    let key = key(&headers)?;
    let body = parse(&body)?;
    let plan = plan(&state, &key, &body);
    {
        let mut inner = state.inner();
        if inner.requests.len() >= REMEMBERED {
            inner.requests.pop_front();
        }
        inner.requests.push_back(body);
    }
    let plan = plan?;
    tracing::info!(model = plan.model, step = plan.number, fault = ?plan.fault, input = plan.input.total(), "a call");
    match plan.fault {
        Some(Fault::HangBeforeHeaders) => std::future::pending().await,
        Some(fault) => {
            if let Some(refusal) = refusal(fault) {
                let mut response = refusal.into_response();
                if fault == Fault::RateLimited {
                    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
                }
                return Ok(response);
            }
        }
        None => {}
    }
    Ok(plan.respond(state).await)
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
        Fault::PromptTooLong => (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
        _ => return None,
    };
    Some(Refusal { status, kind, message: message.to_owned() })
}

/// What will be answered.
struct Plan {
    message: String,
    model: String,
    number: usize,
    step: Step,
    fault: Option<Fault>,
    input: Input,
    streamed: bool,
    limits: HeaderMap,
}

fn plan(state: &State, key: &str, body: &Value) -> Result<Plan, Refusal> {
    validate(body, state.config.max_output)?;
    let conversation = Conversation::read(body);
    let place: [u8; 32] = Sha256::digest(body["messages"].to_string()).into();
    let message: String = place.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let step = match conversation.wants_summary {
        true => Step { say: Some(conversation.summary()), ..Step::default() },
        false => script::step(&script::steps(&conversation.prompts), conversation.answers),
    };

    let mut inner = state.inner();
    let scripted = step.fault.as_ref().filter(|fault| {
        let happened = inner.happened.entry(place).or_default();
        *happened += 1;
        *happened <= fault.times
    });
    let fault = scripted.map(|fault| fault.kind).or_else(|| inner.faults.pop_front());
    let input = inner.cache.count(key, body);
    let window = state.config.context_window;
    if input.total() > window {
        return Err(Refusal::invalid(format!("prompt is too long: {} tokens > {window} maximum", input.total())));
    }
    let mut limits = HeaderMap::new();
    if let Some(quota) = state.config.quota {
        let meter = inner.meters.entry(key.to_owned()).or_insert_with(|| Meter::new(quota));
        let output = stream::output_tokens(&stream::blocks(&step, &message));
        if let Err(wait) = meter.take(input.fresh + input.written, output) {
            let message = format!("This request would exceed your rate limit; try again in {} s", wait.as_secs() + 1);
            return Err(Refusal { status: 429, kind: "rate_limit_error", message });
        }
        limits = meter.headers();
    }
    drop(inner);
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    let streamed = body["stream"].as_bool().unwrap_or(false);
    Ok(Plan { message, model, number: conversation.answers, step, fault, input, streamed, limits })
}

impl Plan {
    async fn respond(self, state: Arc<State>) -> Response {
        let Self { message, model, step, fault, input, limits, .. } = self;
        let mut response = if self.streamed {
            let (pipe, events) = mpsc::channel(16);
            tokio::spawn(async move {
                // A reader who has left needs no answer.
                let _ = stream::answer(&pipe, &state.config, &model, &message, input, &step, fault).await;
            });
            let mut response = Body::from_stream(ReceiverStream::new(events)).into_response();
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/event-stream; charset=utf-8"));
            response
        } else {
            let blocks = stream::blocks(&step, &message);
            Json(json!({
                "id": format!("msg_{message}"), "type": "message", "role": "assistant", "model": model,
                "stop_reason": stream::stop_reason(&step), "stop_sequence": null,
                "usage": stream::usage(input, stream::output_tokens(&blocks)), "content": blocks,
            }))
            .into_response()
        };
        response.headers_mut().extend(limits);
        response
    }
}

/// What matters of a conversation for the choice of the next step.
struct Conversation {
    /// The latest prompt, then what was said while it was worked on.
    prompts: Vec<String>,
    /// Answers since that prompt.
    answers: usize,
    /// Whether the conversation is to be summarised.
    wants_summary: bool,
    /// How much there is of it.
    size: i64,
}

impl Conversation {
    fn read(body: &Value) -> Self {
        let mut prompts: Vec<String> = Vec::new();
        let mut answers = 0;
        let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        for message in messages {
            if message["role"] == "assistant" {
                answers += 1;
                continue;
            }
            let content = message["content"].as_array().map(Vec::as_slice).unwrap_or_default();
            let texts =
                content.iter().filter(|block| block["type"] == "text").filter_map(|block| block["text"].as_str());
            // What stands in a <note> was not said by a person.
            let texts: Vec<&str> = texts.filter(|text| !text.trim_start().starts_with("<note>")).collect();
            if texts.is_empty() {
                continue;
            }
            if content.iter().any(|block| block["type"] == "tool_result") {
                prompts.push(texts.join("\n\n"));
            } else {
                let first = prompts.is_empty() && answers == 0;
                prompts = vec![texts.join("\n\n")];
                if !first {
                    // A later prompt is answered as a follow-up: after an empty beginning.
                    prompts.insert(0, "```sim\n{}\n```".to_owned());
                }
                answers = 0;
            }
        }
        let last = prompts.last().map(String::as_str).unwrap_or_default();
        let wants_summary = body["tools"].is_null() && last.to_lowercase().contains("summar");
        Self { prompts, answers, wants_summary, size: tokens(body["messages"].to_string().len()) }
    }

    fn summary(&self) -> String {
        format!("The conversation so far had about {} tokens. The work stands as it is in the files.", self.size)
    }
}
