//! Projects' repositories for git programs (git's smart HTTP): to clone and fetch from, and to push to.
//!
//! The git program on the other side shows words of a refusal to its user only where they are plain text, so that here alone
//! problems are no JSON.

mod door;

use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::StreamExt;
use guildhall_git::{Push, Service, Version};
use guildhall_team::TeamError;
use guildhall_types::audit::{AuditAction, AuditObject, AuditOutcome, Note};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tower_http::decompression::RequestDecompressionLayer;

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Path, Query};
use crate::problem::Problem;
use door::Told;

/// Pieces of a stream that wait for whoever takes them.
const WAITING: usize = 4;
/// How long the other side may neither send nor take anything.
const SILENCE: Duration = Duration::from_secs(120);
/// Bytes of a request to fetch at most: what a client has and wants.
const WANTS: u64 = 32 * 1024 * 1024;
/// Bytes that come with a push at most. Git itself takes no pack that is as large.
const PUSHED: u64 = 3 * 1024 * 1024 * 1024;

/// The routes. What comes in gzip is what a client has and wants; packs are as small as they get.
pub fn router(app: &App) -> Router<App> {
    Router::new()
        .route("/git/{repository}/info/refs", get(offer))
        .route("/git/{repository}/git-upload-pack", post(fetch))
        .route("/git/{repository}/git-receive-pack", post(push))
        .layer(RequestDecompressionLayer::new())
        .layer(from_fn_with_state(app.clone(), door::enter))
}

#[derive(Debug, Clone, Deserialize)]
struct Wanted {
    service: Option<String>,
}

