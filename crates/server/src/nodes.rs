//! Requests that another node has to answer: what runs on is one node's, and so is a worktree. Whichever node is asked passes them on, so
//! that whatever spreads requests over the nodes need not know whose they are.
//!
//! The node that answers lets pass who shows a session or a token, as always. From the one that passed a request on it takes the client's
//! address and nothing else, and that under a seal that only nodes of this installation can make.

mod seal;

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header};
use axum::middleware::Next;
use axum::response::Response;
use guildhall_store::{Neighbour, StoreError};
use guildhall_types::{RunId, ServiceId};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::Url;

use crate::app::App;
use crate::auth::connection;
use crate::connections;
use crate::preview::{is_websocket, without_hops};
use crate::problem::Problem;

pub(crate) use seal::{PassedOn, see_through};

/// By which a node says for whom it asks.
const SEAL: HeaderName = HeaderName::from_static("x-guildhall-passed-on");
/// How long it may take to reach a node, and until it begins to answer.
const CONNECT: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(150);
/// Bytes of the head of an answer at most.
const HEAD: usize = 64 * 1024;
/// A node of which the database heard nothing for so long is gone: its worktrees are made again elsewhere.
const GONE: chrono::Duration = chrono::Duration::minutes(2);

/// What only one node has.
#[derive(Debug, PartialEq, Eq)]
enum Whose<'a> {
    /// A service of a run.
    Service(RunId, &'a str),
    /// The worktree of a run.
    Worktree(RunId),
}

/// What a request is about that only one node has, if it is about anything of the kind.
fn whose<'a>(method: &Method, path: &'a str) -> Option<Whose<'a>> {
    let (run, rest) = path.strip_prefix("/api/runs/")?.split_once('/')?;
    let run = run.parse().ok()?;
    let parts: Vec<&str> = rest.split('/').collect();
    match (method.as_str(), parts.as_slice()) {
        ("GET", ["services", name, "log"]) | ("POST", ["services", name, "stop"]) => Some(Whose::Service(run, name)),
        ("GET", ["terminal"]) | ("POST", ["services"]) => Some(Whose::Worktree(run)),
        _ => None,
    }
}

/// Why another node did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Away {
    /// It cannot be reached.
    #[error("it cannot be reached")]
    Unreachable,
    /// It takes too long.
    #[error("it takes too long to answer")]
    Late,
    /// What came is no answer.
    #[error("the connection to it broke off")]
    Broken,
    /// Nothing can be sealed here.
    #[error("the key that seals secrets is not on this server")]
    NoKey,
}

/// Who answers a request.
#[derive(Debug)]
pub(crate) enum Answers {
    /// This node is to.
    Here(Request),
    /// Another one did.
    There(Response),
}

/// Believes the node that passed a request on, if it is one.
pub(crate) async fn believe(State(app): State<App>, mut request: Request, next: Next) -> Result<Response, Problem> {
    see_through(&app, &mut request)?;
    Ok(next.run(request).await)
}

/// Passes a request on if another node has to answer it; gives it back if not.
pub(crate) async fn pass_on(app: &App, request: Request) -> Result<Answers, Problem> {
    // Whoever was passed one on answers it, whatever became of it meanwhile: so none goes round in a circle.
    if was_passed_on(&request) {
        return Ok(Answers::Here(request));
    }
    let store = &app.team.store;
    let (found, service) = match whose(request.method(), request.uri().path()) {
        Some(Whose::Service(run, name)) => (store.node_of_service(run, name).await?, true),
        Some(Whose::Worktree(run)) => (store.node_of_worktree(run).await?, false),
        None => return Ok(Answers::Here(request)),
    };
    let there = found.filter(|node| node.place != app.engine.place() && node.url.is_some());
    let gone = |node: &Neighbour| app.team.clock.now() - node.seen_at > GONE;
    let Some(node) = there.filter(|node| service || !gone(node)) else {
        return Ok(Answers::Here(request));
    };
    ask(app, &node, request).await.map(Answers::There).map_err(|away| {
        let detail = format!(
            "This runs on the server {}, and {away}. Try again in a moment; whoever runs Guildhall sees under Operation how its servers are.",
            node.name
        );
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "node-away", detail)
    })
}

/// Whether another node passed a request on.
pub(crate) fn was_passed_on(request: &Request) -> bool {
    request.extensions().get::<PassedOn>().is_some()
}

