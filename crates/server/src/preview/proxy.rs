//! Passes a request on to a service, and its answer back.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, Uri, Version, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Seen, gone, headers, pages};
use crate::app::App;
use crate::connections;

/// Bytes of the head of an answer at most.
const HEAD: usize = 64 * 1024;
/// How long a service may take until it begins to answer: one that compiles at the first request takes its time.
const PATIENCE: Duration = Duration::from_secs(120);
/// Bytes of an answer up to which nobody asks, while it goes, whether its reader is still signed in.
const SHORT: u64 = 4 * 1024 * 1024;

/// Passes a request on. What the house answers in the service's place is an error.
pub(super) async fn pass(
    app: &App,
    seen: Seen,
    stream: TcpStream,
    mut request: Request,
    address: Option<&str>,
) -> Result<Response, Response> {
    let service = &seen.service;
    let port = service.port.and_then(|port| u16::try_from(port).ok()).unwrap_or_default();
    let upgrade = headers::is_websocket(request.headers());
    let ours = upgrade.then(|| hyper::upgrade::on(&mut request));
    // A page that is developed keeps one for as long as it is open, and each keeps the place of its connection.
    let seat = match upgrade {
        true => Some(app.sockets.take_page(seen.member.id).map_err(IntoResponse::into_response)?),
        false => None,
    };
    let held = (request.extensions().get::<connections::Place>().cloned(), seat);
    let (mut parts, body) = request.into_parts();
    headers::to_service(&mut parts.headers, &seen.place, port, address);
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let uri: Uri = path.parse().map_err(|_| pages::broken(service, "its address cannot be passed on"))?;
    let mut asked = hyper::Request::new(body);
    *asked.method_mut() = parts.method;
    *asked.uri_mut() = uri;
    *asked.version_mut() = Version::HTTP_11;
    *asked.headers_mut() = parts.headers;

    drop(stream.set_nodelay(true));
    let shaken = http1::Builder::new().max_buf_size(HEAD).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| pages::broken(service, &error.to_string()))?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "a connection to a service ended early");
        }
    });
    let answered =
        tokio::time::timeout(PATIENCE, sender.send_request(asked)).await.map_err(|_| pages::late(service))?;
    let mut answer = answered.map_err(|error| pages::broken(service, &error.to_string()))?;

    let switched = upgrade && answer.status() == StatusCode::SWITCHING_PROTOCOLS;
    if answer.status().is_informational() && !switched {
        return Err(pages::broken(service, "it changed the protocol without being asked"));
    }
    let theirs = switched.then(|| hyper::upgrade::on(&mut answer));
    let (mut parts, body) = answer.into_parts();
    headers::to_browser(&mut parts.headers, port, switched);
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    let seen = Arc::new(seen);
    let over = gone(app.clone(), Arc::clone(&seen));
    if let (Some(ours), Some(theirs)) = (ours, theirs) {
        tokio::spawn(async move {
            let (Ok(ours), Ok(theirs)) = tokio::join!(ours, theirs) else { return };
            let (mut ours, mut theirs) = (TokioIo::new(ours), TokioIo::new(theirs));
            tokio::select! {
                () = over => {}
                _ = tokio::io::copy_bidirectional(&mut ours, &mut theirs) => {}
            }
            drop(held);
        });
        return Ok(Response::from_parts(parts, Body::empty()));
    }
    let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let body = match length {
        Some(length) if length <= SHORT => Body::new(body),
        // What may go on for ever ends with the session, too.
        _ => Body::from_stream(Body::new(body).into_data_stream().take_until(Box::pin(over))),
    };
    Ok(Response::from_parts(parts, body))
}
