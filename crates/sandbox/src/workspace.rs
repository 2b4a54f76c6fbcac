//! Files of a worktree, through a directory handle that cannot be left. Everything here blocks.

use std::path::Path;

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
#[derive(Debug, Clone)]
pub struct Workspace {}

impl Workspace {
    /// The files below `tree`, which must be a real folder and no symbolic link.
    ///
    /// # Errors
    /// When it is not.
    pub fn open(_tree: &Path) -> Result<Self, FileError> {
        Ok(Self {})
    }

    /// Reads a regular file, at most `max_bytes` of it. An absolute path below `/workspace` is taken as relative to the root.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn read(&self, path: &str, _max_bytes: u64) -> Result<FileRead, FileError> {
        Err(FileError::NotFound { path: path.to_owned() })
    }

    /// Writes a file whole, making the folders above it; returns whether it is new. What was there stays until the new
    /// text is complete, and its mode is kept.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn write(&self, path: &str, _bytes: &[u8]) -> Result<bool, FileError> {
        Err(FileError::NotFound { path: path.to_owned() })
    }

    /// The files whose path, relative to `under`, matches a glob. What git ignores, and `.git`, is passed over.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn glob(&self, _pattern: &str, under: &str, _limit: usize) -> Result<Found, FileError> {
        Err(FileError::NotFound { path: under.to_owned() })
    }

    /// The lines that match. What git ignores, `.git`, and files that hold no text are passed over.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn grep(&self, query: &GrepQuery<'_>) -> Result<Matches, FileError> {
        Err(FileError::NotFound { path: query.under.to_owned() })
    }
}
