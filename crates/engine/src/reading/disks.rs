//! The disks on which something of a server's lies.

use std::path::{Path, PathBuf};

use guildhall_team::Places;
use guildhall_types::reading::{Disk, DiskRole};
use guildhall_types::room::Room;

/// The folders of a server that may have disks of their own, what matters most first; the database's, where that is a
/// file.
pub fn disk_folders(places: &Places, database: Option<PathBuf>) -> Vec<(DiskRole, PathBuf)> {
    let mut all = vec![
        (DiskRole::Data, places.data().to_owned()),
        (DiskRole::Worktrees, places.worktrees.clone()),
        (DiskRole::Repositories, places.repositories.clone()),
    ];
    all.extend(database.map(|folder| (DiskRole::Database, folder)));
    all
}

/// The file systems that hold these folders, each once; without those that cannot be looked at. Blocks, briefly.
pub fn disks(folders: &[(DiskRole, PathBuf)]) -> Vec<Disk> {
    each_once(looked_at(folders))
}

/// The same, and the one that takes the log.
pub(super) fn disks_and_log(folders: &[(DiskRole, PathBuf)]) -> Vec<Disk> {
    each_once(looked_at(folders).chain(log()))
}

/// What there is in the file system that holds a folder, or will when it is made.
pub(crate) fn room(folder: &Path) -> Option<Room> {
    folder.ancestors().find_map(|at| guildhall_git::room(at).ok())
}

/// Which file system holds a folder, or will when it is made.
fn device(folder: &Path) -> Option<u64> {
    folder.ancestors().find_map(|at| rustix::fs::stat(at).ok()).map(|found| found.st_dev)
}

struct LookedAt {
    device: u64,
    role: DiskRole,
    path: PathBuf,
    room: Room,
}

fn looked_at(folders: &[(DiskRole, PathBuf)]) -> impl Iterator<Item = LookedAt> {
    folders.iter().filter_map(|(role, path)| {
        Some(LookedAt { device: device(path)?, role: *role, path: path.clone(), room: room(path)? })
    })
}

/// Where the log goes, if that is a file.
fn log() -> Option<LookedAt> {
    let file = rustix::fs::fstat(std::io::stderr()).ok()?;
    if !rustix::fs::FileType::from_raw_mode(file.st_mode).is_file() {
        return None;
    }
    let open = Path::new("/proc/self/fd/2");
    let path = std::fs::read_link(open).unwrap_or_else(|_| PathBuf::from("the log"));
    Some(LookedAt { device: file.st_dev, role: DiskRole::Log, path, room: guildhall_git::room(open).ok()? })
}

fn each_once(found: impl Iterator<Item = LookedAt>) -> Vec<Disk> {
    let mut all: Vec<(u64, Disk)> = Vec::new();
    for LookedAt { device, role, path, room: Room { bytes, files } } in found {
        match all.iter_mut().find(|(known, _)| *known == device) {
            Some((_, disk)) if disk.holds.contains(&role) => {}
            Some((_, disk)) => disk.holds.push(role),
            None => all.push((device, Disk { holds: vec![role], path: path.display().to_string(), bytes, files })),
        }
    }
    all.into_iter().map(|(_, disk)| disk).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_disk_is_told_once_with_all_that_lies_there() {
        let folder = |role, path: &str| (role, PathBuf::from(path));
        let (data, worktrees) = (folder(DiskRole::Data, "/tmp"), folder(DiskRole::Worktrees, "/tmp/not/there/yet"));
        let all = disks(&[data, worktrees, folder(DiskRole::Repositories, "/proc")]);
        assert_eq!((all.len(), all[0].path.as_str(), all[1].path.as_str()), (2, "/tmp", "/proc"));
        assert_eq!(all[0].holds, [DiskRole::Data, DiskRole::Worktrees]);
        assert!(0 < all[0].bytes.used && all[0].bytes.used <= all[0].bytes.total, "{all:?}");
        assert_eq!((all[1].role(), all[1].bytes.share()), (DiskRole::Repositories, 0.0));
    }
}
