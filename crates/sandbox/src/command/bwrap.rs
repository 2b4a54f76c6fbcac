//! The bubblewrap program, and the one place where its arguments are put together.

use std::ffi::{OsStr, OsString};
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::etc::Etc;
use super::launch::Launch;
use super::room::{Bound, GIT, HOME, OBJECTS, WORKSPACE};
use super::{Network, Room, SandboxError, Streams, seccomp};
use crate::caches::{self, CACHE};

/// The first version that can forbid further user namespaces.
pub(crate) const OLDEST: (u32, u32) = (0, 8);
/// Bytes of memory that each of the sandbox's own file systems may take.
const MAX_TMP: u64 = 512 * 1024 * 1024;
/// The same for `/dev/shm`.
const MAX_SHM: u64 = 256 * 1024 * 1024;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Folders beside `/usr`; on most hosts symbolic links into it.
const SYSTEM: &[&str] = &["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// Stands for the folder of the server in the environment of what is started beside commands. Only its place among bubblewrap's
/// arguments matters.
pub(crate) const SERVER: &str = "GUILDHALL_SERVER";

/// A bubblewrap that was tried out, and what of the host it binds.
#[derive(Debug)]
pub(crate) struct Bwrap {
    program: PathBuf,
    /// The folder by which what this server started is known after its death.
    server: Option<PathBuf>,
    links: Vec<(PathBuf, &'static str)>,
    system: Vec<PathBuf>,
    /// Shared with others of this host: a command may still be shown what an earlier one copied.
    etc: Arc<Etc>,
}

/// What it says about the sandbox while that runs: a pipe to be read without waiting.
#[derive(Debug)]
pub(crate) struct Status(pub(crate) OwnedFd);

impl Bwrap {
    /// Looks at what the host has. Blocks, briefly.
    pub(crate) fn new(program: PathBuf, server: Option<PathBuf>, etc: Arc<Etc>) -> Self {
        let mut links = Vec::new();
        let mut system = vec![PathBuf::from("/usr")];
        for &path in SYSTEM {
            match std::fs::read_link(path) {
                Ok(target) => links.push((target, path)),
                Err(_) if Path::new(path).is_dir() => system.push(path.into()),
                Err(_) => {}
            }
        }
        Self { program, server, links, system, etc }
    }

    /// What starts `line` in a sandbox that shows `room`.
    pub(crate) fn launch(&self, room: &Room, line: &str, streams: Streams) -> Result<(Launch, Status), SandboxError> {
        let bound = Bound::check(room)?;
        let (launch, status) = self.put_together(room, &bound, line, streams).map_err(SandboxError::starting)?;
        Ok((launch, status))
    }

    fn put_together(&self, room: &Room, bound: &Bound, line: &str, streams: Streams) -> io::Result<(Launch, Status)> {
        let mut arguments = Arguments::default();
        arguments.isolate(&room.network);
        // Whoever has a terminal of the server's own making leads its session already; a new one would have none.
        if !matches!(streams, Streams::Terminal(_)) {
            arguments.add(["--new-session"]);
        }
        let status = arguments.report()?;
        arguments.filter()?;
        self.file_systems(&mut arguments, bound, room.frozen)?;
        for (key, value) in environment(room, bound) {
            arguments.add(["--setenv".as_ref(), key.as_os_str(), value.as_os_str()]);
        }
        arguments.secrets(room)?;
        arguments.add(["--", "/bin/bash", "-c", line]);
        let Arguments { list, passed } = arguments;
        let net = room.network.net().cloned();
        let launch = Launch { args: list, passed, net, ..Launch::new(self.program.clone(), "/".into()) };
        Ok((launch, status))
    }

    /// What starts a process that has a network namespace of its own, says so by a byte, and ends when its input does.
    pub(crate) fn hold(&self) -> io::Result<(Launch, Status)> {
        let mut arguments = Arguments::default();
        arguments.add(["--unshare-user", "--uid", "1000", "--gid", "1000", "--unshare-net", "--die-with-parent"]);
        arguments.add(["--new-session", "--cap-drop", "ALL", "--clearenv"]);
        if let Some(server) = &self.server {
            // A command is known by the folders that are bound into it; this has none.
            arguments.add(["--setenv".as_ref(), SERVER.as_ref(), server.as_os_str()]);
        }
        let status = arguments.report()?;
        self.programs(&mut arguments)?;
        arguments.add(["--", "/bin/bash", "-c", "echo; read -r _"]);
        let Arguments { list, passed } = arguments;
        Ok((Launch { args: list, passed, ..Launch::new(self.program.clone(), "/".into()) }, status))
    }

    /// The folder of the server, as an environment variable of a command that is none of a member's.
    pub(crate) fn mark(&self) -> Option<(String, String)> {
        Some((SERVER.to_owned(), self.server.as_ref()?.to_str()?.to_owned()))
    }

    /// The host's programs and what they need.
    fn programs(&self, arguments: &mut Arguments) -> io::Result<()> {
        for path in &self.system {
            arguments.bind("--ro-bind", path, path);
        }
        arguments.bind("--ro-bind", &self.etc.folder()?, Path::new("/etc"));
        for (target, path) in &self.links {
            arguments.add(["--symlink".as_ref(), target.as_os_str(), path.as_ref()]);
        }
        Ok(())
    }

    /// What the sandbox shows. No mount has its destination below anything that an agent can write: there, a symbolic
    /// link that an agent left would lead the mount out (CVE-2026-87766). All that an agent can write is mounted new at
    /// each start, or bound at a place of its own.
    fn file_systems(&self, arguments: &mut Arguments, bound: &Bound, frozen: bool) -> io::Result<()> {
        for folder in ["/home", "/run", "/var"] {
            arguments.add(["--dir", folder]);
        }
        self.programs(arguments)?;
        // A server that runs as root may write to files of /proc that belong to root, even without a capability.
        arguments.add(["--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev"]);
        arguments.tmpfs("/dev/shm", MAX_SHM, "1777");
        arguments.add(["--remount-ro", "/dev"]);
        arguments.tmpfs("/tmp", MAX_TMP, "1777");
        arguments.tmpfs(HOME, MAX_TMP, "0755");
        arguments.add(["--symlink", "../tmp", "/var/tmp"]);
        for path in &bound.read_only {
            arguments.bind("--ro-bind", path, path);
        }
        if let Some(objects) = &bound.objects {
            arguments.bind("--ro-bind", objects, Path::new(OBJECTS));
        }
        let bind = if frozen { "--ro-bind" } else { "--bind" };
        if let Some(git) = &bound.git {
            arguments.bind(bind, git, Path::new(GIT));
        }
        if let Some(cache) = &bound.cache {
            caches::prepare(cache);
            arguments.bind("--bind", cache, Path::new(CACHE));
            // The home is new: there is nothing in it yet that could lead these elsewhere.
            for (link, kept) in caches::links(Path::new(CACHE), Path::new(HOME)) {
                arguments.bind("--symlink", &kept, &link);
            }
        }
        arguments.bind(bind, &bound.tree, Path::new(WORKSPACE));
        arguments.add(["--remount-ro", "/", "--chdir", WORKSPACE]);
        Ok(())
    }
}

/// Arguments, and the descriptors that they speak of.
#[derive(Debug, Default)]
struct Arguments {
    list: Vec<OsString>,
    passed: Vec<OwnedFd>,
}

impl Arguments {
    fn add<S: AsRef<OsStr>>(&mut self, words: impl IntoIterator<Item = S>) {
        self.list.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
    }

    fn isolate(&mut self, network: &Network) {
        self.add(["--unshare-user", "--disable-userns", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]);
        self.add(["--unshare-cgroup", "--die-with-parent", "--cap-drop", "ALL", "--clearenv"]);
        self.add(["--uid", "1000", "--gid", "1000", "--hostname", "sandbox"]);
        match network {
            Network::None => self.add(["--unshare-net"]),
            // Joined before bubblewrap starts, which then is not to leave it.
            Network::Of(_) => {}
        }
    }

    fn pass(&mut self, option: &str, fd: OwnedFd) {
        let number = fd.as_raw_fd().to_string();
        self.add([option, &number]);
        self.passed.push(fd);
    }

    fn report(&mut self) -> io::Result<Status> {
        let (reader, writer) = io::pipe()?;
        self.pass("--json-status-fd", OwnedFd::from(writer));
        rustix::io::ioctl_fionbio(&reader, true)?;
        Ok(Status(OwnedFd::from(reader)))
    }

    fn filter(&mut self) -> io::Result<()> {
        self.pass("--seccomp", in_memory("filter", seccomp::program()?)?);
        Ok(())
    }

    /// Environment variables that must not stand among the arguments, which everybody on the host can read.
    fn secrets(&mut self, room: &Room) -> io::Result<()> {
        let mut words = Zeroizing::new(Vec::new());
        for (key, value) in room.secrets.env(&room.given) {
            for word in ["--setenv", key, value] {
                words.extend_from_slice(word.as_bytes());
                words.push(0);
            }
        }
        if !words.is_empty() {
            self.pass("--args", in_memory("secrets", &words)?);
        }
        Ok(())
    }

    fn bind(&mut self, option: &str, from: &Path, to: &Path) {
        self.add([option.as_ref(), from.as_os_str(), to.as_os_str()]);
    }

    fn tmpfs(&mut self, path: &str, size: u64, mode: &str) {
        self.add(["--perms", mode, "--size", &size.to_string(), "--tmpfs", path]);
    }
}

fn in_memory(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = std::fs::File::from(rustix::fs::memfd_create(name, rustix::fs::MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

/// The whole environment of a command.
fn environment(room: &Room, bound: &Bound) -> Vec<(OsString, OsString)> {
    let path = search_path(&room.path, OsStr::new(PATH));
    let mut all = vec![("PATH".into(), path), ("HOME".into(), HOME.into()), ("USER".into(), "agent".into())];
    all.extend(usual());
    if bound.cache.is_some() {
        let kept = caches::environment(Path::new(CACHE), Some(Path::new(HOME)));
        all.extend(kept.into_iter().map(|(key, value)| (key.into(), value.into())));
    }
    all.extend(room.env.iter().map(|(key, value)| (key.into(), value.into())));
    all
}

/// Where programs are looked for: in these folders, then where they are usually.
pub(crate) fn search_path(first: &[PathBuf], usual: &OsStr) -> OsString {
    let mut path = OsString::new();
    for folder in first {
        path.push(folder);
        path.push(":");
    }
    path.push(usual);
    path
}

/// What every command finds, sandboxed or not: plain output, and a git that asks nothing and obeys no host's settings.
pub(crate) fn usual() -> impl Iterator<Item = (OsString, OsString)> {
    [
        // How characters are written is all that programs need of a locale; of `LANG` each would open eleven more files.
        ("LC_CTYPE", "C.UTF-8"),
        ("TERM", "dumb"),
        ("PAGER", "cat"),
        ("GIT_PAGER", "cat"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_COUNT", "3"),
        ("GIT_CONFIG_KEY_0", "safe.directory"),
        ("GIT_CONFIG_VALUE_0", "*"),
        ("GIT_CONFIG_KEY_1", "user.name"),
        ("GIT_CONFIG_VALUE_1", "Agent"),
        ("GIT_CONFIG_KEY_2", "user.email"),
        ("GIT_CONFIG_VALUE_2", "agent@localhost"),
    ]
    .into_iter()
    .map(|(key, value)| (key.into(), value.into()))
}

/// The bubblewrap on the server's `PATH`. A relative folder there is passed over.
pub(crate) fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("bwrap"))
        .find(|file| file.is_file())
}

/// Its version, or why it has none.
pub(crate) async fn version(program: &Path) -> Result<(String, (u32, u32)), String> {
    let mut command = tokio::process::Command::new(program);
    command.arg("--version").env_clear().stdin(std::process::Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(10), command.output()).await;
    let output =
        output.map_err(|_| "it did not answer in 10 seconds".to_owned())?.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let word = text.split_whitespace().last().unwrap_or_default();
    let mut numbers = word.split('.').map_while(|part| part.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) => Ok((word.to_owned(), (major, minor))),
        _ => Err(format!("it does not tell its version, but {:?}", text.chars().take(100).collect::<String>())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_mount_lies_below_what_an_agent_can_write() {
        let place = tempfile::tempdir().unwrap();
        let at = place.path().canonicalize().unwrap();
        let part = |name: &str| {
            std::fs::create_dir(at.join(name)).unwrap();
            at.join(name)
        };
        let room = Room {
            git: Some(part("git")),
            objects: Some(part("objects")),
            cache: Some(part("cache")),
            ..Room::new(part("tree"))
        };
        let (launch, _status) = Bwrap::new("/usr/bin/bwrap".into(), None, Arc::new(Etc::of(Path::new("/etc"))))
            .launch(&room, "true", Streams::Merged)
            .unwrap();
        let words: Vec<&str> = launch.args.iter().map(|word| word.to_str().unwrap()).collect();
        let mut destinations = Vec::new();
        for (at, word) in words.iter().enumerate() {
            match *word {
                "--tmpfs" | "--proc" | "--dev" | "--dir" => destinations.push(words[at + 1]),
                // No mount, and in a home that is new: an agent has put nothing there yet.
                "--symlink" if words[at + 2].starts_with(HOME) => {
                    assert!(words[..at].contains(&HOME), "before the home is there");
                }
                "--bind" | "--ro-bind" | "--file" | "--symlink" => destinations.push(words[at + 2]),
                "--" => break,
                _ => {}
            }
        }
        for writable in [WORKSPACE, GIT, CACHE, HOME, "/tmp", "/dev/shm"] {
            assert!(destinations.contains(&writable), "{writable}");
            for destination in &destinations {
                let below = Path::new(destination).starts_with(writable) && *destination != writable;
                assert!(!below, "{destination} lies below {writable}");
            }
        }
        assert!(!words.iter().any(|word| word.ends_with("-try") || *word == "--share-net"), "{words:?}");
    }
}
