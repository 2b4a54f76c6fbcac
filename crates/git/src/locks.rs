//! Locks that a dead git left behind, and git processes that outlived their server.
//!
//! Git makes a file `X.lock` beside what it writes and takes it away when it is done. A git that was killed leaves it there,
//! and every later one stops at it. A lock goes only when its maker is provably dead: no process has it open, and no git
//! that could have made it is at work. What cannot be looked at counts as alive.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// How long a lock is waited for whose maker is at work.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// A lock that somebody holds, or nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// It went by itself, or was taken away because its maker is dead.
    Free,
    /// It stays: its maker may be alive.
    Held,
}

/// The lock that git complains of, if it is one of the repository at `git_dir`.
pub(crate) fn named_in(complaint: &str, git_dir: &Path) -> Option<PathBuf> {
    if !complaint.contains("File exists") {
        return None;
    }
    let (_, rest) = complaint.split_once("nable to create '")?;
    let path = PathBuf::from(rest.split_once('\'')?.0);
    let path = if path.is_absolute() { path } else { git_dir.join(path) };
    let plain = path.components().all(|part| !matches!(part, std::path::Component::ParentDir));
    (plain && path.starts_with(home(git_dir)) && path.extension().is_some_and(|end| end == "lock")).then_some(path)
}

/// The repository that a git folder belongs to: itself, or the one that a worktree's folder is in.
fn home(git_dir: &Path) -> &Path {
    match git_dir.parent() {
        Some(parent) if parent.ends_with("worktrees") => parent.parent().unwrap_or(git_dir),
        _ => git_dir,
    }
}

/// Waits until a lock is free, for at most `patience`; takes it away when its maker is dead. Blocks.
pub(crate) fn free(lock: &Path, git_dir: &Path, patience: Duration) -> Found {
    let until = Instant::now() + patience;
    // A worktree's index is written by gits that are told of this worktree; all else by any git of the repository.
    let whose = if lock.parent() == Some(git_dir) { git_dir } else { home(git_dir) };
    loop {
        let Ok(before) = fs::symlink_metadata(lock) else { return Found::Free };
        let dead = !gits().any(|git| git.concerns(whose)) && !is_open(lock);
        // The very file that was judged: another may have come in its place, with a maker of its own.
        let same = fs::symlink_metadata(lock).is_ok_and(|now| same_file(&before, &now));
        if dead && same {
            return match fs::remove_file(lock) {
                Ok(()) => {
                    tracing::warn!(lock = %lock.display(), "a lock that a dead git had left was taken away");
                    Found::Free
                }
                Err(_) => Found::Held,
            };
        }
        if Instant::now() >= until {
            return Found::Held;
        }
        std::thread::sleep(LOOK);
    }
}

fn same_file(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino(), one.ctime(), one.ctime_nsec())
        == (other.dev(), other.ino(), other.ctime(), other.ctime_nsec())
}

/// Ends every git that works in a repository below `folder`: waits for it for `patience`, then kills it. Returns how many
/// had to be killed. Call this only when no other server can have gits at work in `folder`. Blocks.
pub fn end_leftovers(folder: &Path, patience: Duration) -> usize {
    let until = Instant::now() + patience;
    let left = loop {
        let left: Vec<Process> = gits().filter(|git| git.surely_concerns(folder)).collect();
        if left.is_empty() || Instant::now() >= until {
            break left;
        }
        std::thread::sleep(LOOK);
    };
    let mut ended = 0;
    for git in left {
        let Some(pid) = Pid::from_raw(git.pid) else { continue };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        // The number may have passed on to another process before the handle was opened; not after.
        if git.surely_concerns(folder) && pidfd_send_signal(&handle, Signal::KILL).is_ok() {
            ended += 1;
            let gone = Instant::now() + Duration::from_secs(5);
            while git.surely_concerns(folder) && Instant::now() < gone {
                std::thread::sleep(LOOK);
            }
        }
    }
    ended
}

/// A process that runs git.
struct Process {
    pid: i32,
    folder: PathBuf,
}

fn gits() -> impl Iterator<Item = Process> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let name = fs::read(entry.path().join("comm")).ok()?;
        name.starts_with(b"git").then(|| Process { pid, folder: entry.path() })
    })
}

impl Process {
    /// Whether it works with this folder or one below it, or may do so: `None` when that cannot be seen.
    fn looks_at(&self, folder: &Path) -> Option<bool> {
        let state = fs::read_to_string(self.folder.join("stat")).ok()?;
        // One that is dead and not yet buried holds nothing.
        if state.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with(['Z', 'X'])) {
            return Some(false);
        }
        let below = |bytes: &[u8]| {
            let rest = bytes.strip_prefix(folder.as_os_str().as_bytes());
            rest.is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
        };
        let variables = fs::read(self.folder.join("environ")).ok()?;
        let told = variables.split(|byte| *byte == 0).any(|one| one.strip_prefix(b"GIT_DIR=").is_some_and(below));
        let arguments = fs::read(self.folder.join("cmdline")).ok()?;
        let named = arguments
            .split(|byte| *byte == 0)
            .any(|one| below(one) || one.strip_prefix(b"--git-dir=").is_some_and(below));
        let at = fs::read_link(self.folder.join("cwd")).ok()?;
        Some(told || named || at.starts_with(folder))
    }

    /// Whether it may be at work there. One that is gone is not.
    fn concerns(&self, folder: &Path) -> bool {
        self.looks_at(folder).unwrap_or_else(|| self.folder.exists())
    }

    fn surely_concerns(&self, folder: &Path) -> bool {
        self.looks_at(folder) == Some(true)
    }
}

/// Whether a process has this file open, as far as that can be seen.
pub(crate) fn is_open(path: &Path) -> bool {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = all.filter(|entry| entry.file_name().to_str().is_some_and(|name| name.parse::<i32>().is_ok()));
    numbers
        .filter_map(|entry| fs::read_dir(entry.path().join("fd")).ok())
        .any(|files| files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|target| target == path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lock_of_the_repository_itself_is_ever_looked_at() {
        let git_dir = Path::new("/data/p.git/worktrees/r");
        let named = |path: &str| named_in(&format!("fatal: Unable to create '{path}': File exists.\n"), git_dir);
        for lock in ["/data/p.git/worktrees/r/index.lock", "/data/p.git/refs/heads/a.lock", "index.lock"] {
            assert!(named(lock).is_some_and(|path| path.ends_with(lock)), "{lock}");
        }
        for other in ["/data/other.git/index.lock", "/data/p.git/../x.lock", "/data/p.git/HEAD", "/data/p.git.lock"] {
            assert_eq!(named(other), None, "{other}");
        }
        assert_eq!(named_in("fatal: Unable to create '/data/p.git/x.lock': Permission denied", git_dir), None);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a git that nobody watches is what is tried")]
    fn a_git_that_outlived_its_server_is_ended_and_others_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let start = |folder: &Path| {
            let mut git = std::process::Command::new("git");
            git.args(["hash-object", "--stdin"]).env("GIT_DIR", folder).stdin(std::process::Stdio::piped());
            git.stdout(std::process::Stdio::null()).spawn().unwrap()
        };
        let (ours, others) = (dir.path().join("ours"), dir.path().join("others"));
        let (mut left, mut other) = (start(&ours.join("p.git")), start(&others.join("p.git")));
        // Until both have become git.
        while gits().filter(|git| git.surely_concerns(dir.path())).count() < 2 {
            std::thread::sleep(LOOK);
        }
        assert_eq!(end_leftovers(&ours, Duration::from_millis(50)), 1);
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&left.wait().unwrap()), Some(9));
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
