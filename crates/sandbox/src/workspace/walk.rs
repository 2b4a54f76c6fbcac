//! A walk over the files of a worktree: by the directory handle, in the order of their paths, bounded.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cap_std::fs::{Dir, DirEntry};
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::file;

/// How far a walk goes.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Entries that are looked at, at most.
    entries: usize,
    /// Folders below each other, at most.
    depth: usize,
    /// How long it may take.
    time: Duration,
}

const BOUNDS: Bounds = Bounds { entries: 200_000, depth: 128, time: Duration::from_secs(30) };

/// Bytes of a `.gitignore` that are read.
const MAX_IGNORE: u64 = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    File,
    Link,
}

/// A file that the walk came to.
#[derive(Debug)]
pub(super) struct Visit {
    /// Relative to the root.
    pub(super) path: PathBuf,
    /// It is a symbolic link, to whatever.
    pub(super) is_link: bool,
}

/// What is yet to be visited of one folder.
#[derive(Debug)]
struct Level {
    path: PathBuf,
    entries: std::vec::IntoIter<(OsString, Kind)>,
    ignored: Option<Gitignore>,
}

/// Yields regular files and symbolic links below a folder, without what git ignores and without anything called `.git`.
/// Never follows a symbolic link into a folder.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    root: &'a Dir,
    /// Rules of the folders above the first level.
    above: Vec<(PathBuf, Gitignore)>,
    levels: Vec<Level>,
    bounds: Bounds,
    entries: usize,
    until: Instant,
    cut: bool,
}

impl<'a> Walk<'a> {
    /// A walk below `under`, a folder whose path holds no symbolic link. What git ignores is judged below it only: who
    /// names an ignored folder wants to see it.
    pub(super) fn new(root: &'a Dir, under: &Path) -> Self {
        Self::within(BOUNDS, root, under)
    }

    fn within(bounds: Bounds, root: &'a Dir, under: &Path) -> Self {
        let mut walk = Self {
            root,
            above: Vec::new(),
            levels: Vec::new(),
            bounds,
            entries: 0,
            until: Instant::now() + bounds.time,
            cut: false,
        };
        let mut above: Vec<&Path> = under.ancestors().skip(1).collect();
        above.reverse();
        walk.above = above.into_iter().filter_map(|path| Some((path.to_owned(), rules(root, path)?))).collect();
        walk.enter(under.to_owned());
        walk
    }

    /// Whether a bound was met before everything was visited.
    pub(super) fn cut(&self) -> bool {
        self.cut
    }

    /// Whether the time is up.
    fn late(&mut self) -> bool {
        let late = Instant::now() >= self.until;
        self.cut |= late;
        late
    }

    fn enter(&mut self, path: PathBuf) {
        if self.levels.len() >= self.bounds.depth {
            self.cut = true;
            return;
        }
        let at = if path.as_os_str().is_empty() { Path::new(".") } else { &path };
        // A folder that went away or cannot be read holds nothing for us.
        let Ok(read) = self.root.read_dir(at) else { return };
        let mut entries = Vec::new();
        for entry in read.flatten() {
            if self.entries >= self.bounds.entries {
                self.cut = true;
                break;
            }
            self.entries += 1;
            if let Some(kind) = kind(&entry) {
                entries.push((entry.file_name(), kind));
            }
        }
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let ignored = match entries.iter().any(|(name, kind)| name == ".gitignore" && *kind == Kind::File) {
            true => rules(self.root, &path),
            false => None,
        };
        self.levels.push(Level { path, entries: entries.into_iter(), ignored });
    }

    fn ignores(&self, path: &Path, is_folder: bool) -> bool {
        let levels = self.levels.iter().rev().filter_map(|level| Some((&level.path, level.ignored.as_ref()?)));
        let above = self.above.iter().rev().map(|(path, rules)| (path, rules));
        // The innermost rule that says something counts.
        for (folder, rules) in levels.chain(above) {
            match rules.matched(path.strip_prefix(folder).unwrap_or(path), is_folder) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
        }
        false
    }
}

impl Iterator for Walk<'_> {
    type Item = Visit;

    fn next(&mut self) -> Option<Visit> {
        loop {
            if self.late() {
                return None;
            }
            let level = self.levels.last_mut()?;
            let Some((name, kind)) = level.entries.next() else {
                self.levels.pop();
                continue;
            };
            let path = level.path.join(&name);
            if name == ".git" || self.ignores(&path, kind == Kind::Folder) {
                continue;
            }
            match kind {
                Kind::Folder => self.enter(path),
                Kind::File | Kind::Link => return Some(Visit { path, is_link: kind == Kind::Link }),
            }
        }
    }
}

fn kind(entry: &DirEntry) -> Option<Kind> {
    let kind = entry.file_type().ok()?;
    match kind {
        kind if kind.is_dir() => Some(Kind::Folder),
        kind if kind.is_file() => Some(Kind::File),
        kind if kind.is_symlink() => Some(Kind::Link),
        _ => None,
    }
}

/// The rules of the `.gitignore` in a folder. A rule that cannot be read is passed over, as git does.
fn rules(root: &Dir, folder: &Path) -> Option<Gitignore> {
    let (file, _) = file::open(root, ".gitignore", &folder.join(".gitignore")).ok()?;
    let mut bytes = Vec::new();
    file.take(MAX_IGNORE).read_to_end(&mut bytes).ok()?;
    let mut builder = GitignoreBuilder::new("");
    for line in String::from_utf8_lossy(&bytes).trim_start_matches('\u{feff}').lines() {
        let _ = builder.add_line(None, line);
    }
    builder.build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_holds_and_is_told() {
        let place = tempfile::tempdir().unwrap();
        for path in ["a/b/c/d", "e"] {
            std::fs::create_dir_all(place.path().join(path)).unwrap();
        }
        for n in 0..50 {
            std::fs::write(place.path().join(format!("e/{n}")), "").unwrap();
            std::fs::write(place.path().join(format!("a/b/c/d/{n}")), "").unwrap();
        }
        let root = Dir::open_ambient_dir(place.path(), cap_std::ambient_authority()).unwrap();
        let walked = |bounds: Bounds| {
            let mut walk = Walk::within(bounds, &root, Path::new(""));
            (walk.by_ref().count(), walk.cut())
        };
        assert_eq!(walked(BOUNDS), (100, false));
        assert_eq!(walked(Bounds { entries: 60, ..BOUNDS }), (55, true), "a, e, b, c, d, the files of d, five more");
        assert_eq!(walked(Bounds { entries: 105, ..BOUNDS }), (100, false));
        assert_eq!(walked(Bounds { depth: 4, ..BOUNDS }), (50, true));
        assert_eq!(walked(Bounds { depth: 5, ..BOUNDS }), (100, false));
        assert_eq!(walked(Bounds { time: Duration::ZERO, ..BOUNDS }), (0, true));
    }
}
