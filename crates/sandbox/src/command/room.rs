//! What of the host is bound into a sandbox, checked: bubblewrap follows symbolic links in the source of a bind.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Room, SandboxError};

/// Where the worktree appears.
pub(crate) const WORKSPACE: &str = "/workspace";
/// Where the agent's git folder appears.
pub(crate) const GIT: &str = "/run/git";
/// Where the canonical repository's objects appear.
pub(crate) const OBJECTS: &str = "/run/objects";
/// The agent's home.
pub(crate) const HOME: &str = "/home/agent";

/// Folders of the sandbox that are its own; nothing of the host may be bound over or below them.
const TAKEN: &[&str] = &[
    WORKSPACE, "/run", HOME, "/tmp", "/var", "/proc", "/dev", "/sys", "/usr", "/etc", "/bin", "/sbin", "/lib",
    "/lib32", "/lib64", "/libx32",
];

/// A room whose paths are real folders, without a symbolic link on the way.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) tree: PathBuf,
    pub(crate) git: Option<PathBuf>,
    pub(crate) objects: Option<PathBuf>,
    pub(crate) cache: Option<PathBuf>,
    pub(crate) read_only: Vec<PathBuf>,
}

impl Bound {
    pub(crate) fn check(room: &Room) -> Result<Self, SandboxError> {
        let tree = real_folder(&room.tree)?;
        let git = room.git.as_deref().map(real_folder).transpose()?;
        let objects = room.objects.as_deref().map(real_folder).transpose()?;
        // What only is looked at is kept nowhere, and finds nothing that was kept.
        let cache = room.cache.as_deref().filter(|_| !room.frozen).map(real_folder).transpose()?;
        let read_only = room.read_only.iter().map(|path| toolchain(path)).collect::<Result<Vec<_>, _>>()?;
        // What an agent can write must neither hold nor lie in another thing that is bound.
        let all: Vec<&PathBuf> = [Some(&tree), git.as_ref(), objects.as_ref(), cache.as_ref()]
            .into_iter()
            .flatten()
            .chain(&read_only)
            .collect();
        for writable in [Some(&tree), git.as_ref(), cache.as_ref()].into_iter().flatten() {
            for other in all.iter().filter(|other| !std::ptr::eq(**other, writable)) {
                if other.starts_with(writable) || writable.starts_with(other) {
                    return Err(refused(writable, &format!("it and {} lie within each other", other.display())));
                }
            }
        }
        Ok(Self { tree, git, objects, cache, read_only })
    }
}

fn refused(path: &Path, why: &str) -> SandboxError {
    SandboxError::Refused { reason: format!("{}: {why}", path.display()) }
}

/// The path of a folder as it really is. The folder itself must not be a symbolic link, and nobody but the server's
/// user and root may be able to put another thing in its place.
fn real_folder(path: &Path) -> Result<PathBuf, SandboxError> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(refused(path, "not a folder that can be bound"));
    };
    if !path.is_absolute() {
        return Err(refused(path, "not an absolute path"));
    }
    let parent = parent.canonicalize().map_err(|error| refused(parent, &error.to_string()))?;
    for above in parent.ancestors() {
        let meta = above.symlink_metadata().map_err(|error| refused(above, &error.to_string()))?;
        let mode = meta.permissions().mode();
        if mode & 0o002 != 0 && mode & 0o1000 == 0 {
            return Err(refused(above, "everybody can write here, so what is below cannot be trusted; chmod o-w it"));
        }
    }
    let real = parent.join(name);
    let meta = real.symlink_metadata().map_err(|error| refused(&real, &error.to_string()))?;
    if meta.is_symlink() {
        return Err(refused(&real, "a symbolic link, where a folder must be"));
    }
    if !meta.is_dir() {
        return Err(refused(&real, "not a folder"));
    }
    Ok(real)
}

/// The path of a folder that appears where it is.
pub(crate) fn toolchain(path: &Path) -> Result<PathBuf, SandboxError> {
    let real = real_folder(path)?;
    if real != path {
        return Err(refused(path, &format!("there is a symbolic link on the way; list {} instead", real.display())));
    }
    let meta = real.symlink_metadata().map_err(|error| refused(path, &error.to_string()))?;
    if meta.permissions().mode() & 0o002 != 0 {
        return Err(refused(path, "everybody can write here, so no program in it can be trusted; chmod o-w it"));
    }
    if TAKEN.iter().any(|taken| real.starts_with(taken) || Path::new(taken).starts_with(&real)) {
        return Err(refused(path, "the sandbox has a folder of its own there"));
    }
    Ok(real)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn reason(room: &Room) -> String {
        Bound::check(room).unwrap_err().to_string()
    }

    #[test]
    fn only_real_folders_of_the_servers_are_bound() {
        let place = tempfile::tempdir().unwrap();
        let at = place.path().canonicalize().unwrap();
        for folder in ["tree/inner", "git", "open/tree", "tool", "real/tool"] {
            fs::create_dir_all(at.join(folder)).unwrap();
        }
        symlink("tree", at.join("link")).unwrap();
        symlink("real", at.join("way")).unwrap();
        fs::write(at.join("file"), "").unwrap();
        fs::set_permissions(at.join("open"), fs::Permissions::from_mode(0o777)).unwrap();
        let room = Room { git: Some(at.join("git")), ..Room::new(at.join("tree")) };
        assert_eq!(Bound::check(&room).unwrap().tree, at.join("tree"));
        let with_tree = |tree: PathBuf| reason(&Room { tree, ..room.clone() });
        assert!(with_tree(at.join("link")).contains("a symbolic link"));
        assert!(with_tree(at.join("link/")).contains("a symbolic link"));
        assert!(with_tree(at.join("file")).contains("not a folder"));
        assert!(with_tree(at.join("absent")).contains("No such file"));
        assert!(with_tree("tree".into()).contains("not an absolute path"));
        assert!(with_tree("/".into()).contains("not a folder that can be bound"));
        assert!(with_tree(at.join("open/tree")).contains("everybody can write here"));
        assert!(reason(&Room { git: Some(at.join("tree/inner")), ..room.clone() }).contains("within each other"));
        let with_tool = |path: PathBuf| reason(&Room { read_only: vec![path], ..room.clone() });
        assert!(with_tool(at.join("way/tool")).contains("on the way; list"));
        assert!(with_tool(at.join("tool")).contains("a folder of its own"), "below /tmp");
        fs::set_permissions(at.join("tool"), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(with_tool(at.join("tool")).contains("no program in it can be trusted; chmod o-w it"));
        for path in ["/home", "/usr/lib", "/etc", "/dev", "/run"] {
            assert!(with_tool(path.into()).contains("a folder of its own"), "{path}");
        }
    }
}
