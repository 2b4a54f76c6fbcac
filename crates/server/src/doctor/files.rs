//! Whose the files are, and who else can read them.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{Level, Line};

/// The folder itself, or the nearest one above it that is there.
pub(super) fn nearest(path: &Path) -> &Path {
    path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"))
}

/// The data folder: whether it can be written, whose it is, and who can enter it.
pub(super) fn data_dir(path: &Path) -> Vec<Line> {
    const WHAT: &str = "data folder";
    let there = nearest(path);
    let shown = path.display();
    if let Err(error) = rustix::fs::access(there, rustix::fs::Access::WRITE_OK) {
        let detail = format!(
            "{} cannot be written ({error}); run this as the server's user, or choose another folder with GUILDHALL_DATA_DIR",
            there.display()
        );
        return vec![Line::new(Level::Fail, WHAT, detail)];
    }
    if there != path {
        return vec![Line::new(Level::Ok, WHAT, format!("{shown} is made at the first start"))];
    }
    let found = match std::fs::metadata(path) {
        Ok(found) if !found.is_dir() => return vec![Line::new(Level::Fail, WHAT, format!("{shown} is not a folder"))],
        Ok(found) => found,
        Err(error) => return vec![Line::new(Level::Fail, WHAT, format!("{shown} cannot be looked at: {error}"))],
    };
    let mut lines = vec![match found.permissions().mode() & 0o077 {
        0 => Line::new(Level::Ok, WHAT, format!("{shown} can be written")),
        _ => Line::new(Level::Warn, WHAT, format!("{shown} can be entered by others; run: chmod 700 {shown}")),
    }];
    lines.extend(owners(path, &found, rustix::process::geteuid().as_raw()));
    lines.extend(["guildhall.db", "guildhall.db-wal"].into_iter().filter_map(|name| private(WHAT, &path.join(name))));
    lines
}

/// Whether everything belongs to one user, and that user runs this. Whoever starts the server once as root leaves files that the
/// service cannot write.
fn owners(path: &Path, folder: &std::fs::Metadata, own: u32) -> Option<Line> {
    const WHAT: &str = "owner of the data folder";
    let (shown, owner) = (path.display(), folder.uid());
    let foreign = ["guildhall.db", "guildhall.db-wal", "guildhall.db-shm", "guildhall.lock", "keys", "keys/vault.key"]
        .iter()
        .chain(&["repositories", "worktrees", "caches"])
        .map(|name| path.join(name))
        .find(|path| std::fs::symlink_metadata(path).is_ok_and(|found| found.uid() != owner));
    if let Some(foreign) = foreign {
        let detail = format!(
            "{} belongs to another user than {shown}, so the server may not be able to use it; stop the server and run: chown -R --no-dereference {owner} {shown}",
            foreign.display()
        );
        return Some(Line::new(Level::Fail, WHAT, detail));
    }
    if own != owner {
        let detail = format!(
            "{shown} belongs to user {owner} and this is run by user {own}; run it as the server's user, such as: sudo -u '#{owner}' guildhall doctor"
        );
        return Some(Line::new(Level::Warn, WHAT, detail));
    }
    None
}

/// Files that hold secrets of the operator's.
pub(super) fn secrets(files: &[PathBuf]) -> Vec<Line> {
    files.iter().filter_map(|path| private("configuration", path)).collect()
}

/// Says so where everybody on the machine can read a file, or change it. A group may: a service can have one of its own.
fn private(what: &str, path: &Path) -> Option<Line> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    let shown = path.display();
    (mode & 0o007 != 0).then(|| {
        let detail = format!("{shown} holds secrets and is open to everybody on this machine; run: chmod o= {shown}");
        Line::new(Level::Warn, what, detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_others_can_read_is_told_with_the_command_that_mends_it() {
        let dir = tempfile::tempdir().unwrap();
        let (path, file) = (dir.path(), dir.path().join("guildhall.db"));
        std::fs::write(&file, "").unwrap();
        set(path, 0o700);
        set(&file, 0o600);
        assert_eq!(data_dir(path).iter().map(|line| line.level).collect::<Vec<_>>(), [Level::Ok]);
        set(path, 0o755);
        set(&file, 0o644);
        let lines = data_dir(path);
        assert_eq!(lines.iter().map(|line| line.level).collect::<Vec<_>>(), [Level::Warn, Level::Warn]);
        assert!(lines[0].detail.ends_with(&format!("chmod 700 {}", path.display())), "{lines:?}");
        assert!(lines[1].detail.ends_with(&format!("chmod o= {}", file.display())), "{lines:?}");
        set(&file, 0o640);
        assert!(secrets(&[file, path.join("absent")]).is_empty(), "the service's group may read it");
    }

    #[test]
    fn what_belongs_to_another_user_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let found = std::fs::metadata(dir.path()).unwrap();
        let own = found.uid();
        assert_eq!(owners(dir.path(), &found, own), None);
        let line = owners(dir.path(), &found, own + 1).unwrap();
        assert!(line.level == Level::Warn && line.detail.contains("run it as the server's user"), "{line:?}");
        std::fs::create_dir(dir.path().join("keys")).unwrap();
        // Only root gives files away; whoever is not cannot have this trouble in a test.
        let other = rustix::fs::Uid::from_raw(own + 7);
        if rustix::fs::chown(dir.path().join("keys"), Some(other), None).is_ok() {
            let line = owners(dir.path(), &found, own).unwrap();
            assert!(line.level == Level::Fail && line.detail.contains("keys belongs to another user"), "{line:?}");
        }
    }
}
