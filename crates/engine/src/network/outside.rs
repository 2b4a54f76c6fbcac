//! The world outside, as far as commands are led to it: how names are resolved, and which addresses may be called.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use guildhall_types::network::is_reachable;

/// Resolves names.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// The addresses of a host, to be called at `port`.
    ///
    /// # Errors
    /// When it has none, or nobody answers.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// How commands reach the world outside.
#[derive(Clone)]
pub struct Outside {
    /// Resolves the names that they ask for.
    pub resolver: Arc<dyn Resolve>,
    /// Whether an address may be called.
    pub admits: fn(IpAddr) -> bool,
}

impl Default for Outside {
    fn default() -> Self {
        Self { resolver: Arc::new(OfTheHost), admits: is_reachable }
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside").finish_non_exhaustive()
    }
}

/// As the host resolves names.
struct OfTheHost;

#[async_trait]
impl Resolve for OfTheHost {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}
