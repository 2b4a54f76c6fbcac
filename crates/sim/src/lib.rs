//! A simulated model provider. It speaks the true wire protocol of the Anthropic Messages API, does deterministic work by
//! script with real tool calls, and has rate limits, a prompt cache and faults. For the sample project, the tests and the
//! benchmarks; whoever calls it cannot tell, but for what it says.

mod limits;
mod persona;
pub mod script;
mod server;
mod stream;
pub mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;

pub use limits::Quota;
pub use script::Fault;

/// How the simulator behaves.
#[derive(Debug, Clone)]
pub struct Config {
    /// Until the first word of an answer.
    pub first_word: Duration,
    /// Between two words.
    pub per_word: Duration,
    /// Between pings while nothing else is sent.
    pub ping: Duration,
    /// Tokens that a conversation may have.
    pub context_window: i64,
    /// Tokens that an answer may have.
    pub max_output: i64,
    /// Limits of each key; none when absent.
    pub quota: Option<Quota>,
}

impl Default for Config {
    /// As fast as possible and without limits, for tests.
    fn default() -> Self {
        Self {
            first_word: Duration::ZERO,
            per_word: Duration::ZERO,
            ping: Duration::from_secs(10),
            context_window: 200_000,
            max_output: 64_000,
            quota: None,
        }
    }
}

/// A simulator at work. Ends when it is dropped.
#[derive(Debug)]
pub struct Sim {
    address: SocketAddr,
    state: Arc<server::State>,
    _stop: oneshot::Sender<()>,
}

impl Sim {
    /// Starts a simulator on a free port of the loopback address.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(config: Config) -> std::io::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(server::State::new(config));
        let (stop, stopped) = oneshot::channel::<()>();
        let router = server::router(Arc::clone(&state));
        tokio::spawn(async move {
            // Dropping the server's future closes its connections, as a provider that dies would.
            tokio::select! {
                _ = stopped => {}
                _ = axum::serve(listener, router).into_future() => {}
            }
        });
        Ok(Self { address, state, _stop: stop })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The bodies of the calls so far, in order; the latest 1,000.
    pub fn requests(&self) -> Vec<Value> {
        self.state.requests()
    }

    /// What goes wrong with the next calls, one each.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state.fail_next(faults);
    }
}

/// Serves on `listener` until the process ends.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: tokio::net::TcpListener, config: Config) -> std::io::Result<()> {
    axum::serve(listener, server::router(Arc::new(server::State::new(config)))).await
}
