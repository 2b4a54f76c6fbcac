//! What the page, the API, agents' tools and the command line all do: one function each, without HTTP.

mod error;
pub mod passwords;
pub mod tokens;
pub mod vault;

pub use error::TeamError;

use std::path::PathBuf;
use std::sync::Arc;

use guildhall_store::Store;
use guildhall_types::Clock;

use crate::passwords::Passwords;
use crate::vault::Vault;

/// The team's rules, over its store. Cheap to clone.
#[derive(Clone)]
pub struct Team {
    /// Where everything is kept.
    pub store: Store,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Seals and opens credentials.
    pub vault: Arc<Vault>,
    /// Hashes and checks passwords.
    pub passwords: Passwords,
    /// Where repositories and worktrees are.
    pub places: Arc<Places>,
}

/// Where things are on this node's disk.
#[derive(Debug, Clone)]
pub struct Places {
    /// The canonical bare repositories.
    pub repositories: PathBuf,
    /// The worktrees of runs.
    pub worktrees: PathBuf,
    /// Folders below which a project may be cloned from a path or a `file://` URL.
    pub allowed_repositories: Vec<PathBuf>,
}

impl Places {
    /// The places below the data folder.
    pub fn below(data: &std::path::Path, allowed_repositories: Vec<PathBuf>) -> Self {
        Self { repositories: data.join("repositories"), worktrees: data.join("worktrees"), allowed_repositories }
    }

    /// The canonical repository of a project.
    pub fn repository(&self, project: guildhall_types::ProjectId) -> PathBuf {
        self.repositories.join(format!("{project}.git"))
    }

    /// The folder of a run: the worktree is `tree` in it, the agent's own git folder `git`.
    pub fn run(&self, run: guildhall_types::RunId) -> PathBuf {
        self.worktrees.join(run.to_string())
    }
}
