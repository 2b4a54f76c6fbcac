//! How a conversation over a WebSocket ends, and what is sent until then.

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures::SinkExt;
use futures::stream::SplitSink;

use super::{PATIENCE, close, still_signed_in};
use crate::app::App;
use crate::auth::Signed;

/// Why a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The client left, or the network did.
    Left,
    /// The server ends it, with this code and these words.
    Close(u16, &'static str),
}

impl From<axum::Error> for End {
    fn from(_: axum::Error) -> Self {
        Self::Left
    }
}

impl End {
    /// The server shuts down.
    pub(crate) const SHUTDOWN: Self = Self::Close(close::GOING_AWAY, "the server shuts down");

    /// Something of the server's failed, which its log tells.
    pub(crate) fn failed(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = crate::problem::chain(error), "a WebSocket failed");
        Self::Close(close::FAILED, "something failed inside the server")
    }

    /// Tells the client, where it is still there.
    pub(crate) async fn tell(self, sink: &mut SplitSink<WebSocket, Message>) {
        if let Self::Close(code, reason) = self {
            tracing::debug!(code, reason, "a WebSocket is closed");
            let frame = CloseFrame { code, reason: reason.into() };
            // Whether the client still hears it makes no difference.
            let _ = tokio::time::timeout(PATIENCE, sink.send(Message::Close(Some(frame)))).await;
        }
    }
}

/// Sends a message to a client that has a while to take it.
pub(crate) async fn give(sink: &mut SplitSink<WebSocket, Message>, message: Message) -> Result<(), End> {
    match tokio::time::timeout(PATIENCE, sink.send(message)).await {
        Ok(sent) => Ok(sent?),
        Err(_) => Err(End::Left),
    }
}

/// Ends a conversation with whoever is no longer signed in.
pub(crate) async fn must_be_signed_in(app: &App, signed: &Signed) -> Result<(), End> {
    match still_signed_in(app, signed).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(End::Close(close::SESSION_ENDED, "the session has ended")),
        // The store may be closed already.
        Err(_) if app.closing.is_cancelled() => Err(End::SHUTDOWN),
        Err(error) => Err(End::failed(&error)),
    }
}
