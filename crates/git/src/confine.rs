//! Keeps a git that works in an agent's worktree within that worktree and its repository.
//!
//! Git looks whether a symbolic link stands in its way, and then opens. Between the two, a program of the agent that is
//! still at work can put a link there. With these walls the kernel itself refuses whatever lies elsewhere: no file of the
//! server's gets into a snapshot that the agent can read, and nothing is written outside.
//!
//! The walls are Landlock's. A kernel without it does without them, and so does a git that cannot start within them; then
//! what git itself looks for is what holds.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, Rlimit, Signal};
use tokio::io::AsyncReadExt;
use tokio::sync::OnceCell;

use crate::GitError;
use crate::shared_group::shared_group;
use crate::start::{Call, PROGRAM};
use crate::worktree::Doors;

/// What a program needs to start: itself, its libraries, and where it finds those.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/gnu/store",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/dev/urandom",
    "/dev/random",
];

/// Rights to a file, and to a folder beside them, as the kernel numbers them.
const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
/// All rights of the first version: to make, to change and to remove things of every kind.
const FIRST: u64 = (1 << 13) - 1;
/// To move things between folders: since the second version.
const REFER: u64 = 1 << 13;
/// To cut a file: since the third.
const TRUNCATE: u64 = 1 << 14;
/// Rights that a thing has that is no folder.
const OF_FILES: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE;

/// A call asks for the version by this flag.
const VERSION: libc::c_uint = 1;
/// The kind of rule that speaks of what lies below a folder.
const BENEATH: libc::c_int = 1;

/// Where a git may read, and where it may read and write.
#[derive(Clone)]
pub(crate) struct Walls {
    pub(crate) read: Vec<PathBuf>,
    pub(crate) write: Vec<PathBuf>,
    /// The control groups of its run, which it joins.
    pub(crate) doors: Option<Arc<Doors>>,
}

/// How far git steps back that works in a worktree, of 19 steps: a tenth of what the server has while both want all.
const NICE: i32 = 10;

/// Bytes of memory of its own that a git may have which does not go through a whole repository. What an agent writes
/// for git to obey may be anything: of 95 MB of patterns in `.gitignore` it makes 4 GB, and once more in each folder
/// with such a file. What git maps of the repository does not count. With a million files it needs up to 0.7 GiB for
/// its index, 0.8 for a diff in which all of them moved, and 1.1 for a merge with that.
pub(crate) const MEMORY: u64 = 2 * 1024 * 1024 * 1024;

/// As the kernel reads it.
#[repr(C, packed)]
struct Rule {
    allowed: u64,
    parent: RawFd,
}

/// What a git starts under.
#[derive(Debug, Default)]
pub(crate) struct Within {
    /// The walls, where the kernel and git are up to them.
    rules: Option<OwnedFd>,
    /// Bytes of memory of its own that it may have, if it is bounded.
    memory: Option<u64>,
    /// Bytes of memory that the group may have which it joins, if that is the one which all gits share.
    of_all: Option<u64>,
    doors: Vec<OwnedFd>,
    /// Whether it steps back behind whoever answers members.
    back: bool,
}

/// How much memory a git was bounded to that found none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    memory: Option<u64>,
    /// Whether the kernel may have killed it for its groups.
    in_groups: bool,
}

impl Bound {
    /// Bytes that it might have had, if it ended for want of memory, by how it ended and what it said.
    pub(crate) fn met(self, status: ExitStatus, complaint: &str) -> Option<u64> {
        let itself = status.signal() == Some(Signal::KILL.as_raw());
        let killed = self.in_groups && (itself || !status.success() && GitError::is_killed_child(complaint));
        self.memory.filter(|_| killed || !status.success() && GitError::is_want(complaint))
    }
}

impl Walls {
    /// Walls without any other bound.
    pub(crate) const fn of(read: Vec<PathBuf>, write: Vec<PathBuf>) -> Self {
        Self { read, write, doors: None }
    }

