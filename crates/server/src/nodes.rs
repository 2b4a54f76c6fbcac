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
use guildhall_types::{FeatureId, RunId, ServiceId};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustix::net::sockopt;
use tokio::net::TcpStream;
use url::Url;

use crate::app::App;
use crate::auth::connection;
use crate::preview::{is_websocket, without_hops};
use crate::problem::Problem;
use crate::{connections, layers};

pub(crate) use seal::{PassedOn, see_through};

/// By which a node says for whom it asks.
const SEAL: HeaderName = HeaderName::from_static("x-guildhall-passed-on");
/// How long it may take to reach a node, and until it begins to answer.
const CONNECT: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(150);
/// The same of a deed, which runs the project's checks before it answers.
const DEED: Duration = Duration::from_secs(60 * 60);
/// A node that says nothing for so long, whatever it is asked by its system, has lost its power or its network.
const MUTE: Duration = Duration::from_secs(15);
/// Bytes of the head of an answer at most.
const HEAD: usize = 64 * 1024;
/// A node of which the database heard nothing for so long is gone: its worktrees are made again elsewhere, and its address may be
/// somebody else's by now, who must not be shown members' cookies.
const GONE: chrono::Duration = chrono::Duration::minutes(3);

/// What only one node has.
#[derive(Debug, PartialEq, Eq)]
enum Whose<'a> {
    /// A service of a run.
    Service(RunId, &'a str),
    /// The worktree of a run.
    Worktree(RunId),
    /// What somebody may be changing by hand in the worktree of a card's run, which a deed takes as it is.
    Work(FeatureId),
}

/// What a request is about that only one node has, if it is about anything of the kind.
fn whose<'a>(method: &Method, path: &'a str) -> Option<Whose<'a>> {
    let parts: Vec<&str> = path.strip_prefix("/api/")?.split('/').collect();
    match (method.as_str(), parts.as_slice()) {
        ("GET", ["runs", run, "services", name, "log"]) | ("POST", ["runs", run, "services", name, "stop"]) => {
            Some(Whose::Service(run.parse().ok()?, name))
        }
        ("GET", ["runs", run, "terminal"]) | ("POST", ["runs", run, "services"]) => {
            Some(Whose::Worktree(run.parse().ok()?))
        }
        ("POST", ["features", card, "verify" | "merge" | "shelve" | "publish"]) => {
            Some(Whose::Work(card.parse().ok()?))
        }
        _ => None,
    }
}

/// Why another node did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Away {
    /// Nothing was heard of it for long.
    #[error("nothing was heard of that one for some minutes")]
    Silent,
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
    let whose = whose(request.method(), request.uri().path());
    let found = match &whose {
        Some(Whose::Service(run, name)) => store.node_of_service(*run, name).await?,
        Some(Whose::Worktree(run)) => store.node_of_worktree(*run).await?,
        Some(Whose::Work(card)) => store.node_of_work(*card).await?,
        None => None,
    };
    let Some(node) = found.filter(|node| is_another(app, node)) else { return Ok(Answers::Here(request)) };
    let answer = match (reach(app, &node).await, &whose) {
        (Ok(stream), Some(Whose::Work(_))) => over(app, &node, stream, request, DEED).await,
        (Ok(stream), _) => over(app, &node, stream, request, PATIENCE).await,
        // Any node can do it. What somebody still types there is kept apart, as when a runner comes in between.
        (Err(away), Some(Whose::Work(_))) => {
            tracing::info!(node = node.name, %away, "work is taken as it was saved last");
            return Ok(Answers::Here(request));
        }
        (Err(Away::Silent), Some(Whose::Worktree(_))) => return Ok(Answers::Here(request)),
        (Err(away), _) => Err(away),
    };
    answer.map(Answers::There).map_err(|away| {
        let detail = format!(
            "This is on the server {}, and {away}. Try again in a moment; whoever runs Guildhall sees under Operation how its servers are.",
            node.name
        );
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "node-away", detail)
    })
}

