//! Spans that have ended wait here. Nobody waits for room.

use std::sync::Arc;
use std::time::Duration;

use guildhall_types::trace::Key;
use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::sync::mpsc;

use super::Counts;

/// The end of the queue at which spans come in.
#[derive(Debug)]
pub(super) struct Queue {
    into: mpsc::Sender<SpanData>,
    counts: Arc<Counts>,
}

impl Queue {
    /// A queue for so many spans, and the end at which they go out.
    pub(super) fn new(room: usize, counts: Arc<Counts>) -> (Self, mpsc::Receiver<SpanData>) {
        let (into, out) = mpsc::channel(room);
        (Self { into, counts }, out)
    }
}

/// Takes everything from a span that is not meant to go out, whoever put it there.
fn bare(mut span: SpanData) -> SpanData {
    span.attributes.retain(|one| Key::ALL.iter().any(|key| key.as_str() == one.key.as_str()));
    span.events = Default::default();
    span.links = Default::default();
    span
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.into.try_send(bare(span)).is_err() {
            Counts::add(&self.counts.dropped, 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
