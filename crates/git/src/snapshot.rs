//! Snapshots: the state of a worktree as a commit on a hidden ref.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::nested::past_broken;
use crate::program::Output;
use crate::repo::snapshot_ref;
use crate::worktree::{Worktree, blocking};
use crate::{GitError, Identity, Oid, Repo, tree};

/// Bytes of a file that goes into a snapshot at most; a larger one is left out and named.
const LARGEST: u64 = 50 * 1024 * 1024;
/// Files of nested repositories that go into a snapshot at most.
const NESTED: usize = 20_000;

/// After so long, git may be waiting at a pipe that an agent left where it opens files.
const STALLED: Duration = Duration::from_secs(3);

/// A snapshot that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit.
    pub commit: Oid,
    /// Files that are too large to be kept, with their sizes in bytes.
    pub left_out: Vec<(String, u64)>,
}

impl Repo {
    /// Takes a snapshot of a worktree on the run's hidden ref, which must stand at `parent`. Files that git ignores stay
    /// out. Returns nothing when the files are as in `parent`.
    ///
    /// # Errors
    /// [`GitError::Moved`] when somebody else took the run over or over-wrote its ref, or when git fails.
    pub async fn snapshot(
        &self,
        worktree: &Worktree,
        parent: &Oid,
        message: &str,
        author: &Identity,
    ) -> Result<Option<Snapshot>, GitError> {
        let name = snapshot_ref(&worktree.name)?;
        let (commit, left_out) = self.commit_files(worktree, parent, message, author).await?;
        let Some(commit) = commit else { return Ok(None) };
        self.update_ref(&name, &commit, Some(parent)).await?;
        Ok(Some(Snapshot { commit, left_out }))
    }

    /// Makes a commit of a worktree's files that no ref holds yet; nothing when the files are as in `parent`. Tells which are
    /// too large to be kept, with their sizes.
    pub(crate) async fn commit_files(
        &self,
        worktree: &Worktree,
        parent: &Oid,
        message: &str,
        author: &Identity,
    ) -> Result<(Option<Oid>, Vec<(String, u64)>), GitError> {
        // Git would only say that it could not be started there.
        if !worktree.tree().is_dir() {
            return Err(GitError::Missing { what: "worktree", name: worktree.tree().display().to_string() });
        }
        let listed = self.changed(worktree).await?;
        let tree_path = worktree.tree();
        let Chosen { gone, there, left_out } = blocking(move || Ok(choose(&tree_path, &listed))).await?;
        // What is gone first, so that a file can take the place of a folder and the other way round.
        for (how, paths) in [("--force-remove", gone), ("--add", there)] {
            if !paths.is_empty() {
                self.put_in_index(worktree, how, paths).await?;
            }
        }
        let tree = self.of_tree(worktree, "write-tree").args::<&str>([]).line().await?;
        let before = self.git("rev-parse").args([&format!("{parent}^{{tree}}")]).line().await?;
        if tree == before {
            return Ok((None, left_out));
        }
        let commit = self.commit_tree(&tree, &[parent], message, author).await?;
        Ok((Some(commit), left_out))
    }
}

impl Repo {
    /// Has git take these paths into the index, as they are in the worktree.
    async fn put_in_index(&self, worktree: &Worktree, how: &str, paths: Vec<u8>) -> Result<(), GitError> {
        let update = || self.of_tree(worktree, "update-index");
        let args = [how, "--remove", "-z", "--stdin"];
        let refused = match freed(worktree, update().args(args).stdin(paths.clone()).run()).await {
            Err(error @ GitError::Failed { .. }) if !error.is_full() && !error.is_damaged() => error,
            done => return done.map(|_| ()),
        };
        // An attribute may ask for what a file cannot be, such as text in an encoding that it is not in, and git then takes
        // nothing at all. The work must be saved: as it is, then, by the attributes of a commit that holds none.
        let none = self.git("hash-object").args(["-t", "tree", "--stdin"]).stdin(Vec::new()).line().await?;
        let plain = update().env("GIT_ATTR_SOURCE", none).args(args).stdin(paths);
        freed(worktree, plain.run()).await.map(|_| ()).map_err(|_| refused)
    }

    /// The paths of what is new or changed in a worktree, each ended by NUL.
    async fn changed(&self, worktree: &Worktree) -> Result<Vec<u8>, GitError> {
        let args = ["-z", "--modified", "--others", "--exclude-standard", "--deduplicate"];
        let once = || async {
            let listed = freed(worktree, self.of_tree(worktree, "ls-files").args(args).output()).await?;
            let done = listed.code == Some(0) || listed.stderr.contains("Permission denied");
            if done { Ok(listed) } else { Err(listed.failed("ls-files")) }
        };
        let list = || past_broken(worktree, once);
        let mut listed: Output = list().await?;
        if listed.stderr.contains("Permission denied") {
            // It passed over a folder that may not be entered, and the work in there would be lost.
            let at = worktree.tree();
            blocking(move || tree::tame(&at, false).map_err(GitError::file(at, "opened"))).await?;
            listed = list().await?;
        }
        if listed.code == Some(0) { Ok(listed.stdout) } else { Err(listed.failed("ls-files")) }
    }
}

/// Waits for a call in a worktree; one that takes long is freed of what it may be waiting at. Again and again, and less often each
/// time: a service of the agent's may leave more of it at any time, and what takes long may be a large worktree as well.
async fn freed<T>(worktree: &Worktree, call: impl Future<Output = Result<T, GitError>>) -> Result<T, GitError> {
    tokio::pin!(call);
    let mut patience = STALLED;
    loop {
        if let Ok(done) = tokio::time::timeout(patience, &mut call).await {
            return done;
        }
        let at = worktree.tree();
        let taming = blocking(move || tree::tame(&at, false).map_err(GitError::file(at, "opened")));
        tokio::select! {
            done = &mut call => return done,
            tamed = taming => tamed?,
        }
        patience *= 2;
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
                if meta.is_file() {
                    tree::make_readable(&tree.join(&relative));
                }
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
                if meta.is_file() {
                    tree::make_readable(&entry.path());
                }
                found.push((path.into_os_string(), meta.len(), meta.is_file()));
            }
        }
    }
    found
}