/// The node on which a service runs, if that is another one that can be asked.
pub(crate) async fn elsewhere(app: &App, service: ServiceId) -> Result<Option<Neighbour>, StoreError> {
    let found = app.team.store.node_of_service_by_id(service).await?;
    Ok(found.filter(|node| node.place != app.engine.place() && node.url.is_some()))
}

/// Asks another node, and hands on what it answers.
pub(crate) async fn ask(app: &App, node: &Neighbour, mut request: Request) -> Result<Response, Away> {
    let path: Uri =
        request.uri().path_and_query().map_or("/", |path| path.as_str()).parse().map_err(|_| Away::Broken)?;
    let upgrade = is_websocket(request.headers());
    let address = connection(request.headers(), request.extensions()).address;
    let seal = seal::of(app, node.place, &request, address.as_deref()).ok_or(Away::NoKey)?;
    let ours = upgrade.then(|| hyper::upgrade::on(&mut request));
    let place = request.extensions().get::<connections::Place>().cloned();
    let (mut parts, body) = request.into_parts();
    prepare(&mut parts.headers, upgrade);
    parts.headers.insert(SEAL, seal);
    let mut asked = hyper::Request::new(body);
    *asked.method_mut() = parts.method;
    *asked.uri_mut() = path;
    *asked.version_mut() = Version::HTTP_11;
    *asked.headers_mut() = parts.headers;

    let stream = tokio::time::timeout(CONNECT, connect(node)).await.ok().flatten().ok_or(Away::Unreachable)?;
    let shaken = http1::Builder::new().max_buf_size(HEAD).handshake(TokioIo::new(stream)).await;
    let (mut sender, line) = shaken.map_err(|_| Away::Broken)?;
    tokio::spawn(async move {
        if let Err(error) = line.with_upgrades().await {
            tracing::debug!(%error, "a connection to another server ended early");
        }
    });
    let answered = tokio::time::timeout(PATIENCE, sender.send_request(asked)).await.map_err(|_| Away::Late)?;
    let mut answer = answered.map_err(|_| Away::Broken)?;
    let switched = upgrade && answer.status() == StatusCode::SWITCHING_PROTOCOLS;
    if answer.status().is_informational() && !switched {
        return Err(Away::Broken);
    }
    let theirs = switched.then(|| hyper::upgrade::on(&mut answer));
    let (mut parts, body) = answer.into_parts();
    prepare(&mut parts.headers, switched);
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    if let (Some(ours), Some(theirs)) = (ours, theirs) {
        let closing = app.closing.clone();
        tokio::spawn(async move {
            let (Ok(ours), Ok(theirs)) = tokio::join!(ours, theirs) else { return };
            let (mut ours, mut theirs) = (TokioIo::new(ours), TokioIo::new(theirs));
            tokio::select! {
                () = closing.cancelled() => {}
                _ = tokio::io::copy_bidirectional(&mut ours, &mut theirs) => {}
            }
            drop(place);
        });
        return Ok(Response::from_parts(parts, Body::empty()));
    }
    Ok(Response::from_parts(parts, Body::new(body)))
}

/// What is of one connection stays with it.
fn prepare(headers: &mut HeaderMap, upgrade: bool) {
    without_hops(headers);
    if upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
}

async fn connect(node: &Neighbour) -> Option<TcpStream> {
    let url = Url::parse(node.url.as_deref()?).ok()?;
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
    let stream = TcpStream::connect((host, url.port_or_known_default()?)).await.ok()?;
    drop(stream.set_nodelay(true));
    Some(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_one_node_has_is_told_by_the_path() {
        let run = RunId::new();
        let told = |method: Method, rest: &str| whose(&method, &format!("/api/runs/{run}{rest}")).is_some();
        for (method, rest) in [
            (Method::GET, "/services/web/log"),
            (Method::POST, "/services/web/stop"),
            (Method::POST, "/services"),
            (Method::GET, "/terminal"),
        ] {
            assert!(told(method, rest), "{rest}");
        }
        for (method, rest) in [
            (Method::GET, ""),
            (Method::GET, "/services"),
            (Method::POST, "/services/web/log"),
            (Method::GET, "/services/web/log/x"),
            (Method::GET, "/events"),
        ] {
            assert!(!told(method, rest), "{rest}");
        }
        assert_eq!(whose(&Method::GET, "/api/runs/x/terminal"), None);
        let path = format!("/api/runs/{run}/services/web/log");
        assert_eq!(whose(&Method::GET, &path), Some(Whose::Service(run, "web")));
    }
}
