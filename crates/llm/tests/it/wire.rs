//! Bytes as they should and should not come.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use guildhall_llm::{Client, ErrorKind, Patience};
use guildhall_types::chat::{Block, Message, Usage};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use crate::harness::{
    HASTE, KEY, Server, answer, client, endpoint, error, hello, hello_in_haste, plain, request, stream_head,
};

#[tokio::test]
async fn a_call_is_what_the_provider_wants_to_see() {
    let mut server = Server::saying(stream_head() + &answer("Hi.").concat()).await;
    let answer = hello(&format!("{}/proxy/v1/", server.url())).await.unwrap();
    assert_eq!(answer.message.content, [Block::text("Hi.")]);
    assert_eq!(answer.usage, Usage { input_tokens: 7, output_tokens: 9, ..Usage::default() });

    let request = server.requests.recv().await.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /proxy/v1/messages HTTP/1.1\r\n"), "{head}");
    for line in ["anthropic-version: 2023-06-01", "content-type: application/json", &format!("x-api-key: {KEY}")] {
        assert!(head.to_lowercase().lines().any(|found| found == line), "{line} is not in {head}");
    }
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&body["stream"], &body["max_tokens"]), (&json!(true), &json!(8_000)));
}

#[tokio::test]
async fn a_stream_that_comes_byte_by_byte_is_read() {
    let text = stream_head() + "\u{feff}: hello\r\n\r\n" + &answer("Größe 😀 日本").concat().replace('\n', "\r\n");
    let text: Arc<str> = text.into();
    let server = Server::start(move |mut stream| {
        let text = Arc::clone(&text);
        async move {
            stream.set_nodelay(true)?;
            for byte in text.bytes() {
                stream.write_all(&[byte]).await?;
                tokio::task::yield_now().await;
            }
            Ok(())
        }
    })
    .await;
    assert_eq!(hello(&server.url()).await.unwrap().message, Message::assistant(vec![Block::text("Größe 😀 日本")]));
}

#[tokio::test]
async fn an_answer_without_its_end_is_broken_and_counted() {
    let events = answer("Some words.");
    let whole = events.concat();
    let chunked = stream_head().replace("connection: close", "transfer-encoding: chunked");
    let length = stream_head().replace("connection: close", "content-length: 100000");
    for (what, bytes) in [
        ("no message_stop", stream_head() + &events[..6].concat()),
        ("no stop reason", stream_head() + &events[..5].concat() + &events[6]),
        ("in the middle of an event", stream_head() + &whole[..whole.len() - 1]),
        ("fewer bytes than were promised", length + &events[..4].concat()),
        ("a chunk that is cut", chunked + &format!("{:x}\r\n{}", whole.len() + 50, whole.trim_end())),
    ] {
        let failed = hello(&Server::saying(bytes).await.url()).await.unwrap_err();
        assert_eq!(failed.kind, ErrorKind::Broken, "{what}: {failed}");
        assert_eq!(failed.partial.unwrap().usage.input_tokens, 7, "{what}");
    }
}

#[tokio::test]
async fn what_is_no_stream_is_garbage() {
    let html = [("content-type", "text/html; charset=utf-8")];
    for (what, bytes) in [
        ("a web page", plain(200, &html, "<html>Sign in</html>")),
        ("JSON", plain(200, &[("content-type", "application/json")], "{\"content\": []}")),
        ("nothing", stream_head()),
        ("a page that says it is a stream", stream_head() + "<html>\n\n<body>\n\n"),
        ("no JSON", stream_head() + "data: [DONE]\n\n"),
        ("bytes that are no text", stream_head() + "data: "),
    ] {
        let mut bytes = bytes.into_bytes();
        if what == "bytes that are no text" {
            bytes.extend_from_slice(b"\xff\xfe{}\n\n");
        }
        let failed = hello(&Server::saying(bytes).await.url()).await.unwrap_err();
        assert_eq!(failed.kind, ErrorKind::Garbage, "{what}: {failed}");
        assert!(failed.partial.is_none());
    }
    let json = error("overloaded_error", "Overloaded, try again in 3 s").to_string();
    let server = Server::saying(plain(200, &[("content-type", "application/json")], &json)).await;
    let failed = hello(&server.url()).await.unwrap_err();
    assert_eq!((failed.kind, failed.retry_after), (ErrorKind::Overloaded, Some(Duration::from_secs(3))));
}

#[tokio::test]
async fn what_has_no_end_is_not_read_for_ever() {
    // One line without an end, then lines without an end.
    for (piece, most) in [("x".repeat(65_536), 24), (format!(": {}\n", "x".repeat(65_533)), 84)] {
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let piece: Arc<str> = piece.into();
        let server = Server::start(move |mut stream| {
            let (piece, count) = (Arc::clone(&piece), Arc::clone(&count));
            async move {
                stream.write_all(stream_head().as_bytes()).await?;
                for _ in 0..1_600 {
                    stream.write_all(piece.as_bytes()).await?;
                    count.fetch_add(piece.len(), Ordering::Relaxed);
                }
                Ok(())
            }
        })
        .await;
        let failed = hello(&server.url()).await.unwrap_err();
        assert_eq!(failed.kind, ErrorKind::Garbage, "{failed}");
        let sent = sent.load(Ordering::Relaxed) / 1024 / 1024;
        assert!(sent < most, "{sent} MB of 100 were read");
    }
}

