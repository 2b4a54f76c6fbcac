//! Folders that an agent could write in, handled as what they are: full of traps. Everything here blocks.
//!
//! There may be folders in folders deeper than any path can say or any stack can hold, folders that nobody may enter, and
//! pipes in place of the files that git opens, at which it would wait for ever.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Bytes of a path that the kernel takes.
const LONGEST_PATH: usize = 4095;
/// Bytes of a name, and what stands around it.
const LONGEST_NAME: usize = 255 + 2;
/// What a folder must allow its owner.
const OPEN: Mode = Mode::RWXU;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Removes whatever is at `path`, if anything is. Neither depth nor missing rights stand in the way.
///
/// # Errors
/// When something cannot be removed.
pub fn remove(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let name = CString::new(name.as_bytes())?;
    let parent = match rustix::fs::open(parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        parent => parent?,
    };
    remove_at(&parent, &name)
}

/// Removes what is at `path` below `tree`, reached without any link. Returns whether anything was there.
///
/// # Errors
/// When something cannot be reached or removed.
pub(crate) fn remove_below(tree: &Path, path: &Path) -> io::Result<bool> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let (root, name) = (rustix::fs::open(tree, FOLDER, Mode::empty())?, CString::new(name.as_bytes())?);
    let parent = open_below(&root, parent)?;
    match rustix::fs::statat(&parent, &name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
        Ok(_) => remove_at(&parent, &name).map(|()| true),
    }
}

fn remove_at(parent: &OwnedFd, name: &CStr) -> io::Result<()> {
    let Some(root) = unlink_or_open(parent, name)? else { return Ok(()) };
    let mut moved = 0;
    while empty_once(&root, &mut moved)? > 0 {}
    Ok(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}

/// Goes once over a folder: what is no folder goes, and a folder goes when what it holds has gone or moved up here. So depth
/// costs neither stack nor descriptors. Returns how much there was to do.
fn empty_once(root: &OwnedFd, moved: &mut u64) -> io::Result<usize> {
    let mut done = 0;
    for name in names(root)? {
        done += 1;
        let Some(folder) = unlink_or_open(root, &name)? else { continue };
        for inner in names(&folder)? {
            if unlink_or_open(&folder, &inner)?.is_some() {
                move_up(&folder, &inner, root, moved)?;
            }
        }
        rustix::fs::unlinkat(root, &name, AtFlags::REMOVEDIR)?;
    }
    Ok(done)
}

fn move_up(from: &OwnedFd, name: &CStr, root: &OwnedFd, moved: &mut u64) -> io::Result<()> {
    loop {
        *moved += 1;
        // An empty folder of that name is taken the place of; another one makes it try the next.
        match rustix::fs::renameat(from, name, root, format!(".going-{moved}")) {
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
            moved => return Ok(moved?),
        }
    }
}

/// Removes what is no folder; a folder is opened, with all rights to it.
fn unlink_or_open(parent: &OwnedFd, name: &CStr) -> io::Result<Option<OwnedFd>> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(None),
        // What Linux and what POSIX say of a folder.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    open_wide(parent, name).map(Some)
}

fn open_wide(parent: &OwnedFd, name: &CStr) -> io::Result<OwnedFd> {
    let folder = match rustix::fs::openat(parent, name, FOLDER, Mode::empty()) {
        Err(Errno::ACCESS) => {
            let closed = rustix::fs::openat(parent, name, FOLDER | OFlags::PATH, Mode::empty())?;
            // By its descriptor, so that no link that is put in its place is followed.
            rustix::fs::chmod(format!("/proc/self/fd/{}", closed.as_raw_fd()), OPEN)?;
            rustix::fs::openat(parent, name, FOLDER, Mode::empty())?
        }
        folder => folder?,
    };
    widen(&folder)?;
    Ok(folder)
}

fn widen(folder: &OwnedFd) -> io::Result<()> {
    let mode = Mode::from_raw_mode(rustix::fs::fstat(folder)?.st_mode);
    if !mode.contains(OPEN) {
        rustix::fs::fchmod(folder, mode | OPEN)?;
    }
    Ok(())
}

fn names(folder: &OwnedFd) -> io::Result<Vec<CString>> {
    Ok(entries(folder)?.into_iter().map(|(name, _)| name).collect())
}

fn entries(folder: &OwnedFd) -> io::Result<Vec<(CString, FileType)>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if ![c".", c".."].contains(&entry.file_name()) {
            found.push((entry.file_name().to_owned(), entry.file_type()));
        }
    }
    Ok(found)
}

