//! A simulated model provider. It speaks the true wire protocols of the Anthropic Messages API, the OpenAI Responses API and
//! the Chat Completions API (also as Google has it, below `/v1beta/openai`), does deterministic work by script with real tool
//! calls, and has rate limits, a prompt cache and faults. For the sample project, the tests and the
//! benchmarks; whoever calls it cannot tell, but for what it says.

pub mod cache;
mod conversation;
mod limits;
mod openai;
mod persona;
mod rewrite;
pub mod script;
mod server;
mod stream;
pub mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

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
    /// What share of its limits a key has that was not used before.
    pub filled: f64,
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
            filled: 1.0,
        }
    }
}

/// A call that came in.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// When.
    pub at: Instant,
    /// Its body.
    pub body: Arc<Value>,
}

/// What became of a call that came in, besides those that hang before any word.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// When it came in.
    pub at: Instant,
    /// Its body.
    pub body: Arc<Value>,
    /// What the provider said to it.
    pub outcome: Outcome,
}

/// What the provider says to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is answered, and has taken so many tokens out of the limits.
    Answered {
        /// Input that did not come from the cache.
        input: i64,
        /// Output.
        output: i64,
        /// What goes wrong in the answer.
        fault: Option<Fault>,
    },
    /// It is refused with this status.
    Refused(u16),
}

/// Calls that a simulator in this process remembers.
const REMEMBERED: usize = 1_000;

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
        let state = Arc::new(server::State::new(config, REMEMBERED));
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

    /// Tells of each call from now on, as it comes in.
    pub fn arrivals(&self) -> mpsc::UnboundedReceiver<Arrival> {
        self.state.listen()
    }

    /// Tells what becomes of each call from now on.
    pub fn receipts(&self) -> mpsc::UnboundedReceiver<Receipt> {
        self.state.audit()
    }

    /// What goes wrong with every call until then.
    pub fn fail_until(&self, until: Instant, fault: Fault) {
        self.state.fail_until(until, fault);
    }

    /// What goes wrong with the next calls, one each.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state.fail_next(faults);
    }

    /// How many of those are still to come.
    pub fn faults_to_come(&self) -> usize {
        self.state.faults_to_come()
    }
}

/// Serves on `listener` until `stop` comes, then lets answers that are under way end, for at most `grace`.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: tokio::net::TcpListener,
    config: Config,
    stop: impl Future<Output = ()> + Send + 'static,
    grace: Duration,
) -> std::io::Result<()> {
    let (stopping, stopped) = oneshot::channel::<()>();
    let router = server::router(Arc::new(server::State::new(config, 0)));
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
        stop.await;
        // Nobody waits for it any more when serving has failed.
        let _ = stopping.send(());
    });
    tokio::select! {
        served = serving.into_future() => served,
        () = async {
            let _ = stopped.await;
            tokio::time::sleep(grace).await;
        } => Ok(()),
    }
}
