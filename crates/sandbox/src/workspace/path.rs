//! Paths as agents write them.

use std::io;
use std::path::{Component, Path, PathBuf};

use super::FileError;

/// Where the worktree appears to commands, and so to agents.
const WORKSPACE: &str = "/workspace";
/// Git's own, at the root: what stands there is made for the agent's commands and obeyed by nobody else.
const GIT: &str = ".git";

/// A path relative to the root without `.`, `..` or an absolute beginning; empty for the root itself. Symbolic links are
/// not looked at here: the directory handle does not let them lead out.
pub(super) fn relative(given: &str) -> Result<PathBuf, FileError> {
    let outside = || FileError::Outside { path: given.to_owned() };
    let path = Path::new(given);
    let path = if path.is_absolute() { path.strip_prefix(WORKSPACE).map_err(|_| outside())? } else { path };
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::ParentDir if clean.pop() => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Err(outside()),
        }
    }
    not_git(given, &clean)?;
    Ok(clean)
}

/// Refuses what is git's.
pub(super) fn not_git(given: &str, path: &Path) -> Result<(), FileError> {
    if path.starts_with(GIT) {
        let reason = "this is git's own; use git in a command instead";
        return Err(FileError::Refused { path: given.to_owned(), reason });
    }
    Ok(())
}

/// An error of the system, told by the path as it was given.
pub(super) fn failed(given: &str) -> impl Fn(io::Error) -> FileError {
    move |source| {
        let path = given.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => FileError::NotFound { path },
            io::ErrorKind::NotADirectory => {
                FileError::Refused { path, reason: "a part of the path is a file, where a folder must be" }
            }
            // The handle's own refusal; one of the system's carries its number.
            io::ErrorKind::PermissionDenied if source.raw_os_error().is_none() => FileError::Outside { path },
            _ => FileError::Io { path, source },
        }
    }
}

/// A path as it is shown.
pub(super) fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        for (given, expected) in [
            ("a/b.rs", "a/b.rs"),
            ("./a//b.rs", "a/b.rs"),
            ("a/../b", "b"),
            ("/workspace/a", "a"),
            ("/workspace", ""),
            ("/workspace/", ""),
            ("", ""),
            (".", ""),
            ("a/..", ""),
            (".gitignore", ".gitignore"),
            ("sub/.git/x", "sub/.git/x"),
            ("a b\nc", "a b\nc"),
        ] {
            assert_eq!(relative(given).unwrap(), Path::new(expected), "{given}");
        }
        for given in
            ["..", "../x", "a/../../x", "/etc/passwd", "/", "/workspace/../etc", "/workspaces/x", "/workspace/.."]
        {
            assert!(matches!(relative(given), Err(FileError::Outside { .. })), "{given}");
        }
        for given in [".git", ".git/config", "./.git/hooks/x", "/workspace/.git", "a/../.git"] {
            assert!(matches!(relative(given), Err(FileError::Refused { .. })), "{given}");
        }
    }
}
