//! Refusals, waits, and what must not show.

use std::time::Duration;

use guildhall_llm::ErrorKind;
use guildhall_types::chat::Message;
use guildhall_types::{Clock, SystemClock};
use serde_json::json;

use crate::harness::{KEY, Server, answer, client, endpoint, error, event, hello, plain, request, stream_head};

#[tokio::test]
async fn each_status_has_its_kind_and_the_providers_words() {
    use ErrorKind::*;
    for (status, kind) in [
        (400, BadRequest),
        (401, InvalidKey),
        (402, Billing),
        (403, Forbidden),
        (404, NotFound),
        (413, TooLarge),
        (429, RateLimited),
        (500, Server),
        (503, Server),
        (504, Server),
        (529, Overloaded),
    ] {
        let body = error("some_error", "So it is.").to_string();
        let server = crate::harness::Server::saying(plain(status, &[], &body)).await;
        let failed = hello(&server.url()).await.unwrap_err();
        assert_eq!(failed.kind, kind, "{status}");
        assert_eq!(failed.message, format!("{} answered {status}: So it is.", server.host()));
        assert!(failed.partial.is_none() && failed.retry_after.is_none());
    }
}

#[tokio::test]
async fn an_error_page_is_cut_short_and_put_on_one_line() {
    let page = format!("<html>\r\n<b>502\u{7}</b>\n{}", "x".repeat(100_000));
    let server = Server::saying(plain(502, &[("content-type", "text/html")], &page)).await;
    let failed = hello(&server.url()).await.unwrap_err();
    assert_eq!(failed.kind, ErrorKind::Server);
    assert!(failed.message.contains("<html> <b>502</b> xxx") && failed.message.len() < 400, "{}", failed.message);
    let server = Server::saying(plain(500, &[], "")).await;
    assert_eq!(hello(&server.url()).await.unwrap_err().message, format!("{} answered 500", server.host()));
}

#[tokio::test]
async fn a_wait_is_taken_from_wherever_it_is_said() {
    let now = SystemClock.now();
    let at = |seconds: i64| now + chrono::Duration::seconds(seconds);
    let (soon, past) = (at(90).to_rfc2822(), at(-90).to_rfc2822());
    let http_date = at(90).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let reset = at(40).to_rfc3339();
    let late = at(50).to_rfc3339();
    let (input, requests) = ("anthropic-ratelimit-input-tokens", "anthropic-ratelimit-requests");
    let name = |bucket: &str, what: &str| format!("{bucket}-{what}");
    let limits = [
        (name(input, "remaining"), "0"),
        (name(input, "reset"), &reset),
        (name(requests, "remaining"), "12"),
        (name(requests, "reset"), &late),
    ];
    let limits: Vec<(&str, &str)> = limits.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    for (headers, words, expected) in [
        (vec![("retry-after", "7")], "", Some(7)),
        (vec![("retry-after", " 0.5 ")], "", Some(0)),
        (vec![("retry-after", "7")], "try again in 17 s", Some(7)),
        (vec![("retry-after", soon.as_str())], "", Some(90)),
        (vec![("retry-after", http_date.as_str())], "", Some(90)),
        (vec![("retry-after", past.as_str())], "", Some(0)),
        (vec![("retry-after", "soon")], "try again in 17 s", Some(17)),
        (vec![("retry-after", "-4")], "", None),
        (vec![("retry-after", "1e300")], "", Some(7 * 24 * 3_600)),
        (limits, "", Some(40)),
        (vec![], "Please try again in 17 s", Some(17)),
        (vec![], "Too much", None),
    ] {
        let body = error("rate_limit_error", words).to_string();
        let server = Server::saying(plain(429, &headers, &body)).await;
        let failed = hello(&server.url()).await.unwrap_err();
        let wait = failed.retry_after.map(|wait| wait.as_secs());
        let near = |found: u64, wanted: u64| found <= wanted && found + 5 > wanted;
        let right = match (wait, expected) {
            (Some(found), Some(wanted)) => near(found, wanted),
            (None, None) => true,
            _ => false,
        };
        assert!(right, "{headers:?} {words:?}: {wait:?}, not {expected:?}");
    }
}

