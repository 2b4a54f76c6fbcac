//! What axum's extractors refuse, as problem details.

use std::error::Error;

use axum::extract::multipart::{MultipartError, MultipartRejection};
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::http::StatusCode;

use super::{FieldError, Problem};

fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body of this request is larger than is taken here.")
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        match rejection {
            JsonRejection::JsonDataError(error) => {
                // The innermost cause is serde's own sentence, with the path to the value in front of it.
                let words = error.source().map(ToString::to_string).unwrap_or_default();
                let (field, message) = field_and_message(&words);
                let mut problem = Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "invalid",
                    format!("The body cannot be used: {words}."),
                );
                problem.0.errors.push(FieldError { field, message });
                problem
            }
            JsonRejection::JsonSyntaxError(error) => {
                let words = error.source().map(ToString::to_string).unwrap_or_default();
                Self::new(StatusCode::BAD_REQUEST, "bad-json", format!("The body is not JSON: {words}."))
            }
            JsonRejection::MissingJsonContentType(_) => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not-json",
                "Send the body as JSON, with the header Content-Type: application/json.",
            ),
            other if other.status() == StatusCode::PAYLOAD_TOO_LARGE => too_large(),
            other => Self::new(StatusCode::BAD_REQUEST, "bad-body", other.body_text()),
        }
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(),
            _ => Self::new(StatusCode::BAD_REQUEST, "bad-body", rejection.body_text()),
        }
    }
}

/// Takes `path: sentence` apart. Serde writes no path for the outermost value.
fn field_and_message(words: &str) -> (String, String) {
    let unknown = words.split('`').nth(1).filter(|_| words.contains("unknown field"));
    match words.split_once(": ") {
        Some((path, rest)) if !path.contains(' ') => {
            let rest = rest.split(" at line ").next().unwrap_or(rest);
            (path.to_owned(), rest.to_owned())
        }
        _ => {
            let missing = words.split('`').nth(1).filter(|_| words.contains("missing field"));
            let field = unknown.or(missing).unwrap_or("body");
            (field.to_owned(), words.split(" at line ").next().unwrap_or(words).to_owned())
        }
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        match rejection.status() {
            StatusCode::INTERNAL_SERVER_ERROR => Self::internal(rejection.body_text()),
            _ => {
                let detail = format!("The address holds a value that cannot be used: {}.", rejection.body_text());
                Self::new(StatusCode::BAD_REQUEST, "bad-path", detail)
            }
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        let words = rejection.source().map_or_else(|| rejection.body_text(), ToString::to_string);
        let (field, message) = field_and_message(&words);
        let mut problem =
            Self::new(StatusCode::BAD_REQUEST, "bad-query", format!("The query cannot be used: {words}."));
        problem.0.errors.push(FieldError { field, message });
        problem
    }
}

impl Problem {
    /// The address takes WebSockets alone.
    pub(crate) fn upgrade_wanted(why: &str) -> Self {
        let detail = format!("This address takes a WebSocket alone: {why}.");
        Self::new(StatusCode::UPGRADE_REQUIRED, "websocket-wanted", detail)
    }
}

impl From<MultipartRejection> for Problem {
    fn from(_: MultipartRejection) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not-multipart",
            "Send the file as multipart/form-data, in a field named file.",
        )
    }
}

impl From<MultipartError> for Problem {
    fn from(error: MultipartError) -> Self {
        match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(),
            _ => Self::new(
                StatusCode::BAD_REQUEST,
                "bad-body",
                format!("The form cannot be read: {}.", error.body_text()),
            ),
        }
    }
}
