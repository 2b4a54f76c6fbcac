//! The disk under the data folder: its room, and whether it is one on which data may lie.

use std::path::{Path, PathBuf};

use guildhall_team::Places;

use super::files::nearest;
use super::{Level, Line};
use crate::config::Config;

const WHAT: &str = "disk";

/// The share of the disk that may be used before it is time to look after it.
const USED: f64 = 0.75;
/// Bytes without which a clone is soon out of room.
const FREE: u64 = 1024 * 1024 * 1024;
/// The share of a file system's files that may be used before it is time to look after it, and files that a build soon makes.
const FILES_USED: f64 = 0.9;
const FILES_FREE: u64 = 20_000;

/// What kind of a file system it is, in so far as that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A disk of this machine.
    Local,
    /// Other machines write there, too.
    Network(&'static str),
    /// Goes with the container.
    Layer,
    /// Goes with the machine's memory.
    Memory,
}

/// The numbers by which Linux tells its file systems apart (`linux/magic.h`, and for SMB and Ceph their own sources).
fn kind(magic: u64) -> Kind {
    match magic {
        0x6969 => Kind::Network("NFS"),
        0x517B | 0xFE53_4D42 | 0xFF53_4D42 => Kind::Network("SMB"),
        0x0102_1997 => Kind::Network("9P"),
        0x00C3_6400 => Kind::Network("Ceph"),
        0x6B41_4653 | 0x5346_414F => Kind::Network("AFS"),
        0x794C_7630 => Kind::Layer,
        0x0102_1994 | 0x8584_58F6 => Kind::Memory,
        _ => Kind::Local,
    }
}

pub(super) fn examine(config: &Config) -> Vec<Line> {
    let data = nearest(&config.data_dir);
    let mut lines = vec![room(WHAT, data)];
    lines.extend(files("", data));
    for (of, folder) in apart(&config.data_dir, config.database_url.expose()) {
        let there = nearest(&folder);
        lines.push(room(&format!("{WHAT} of {of}"), there));
        lines.extend(files(&format!(" of {of}"), there));
    }
    lines.extend(place(config));
    lines
}

/// What has a disk of its own, rather than the data folder's, and where.
fn apart(data: &Path, database: &str) -> Vec<(&'static str, PathBuf)> {
    let device = |folder: &Path| rustix::fs::stat(nearest(folder)).map(|found| found.st_dev).ok();
    let places = Places::below(data, Vec::new());
    let database = database.strip_prefix("sqlite://").map(PathBuf::from);
    let database = database.and_then(|file| file.parent().map(Path::to_owned));
    let all =
        [("worktrees", Some(places.worktrees)), ("repositories", Some(places.repositories)), ("database", database)];
    let mut known = vec![device(data)];
    let mut apart = Vec::new();
    for (of, folder) in all.into_iter().filter_map(|(of, folder)| Some((of, folder?))) {
        let at = device(&folder);
        if !known.contains(&at) {
            known.push(at);
            apart.push((of, folder));
        }
    }
    apart
}

/// What is wrong with where the data lies, if anything is.
pub(crate) fn place(config: &Config) -> Option<Line> {
    let kind = kind_at(nearest(&config.data_dir))?;
    let sqlite = config.database_url.expose().starts_with("sqlite:");
    told(kind, sqlite, &config.data_dir)
}

/// On what a file lies that is there.
pub(super) fn kind_at(there: &Path) -> Option<Kind> {
    // The magic number is of another width on other machines.
    Some(kind(rustix::fs::statfs(there).ok()?.f_type as u64 & 0xFFFF_FFFF))
}

fn told(kind: Kind, sqlite: bool, path: &Path) -> Option<Line> {
    let path = path.display();
    let (level, detail) = match kind {
        Kind::Local => return None,
        Kind::Network(name) if sqlite => (
            Level::Fail,
            format!(
                "{path} lies on {name}, over which SQLite's locks and its shared memory do not hold: the database can be damaged. Choose a disk of this machine with GUILDHALL_DATA_DIR, or a PostgreSQL with DATABASE_URL"
            ),
        ),
        Kind::Network(name) => (
            Level::Warn,
            format!(
                "{path} lies on {name}, where git and builds are slow and locks may not hold; a disk of this machine is better"
            ),
        ),
        Kind::Layer => {
            (Level::Warn, format!("{path} lies in the container itself and goes with it: mount a volume there"))
        }
        Kind::Memory => (
            Level::Warn,
            format!(
                "{path} lies in memory and is lost when the machine restarts: choose a disk with GUILDHALL_DATA_DIR, or mount a volume there"
            ),
        ),
    };
    Some(Line::new(level, "data folder", detail))
}

