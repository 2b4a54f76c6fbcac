//! What tools keep between commands: a folder of the server's, in which everything is the agents'. It appears at one place of
//! its own. The host looks into it only to see how large it is, and follows nothing that is in it.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// Where it appears.
pub(crate) const CACHE: &str = "/run/cache";

/// Entries that are looked at in one folder of a tool at most, so that no agent keeps the host busy without end.
const ENTRIES: u64 = 2_000_000;
/// Folders within each other that are gone into at most.
const DEPTH: usize = 200;

/// How tools are told of it: the variable, and the folder below it. What a tool fetches or builds is here. No folder of it is
/// where programs or settings are looked for; but all tools build what they keep. So whoever may write a cache has a say in what
/// later commands with it do, which is why members have their own.
const TOOLS: &[(&str, &str)] = &[
    ("npm_config_cache", "npm"),
    ("npm_config_store_dir", "pnpm"),
    ("YARN_CACHE_FOLDER", "yarn"),
    ("BUN_INSTALL_CACHE_DIR", "bun"),
    ("DENO_DIR", "deno"),
    ("PIP_CACHE_DIR", "pip"),
    ("UV_CACHE_DIR", "uv"),
    ("POETRY_CACHE_DIR", "poetry"),
    ("GOMODCACHE", "go-mod"),
    ("GOCACHE", "go-build"),
    ("BUNDLE_USER_CACHE", "bundle"),
    ("COMPOSER_CACHE_DIR", "composer"),
    ("NUGET_PACKAGES", "nuget"),
    ("CCACHE_DIR", "ccache"),
    ("SCCACHE_DIR", "sccache"),
];

/// A tool that keeps what it fetches where it looks for settings and for programs of its own as well. Its folder is in the home of
/// a command, which is new each time; what is to be kept is a link in it.
struct Home {
    key: &'static str,
    /// Below the home.
    folder: &'static str,
    /// Below the cache.
    cache: &'static str,
    /// Folders of it that are kept.
    kept: &'static [&'static str],
    /// Files by which those who work with these folders at once wait for each other.
    locks: &'static [&'static str],
}

const HOMES: &[Home] = &[
    Home {
        key: "CARGO_HOME",
        folder: ".cargo",
        cache: "cargo",
        kept: &["registry", "git"],
        locks: &[".package-cache", ".package-cache-mutate"],
    },
    Home {
        key: "GRADLE_USER_HOME",
        folder: ".gradle",
        cache: "gradle",
        kept: &["caches", "wrapper", "jdks"],
        locks: &[],
    },
];

/// Where Maven keeps what it fetches, beside its settings: below the home, and below the cache. Since 3.9 it is told by a variable
/// as well, which earlier ones do not read.
const MAVEN: (&str, &str) = (".m2/repository", "maven");

/// Settings that would else be looked for in a cache, below the home. Nothing is there.
const SETTINGS: &[(&str, &str)] = &[("CCACHE_CONFIGPATH", ".ccache.conf")];

/// What a command finds of it in its environment, where it appears at `at`. With a home of the command's own, no tool looks for
/// settings in it.
pub(crate) fn environment(at: &Path, home: Option<&Path>) -> Vec<(String, String)> {
    let shown = |path: PathBuf| path.display().to_string();
    let mut all: Vec<(String, String)> =
        TOOLS.iter().map(|(key, folder)| ((*key).to_owned(), shown(at.join(folder)))).collect();
    for tool in HOMES {
        let folder = home.map_or_else(|| at.join(tool.cache), |home| home.join(tool.folder));
        all.push((tool.key.to_owned(), shown(folder)));
    }
    for (key, file) in SETTINGS {
        all.extend(home.map(|home| ((*key).to_owned(), shown(home.join(file)))));
    }
    all.push(("MAVEN_ARGS".to_owned(), format!("-Dmaven.repo.local={}", shown(at.join(MAVEN.1)))));
    // Or Go makes its modules such that not even their owner can take them away.
    all.push(("GOFLAGS".to_owned(), "-modcacherw".to_owned()));
    // Or Poetry keeps the environments in which it runs things in its cache, under a name that is the same for all runs.
    all.push(("POETRY_VIRTUALENVS_IN_PROJECT".to_owned(), "true".to_owned()));
    all
}

/// The folders that tools have in `home`, and the links in them to what is kept at `at`.
pub(crate) fn links(at: &Path, home: &Path) -> impl Iterator<Item = (PathBuf, PathBuf)> {
    let homes = HOMES.iter().flat_map(move |tool| {
        let (from, to) = (home.join(tool.folder), at.join(tool.cache));
        tool.kept.iter().chain(tool.locks).map(move |name| (from.join(name), to.join(name)))
    });
    homes.chain([(home.join(MAVEN.0), at.join(MAVEN.1))])
}

