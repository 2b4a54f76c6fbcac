//! What every handler can reach.

use std::sync::Arc;

use guildhall_bus::Bus;
use guildhall_engine::Engine;
use guildhall_team::Team;
use guildhall_team::backup::Backups;
use guildhall_types::DateTime;
use tokio_util::sync::CancellationToken;

use crate::auth::origin::Public;
use crate::config::Guard;
use crate::mcp::told::Told;
use crate::metrics::{Metrics, MetricsToken};
use crate::preview::Previews;
use crate::rates::Rates;
use crate::sockets::Sockets;
use crate::traces::Traces;
use crate::ws::Listening;

/// The server's parts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App {
    /// The team's rules and its store.
    pub team: Team,
    /// Hints of what happens.
    pub bus: Bus,
    /// The address under which members reach this server.
    pub public: Arc<Public>,
    /// Under which names pages of services are shown.
    pub previews: Arc<Previews>,
    /// What works on the runs.
    pub engine: Engine,
    /// Makes backups, where the operator named a place for them.
    pub backups: Option<Backups>,
    /// How WebSockets are kept.
    pub listening: Listening,
    /// What keeps others from overwhelming the server.
    pub guard: Arc<Guard>,
    /// How many requests came of whom lately.
    pub rates: Rates,
    /// Who holds how many WebSockets.
    pub sockets: Sockets,
    /// Which calls by MCP the audit was told of lately.
    pub told: Told,
    /// Figures for whoever watches.
    pub metrics: Arc<Metrics>,
    /// What programs that watch show, if the operator gave them something.
    pub metrics_token: Option<MetricsToken>,
    /// What is told to a collector of traces, if the operator named one.
    pub traces: Option<Traces>,
    /// When this process started.
    pub started: DateTime,
    /// Set when the server shuts down: whoever holds a connection for long lets go of it.
    pub closing: CancellationToken,
}
