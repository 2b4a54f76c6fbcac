//! How a server elsewhere is reached: by rmcp's own client, but for the stream on which a server may speak unasked. On that one
//! comments are no messages, so that nobody counts them: its bytes are counted here, before they come to any parser.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::{StreamExt, future, stream};
use guildhall_llm::CallError;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use rmcp::model::ClientJsonRpcMessage;
use rmcp::transport::common::client_side_sse::BoxedSseResponse;
use rmcp::transport::common::http_header::{EVENT_STREAM_MIME_TYPE, HEADER_LAST_EVENT_ID, HEADER_SESSION_ID};
use rmcp::transport::streamable_http_client::{
    StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse, StreamableHttpResponseLimits,
};
use sse_stream_of_rmcp::SseStream;
use tokio::sync::watch;

use super::manners::Heard;

type Headers = HashMap<HeaderName, HeaderValue>;
type Trouble = StreamableHttpError<CallError>;

/// A client for one conversation.
#[derive(Clone)]
pub(super) struct Tap {
    http: reqwest::Client,
    heard: Arc<Heard>,
}

impl Tap {
    pub(super) const fn new(http: reqwest::Client, heard: Arc<Heard>) -> Self {
        Self { http, heard }
    }
}

/// What the stream is asked for with.
#[derive(Clone)]
struct Ask {
    uri: Arc<str>,
    session: Option<Arc<str>>,
    last: Option<String>,
    token: Option<String>,
    headers: Headers,
}

/// The stream on which a server speaks unasked. When it says too much, it is closed, and opened anew at the next call.
struct Common {
    tap: Tap,
    ask: Ask,
    calls: watch::Receiver<u64>,
    open: Option<Open>,
}

struct Open {
    events: BoxedSseResponse,
    cut: Arc<AtomicBool>,
}

impl Tap {
    async fn open(&self, ask: Ask) -> Result<Open, Trouble> {
        let mut request = self.http.get(ask.uri.as_ref()).header(ACCEPT, EVENT_STREAM_MIME_TYPE);
        if let Some(session) = &ask.session {
            request = request.header(HEADER_SESSION_ID, session.as_ref());
        }
        if let Some(last) = &ask.last {
            request = request.header(HEADER_LAST_EVENT_ID, last);
        }
        if let Some(token) = &ask.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        let response = request.send().await?;
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            return Err(StreamableHttpError::ServerDoesNotSupportSse);
        }
        let response = response.error_for_status()?;
        let kind =
            response.headers().get(CONTENT_TYPE).map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned());
        if !kind
            .as_deref()
            .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with(EVENT_STREAM_MIME_TYPE))
        {
            return Err(StreamableHttpError::UnexpectedContentType(kind));
        }
        let cut = Arc::new(AtomicBool::new(false));
        let (heard, cuts) = (Arc::clone(&self.heard), Arc::clone(&cut));
        let bytes = response.bytes_stream().take_while(move |chunk| {
            let within = chunk.as_ref().map_or(true, |chunk| heard.takes(chunk.len()));
            cuts.fetch_or(!within, Ordering::Relaxed);
            future::ready(within)
        });
        Ok(Open { events: SseStream::from_bytes_stream(bytes).boxed(), cut })
    }
}

impl Common {
    /// Waits for the next call, and opens the stream anew. What the server said of its tools while it was closed was not heard:
    /// they are listed anew before the call after that.
    async fn again(&mut self) -> Option<Open> {
        self.calls.changed().await.ok()?;
        let open = self.tap.open(Ask { last: None, ..self.ask.clone() }).await.ok()?;
        self.tap.heard.mark_changed();
        Some(open)
    }

    async fn next(mut self) -> Option<(<BoxedSseResponse as futures::Stream>::Item, Self)> {
        loop {
            let Some(open) = &mut self.open else {
                self.open = Some(self.again().await?);
                continue;
            };
            let event = open.events.next().await;
            if open.cut.load(Ordering::Relaxed) {
                tracing::debug!("an MCP server said too much unasked; its stream is closed until the next call");
                self.open = None;
                self.calls.mark_unchanged();
                self.tap.heard.mark_changed();
                continue;
            }
            return event.map(|event| (event, self));
        }
    }
}

impl StreamableHttpClient for Tap {
    type Error = CallError;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        token: Option<String>,
        headers: Headers,
    ) -> Result<StreamableHttpPostResponse, Trouble> {
        self.http.post_message(uri, message, session, token, headers).await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        token: Option<String>,
        headers: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse, Trouble> {
        self.http.post_message_with_response_limits(uri, message, session, token, headers, limits).await
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        token: Option<String>,
        headers: Headers,
    ) -> Result<(), Trouble> {
        self.http.delete_session(uri, session, token, headers).await
    }

    /// What all of it may hold bounds each event as well.
    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last: Option<String>,
        token: Option<String>,
        headers: Headers,
    ) -> Result<BoxedSseResponse, Trouble> {
        let ask = Ask { uri, session, last, token, headers };
        let open = Some(self.open(ask.clone()).await?);
        let common = Common { tap: self.clone(), ask, calls: self.heard.calls(), open };
        Ok(stream::unfold(common, Common::next).boxed())
    }
}
