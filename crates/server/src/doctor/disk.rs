//! The disk under the data folder: its room, and whether it is one on which data may lie.

use std::path::Path;

use guildhall_engine::{disk_folders, disks};
use guildhall_team::Places;
use guildhall_types::reading::{Disk, DiskRole, Used};
use guildhall_types::room::{Least, Room};
use rustix::fs::StatVfsMountFlags;

use super::files::nearest;
use super::{Level, Line};
use crate::config::Config;

const WHAT: &str = "disk";

/// The share of the disk that may be used before it is time to look after it, and of the files that it can hold.
const USED: f64 = 0.75;
const FILES_USED: f64 = 0.9;

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
    let database = config.database_url.expose().strip_prefix("sqlite://").map(Path::new).and_then(Path::parent);
    let places = Places::below(&config.data_dir, Vec::new());
    let disks = disks(&disk_folders(&places, database.map(Path::to_owned)));
    let mut lines = Vec::new();
    if disks.iter().all(|disk| disk.role() != DiskRole::Data) {
        let detail = format!("what holds {} cannot be looked at", config.data_dir.display());
        lines.push(Line::new(Level::Warn, WHAT, detail));
    }
    lines.extend(disks.iter().flat_map(told_of));
    lines.extend(place(config));
    lines
}

fn told_of(disk: &Disk) -> Vec<Line> {
    let what = match disk.role() {
        DiskRole::Data => WHAT.to_owned(),
        other => format!("{WHAT} of {other}"),
    };
    let mut lines = vec![room(&what, nearest(Path::new(&disk.path)), disk.room())];
    lines.extend(disk.files.map(|of| files(&what, of)));
    lines
}

/// What is wrong with where the data lies, if anything is.
pub(crate) fn place(config: &Config) -> Option<Line> {
    let kind = kind_at(nearest(&config.data_dir))?;
    let sqlite = config.database_url.expose().starts_with("sqlite:");
    unfit(kind, sqlite, &config.data_dir)
}

/// On what a file lies that is there.
pub(super) fn kind_at(there: &Path) -> Option<Kind> {
    // The magic number is of another width on other machines.
    Some(kind(rustix::fs::statfs(there).ok()?.f_type as u64 & 0xFFFF_FFFF))
}

fn unfit(kind: Kind, sqlite: bool, path: &Path) -> Option<Line> {
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

/// How much room there is, in words.
pub(super) fn shown(room: Room) -> String {
    let gib = room.bytes.left() as f64 / 1024.0_f64.powi(3);
    format!("{gib:.1} GiB free, {:.0} % used", room.bytes.share() * 100.0)
}

/// Whether so little is left that whatever writes there soon fails.
pub(super) fn is_full(room: Room) -> bool {
    room.bytes.left() < Least::FOR_LONG.bytes
}

fn room(what: &str, there: &Path, room: Room) -> Line {
    let read_only = rustix::fs::statvfs(there).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY));
    if read_only {
        let detail = format!(
            "{} is mounted to be read only: mount it so that it can be written (under systemd: ReadWritePaths=), or choose another folder with GUILDHALL_DATA_DIR",
            there.display()
        );
        return Line::new(Level::Fail, what, detail);
    }
    let told = shown(room);
    match (is_full(room), room.bytes.share() > USED) {
        (true, _) => Line::new(Level::Fail, what, format!("{told}; make room, or move the data folder")),
        (false, true) => Line::new(Level::Warn, what, format!("{told}; make room soon")),
        (false, false) => Line::new(Level::Ok, what, told),
    }
}

/// Whether more files can be made: a disk can be full of small ones while it has room.
fn files(what: &str, files: Used) -> Line {
    let what = &format!("{what}: number of files");
    let share = files.share();
    let detail = format!(
        "{} more files can be made, {:.0} % of the file system's places are taken",
        files.left(),
        share * 100.0
    );
    match files.left() < Least::FOR_LONG.files {
        true => Line::new(
            Level::Fail,
            what,
            format!(
                "{detail}; delete many small files, such as old worktrees and caches, or make the file system anew with more inodes"
            ),
        ),
        false if share > FILES_USED => Line::new(Level::Warn, what, format!("{detail}; make room soon")),
        false => Line::new(Level::Ok, what, detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_on_a_network_file_system_is_refused_and_what_is_soon_lost_is_told() {
        let level = |magic: u64, sqlite| unfit(kind(magic), sqlite, Path::new("/data")).map(|line| line.level);
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
    fn what_has_a_disk_of_its_own_is_told_by_what_it_holds() {
        let disk = |role, files| Disk {
            holds: vec![role],
            path: "/proc".to_owned(),
            bytes: Used { used: 0, total: 0 },
            files,
        };
        let whats = |disk: &Disk| told_of(disk).into_iter().map(|line| line.what).collect::<Vec<_>>();
        assert_eq!(whats(&disk(DiskRole::Data, None)), ["disk"]);
        let files = Some(Used { used: 1, total: 2 });
        assert_eq!(whats(&disk(DiskRole::Database, files)), ["disk of database", "disk of database: number of files"]);
    }

    #[test]
    fn a_disk_can_be_full_of_small_files() {
        let level = |total, left| files("disk", Used { used: total - left, total }).level;
        assert_eq!(level(1_000_000, 500_000), Level::Ok);
        assert_eq!(level(1_000_000, 90_000), Level::Warn);
        assert_eq!(level(1_000_000, 19_999), Level::Fail);
    }
}
