//! Snapshots: the state of a worktree as a commit on a hidden ref.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::repo::snapshot_ref;
use crate::worktree::Worktree;
use crate::{GitError, Identity, Oid, Repo};

/// Bytes of a file that goes into a snapshot at most; a larger one is left out and named.
const LARGEST: u64 = 50 * 1024 * 1024;
/// Files of nested repositories that go into a snapshot at most.
const NESTED: usize = 20_000;

/// A snapshot that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit.
    pub commit: Oid,
    /// Files that are too large to be kept, with their sizes in bytes.
    pub left_out: Vec<(String, u64)>,
}

impl Repo {
    /// Takes a snapshot of a worktree on the run's hidden ref; its parent is `parent`. Files that git ignores stay out.
    /// Returns nothing when the files are as in `parent`.
    ///
    /// # Errors
    /// [`GitError::Moved`] when another snapshot came in between, or when git fails.
    pub async fn snapshot(
        &self,
        worktree: &Worktree,
        parent: &Oid,
        message: &str,
        author: &Identity,
    ) -> Result<Option<Snapshot>, GitError> {
        let name = snapshot_ref(&worktree.name)?;
        let listing = self.in_tree(worktree, "ls-files").args([
            "-z",
            "--modified",
            "--others",
            "--exclude-standard",
            "--deduplicate",
        ]);
        let (listed, (old, before)) = tokio::try_join!(listing.run(), self.before(&name, parent))?;
        let tree_path = worktree.tree();
        let Chosen { gone, there, left_out } = tokio::task::spawn_blocking(move || choose(&tree_path, &listed))
            .await
            .map_err(|error| GitError::Program(std::io::Error::other(error)))?;
        // What is gone first, so that a file can take the place of a folder and the other way round.
        for (how, paths) in [("--force-remove", gone), ("--add", there)] {
            if !paths.is_empty() {
                let update = self.in_tree(worktree, "update-index").args([how, "--remove", "-z", "--stdin"]);
                update.stdin(paths).run().await?;
            }
        }
        let tree = self.in_tree(worktree, "write-tree").args::<&str>([]).line().await?;
        if tree == before {
            return Ok(None);
        }
        let commit = self.commit_tree(&tree, &[parent], message, author).await?;
        self.update_ref(&name, &commit, old.as_ref()).await?;
        Ok(Some(Snapshot { commit, left_out }))
    }

    /// What a hidden ref holds, and the tree of a commit; one process for both.
    async fn before(&self, name: &str, parent: &Oid) -> Result<(Option<Oid>, String), GitError> {
        let asked = format!("{name}^{{commit}}\n{parent}^{{tree}}\n").into_bytes();
        let told = self.git("cat-file").args(["--batch-check=%(objectname)"]).stdin(asked).run().await?;
        let told = String::from_utf8_lossy(&told).into_owned();
        let mut lines = told.lines().map(|line| line.strip_suffix(" missing").map_or(Some(line), |_| None));
        let old = lines.next().flatten().map(Oid::parse).transpose()?;
        let tree =
            lines.next().flatten().ok_or_else(|| GitError::Missing { what: "commit", name: parent.to_string() })?;
        Ok((old, tree.to_owned()))
    }
}

/// What is to be done with the index: lists of paths, each ended by NUL.
#[derive(Default)]
struct Chosen {
    /// No longer there.
    gone: Vec<u8>,
    /// New or changed.
    there: Vec<u8>,
    /// Too large to be kept, with their sizes.
    left_out: Vec<(String, u64)>,
}

impl Chosen {
    fn take(&mut self, path: &[u8], size: u64, regular: bool) {
        if regular && size > LARGEST {
            self.left_out.push((String::from_utf8_lossy(path).into_owned(), size));
        } else {
            self.there.extend_from_slice(path);
            self.there.push(0);
        }
    }
}

/// Picks the paths that go into the index: everything that git finds changed or new but what is too large; a nested
/// repository as the plain files that it holds, so that no work in it is lost and git never looks into its configuration.
fn choose(tree: &Path, listed: &[u8]) -> Chosen {
    let mut chosen = Chosen::default();
    let mut links = HashMap::new();
    for path in listed.split(|byte| *byte == 0).filter(|path| !path.is_empty()) {
        if let Some(nested) = path.strip_suffix(b"/") {
            for (file, size, regular) in files_below(tree, nested) {
                chosen.take(file.as_bytes(), size, regular);
            }
            continue;
        }
        let relative = PathBuf::from(OsString::from_vec(path.to_vec()));
        match std::fs::symlink_metadata(tree.join(&relative)) {
            // What is found by way of a symbolic link is no file of the worktree.
            Ok(_) | Err(_) if below_a_link(tree, relative.parent(), &mut links) => {}
            Ok(meta) if meta.is_file() || meta.is_symlink() => {
                chosen.take(path, meta.len(), meta.is_file());
                continue;
            }
            // A submodule stays as it is. A folder where a file was: the file is gone.
            Ok(meta) if meta.is_dir() && tree.join(&relative).join(".git").symlink_metadata().is_ok() => continue,
            // Gone; a pipe or a device is nobody's work.
            Ok(_) | Err(_) => {}
        }
        chosen.gone.extend_from_slice(path);
        chosen.gone.push(0);
    }
    chosen
}

/// Whether a folder of the worktree, or one above it, is a symbolic link.
fn below_a_link(tree: &Path, folder: Option<&Path>, known: &mut HashMap<PathBuf, bool>) -> bool {
    let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) else { return false };
    if let Some(link) = known.get(folder) {
        return *link;
    }
    let link = std::fs::symlink_metadata(tree.join(folder)).is_ok_and(|meta| meta.is_symlink())
        || below_a_link(tree, folder.parent(), known);
    known.insert(folder.to_owned(), link);
    link
}

fn files_below(tree: &Path, start: &[u8]) -> Vec<(OsString, u64, bool)> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(OsString::from_vec(start.to_vec()))];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(tree.join(&folder)) else { continue };
        for entry in entries.flatten() {
            let Ok(meta) = entry.path().symlink_metadata() else { continue };
            let path = folder.join(entry.file_name());
            if entry.file_name() == ".git" || found.len() >= NESTED {
                continue;
            } else if meta.is_dir() {
                folders.push(path);
            } else if meta.is_file() || meta.is_symlink() {
                found.push((path.into_os_string(), meta.len(), meta.is_file()));
            }
        }
    }
    found
}