#[tokio::test]
async fn an_error_inside_a_stream_keeps_the_wait_and_what_was_used() {
    let events = answer("Hello, I am about to");
    let late = event(&error("rate_limit_error", "Rate limit reached, please try again in 17 s"));
    let server = Server::saying(stream_head() + &events[..4].concat() + &late).await;
    let failed = hello(&server.url()).await.unwrap_err();
    assert_eq!((failed.kind, failed.retry_after), (ErrorKind::RateLimited, Some(Duration::from_secs(17))));
    let partial = failed.partial.unwrap();
    assert_eq!((partial.model.as_str(), partial.usage.input_tokens, partial.usage.output_tokens), ("m", 7, 5));

    let busy = event(&error("overloaded_error", "Overloaded"));
    let failed = hello(&Server::saying(stream_head() + &busy).await.url()).await.unwrap_err();
    assert_eq!((failed.kind, failed.partial), (ErrorKind::Overloaded, None));
}

#[tokio::test]
async fn the_key_never_shows() {
    let in_json = error("authentication_error", &format!("{KEY} is no key")).to_string();
    let in_event = stream_head() + &event(&error("api_error", &format!("bad header {KEY}")));
    let in_garbage =
        stream_head() + &event(&json!({ "type": "content_block_start", "index": KEY, "content_block": {} }));
    let in_json_of_200 = plain(200, &[("content-type", "application/json")], &in_json);
    for bytes in [
        plain(401, &[], &in_json),
        plain(500, &[], &format!("<p>x-api-key: {KEY}</p>")),
        plain(500, &[], &format!("{}{KEY}", "x".repeat(290))),
        in_event,
        in_garbage,
        in_json_of_200,
        format!("HTTP/1.1 200 {KEY}\r\nx: {KEY}\r\n\r\n{KEY}"),
        format!("{KEY}\r\n\r\n"),
    ] {
        let mut server = Server::saying(bytes.clone()).await;
        let failed = hello(&server.url()).await.unwrap_err();
        // Neither whole nor in part.
        let shown = format!("{failed} {failed:?} {failed:#?}");
        assert!(!shown.contains("0123456789"), "{bytes}: {shown}");
        assert!(server.requests.recv().await.unwrap().contains(&format!("x-api-key: {KEY}\r\n")));
    }
    let mut odd = endpoint("http://127.0.0.1:9", "sk-with\nnewline-0123456789");
    odd.base_url.set_path("/x");
    let failed = client().check(&odd).await.unwrap_err();
    assert_eq!(failed.kind, ErrorKind::InvalidKey);
    assert!(!format!("{failed:?}").contains("0123456789"), "{failed:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut other = Server::saying(stream_head() + &answer("stolen").concat()).await;
    for status in [301, 302, 303, 307, 308] {
        let server = Server::saying(plain(status, &[("location", &other.url())], "Go there.")).await;
        let failed = hello(&server.url()).await.unwrap_err();
        assert_eq!(failed.kind, ErrorKind::NotFound, "{status}");
        assert!(failed.message.contains("not followed"), "{}", failed.message);
        assert!(client().check(&endpoint(&server.url(), KEY)).await.is_err());
    }
    assert!(other.requests.try_recv().is_err(), "nobody came with the key");
}

#[tokio::test]
async fn a_check_is_satisfied_by_a_provider_only() {
    let check = |url: String| async move { client().check(&endpoint(&url, KEY)).await.map_err(|error| error.kind) };
    let list = Server::saying(plain(200, &[], "{\"data\": [{\"id\": \"m\"}], \"has_more\": false}")).await;
    assert_eq!(check(list.url()).await, Ok(()));
    for body in ["<html>Welcome!</html>", "", "{}", "[]"] {
        let server = Server::saying(plain(200, &[], body)).await;
        assert_eq!(check(server.url()).await, Err(ErrorKind::Garbage), "{body}");
    }
    let wrong = Server::saying(plain(401, &[], &error("authentication_error", "invalid x-api-key").to_string())).await;
    assert_eq!(check(wrong.url()).await, Err(ErrorKind::InvalidKey));
}

#[tokio::test]
async fn a_count_that_is_none_is_refused() {
    let messages = [Message::user("Hello.")];
    for body in ["{\"input_tokens\": \"many\"}", "nothing"] {
        let server = Server::saying(plain(200, &[], body)).await;
        let failed = client().count_tokens(&endpoint(&server.url(), KEY), &request(&messages)).await.unwrap_err();
        assert_eq!(failed.kind, ErrorKind::Garbage);
    }
}
