//! The proxy of a run: the only thing in its network that leads out.
//!
//! A command asks for a host by its name. The name is judged by the project's rules as they are at that moment, and resolved
//! once; if any of its addresses is not out in the world, none is called. So neither a name that leads inside nor one that
//! changes its mind gains anything.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use guildhall_types::network::{HostName, NetworkPolicy, NetworkRules};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::Instrument;

use super::body::{Body, number};
use super::head::{Answer, HEADERS, Kind, Request, pass_on, read, values};
use super::outside::Outside;

/// Connections of a run at once; more wait.
const CONNECTIONS: usize = 64;
/// Bytes of a request's head, and of an answer's.
const HEAD: usize = 32 * 1024;
/// How long a command may take to say what it asks for.
const ASKING: Duration = Duration::from_secs(15);
/// Names of a run that are resolved at once; more wait. Each takes a thread of the server's for as long as nobody answers.
const LOOKUPS: usize = 8;
/// How long the resolving of a name may take.
const RESOLVING: Duration = Duration::from_secs(10);
/// How long a host may take to answer at one of its addresses, and at how many of them it is called.
const CALLING: Duration = Duration::from_secs(10);
const ADDRESSES: usize = 4;
/// How long nothing may go through a connection.
const IDLE: Duration = Duration::from_secs(300);
/// How long a refused command may take to read why.
const READING: Duration = Duration::from_secs(1);
/// Bytes that are moved at once.
const CHUNK: usize = 16 * 1024;

/// What decides of a run's connections.
#[async_trait]
pub(super) trait Door: Send + Sync {
    /// The project's rules as they are now; nothing when they cannot be known.
    async fn rules(&self) -> Option<Arc<NetworkRules>>;

    /// A host was refused that the rules could allow.
    fn refused(&self, host: HostName, port: u16);
}

/// Serves a run until `end`.
pub(super) async fn serve(
    listener: TcpListener,
    door: Arc<dyn Door>,
    outside: Outside,
    end: impl Future<Output = ()> + Send,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let way = Way { door, outside, lookups: Arc::new(Semaphore::new(LOOKUPS)) };
    // With the set, all that goes on in it ends.
    let mut under_way = JoinSet::new();
    let serving = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            while under_way.try_join_next().is_some() {}
            match listener.accept().await {
                Ok((stream, _)) => {
                    let way = way.clone();
                    let answering = async move {
                        if let Err(error) = answer(stream, &way).await {
                            tracing::debug!(%error, "a connection out of a sandbox broke off");
                        }
                        drop(place);
                    };
                    under_way.spawn(answering.in_current_span());
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection out of a sandbox could not be taken");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    };
    tokio::select! {
        () = serving => {}
        () = end => {}
    }
}

/// The way out of one run.
#[derive(Clone)]
struct Way {
    door: Arc<dyn Door>,
    outside: Outside,
    /// Places to resolve names.
    lookups: Arc<Semaphore>,
}

impl Way {
    async fn resolve(&self, host: &HostName, port: u16) -> io::Result<Vec<SocketAddr>> {
        let place = Arc::clone(&self.lookups).acquire_owned().await.map_err(io::Error::other)?;
        let (resolver, host) = (Arc::clone(&self.outside.resolver), host.clone());
        // On a task of its own: the host's resolver goes on when nobody waits any more, and keeps its place until it ends.
        let looking = tokio::spawn(async move {
            let found = resolver.resolve(host.as_str(), port).await;
            drop(place);
            found
        });
        looking.await.map_err(io::Error::other)?
    }
}

/// Answers one request; a connection has one.
async fn answer(mut stream: TcpStream, way: &Way) -> io::Result<()> {
    let Ok(heard) = timeout(ASKING, head_of(&mut stream)).await else {
        return say(stream, Answer::new(408, "The request took too long to come.")).await;
    };
    let (head, rest) = match heard? {
        Heard::Head(head, rest) => (head, rest),
        Heard::TooLong => return say(stream, Answer::new(431, "The request's head is too long.")).await,
        Heard::Nothing => return Ok(()),
    };
    let reached = match read(&head) {
        Ok(request) => reach(&request, way).await.map(|upstream| (request, upstream)),
        Err(refusal) => Err(refusal),
    };
    match reached {
        Err(refusal) => say(stream, refusal).await,
        Ok((Request { kind: Kind::Tunnel, .. }, upstream)) => tunnel(stream, upstream, &rest).await,
        Ok((Request { kind: Kind::Plain { head, body, bodiless }, .. }, upstream)) => {
            forward(stream, upstream, Forward { head, body, bodiless, rest }).await
        }
    }
}

enum Heard {
    /// A head with its empty line, and what came behind it.
    Head(Vec<u8>, Vec<u8>),
    TooLong,
    Nothing,
}

async fn head_of(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Heard> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = from.read(&mut chunk).await?;
        if count == 0 {
            return Ok(Heard::Nothing);
        }
        // An empty line may lie across what came before.
        let seen = bytes.len().saturating_sub(3);
        bytes.extend_from_slice(&chunk[..count]);
        if let Some(end) = bytes[seen..].windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(seen + end + 4);
            return Ok(Heard::Head(bytes, rest));
        }
        if bytes.len() > HEAD {
            return Ok(Heard::TooLong);
        }
    }
}

