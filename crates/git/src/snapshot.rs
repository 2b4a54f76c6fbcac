//! Snapshots: the state of a worktree as a commit on a hidden ref.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use guildhall_types::DateTime;
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
/// Bytes of larger files that are kept together of a worktree that never comes back.
const LARGE: u64 = 1024 * 1024 * 1024;
/// Bytes of the names of new and changed files that are read at most, and of files of nested repositories that are taken: the
/// server itself holds them, outside of what the run may have.
const NAMES: u64 = 64 * 1024 * 1024;

/// After so long, git may be waiting at a pipe that an agent left where it opens files.
const STALLED: Duration = Duration::from_secs(3);

/// A look at a worktree's files, and the snapshot that was taken of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit; nothing when the files that are kept are as they were.
    pub commit: Option<Oid>,
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

    /// A sentence for each thing that is not kept, and by what it is known again: its path, which is none of what is
    /// counted. A file that grows is still the same.
    pub fn told(&self) -> impl Iterator<Item = (&str, String)> {
        let large = self.large.iter().map(|(path, size)| {
            let told = format!("{path} has {size} bytes: too large to be kept, so it stays out of the work.");
            (path.as_str(), told)
        });
        let nested = (self.nested > 0).then(|| {
            let told = format!(
                "{} files of repositories within the worktree stay out of the work: of each, {NESTED} are kept.",
                self.nested
            );
            ("", told)
        });
        large.chain(nested)
    }
}

/// How much of a worktree's files is kept at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    /// Bytes of files beyond the largest that is always kept.
    large: u64,
    /// Files of each nested repository.
    nested: usize,
}

impl Most {
    /// Of work that goes on: the next turn finds in its worktree what is not kept.
    pub(crate) const TURN: Self = Self { large: 0, nested: NESTED };
    /// Of a worktree that never comes back.
    pub(crate) const LAST: Self = Self { large: LARGE, nested: usize::MAX };
}

/// The commit that is to be made of a worktree's files.
pub(crate) struct Making<'a> {
    pub(crate) message: &'a str,
    pub(crate) author: &'a Identity,
    /// When it says that it was made; nothing: now.
    pub(crate) at: Option<DateTime>,
    pub(crate) most: Most,
}

impl Repo {
    /// Takes a snapshot of a worktree on the run's hidden ref, which must stand at `parent`. Files that git ignores stay
    /// out. No commit is made when the files that are kept are as in `parent`; what is not kept is told all the same.
    ///
    /// # Errors
    /// [`GitError::Moved`] when somebody else took the run over or over-wrote its ref, or when git fails.
    pub async fn snapshot(
        &self,
        worktree: &Worktree,
        parent: &Oid,
        message: &str,
        author: &Identity,
    ) -> Result<Snapshot, GitError> {
        let name = snapshot_ref(&worktree.name)?;
        let making = Making { message, author, at: None, most: Most::TURN };
        let taken = self.commit_files(worktree, parent, &making).await?;
        if let Some(commit) = &taken.commit {
            self.update_ref(&name, commit, Some(parent)).await?;
        }
        Ok(taken)
    }

