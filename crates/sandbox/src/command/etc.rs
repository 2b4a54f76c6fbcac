//! The `/etc` that commands see: a copy of what tools need of the host's, so that one mount shows all of it. A mount for each
//! file made the start of a command half as long again.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use tempfile::TempDir;

/// What tools need and what holds no secret: how libraries and programs are found, certificates, names, time.
const SHOWN: &[&str] = &[
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "debian_version",
    "fonts",
    "gai.conf",
    "host.conf",
    "inputrc",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "localtime",
    "lsb-release",
    "magic",
    "maven/logging",
    "maven/m2.conf",
    "maven/toolchains.xml",
    "mime.types",
    "os-release",
    "perl",
    "pki/ca-trust",
    "pki/tls/certs",
    "pki/tls/cert.pem",
    "protocols",
    "services",
    "ssl/cert.pem",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
];
/// The same by the beginning of the name: `/etc/java-17-openjdk` and the like.
const FAMILIES: &[&str] = &["java", "python3"];

/// What PHP reads below the folder of a version, where it runs in commands; servers' pools have secrets in theirs.
const PHP: &[&str] = &["cli/conf.d", "cli/php.ini", "mods-available"];
/// What is shown of its settings, and what all begins so that is: extensions have keys of licences and passwords in theirs.
const PHP_KEYS: &[&str] = &[
    "date.timezone",
    "default_charset",
    "display_errors",
    "display_startup_errors",
    "error_reporting",
    "extension",
    "log_errors",
    "max_execution_time",
    "memory_limit",
    "request_order",
    "short_open_tag",
    "variables_order",
    "zend.assertions",
    "zend_extension",
];
const PHP_FAMILIES: &[&str] = &["opcache.", "pcov.", "phar.", "xdebug."];

/// Files that say what is true in the sandbox, not on the host.
const WRITTEN: &[(&str, &str)] = &[
    (
        "passwd",
        "root:x:0:0:root:/root:/usr/sbin/nologin\nagent:x:1000:1000:agent:/home/agent:/bin/bash\n\
         nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
    ("group", "root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n"),
    ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nprotocols: files\nservices: files\n"),
    ("hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n"),
];

/// How the folders of copies are called.
const PREFIX: &str = "guildhall-etc-";
/// How long a look at the host's files holds: there are some sixty, and commands start in droves.
const FRESH: Duration = Duration::from_secs(1);
/// Where they are made if there is such a place: a copy has some hundred links and small files, and a disk takes its time for each.
const IN_MEMORY: &str = "/dev/shm";

/// Copies of a host's `/etc`, made anew when that has changed.
#[derive(Debug)]
pub(super) struct Etc {
    from: PathBuf,
    /// How long a look at it holds.
    fresh: Duration,
    made: Mutex<Made>,
}

#[derive(Debug, Default)]
struct Made {
    /// The last one is what is shown. The others may still be mounted.
    copies: Vec<Copied>,
    /// When the host's files were as the last one is.
    looked: Option<Instant>,
}

#[derive(Debug)]
struct Copied {
    folder: TempDir,
    /// What the host's files were like.
    marks: Vec<Mark>,
    /// A lock, by which others see that the folder is in use: other servers, and what cleans `/tmp`.
    _held: File,
}

/// By what a file or folder is told from a later one in its place.
type Mark = (PathBuf, u64, i64, i64);

impl Etc {
    /// Of this host's.
    pub(super) fn of(from: &Path) -> Self {
        Self { from: from.to_owned(), fresh: FRESH, made: Mutex::default() }
    }

    /// A folder that holds what commands are shown of it as it is now, or was a moment ago. Blocks, briefly when there is a copy.
    ///
    /// # Errors
    /// When no copy can be made.
    pub(super) fn folder(&self) -> io::Result<PathBuf> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let Made { copies, looked } = &mut *made;
        let last = copies.last().filter(|copy| copy.folder.path().is_dir());
        if let Some(copy) = last.filter(|_| looked.is_some_and(|looked| looked.elapsed() < self.fresh)) {
            return Ok(copy.folder.path().to_owned());
        }
        let (now, marks) = (Instant::now(), self.marks());
        let folder = match last.filter(|copy| copy.marks == marks) {
            Some(copy) => copy.folder.path().to_owned(),
            None => {
                let copy = self.copy(marks)?;
                let folder = copy.folder.path().to_owned();
                copies.push(copy);
                folder
            }
        };
        *looked = Some(now);
        Ok(folder)
    }

    /// What there is to be shown: its name.
    fn names(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.from).into_iter().flatten().flatten().map(|entry| entry.file_name());
        let of_family = |name: &str| FAMILIES.iter().any(|family| name.starts_with(family));
        let families = entries.filter_map(|name| Some(PathBuf::from(name.to_str().filter(|name| of_family(name))?)));
        let versions = fs::read_dir(self.from.join("php")).into_iter().flatten().flatten();
        let php = versions
            .flat_map(|version| PHP.iter().map(move |name| Path::new("php").join(version.file_name()).join(name)));
        let mut names: Vec<PathBuf> = SHOWN.iter().map(PathBuf::from).chain(families).chain(php).collect();
        names.sort();
        names
    }

    fn marks(&self) -> Vec<Mark> {
        let mark = |name: PathBuf| {
            let meta = fs::metadata(self.from.join(&name)).ok()?;
            Some((name, meta.ino(), meta.mtime(), meta.mtime_nsec()))
        };
        self.names().into_iter().filter_map(mark).collect()
    }

    fn copy(&self, marks: Vec<Mark>) -> io::Result<Copied> {
        let (memory, disk) = (Path::new(IN_MEMORY), std::env::temp_dir());
        sweep(memory);
        sweep(&disk);
        // There may be no such place, or little room in it.
        self.copy_to(memory, marks.clone()).or_else(|_| self.copy_to(&disk, marks))
    }

    fn copy_to(&self, place: &Path, marks: Vec<Mark>) -> io::Result<Copied> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(place)?;
        let held = File::open(folder.path())?;
        rustix::fs::flock(&held, FlockOperation::NonBlockingLockShared)?;
        for (name, ..) in &marks {
            let to = folder.path().join(name);
            if let Some(above) = to.parent() {
                fs::create_dir_all(above)?;
            }
            top(&self.from.join(name), &to)?;
        }
        for (name, text) in WRITTEN {
            fs::write(folder.path().join(name), text)?;
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o644))?;
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        Ok(Copied { folder, marks, _held: held })
    }
}

