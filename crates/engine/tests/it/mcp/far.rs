//! Servers elsewhere that do what none should: small ones of this test, which speak the handshake of the older revision.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use guildhall_team::{McpServerWish, McpValueWish};
use guildhall_types::feature::FeatureStatus;
use guildhall_types::mcp::{McpServer, McpTransport};
use guildhall_types::project::{Project, ProjectSource};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{KEY, calls_of};
use crate::harness::Hall;

/// What a server does at the methods that it is asked for.
#[derive(Debug, Clone, PartialEq)]
enum Odd {
    /// Nothing odd but at the tool `odd`: what stands below.
    Good,
    /// Sends elsewhere whoever asks.
    Redirects(String),
    /// Takes a request and never answers.
    Hangs,
    /// Answers with a page.
    Page,
    /// Answers with an event that has no end.
    Endless,
    /// Answers with a body that is larger than any message may be.
    Large,
    /// Cuts the connection.
    Dies,
    /// At the beginning: good, and pours comments into the stream on which it may speak unasked, as long as anybody reads them.
    Comments,
}

/// A server, and all that it heard: whole requests.
#[derive(Clone)]
pub(super) struct Far {
    url: String,
    heard: Arc<Mutex<Vec<String>>>,
    /// Bytes of comments.
    poured: Arc<AtomicUsize>,
}

impl Far {
    /// Begins to listen. What is odd is done at `initialize`, or, where that is good, at a call of a tool.
    async fn start(at_beginning: Odd, at_call: Odd) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://127.0.0.1:{}/mcp", listener.local_addr().unwrap().port());
        let far = Self { url, heard: Arc::default(), poured: Arc::default() };
        let (heard, poured) = (Arc::clone(&far.heard), Arc::clone(&far.poured));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (heard, odd) = (Arc::clone(&heard), (at_beginning.clone(), at_call.clone()));
                let poured = Arc::clone(&poured);
                tokio::spawn(async move { drop(serve(stream, &heard, &poured, &odd).await) });
            }
        });
        far
    }

    pub(super) fn has_heard(&self, words: &str) -> bool {
        self.times(words) > 0
    }

    fn times(&self, words: &str) -> usize {
        self.heard.lock().unwrap().iter().filter(|request| request.contains(words)).count()
    }
}

async fn serve(
    stream: TcpStream,
    heard: &Mutex<Vec<String>>,
    poured: &AtomicUsize,
    odd: &(Odd, Odd),
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    heard.lock().unwrap().push(format!("{head}\n{}", String::from_utf8_lossy(&body)));
    if head.starts_with("GET") && odd.0 == Odd::Comments {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n").await?;
        let comment = [&[b':'; 4_095][..], b"\n"].concat();
        loop {
            stream.write_all(&comment).await?;
            poured.fetch_add(comment.len(), Ordering::Relaxed);
        }
    }
    if !head.starts_with("POST") {
        return answer(&mut stream, "405 Method Not Allowed", "", "").await;
    }
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let result = match asked["method"].as_str().unwrap_or_default() {
        "initialize" if !matches!(odd.0, Odd::Good | Odd::Comments) => return odd_answer(&mut stream, &odd.0).await,
        "tools/call" if odd.1 != Odd::Good => return odd_answer(&mut stream, &odd.1).await,
        "initialize" => json!({ "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
            "serverInfo": { "name": "far", "version": "1" } }),
        "tools/list" => json!({ "tools": [{ "name": "odd", "inputSchema": { "type": "object" } }] }),
        "tools/call" => json!({ "content": [{ "type": "text", "text": "well" }] }),
        method if method.starts_with("notifications/") => return answer(&mut stream, "202 Accepted", "", "").await,
        _ => {
            let error =
                json!({ "jsonrpc": "2.0", "id": asked["id"], "error": { "code": -32601, "message": "not known" } });
            return answer(&mut stream, "200 OK", "application/json", &error.to_string()).await;
        }
    };
    let result = json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result });
    answer(&mut stream, "200 OK", "application/json", &result.to_string()).await
}

async fn answer(stream: &mut BufReader<TcpStream>, status: &str, kind: &str, body: &str) -> std::io::Result<()> {
    // Without a session nobody opens the stream on which a server speaks unasked.
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nmcp-session-id: one\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.flush().await
}

async fn odd_answer(stream: &mut BufReader<TcpStream>, odd: &Odd) -> std::io::Result<()> {
    match odd {
        Odd::Good | Odd::Dies | Odd::Comments => Ok(()),
        Odd::Hangs => std::future::pending().await,
        Odd::Page => answer(stream, "200 OK", "text/html", "<h1>Welcome</h1>").await,
        Odd::Redirects(to) => {
            let head = format!(
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await
        }
        Odd::Endless => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\ndata: ")
                .await?;
            loop {
                stream.write_all(&[b'x'; 8_192]).await?;
            }
        }
        Odd::Large => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\"")
                .await?;
            loop {
                stream.write_all(&[b'x'; 8_192]).await?;
            }
        }
    }
}

impl Hall {
    /// One of the whole team, which does nothing odd.
    pub(super) async fn far_of_team(&self, name: &str) -> (Far, McpServer) {
        let far = Far::start(Odd::Good, Odd::Good).await;
        let server = self.far_of(None, name, &far.url, 20).await;
        (far, server)
    }

    async fn far(&self, project: &Project, name: &str, url: &str, seconds: i64) -> McpServer {
        self.far_of(Some(project), name, url, seconds).await
    }