    /// The walls, where the kernel and git are up to them.
    async fn usable_rules(&self) -> io::Result<Option<OwnedFd>> {
        static USABLE: OnceCell<bool> = OnceCell::const_new();
        match USABLE.get_or_try_init(usable).await {
            Ok(true) => Ok(Some(self.rules()?)),
            Ok(false) => Ok(None),
            Err(error) => {
                // The next git finds it out.
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "whether git works within walls was not found out, so one works in its worktree without them"
                );
                Ok(None)
            }
        }
    }

    fn rules(&self) -> io::Result<OwnedFd> {
        let all = match version() {
            ..=0 => return Err(io::ErrorKind::Unsupported.into()),
            1 => FIRST,
            2 => FIRST | REFER,
            _ => FIRST | REFER | TRUNCATE,
        };
        let rules = create(all)?;
        let system = SYSTEM.iter().map(Path::new).chain(home_of_git());
        for path in system.filter(|path| path.exists()) {
            allow(&rules, path, EXECUTE | READ_FILE | READ_DIR)?;
        }
        for path in &self.read {
            allow(&rules, path, READ_FILE | READ_DIR)?;
        }
        for path in self.write.iter().map(PathBuf::as_path).chain([Path::new("/dev/null")]) {
            allow(&rules, path, all & !EXECUTE)?;
        }
        Ok(rules)
    }
}

impl Within {
    /// What a git starts under that may have so many bytes of memory of its own: within the walls, if there are any, and in the
    /// groups of its run, or in the server's own.
    ///
    /// # Errors
    /// When a folder cannot be opened that is to be reached.
    pub(crate) async fn of(walls: Option<&Walls>, memory: Option<u64>) -> io::Result<Self> {
        let rules = match walls {
            Some(walls) => walls.usable_rules().await?,
            None => None,
        };
        let open = |doors: &Arc<Doors>| {
            doors().unwrap_or_else(|error| {
                tracing::warn!(%error, "a git works outside of the control groups that it is to be in");
                Vec::new()
            })
        };
        let (doors, of_all) = match walls.and_then(|walls| walls.doors.as_ref()) {
            Some(doors) => (open(doors), None),
            None => shared_group().map_or_else(Default::default, |group| (open(&group.doors), Some(group.memory))),
        };
        Ok(Self { rules, memory, of_all, doors, back: walls.is_some() })
    }

    pub(crate) fn bound(&self) -> Bound {
        let in_groups = !self.doors.is_empty();
        let of_all = self.of_all.filter(|_| in_groups);
        Bound { memory: self.memory.into_iter().chain(of_all).min(), in_groups }
    }

    /// Joins the control groups, goes within the walls and the bound of memory, and behind whoever answers members
    /// where processors are busy: what an agent left in its worktree may be much work, for many gits at once. For a
    /// process that is yet to become git; it makes system calls only.
    ///
    /// # Errors
    /// When the kernel refuses the walls.
    pub(crate) fn enter(&self) -> io::Result<()> {
        for door in &self.doors {
            // Whoever writes it.
            rustix::io::write(door, b"0")?;
        }
        if let Some(rules) = &self.rules {
            take_on(rules)?;
        }
        // It always may both.
        if self.back {
            let _ = rustix::process::nice(NICE);
        }
        if let Some(memory) = self.memory {
            let most = rustix::process::getrlimit(Resource::Data).maximum.map_or(memory, |most| most.min(memory));
            let _ = rustix::process::setrlimit(Resource::Data, Rlimit { current: Some(most), maximum: Some(most) });
        }
        Ok(())
    }
}

/// Where git is installed, when that is not in the system.
fn home_of_git() -> Option<&'static Path> {
    PROGRAM.parent().and_then(Path::parent).filter(|home| home.parent().is_some())
}

/// Whether git works within walls here: it makes a repository, and an object in it.
///
/// # Errors
/// When that cannot be found out now.
async fn usable() -> io::Result<bool> {
    if version() <= 0 {
        tracing::info!("this kernel has no Landlock: git in worktrees is kept within them by its own care alone");
        return Ok(false);
    }
    let Some(said) = try_out(true).await? else { return Ok(true) };
    if let Some(said) = try_out(false).await? {
        // Such as a full disk: that is not for the walls.
        return Err(io::Error::other(said));
    }
    tracing::warn!(said, "git does not work within walls, so it works in worktrees without them");
    Ok(false)
}

/// What git complains of, within walls or without, if it does.
async fn try_out(within: bool) -> io::Result<Option<String>> {
    let place = tempfile::Builder::new().prefix("guildhall-walls-").tempdir()?;
    let walls = Walls::of(Vec::new(), vec![place.path().to_owned()]);
    for arguments in [&["init", "--bare", "--quiet"][..], &["hash-object", "-w", "--stdin"]] {
        let mut call = Call::git();
        call.args(arguments).env("GIT_DIR", place.path());
        call.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        let rules = if within { Some(walls.rules()?) } else { None };
        let mut started = call.start(false, Within { rules, ..Within::default() }).await?;
        let mut said = Vec::new();
        // What it prints beside that is a line.
        started.errors.read_to_end(&mut said).await?;
        if !started.process.wait().await?.success() {
            return Ok(Some(String::from_utf8_lossy(&said).into_owned()));
        }
    }
    Ok(None)
}