/// Copies what is listed. A link out of what commands see would lead nowhere there, so what it leads to is copied.
fn top(from: &Path, to: &Path) -> io::Result<()> {
    let real = from.canonicalize()?;
    if from.symlink_metadata()?.is_symlink() && real.starts_with("/usr") {
        return symlink(&real, to);
    }
    entry(&real, &fs::metadata(&real)?, to)
}

/// Copies a file, a folder with all that is in it, or a link. What the server may not read, commands could not either.
fn entry(from: &Path, meta: &Metadata, to: &Path) -> io::Result<()> {
    let kind = meta.file_type();
    if kind.is_symlink() {
        symlink(fs::read_link(from)?, to)
    } else if kind.is_dir() {
        let entries = match fs::read_dir(from) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
            entries => entries?,
        };
        fs::create_dir(to)?;
        for found in entries {
            let found = found?;
            entry(&found.path(), &found.metadata()?, &to.join(found.file_name()))?;
        }
        Ok(())
    } else if kind.is_file() && is_of_php(to) {
        match fs::read(from) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            read => fs::write(to, settings_of_php(&String::from_utf8_lossy(&read?))),
        }
    } else if kind.is_file() {
        match fs::copy(from, to) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            copied => copied.map(drop),
        }
    } else {
        Ok(())
    }
}

fn is_of_php(to: &Path) -> bool {
    to.extension().is_some_and(|ending| ending == "ini") && to.components().any(|part| part.as_os_str() == "php")
}

/// What is shown of a file of PHP's settings.
fn settings_of_php(text: &str) -> String {
    let shown = |line: &&str| {
        let key = line.split_once('=').map(|(key, _)| key.trim()).unwrap_or_default();
        PHP_KEYS.contains(&key) || PHP_FAMILIES.iter().any(|family| key.starts_with(family))
    };
    text.lines().filter(shown).flat_map(|line| [line, "\n"]).collect()
}

/// A link of a program below `/usr` that leads to something of this host's `/etc` that commands are not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unshown {
    /// The program, by the name under which it is called.
    pub program: String,
    /// The link.
    pub link: PathBuf,
    /// Where it leads.
    pub to: PathBuf,
}

