//! The `/etc` that commands see: a copy of what tools need of the host's, so that one mount shows all of it. A mount for each
//! file made the start of a command half as long again.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

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
/// Where they are made if there is such a place: a copy has some hundred links and small files, and a disk takes its time for each.
const IN_MEMORY: &str = "/dev/shm";

/// Copies of a host's `/etc`, made anew when that has changed.
#[derive(Debug)]
pub(super) struct Etc {
    from: PathBuf,
    /// The last one is what is shown. The others may still be mounted.
    made: Mutex<Vec<Copied>>,
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
        Self { from: from.to_owned(), made: Mutex::default() }
    }

    /// A folder that holds what commands are shown of it as it is now. Blocks, briefly when there is a copy.
    ///
    /// # Errors
    /// When no copy can be made.
    pub(super) fn folder(&self) -> io::Result<PathBuf> {
        let marks = self.marks();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        match made.last() {
            Some(copy) if copy.marks == marks && copy.folder.path().is_dir() => Ok(copy.folder.path().to_owned()),
            _ => {
                let copy = self.copy(marks)?;
                let folder = copy.folder.path().to_owned();
                made.push(copy);
                Ok(folder)
            }
        }
    }

    /// What there is to be shown: its name.
    fn names(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.from).into_iter().flatten().flatten().map(|entry| entry.file_name());
        let of_family = |name: &str| FAMILIES.iter().any(|family| name.starts_with(family));
        let families = entries.filter_map(|name| Some(PathBuf::from(name.to_str().filter(|name| of_family(name))?)));
        let mut names: Vec<PathBuf> = SHOWN.iter().map(PathBuf::from).chain(families).collect();
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
    } else if kind.is_file() {
        match fs::copy(from, to) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            copied => copied.map(drop),
        }
    } else {
        Ok(())
    }
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
        let etc = Etc::of(&host);
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