#[tokio::test]
async fn a_thinking_model_is_waited_for_as_long_as_it_pings() {
    let server = Server::start(|mut stream| async move {
        let events = answer("Done.");
        stream.write_all((stream_head() + &events[0]).as_bytes()).await?;
        // Longer than the idle time in all.
        for _ in 0..10 {
            tokio::time::sleep(HASTE / 5).await;
            stream.write_all(b"event: ping\ndata: {\"type\": \"ping\"}\n\n").await?;
        }
        stream.write_all(events[1..].concat().as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
    assert_eq!(hello_in_haste(&server.url()).await.unwrap().message.plain_text(), "Done.");
}

#[tokio::test]
async fn a_provider_that_falls_silent_is_left() {
    for (before, partial) in [(2, true), (0, false)] {
        let server = Server::start(move |mut stream| async move {
            stream.write_all((stream_head() + &answer("")[..before].concat()).as_bytes()).await?;
            stream.read_to_end(&mut Vec::new()).await.map(|_| ())
        })
        .await;
        let failed = hello_in_haste(&server.url()).await.unwrap_err();
        assert_eq!((failed.kind, failed.partial.is_some()), (ErrorKind::Idle, partial));
        assert_eq!(failed.message, format!("{} fell silent: nothing came for {} s", server.host(), HASTE.as_secs()));
    }
    let mute = Server::start(|mut stream| async move { stream.read_to_end(&mut Vec::new()).await.map(|_| ()) }).await;
    let failed = hello_in_haste(&mute.url()).await.unwrap_err();
    let patience = (HASTE * 2).as_secs();
    let silent = format!("{} did not answer for {patience} s", mute.host());
    assert_eq!((failed.kind, failed.message), (ErrorKind::Idle, silent));
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_is_named_with_the_reason() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let failed = hello(&format!("http://{address}")).await.unwrap_err();
    assert_eq!(failed.kind, ErrorKind::Unreachable);
    assert!(failed.message.starts_with(&format!("{address} cannot be reached: Connection refused")), "{failed}");

    let closes = Server::start(|stream| async move {
        drop(stream);
        Ok(())
    })
    .await;
    assert_eq!(hello(&closes.url()).await.unwrap_err().kind, ErrorKind::Unreachable);
}

#[tokio::test]
async fn tls_to_a_port_that_speaks_none_fails_soon_and_is_named() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 64]).await?;
            stream.write_all(plain(400, &[], "This is plain HTTP.").as_bytes()).await?;
        }
        std::io::Result::Ok(())
    });
    let began = Instant::now();
    let failed = hello(&format!("https://{address}")).await.unwrap_err();
    assert_eq!(failed.kind, ErrorKind::Unreachable);
    assert!(failed.message.contains("cannot be reached: ") && began.elapsed() < Duration::from_secs(30), "{failed}");
}

#[test]
fn there_is_one_tls_stack() {
    let lock = include_str!("../../../../Cargo.lock");
    for other in ["aws-lc-rs", "aws-lc-sys", "native-tls", "openssl", "openssl-sys", "boring"] {
        assert!(!lock.contains(&format!("name = \"{other}\"\n")), "{other} came into the tree");
    }
    assert!(lock.contains("name = \"ring\"\n"));
}

#[tokio::test]
async fn a_dropped_call_ends_the_connection() {
    let (tell, told) = oneshot::channel();
    let tell = Arc::new(std::sync::Mutex::new(Some(tell)));
    let server = Server::start(move |mut stream| {
        let tell = Arc::clone(&tell);
        async move {
            stream.write_all((stream_head() + &answer("")[0]).as_bytes()).await?;
            // The end of what the caller has to say is the end of the call.
            let end = stream.read_to_end(&mut Vec::new()).await;
            let tell = tell.lock().unwrap().take();
            if let Some(tell) = tell {
                let _ = tell.send(end.is_ok());
            }
            Ok(())
        }
    })
    .await;
    let patient = Client::with_patience(Patience::default()).unwrap();
    let (began, begun) = oneshot::channel();
    let mut began = Some(began);
    let (endpoint, messages) = (endpoint(&server.url(), KEY), [Message::user("Hello.")]);
    let request = request(&messages);
    let call = patient.stream(&endpoint, &request, |_| {
        let _ = began.take().map(|began| began.send(()));
    });
    tokio::select! {
        _ = call => panic!("it has no end"),
        _ = begun => {}
    }
    let ended = tokio::time::timeout(Duration::from_secs(30), told).await;
    assert!(ended.is_ok(), "the connection stays");
}

#[tokio::test]
async fn many_calls_share_a_client() {
    let server = Server::saying(stream_head() + &answer("Hi.").concat()).await;
    let (client, endpoint) = (client(), endpoint(&server.url(), KEY));
    let messages = [Message::user("Hello.")];
    let request = request(&messages);
    let calls = (0..50).map(|_| client.stream(&endpoint, &request, |_| {}));
    for done in futures::future::join_all(calls).await {
        assert_eq!(done.unwrap().message.plain_text(), "Hi.");
    }
}