/// What stands there.
async fn offer(
    State(app): State<App>,
    signed: Signed,
    Path(repository): Path<String>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Told> {
    let Some(service) = wanted.service.as_deref().and_then(Service::parse) else {
        let words =
            "This server speaks git's smart HTTP protocol, and only to fetch and to push. Use a git program that does.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "git-protocol", words).into());
    };
    let (_, repo) = signed.team.addressed(name_of(&repository)).await?;
    let (drain, pieces) = mpsc::channel(WAITING);
    let version = version(&headers);
    let work = async move { Ok(repo.advertise(service, version, drain).await?) };
    let pieces = relayed(pieces, app.closing.clone(), false);
    answered(&format!("application/x-{}-advertisement", service.name()), work, pieces).await
}

/// One request of a fetch.
async fn fetch(
    State(app): State<App>,
    signed: Signed,
    Path(repository): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Told> {
    asked_for(Service::Fetch, &headers)?;
    let (project, repo) = signed.team.addressed(name_of(&repository)).await?;
    let (feed, fed) = mpsc::channel(WAITING);
    let (drain, pieces) = mpsc::channel(WAITING);
    let version = version(&headers);
    let feeding = AbortOnDropHandle::new(tokio::spawn(fill(body.into_data_stream(), feed, WANTS, app.closing.clone())));
    let work = async move {
        let (team, member) = (&signed.team, &signed.member);
        let done = team.answer_fetch(member, &repo, version, fed, drain).await;
        drop(feeding);
        tracing::info!(member = %member.id, project = %project.id, ok = done.is_ok(), "a fetch was answered");
        done
    };
    let pieces = relayed(pieces, app.closing.clone(), false);
    answered("application/x-git-upload-pack-result", work, pieces).await
}

/// A push.
async fn push(
    State(app): State<App>,
    signed: Signed,
    Path(repository): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Told> {
    asked_for(Service::Push, &headers)?;
    let (project, repo) = signed.team.addressed(name_of(&repository)).await?;
    let mut body = body.into_data_stream();
    let mut push = Push::default();
    loop {
        match next(&mut body).await {
            Some(bytes) if push.take(&bytes).map_err(TeamError::from)? => break,
            Some(_) => {}
            None => return Err(Problem::new(StatusCode::BAD_REQUEST, "bad-push", "The push ended early.").into()),
        }
    }
    let objections = signed.team.objections(&project, &push).await?;
    if !objections.is_empty() {
        let mut note = Note::new(AuditAction::Push).on(AuditObject::Project, project.id).outcome(AuditOutcome::Refused);
        for (name, why) in &objections {
            note = note.with(name, why);
        }
        signed.team.store.audit(note).await.map_err(TeamError::from)?;
        // A client reads no answer before it has said all.
        let (feed, mut nowhere) = mpsc::channel::<Vec<u8>>(WAITING);
        let taken = async { while nowhere.recv().await.is_some() {} };
        tokio::join!(fill(body, feed, PUSHED, app.closing.clone()), taken);
        let words = || objections.iter().map(|(name, why)| format!("{name}: {why}")).collect::<Vec<_>>().join("; ");
        return match push.refused(&objections) {
            Some(answer) => Ok(of_git("application/x-git-receive-pack-result", Body::from(answer))),
            None => Err(Problem::new(StatusCode::FORBIDDEN, "push-refused", words()).into()),
        };
    }
    let (feed, fed) = mpsc::channel(WAITING);
    let (drain, pieces) = mpsc::channel(WAITING);
    let feeding = tokio::spawn(fill(body, feed, PUSHED, app.closing.clone()));
    let work = async move {
        let done = signed.team.take_push(&signed.member, &project, &repo, &push, fed, drain).await;
        feeding.abort();
        if let Err(error) = &done {
            let (member, project) = (signed.member.id, project.id);
            tracing::warn!(%member, %project, error = error as &dyn std::error::Error, "a push failed");
        }
        done
    };
    let pieces = relayed(pieces, CancellationToken::new(), true);
    // What git has taken stands, whether or not the client waits for the answer: so it is brought to its end.
    let work = tokio::spawn(work);
    let work = async move { work.await.unwrap_or_else(|error| Err(TeamError::internal("taking a push", error))) };
    answered("application/x-git-receive-pack-result", work, pieces).await
}

/// The repository's name in the address, which may end as one of git's does.
fn name_of(repository: &str) -> &str {
    repository.strip_suffix(".git").unwrap_or(repository)
}

fn version(headers: &HeaderMap) -> Version {
    headers.get("git-protocol").and_then(|value| value.to_str().ok()).map_or(Version::First, Version::parse)
}

/// Refuses a request whose body is none of git's.
fn asked_for(service: Service, headers: &HeaderMap) -> Result<(), Problem> {
    let expected = format!("application/x-{}-request", service.name());
    match headers.get(header::CONTENT_TYPE) {
        Some(kind) if kind.as_bytes() == expected.as_bytes() => Ok(()),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "wrong-media-type",
            format!("Only a git program asks here: the body has to be {expected}."),
        )),
    }
}

/// The next bytes of a body; nothing at its end, and where none come for too long.
async fn next(body: &mut BodyDataStream) -> Option<Bytes> {
    tokio::time::timeout(SILENCE, body.next()).await.ok()??.ok()
}

/// Hands a body on, until it ends or it is too large, or the server does. Git does nothing with one that was cut off.
async fn fill(mut body: BodyDataStream, feed: mpsc::Sender<Vec<u8>>, most: u64, closing: CancellationToken) {
    let mut came = 0;
    loop {
        let bytes = tokio::select! {
            biased;
            () = closing.cancelled() => return,
            bytes = next(&mut body) => bytes,
        };
        let Some(bytes) = bytes else { return };
        came += bytes.len() as u64;
        if came > most || feed.send(bytes.into()).await.is_err() {
            return;
        }
    }
}

/// Hands pieces on to whoever takes them in time. When nobody does any more, git is ended by that, unless what it does is to be
/// done anyway.
fn relayed(mut from: mpsc::Receiver<Vec<u8>>, closing: CancellationToken, anyway: bool) -> mpsc::Receiver<Vec<u8>> {
    let (to, pieces) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        loop {
            let piece = tokio::select! {
                biased;
                () = closing.cancelled() => return,
                () = to.closed(), if !anyway => return,
                piece = from.recv() => piece,
            };
            let Some(piece) = piece else { return };
            let taken = tokio::time::timeout(SILENCE, to.send(piece)).await.is_ok_and(|sent| sent.is_ok());
            if !taken {
                if anyway {
                    while from.recv().await.is_some() {}
                }
                return;
            }
        }
    });
    pieces
}

/// An answer out of what git says. What goes wrong before it says anything is told in words.
async fn answered(
    kind: &str,
    work: impl Future<Output = Result<(), TeamError>> + Send + 'static,
    mut pieces: mpsc::Receiver<Vec<u8>>,
) -> Result<Response, Told> {
    let work = AbortOnDropHandle::new(tokio::spawn(work));
    let Some(first) = pieces.recv().await else {
        let done = work.await.unwrap_or_else(|error| Err(TeamError::internal("answering a git program", error)));
        return Ok(done.map(|()| of_git(kind, Body::empty()))?);
    };
    let rest = futures::stream::unfold((pieces, work), |(mut pieces, work)| async move {
        if let Some(piece) = pieces.recv().await {
            return Some((Ok(piece), (pieces, work)));
        }
        match work.await {
            Ok(Ok(())) => None,
            // The connection ends in the middle, so that nobody takes what came for whole.
            _ => {
                let (_, pieces) = mpsc::channel(1);
                let none = AbortOnDropHandle::new(tokio::spawn(async { Ok(()) }));
                Some((Err(std::io::Error::other("git failed")), (pieces, none)))
            }
        }
    });
    let all = futures::stream::once(async move { Ok::<_, std::io::Error>(first) }).chain(rest);
    Ok(of_git(kind, Body::from_stream(all)))
}

fn of_git(kind: &str, body: Body) -> Response {
    let mut response = body.into_response();
    if let Ok(kind) = HeaderValue::from_str(kind) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