    async fn far_of(&self, project: Option<&Project>, name: &str, url: &str, seconds: i64) -> McpServer {
        let key = format!("Bearer {KEY}");
        let wish = McpServerWish {
            name: name.to_owned(),
            transport: McpTransport::Http { url: url.to_owned() },
            values: vec![McpValueWish::new("Authorization".to_owned(), Some(key), true)],
            timeout_seconds: Some(seconds),
        };
        self.team.create_mcp_server(self.by(), project.map(|project| project.id), wish).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_elsewhere_that_cannot_be_used_is_told_in_words_and_no_secret_goes_further() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let elsewhere = Far::start(Odd::Good, Odd::Good).await;
    for (at, odd, says) in [
        ("moved", Odd::Redirects(elsewhere.url.clone()), "sends whoever calls it elsewhere"),
        ("hung", Odd::Hangs, "did not answer within 2 seconds"),
        ("page", Odd::Page, "is not MCP"),
        ("endless", Odd::Endless, "over 4 MiB"),
        ("large", Odd::Large, "over 4 MiB"),
        ("dead", Odd::Dies, "was cut before an answer came"),
    ] {
        let server = Far::start(odd, Odd::Good).await;
        let made = hall.far(&project, at, &server.url, 2).await;
        let tried = hall.engine.try_mcp_server(&hall.team, hall.by(), made.id, None).await.unwrap();
        let problem = tried.test.unwrap().problem.unwrap();
        assert!(problem.contains(says), "{at}: {problem}");
        assert!(server.has_heard(KEY), "{at}: it was asked with the key that is meant for it");
    }
    assert!(elsewhere.heard.lock().unwrap().is_empty(), "no redirect is followed");
    hall.has_leaked_nothing().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_elsewhere_ends_in_words_whatever_the_server_does() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let elsewhere = Far::start(Odd::Good, Odd::Good).await;
    let mut script = Vec::new();
    let cases = [
        ("good", Odd::Good, "well"),
        ("moved", Odd::Redirects(elsewhere.url.clone()), "sends whoever calls it elsewhere"),
        ("endless", Odd::Endless, "over 4 MiB"),
        ("dead", Odd::Dies, "was cut before an answer came"),
        ("hung", Odd::Hangs, "did not answer within 3 seconds"),
    ];
    let mut servers = Vec::new();
    for (name, odd, _) in &cases {
        let server = Far::start(Odd::Good, odd.clone()).await;
        let made = hall.far(&project, name, &server.url, 3).await;
        hall.tried_and_approved(made.id).await;
        script.extend(calls_of(name, &[("odd", json!({}))]).into_iter().take(1));
        servers.push(server);
    }
    script.push(json!({ "say": "Done." }));
    let id = hall.scripted(&project, &script).await;
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
    let answers = hall.answers(id).await;
    for ((name, _, says), (failed, words)) in cases.iter().zip(&answers) {
        assert_eq!((words.contains(says), *failed), (true, *name != "good"), "{name}: {words}");
    }
    assert!(elsewhere.heard.lock().unwrap().is_empty(), "no redirect is followed");
    let late = servers.last().unwrap().clone();
    let told = async || late.has_heard("notifications/cancelled").then_some(());
    hall.until("the word that nobody waits any more", &told).await;

    // The same when the run is stopped in the middle of a call.
    late.heard.lock().unwrap().clear();
    hall.team
        .change_mcp_server(
            hall.by(),
            hall.team
                .store
                .mcp_servers(Some(project.id))
                .await
                .unwrap()
                .iter()
                .find(|server| server.name == "hung")
                .unwrap()
                .id,
            guildhall_team::McpServerWishes { timeout_seconds: Some(120), ..Default::default() },
        )
        .await
        .unwrap();
    let id = hall.scripted(&project, &calls_of("hung", &[("odd", json!({}))])).await;
    hall.until("the call", async || late.has_heard("tools/call").then_some(())).await;
    hall.team.stop(id).await.unwrap();
    hall.until("the word that nobody waits any more", &told).await;
    hall.has_leaked_nothing().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_elsewhere_that_only_pours_out_comments_is_not_read_between_two_calls() {
    let hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    let server = Far::start(Odd::Comments, Odd::Good).await;
    let made = hall.far(&project, "far", &server.url, 20).await;
    hall.tried_and_approved(made.id).await;
    server.heard.lock().unwrap().clear();
    server.poured.store(0, Ordering::Relaxed);
    let call = || calls_of("far", &[("odd", json!({}))]).swap_remove(0);
    let waits = || json!({ "tools": [["bash", { "command": "sleep 1" }]] });
    let id = hall.scripted(&project, &[call(), waits(), call(), waits(), call(), json!({ "say": "Done." })]).await;
    let feature = hall.rests(id).await;
    assert_eq!(feature.card.status, FeatureStatus::WaitingApproval, "{:?}", feature.card.error);
    let answers = hall.answers(id).await;
    assert_eq!(answers.iter().filter(|(failed, words)| !failed && words.contains("well")).count(), 3, "{answers:?}");
    // One conversation, whose stream is closed each time and opened anew with each call; 8 MiB of each are read, and what is on its
    // way by then.
    let opened = server.times("GET /mcp");
    assert_eq!((server.times("\"initialize\""), (2..=4).contains(&opened)), (1, true), "{opened}");
    let poured = server.poured.load(Ordering::Relaxed) / (1024 * 1024);
    assert!((8..=opened * 24).contains(&poured), "{poured} MiB in {opened} streams");
    // What it might have said of its tools meanwhile is looked up before the next call.
    assert!(server.times("tools/list") >= 3, "{}", server.times("tools/list"));
}
