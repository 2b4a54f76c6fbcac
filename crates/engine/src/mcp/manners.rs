//! How a server is answered that asks for something or tells something by itself.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::RoleClient;
use rmcp::model::{
    ClientCapabilities, ClientConfig, ClientResult, ErrorCode, ErrorData, Implementation, ProtocolVersion,
    ServerNotification, ServerRequest,
};
use rmcp::service::{NotificationContext, RequestContext, RunningService, RunningServiceCancellationToken};
use tokio::sync::watch;

use super::streams::MESSAGE;

/// What a server may tell or ask unasked between two calls.
const UNASKED: usize = 10_000;
/// Bytes that one elsewhere may send unasked from one call to the next, comments and all.
const BETWEEN: usize = 2 * MESSAGE;
/// Said of one that did not leave it at that.
pub(super) const FLOODED: &str = "it sent over 10,000 messages that nobody asked for, and was cut off";

/// A conversation with a server.
pub(super) type Service = RunningService<RoleClient, Manners>;

/// What was heard of a server beside its answers.
#[derive(Default)]
pub(super) struct Heard {
    changed: AtomicBool,
    unasked: AtomicUsize,
    bytes: AtomicUsize,
    calls: watch::Sender<u64>,
    stop: Mutex<Option<RunningServiceCancellationToken>>,
}

impl Heard {
    /// A call begins.
    pub(super) fn begin(&self) {
        if !self.is_flood() {
            self.unasked.store(0, Ordering::Relaxed);
        }
        self.bytes.store(0, Ordering::Relaxed);
        self.calls.send_modify(|calls| *calls = calls.wrapping_add(1));
    }

    /// Changes whenever a call begins.
    pub(super) fn calls(&self) -> watch::Receiver<u64> {
        self.calls.subscribe()
    }

    /// Counts bytes that came unasked. Returns whether that is not too much yet.
    pub(super) fn takes(&self, bytes: usize) -> bool {
        self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= BETWEEN
    }

    /// The tools may be others now, although the server did not say so.
    pub(super) fn mark_changed(&self) {
        self.changed.store(true, Ordering::Relaxed);
    }

    /// Whether its tools may be others now than when this was last asked.
    pub(super) fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::Relaxed)
    }

    /// Whether it said so much that it was cut off.
    pub(super) fn is_flood(&self) -> bool {
        self.unasked.load(Ordering::Relaxed) > UNASKED
    }

    /// From now on this conversation can be ended when it floods.
    pub(super) fn may_stop(&self, service: &Service) {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = Some(service.cancellation_token());
    }

    /// Counts a message. Returns whether it is to be looked at.
    fn admits(&self) -> bool {
        if self.unasked.fetch_add(1, Ordering::Relaxed) < UNASKED {
            return true;
        }
        if let Some(stop) = self.stop.lock().unwrap_or_else(PoisonError::into_inner).take() {
            stop.cancel();
        }
        false
    }
}

/// Who speaks for us.
pub(super) struct Manners(Arc<Heard>);

impl Manners {
    pub(super) fn new(heard: &Arc<Heard>) -> Self {
        Self(Arc::clone(heard))
    }
}

impl rmcp::Service<RoleClient> for Manners {
    async fn handle_request(
        &self,
        request: ServerRequest,
        _context: RequestContext<RoleClient>,
    ) -> Result<ClientResult, ErrorData> {
        match request {
            ServerRequest::PingRequest(_) if self.0.admits() => Ok(ClientResult::empty(())),
            _ => {
                self.0.admits();
                Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "nobody is asked anything here", None))
            }
        }
    }

    async fn handle_notification(
        &self,
        notification: ServerNotification,
        _context: NotificationContext<RoleClient>,
    ) -> Result<(), ErrorData> {
        if self.0.admits() && matches!(notification, ServerNotification::ToolListChangedNotification(_)) {
            self.0.mark_changed();
        }
        Ok(())
    }

    fn get_info(&self) -> ClientConfig {
        let me = Implementation::new("guildhall", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), me)
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
    }
}