    /// Makes a commit of a worktree's files that no ref holds yet; nothing when the files are as in `parent`. Tells what is not
    /// kept.
    pub(crate) async fn commit_files(
        &self,
        worktree: &Worktree,
        parent: &Oid,
        making: &Making<'_>,
    ) -> Result<Snapshot, GitError> {
        // Git would only say that it could not be started there.
        if !worktree.tree().is_dir() {
            return Err(GitError::Missing { what: "worktree", name: worktree.tree().display().to_string() });
        }
        let listed = self.changed(worktree).await?;
        let held = match making.most.large {
            0 => Vec::new(),
            _ => self.taken_since(worktree, parent).await?,
        };
        let tree_path = worktree.tree();
        let most = making.most;
        let choosing = blocking(move || {
            choose(&tree_path, &listed, &held, most).map_err(GitError::file(&tree_path, "looked through"))
        });
        let Chosen { gone, there, left_out, .. } = choosing.await?;
        // What is gone first, so that a file can take the place of a folder and the other way round.
        for (how, paths) in [("--force-remove", gone), ("--add", there)] {
            if !paths.is_empty() {
                self.put_in_index(worktree, how, Arc::new(paths)).await?;
            }
        }
        let tree = self.of_tree(worktree, "write-tree").args::<&str>([]).line().await?;
        let before = self.git("rev-parse").args([&format!("{parent}^{{tree}}")]).line().await?;
        if tree == before {
            return Ok(Snapshot { commit: None, left_out });
        }
        let date = making.at.map(|at| format!("{} +0000", at.timestamp()));
        let commit = self.commit_at(date.as_deref(), &tree, &[parent], making.message, making.author).await?;
        Ok(Snapshot { commit: Some(commit), left_out })
    }
}

impl Repo {
    /// Has git take these paths into the index, as they are in the worktree.
    async fn put_in_index(&self, worktree: &Worktree, how: &str, paths: Arc<Vec<u8>>) -> Result<(), GitError> {
        let update = || self.of_tree(worktree, "update-index");
        let args = [how, "--remove", "-z", "--stdin"];
        let refused = match freed(worktree, update().args(args).stdin(Arc::clone(&paths)).run()).await {
            Err(error @ GitError::Failed { .. }) if !error.is_full() && !error.is_damaged() => error,
            done => return done.map(|_| ()),
        };
        // An attribute may ask for what a file cannot be, such as text in an encoding that it is not in, and git then takes
        // nothing at all. The work must be saved: as it is, then, by the attributes of a commit that holds none.
        let none = self.git("hash-object").args(["-t", "tree", "--stdin"]).stdin(Vec::new()).line().await?;
        let plain = update().env("GIT_ATTR_SOURCE", none).args(args).stdin(paths);
        freed(worktree, plain.run()).await.map(|_| ()).map_err(|_| refused)
    }

    /// The paths of what the index holds otherwise than `parent`, each ended by NUL: an earlier look took it.
    async fn taken_since(&self, worktree: &Worktree, parent: &Oid) -> Result<Vec<u8>, GitError> {
        let args = ["--cached", "--name-only", "-z", parent.as_str()];
        let held = self.of_tree(worktree, "diff-index").max_output(NAMES).args(args).output().await?;
        match (held.cut, held.code) {
            (true, _) => Err(GitError::TooMany { megabytes: NAMES / 1_000_000 }),
            (false, Some(0)) => Ok(held.stdout),
            _ => Err(held.failed("diff-index")),
        }
    }

