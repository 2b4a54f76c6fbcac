//! What the house itself says in the place of a service's page. Plain pages without a script: on this origin nothing of the
//! house is to be had.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use guildhall_team::TeamError;
use guildhall_types::service::Service;

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1.5rem;\
    color:#1b1b1f;background:#fafafa}h1{font-size:1.25rem}@media(prefers-color-scheme:dark){body{color:#e6e6ea;\
    background:#16161a}}";
/// Seconds after which a page looks again whether the service answers.
const AGAIN: u32 = 2;

fn page(status: StatusCode, title: &str, text: &str, again: bool) -> Response {
    let again = if again { format!("<meta http-equiv=refresh content={AGAIN}>") } else { String::new() };
    let body = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">{again}\
         <title>{title}</title><style>{STYLE}</style><main><h1>{title}</h1><p>{text}</p></main></html>",
        title = escaped(title),
        text = escaped(text),
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (status, headers, body).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// There is no pass, or it holds no longer.
pub(super) fn closed() -> Response {
    let text = "Whoever may look at this comes from its card in Guildhall. Open it there once more: the way in is good once, \
        and what you had has ended with the service or with your session.";
    page(StatusCode::UNAUTHORIZED, "Open this from its card", text, false)
}

/// A page elsewhere sent this.
pub(super) fn foreign() -> Response {
    let text = "This request came from a page of another origin, and was not passed on.";
    page(StatusCode::FORBIDDEN, "From another page", text, false)
}

/// The service does not run any more.
pub(super) fn ended(service: &Service) -> Response {
    let why = service.problem.clone().unwrap_or_else(|| "It ended by itself.".to_owned());
    let text = format!(
        "The service {} no longer runs. {why} Its log is on the card, where it can be started again.",
        service.name
    );
    page(StatusCode::BAD_GATEWAY, "The service has ended", &text, false)
}

/// Nothing listens at its port.
pub(super) fn nothing(service: &Service, port: u16) -> Response {
    let text = format!(
        "The service {} runs, but nothing listens at port {port} yet. It may still begin, or listen at another port: its log \
         on the card says more. This page looks again by itself.",
        service.name
    );
    page(StatusCode::BAD_GATEWAY, "Nothing answers yet", &text, true)
}

/// It runs on another node.
pub(super) fn elsewhere(service: &Service) -> Response {
    let text = format!(
        "The service {} runs on another server of this Guildhall, and its pages are shown by that one alone.",
        service.name
    );
    page(StatusCode::BAD_GATEWAY, "Not on this server", &text, false)
}

/// It runs on another node, which does not answer.
pub(super) fn away(service: &Service, node: &str, why: &dyn std::error::Error) -> Response {
    let text =
        format!("The service {} runs on the server {node}, and {why}. This page looks again by itself.", service.name);
    page(StatusCode::SERVICE_UNAVAILABLE, "Its server is away", &text, true)
}

/// It cannot be reached.
pub(super) fn unreachable(service: &Service, why: &dyn std::error::Error) -> Response {
    let text = format!(
        "The pages of {} cannot be shown: {why}. Whoever runs this server can ask `guildhall doctor`.",
        service.name
    );
    page(StatusCode::BAD_GATEWAY, "Out of reach", &text, false)
}

/// What listens there does not speak HTTP, or broke off.
pub(super) fn broken(service: &Service, why: &str) -> Response {
    let text = format!("What listens for {} did not answer as a web server does: {why}.", service.name);
    page(StatusCode::BAD_GATEWAY, "No answer that can be shown", &text, false)
}

/// It takes too long.
pub(super) fn late(service: &Service) -> Response {
    let text = format!(
        "The service {} took the request and did not answer in time. Its log on the card may say why.",
        service.name
    );
    page(StatusCode::GATEWAY_TIMEOUT, "No answer in time", &text, false)
}

/// The house failed.
pub(super) fn failed(error: &TeamError) -> Response {
    tracing::error!(error = error as &dyn std::error::Error, "a page of a service could not be shown");
    let text = "Something failed inside Guildhall. Try again; if it stays, tell whoever runs this server.";
    page(StatusCode::INTERNAL_SERVER_ERROR, "That failed", text, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_services_own_is_markup() {
        assert_eq!(escaped("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }
}
