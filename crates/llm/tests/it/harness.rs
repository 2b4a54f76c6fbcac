//! A caller, and a server by hand.

use std::sync::Arc;
use std::time::Duration;

use guildhall_llm::{Answer, Client, Endpoint, LlmError, Patience, Request, Secret};
use guildhall_types::chat::Message;
use guildhall_types::feature::ThinkingLevel;
use guildhall_types::member::ProviderKind;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

pub const KEY: &str = "sk-ant-test-0123456789abcdef";

pub fn endpoint(url: &str, key: &str) -> Endpoint {
    Endpoint::new(ProviderKind::Anthropic, Some(url), Secret::new(key)).unwrap()
}

/// A client with more patience than a busy machine needs.
pub fn client() -> Client {
    let long = Duration::from_secs(30);
    Client::with_patience(Patience { connect: long, headers: long, idle: long }).unwrap()
}

/// How long a hasty client waits for the next piece of an answer. It waits twice as long for the first.
pub const HASTE: Duration = Duration::from_secs(3);

/// A client that is soon at the end of its patience.
pub fn hasty() -> Client {
    Client::with_patience(Patience { connect: HASTE * 5, headers: HASTE * 2, idle: HASTE }).unwrap()
}

pub fn request(messages: &[Message]) -> Request<'_> {
    let thinking = ThinkingLevel::Medium;
    Request {
        model: "claude-sonnet-5-5",
        system: &[],
        tools: &[],
        messages,
        max_tokens: 8_000,
        thinking,
        temperature: None,
        must_call: false,
    }
}

/// Says hello to a provider.
pub async fn hello(url: &str) -> Result<Answer, LlmError> {
    say_hello(&client(), url).await
}

/// Says hello to a provider, with little patience.
pub async fn hello_in_haste(url: &str) -> Result<Answer, LlmError> {
    say_hello(&hasty(), url).await
}

async fn say_hello(client: &Client, url: &str) -> Result<Answer, LlmError> {
    client.stream(&endpoint(url, KEY), &request(&[Message::user("Hello.")]), |_| {}).await
}

/// A server that answers every call in one way.
pub struct Server {
    address: std::net::SocketAddr,
    /// The requests, as they came.
    pub requests: mpsc::UnboundedReceiver<String>,
}

impl Server {
    /// Lets `answer` answer each call.
    pub async fn start<F>(answer: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, requests) = mpsc::unbounded_channel();
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (heard, answer) = (heard.clone(), Arc::clone(&answer));
                tokio::spawn(async move {
                    let request = read(&mut stream).await?;
                    // A test that does not look at requests has dropped the other end.
                    let _ = heard.send(request);
                    answer(stream).await
                });
            }
        });
        Self { address, requests }
    }

    /// Answers each call with these bytes and an end.
    pub async fn saying(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes: Arc<[u8]> = Arc::from(bytes.into());
        Self::start(move |mut stream| {
            let bytes = Arc::clone(&bytes);
            async move {
                stream.write_all(&bytes).await?;
                stream.shutdown().await
            }
        })
        .await
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn host(&self) -> String {
        self.address.to_string()
    }
}

/// One request, with its body.
async fn read(stream: &mut TcpStream) -> std::io::Result<String> {
    let (mut text, mut piece) = (Vec::new(), [0; 8_192]);
    loop {
        let read = stream.read(&mut piece).await?;
        text.extend_from_slice(&piece[..read]);
        let plain = String::from_utf8_lossy(&text).into_owned();
        let Some((head, body)) = plain.split_once("\r\n\r\n") else {
            if read == 0 {
                return Ok(plain);
            }
            continue;
        };
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if read == 0 || body.len() >= length.unwrap_or(0_usize) {
            return Ok(plain);
        }
    }
}

/// The head of an answer that ends with the connection.
pub fn head(status: u16, headers: &[(&str, &str)]) -> String {
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("HTTP/1.1 {status} Whatever\r\nconnection: close\r\n{lines}\r\n")
}

pub fn stream_head() -> String {
    head(200, &[("content-type", "text/event-stream; charset=utf-8")])
}

/// An answer that is not a stream.
pub fn plain(status: u16, headers: &[(&str, &str)], body: &str) -> String {
    head(status, headers) + body
}

/// An error in the provider's form.
pub fn error(kind: &str, message: &str) -> Value {
    json!({ "type": "error", "error": { "type": kind, "message": message } })
}

pub fn event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())
}

/// The events of an answer that says `text`.
pub fn answer(text: &str) -> Vec<String> {
    [
        json!({ "type": "message_start", "message": { "model": "m", "usage": { "input_tokens": 7, "output_tokens": 1 } } }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        json!({ "type": "ping" }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 9 } }),
        json!({ "type": "message_stop" }),
    ]
    .iter()
    .map(event)
    .collect()
}