/// Makes a worktree one that git can walk: every folder can be entered and written, and what is neither file, folder nor
/// link is gone. Whoever waits to open such a pipe waits no more. Sockets stay without `prune`: git passes them over, and a
/// service may listen at them. With it, folders are gone as well that lie deeper than a path can say: git stops at them.
///
/// # Errors
/// When the worktree cannot be opened. What cannot be reached in it, git cannot reach either, and is passed over.
pub(crate) fn tame(tree: &Path, prune: bool) -> io::Result<()> {
    let (Some(parent), Some(name)) = (tree.parent(), tree.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let parent = rustix::fs::open(parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let root = open_wide(&parent, &CString::new(name.as_bytes())?)?;
    let mut folders = vec![PathBuf::new()];
    while let Some(path) = folders.pop() {
        let Ok(folder) = open_below(&root, &path) else { continue };
        for (name, kind) in entries(&folder).unwrap_or_default() {
            let kind = match kind {
                FileType::Unknown => match rustix::fs::statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                    Err(_) => continue,
                },
                kind => kind,
            };
            match kind {
                FileType::Directory => {
                    let below = path.join(std::ffi::OsStr::from_bytes(name.as_bytes()));
                    // With room for a name in it.
                    if tree.as_os_str().len() + below.as_os_str().len() + LONGEST_NAME < LONGEST_PATH {
                        if open_wide(&folder, &name).is_ok() {
                            folders.push(below);
                        }
                    } else if prune {
                        remove_at(&folder, &name)?;
                    }
                }
                FileType::RegularFile | FileType::Symlink => {}
                FileType::Socket if !prune => {}
                _ => {
                    // Held open for a moment: who waits for somebody to write finds somebody.
                    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                    let held =
                        (kind == FileType::Fifo).then(|| rustix::fs::openat(&folder, &name, flags, Mode::empty()));
                    let _ = rustix::fs::unlinkat(&folder, &name, AtFlags::empty());
                    drop(held);
                }
            }
        }
    }
    Ok(())
}

fn open_below(root: &OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    Ok(below(root, path, FOLDER)?)
}

/// Opens what is at a path below a folder, and follows no link on the way.
fn below(root: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(root, path, flags, Mode::empty(), within) {
        // A kernel before 5.6, or a filter of calls that does not know this one.
        Err(Errno::NOSYS | Errno::PERM) => step_by_step(root, path, flags),
        opened => opened,
    }
}

/// The same, one name after another.
fn step_by_step(root: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut at: Option<OwnedFd> = None;
    let mut parts = path.components().peekable();
    while let Some(part) = parts.next() {
        let name = match part {
            Component::Normal(name) => name,
            Component::CurDir => ".".as_ref(),
            _ => return Err(Errno::XDEV),
        };
        let flags = match parts.peek() {
            Some(_) => OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            None => flags,
        };
        at = Some(rustix::fs::openat(at.as_ref().unwrap_or(root), name, flags, Mode::empty())?);
    }
    at.ok_or(Errno::NOENT)
}

/// Whether it says that at this path, reached without any link, there is nothing. Every other failure tells of the looking.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    let gone = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::XDEV, Errno::NAMETOOLONG];
    Errno::from_io_error(error).is_some_and(|error| gone.contains(&error))
}

/// A worktree, to be looked at while its agent may be at work in it: no link on the way to anything is followed.
#[derive(Debug)]
pub(crate) struct Below(OwnedFd);

/// Something in a worktree, itself and no longer what stands at its path.
#[derive(Debug)]
pub(crate) struct Thing {
    handle: OwnedFd,
    pub(crate) kind: FileType,
    /// In bytes.
    pub(crate) size: u64,
    mode: Mode,
}

impl Below {
    pub(crate) fn open(tree: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::open(tree, FOLDER, Mode::empty())?))
    }

    /// What is at a path in it: of a link, the link itself.
    ///
    /// # Errors
    /// When nothing is there or it is reached by way of a link ([`is_gone`]), and when it cannot be looked at.
    pub(crate) fn find(&self, path: &Path) -> io::Result<Thing> {
        let handle = below(&self.0, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC)?;
        let stat = rustix::fs::fstat(&handle)?;
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        let mode = Mode::from_raw_mode(stat.st_mode);
        Ok(Thing { handle, kind: FileType::from_raw_mode(stat.st_mode), size, mode })
    }

    /// The names in a folder of it.
    pub(crate) fn names(&self, folder: &Path) -> io::Result<Vec<CString>> {
        names(&open_below(&self.0, folder)?)
    }
}

impl Thing {
    pub(crate) fn is_file(&self) -> bool {
        self.kind == FileType::RegularFile
    }