/// The version of Landlock that the kernel speaks; 0 or less when it has none.
fn version() -> libc::c_long {
    let nothing = std::ptr::null::<u64>();
    #[expect(unsafe_code, reason = "there is no other way to ask")]
    // SAFETY: with this flag the kernel reads nothing.
    unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0usize, VERSION)
    }
}

fn create(handled: u64) -> io::Result<OwnedFd> {
    #[expect(unsafe_code, reason = "there is no other way to make one")]
    // SAFETY: the kernel reads eight bytes, and what it returns is a descriptor that nobody else has.
    unsafe {
        let fd = libc::syscall(libc::SYS_landlock_create_ruleset, &raw const handled, size_of::<u64>(), 0);
        let fd = RawFd::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

fn allow(rules: &OwnedFd, path: &Path, rights: u64) -> io::Result<()> {
    let place = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let folder = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&place)?.st_mode).is_dir();
    let allowed = if folder { rights } else { rights & OF_FILES };
    let rule = Rule { allowed, parent: place.as_raw_fd() };
    #[expect(unsafe_code, reason = "there is no other way to add one")]
    // SAFETY: the kernel reads the rule, which is laid out as it wants it.
    let added = unsafe { libc::syscall(libc::SYS_landlock_add_rule, rules.as_raw_fd(), BENEATH, &raw const rule, 0) };
    if added == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes the walls on for good. They hold for this process, and for whatever it starts.
fn take_on(rules: &OwnedFd) -> io::Result<()> {
    #[expect(unsafe_code, reason = "there is no other way to take them on")]
    // SAFETY: both calls take numbers.
    let taken = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) == 0
    };
    if taken { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_git_whose_own_child_was_killed_in_the_group_found_no_memory() {
        let complaint = "error: index-pack died of signal 9\nfatal: fetch-pack: invalid index-pack output\n";
        let met = |in_groups, code: i32, said: &str| {
            Bound { memory: Some(7), in_groups }.met(ExitStatus::from_raw(code << 8), said)
        };
        assert_eq!(met(true, 128, complaint), Some(7));
        assert_eq!(met(false, 128, complaint), None, "without a group nobody kills it for its memory");
        assert_eq!(met(true, 0, complaint), None);
        // What the other side tells of its own programs.
        assert_eq!(met(true, 128, "remote: error: pack-objects died of signal 9\n"), None);
        assert_eq!(met(true, 128, "error: index-pack died of signal 15\n"), None);
    }

    #[tokio::test]
    async fn what_lies_outside_of_the_walls_is_not_reached() {
        if version() <= 0 {
            return;
        }
        assert!(usable().await.unwrap());
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        for name in ["read", "write", "outside"] {
            std::fs::create_dir(at(name)).unwrap();
            std::fs::write(at(name).join("file"), name).unwrap();
            std::os::unix::fs::symlink(at("outside"), at(name).join("link")).unwrap();
        }
        let before = rustix::process::nice(0).unwrap();
        let walls = Walls::of(vec![at("read")], vec![at("write")]);
        let tries = async |line: &str| {
            let mut call = Call::of(Path::new("/bin/sh"));
            call.args(["-c", line]).env("PATH", "/usr/bin:/bin").folder = place.path().to_owned();
            let within = Within { rules: Some(walls.rules().unwrap()), back: true, ..Within::default() };
            let mut started = call.start(false, within).await.unwrap();
            started.process.wait().await.unwrap().success()
        };
        for line in ["cat read/file", "cat write/file", "echo x > write/new", "mkdir write/a && mv write/new write/a"] {
            assert!(tries(line).await, "{line}");
        }
        for line in
            ["cat outside/file", "cat read/link/file", "echo x > read/new", "echo x > write/link/new", "ls outside"]
        {
            assert!(!tries(line).await, "{line}");
        }
        assert!(!at("outside/new").exists() && !at("read/new").exists());
        // They are the command's alone.
        assert!(std::fs::read(at("outside/file")).is_ok());
        assert_eq!(rustix::process::nice(0).unwrap(), before);
    }
}
