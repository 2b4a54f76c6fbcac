//! A mail server by somebody else, and what it was sent.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use guildhall_llm::Secret;
use guildhall_team::mail::SmtpSettings;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::harness::PATIENCE;

/// The mail server, which ends with the test.
pub struct Post {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub port: u64,
}

/// A mail as the server took it.
#[derive(Debug, Clone)]
pub struct Letter {
    pub from: String,
    pub to: String,
    pub secure: bool,
    pub user: Option<String>,
    pub raw: String,
}

impl Post {
    pub async fn start() -> Self {
        Self::with(json!({})).await
    }

    /// One that behaves so; `server.mjs` says how one can.
    pub async fn with(wish: Value) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smtp");
        assert!(
            folder.join("node_modules").is_dir(),
            "run scripts/setup.sh test first: the tests' mail server is missing"
        );
        let mut child = Command::new("node")
            .arg(folder.join("server.mjs"))
            .arg(wish.to_string())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        let port = serde_json::from_str::<Value>(&first).unwrap()["port"].as_u64().unwrap();
        Self { _child: child, lines, port }
    }

    /// How to reach it, in the clear.
    pub fn settings(&self) -> SmtpSettings {
        settings(&format!("smtp://127.0.0.1:{}", self.port), &[])
    }

    /// The next mail that it takes.
    pub async fn next(&mut self) -> Letter {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        let line =
            line.unwrap_or_else(|_| panic!("no mail came")).unwrap().unwrap_or_else(|| panic!("the mail server ended"));
        let mail: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| mail[name].as_str().map(str::to_owned);
        assert_eq!(mail["to"].as_array().unwrap().len(), 1, "{mail}");
        Letter {
            from: text("from").unwrap(),
            to: mail["to"][0].as_str().unwrap().to_owned(),
            secure: mail["secure"].as_bool().unwrap(),
            user: text("user"),
            raw: text("raw").unwrap(),
        }
    }
}

pub fn settings(url: &str, authorities: &[u8]) -> SmtpSettings {
    let from = "Guildhall <guildhall@example.com>".parse().unwrap();
    SmtpSettings::parse(url, None::<Secret>, from, authorities.to_vec()).unwrap()
}

impl Letter {
    /// A header, unfolded.
    #[track_caller]
    pub fn header(&self, name: &str) -> String {
        let (head, _) = self.raw.split_once("\r\n\r\n").unwrap();
        let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let found: Vec<&str> = head.split("\r\n").filter_map(|line| line.strip_prefix(&format!("{name}: "))).collect();
        assert_eq!(found.len(), 1, "{name} in {head}");
        found[0].to_owned()
    }

    /// The plain text.
    pub fn text(&self) -> String {
        self.part("text/plain")
    }

    /// The HTML.
    pub fn html(&self) -> String {
        self.part("text/html")
    }

    fn part(&self, kind: &str) -> String {
        let at = self.raw.find(&format!("Content-Type: {kind}")).unwrap();
        let (head, body) = self.raw[at..].split_once("\r\n\r\n").unwrap();
        let body = body.split("\r\n--").next().unwrap().replace("\r\n", "\n");
        match head.contains("quoted-printable") {
            true => unquoted(&body),
            false => body,
        }
    }

    /// The code of the link below `page` in the text.
    #[track_caller]
    pub fn code(&self, page: &str) -> String {
        let text = self.text();
        let (_, rest) = text.split_once(page).unwrap_or_else(|| panic!("no {page} in {text}"));
        rest.split_whitespace().next().unwrap().to_owned()
    }
}

/// Quoted-printable text as it is meant.
fn unquoted(text: &str) -> String {
    let text = text.replace("=\n", "");
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'=' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                out.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            byte => out.push(byte),
        }
    }
    String::from_utf8(out).unwrap()
}

/// An authority of the test's own and a certificate of it for `localhost` and 127.0.0.1.
pub struct Authority {
    dir: tempfile::TempDir,
}

impl Authority {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let openssl = async |arguments: &[&str]| {
            let done = Command::new("openssl").args(arguments).current_dir(dir.path()).output().await.unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        };
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let ca = ["req", "-x509", "-days", "2", "-subj", "/CN=Test authority", "-keyout", "ca.key", "-out", "ca.pem"];
        openssl(&[&ca[..], &curve[..]].concat()).await;
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
        let leaf = [
            "req",
            "-x509",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            names,
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            "leaf.key",
            "-out",
            "leaf.pem",
        ];
        openssl(&[&leaf[..], &curve[..]].concat()).await;
        Self { dir }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn pem(&self) -> Vec<u8> {
        std::fs::read(self.file("ca.pem")).unwrap()
    }

    /// A mail server that shows the certificate and asks for user and password.
    pub async fn post(&self, tls: &str) -> Post {
        let (key, cert) = (self.file("leaf.key"), self.file("leaf.pem"));
        Post::with(json!({ "tls": tls, "key": key, "cert": cert, "user": "guild", "password": "p@ss word" })).await
    }
}