    /// Whether there is something of this name in it.
    pub(crate) fn holds(&self, name: &CStr) -> bool {
        rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Sees to it that a file of the server's own user can be read. Git says nothing of who may read a file, so nothing is
    /// changed that anybody would see.
    pub(crate) fn make_readable(&self) {
        if self.is_file() && !self.mode.contains(Mode::RUSR) {
            // By its handle, so that no link that is put in its place is followed. It may be somebody else's.
            let _ = rustix::fs::chmod(format!("/proc/self/fd/{}", self.handle.as_raw_fd()), self.mode | Mode::RUSR);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_tree_goes_whatever_it_is_made_of() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        remove(&at("absent")).unwrap();
        remove(&at("absent/deeper")).unwrap();
        fs::write(at("file"), "").unwrap();
        remove(&at("file")).unwrap();
        fs::create_dir_all(at("kept")).unwrap();
        fs::write(at("kept/file"), "kept").unwrap();
        fs::create_dir_all(at("tree/closed/inner")).unwrap();
        fs::create_dir_all(at("tree/.going-1/full")).unwrap();
        fs::write(at("tree/closed/inner/file"), "").unwrap();
        std::os::unix::fs::symlink(at("kept"), at("tree/link")).unwrap();
        std::os::unix::fs::symlink(at("kept"), at("tree/closed/link")).unwrap();
        for closed in ["tree/closed/inner", "tree/closed"] {
            fs::set_permissions(at(closed), fs::Permissions::from_mode(0o000)).unwrap();
        }
        // Deeper than a stack of this size holds.
        let mut folder = rustix::fs::open(at("tree"), FOLDER, Mode::empty()).unwrap();
        for _ in 0..1_000 {
            rustix::fs::mkdirat(&folder, "deep", OPEN).unwrap();
            folder = rustix::fs::openat(&folder, "deep", FOLDER, Mode::empty()).unwrap();
        }
        drop(folder);
        let tree = at("tree");
        let small = std::thread::Builder::new().stack_size(64 * 1024).spawn(move || remove(&tree));
        small.unwrap().join().unwrap().unwrap();
        let left: Vec<_> = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["kept"]);
        assert_eq!(fs::read_to_string(at("kept/file")).unwrap(), "kept");
    }

    #[test]
    fn without_the_newer_call_a_path_is_walked_and_no_link_followed_either() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir_all(at("tree/a/b")).unwrap();
        fs::create_dir_all(at("outside")).unwrap();
        for file in ["tree/a/b/file", "outside/file"] {
            fs::write(at(file), "").unwrap();
        }
        std::os::unix::fs::symlink(at("outside"), at("tree/a/link")).unwrap();
        let root = rustix::fs::open(at("tree"), FOLDER, Mode::empty()).unwrap();
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for path in
            ["a", "a/b", "a/b/file", "a/link", ".", "a/none", "none/none", "a/link/file", "a/b/file/x", "../outside"]
        {
            let inode = |opened: Result<OwnedFd, Errno>| opened.map(|opened| rustix::fs::fstat(opened).unwrap().st_ino);
            let (one, other) = (below(&root, Path::new(path), flags), step_by_step(&root, Path::new(path), flags));
            match (inode(one), inode(other)) {
                (Err(one), Err(other)) => {
                    assert!(is_gone(&one.into()) && is_gone(&other.into()), "{path}: {one} {other}")
                }
                (one, other) => assert_eq!(one, other, "{path}"),
            }
        }
        for unknown in [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::IO, Errno::ACCESS, Errno::NOSYS, Errno::PERM] {
            assert!(!is_gone(&unknown.into()), "{unknown}");
        }
    }

    #[test]
    fn a_tamed_tree_has_no_pipes_and_no_closed_folders() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir_all(at("tree/a/b/c")).unwrap();
        fs::create_dir_all(at("outside")).unwrap();
        std::os::unix::fs::symlink(at("outside"), at("tree/a/link")).unwrap();
        let pipe = |name: &str| {
            rustix::fs::mknodat(rustix::fs::CWD, at(name), FileType::Fifo, 0o600.into(), 0).unwrap();
        };
        ["tree/.gitignore", "tree/a/b/c/.gitattributes", "outside/pipe"].into_iter().for_each(pipe);
        fs::write(at("tree/a/b/file"), "").unwrap();
        let waits = at("tree/a/b/c/.gitattributes");
        let (opened, done) = std::sync::mpsc::channel();
        std::thread::spawn(move || opened.send(fs::read(waits).unwrap_or_default()).unwrap());
        let _listens = std::os::unix::net::UnixListener::bind(at("tree/socket")).unwrap();
        for closed in ["tree/a/b", "tree/a", "tree"] {
            fs::set_permissions(at(closed), fs::Permissions::from_mode(0o000)).unwrap();
        }
        tame(&at("tree"), false).unwrap();
        // It found somebody at the other end, who went, or came when the pipe was gone.
        assert_eq!(done.recv_timeout(std::time::Duration::from_secs(20)).unwrap(), b"");
        for gone in ["tree/.gitignore", "tree/a/b/c/.gitattributes"] {
            assert!(!at(gone).exists(), "{gone}");
        }
        assert!(at("tree/a/b/file").exists() && at("outside/pipe").exists());
        assert!(std::os::unix::net::UnixStream::connect(at("tree/socket")).is_ok(), "a service is at work there");
        tame(&at("tree"), true).unwrap();
        assert!(!at("tree/socket").exists());
        let mode = fs::metadata(at("tree/a")).unwrap().permissions().mode();
        assert_eq!(mode & 0o700, 0o700);
    }
}
