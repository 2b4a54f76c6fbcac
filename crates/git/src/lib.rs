//! Repositories, worktrees, snapshots, diffs and merges, by way of the git program.
//!
//! The rule of this crate: the host never runs git with a git folder, a config or hooks that an agent can write. A
//! project's canonical repository is bare and the server's own; every call names its git folder and its work tree; the
//! `.git` that an agent sees in its worktree is a convenience for the agent, which the host never reads.

mod aside;
mod backup;
mod beside;
mod clone;
mod confine;
mod diff;
mod disk;
mod error;
mod history;
mod locks;
mod merge;
mod nested;
mod pack;
mod program;
mod push;
mod remote;
mod repo;
mod serve;
mod share;
mod shared_group;
mod snapshot;
mod source;
mod stack;
mod start;
mod tree;
mod worktree;

pub use aside::{Leaving, Left, remove_folder};
pub use backup::Standing;
pub use beside::Beside;
pub use clone::Bounds;
pub use diff::{Diff, DiffFile, DiffLimits, FileStatus, Hunk, Line, LineKind, Stat};
pub use disk::room;
pub use error::GitError;
pub use history::{Blob, Commit};
pub use locks::end_leftovers;
pub use merge::{BroughtUp, ConflictFile, Joined, Landed, Merge, Work};
pub use pack::Packed;
pub use program::version;
pub use push::{Push, RefChange};
pub use remote::Apart;
pub use repo::{Identity, NewFile, Repo, check_branch};
pub use serve::{Service, Version};
pub use share::{BESIDE, Step, Unfinished, is_shared};
pub use shared_group::{SharedGroup, gather_in};
pub use snapshot::{LeftOut, Snapshot};
pub use source::{Login, Source};
pub use stack::Stacked;
pub use worktree::{Doors, Worktree};

/// A commit's full id in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Oid(String);

impl TryFrom<String> for Oid {
    type Error = GitError;

    fn try_from(text: String) -> Result<Self, GitError> {
        Self::parse(&text)
    }
}

impl Oid {
    /// Reads an id: 40 or 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`GitError::BadName`] for anything else.
    pub fn parse(text: &str) -> Result<Self, GitError> {
        let digits = text.len() == 40 || text.len() == 64;
        if digits && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(GitError::BadName { what: "commit id", name: text.to_owned() })
        }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Oid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