/// Connects to the host of a request, or says why not.
async fn reach(request: &Request, way: &Way) -> Result<TcpStream, Answer> {
    let Request { host, port, .. } = request;
    let Some(rules) = way.door.rules().await else {
        return Err(Answer::new(503, "What this project's commands reach cannot be looked up now; try again."));
    };
    if !rules.admit(host, *port) {
        if rules.policy() == NetworkPolicy::None {
            return Err(Answer::new(403, "The commands of this project reach no host: its settings say so."));
        }
        way.door.refused(host.clone(), *port);
        return Err(Answer::new(
            403,
            format!(
                "{host}:{port} is not on the list of hosts that this project's commands reach. Whoever manages projects \
                 can allow it in the project's settings, under Network."
            ),
        ));
    }
    let found = timeout(RESOLVING, way.resolve(host, *port)).await;
    let addresses = match found {
        Ok(Ok(addresses)) if !addresses.is_empty() => addresses,
        Err(_) => return Err(Answer::new(504, format!("Nobody said in time what the address of {host} is."))),
        _ => return Err(Answer::new(502, format!("{host} has no address."))),
    };
    // One bad address is enough: a name that points at both is up to something.
    if !addresses.iter().all(|address| (way.outside.admits)(address.ip())) {
        return Err(Answer::new(
            403,
            format!("{host} leads into a private network or to the server's own machine, where no command is led."),
        ));
    }
    call(&addresses).await.map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => Answer::new(504, format!("{host}:{port} does not answer.")),
        _ => Answer::new(502, format!("{host}:{port} takes no connection.")),
    })
}

async fn call(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses.iter().take(ADDRESSES) {
        match timeout(CALLING, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => failed = error,
            Err(_) => failed = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failed)
}

/// Tells a command why it is refused: in the status line, which many programs show, and in the body.
async fn say(mut stream: TcpStream, refusal: Answer) -> io::Result<()> {
    let Answer { status, words } = refusal;
    let text = format!(
        "HTTP/1.1 {status} {words}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Connection: close\r\n\r\n{words}\n",
        words.len() + 1
    );
    stream.write_all(text.as_bytes()).await?;
    close(stream).await
}

/// Ends a connection such that all that was said is heard.
async fn close(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    // What was sent and not read yet would make the kernel throw the answer away.
    let mut chunk = [0; 4096];
    let reading = async { while stream.read(&mut chunk).await.is_ok_and(|count| count > 0) {} };
    let _ = timeout(READING, reading).await;
    Ok(())
}

/// Lets everything through, both ways.
async fn tunnel(mut stream: TcpStream, mut upstream: TcpStream, rest: &[u8]) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    let _ = stream.set_nodelay(true);
    upstream.write_all(rest).await?;
    let moved = AtomicU64::new(0);
    let (from, to) = stream.split();
    let (back, out) = upstream.split();
    tokio::select! {
        done = async { tokio::try_join!(pump(from, out, &moved), pump(back, to, &moved)) } => done.map(|_| ()),
        () = idle(&moved) => Ok(()),
    }
}

