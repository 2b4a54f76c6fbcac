//! A command that runs on while others do.

use std::sync::Arc;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

use super::growth::Growth;
use super::launch::Ends;
use super::terminal::Terminal;
use super::watch::Tree;
use super::{Exit, Network, SandboxError, Usable};
use crate::cgroup::Over;

/// Bytes that are kept of what bubblewrap says when it cannot set a sandbox up.
const SAID: u64 = 4096;

/// A command at work. Dropping it kills it with everything that it started.
#[derive(Debug)]
pub struct Running {
    /// What it reads; closed by dropping it. Nothing when its streams are merged.
    pub input: Option<pipe::Sender>,
    /// What it prints: on both streams when they are merged. Taken by whoever reads it. Nothing where it has a terminal.
    pub output: Option<pipe::Receiver>,
    /// What it prints on its second stream. Nothing when its streams are merged.
    pub errors: Option<pipe::Receiver>,
    /// Its terminal, if it has one.
    pub terminal: Option<Terminal>,
    tree: Tree,
    /// What it reaches of the network is there for as long as it is.
    _network: Network,
    growth: Growth,
    over: Option<Over>,
    usable: Arc<Usable>,
}

impl Running {
    pub(super) fn new(tree: Tree, ends: Ends, network: Network, growth: Growth, usable: Arc<Usable>) -> Self {
        let Ends { input, output, errors, terminal } = ends;
        Self { input, output, errors, terminal, tree, _network: network, growth, over: None, usable }
    }

    /// Waits until it ended by itself, and everything that it started is gone as well; while this is waited for, it is
    /// ended when the worktree grows beyond what it may have. May be given up and asked again.
    ///
    /// # Errors
    /// When the sandbox could not be set up. Why is told if nobody took the streams.
    pub async fn ended(&mut self) -> Result<Exit, SandboxError> {
        let ended = tokio::select! {
            biased;
            ended = self.tree.ended() => Some(ended.map_err(SandboxError::losing)?),
            over = self.growth.over() => {
                self.over = Some(over);
                None
            }
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                self.tree.fell().await.map_err(SandboxError::losing)?;
                self.tree.ended().await.map_err(SandboxError::losing)?
            }
        };
        if let Some(exit) = ended {
            return Ok(exit);
        }
        let mut said = Vec::new();
        if let Some(told) = self.errors.as_mut().or(self.output.as_mut()) {
            // All who could write are gone, so this ends.
            let _ = told.take(SAID).read_to_end(&mut said).await;
        }
        self.usable.heed(Err(SandboxError::never_ran(&String::from_utf8_lossy(&said))))
    }

    /// The limit that it came up against, if any: known once it has ended.
    pub fn over(&self) -> Option<Over> {
        self.over.or(self.tree.met().over)
    }

    /// Kills it with everything that it started, and waits until all of that is gone.
    ///
    /// # Errors
    /// When the kernel does not say whether it is gone.
    pub async fn kill(mut self) -> Result<(), SandboxError> {
        self.tree.fell().await.map_err(SandboxError::losing)
    }
}
