//! A receiver of webhooks that verifies them with a library nobody here wrote, and what it was sent.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::harness::PATIENCE;

/// The receiver, which ends with the test.
pub struct Receiver {
    _child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    port: u64,
}

/// A message as it was received.
#[derive(Debug, Clone)]
pub struct Message {
    pub path: String,
    pub id: String,
    pub headers: Value,
    pub body: Value,
    /// True, or why it is not.
    pub verified: Value,
}

impl Receiver {
    pub async fn start() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/webhook");
        assert!(
            folder.join("node_modules").is_dir(),
            "run scripts/setup.sh test first: the tests' receiver of webhooks is missing"
        );
        let mut child = Command::new("node")
            .arg(folder.join("receiver.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut receiver = Self { _child: child, stdin, lines, port: 0 };
        receiver.port = receiver.line().await["port"].as_u64().unwrap();
        receiver
    }

    /// The address of a path; `receiver.mjs` says how each behaves.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    async fn line(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("nothing was received")).unwrap();
        serde_json::from_str(&line.unwrap_or_else(|| panic!("the receiver ended"))).unwrap()
    }

    async fn tell(&mut self, what: Value) {
        self.stdin.write_all(format!("{what}\n").as_bytes()).await.unwrap();
        assert_eq!(self.line().await, json!({ "heard": true }));
    }

    /// It expects this secret at this path.
    pub async fn expects(&mut self, path: &str, secret: &str) {
        self.tell(json!({ "path": path, "secret": secret })).await;
    }

    /// Its clock stands at this moment.
    pub async fn stands_at(&mut self, now: guildhall_types::DateTime) {
        self.tell(json!({ "now": now.timestamp_millis() })).await;
    }

    /// The next message.
    pub async fn next(&mut self) -> Message {
        let line = self.line().await;
        Message {
            path: line["path"].as_str().unwrap().to_owned(),
            id: line["headers"]["webhook-id"].as_str().unwrap().to_owned(),
            headers: line["headers"].clone(),
            body: serde_json::from_str(line["body"].as_str().unwrap()).unwrap(),
            verified: line["verified"].clone(),
        }
    }
}
