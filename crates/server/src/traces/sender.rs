//! Sends spans, one batch after the other.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Collector, Counts};

/// Spans of a batch at most.
const BATCH: usize = 512;
/// How long a span waits for others that go with it.
const GATHER: Duration = Duration::from_secs(5);
/// How long the collector may take to stand as a connection, and to answer.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
const READ: usize = 64 * 1024;
/// The waits before each further try of a batch; after the last one it is given up. Meanwhile the queue fills.
const AGAIN: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(15)];
/// The longest wait that a collector may ask for.
const LONGEST: Duration = Duration::from_secs(60);

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Unsent {
    /// No HTTP client can be made.
    #[error("no HTTP client can be made")]
    Client(#[source] reqwest::Error),
    /// It could not be reached, or did not answer in time.
    #[error("it cannot be reached, or does not answer within {} seconds", ANSWER.as_secs())]
    Unreached(#[source] reqwest::Error),
    /// It said no.
    #[error("it answers {status}")]
    Answered {
        /// With which status.
        status: StatusCode,
        /// When to come again.
        after: Option<Duration>,
    },
}

impl Unsent {
    /// Whether it may be otherwise in a while, as the protocol says; and when to try again, if that was told.
    fn passes(&self) -> Option<Option<Duration>> {
        match self {
            Self::Client(_) => None,
            Self::Unreached(_) => Some(None),
            Self::Answered { status, after } => matches!(status.as_u16(), 429 | 502 | 503 | 504).then_some(*after),
        }
    }

    /// What helps.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Client(_) => "Look at this machine's certificates.",
            Self::Unreached(_) => "Look whether it runs, and whether the address and port are those of OTLP over HTTP.",
            Self::Answered { status, .. } => match status.as_u16() {
                401 | 403 => "Look at OTEL_EXPORTER_OTLP_HEADERS.",
                404 | 405 => {
                    "Look at the path: OTEL_EXPORTER_OTLP_ENDPOINT gets /v1/traces behind it, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is used as it is."
                }
                300..=399 => "Name the address to which it leads; none is followed.",
                _ => "Look at the collector's own log.",
            },
        }
    }
}

/// The way to a collector.
#[derive(Debug)]
pub(super) struct Line {
    http: reqwest::Client,
    endpoint: Url,
}

impl Line {
    pub(super) fn to(collector: &Collector) -> Result<Self, Unsent> {
        guildhall_llm::ready_tls();
        let mut headers = HeaderMap::new();
        for (name, value) in &collector.headers {
            // Both were looked at when the configuration was read.
            if let (Ok(name), Ok(mut value)) =
                (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value.expose()))
            {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let http = reqwest::Client::builder()
            // A redirect would carry the headers to another host.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .default_headers(headers)
            .user_agent(concat!("guildhall/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(Unsent::Client)?;
        Ok(Self { http, endpoint: collector.endpoint.clone() })
    }

    /// Sends a batch. Returns how many of its spans the collector says that it did not take.
    pub(super) async fn send(&self, body: Vec<u8>) -> Result<usize, Unsent> {
        let sent = self.http.post(self.endpoint.clone()).body(body).send().await;
        let response = sent.map_err(|error| Unsent::Unreached(error.without_url()))?;
        let status = response.status();
        if !status.is_success() {
            let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
            return Err(Unsent::Answered { status, after: after.map(Duration::from_secs) });
        }
        // Whatever it says beside the status, it has them.
        let said = ExportTraceServiceResponse::decode(&*read(response).await).unwrap_or_default();
        let refused = said.partial_success.map_or(0, |partial| partial.rejected_spans);
        Ok(usize::try_from(refused).unwrap_or_default())
    }
}

/// The beginning of an answer; nothing of one that breaks off.
async fn read(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        if body.len() + piece.len() > READ {
            return Vec::new();
        }
        body.extend_from_slice(&piece);
    }
    body
}

/// Takes spans from the queue and sends them.
#[derive(Debug)]
pub(super) struct Sender {
    line: Line,
    waiting: mpsc::Receiver<SpanData>,
    resource: ResourceAttributesWithSchema,
    counts: Arc<Counts>,
    stop: CancellationToken,
    /// The collector takes nothing, and the log says so.
    away: bool,
}

impl Sender {
    pub(super) fn new(
        line: Line,
        waiting: mpsc::Receiver<SpanData>,
        resource: &Resource,
        counts: Arc<Counts>,
        stop: CancellationToken,
    ) -> Self {
        Self { line, waiting, resource: resource.into(), counts, stop, away: false }
    }

    /// Sends what comes until it is told to stop, and then what is left.
    pub(super) async fn send_until_stopped(mut self) {
        loop {
            let batch = self.gather().await;
            if batch.is_empty() {
                return;
            }
            self.deliver(batch).await;
        }
    }

    /// The next batch; nothing when there will be no more.
    async fn gather(&mut self) -> Vec<SpanData> {
        let mut batch = Vec::new();
        let (stop, waiting) = (self.stop.clone(), &mut self.waiting);
        tokio::select! {
            biased;
            () = stop.cancelled() => waiting.close(),
            _ = waiting.recv_many(&mut batch, BATCH) => {}
        }
        let more = async {
            loop {
                let room = BATCH - batch.len();
                if room == 0 || waiting.recv_many(&mut batch, room).await == 0 {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            _ = tokio::time::timeout(GATHER, more) => {}
        }
        if stop.is_cancelled() {
            waiting.close();
            // What is left is there already.
            while batch.len() < BATCH
                && let Ok(span) = waiting.try_recv()
            {
                batch.push(span);
            }
        }
        batch
    }

    /// Sends a batch, again and again where that may help.
    async fn deliver(&mut self, batch: Vec<SpanData>) {
        let spans = batch.len();
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let mut waits = AGAIN.iter();
        let error = loop {
            let error = match self.line.send(body.clone()).await {
                Ok(refused) => {
                    let refused = refused.min(spans);
                    Counts::add(&self.counts.sent, spans - refused);
                    Counts::add(&self.counts.refused, refused);
                    if std::mem::take(&mut self.away) {
                        tracing::info!("the collector of traces takes them again");
                    }
                    return;
                }
                Err(error) => error,
            };
            let (Some(asked), Some(wait)) = (error.passes(), waits.next()) else { break error };
            self.tell(&error);
            let wait = asked.unwrap_or(*wait).min(LONGEST);
            tokio::select! {
                () = self.stop.cancelled() => break error,
                () = tokio::time::sleep(wait) => {}
            }
        };
        self.tell(&error);
        Counts::add(&self.counts.refused, spans);
    }

    /// Says once that the collector takes nothing.
    fn tell(&mut self, error: &Unsent) {
        if !std::mem::replace(&mut self.away, true) {
            let (error, hint) = (crate::problem::chain(error), error.hint());
            tracing::warn!(error, hint, "the collector of traces takes nothing; what it misses is counted in /metrics");
        }
    }
}
