//! Connections: how many at once, and how long one may say nothing.
//!
//! A client that sends its request a byte at a time, or none at all, holds a connection and costs nothing; were there no
//! end to it, a few hundred of them would keep everybody else out (slowloris).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use futures::StreamExt;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::config::Guard;

/// How long to wait when the system gives no more connections.
const BREATH: Duration = Duration::from_millis(200);
/// Bytes that are read of a request's body when it was answered without them, and how long that may take.
const UNREAD: u64 = 256 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);

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
        // Who asked whether to send a body, and was refused, sends none.
        let comes = !request.headers().contains_key(header::EXPECT);
        let mut request = request.map(|body| Body::new(Whole { body: Some(body), comes }));
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

/// A request's body, which is read to its end even when its request was answered without it, as one is that is refused for want of
/// a token. Otherwise the connection would end after the answer, without a word of that in it: a client that sends its body a
/// moment after the head would lose the request that it makes next.
struct Whole {
    body: Option<Incoming>,
    comes: bool,
}

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.get_mut().body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        let Some(rest) = self.body.take().filter(|rest| !rest.is_end_stream()) else { return };
        // A larger one is not worth its way: then the connection ends.
        if !self.comes || rest.size_hint().lower() > UNREAD {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(tokio::time::timeout(PATIENCE, async move {
            let mut rest = Body::new(rest).into_data_stream();
            let mut read = 0;
            while let Some(Ok(bytes)) = rest.next().await {
                read += bytes.len() as u64;
                if read > UNREAD {
                    break;
                }
            }
        }));
    }
}

/// A connection's place among those that there may be, held by what outlives the connection's own task.
#[derive(Debug, Clone)]
pub struct Place(#[expect(dead_code, reason = "it is held, not looked at")] Arc<OwnedSemaphorePermit>);
