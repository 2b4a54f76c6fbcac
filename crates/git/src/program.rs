//! One call of the git program.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use guildhall_types::boundary;
use guildhall_types::trace::{Key, Side, Span};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

use crate::GitError;
use crate::confine::{MEMORY, Walls, Within};
use crate::locks::{self, Found};
use crate::start::{Call, Started};

/// Bytes of a call's output that are read at most, unless it asks for more.
const MAX_OUTPUT: u64 = 64 * 1024 * 1024;
/// Bytes of a call's complaints that are kept.
const MAX_ERRORS: u64 = 16 * 1024;

/// Bytes of a stream that are handed on at once.
const PIECE: usize = 64 * 1024;

/// How git speaks ssh: it asks nobody anything.
pub(crate) const SSH_COMMAND: &str = "ssh -o BatchMode=yes -o ConnectTimeout=30 -o StrictHostKeyChecking=accept-new";

/// How long git may take to tell its version.
const TO_ANSWER: Duration = Duration::from_secs(10);
/// Locks that a call takes at once, at most, and so that one of a dead git may have left: whoever moves the branch that HEAD names
/// locks both.
const LOCKS: usize = 4;

/// Settings that no configuration file can change: nothing that git could run on its own, no repository but the one that a
/// call names, and no path that some file system takes for a `.git`.
const SAFE: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.quotePath=false",
    "core.bigFileThreshold=8m",
    "core.protectNTFS=true",
    "credential.helper=",
    "log.showSignature=false",
    "protocol.ext.allow=never",
    "safe.bareRepository=explicit",
    "submodule.recurse=false",
    "diff.ignoreSubmodules=all",
    "commit.gpgSign=false",
    "gc.auto=0",
    "maintenance.auto=false",
];

/// One call, being put together.
pub(crate) struct Git {
    call: Call,
    name: String,
    stdin: Option<Arc<Vec<u8>>>,
    git_dir: Option<PathBuf>,
    walls: Option<Walls>,
    memory: Option<u64>,
    limit: Duration,
    max_output: u64,
}

/// What a call printed.
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    /// More was printed than is in `stdout`.
    pub(crate) cut: bool,
}

impl Git {
    pub(crate) fn new(subcommand: &str) -> Self {
        let mut call = Call::git();
        if let Some(path) = std::env::var_os("PATH") {
            call.env("PATH", path);
        }
        call.env("HOME", "/nonexistent")
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            // No call but a clone speaks to another repository, whatever a promise or an alternate asks for.
            .env("GIT_ALLOW_PROTOCOL", "none")
            .env("GIT_NO_LAZY_FETCH", "1")
            // A commit is what its id says, not what a ref or a file puts in its place.
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_GRAFT_FILE", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "/bin/false")
            .env("SSH_ASKPASS", "/bin/false")
            .env("GIT_SSH_COMMAND", SSH_COMMAND)
            .env("GIT_ADVICE", "0")
            // A path is a path, whatever characters it has.
            .env("GIT_LITERAL_PATHSPECS", "1")
            .args(SAFE.iter().flat_map(|setting| ["-c", setting]));
        Self {
            call,
            name: subcommand.to_owned(),
            stdin: None,
            git_dir: None,
            walls: None,
            memory: Some(MEMORY),
            limit: Duration::from_secs(120),
            max_output: MAX_OUTPUT,
        }
    }

    pub(crate) fn git_dir(mut self, path: &Path) -> Self {
        self.call.env("GIT_DIR", path);
        self.git_dir = Some(path.to_owned());
        self
    }

    pub(crate) fn work_tree(mut self, path: &Path) -> Self {
        self.call.env("GIT_WORK_TREE", path);
        self.call.folder = path.to_owned();
        self
    }

    /// Keeps the call to these folders, as far as the kernel can.
    pub(crate) fn within(mut self, walls: Walls) -> Self {
        self.walls = Some(walls);
        self
    }

    /// Lets it have as much memory as there is for git: for a call that goes through a whole repository.
    pub(crate) fn of_all(mut self) -> Self {
        self.memory = None;
        self
    }

    pub(crate) fn config(mut self, setting: &str) -> Self {
        self.call.args(["-c", setting]);
        self
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.call.env(key, value);
        self
    }