/// How much room a file system has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Bytes that are free to others than root.
    free: u64,
    /// The share that is used.
    pub(super) used: f64,
    read_only: bool,
}

impl std::fmt::Display for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} GiB free, {:.0} % used", self.free as f64 / FREE as f64, self.used * 100.0)
    }
}

impl Room {
    pub(super) fn at(there: &Path) -> Result<Self, rustix::io::Errno> {
        let stat = rustix::fs::statvfs(there)?;
        let (all, free) = (stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize);
        let read_only = stat.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY);
        Ok(Self { free, used: 1.0 - free as f64 / all.max(1) as f64, read_only })
    }

    /// Whether so little is left that whatever writes there soon fails.
    pub(super) fn full(self) -> bool {
        self.free < FREE
    }
}

fn room(what: &str, there: &Path) -> Line {
    let room = match Room::at(there) {
        Ok(room) => room,
        Err(error) => return Line::new(Level::Warn, what, format!("cannot be looked at: {error}")),
    };
    if room.read_only {
        let detail = format!(
            "{} is mounted to be read only: mount it so that it can be written (under systemd: ReadWritePaths=), or choose another folder with GUILDHALL_DATA_DIR",
            there.display()
        );
        return Line::new(Level::Fail, what, detail);
    }
    match (room.full(), room.used > USED) {
        (true, _) => Line::new(Level::Fail, what, format!("{room}; make room, or move the data folder")),
        (false, true) => Line::new(Level::Warn, what, format!("{room}; make room soon")),
        (false, false) => Line::new(Level::Ok, what, room.to_string()),
    }
}

/// Whether more files can be made: a disk can be full of small ones while it has room.
fn files(of: &str, there: &Path) -> Option<Line> {
    let stat = rustix::fs::statvfs(there).ok()?;
    few_files(of, stat.f_files, stat.f_favail)
}

/// Nothing where a file system makes places for files as they are needed, and says 0.
fn few_files(of: &str, all: u64, free: u64) -> Option<Line> {
    let what = &format!("{WHAT}{of}: number of files");
    let used = 1.0 - free as f64 / all as f64;
    let detail = format!("{free} more files can be made, {:.0} % of the file system's places are taken", used * 100.0);
    match (all, free) {
        (0, _) => None,
        (_, free) if free < FILES_FREE => Some(Line::new(
            Level::Fail,
            what,
            format!(
                "{detail}; delete many small files, such as old worktrees and caches, or make the file system anew with more inodes"
            ),
        )),
        _ if used > FILES_USED => Some(Line::new(Level::Warn, what, format!("{detail}; make room soon"))),
        _ => Some(Line::new(Level::Ok, what, detail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_on_a_network_file_system_is_refused_and_what_is_soon_lost_is_told() {
        let level = |magic: u64, sqlite| told(kind(magic), sqlite, Path::new("/data")).map(|line| line.level);
        assert_eq!(level(0xEF53, true), None, "ext4");
        assert_eq!(level(0x6969, true), Some(Level::Fail), "NFS");
        assert_eq!(level(0x6969, false), Some(Level::Warn), "NFS beside a PostgreSQL");
        assert_eq!(level(0xFF53_4D42, true), Some(Level::Fail), "CIFS");
        assert_eq!(level(0x794C_7630, true), Some(Level::Warn), "overlay");
        assert_eq!(level(0x0102_1994, false), Some(Level::Warn), "tmpfs");
        let found = rustix::fs::statfs("/dev/shm").map(|stat| kind(stat.f_type as u64 & 0xFFFF_FFFF));
        assert!(found.is_err() || found == Ok(Kind::Memory), "{found:?}");
    }

    #[test]
    fn what_has_a_disk_of_its_own_is_looked_at_as_well() {
        let dir = tempfile::tempdir().unwrap();
        let own = format!("sqlite://{}/guildhall.db", dir.path().display());
        for database in [own.as_str(), "postgres://localhost/guildhall"] {
            assert_eq!(apart(dir.path(), database), []);
        }
        // The kernel's own file systems are others than any disk's.
        assert_eq!(apart(dir.path(), "sqlite:///proc/guildhall.db"), [("database", PathBuf::from("/proc"))]);
    }

    #[test]
    fn a_disk_can_be_full_of_small_files() {
        let level = |all, free| few_files("", all, free).map(|line| line.level);
        assert_eq!(level(0, 0), None);
        assert_eq!(level(1_000_000, 500_000), Some(Level::Ok));
        assert_eq!(level(1_000_000, 90_000), Some(Level::Warn));
        assert_eq!(level(1_000_000, 19_999), Some(Level::Fail));
    }
}
