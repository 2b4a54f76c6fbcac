//! What is in a worktree beside the work, and how what was written there since is taken away again: what a check leaves is in no
//! commit, and the next one is to see what would be merged.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::FileType;

use crate::snapshot::{freed, paths, unless_gone};
use crate::tree::{self, Below};
use crate::worktree::{Worktree, blocking};
use crate::{GitError, Repo};

/// How often it is listed what is new at most: each time but the last, one that said what git ignores was found among it.
const LISTINGS: usize = 100;

/// What a worktree holds otherwise than the latest snapshot of it does: what no snapshot keeps, and what was changed since. Files
/// that git ignores are not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beside(BTreeSet<Vec<u8>>);

impl Beside {
    /// As a file that holds it: each path ended by NUL.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|path| path.iter().copied().chain([0])).collect()
    }

    /// From such a file.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(paths(bytes).map(<[u8]>::to_vec).collect())
    }
}

impl Repo {
    /// What a worktree holds beside the snapshot that was taken of it last.
    ///
    /// # Errors
    /// When git fails.
    pub async fn beside(&self, worktree: &Worktree) -> Result<Beside, GitError> {
        Ok(Beside::from_bytes(&self.changed(worktree).await?))
    }

    /// Takes away what was written in a worktree since `before` was looked at: files of the latest snapshot are as they are there,
    /// new ones are gone, and files that git ignores stay. What it ignores is what it ignored then. Returns what it was, in the
    /// order of the names. Nobody may be at work in the worktree.
    ///
    /// # Errors
    /// When git fails, or something cannot be removed.
    pub async fn undo(&self, worktree: &Worktree, before: &Beside) -> Result<Vec<String>, GitError> {
        let mut gone = Vec::new();
        for _ in 0..LISTINGS {
            let new = self.new_since(worktree, before).await?;
            // What git ignores is to be brought back before anything is judged by it.
            let ignores: Vec<Vec<u8>> = new.iter().filter(|path| says_what_is_ignored(path)).cloned().collect();
            let last = ignores.is_empty();
            let new = if last { new } else { ignores };
            if !new.is_empty() {
                gone.extend(self.take_back(worktree, before, new).await?);
            }
            if last {
                gone.sort();
                return Ok(gone);
            }
        }
        let why = io::Error::other("what git ignores there changes again and again");
        Err(GitError::file(worktree.tree(), "brought back")(why))
    }

    async fn new_since(&self, worktree: &Worktree, before: &Beside) -> Result<Vec<Vec<u8>>, GitError> {
        let now = Beside::from_bytes(&self.changed(worktree).await?);
        Ok(now.0.difference(&before.0).filter(|path| !before.holds_below(path)).cloned().collect())
    }

    /// Removes these files, and puts those in place that the latest snapshot holds.
    async fn take_back(
        &self,
        worktree: &Worktree,
        before: &Beside,
        new: Vec<Vec<u8>>,
    ) -> Result<Vec<String>, GitError> {
        let at = worktree.tree();
        let removing = blocking(move || {
            let gone = match remove(&at, &new) {
                // A folder that may not be written in.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    tree::tame(&at, false).and_then(|()| remove(&at, &new))
                }
                gone => gone,
            };
            gone.map_err(GitError::file(&at, "brought back"))
        });
        let gone = removing.await?;
        let missing = self.of_tree(worktree, "ls-files").args(["-z", "--deleted"]).run().await?;
        let missing: Vec<u8> = paths(&missing)
            .filter(|path| !before.0.contains(*path))
            .flat_map(|path| path.iter().copied().chain([0]))
            .collect();
        if !missing.is_empty() {
            let args = ["--force", "--quiet", "-z", "--stdin"];
            let back = self.in_tree(worktree, "checkout-index").args(args).stdin(Arc::new(missing));
            freed(worktree, back.run()).await?;
        }
        Ok(gone)
    }
}

impl Beside {
    /// Whether something of it lies below a folder, which is named with a slash at its end.
    fn holds_below(&self, folder: &[u8]) -> bool {
        folder.ends_with(b"/") && self.0.iter().any(|path| path.starts_with(folder))
    }
}

/// Whether a file says what git ignores.
fn says_what_is_ignored(path: &[u8]) -> bool {
    path.rsplit(|byte| *byte == b'/').next() == Some(b".gitignore")
}

