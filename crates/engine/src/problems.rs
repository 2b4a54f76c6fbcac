//! Why a run cannot go on, told on its card.

use guildhall_agent::JournalError;
use guildhall_git::GitError;
use guildhall_sandbox::{FileError, SandboxError};
use guildhall_store::StoreError;
use guildhall_team::{NOT_SHARED, TeamError};
use guildhall_types::feature::Problem;

use crate::room::{self, NoRoom};

/// What stopped a run, other than its agent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error(transparent)]
    Team(#[from] TeamError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error("the worktree cannot be opened")]
    File(#[from] FileError),
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    #[error("the folder {path} for what tools keep could not be made")]
    Cache {
        path: std::path::PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{file} has {bytes} bytes, too many to be kept{}; let git ignore it, or take it away", and_more(*more))]
    TooLarge { file: String, bytes: u64, more: usize },
    #[error("{0} files of repositories within it are more than are kept; let git ignore them, or take them away")]
    TooMany(usize),
    #[error("what was changed there in a terminal is no part of the work yet, and could not be saved: {0}")]
    ByHand(String),
    #[error("{0}")]
    NoFooting(String),
    #[error("a prompt could not be made")]
    Prompt(#[from] guildhall_agent::prompt::PromptError),
    #[error("a task ended too early")]
    Task(#[from] tokio::task::JoinError),
}

impl Trouble {
    /// The run is no longer this node's: nothing more may be written.
    pub(crate) const fn lost(&self) -> bool {
        matches!(self, Self::Store(StoreError::LeaseLost) | Self::Team(TeamError::Store(StoreError::LeaseLost)))
    }

    /// Why the run waits, if this passes by itself.
    pub(crate) fn passes(&self) -> Option<&'static str> {
        // An error that is transparent hides itself from whoever walks down its causes.
        match self {
            Self::Store(error) | Self::Team(TeamError::Store(error)) => room::passes(error),
            Self::Git(error) | Self::Team(TeamError::Git(error)) => room::passes(error),
            Self::NoRoom(error) => room::passes(error),
            Self::Team(TeamError::Conflict { code: NOT_SHARED, .. }) => Some(room::ELSEWHERE),
            other => room::passes(other),
        }
    }

    /// The trouble in words for the card.
    pub(crate) fn problem(&self) -> Problem {
        let (code, hint) = match self {
            Self::Team(TeamError::Conflict { code, .. }) => (*code, "Mend that, then retry."),
            Self::Team(TeamError::Vault(_)) => {
                ("sealed-key", "Put your key in place again under Settings, then retry.")
            }
            Self::Git(error) | Self::Team(TeamError::Git(error)) => of_git(error),
            Self::Sandbox(SandboxError::Refused { .. }) => ("command-refused", "Mend what it says, then retry."),
            Self::Sandbox(_) => ("no-sandbox", "Ask whoever runs this server to run `guildhall doctor`."),
            _ => ("internal", "Retry; if it stays, tell whoever runs this server: the log says more."),
        };
        Problem { code: code.to_owned(), message: chain(self), hint: hint.to_owned() }
    }
}

/// Why the work of a turn could not be saved.
pub(crate) fn unsaved(error: &JournalError) -> Problem {
    let git = match error {
        JournalError::Failed(cause) => cause.downcast_ref::<GitError>(),
        _ => None,
    };
    let (code, hint) = git.map_or(
        ("not-saved", "Retry: it goes on from the last saved turn. If it stays, tell whoever runs this server."),
        of_git,
    );
    let message = format!("The work could not be saved: {}.", chain(error));
    Problem { code: code.to_owned(), message, hint: hint.to_owned() }
}

/// The word for what went wrong with git, and what to do.
fn of_git(error: &GitError) -> (&'static str, &'static str) {
    match error {
        GitError::BranchExists { .. } => {
            ("branch-exists", "Name another branch on the card, or leave it empty, and start it again.")
        }
        GitError::Locked { .. } => (
            "git-locked",
            "Wait until that program is done, then retry. If none is at work, whoever runs this server can delete the lock.",
        ),
        GitError::Missing { what: "branch", .. } => (
            "branch-missing",
            "Somebody deleted or renamed it. Ask whoever runs this server to put the branch back, then retry.",
        ),
        GitError::Missing { what: "worktree", .. } => (
            "worktree-gone",
            "Somebody deleted it while the agent worked. Retry: it is made again as it was after the last saved turn.",
        ),
        GitError::NoMemory { .. } => (
            "git-memory",
            "A huge .gitignore or .gitattributes does that. Retry: the files are brought back as they were after the last saved turn. If it stays, \
             take that file away in a terminal, or start the card again.",
        ),
        GitError::Starved { .. } => (
            "git-memory",
            "Retry when less is under way. If it stays, the repository is too large for this server: tell whoever runs it.",
        ),
        GitError::TooMany { .. } => (
            "too-many-files",
            "Let git ignore what is built or fetched, then retry: it goes on from the last saved turn.",
        ),
        GitError::Moved { .. } => ("branch-moved", "Look at who else works with this branch, then retry."),
        GitError::NotARepository { .. } => {
            ("repository-missing", "Ask whoever runs this server to put the repository back from a backup, then retry.")
        }
        damaged if damaged.is_damaged() => (
            "repository-damaged",
            "Ask whoever runs this server to run `git fsck` on the repository and to mend it from a backup or a clone, then retry.",
        ),
        _ => ("git-failed", "Retry; if it stays, start the card again, and tell whoever runs this server."),
    }
}

fn and_more(more: usize) -> String {
    if more == 0 { String::new() } else { format!(", as have {more} more files") }
}

/// An error with its causes in one sentence.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        // A transparent error says the same as its cause.
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    text
}
