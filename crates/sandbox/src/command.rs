//! Commands in a sandbox.

mod bwrap;
mod etc;
mod growth;
mod launch;
mod net;
mod output;
mod probe;
mod room;
mod running;
mod seccomp;
mod secrets;
mod terminal;
mod usable;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use guildhall_types::trace::{Key, Side, Span};
use serde::Serialize;

use crate::Toolchains;
use bwrap::{Bwrap, Status};
use etc::Etc;
pub use etc::{Unshown, unshown};
use growth::Growth;
use launch::Launch;
pub use launch::Streams;
pub use net::{Net, WeakNet};
pub(crate) use room::toolchain as bindable;
pub use running::Running;
pub use secrets::{RoomSecret, Secrets};
pub use terminal::{Size, Terminal};
use usable::Usable;
use watch::Tree;

use crate::cgroup::{Cell, Over, Share};

/// Bytes of a command's line; the kernel takes no argument over 128 KiB.
const MAX_LINE: usize = 120 * 1024;

/// Without a sandbox nothing keeps a command from writing.
const FROZEN: &str = "files must not be changed now, and this server has no sandbox that would keep a command from it; use \
    `read`, `glob` and `grep`";

/// The network of a run is a part of its sandbox.
const NO_NET: &str = "this server has no sandbox, so a run has no network of its own";

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
#[derive(Debug, Clone, Default)]
pub enum Network {
    /// Nothing, not even what other commands listen at.
    #[default]
    None,
    /// What the commands of the same run listen at, and what the server opens in the run's network.
    Of(Net),
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
    /// Whether the worktree and the git folder can only be read. What a command writes to its home and to `/tmp` goes with
    /// it, as ever.
    pub frozen: bool,
    /// Folders outside `/usr` that appear where they are, read-only: toolchains that the operator listed.
    pub read_only: Vec<PathBuf>,
    /// What it reaches of the network.
    pub network: Network,
    /// What its commands may have of memory and processes, and its worktree of the disk. Without one nothing bounds them.
    pub share: Option<Share>,
    /// Environment variables beside the usual ones.
    pub env: Vec<(String, String)>,
    /// Folders in which programs are looked for first.
    pub path: Vec<PathBuf>,
    /// What tools keep between commands; appears at `/run/cache`, writable. In a frozen room there is none.
    pub cache: Option<PathBuf>,
    /// Secrets that are blotted out of what commands print; which of them a command is given, `given` says.
    pub secrets: Secrets,
    /// The names of the secrets that commands find in their environment.
    pub given: Vec<String>,
}

impl Room {
    /// A room that shows this worktree and nothing else: no git folder, no network.
    pub fn new(tree: PathBuf) -> Self {
        Self {
            tree,
            git: None,
            objects: None,
            frozen: false,
            read_only: Vec::new(),
            network: Network::None,
            share: None,
            env: Vec::new(),
            path: Vec::new(),
            cache: None,
            secrets: Secrets::default(),
            given: Vec::new(),
        }
    }
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
    /// The limit that it came up against, if any. Where that did not end it, it has gone on.
    pub over: Option<Over>,
    /// The most bytes of memory that it had at once, where the kernel tells.
    pub peak_memory: Option<u64>,
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
    /// This command, or the room that it was to run in, cannot be.
    #[error("the command cannot be run: {reason}")]
    Refused {
        /// What is wrong with it.
        reason: String,
    },
}

impl SandboxError {
    fn starting(error: std::io::Error) -> Self {
        Self::Unavailable { reason: format!("no process could be started: {error}") }
    }

    fn losing(error: std::io::Error) -> Self {
        Self::Unavailable { reason: format!("the command was lost: {error}") }
    }

    fn no_net(error: &std::io::Error) -> Self {
        Self::Unavailable { reason: format!("the network of the run could not be taken hold of: {error}") }
    }

    pub(crate) fn no_group(error: &std::io::Error) -> Self {
        let reason = format!(
            "the kernel made no control group for it, so nothing would bound it: {error}; try again, or ask whoever runs the \
             server to run `guildhall doctor`"
        );
        Self::Unavailable { reason }
    }

    fn never_ran(said: &str) -> Self {
        Self::Unavailable { reason: format!("bubblewrap could not set the sandbox up: {}", said.trim()) }
    }
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
    /// The bubblewrap to use, when it is not the one on the `PATH`.
    program: Option<PathBuf>,
    /// The folder by which what this server started is known after its death.
    server: Option<PathBuf>,
    /// The folder in which the self-test makes its own for a moment, when it is not the one for temporary files.
    tried_in: Option<PathBuf>,
    /// What was found usable. What is not usable is tried again: it may have been mended.
    usable: Arc<Usable>,
    etc: Arc<Etc>,
    toolchains: Arc<Toolchains>,
    counts: Arc<Counts>,
}

/// How many commands were started since the process was, and how many could not be.
#[derive(Debug, Default)]
struct Counts {
    started: AtomicU64,
    refused: AtomicU64,
}

