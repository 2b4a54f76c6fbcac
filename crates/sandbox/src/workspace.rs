//! Files of a worktree, through a directory handle that cannot be left. Everything here blocks.

mod file;
mod path;
mod search;
mod walk;

use std::path::Path;
use std::sync::Arc;

use cap_std::fs::Dir;
use rustix::fs::{Mode, OFlags};

pub use self::search::grep_text;

/// What went wrong with a file. The message is for the agent: it says what to do.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is nothing at this path.
    #[error("{path}: there is no such file")]
    NotFound {
        /// The path as it was given.
        path: String,
    },
    /// The path leads out of the worktree.
    #[error("{path}: outside of the workspace; use a path relative to its root")]
    Outside {
        /// The path as it was given.
        path: String,
    },
    /// It is no regular file.
    #[error("{path}: {what}, not a regular file")]
    NotAFile {
        /// The path as it was given.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// It is there, but not for this use.
    #[error("{path}: {reason}")]
    Refused {
        /// The path as it was given.
        path: String,
        /// Why, and what to do instead.
        reason: &'static str,
    },
    /// The pattern cannot be read.
    #[error("the pattern cannot be read: {reason}")]
    Pattern {
        /// Why.
        reason: String,
    },
    /// The system refused.
    #[error("{path}: {source}")]
    Io {
        /// The path as it was given.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// What was read of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRead {
    /// Its bytes, up to the limit.
    pub bytes: Vec<u8>,
    /// Its size in bytes.
    pub size: u64,
}

/// Paths that were found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Relative to the root, the latest changed first.
    pub paths: Vec<String>,
    /// There are more.
    pub more: bool,
}

/// What to look for in files.
#[derive(Debug, Clone)]
pub struct GrepQuery<'a> {
    /// A regular expression, in the syntax of the `regex` crate.
    pub pattern: &'a str,
    /// A file or folder to look in; the whole worktree when empty.
    pub under: &'a str,
    /// Only in files whose path matches this glob.
    pub glob: Option<&'a str>,
    /// Matches at most.
    pub limit: usize,
}

/// A line that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The file.
    pub path: String,
    /// The line's number, from 1.
    pub line: u64,
    /// The line, cut to 500 characters.
    pub text: String,
}

/// Lines that matched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matches {
    /// The lines, by path and number.
    pub matches: Vec<Match>,
    /// There are more.
    pub more: bool,
}

/// The files of a worktree. Cheap to clone.
///
/// A symbolic link is followed as long as it stays inside; one that leads out, or begins with `/`, is refused. The
/// folder's `.git` is not reached at all: it is git's, in the agent's commands.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: Arc<Dir>,
}

impl Workspace {
    /// The files below `tree`, which must be a real folder and no symbolic link.
    ///
    /// # Errors
    /// When it is not.
    pub fn open(tree: &Path) -> Result<Self, FileError> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // With a slash at its end, a symbolic link would be followed.
        let exact: std::path::PathBuf = tree.components().collect();
        let root = rustix::fs::open(&exact, flags, Mode::empty()).map_err(|error| {
            let path = tree.display().to_string();
            match error {
                rustix::io::Errno::NOENT => FileError::NotFound { path },
                rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR => FileError::Refused {
                    path,
                    reason: "not a real folder; a worktree cannot be reached by a symbolic link",
                },
                error => FileError::Io { path, source: error.into() },
            }
        })?;
        Ok(Self { root: Arc::new(Dir::from_std_file(root.into())) })
    }

    /// Reads a regular file, at most `max_bytes` of it. An absolute path below `/workspace` is taken as relative to the root.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn read(&self, path: &str, max_bytes: u64) -> Result<FileRead, FileError> {
        file::read(&self.root, path, max_bytes)
    }

    /// Writes a file whole, making the folders above it; returns whether it is new. What was there stays until the new
    /// text is complete, and its mode is kept. Through a symbolic link, the file that it leads to is written.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn write(&self, path: &str, bytes: &[u8]) -> Result<bool, FileError> {
        file::write(&self.root, path, bytes)
    }

    /// The files whose path, relative to `under`, matches a glob; of a pattern without a slash, whose name does. What git
    /// ignores, and `.git`, is passed over. At most 200,000 entries are looked at, for 30 seconds.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn glob(&self, pattern: &str, under: &str, limit: usize) -> Result<Found, FileError> {
        search::glob(&self.root, pattern, under, limit)
    }

    /// The lines that match. What git ignores, `.git`, files over 10 MiB and files that hold no text are passed over, and
    /// the bounds of [`glob`](Self::glob) hold.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn grep(&self, query: &GrepQuery<'_>) -> Result<Matches, FileError> {
        search::grep(&self.root, query)
    }
}
