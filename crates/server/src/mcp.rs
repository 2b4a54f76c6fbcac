//! The MCP server, at `/mcp`: streamable HTTP without sessions, for whoever shows a token.
//!
//! The protocol is rmcp's, in both revisions. What stands around it is ours: the door, and the tools, which are routes of
//! the API under other names.

mod call;
pub mod door;
mod handler;
mod prompts;
mod resources;
mod schema;
pub(crate) mod told;
pub mod tools;

use std::sync::Arc;

use axum::Router;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};

use crate::app::App;
use handler::Hub;

/// Bytes of a request at most.
const BODY: usize = 2 * 1024 * 1024;

/// The endpoint. `routes` are those that tools call; they ask who came in by the door.
pub(crate) fn router(app: &App, routes: Router) -> Router<App> {
    let hub = Hub::new(app.clone(), routes);
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(BODY)
        .with_cancellation_token(app.closing.child_token())
        // The door knows the server's own addresses better.
        .disable_allowed_hosts();
    let service = StreamableHttpService::new(move || Ok(hub.clone()), Arc::new(NeverSessionManager::default()), config);
    Router::new().route_service("/mcp", service)
}