impl Counts {
    /// Counts what came of a start.
    fn of<T>(&self, started: Result<T, SandboxError>) -> Result<T, SandboxError> {
        let count = if started.is_ok() { &self.started } else { &self.refused };
        count.fetch_add(1, Ordering::Relaxed);
        started
    }
}

impl Sandbox {
    /// A sandbox of this kind.
    pub fn new(isolation: Isolation) -> Self {
        Self {
            isolation,
            program: None,
            server: None,
            tried_in: None,
            usable: Arc::default(),
            etc: Arc::new(Etc::of(Path::new("/etc"))),
            toolchains: Arc::default(),
            counts: Arc::default(),
        }
    }

    /// A sandbox by this bubblewrap, in place of the one on the `PATH`.
    pub fn with_bubblewrap(program: PathBuf) -> Self {
        Self { program: Some(program), ..Self::new(Isolation::Bubblewrap) }
    }

    /// The same sandbox, on a machine where commands find these toolchains. Each room is given them by whoever makes it.
    #[must_use]
    pub fn with_toolchains(self, toolchains: Toolchains) -> Self {
        Self { toolchains: Arc::new(toolchains), ..self }
    }

    /// The same sandbox, of the server that alone has commands at work in this folder: by it, [`crate::end_leftovers`] finds also
    /// what was started beside commands.
    #[must_use]
    pub fn of_server(self, folder: PathBuf) -> Self {
        Self { server: Some(folder), usable: Arc::default(), ..self }
    }

    /// The same sandbox, with the self-test's folders in this one: what fills the folder for temporary files does not fail it.
    #[must_use]
    pub fn trying_in(self, folder: PathBuf) -> Self {
        Self { tried_in: Some(folder), ..self }
    }

    /// The toolchains that commands find on this machine.
    pub fn toolchains(&self) -> &Toolchains {
        &self.toolchains
    }

    /// How commands are kept apart.
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// How many commands were started since the sandbox was made, and how many could not be.
    pub fn counts(&self) -> (u64, u64) {
        (self.counts.started.load(Ordering::Relaxed), self.counts.refused.load(Ordering::Relaxed))
    }

    /// How often since the sandbox was made a command could not be run on this host, whatever a self-test had said before.
    pub fn doubts(&self) -> u64 {
        self.usable.doubts()
    }

    /// Tries out what this host can do. Takes some ten milliseconds.
    pub async fn probe(&self) -> Report {
        probe::report(self).await
    }

