//! What happens around every request: its id, its span in the log, problem details, headers for safety.

use std::any::Any;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use guildhall_types::trace::{Key, Side, Span};
use tracing::Instrument;
use uuid::Uuid;

use crate::app::App;
use crate::auth::proxy::TRACEPARENT;
use crate::metrics::word;
use crate::problem::{Carried, Problem};

/// The header that names a request in the log.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// No scripts but the page's own files, no frames, nothing from elsewhere. Styles may be inline, because highlighted code
/// is coloured so.
const CONTENT_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";

/// Gives a request its id and its span, writes its line in the log, and completes problem details with the id.
///
/// The span holds the path without the query, without the code of a link that is good for once, and no header: nothing in
/// it can be a secret.
pub async fn accompany(request: Request, next: Next) -> Response {
    let id = Uuid::now_v7().to_string();
    let method = request.method().clone();
    let path = without_code(request.uri().path()).to_owned();
    let started = tokio::time::Instant::now();
    // As an error, so that a log that tells of nothing less still says to which request a line belongs.
    let span = tracing::error_span!("request", id, %method, path);
    let traced = trace(&request, &id);
    async move {
        let mut response = traced.around(next.run(request)).await;
        if let Some(Carried(problem)) = response.extensions_mut().remove::<Carried>() {
            let kept = [header::ALLOW, header::WWW_AUTHENTICATE];
            let kept = kept.map(|name| response.headers_mut().remove(&name).map(|value| (name, value)));
            response = problem.send(&id);
            for (name, value) in kept.into_iter().flatten() {
                response.headers_mut().insert(name, value);
            }
        }
        let status = response.status().as_u16();
        let ms = started.elapsed().as_millis() as u64;
        traced.count(Key::Status, i64::from(status));
        if status >= 500 {
            traced.failed(status);
        }
        drop(traced);
        if matches!(method, Method::GET | Method::HEAD) {
            tracing::debug!(status, ms, "answered");
        } else {
            tracing::info!(status, ms, "answered");
        }
        // An answer of another node's bears the name under which that one's log has the request.
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().entry(REQUEST_ID).or_insert(value);
        }
        response
    }
    .instrument(span)
    .await
}

/// The span of a request, below that of whom it comes from if a trusted proxy passed its name on. It names the route, never
/// the path, and nothing of the query, the headers and the body.
fn trace(request: &Request, id: &str) -> Span {
    let method = word(request.method());
    let parent = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok());
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let name = if method == "other" { "HTTP" } else { method };
    let span = Span::begin_after(parent, Side::Server, name, route.unwrap_or_default());
    span.set(Key::Method, if method == "other" { "_OTHER" } else { method });
    if let Some(route) = route {
        span.set(Key::Route, route);
    }
    span.set(Key::Request, id);
    span
}

/// A path as it may stand in the log.
fn without_code(path: &str) -> &str {
    let bare = |page: &'static str| path.starts_with(page).then_some(page);
    bare("/join/").or_else(|| bare("/reset/")).or_else(|| bare("/welcome/")).unwrap_or(path)
}

/// Sets the headers that make browsers careful, where the answer has not set its own.
pub async fn careful(State(app): State<App>, request: Request, next: Next) -> Response {
    let api = request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    default(headers, header::CONTENT_SECURITY_POLICY, CONTENT_POLICY);
    default(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(headers, header::REFERRER_POLICY, "same-origin");
    default(headers, header::X_FRAME_OPTIONS, "DENY");
    default(headers, HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    default(headers, HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    default(headers, HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()");
    if api {
        default(headers, header::CACHE_CONTROL, "no-store");
    }
    if app.public.is_secure() {
        default(headers, header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}

fn default(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}

/// Turns a panic into problem details. What it said goes to the log alone.
pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let words = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
    let words = words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Problem::internal(format!("a handler panicked: {words}")).into_response()
}

/// No route has this method.
pub async fn wrong_method(path: Option<MatchedPath>, method: Method) -> Problem {
    let path = path.as_ref().map_or("this address", MatchedPath::as_str);
    let detail = format!("{path} does not take {method}. See /api/openapi.json for what it takes.");
    Problem::new(axum::http::StatusCode::METHOD_NOT_ALLOWED, "wrong-method", detail)
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::ServiceExt;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;

    async fn broken() -> &'static str {
        panic!("the secret of the handler")
    }

    #[test]
    fn the_code_of_a_link_does_not_stand_in_the_log() {
        assert_eq!(without_code("/join/c0de"), "/join/");
        assert_eq!(without_code("/reset/c0de/x"), "/reset/");
        assert_eq!(without_code("/welcome/c0de"), "/welcome/");
        assert_eq!(without_code("/api/members"), "/api/members");
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_that_tells_nothing() {
        let router = axum::Router::new()
            .route("/", get(broken))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(from_fn(accompany));
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let id = response.headers()[REQUEST_ID].to_str().unwrap().to_owned();
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&body["code"], &body["requestId"]), (&"internal".into(), &id.into()));
        assert!(!body.to_string().contains("secret"), "{body}");
    }
}