/// What programs of this host will miss in commands: of each that lies in a folder of its own below `/usr/share` or `/usr/lib`,
/// such a link in there, if it has one. Blocks, for some ten milliseconds.
pub fn unshown() -> Vec<Unshown> {
    unshown_in(Path::new("/usr"), Path::new("/etc"))
}

fn unshown_in(usr: &Path, etc: &Path) -> Vec<Unshown> {
    let names = Etc::of(etc).names();
    let shown = |below: &Path| names.iter().any(|name| below.starts_with(name) || name.starts_with(below));
    let homes = [usr.join("share"), usr.join("lib")];
    let mut known = BTreeSet::new();
    let mut all = Vec::new();
    for found in fs::read_dir(usr.join("bin")).into_iter().flatten().flatten() {
        let Ok(real) = found.path().canonicalize() else { continue };
        let home = homes.iter().find_map(|home| {
            let name = real.strip_prefix(home).ok()?.components().next()?;
            Some(home.join(name)).filter(|home| home.is_dir())
        });
        let Some(home) = home.filter(|home| known.insert(home.clone())) else { continue };
        let leads = |link: PathBuf| {
            let to = link.parent()?.join(fs::read_link(&link).ok()?);
            let missed = to.strip_prefix(etc).is_ok_and(|below| !shown(below)) && to.exists();
            missed.then_some((link, to))
        };
        if let Some((link, to)) = links_in(&home, 2).into_iter().find_map(leads) {
            all.push(Unshown { program: found.file_name().to_string_lossy().into_owned(), link, to });
        }
    }
    all.sort_by(|one, other| one.program.cmp(&other.program));
    all
}

/// The links in a folder, and in folders so deep in it.
fn links_in(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for found in fs::read_dir(folder).into_iter().flatten().flatten() {
        match found.file_type() {
            Ok(kind) if kind.is_symlink() => all.push(found.path()),
            Ok(kind) if kind.is_dir() && depth > 0 => all.extend(links_in(&found.path(), depth - 1)),
            _ => {}
        }
    }
    all
}

