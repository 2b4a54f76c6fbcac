//! Somebody between a client and the store, who reads what is asked and may answer in its place, or let it wait.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::harness::PATIENCE;

/// What a client asks.
pub struct Asked {
    pub method: Method,
    /// With the query.
    pub path: String,
    pub headers: HeaderMap,
}

/// Listens at this port and hands on to the store what `answer` does not answer.
pub async fn between<F, W>(store: u16, answer: F) -> u16
where
    F: Fn(Asked) -> W + Clone + Send + Sync + 'static,
    W: Future<Output = Option<(StatusCode, String)>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // TLS is installed by the product's own client, which a process without a server has not made yet.
    drop(guildhall_llm::Client::new());
    let http = reqwest::Client::new();
    let router = Router::new().fallback(move |request: Request| {
        let (answer, http) = (answer.clone(), http.clone());
        async move {
            let (parts, body) = request.into_parts();
            let asked =
                Asked { method: parts.method.clone(), path: parts.uri.to_string(), headers: parts.headers.clone() };
            // All of it, or the client would take an answer for a connection that broke.
            let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
            if let Some(answer) = answer(asked).await {
                return answer.into_response();
            }
            // The host as it was asked for: that is what is signed.
            let to = format!("http://127.0.0.1:{store}{}", parts.uri);
            match http.request(parts.method, to).headers(parts.headers).body(body).send().await {
                Ok(answer) => handed_back(answer).await,
                Err(_) => StatusCode::BAD_GATEWAY.into_response(),
            }
        }
    });
    tokio::spawn(axum::serve(listener, router).into_future());
    port
}

async fn handed_back(answer: reqwest::Response) -> Response {
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    for of_the_connection in [header::TRANSFER_ENCODING, header::CONNECTION, header::CONTENT_LENGTH] {
        headers.remove(of_the_connection);
    }
    (status, headers, Body::from(answer.bytes().await.unwrap_or_default())).into_response()
}

/// A request that is held up.
pub struct Held {
    pub port: u16,
    reached: oneshot::Receiver<oneshot::Sender<()>>,
}

impl Held {
    /// Waits until it is asked. It goes on when that is said, and never when what says it is dropped.
    pub async fn reached(self) -> oneshot::Sender<()> {
        tokio::time::timeout(PATIENCE, self.reached).await.unwrap().unwrap()
    }
}

/// Holds up the first request of this method whose path has this in it.
pub async fn holding(store: u16, method: Method, path: &str) -> Held {
    let (reach, reached) = oneshot::channel();
    let (reach, path) = (Arc::new(Mutex::new(Some(reach))), path.to_owned());
    let port = between(store, move |asked: Asked| {
        let held = asked.method == method && asked.path.contains(&path);
        let reach = held.then(|| reach.lock().unwrap().take()).flatten();
        async move {
            if let Some(reach) = reach {
                let (go_on, goes_on) = oneshot::channel();
                reach.send(go_on).unwrap();
                if goes_on.await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            None
        }
    });
    Held { port: port.await, reached }
}
