//! A command that runs on while others do.

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

use super::launch::Ends;
use super::watch::Tree;
use super::{Exit, Network, SandboxError};

/// Bytes that are kept of what bubblewrap says when it cannot set a sandbox up.
const SAID: u64 = 4096;

/// A command at work. Dropping it kills it with everything that it started.
#[derive(Debug)]
pub struct Running {
    /// What it reads; closed by dropping it. Nothing when its streams are merged.
    pub input: Option<pipe::Sender>,
    /// What it prints: on both streams when they are merged. Taken by whoever reads it.
    pub output: Option<pipe::Receiver>,
    /// What it prints on its second stream. Nothing when its streams are merged.
    pub errors: Option<pipe::Receiver>,
    tree: Tree,
    /// What it reaches of the network is there for as long as it is.
    _network: Network,
}

impl Running {
    pub(super) fn new(tree: Tree, ends: Ends, network: Network) -> Self {
        Self { input: ends.input, output: Some(ends.output), errors: ends.errors, tree, _network: network }
    }

    /// Waits until it ended by itself, and everything that it started is gone as well. May be given up and asked again.
    ///
    /// # Errors
    /// When the sandbox could not be set up. Why is told if nobody took the streams.
    pub async fn ended(&mut self) -> Result<Exit, SandboxError> {
        if let Some(exit) = self.tree.ended().await.map_err(SandboxError::losing)? {
            return Ok(exit);
        }
        let mut said = Vec::new();
        if let Some(told) = self.errors.as_mut().or(self.output.as_mut()) {
            // All who could write are gone, so this ends.
            let _ = told.take(SAID).read_to_end(&mut said).await;
        }
        Err(SandboxError::never_ran(&String::from_utf8_lossy(&said)))
    }

    /// Kills it with everything that it started, and waits until all of that is gone.
    ///
    /// # Errors
    /// When the kernel does not say whether it is gone.
    pub async fn kill(mut self) -> Result<(), SandboxError> {
        self.tree.fell().await.map_err(SandboxError::losing)
    }
}