/// Removes copies that a server left behind which was killed.
fn sweep(place: &Path) {
    for found in fs::read_dir(place).into_iter().flatten().flatten() {
        let ours = found.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let owner = found.metadata().map(|meta| meta.uid());
        if !ours || owner.ok() != Some(rustix::process::geteuid().as_raw()) {
            continue;
        }
        let Ok(folder) = File::open(found.path()) else { continue };
        // One that is just being made is not locked yet, and empty.
        let full = fs::read_dir(found.path()).is_ok_and(|mut entries| entries.next().is_some());
        if full && rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = fs::remove_dir_all(found.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tools_need_is_shown_as_it_is_now_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let host = place.path().join("etc");
        fs::create_dir_all(host.join("ssl/certs")).unwrap();
        fs::create_dir_all(host.join("ssl/private")).unwrap();
        fs::create_dir_all(host.join("python3.11")).unwrap();
        for (name, text) in [
            ("shadow", "secret"),
            ("ssl/private/key.pem", "secret"),
            ("ssl/certs/one.pem", "one"),
            ("python3.11/site.cfg", "cfg"),
            ("passwd", "the host's"),
            ("elsewhere", "moved"),
        ] {
            fs::write(host.join(name), text).unwrap();
        }
        symlink("one.pem", host.join("ssl/certs/hash.0")).unwrap();
        symlink("elsewhere", host.join("mime.types")).unwrap();
        symlink("/usr/bin/env", host.join("localtime")).unwrap();
        let etc = Etc { fresh: Duration::ZERO, ..Etc::of(&host) };
        let shown = etc.folder().unwrap();
        let read = |name: &str| fs::read_to_string(shown.join(name)).ok();
        assert_eq!(read("ssl/certs/hash.0").as_deref(), Some("one"));
        assert_eq!(fs::read_link(shown.join("ssl/certs/hash.0")).unwrap(), Path::new("one.pem"));
        assert_eq!(read("python3.11/site.cfg").as_deref(), Some("cfg"));
        assert_eq!(read("mime.types").as_deref(), Some("moved"), "a link to what is not shown");
        assert!(fs::read_link(shown.join("localtime")).unwrap().starts_with("/usr"));
        assert!(read("passwd").unwrap().contains("agent"));
        assert_eq!((read("shadow"), read("ssl/private/key.pem"), read("elsewhere")), (None, None, None));

        assert_eq!(etc.folder().unwrap(), shown, "nothing has changed");
        fs::write(host.join("ssl/certs/two.pem"), "two").unwrap();
        let then = etc.folder().unwrap();
        assert_eq!(fs::read_to_string(then.join("ssl/certs/two.pem")).unwrap(), "two");
        assert!(shown.join("ssl/certs/one.pem").exists(), "it may still be mounted");
        fs::remove_dir_all(&then).unwrap();
        assert!(etc.folder().unwrap().join("ssl/certs/two.pem").exists(), "made anew when somebody removed it");

        let etc = Etc { fresh: Duration::MAX, ..Etc::of(&host) };
        let shown = etc.folder().unwrap();
        fs::write(host.join("ssl/certs/three.pem"), "three").unwrap();
        assert_eq!(etc.folder().unwrap(), shown, "it was looked at a moment ago");
        fs::remove_dir_all(&shown).unwrap();
        assert!(etc.folder().unwrap().join("ssl/certs/three.pem").exists(), "whatever was seen a moment ago");
    }

    #[test]
    fn programs_of_the_distribution_find_their_settings_and_no_secret() {
        let place = tempfile::tempdir().unwrap();
        let (etc, usr) = (place.path().join("etc"), place.path().join("usr"));
        let pool = "env[DB_PASSWORD] = secret\n";
        let newrelic = "; of New Relic\nextension = newrelic.so\nnewrelic.license = \"secret\"\n";
        for (name, text) in [
            ("maven/m2.conf", "main is"),
            ("maven/settings.xml", "<password>secret</password>"),
            ("maven/settings-security.xml", "secret"),
            ("maven/logging/simplelogger.properties", "log"),
            ("php/8.2/cli/php.ini", "memory_limit = -1\nmysqli.default_pw = secret\n"),
            ("php/8.2/mods-available/newrelic.ini", newrelic),
            ("php/8.2/fpm/pool.d/www.conf", pool),
            ("other/main.conf", ""),
        ] {
            fs::create_dir_all(etc.join(name).parent().unwrap()).unwrap();
            fs::write(etc.join(name), text).unwrap();
        }
        fs::create_dir(etc.join("php/8.2/cli/conf.d")).unwrap();
        symlink("/etc/php/8.2/mods-available/newrelic.ini", etc.join("php/8.2/cli/conf.d/20-newrelic.ini")).unwrap();
        let copy = Etc::of(&etc);
        let shown = copy.folder().unwrap();
        let read = |name: &str| fs::read_to_string(shown.join(name)).ok();
        assert_eq!(read("maven/m2.conf").as_deref(), Some("main is"));
        assert_eq!(read("maven/logging/simplelogger.properties").as_deref(), Some("log"));
        assert_eq!((read("maven/settings.xml"), read("maven/settings-security.xml")), (None, None));
        assert_eq!(read("php/8.2/cli/php.ini").as_deref(), Some("memory_limit = -1\n"));
        assert_eq!(read("php/8.2/mods-available/newrelic.ini").as_deref(), Some("extension = newrelic.so\n"));
        assert!(shown.join("php/8.2/cli/conf.d/20-newrelic.ini").is_symlink() && !shown.join("php/8.2/fpm").exists());

        for (program, link, to) in [("mvn", "bin/m2.conf", "maven/m2.conf"), ("tool", "conf", "other/main.conf")] {
            let home = usr.join("share").join(program);
            fs::create_dir_all(home.join("bin")).unwrap();
            fs::create_dir_all(usr.join("bin")).unwrap();
            fs::write(home.join("bin/run"), "").unwrap();
            symlink(home.join("bin/run"), usr.join("bin").join(program)).unwrap();
            symlink(etc.join(to), home.join(link)).unwrap();
        }
        let missed = unshown_in(&usr, &etc);
        let (link, to) = (usr.join("share/tool/conf"), etc.join("other/main.conf"));
        assert_eq!(missed, [Unshown { program: "tool".to_owned(), link, to }]);
    }

    #[test]
    fn what_a_killed_server_left_is_removed_and_what_is_in_use_is_not() {
        let place = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = place.path().join(format!("{PREFIX}{name}"));
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("passwd"), "").unwrap();
            folder
        };
        let (left, used) = (folder("left"), folder("used"));
        let held = File::open(&used).unwrap();
        rustix::fs::flock(&held, FlockOperation::NonBlockingLockShared).unwrap();
        sweep(place.path());
        assert_eq!((left.exists(), used.exists()), (false, true));
    }
}