/// Moves bytes until there are none, and says that there are none.
async fn pump(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, moved: &AtomicU64) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = from.read(&mut chunk).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(&chunk[..count]).await?;
        moved.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// Ends when nothing was moved for a time.
async fn idle(moved: &AtomicU64) {
    let mut before = None;
    loop {
        let now = moved.load(Ordering::Relaxed);
        if before == Some(now) {
            return;
        }
        before = Some(now);
        tokio::time::sleep(IDLE).await;
    }
}

struct Forward {
    head: Vec<u8>,
    body: Body,
    bodiless: bool,
    /// What came behind the head.
    rest: Vec<u8>,
}

/// Passes one request on, and its answer back.
async fn forward(mut stream: TcpStream, mut upstream: TcpStream, request: Forward) -> io::Result<()> {
    let Forward { head, body, bodiless, rest } = request;
    let moved = AtomicU64::new(0);
    let answered = {
        let (from, mut to) = stream.split();
        let (back, mut out) = upstream.split();
        out.write_all(&head).await?;
        let asking = send_body(from, out, body, rest, &moved);
        let answering = answer_of(back, &mut to, bodiless, &moved);
        tokio::pin!(asking, answering);
        let mut asked = false;
        loop {
            tokio::select! {
                answered = &mut answering => break answered?,
                // A host may answer without having read all. What cannot be a body is another matter.
                sent = &mut asking, if !asked => match sent {
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(error),
                    _ => asked = true,
                },
                () = idle(&moved) => return Ok(()),
            }
        }
    };
    match answered {
        true => close(stream).await,
        false => say(stream, Answer::new(502, "The host's answer cannot be read as HTTP/1.1.")).await,
    }
}

async fn send_body(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut body: Body,
    rest: Vec<u8>,
    moved: &AtomicU64,
) -> io::Result<()> {
    let mut chunk = rest;
    let mut count = chunk.len();
    loop {
        let own = body.take(&chunk[..count]).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        to.write_all(&chunk[..own]).await?;
        moved.fetch_add(own as u64, Ordering::Relaxed);
        if body.is_over() {
            return Ok(());
        }
        chunk.resize(CHUNK, 0);
        count = from.read(&mut chunk).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Passes an answer back. Returns whether there was one.
async fn answer_of(
    mut from: ReadHalf<'_>,
    to: &mut (impl AsyncWrite + Unpin),
    bodiless: bool,
    moved: &AtomicU64,
) -> io::Result<bool> {
    let mut before = Vec::new();
    let (rest, length) = loop {
        let Heard::Head(head, rest) = head_of(&mut before.as_slice().chain(&mut from)).await? else { return Ok(false) };
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut answer = httparse::Response::new(&mut headers);
        let whole = answer.parse(&head).is_ok_and(|status| status.is_complete());
        let (true, Some(code), Some(minor)) = (whole, answer.code, answer.version) else { return Ok(false) };
        if code == 101 {
            // Nobody asked for another protocol.
            return Ok(false);
        }
        let mut out = format!("HTTP/1.{minor} {code} {}\r\n", answer.reason.unwrap_or_default()).into_bytes();
        pass_on(answer.headers, &mut out, &[]);
        let last = code >= 200;
        out.extend_from_slice(if last { b"Connection: close\r\n\r\n" } else { b"\r\n" });
        to.write_all(&out).await?;
        moved.fetch_add(out.len() as u64, Ordering::Relaxed);
        if last {
            let chunked = values(answer.headers, "transfer-encoding").next().is_some();
            let length = values(answer.headers, "content-length").next().and_then(number).filter(|_| !chunked);
            break (rest, if bodiless || matches!(code, 204 | 304) { Some(0) } else { length });
        }
        before = rest;
    };
    // Without a length, it ends when its host says no more: that was asked to close.
    let mut body = rest.as_slice().chain(from).take(length.unwrap_or(u64::MAX));
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = body.read(&mut chunk).await?;
        if count == 0 {
            return Ok(true);
        }
        to.write_all(&chunk[..count]).await?;
        moved.fetch_add(count as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
