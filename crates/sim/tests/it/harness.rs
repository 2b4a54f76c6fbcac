//! A client by hand, which sees every byte.

use std::collections::HashMap;

use guildhall_sim::Sim;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: String,
    /// Whether the body came to its end.
    pub whole: bool,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The events of a stream.
    pub fn events(&self) -> Vec<Value> {
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    pub fn count(&self, kind: &str) -> usize {
        self.events().iter().filter(|event| event["type"] == kind).count()
    }

    pub fn error(&self) -> (u16, String, String) {
        let error = &self.json()["error"];
        (self.status, error["type"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned())
    }
}

/// A request with one prompt.
pub fn prompt(text: &str) -> Value {
    json!({ "model": "simulated", "max_tokens": 1_000, "messages": [user(text)] })
}

pub fn user(text: &str) -> Value {
    json!({ "role": "user", "content": [{ "type": "text", "text": text }] })
}

/// The opening of a call: a connection on which the request was sent.
pub async fn open(sim: &Sim, method: &str, path: &str, key: &str, body: &str) -> TcpStream {
    let url = sim.url();
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nx-api-key: {key}\r\nanthropic-version: 2023-06-01\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    stream
}

pub async fn send(sim: &Sim, method: &str, path: &str, key: &str, body: &str) -> Reply {
    let mut stream = open(sim, method, path, key, body).await;
    let mut bytes = Vec::new();
    // A connection that breaks ends what can be read.
    let _ = stream.read_to_end(&mut bytes).await;
    parse(&String::from_utf8_lossy(&bytes))
}

/// Asks for a message.
pub async fn ask(sim: &Sim, body: &Value) -> Reply {
    send(sim, "POST", "/v1/messages", "sk-test", &body.to_string()).await
}

/// Asks for a message as a stream.
pub async fn stream(sim: &Sim, body: &Value) -> Reply {
    let mut body = body.clone();
    body["stream"] = true.into();
    ask(sim, &body).await
}

fn parse(text: &str) -> Reply {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    if !headers.contains_key("transfer-encoding") {
        return Reply { status, headers, body: body.to_owned(), whole: true };
    }
    let (mut rest, mut whole, mut plain) = (body.as_bytes(), false, Vec::new());
    while let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..at]).unwrap(), 16).unwrap();
        whole = size == 0;
        let chunk = &rest[at + 2..];
        if whole || chunk.len() < size + 2 {
            plain.extend_from_slice(&chunk[..size.min(chunk.len())]);
            break;
        }
        plain.extend_from_slice(&chunk[..size]);
        rest = &chunk[size + 2..];
    }
    Reply { status, headers, body: String::from_utf8(plain).unwrap(), whole }
}
