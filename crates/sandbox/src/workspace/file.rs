//! One file, read or written whole.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use cap_std::fs::{
    Dir, File, FileType, FileTypeExt, Metadata, OpenOptions, OpenOptionsExt, Permissions, PermissionsExt,
};

use super::path::{failed, not_git, relative};
use super::{FileError, FileRead};

pub(super) fn read(root: &Dir, given: &str, max_bytes: u64) -> Result<FileRead, FileError> {
    let path = relative(given)?;
    not_git(given, &settled(root, given, &path)?)?;
    let (file, meta) = open(root, given, &path)?;
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len().min(max_bytes)).unwrap_or_default());
    file.take(max_bytes).read_to_end(&mut bytes).map_err(failed(given))?;
    // The size of a file that grows meanwhile is not less than what was read of it.
    Ok(FileRead { size: meta.len().max(bytes.len() as u64), bytes })
}

/// Opens a regular file. What is none is found out without opening it; should it be put in its place at this moment,
/// opening does not wait for it.
pub(super) fn open(root: &Dir, given: &str, path: &Path) -> Result<(File, Metadata), FileError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let meta = root.metadata(path).map_err(missing_or_failed(root, given, path))?;
    regular(given, meta.file_type())?;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.bits().cast_signed());
    let file = root.open_with(path, &options).map_err(failed(given))?;
    let meta = file.metadata().map_err(failed(given))?;
    regular(given, meta.file_type())?;
    Ok((file, meta))
}

fn regular(given: &str, kind: FileType) -> Result<(), FileError> {
    let what = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a folder",
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(FileError::NotAFile { path: given.to_owned(), what })
}

/// Where a path leads nowhere, a symbolic link may be why.
fn missing_or_failed(root: &Dir, given: &str, path: &Path) -> impl Fn(io::Error) -> FileError {
    move |error| {
        let dangling = error.kind() == io::ErrorKind::NotFound
            && root.symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_symlink());
        if dangling {
            let reason = "a symbolic link to something that does not exist";
            return FileError::Refused { path: given.to_owned(), reason };
        }
        failed(given)(error)
    }
}

/// Writes beside the place and then puts the new file into it: nobody ever sees half of it, and a symbolic link that is
/// put there meanwhile is replaced, not followed.
pub(super) fn write(root: &Dir, given: &str, bytes: &[u8]) -> Result<bool, FileError> {
    let path = relative(given)?;
    if path.as_os_str().is_empty() {
        return Err(FileError::NotAFile { path: given.to_owned(), what: "a folder" });
    }
    let path = settled(root, given, &path)?;
    not_git(given, &path)?;
    let Some(name) = path.file_name() else {
        return Err(FileError::NotAFile { path: given.to_owned(), what: "a folder" });
    };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            root.create_dir_all(parent).and_then(|()| root.open_dir(parent))
        }
        _ => root.try_clone(),
    };
    let folder = folder.map_err(failed(given))?;
    let mode = match folder.symlink_metadata(name) {
        Ok(meta) => {
            regular(given, meta.file_type())?;
            Some(meta.permissions().mode() & 0o777)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(given)(error)),
    };
    let (temporary, file) = beside(&folder).map_err(failed(given))?;
    let put = fill(file, bytes, mode).and_then(|()| folder.rename(&temporary, &folder, name));
    if let Err(error) = put {
        let _ = folder.remove_file(&temporary);
        return Err(failed(given)(error));
    }
    Ok(mode.is_none())
}

/// The path with its symbolic links resolved, as far as it exists.
fn settled(root: &Dir, given: &str, path: &Path) -> Result<PathBuf, FileError> {
    for there in path.ancestors().take_while(|there| !there.as_os_str().is_empty()) {
        match root.canonicalize(there) {
            Ok(mut real) => {
                real.extend(path.strip_prefix(there).unwrap_or(Path::new("")));
                return Ok(real);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if root.symlink_metadata(there).is_ok_and(|meta| meta.file_type().is_symlink()) {
                    return Err(missing_or_failed(root, given, there)(error));
                }
            }
            Err(error) => return Err(failed(given)(error)),
        }
    }
    Ok(path.to_owned())
}

/// A new file in this folder, under a name that nothing else has.
fn beside(folder: &Dir) -> io::Result<(String, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!(".guildhall-{}-{count}.tmp", std::process::id());
        match folder.open_with(&name, &options) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result.map(|file| (name, file)),
        }
    }
}

fn fill(mut file: File, bytes: &[u8], mode: Option<u32>) -> io::Result<()> {
    file.write_all(bytes)?;
    mode.map_or(Ok(()), |mode| file.set_permissions(Permissions::from_mode(mode)))
}