/// Makes the folders in a cache to which links lead: through a link to nothing, no tool would make them. Whatever an agent put in
/// their place stays, and nothing of it is followed. Blocks, briefly.
pub(crate) fn prepare(cache: &Path) {
    let Ok(Some(cache)) = opened(cache) else { return };
    let _ = rustix::fs::mkdirat(&cache, MAVEN.1, Mode::RWXU);
    for tool in HOMES {
        let _ = rustix::fs::mkdirat(&cache, tool.cache, Mode::RWXU);
        let Ok(folder) = rustix::fs::openat(&cache, tool.cache, FOLDER, Mode::empty()) else { continue };
        for name in tool.kept {
            let _ = rustix::fs::mkdirat(&folder, *name, Mode::RWXU);
        }
    }
}

/// What one tool keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cached {
    /// Its folder.
    pub path: PathBuf,
    /// Bytes on the disk.
    pub bytes: u64,
    /// When something in it last changed.
    pub changed: SystemTime,
    /// Whether these were all bytes: nothing in it was closed, or too deep.
    pub whole: bool,
}

/// What is in a folder that appears as a cache, one entry for each tool. Blocks.
///
/// # Errors
/// When the folder cannot be read. One that is not there holds nothing.
pub fn cached(folder: &Path) -> io::Result<Vec<Cached>> {
    let Some(dir) = opened(folder)? else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for entry in Dir::read_from(&dir)? {
        let entry = entry?;
        if matches!(entry.file_name().to_bytes(), b"." | b"..") {
            continue;
        }
        let mut sum = Sum::until(u64::MAX);
        sum.add(dir.as_fd(), entry.file_name(), 0);
        all.push(Cached {
            path: folder.join(OsStr::from_bytes(entry.file_name().to_bytes())),
            bytes: sum.bytes,
            changed: SystemTime::UNIX_EPOCH + Duration::from_secs(sum.changed),
            whole: sum.whole,
        });
    }
    all.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(all)
}

/// What something takes of a disk, with all that is in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// Bytes.
    pub bytes: u64,
    /// Files and folders.
    pub files: u64,
    /// When one of them last changed, in seconds since 1970.
    pub changed: u64,
}

/// What whatever is at `path` takes, links not followed; nothing where nothing is, or where it cannot be looked at. Blocks.
pub fn measured(path: &Path) -> Extent {
    sum(path, u64::MAX)
}

/// The same as of `now`: whoever works in it can give a file any time, and what is yet to come tells of no change.
/// Blocks.
pub fn measured_at(path: &Path, now: SystemTime) -> Extent {
    sum(path, now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs())
}

fn sum(path: &Path, until: u64) -> Extent {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Extent::default() };
    let Ok(name) = CString::new(name.as_bytes()) else { return Extent::default() };
    let Ok(parent) = rustix::fs::openat(CWD, parent, FOLDER, Mode::empty()) else { return Extent::default() };
    let mut sum = Sum::until(until);
    sum.add(parent.as_fd(), &name, 0);
    Extent { bytes: sum.bytes, files: ENTRIES - sum.left, changed: sum.changed }
}

/// A folder itself, not what a symbolic link in its place leads to.
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a folder that appears as a cache, though its mode forbid it: agents can change that. None where there is none.
fn opened(folder: &Path) -> io::Result<Option<OwnedFd>> {
    let whole = Mode::RWXU;
    let handle = match rustix::fs::openat(CWD, folder, FOLDER | OFlags::PATH, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        handle => handle?,
    };
    if !Mode::from_raw_mode(rustix::fs::fstat(&handle)?.st_mode).contains(whole) {
        // A handle of this kind has no mode to change; the path of the handle leads to the very same folder.
        rustix::fs::chmod(format!("/proc/self/fd/{}", handle.as_raw_fd()), whole)?;
    }
    Ok(Some(rustix::fs::openat(&handle, c".", FOLDER, Mode::empty())?))
}

struct Sum {
    bytes: u64,
    changed: u64,
    /// What changed later than that tells of no change.
    until: u64,
    left: u64,
    whole: bool,
}

impl Sum {
    fn until(until: u64) -> Self {
        Self { bytes: 0, changed: 0, until, left: ENTRIES, whole: true }
    }

    /// Adds an entry with everything below it. What cannot be looked at counts nothing.
    fn add(&mut self, parent: BorrowedFd<'_>, name: &CStr, depth: usize) {
        if let Err(error) = self.try_add(parent, name, depth)
            && error != Errno::NOENT
        {
            self.whole = false;
        }
    }

