//! The services of a run as its agent reaches them. Whoever runs an agent stands behind it.

use async_trait::async_trait;
use guildhall_types::service::Service;

/// A service that an agent started, after the first moments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// The service as it stands now.
    pub service: Service,
    /// What it printed so far.
    pub printed: String,
    /// Whether something listens at its port, where it has one and that can be seen.
    pub answers: Option<bool>,
}

/// What a service printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// The service as it stands now.
    pub service: Service,
    /// The end of what it printed.
    pub text: String,
}

/// The services of a run. What cannot be done is refused in a sentence for the agent.
#[async_trait]
pub trait Services: Send + Sync {
    /// Starts one, and waits for the first moments of it.
    ///
    /// # Errors
    /// Why it cannot be started, and what to do.
    async fn start(&self, name: &str, command: &str, port: Option<u16>) -> Result<Begun, String>;

    /// All of them, those that have ended as well.
    ///
    /// # Errors
    /// Why they cannot be listed.
    async fn list(&self) -> Result<Vec<Service>, String>;

    /// The last lines that one printed.
    ///
    /// # Errors
    /// Why they cannot be had, and what to do.
    async fn logs(&self, name: &str, lines: usize) -> Result<Printed, String>;

    /// Stops one, and waits until it is gone. Returns the end of what it printed.
    ///
    /// # Errors
    /// Why it cannot be stopped, and what to do.
    async fn stop(&self, name: &str) -> Result<Printed, String>;
}