    /// Runs a command and hands on its output as it comes, the first MiB of it. Dropping the future kills the whole tree
    /// of processes. A sandbox is new for each command: only the worktree and the git folder stay.
    ///
    /// # Errors
    /// When the command could not be started. A command that fails is an [`Outcome`].
    pub async fn run(
        &self,
        room: &Room,
        command: &Command,
        on_output: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Outcome, SandboxError> {
        let span = Span::begin(Side::Internal, "command", "");
        let ran = async { start_and_watch(self.usable().await?.as_deref(), room, command, on_output).await };
        let ran = self.usable.heed(span.around(ran).await);
        match &ran {
            Ok(Outcome { exit: Exit::Code(code), .. }) => span.count(Key::ExitCode, i64::from(*code)),
            Ok(Outcome { exit: Exit::Signal(_), .. }) => span.failed("signal"),
            Ok(Outcome { exit: Exit::TimedOut, .. }) => span.failed("timeout"),
            Err(_) => span.failed("not-started"),
        }
        self.counts.of(ran)
    }

    /// Starts a command that runs on while others do: a server, a watcher, a program that is spoken to. It has no
    /// timeout, and its output is for the caller to read, as it is: `room.secrets` blots secrets out of it. A caller that
    /// does not read holds the command up. Dropping what is returned kills
    /// the whole tree of processes.
    ///
    /// # Errors
    /// When the command could not be started.
    pub async fn start(&self, room: &Room, line: &str, streams: Streams) -> Result<Running, SandboxError> {
        let started = async {
            let (mut launch, status) = set_up(self.usable().await?.as_deref(), room, line, streams)?;
            let cell = enclose(room, &mut launch).await?;
            let growth = Growth::watch(room).await;
            let (child, ends) = launch.start(streams).await.map_err(SandboxError::starting)?;
            let tree = Tree::new(child, status, cell);
            Ok(Running::new(tree, ends, room.network.clone(), growth, Arc::clone(&self.usable)))
        };
        let span = Span::begin(Side::Internal, "command start", "");
        let started = self.usable.heed(span.around(started).await);
        if started.is_err() {
            span.failed("not-started");
        }
        self.counts.of(started)
    }

    /// Makes a network for the commands of a run, in which there is nothing yet. Takes some ten milliseconds.
    ///
    /// # Errors
    /// When the host cannot make one, or there is no sandbox.
    pub async fn net(&self) -> Result<Net, SandboxError> {
        match self.usable().await? {
            Some(bwrap) => self.usable.heed(Net::make(&bwrap).await),
            None => Err(SandboxError::Refused { reason: NO_NET.to_owned() }),
        }
    }
}

/// Runs a command, by this bubblewrap or without any.
async fn start_and_watch(
    bwrap: Option<&Bwrap>,
    room: &Room,
    command: &Command,
    on_output: &mut (dyn FnMut(&str) + Send),
) -> Result<Outcome, SandboxError> {
    let started = Instant::now();
    let (mut launch, status) = set_up(bwrap, room, &command.line, Streams::Merged)?;
    let cell = enclose(room, &mut launch).await?;
    let mut growth = Growth::watch(room).await;
    let (child, ends) = launch.start(Streams::Merged).await.map_err(SandboxError::starting)?;
    let tree = Tree::new(child, status, cell);
    let output =
        ends.output.ok_or_else(|| SandboxError::losing(std::io::Error::other("its output is not to be had")))?;
    let blot = room.secrets.blot();
    let end = tree.end(output, command.timeout, command.max_output, &mut growth, blot, on_output).await;
    let end = end.map_err(SandboxError::losing)?;
    if end.never_ran {
        return Err(SandboxError::never_ran(&end.output));
    }
    let over = match end.met.over {
        None => growth.at_the_end().await,
        over => over,
    };
    Ok(Outcome {
        exit: end.exit,
        output: end.output,
        omitted: end.omitted,
        duration: started.elapsed(),
        over,
        peak_memory: end.met.peak,
    })
}

/// Makes the control group that a command is started in, where its room has a part of what the host offers.
async fn enclose(room: &Room, launch: &mut Launch) -> Result<Option<Cell>, SandboxError> {
    let Some(share) = room.share.clone() else { return Ok(None) };
    launch.processes = share.processes_by_user();
    let made = tokio::task::spawn_blocking(move || {
        let cell = share.cell()?;
        let doors = cell.as_ref().map(Cell::doors).transpose()?;
        Ok((cell, doors))
    });
    let made = made.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    let (cell, doors) = made.map_err(|error| SandboxError::no_group(&error))?;
    launch.doors = doors.unwrap_or_default();
    Ok(cell)
}

/// What starts `line`, by this bubblewrap or without any.
fn set_up(
    bwrap: Option<&Bwrap>,
    room: &Room,
    line: &str,
    streams: Streams,
) -> Result<(Launch, Option<Status>), SandboxError> {
    check(room, line)?;
    match bwrap {
        Some(bwrap) => bwrap.launch(room, line, streams).map(|(launch, status)| (launch, Some(status))),
        None if room.network.net().is_some() => Err(SandboxError::Refused { reason: NO_NET.to_owned() }),
        None if room.frozen => Err(SandboxError::Refused { reason: FROZEN.to_owned() }),
        None => Ok((plain(room, line), None)),
    }
}

fn check(room: &Room, line: &str) -> Result<(), SandboxError> {
    let refused = |reason: String| Err(SandboxError::Refused { reason });
    if line.contains('\0') {
        return refused("its line holds a NUL character".to_owned());
    }
    if line.len() > MAX_LINE {
        let size = line.len();
        return refused(format!("its line has {size} bytes, over {MAX_LINE}; write a file and run that"));
    }
    match room.env.iter().find(|(key, value)| key.is_empty() || key.contains(['=', '\0']) || value.contains('\0')) {
        Some((key, _)) => refused(format!("{key:?} cannot be an environment variable")),
        None => Ok(()),
    }
}

/// What starts `line` without a sandbox: in the tree, with what of the server's environment finds programs, and no more.
fn plain(room: &Room, line: &str) -> Launch {
    let mut env: Vec<_> = ["PATH", "HOME", "USER"]
        .into_iter()
        .filter_map(|key| Some((key.into(), std::env::var_os(key)?)))
        .chain(bwrap::usual())
        .collect();
    if let Some(git) = &room.git {
        env.push(("GIT_DIR".into(), git.into()));
        env.push(("GIT_WORK_TREE".into(), (&room.tree).into()));
    }
    if let Some(objects) = &room.objects {
        env.push(("GIT_ALTERNATE_OBJECT_DIRECTORIES".into(), objects.into()));
    }
    if let Some(cache) = &room.cache {
        // Without a sandbox the home is the server's, and nothing keeps a command from anything.
        env.extend(crate::caches::environment(cache, None).into_iter().map(|(key, value)| (key.into(), value.into())));
    }
    env.extend(room.env.iter().map(|(key, value)| (key.into(), value.into())));
    env.extend(room.secrets.env(&room.given).map(|(key, value)| (key.into(), value.into())));
    if let Some((_, path)) = env.iter_mut().find(|(key, _)| key == "PATH") {
        *path = bwrap::search_path(&room.path, path);
    }
    let args = vec!["-c".into(), line.into()];
    Launch { args, env, ..Launch::new("/bin/bash".into(), room.tree.clone()) }
}