    fn try_add(&mut self, parent: BorrowedFd<'_>, name: &CStr, depth: usize) -> rustix::io::Result<()> {
        let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        self.bytes += u64::try_from(stat.st_blocks).unwrap_or_default() * 512;
        let changed = u64::try_from(stat.st_mtime).unwrap_or_default();
        if changed <= self.until {
            self.changed = self.changed.max(changed);
        }
        self.left = self.left.saturating_sub(1);
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return Ok(());
        }
        if depth >= DEPTH {
            return Err(Errno::NAMETOOLONG);
        }
        let dir = rustix::fs::openat(parent, name, FOLDER, Mode::empty())?;
        for entry in Dir::read_from(&dir)? {
            let entry = entry?;
            if self.left == 0 {
                break;
            }
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                self.add(dir.as_fd(), entry.file_name(), depth + 1);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn no_secret_takes_the_place_of_what_tools_are_told() {
        for (key, _) in environment(Path::new(CACHE), Some(Path::new("/home/agent"))) {
            assert!(guildhall_types::secret::name_fault(&key).is_some(), "{key}");
        }
    }

    #[test]
    fn no_tool_looks_for_settings_in_a_cache_and_nothing_that_is_left_in_one_is_followed() {
        let all = environment(Path::new(CACHE), Some(Path::new("/home/agent")));
        let of = |key: &str| all.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        for key in ["CARGO_HOME", "GRADLE_USER_HOME", "CCACHE_CONFIGPATH"] {
            assert!(of(key).is_some_and(|at| at.starts_with("/home/agent/.")), "{key}: {:?}", of(key));
        }
        assert_eq!(of("POETRY_VIRTUALENVS_IN_PROJECT"), Some("true"));

        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir_all(at("cache/cargo")).unwrap();
        fs::create_dir(at("outside")).unwrap();
        symlink("../outside", at("cache/gradle")).unwrap();
        symlink("../../outside", at("cache/cargo/git")).unwrap();
        prepare(&at("cache"));
        prepare(&at("absent"));
        assert!(at("cache/cargo/registry").is_dir() && at("cache/maven").is_dir() && !at("absent").exists());
        let (link, kept) = links(Path::new(CACHE), Path::new("/home/agent")).last().unwrap();
        assert_eq!((link.to_str(), kept.to_str()), (Some("/home/agent/.m2/repository"), Some("/run/cache/maven")));
        assert_eq!(fs::read_dir(at("outside")).unwrap().count(), 0);
    }

    #[test]
    fn what_agents_leave_is_counted_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let at = place.path();
        fs::create_dir_all(at.join("cache/cargo/deep")).unwrap();
        fs::create_dir_all(at.join("cache/go-mod/locked")).unwrap();
        fs::create_dir_all(at.join("outside")).unwrap();
        fs::write(at.join("outside/kept"), vec![1; 100_000]).unwrap();
        fs::write(at.join("cache/cargo/deep/crate"), vec![1; 50_000]).unwrap();
        fs::write(at.join("cache/go-mod/locked/module"), "x").unwrap();
        symlink("../../outside", at.join("cache/cargo/link")).unwrap();
        symlink(at.join("outside"), at.join("cache/way")).unwrap();
        fs::set_permissions(at.join("cache/go-mod/locked"), fs::Permissions::from_mode(0o000)).unwrap();

        let found = cached(&at.join("cache")).unwrap();
        let names: Vec<_> = found.iter().map(|tool| tool.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["cargo", "go-mod", "way"]);
        assert!((50_000..90_000).contains(&found[0].bytes), "{found:?}");
        assert!(found[2].bytes < 8_192, "a link is not followed: {found:?}");
        assert!(found[0].changed > SystemTime::UNIX_EPOCH);
        let all: u64 = found.iter().map(|tool| tool.bytes).sum();
        let now = SystemTime::now();
        let measured = |path: &str| measured_at(&at.join(path), now);
        assert!((all..all + 65_536).contains(&measured("cache").bytes));
        // Whoever works in it can say of a file that it changes in a year, and of its folder.
        let changed = measured("cache").changed;
        for path in ["cache/cargo/deep/crate", "cache/cargo/deep"] {
            fs::File::open(at.join(path)).unwrap().set_modified(now + Duration::from_secs(365 * 86_400)).unwrap();
        }
        assert_eq!(measured("cache").changed, changed);
        // The folder itself, two tools with what is in them, and the link.
        assert!((8..=9).contains(&measured("cache").files), "who may look anywhere counts one more");
        assert_eq!(measured("absent"), Extent::default());
        assert_eq!(measured("absent/cache"), Extent::default());
        assert_eq!(cached(&at.join("absent")).unwrap(), []);
        assert!(cached(&at.join("cache/way")).is_err(), "a link in its place");

        assert!(found[0].whole, "{found:?}");
        fs::create_dir_all(at.join("cache/cargo").join("d/".repeat(300))).unwrap();
        fs::set_permissions(at.join("cache"), fs::Permissions::from_mode(0o000)).unwrap();
        let found = cached(&at.join("cache")).unwrap();
        let whole: Vec<_> = found.iter().map(|tool| tool.whole).collect();
        // Root may look into what is closed.
        let root = rustix::process::geteuid().is_root();
        assert_eq!(whole, [false, root, true], "what is too deep or closed is not counted, and says so");
        fs::set_permissions(at.join("cache/go-mod/locked"), fs::Permissions::from_mode(0o700)).unwrap();
    }
}