/// Whether a node is another one, and lets itself be asked.
fn is_another(app: &App, node: &Neighbour) -> bool {
    node.place != app.engine.place() && node.url.is_some()
}

/// Whether another node passed a request on.
pub(crate) fn was_passed_on(request: &Request) -> bool {
    request.extensions().get::<PassedOn>().is_some()
}

/// The node on which a service runs, if that is another one that can be asked.
pub(crate) async fn elsewhere(app: &App, service: ServiceId) -> Result<Option<Neighbour>, StoreError> {
    let found = app.team.store.node_of_service_by_id(service).await?;
    Ok(found.filter(|node| is_another(app, node)))
}

/// Asks another node, and hands on what it answers.
pub(crate) async fn ask(app: &App, node: &Neighbour, request: Request) -> Result<Response, Away> {
    let stream = reach(app, node).await?;
    over(app, node, stream, request, PATIENCE).await
}

/// The same, by a connection to it.
async fn over(
    app: &App,
    node: &Neighbour,
    stream: TcpStream,
    mut request: Request,
    patience: Duration,
) -> Result<Response, Away> {
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

    let shaken = http1::Builder::new().max_buf_size(HEAD).handshake(TokioIo::new(stream)).await;
    let (mut sender, line) = shaken.map_err(|_| Away::Broken)?;
    tokio::spawn(async move {
        if let Err(error) = line.with_upgrades().await {
            tracing::debug!(%error, "a connection to another server ended early");
        }
    });
    let answered = tokio::time::timeout(patience, sender.send_request(asked)).await.map_err(|_| Away::Late)?;
    let mut answer = answered.map_err(|_| Away::Broken)?;
    let switched = upgrade && answer.status() == StatusCode::SWITCHING_PROTOCOLS;
    if answer.status().is_informational() && !switched {
        return Err(Away::Broken);
    }
    let id = answer.headers().get(layers::REQUEST_ID).and_then(|id| id.to_str().ok());
    tracing::debug!(node = node.name, status = answer.status().as_u16(), id, "another server answered");
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

/// A connection to a node, if it is there.
async fn reach(app: &App, node: &Neighbour) -> Result<TcpStream, Away> {
    if app.team.clock.now() - node.seen_at > GONE {
        return Err(Away::Silent);
    }
    let stream = tokio::time::timeout(CONNECT, connect(node)).await.ok().flatten().ok_or(Away::Unreachable)?;
    // Whoever waits is not to wait for ever for one that went without a word.
    let kept = sockopt::set_socket_keepalive(&stream, true)
        .and_then(|()| sockopt::set_tcp_keepidle(&stream, MUTE / 3))
        .and_then(|()| sockopt::set_tcp_keepintvl(&stream, MUTE / 3))
        .and_then(|()| sockopt::set_tcp_keepcnt(&stream, 2))
        .and_then(|()| sockopt::set_tcp_user_timeout(&stream, MUTE.as_millis() as u32));
    if let Err(error) = kept.and_then(|()| sockopt::set_tcp_nodelay(&stream, true)) {
        tracing::debug!(%error, "a connection to another server is as it comes");
    }
    Ok(stream)
}

async fn connect(node: &Neighbour) -> Option<TcpStream> {
    let url = Url::parse(node.url.as_deref()?).ok()?;
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
    TcpStream::connect((host, url.port_or_known_default()?)).await.ok()
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
        let card = FeatureId::new();
        for (deed, passed) in [("merge", true), ("verify", true), ("shelve", true), ("publish", true), ("stop", false)]
        {
            let path = format!("/api/features/{card}/{deed}");
            assert_eq!(whose(&Method::POST, &path), passed.then_some(Whose::Work(card)), "{deed}");
        }
        let path = format!("/api/runs/{run}/services/web/log");
        assert_eq!(whose(&Method::GET, &path), Some(Whose::Service(run, "web")));
    }
}
