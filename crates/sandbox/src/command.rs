//! Commands in a sandbox.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

/// How commands are kept apart from the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// By bubblewrap: namespaces, a read-only system, no network.
    Bubblewrap,
    /// Not at all. Only when the operator wrote so.
    None,
}

/// What a command reaches of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// Nothing.
    #[default]
    None,
}

/// What a run's commands see.
#[derive(Debug, Clone)]
pub struct Room {
    /// The worktree; appears at `/workspace`, writable.
    pub tree: PathBuf,
    /// The agent's own git folder; appears at `/run/git`, writable.
    pub git: Option<PathBuf>,
    /// The objects of the canonical repository; appears at `/run/objects`, read-only.
    pub objects: Option<PathBuf>,
    /// Folders outside `/usr` that appear where they are, read-only: toolchains that the operator listed.
    pub read_only: Vec<PathBuf>,
    /// What it reaches of the network.
    pub network: Network,
    /// Environment variables beside the usual ones.
    pub env: Vec<(String, String)>,
}

/// A command to be run.
#[derive(Debug, Clone)]
pub struct Command {
    /// The line, for `bash -c`.
    pub line: String,
    /// After which the whole tree of processes dies.
    pub timeout: Duration,
    /// Bytes of output that are kept at most: half of them from the beginning, half from the end.
    pub max_output: usize,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// At the timeout.
    TimedOut,
}

/// What came of a command.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How it ended.
    pub exit: Exit,
    /// What it printed, on both streams in the order it came: whole, or head and tail with a line between them that
    /// counts what was left out. What is not UTF-8 is shown as �.
    pub output: String,
    /// Bytes that were left out.
    pub omitted: u64,
    /// How long it took.
    pub duration: Duration,
}

/// Why a command could not be run.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The host cannot isolate, and the operator did not allow to do without.
    #[error("commands cannot be run: {reason}")]
    Unavailable {
        /// What is missing and how to mend it.
        reason: String,
    },
}

/// One thing that the self-test looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What was tried, such as "user namespaces".
    pub name: &'static str,
    /// Whether it works.
    pub ok: bool,
    /// What was found, or what to do.
    pub detail: String,
}

/// What this host can do.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// How commands are kept apart.
    pub isolation: Isolation,
    /// Whether commands can be run.
    pub usable: bool,
    /// What was looked at.
    pub findings: Vec<Finding>,
}

/// Runs commands. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sandbox {
    isolation: Isolation,
}

impl Sandbox {
    /// A sandbox of this kind.
    pub fn new(isolation: Isolation) -> Self {
        Self { isolation }
    }

    /// How commands are kept apart.
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// Tries out what this host can do.
    pub async fn probe(&self) -> Report {
        Report { isolation: self.isolation, usable: false, findings: Vec::new() }
    }

    /// Runs a command and hands on its output as it comes. Dropping the future kills the whole tree of processes.
    ///
    /// # Errors
    /// When the command could not be started. A command that fails is an [`Outcome`].
    pub async fn run(
        &self,
        _room: &Room,
        _command: &Command,
        _on_output: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Outcome, SandboxError> {
        Err(SandboxError::Unavailable { reason: "not built yet".to_owned() })
    }
}
