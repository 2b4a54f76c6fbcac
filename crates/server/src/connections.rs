//! Connections: how many at once, and how long one may say nothing.
//!
//! A client that sends its request a byte at a time, or none at all, holds a connection and costs nothing; were there no
//! end to it, a few hundred of them would keep everybody else out (slowloris).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::config::Guard;

/// How long to wait when the system gives no more connections.
const BREATH: Duration = Duration::from_millis(200);

/// Serves until `closing`, then until the requests that are there have been answered.
pub async fn serve(listener: TcpListener, router: Router, guard: Arc<Guard>, closing: CancellationToken) {
    let places = Arc::new(Semaphore::new(guard.max_connections));
    let connections = TaskTracker::new();
    loop {
        let accepted = async {
            // The place first: who finds none waits in the system's own queue.
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        };
        let (place, accepted) = tokio::select! {
            () = closing.cancelled() => break,
            accepted = accepted => match accepted {
                Some(accepted) => accepted,
                None => break,
            },
        };
        match accepted {
            Ok((stream, peer)) => {
                let one = connection(stream, peer, router.clone(), guard.header_timeout, closing.clone(), place);
                connections.spawn(one);
            }
            Err(error) => {
                // Out of file handles, or the client was gone before it was there.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    header_timeout: Duration,
    closing: CancellationToken,
    place: OwnedSemaphorePermit,
) {
    // Without this, a small frame would wait for the answer to the one before it.
    drop(stream.set_nodelay(true));
    let place = Arc::new(place);
    let service = router.map_request(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        // A WebSocket goes on when the connection has become one, and keeps its place.
        request.extensions_mut().insert(Place(Arc::clone(&place)));
        request
    });
    let service = service.map_err(|never: Infallible| match never {});
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::<_>::new(service))
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended early");
    }
}

/// A connection's place among those that there may be, held by what outlives the connection's own task.
#[derive(Debug, Clone)]
pub struct Place(#[expect(dead_code, reason = "it is held, not looked at")] Arc<OwnedSemaphorePermit>);
