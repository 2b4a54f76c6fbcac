//! Traces for a collector of OpenTelemetry's, where the operator named one: by OTLP over HTTP, as protobuf.
//!
//! What is measured, and what a span may say, [`guildhall_types::trace`] says. Here they wait in a queue with an end, and go out
//! by batches. Whatever becomes of the collector, nobody waits for it: spans for which there is no room are dropped and counted.

mod queue;
mod sender;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use guildhall_llm::Secret;
use guildhall_types::trace;
use opentelemetry::{KeyValue, global};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use queue::Queue;
pub use sender::Unsent;
use sender::{Line, Sender};

/// Spans that wait at most. One takes about a kilobyte.
const WAITING: usize = 4_096;

/// Where traces go, and which.
#[derive(Debug, Clone)]
pub struct Collector {
    /// The address for traces.
    pub endpoint: Url,
    /// What is sent along, such as a key.
    pub headers: Vec<(String, Secret)>,
    /// As what this server shows.
    pub service: String,
    /// Which traces are told.
    pub share: Share,
}

/// Which traces are told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// How many of them, from 0 to 1.
    pub part: f64,
    /// Whether one that began elsewhere is told if it is told there, and only then.
    pub follows: bool,
}

impl Default for Share {
    fn default() -> Self {
        Self { part: 1.0, follows: true }
    }
}

impl Share {
    fn sampler(self) -> Sampler {
        let own = Sampler::TraceIdRatioBased(self.part);
        if self.follows { Sampler::ParentBased(Box::new(own)) } else { own }
    }
}

/// What became of spans since the process started.
#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
}

impl Counts {
    fn add(count: &AtomicU64, spans: usize) {
        count.fetch_add(spans as u64, Ordering::Relaxed);
    }
}

/// What became of spans since the process started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// The collector has them.
    pub sent: u64,
    /// There was no room for them in the queue.
    pub dropped: u64,
    /// The collector did not take them, or did not answer for long.
    pub refused: u64,
}

/// The traces of this process, on their way out. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Traces(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    counts: Arc<Counts>,
    stop: CancellationToken,
    sending: Mutex<Option<JoinHandle<()>>>,
}

impl Traces {
    /// Begins to tell the collector of everything that this process does from now on. Call it once, within the runtime.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn begin(collector: &Collector) -> Result<Self, Unsent> {
        let counts = Arc::new(Counts::default());
        let stop = CancellationToken::new();
        let (queue, waiting) = Queue::new(WAITING, Arc::clone(&counts));
        let about = [
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", Uuid::now_v7().to_string()),
        ];
        let resource = Resource::builder().with_service_name(collector.service.clone()).with_attributes(about).build();
        let line = Line::to(collector)?;
        let sender = Sender::new(line, waiting, &resource, Arc::clone(&counts), stop.clone());
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(collector.share.sampler())
            .with_span_processor(queue)
            .build();
        global::set_tracer_provider(provider);
        trace::switch_on();
        let sending = Mutex::new(Some(tokio::spawn(sender.send_until_stopped())));
        Ok(Self(Arc::new(Inner { counts, stop, sending })))
    }

    /// What became of spans until now.
    pub fn told(&self) -> Told {
        let Counts { sent, dropped, refused } = &*self.0.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Told { sent: read(sent), dropped: read(dropped), refused: read(refused) }
    }

    /// Sends what waits, for as long as `grace`, and ends.
    pub async fn end(&self, grace: Duration) {
        self.0.stop.cancel();
        let Some(mut sending) = self.0.sending.lock().await.take() else { return };
        if tokio::time::timeout(grace, &mut sending).await.is_err() {
            tracing::warn!("the collector of traces did not take all that it was to be told in time");
            sending.abort();
        }
    }
}

/// Sends the collector an empty batch, to see whether it takes one.
///
/// # Errors
/// [`Unsent`]: why not.
pub(crate) async fn try_out(collector: &Collector) -> Result<(), Unsent> {
    Line::to(collector)?.send(Vec::new()).await.map(drop)
}
