//! What the disks have on which repositories and worktrees are.

use std::io;
use std::path::Path;

use guildhall_types::room::{Counted, Room};

/// What there is in the file system that holds what is at `path`. Blocks, briefly.
///
/// # Errors
/// When it cannot be looked at.
pub fn room(path: &Path) -> io::Result<Room> {
    let found = rustix::fs::statvfs(path)?;
    let blocks = Counted { all: found.f_blocks, free: found.f_bfree, usable: found.f_bavail };
    let files = Counted { all: found.f_files, free: found.f_ffree, usable: found.f_favail };
    Ok(Room::of(blocks, found.f_frsize, files))
}