    /// The paths of what is new or changed in a worktree, each ended by NUL.
    pub(crate) async fn changed(&self, worktree: &Worktree) -> Result<Vec<u8>, GitError> {
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
pub(crate) async fn freed<T>(
    worktree: &Worktree,
    call: impl Future<Output = Result<T, GitError>>,
) -> Result<T, GitError> {
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
struct Chosen {
    /// No longer there.
    gone: Vec<u8>,
    /// New or changed.
    there: Vec<u8>,
    left_out: LeftOut,
    /// What is left of it.
    most: Most,
}

impl Chosen {
    fn take(&mut self, path: &[u8], found: &Thing) {
        found.make_readable();
        let large = found.is_file() && found.size > LARGEST;
        let room = self.most.large.checked_sub(found.size).filter(|_| large);
        self.most.large = room.unwrap_or(self.most.large);
        if large && room.is_none() {
            self.left_out.large.push((String::from_utf8_lossy(path).into_owned(), found.size));
        } else {
            self.there.extend_from_slice(path);
            self.there.push(0);
        }
    }

    fn take_nested(&mut self, below: &Below, start: PathBuf) -> io::Result<()> {
        let mut taken = 0;
        let mut folders = vec![start];
        while let Some(folder) = folders.pop() {
            for name in unless_gone(below.names(&folder))?.unwrap_or_default() {
                if name.as_c_str() == c".git" {
                    continue;
                }
                let path = folder.join(OsStr::from_bytes(name.as_bytes()));
                let Some(found) = unless_gone(below.find(&path))? else { continue };
                let full = taken == self.most.nested || self.there.len() as u64 > NAMES;
                match found.kind {
                    FileType::Directory => folders.push(path),
                    FileType::RegularFile | FileType::Symlink if full => self.left_out.nested += 1,
                    FileType::RegularFile | FileType::Symlink => {
                        taken += 1;
                        self.take(path.as_os_str().as_bytes(), &found);
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// What was found at a path, if anything is there.
///
/// # Errors
/// When nobody can tell: what may be there is not to be taken for deleted.
pub(crate) fn unless_gone<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if tree::is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Picks the paths that go into the index: everything that git finds changed or new but what is too large; a nested
/// repository as the plain files that it holds, so that no work in it is lost and git never looks into its configuration.
///
/// What is `held` was picked by an earlier look, and counts against the bound of all unless it changed since.
fn choose(tree: &Path, listed: &[u8], held: &[u8], most: Most) -> io::Result<Chosen> {
    let below = Below::open(tree)?;
    let most = Most { large: most.large.saturating_sub(large_of(&below, listed, held)?), ..most };
    match choose_of(&below, listed, most) {
        // A folder that may be read and not entered: git names what is in it, and complains of nothing.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            tree::tame(tree, false)?;
            choose_of(&below, listed, most)
        }
        chosen => chosen,
    }
}

/// The paths of a list in which each is ended by NUL.
pub(crate) fn paths(listed: &[u8]) -> impl Iterator<Item = &[u8]> {
    listed.split(|byte| *byte == 0).filter(|path| !path.is_empty())
}

/// Bytes of the large files among those that are held and not listed anew.
fn large_of(below: &Below, listed: &[u8], held: &[u8]) -> io::Result<u64> {
    if held.is_empty() {
        return Ok(0);
    }
    let listed: HashSet<&[u8]> = paths(listed).collect();
    let mut bytes = 0;
    for path in paths(held).filter(|path| !listed.contains(path)) {
        let found = unless_gone(below.find(Path::new(OsStr::from_bytes(path))))?;
        bytes += found.filter(|found| found.is_file() && found.size > LARGEST).map_or(0, |found| found.size);
    }
    Ok(bytes)
}

fn choose_of(below: &Below, listed: &[u8], most: Most) -> io::Result<Chosen> {
    let mut chosen = Chosen { gone: Vec::new(), there: Vec::new(), left_out: LeftOut::default(), most };
    for path in paths(listed) {
        if let Some(nested) = path.strip_suffix(b"/") {
            chosen.take_nested(below, PathBuf::from(OsString::from_vec(nested.to_vec())))?;
            continue;
        }
        // What is found by way of a symbolic link is no file of the worktree.
        match unless_gone(below.find(Path::new(OsStr::from_bytes(path))))? {
            Some(found) if found.is_file() || found.kind == FileType::Symlink => {
                chosen.take(path, &found);
                continue;
            }
            // A submodule stays as it is. A folder where a file was: the file is gone.
            Some(found) if found.kind == FileType::Directory && found.holds(c".git") => continue,
            // Gone; a pipe or a device is nobody's work.
            Some(_) | None => {}
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
        let last = choose(place.path(), b"nested/\0", b"", Most::LAST).unwrap();
        assert!(last.left_out.is_empty() && last.there.iter().filter(|byte| **byte == 0).count() == NESTED + 3);
        let chosen = choose(place.path(), b"nested/\0", b"", Most::TURN).unwrap();
        assert_eq!(chosen.there.iter().filter(|byte| **byte == 0).count(), NESTED);
        assert_eq!(chosen.left_out, LeftOut { large: Vec::new(), nested: 3 });
        let told: Vec<(&str, String)> = chosen.left_out.told().collect();
        assert!(told.len() == 1 && told[0].1.starts_with("3 files of repositories within the worktree"), "{told:?}");
    }

    #[test]
    fn large_files_are_kept_to_a_bound_where_nothing_comes_back() {
        let place = tempfile::tempdir().unwrap();
        for (name, bytes) in [("one", LARGEST + 1), ("rest", LARGE - LARGEST - 1), ("over", LARGEST + 1), ("small", 1)]
        {
            std::fs::File::create(place.path().join(name)).unwrap().set_len(bytes).unwrap();
        }
        let of = |most| choose(place.path(), b"one\0rest\0over\0small\0", b"", most).unwrap();
        let last = of(Most::LAST);
        assert_eq!(last.there, b"one\0rest\0small\0");
        assert_eq!(last.left_out.large, [("over".to_owned(), LARGEST + 1)]);
        let turn = of(Most::TURN);
        assert_eq!((turn.there.as_slice(), turn.left_out.large.len()), (b"small\0".as_slice(), 3));
    }

    /// The bound is of all that is kept, however often it is looked: files of an earlier look are in the index, and git
    /// lists them no more.
    #[tokio::test]
    async fn what_an_earlier_look_took_counts_against_the_bound_as_well() {
        let dir = tempfile::tempdir().unwrap();
        let author = Identity { name: "Anna".to_owned(), email: "anna@example.com".to_owned() };
        let repo = Repo::create(&dir.path().join("p.git"), "main", &author, "First", &[]).await.unwrap();
        let base = repo.branch("main").await.unwrap().unwrap();
        let worktree = repo.add_worktree("r1", &dir.path().join("r1"), "guild/one", &base).await.unwrap();
        let dump = |name: &str| {
            let file = std::fs::File::create(worktree.tree().join(name)).unwrap();
            file.set_len(LARGEST + 1).unwrap();
        };
        let look = async || {
            let most = Most { large: 2 * LARGEST, nested: NESTED };
            let making = Making { message: "Left\n", author: &author, at: None, most };
            let Snapshot { commit, left_out } = repo.commit_files(&worktree, &base, &making).await.unwrap();
            let commit = commit.unwrap();
            let mut kept = Vec::new();
            for name in ["one", "two"] {
                let found = repo.file_at(&commit, name, 1).await.unwrap();
                kept.extend(found.map(|_| name));
            }
            let out: Vec<String> = left_out.large.into_iter().map(|(name, _)| name).collect();
            (kept, out)
        };
        dump("one");
        dump("two");
        for _ in 0..3 {
            assert_eq!(look().await, (vec!["one"], vec!["two".to_owned()]));
        }
        // What is gone makes room.
        std::fs::remove_file(worktree.tree().join("one")).unwrap();
        assert_eq!(look().await, (vec!["two"], Vec::new()));
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_taken_for_deleted() {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(place.path().join("nested/.git")).unwrap();
        for file in ["file", "nested/file"] {
            std::fs::write(place.path().join(file), "").unwrap();
        }
        let below = Below::open(place.path()).unwrap();
        let former = getrlimit(Resource::Nofile);
        // As in a server that has no descriptor left.
        setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..former }).unwrap();
        let of = |listed: &[u8]| choose_of(&below, listed, Most::TURN).map(|chosen| (chosen.gone, chosen.there));
        let found = (of(b"file\0"), of(b"nested/\0"));
        setrlimit(Resource::Nofile, former).unwrap();
        assert!(found.0.is_err() && found.1.is_err(), "{found:?}");
        assert_eq!(of(b"file\0none\0nested/\0").unwrap(), (b"none\0".to_vec(), b"file\0nested/file\0".to_vec()));
    }
}
