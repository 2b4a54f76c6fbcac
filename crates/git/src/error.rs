//! What can go wrong with git.

use std::path::PathBuf;

/// Why git did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The program could not be started.
    #[error("the git program could not be started; is git installed?")]
    Program(#[source] std::io::Error),
    /// A file could not be read or written.
    #[error("{path} could not be {deed}")]
    File {
        /// Which.
        path: PathBuf,
        /// What was tried.
        deed: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Git said no.
    #[error("git {command} failed: {message}")]
    Failed {
        /// The command.
        command: String,
        /// What git said, without addresses that hold a password.
        message: String,
    },
    /// Git took too long.
    #[error("git {command} took longer than {seconds} seconds and was ended")]
    TimedOut {
        /// The command.
        command: String,
        /// The limit.
        seconds: u64,
    },
    /// Git needed more memory for what an agent left than it may have.
    #[error(
        "git {command} needed more memory for what is in the worktree than it may have (at most {megabytes} MB), and was ended"
    )]
    NoMemory {
        /// The command.
        command: String,
        /// Megabytes that it may have at most. Where the commands of its run have most of what they may have, it has less.
        megabytes: u64,
    },
    /// Git needed more memory for a repository than the server lets it have.
    #[error(
        "git {command} needed more memory for this repository than the server lets git have (at most {megabytes} MB, for all of it together), and was ended"
    )]
    Starved {
        /// The command.
        command: String,
        /// Megabytes that it may have at most. While others work it has less.
        megabytes: u64,
    },
    /// An agent changed more than can be looked through.
    #[error("so many files are new or changed that their names alone are more than {megabytes} MB")]
    TooMany {
        /// Megabytes of names that are read.
        megabytes: u64,
    },
    /// Another git holds a lock, or may do so.
    #[error("another git program holds {lock}, or did when it was looked at")]
    Locked {
        /// Which lock.
        lock: PathBuf,
    },
    /// There is no repository at the source.
    #[error("{at} is not a git repository")]
    NotARepository {
        /// Where.
        at: String,
    },
    /// The source cannot be reached.
    #[error("{at} cannot be reached: {message}")]
    Unreachable {
        /// Where.
        at: String,
        /// What git said.
        message: String,
    },
    /// The source is larger than what is cloned.
    #[error("the repository is larger than {bytes} bytes, which is the most that is cloned")]
    TooLarge {
        /// What one may take.
        bytes: u64,
    },
    /// What is cloned leaves others no room.
    #[error("the server's disk has too little room for this repository; try again when its operator has made some")]
    NoRoom,
    /// The source is of a kind that is not cloned.
    #[error("{reason}")]
    BadSource {
        /// What is wrong and what can be used instead.
        reason: String,
    },
    /// Work that does not go onto a branch by itself.
    #[error("the work does not go onto {branch} as it is now")]
    Apart {
        /// The branch.
        branch: String,
    },
    /// A push that is none.
    #[error("this push cannot be read: {why}")]
    BadPush {
        /// What is wrong with it.
        why: &'static str,
    },
    /// A name that git does not take.
    #[error("{name:?} is not a usable {what}")]
    BadName {
        /// What the name is of.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The branch is there already.
    #[error("the branch {branch} exists already")]
    BranchExists {
        /// Which.
        branch: String,
    },
    /// A branch or commit that should be there is not.
    #[error("there is no {what} {name}")]
    Missing {
        /// What was looked for.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A ref moved while it was worked on.
    #[error("{name} was moved by somebody else in between")]
    Moved {
        /// Which ref.
        name: String,
    },
    /// What git printed could not be read.
    #[error("what git {command} printed could not be read")]
    Unreadable {
        /// The command.
        command: &'static str,
    },
}

/// How git says that there is no room.
const FULL: [&str; 2] = ["No space left on device", "Disk quota exceeded"];
/// How a line begins by which git says that it gets no more memory, and how one ends. Between them may stand any name of a file.
const STARVED: [&str; 2] = ["fatal: Out of memory", "fatal: out of memory"];
const NO_MEMORY: &str = ": Cannot allocate memory";
/// How a line begins and ends by which git says that a git that it had started was killed.
const KILLED: (&str, &str) = ("error: ", " died of signal 9");
/// How git says that a repository is damaged.
const DAMAGED: [&str; 8] = [
    "is corrupt",
    "object corrupt",
    "corrupt loose object",
    "inflate: data stream error",
    "bad object",
    "unable to read",
    "missing blob",
    "unable to unpack",
];

impl GitError {
    /// Whether there was no room on the disk.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Failed { message, .. } => FULL.iter().any(|words| message.contains(words)),
            Self::File { source, .. } | Self::Program(source) => {
                matches!(source.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
            }
            _ => false,
        }
    }

    /// Whether git found the repository damaged.
    pub fn is_damaged(&self) -> bool {
        matches!(self, Self::Failed { message, .. } if DAMAGED.iter().any(|words| message.contains(words)))
    }

    /// Whether git complains of a want of memory.
    pub(crate) fn is_want(complaint: &str) -> bool {
        let mut lines = complaint.lines();
        lines.any(|line| STARVED.iter().any(|words| line.starts_with(words)) || line.ends_with(NO_MEMORY))
    }

    /// Whether git complains that a git of its own was killed.
    pub(crate) fn is_killed_child(complaint: &str) -> bool {
        complaint.lines().any(|line| line.starts_with(KILLED.0) && line.ends_with(KILLED.1))
    }

    /// What kind of failure it is, in a word that holds nothing of what was asked.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Program(_) => "not-started",
            Self::TimedOut { .. } => "timeout",
            Self::Locked { .. } => "locked",
            Self::NoMemory { .. } | Self::Starved { .. } => "memory",
            _ => "failed",
        }
    }

    pub(crate) fn file(path: impl Into<PathBuf>, deed: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, deed, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_want_of_memory_is_what_git_says_and_no_name_of_a_file() {
        for want in [
            "fatal: Out of memory, malloc failed (tried to allocate 10 bytes)",
            "warning: x\nfatal: mmap failed: Cannot allocate memory\n",
        ] {
            assert!(GitError::is_want(want), "{want}");
        }
        for other in
            ["error: open(\"Out of memory\"): Is a directory", "fatal: 'x: Cannot allocate memory' is no path", ""]
        {
            assert!(!GitError::is_want(other), "{other}");
        }
    }
}
