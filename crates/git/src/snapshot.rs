//! Snapshots: the state of a worktree as a commit on a hidden ref.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FileType;

use crate::nested::past_broken;
use crate::program::Output;
use crate::repo::snapshot_ref;
use crate::tree::{Below, Thing};
use crate::worktree::{Worktree, blocking};
use crate::{GitError, Identity, Oid, Repo, tree};

/// Bytes of a file that goes into a snapshot at most; a larger one is left out and named.
const LARGEST: u64 = 50 * 1024 * 1024;
/// Files of a nested repository that go into a snapshot at most.
const NESTED: usize = 20_000;
/// Bytes of the names of new and changed files that are read at most: more than a worktree's files can have, as long as it may hold
/// no more than a million.
const NAMES: u64 = 256 * 1024 * 1024;

/// After so long, git may be waiting at a pipe that an agent left where it opens files.
const STALLED: Duration = Duration::from_secs(3);

/// A snapshot that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit.
    pub commit: Oid,
    /// What is not in it.
    pub left_out: LeftOut,
}

/// What of a worktree's files is not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Files that are too large, with their sizes in bytes.
    pub large: Vec<(String, u64)>,
    /// How many files of nested repositories there are beyond those that are kept.
    pub nested: usize,
}

impl LeftOut {
    /// Whether all is kept.
    pub fn is_empty(&self) -> bool {
        self.large.is_empty() && self.nested == 0
    }

    /// A sentence for each thing that is not kept.
    pub fn told(&self) -> impl Iterator<Item = String> {
        let large = self
            .large
            .iter()
            .map(|(path, size)| format!("{path} has {size} bytes: too large to be kept, so it stays out of the work."));
        let nested = (self.nested > 0).then(|| {
            format!(
                "{} files of repositories within the worktree stay out of the work: of each, {NESTED} are kept.",
                self.nested
            )
        });
        large.chain(nested)
    }
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

    /// Makes a commit of a worktree's files that no ref holds yet; nothing when the files are as in `parent`. Tells what is not
    /// kept.
    pub(crate) async fn commit_files(
        &self,
        worktree: &Worktree,
        parent: &Oid,
        message: &str,
        author: &Identity,
    ) -> Result<(Option<Oid>, LeftOut), GitError> {
        // Git would only say that it could not be started there.
        if !worktree.tree().is_dir() {
            return Err(GitError::Missing { what: "worktree", name: worktree.tree().display().to_string() });
        }
        let listed = self.changed(worktree).await?;
        let tree_path = worktree.tree();
        let choosing =
            blocking(move || choose(&tree_path, &listed).map_err(GitError::file(&tree_path, "looked through")));
        let Chosen { gone, there, left_out } = choosing.await?;
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
            let call = self.of_tree(worktree, "ls-files").max_output(NAMES).args(args);
            let listed = freed(worktree, call.output()).await?;
            if listed.cut {
                // What is not in it would be lost, and of the last name a half taken for one that is gone.
                return Err(GitError::TooMany { megabytes: NAMES / 1_000_000 });
            }
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
    left_out: LeftOut,
}

impl Chosen {
    fn take(&mut self, path: &[u8], found: &Thing) {
        found.make_readable();
        if found.is_file() && found.size > LARGEST {
            self.left_out.large.push((String::from_utf8_lossy(path).into_owned(), found.size));
        } else {
            self.there.extend_from_slice(path);
            self.there.push(0);
        }
    }

    fn take_nested(&mut self, below: &Below, start: PathBuf) {
        let mut taken = 0;
        let mut folders = vec![start];
        while let Some(folder) = folders.pop() {
            for name in below.names(&folder).unwrap_or_default() {
                if name.as_c_str() == c".git" {
                    continue;
                }
                let path = folder.join(OsStr::from_bytes(name.as_bytes()));
                let Ok(found) = below.find(&path) else { continue };
                match found.kind {
                    FileType::Directory => folders.push(path),
                    FileType::RegularFile | FileType::Symlink if taken == NESTED => self.left_out.nested += 1,
                    FileType::RegularFile | FileType::Symlink => {
                        taken += 1;
                        self.take(path.as_os_str().as_bytes(), &found);
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Picks the paths that go into the index: everything that git finds changed or new but what is too large; a nested
/// repository as the plain files that it holds, so that no work in it is lost and git never looks into its configuration.
fn choose(tree: &Path, listed: &[u8]) -> std::io::Result<Chosen> {
    let below = Below::open(tree)?;
    let mut chosen = Chosen::default();
    for path in listed.split(|byte| *byte == 0).filter(|path| !path.is_empty()) {
        if let Some(nested) = path.strip_suffix(b"/") {
            chosen.take_nested(&below, PathBuf::from(OsString::from_vec(nested.to_vec())));
            continue;
        }
        // What is found by way of a symbolic link is no file of the worktree.
        match below.find(Path::new(OsStr::from_bytes(path))) {
            Ok(found) if found.is_file() || found.kind == FileType::Symlink => {
                chosen.take(path, &found);
                continue;
            }
            // A submodule stays as it is. A folder where a file was: the file is gone.
            Ok(found) if found.kind == FileType::Directory && found.holds(c".git") => continue,
            // Gone; a pipe or a device is nobody's work.
            Ok(_) | Err(_) => {}
        }
        chosen.gone.extend_from_slice(path);
        chosen.gone.push(0);
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_nested_repository_so_many_files_are_taken_and_the_others_counted() {
        let place = tempfile::tempdir().unwrap();
        let nested = place.path().join("nested/folder");
        std::fs::create_dir_all(&nested).unwrap();
        std::fs::create_dir_all(place.path().join("nested/.git")).unwrap();
        for n in 0..NESTED + 3 {
            std::fs::write(nested.join(n.to_string()), "").unwrap();
        }
        let chosen = choose(place.path(), b"nested/\0").unwrap();
        assert_eq!(chosen.there.iter().filter(|byte| **byte == 0).count(), NESTED);
        assert_eq!(chosen.left_out, LeftOut { large: Vec::new(), nested: 3 });
        let told: Vec<String> = chosen.left_out.told().collect();
        assert!(told.len() == 1 && told[0].starts_with("3 files of repositories within the worktree"), "{told:?}");
    }
}