/// Removes these. What was removed already, with a folder in whose place it was, is as good.
fn remove(at: &Path, all: &[Vec<u8>]) -> io::Result<Vec<String>> {
    let below = Below::open(at)?;
    let mut gone = Vec::new();
    for name in all {
        let folder = name.strip_suffix(b"/");
        let path = Path::new(OsStr::from_bytes(folder.unwrap_or(name)));
        let found = unless_gone(below.find(path))?;
        // A submodule stays as it is.
        let submodule = |found: &tree::Thing| found.kind == FileType::Directory && found.holds(c".git");
        if folder.is_none() && found.as_ref().is_some_and(submodule) {
            continue;
        }
        if found.is_some() {
            tree::remove_below(at, path)?;
        }
        gone.push(String::from_utf8_lossy(name).into_owned());
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::{Identity, NewFile};

    #[tokio::test]
    async fn what_was_written_since_a_look_goes_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let author = Identity { name: "Anna".to_owned(), email: "anna@example.com".to_owned() };
        let file = |path: &str, text: &str| NewFile { path: path.to_owned(), bytes: text.into(), executable: false };
        let files = [file("kept.txt", "kept\n"), file("src/a.txt", "a\n"), file(".gitignore", "target\n")];
        let repo = Repo::create(&dir.path().join("p.git"), "main", &author, "First", &files).await.unwrap();
        let base = repo.branch("main").await.unwrap().unwrap();
        let worktree = repo.add_worktree("r1", &dir.path().join("r1"), "guild/one", &base).await.unwrap();
        let at = |name: &str| worktree.tree().join(name);
        let large = std::fs::File::create(at("large.bin")).unwrap();
        large.set_len(51 * 1024 * 1024).unwrap();
        std::fs::write(at("work.txt"), "work\n").unwrap();
        repo.snapshot(&worktree, &base, "Work\n", &author).await.unwrap();
        let before = repo.beside(&worktree).await.unwrap();
        assert_eq!(before.to_bytes(), b"large.bin\0");
        assert_eq!(Beside::from_bytes(&before.to_bytes()), before);
        assert_eq!(repo.undo(&worktree, &before).await.unwrap(), Vec::<String>::new());

        std::fs::write(at("work.txt"), "formatted\n").unwrap();
        std::fs::remove_file(at("kept.txt")).unwrap();
        std::fs::remove_dir_all(at("src")).unwrap();
        symlink(dir.path(), at("src")).unwrap();
        std::fs::create_dir_all(at("out/deep")).unwrap();
        std::fs::write(at("out/deep/new.txt"), "new\n").unwrap();
        std::fs::set_permissions(at("out/deep"), std::fs::Permissions::from_mode(0o555)).unwrap();
        std::fs::create_dir_all(at("clone/.git")).unwrap();
        std::fs::write(at("clone/file"), "").unwrap();
        std::fs::create_dir_all(at("target")).unwrap();
        std::fs::write(at("target/cached"), "").unwrap();
        let gone = repo.undo(&worktree, &before).await.unwrap();
        for name in ["work.txt", "kept.txt", "src", "out/deep/new.txt"] {
            assert!(gone.iter().any(|gone| gone == name), "{name}: {gone:?}");
        }
        assert_eq!(repo.beside(&worktree).await.unwrap(), before);
        let read = |name: &str| std::fs::read_to_string(at(name)).unwrap();
        assert_eq!(
            (read("work.txt"), read("kept.txt"), read("src/a.txt")),
            ("work\n".into(), "kept\n".into(), "a\n".into())
        );
        assert!(at("large.bin").exists() && at("target/cached").exists() && !at("clone").join("file").exists());
        assert!(dir.path().join("p.git").exists(), "what a link leads to stays");
    }

    #[tokio::test]
    async fn what_is_ignored_is_what_was_ignored_before() {
        let dir = tempfile::tempdir().unwrap();
        let author = Identity { name: "Anna".to_owned(), email: "anna@example.com".to_owned() };
        let file = |path: &str, text: &str| NewFile { path: path.to_owned(), bytes: text.into(), executable: false };
        let files = [file(".gitignore", "target\n"), file("web/.gitignore", "node_modules\n")];
        let repo = Repo::create(&dir.path().join("p.git"), "main", &author, "First", &files).await.unwrap();
        let base = repo.branch("main").await.unwrap().unwrap();
        let worktree = repo.add_worktree("r1", &dir.path().join("r1"), "guild/one", &base).await.unwrap();
        let at = |name: &str| worktree.tree().join(name);
        let write = |name: &str, text: &str| {
            std::fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            std::fs::write(at(name), text).unwrap();
        };
        write("target/cached", "");
        write("web/node_modules/one", "");
        let before = repo.beside(&worktree).await.unwrap();
        assert_eq!(before, Beside::default());

        // Gone, or with fewer patterns: what was ignored is not new.
        std::fs::remove_file(at(".gitignore")).unwrap();
        write("web/.gitignore", "");
        assert_eq!(repo.undo(&worktree, &before).await.unwrap(), [".gitignore", "web/.gitignore"]);
        assert!(at("target/cached").exists() && at("web/node_modules/one").exists());

        // With more patterns, or new: what is ignored only since is new.
        write(".gitignore", "target\n*.out\n");
        write("a.out", "");
        write("new/.gitignore", "*.log\n");
        write("new/deep/.gitignore", "*.tmp\n");
        write("new/b.log", "");
        write("new/deep/c.tmp", "");
        let gone = repo.undo(&worktree, &before).await.unwrap();
        assert_eq!(
            gone,
            [".gitignore", "a.out", "new/.gitignore", "new/b.log", "new/deep/.gitignore", "new/deep/c.tmp"]
        );
        assert_eq!(repo.beside(&worktree).await.unwrap(), before);
        assert_eq!(std::fs::read_to_string(at("web/.gitignore")).unwrap(), "node_modules\n");
        assert!(at("target/cached").exists() && !at("a.out").exists() && !at("new/b.log").exists());
    }
}