    /// The arguments. Call it once, after every setting.
    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.call.args([&self.name]).args(args);
        self
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.call.args([arg]);
        self
    }

    pub(crate) fn stdin(mut self, bytes: impl Into<Arc<Vec<u8>>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    pub(crate) fn max_output(mut self, bytes: u64) -> Self {
        self.max_output = bytes;
        self
    }

    /// Runs the call and hands back whatever came of it. Locks that a dead git left are taken away, and the call made again.
    pub(crate) async fn output(self) -> Result<Output, GitError> {
        let span = Span::begin(Side::Internal, "git", &self.name);
        let output = span.around(self.freed()).await;
        match &output {
            Ok(output) => span.count(Key::ExitCode, i64::from(output.code.unwrap_or(-1))),
            Err(error) => span.failed(error.word()),
        }
        output
    }

    async fn freed(mut self) -> Result<Output, GitError> {
        let mut freed = 0;
        loop {
            let output = self.once().await?;
            let failed = output.code != Some(0) && freed < LOCKS;
            let Some(git_dir) = self.git_dir.clone().filter(|_| failed) else { return Ok(output) };
            let Some(lock) = locks::named_in(&output.stderr, &git_dir) else { return Ok(output) };
            let found = {
                let lock = lock.clone();
                tokio::task::spawn_blocking(move || locks::free(&lock, &git_dir, locks::PATIENCE)).await
            };
            if !matches!(found, Ok(Found::Free)) {
                return Err(GitError::Locked { lock });
            }
            freed += 1;
        }
    }

    async fn once(&mut self) -> Result<Output, GitError> {
        let within = Within::of(self.walls.as_ref(), self.memory).await.map_err(GitError::Program)?;
        let bound = within.bound();
        boundary!("git.{}.before", self.name);
        let Started { mut process, input: stdin, mut output, mut errors } =
            self.call.start(self.stdin.is_some(), within).await.map_err(GitError::Program)?;
        boundary!("git.{}.begun", self.name);
        let input = self.stdin.as_deref();
        let work = async {
            let feed = async {
                if let (Some(mut pipe), Some(bytes)) = (stdin, input) {
                    // A git that ends early closes the pipe; its exit code tells more than the broken pipe.
                    let _ = pipe.write_all(bytes).await;
                }
            };
            let out = async {
                let mut bytes = Vec::new();
                (&mut output).take(self.max_output).read_to_end(&mut bytes).await?;
                let cut = tokio::io::copy(&mut output, &mut tokio::io::sink()).await? > 0;
                Ok::<_, std::io::Error>((bytes, cut))
            };
            let ((), out, complaints) = tokio::join!(feed, out, complaints(&mut errors));
            let status = process.wait().await;
            Ok::<_, std::io::Error>((status?, out?, complaints?))
        };
        let (status, (stdout, cut), complaints) = tokio::time::timeout(self.limit, work)
            .await
            .map_err(|_| GitError::TimedOut { command: self.name.clone(), seconds: self.limit.as_secs() })?
            .map_err(GitError::Program)?;
        boundary!("git.{}.after", self.name);
        let stderr = redact(&String::from_utf8_lossy(&complaints));
        if let Some(memory) = bound.met(status, &stderr) {
            return Err(self.starved(memory));
        }
        Ok(Output { code: status.code(), stdout, stderr, cut })
    }

    /// Runs the call with an input and an output that are too large to be held: pieces come from `feed`, if one is given, and
    /// go to `drain`. Whoever holds the other end waits for git, and git for them.
    pub(crate) async fn streamed(
        self,
        feed: Option<mpsc::Receiver<Vec<u8>>>,
        drain: mpsc::Sender<Vec<u8>>,
    ) -> Result<(), GitError> {
        let span = Span::begin(Side::Internal, "git", &self.name);
        let done = span.around(self.stream(feed, drain)).await;
        if let Err(error) = &done {
            span.failed(error.word());
        }
        done
    }

    async fn stream(self, feed: Option<mpsc::Receiver<Vec<u8>>>, drain: mpsc::Sender<Vec<u8>>) -> Result<(), GitError> {
        boundary!("git.{}.before", self.name);
        let fed = self.stdin.is_some() || feed.is_some();
        let within = Within::of(self.walls.as_ref(), self.memory).await.map_err(GitError::Program)?;
        let bound = within.bound();
        let Started { mut process, input: stdin, mut output, mut errors } =
            self.call.start(fed, within).await.map_err(GitError::Program)?;
        let work = async {
            let input = async {
                let Some(mut pipe) = stdin else { return };
                // A git that ends early closes the pipe; its exit code tells more than the broken pipe.
                if let Some(bytes) = self.stdin.as_deref()
                    && pipe.write_all(bytes).await.is_err()
                {
                    return;
                }
                let Some(mut feed) = feed else { return };
                while let Some(bytes) = feed.recv().await {
                    if pipe.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
            };
            let out = async {
                loop {
                    let mut bytes = Vec::with_capacity(PIECE);
                    if output.read_buf(&mut bytes).await? == 0 {
                        return Ok(());
                    }
                    if drain.send(bytes).await.is_err() {
                        return Err(std::io::Error::other("nobody takes what git writes"));
                    }
                }
            };
            let input = async {
                input.await;
                Ok(())
            };
            let ((), (), complaints) = tokio::try_join!(input, out, complaints(&mut errors))?;
            Ok::<_, std::io::Error>((process.wait().await?, complaints))
        };
        let (status, complaints) = tokio::time::timeout(self.limit, work)
            .await
            .map_err(|_| GitError::TimedOut { command: self.name.clone(), seconds: self.limit.as_secs() })?
            .map_err(GitError::Program)?;
        boundary!("git.{}.after", self.name);
        let stderr = redact(&String::from_utf8_lossy(&complaints));
        if let Some(memory) = bound.met(status, &stderr) {
            return Err(self.starved(memory));
        }
        match status.code() {
            Some(0) => Ok(()),
            code => Err(Output { code, stdout: Vec::new(), stderr, cut: false }.failed(&self.name)),
        }
    }

    /// It found no memory, of so many bytes that it might have had.
    fn starved(&self, memory: u64) -> GitError {
        let (command, megabytes) = (self.name.clone(), memory / 1_000_000);
        // What is within walls of its own memory's bound is a worktree: packing has none.
        match self.walls.is_some() && self.memory.is_some() {
            true => GitError::NoMemory { command, megabytes },
            false => GitError::Starved { command, megabytes },
        }
    }

    /// Runs the call; an exit code other than 0 is an error.
    pub(crate) async fn run(self) -> Result<Vec<u8>, GitError> {
        let name = self.name.clone();
        let output = self.output().await?;
        if output.code == Some(0) { Ok(output.stdout) } else { Err(output.failed(&name)) }
    }

    /// Runs the call and reads what it printed as one line of text.
    pub(crate) async fn line(self) -> Result<String, GitError> {
        Ok(String::from_utf8_lossy(&self.run().await?).trim_end().to_owned())
    }
}

impl Output {
    pub(crate) fn failed(&self, command: &str) -> GitError {
        let message = match self.stderr.trim() {
            "" => format!("exit code {:?}", self.code),
            text => text.to_owned(),
        };
        GitError::Failed { command: command.to_owned(), message }
    }
}

/// What it complains of: the beginning, and the rest is read away.
async fn complaints(errors: &mut pipe::Receiver) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    (&mut *errors).take(MAX_ERRORS).read_to_end(&mut bytes).await?;
    tokio::io::copy(errors, &mut tokio::io::sink()).await?;
    Ok(bytes)
}

/// What the git program says of its version, such as `git version 2.47.3`.
///
/// # Errors
/// [`GitError::Program`] when it cannot be started, [`GitError::TimedOut`] when it does not answer.
pub async fn version() -> Result<String, GitError> {
    Git::new("version").limit(TO_ANSWER).args::<&str>([]).line().await
}

/// Takes names and passwords out of addresses.
pub(crate) fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        out.push_str(head);
        let end = tail.find(['/', ' ', '\'', '"', '\n']).unwrap_or(tail.len());
        let host = tail[..end].rfind('@').map_or(0, |at| at + 1);
        out.push_str(&tail[host..end]);
        rest = &tail[end..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_addresses_are_taken_out() {
        let text = "fatal: unable to access 'https://anna:s3cret@example.com/r.git/': no; see http://example.com/@x";
        let clean = redact(text);
        assert!(!clean.contains("s3cret") && !clean.contains("anna"), "{clean}");
        assert!(clean.contains("https://example.com/r.git/") && clean.contains("http://example.com/@x"), "{clean}");
    }
}
