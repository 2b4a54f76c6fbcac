//! Problem details (RFC 9457): the one form in which every refusal and failure leaves the server.

mod from;
mod rejections;

use std::error::Error;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use guildhall_git::ConflictFile;
use guildhall_team::FailedFile;
use guildhall_types::knowledge::{AnyItem, SimilarItem};
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of problem details.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was refused or failed.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProblemDetails {
    /// Names the kind of problem: `urn:guildhall:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened and what to do about it.
    pub detail: String,
    /// A stable word for the kind of problem.
    pub code: String,
    /// Names this request in the server's log.
    pub request_id: String,
    /// What is wrong with single values of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldError>,
    /// Beside what every problem has.
    #[serde(flatten)]
    pub extras: Extras,
}

/// What is wrong with one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Which, such as `settings.verifyCommands[0]`.
    pub field: String,
    /// What is wrong with it, and what is expected.
    pub message: String,
}

/// What some kinds of problem say besides.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Extras {
    /// `stale`, `item-changed`: the version that the card or the item is at.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub current: Option<i64>,
    /// `merge-conflict`: the branch that the work should be merged into.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub branch: Option<String>,
    /// `merge-conflict`: the files in conflict.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub files: Option<Vec<ConflictFile>>,
    /// `near-duplicate`: what the hub holds already.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub similar: Option<Vec<SimilarItem>>,
    /// `invalid`: the files of an import that cannot come in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub faulty: Option<Vec<FailedFile>>,
    /// `item-changed`: the item as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub item: Option<AnyItem>,
    /// `throttled`, `too-many-requests`, `database-away`: seconds until the next try may succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retry_after: Option<i64>,
}

/// A problem on its way out.
#[derive(Debug)]
pub struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    extras: Extras,
    /// For the log alone.
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A problem of this kind.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            extras: Extras::default(),
            source: None,
        }))
    }

    /// A value of the request cannot be used.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        let (field, message) = (field.into(), message.into());
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", format!("{field}: {message}"));
        problem.0.errors.push(FieldError { field, message });
        problem
    }

    /// The same under a word of its own.
    fn coded(mut self, code: &'static str) -> Self {
        self.0.code = code;
        self
    }

    /// Several values of the request cannot be used.
    pub fn invalid_all(detail: impl Into<String>, errors: impl Iterator<Item = (String, String)>) -> Self {
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail);
        problem.0.errors.extend(errors.map(|(field, message)| FieldError { field, message }));
        problem
    }

    /// There is no such thing.
    pub fn not_found(what: &str) -> Self {
        let detail = format!("There is no such {what}; it may have been deleted, or the address is wrong.");
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// It was asked for too often; `seconds` from now it may be asked for again.
    pub fn throttled(code: &'static str, why: &str, seconds: i64) -> Self {
        let detail = format!("{why} Try again in {seconds} seconds.");
        let extras = Extras { retry_after: Some(seconds), ..Extras::default() };
        Self::new(StatusCode::TOO_MANY_REQUESTS, code, detail).with(extras)
    }

    /// It cannot be done as things stand.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// Something inside failed that no member can mend. What it was goes to the log alone.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::internal_because("internal", source)
    }

    fn internal_because(code: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            code,
            "Something failed inside the server. Try again; if it stays so, give your operator the request id.",
        )
        .because(source)
    }

    fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    fn with(mut self, extras: Extras) -> Self {
        self.0.extras = extras;
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What happened, and what to do about it.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The stable word.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    fn details(&self, request_id: &str) -> ProblemDetails {
        let title = match self.0.code {
            "" => String::new(),
            code => code[..1].to_uppercase() + &code[1..].replace('-', " "),
        };
        ProblemDetails {
            kind: format!("urn:guildhall:problem:{}", self.0.code),
            title,
            status: self.0.status.as_u16(),
            detail: self.0.detail.clone(),
            code: self.0.code.to_owned(),
            request_id: request_id.to_owned(),
            errors: self.0.errors.clone(),
            extras: self.0.extras.clone(),
        }
    }

    /// The problem as it is sent, and as it is told to the log.
    pub fn send(&self, request_id: &str) -> Response {
        self.log();
        let body = serde_json::to_vec(&self.details(request_id)).unwrap_or_default();
        let mut response = (self.0.status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        if let Some(seconds) = self.0.extras.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        // RFC 6750: how programs are to say who asks.
        let challenge = match self.0.code {
            "not-signed-in" => Some("Bearer realm=\"guildhall\""),
            "bad-token" => Some("Bearer realm=\"guildhall\", error=\"invalid_token\""),
            "missing-scope" => Some("Bearer realm=\"guildhall\", error=\"insufficient_scope\""),
            _ => None,
        };
        if let Some(challenge) = challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }

    /// The same as text for a model: the stable word, what to do, and what some kinds of problem say besides.
    pub(crate) fn words(&self) -> String {
        match serde_json::to_string(&self.0.extras) {
            Ok(extras) if extras != "{}" => format!("{self} {extras}"),
            _ => self.to_string(),
        }
    }

    /// Tells the log of it, if it is worth that.
    pub(crate) fn log(&self) {
        if self.0.status.is_server_error() {
            let error = self.0.source.as_deref().map(|error| chain(error)).unwrap_or_default();
            tracing::error!(code = self.0.code, error, "a request failed");
        } else if matches!(self.0.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            tracing::info!(code = self.0.code, "a request was refused");
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.detail)
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// Carries a problem through the layers to the one that knows the request's id.
#[derive(Debug, Clone)]
pub(crate) struct Carried(pub(crate) std::sync::Arc<Problem>);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(Carried(std::sync::Arc::new(self)));
        response
    }
}

/// An error and what caused it, in one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let words = next.to_string();
        if !line.ends_with(&words) {
            line = format!("{line}: {words}");
        }
        cause = next.source();
    }
    line
}
