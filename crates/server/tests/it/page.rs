//! The page, and what every answer has.

use reqwest::{Method, StatusCode};

use crate::harness::TestApp;

#[tokio::test]
async fn unknown_addresses_are_the_page_and_those_of_programs_are_not() {
    let app = TestApp::start().await;
    let mut visitor = app.anonymous();
    for path in ["/", "/projects/1/board", "/index.html", "/favicon-that-is-not-there"] {
        let page = visitor.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8", "{path}");
        assert_eq!(page.header("cache-control"), "no-cache", "{path}");
        assert!(page.text().contains("Guildhall"), "{path}");
    }
    for path in ["/api", "/api/nothing", "/mcp/nothing", "/.well-known/nothing", "/git/x.git", "/metrics/nothing"] {
        visitor.get(path).await.is_problem(StatusCode::NOT_FOUND, "no-such-route");
    }
    visitor.get("/assets/gone-1234.js").await.is_problem(StatusCode::NOT_FOUND, "not-found");
    visitor.get("/../../Cargo.toml").await.is(StatusCode::OK);
    visitor.call("/projects").await.is_problem(StatusCode::METHOD_NOT_ALLOWED, "wrong-method");
    let wrong = visitor.call("/api/health").await;
    wrong.is_problem(StatusCode::METHOD_NOT_ALLOWED, "wrong-method");
    assert!(wrong.header("allow").contains("GET"), "{:?}", wrong.headers);
}

#[tokio::test]
async fn every_answer_makes_browsers_careful() {
    let app = TestApp::start().await;
    let mut visitor = app.anonymous();
    for path in ["/", "/api/health", "/api/nothing", "/api/projects"] {
        let answer = visitor.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
        assert_eq!(answer.header("strict-transport-security"), "", "{path}");
        assert!(!answer.header("x-request-id").is_empty(), "{path}");
    }
    assert_eq!(visitor.get("/api/health").await.header("cache-control"), "no-store");
}

#[tokio::test]
async fn long_answers_are_compressed_for_those_who_ask() {
    let app = TestApp::start().await;
    let mut visitor = app.anonymous();
    let ask = |path: &str| visitor.request(Method::GET, path).header("accept-encoding", "gzip");
    let (long, short) = (ask("/api/openapi.json"), ask("/api/health"));
    let long = visitor.send(long).await;
    assert_eq!(long.header("content-encoding"), "gzip");
    assert!(long.bytes.len() * 4 < guildhall_server::openapi::text().len());
    assert_eq!(visitor.send(short).await.header("content-encoding"), "");
    assert_eq!(visitor.get("/api/openapi.json").await.header("content-encoding"), "");
}

#[tokio::test]
async fn a_clients_own_request_id_is_not_taken() {
    let app = TestApp::start().await;
    let mut visitor = app.anonymous();
    let request = visitor.request(Method::GET, "/api/health").header("x-request-id", "forged\tid");
    assert!(!visitor.send(request).await.header("x-request-id").contains("forged"));
}
