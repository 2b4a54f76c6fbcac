//! Worktrees that are taken away for a while, and what is left of those that never come back.
//!
//! What a worktree holds beyond the latest state of the work is laid aside on a hidden ref of its own: it comes back with the
//! worktree, and is no part of the work until somebody makes it one.

use std::io;
use std::path::Path;

use guildhall_types::{DateTime, boundary};

use crate::remote::made_up_ref;
use crate::repo::{check_branch, snapshot_ref};
use crate::snapshot::{Making, Most};
use crate::worktree::{Worktree, give_git};
use crate::{GitError, Identity, LeftOut, Oid, Repo};

const MESSAGE: &str = "What was left in the worktree\n";

/// Whether a worktree that is taken away comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// When somebody goes on with the work. It stays where it is while something in it cannot be kept.
    ForAWhile,
    /// Never: what is in it is kept though it is large, up to a gibibyte of such files.
    ForGood,
}

/// What was left in the worktree of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The run.
    pub run: String,
    /// The commit that holds it.
    pub commit: Oid,
    /// When it was laid aside.
    pub at: DateTime,
}

impl Repo {
    /// Puts what a worktree holds beyond `head`, the latest state of its work, on a ref, as laid aside at `at`. Files that git
    /// ignores stay out. Returns what is not kept.
    ///
    /// # Errors
    /// When git fails: then not all of it is on a ref.
    pub async fn lay_aside(
        &self,
        worktree: &Worktree,
        head: &Oid,
        author: &Identity,
        leaving: Leaving,
        at: DateTime,
    ) -> Result<LeftOut, GitError> {
        let name = left_ref(&worktree.name)?;
        let most = match leaving {
            Leaving::ForAWhile => Most::TURN,
            Leaving::ForGood => Most::LAST,
        };
        let making = Making { message: MESSAGE, author, at: Some(at), most };
        let taken = self.commit_files(worktree, head, &making).await?;
        match taken.commit {
            Some(commit) => {
                let old = self.resolve(&name).await?;
                self.update_ref(&name, &commit, old.as_ref()).await?;
                boundary!("worktree.laid-aside");
            }
            None => self.drop_ref(&name).await?,
        }
        Ok(taken.left_out)
    }

    /// The commit on which a worktree stands, as git knows it: of one whose run nobody knows.
    ///
    /// # Errors
    /// When that cannot be read, or git fails.
    pub async fn head_of(&self, worktree: &Worktree) -> Result<Option<Oid>, GitError> {
        let path = worktree.admin.join("HEAD");
        let text = std::fs::read_to_string(&path).map_err(GitError::file(&path, "read"))?;
        match text.trim().strip_prefix("ref: ") {
            Some(branch) => self.resolve(branch).await,
            None => Oid::parse(text.trim()).map(Some),
        }
    }

    /// All that was laid aside here.
    ///
    /// # Errors
    /// When git fails.
    pub async fn all_left(&self) -> Result<Vec<Left>, GitError> {
        let format = "--format=%(objectname) %(committerdate:unix) %(refname:lstrip=3)";
        let listed = self.git("for-each-ref").args([format, "refs/guildhall/left"]).run().await?;
        let unreadable = || GitError::Unreadable { command: "for-each-ref" };
        let read = |line: &str| {
            let (commit, rest) = line.split_once(' ')?;
            let (at, run) = rest.split_once(' ')?;
            Some((commit.to_owned(), DateTime::from_timestamp(at.parse().ok()?, 0)?, run.to_owned()))
        };
        let read =
            String::from_utf8_lossy(&listed).lines().map(read).collect::<Option<Vec<_>>>().ok_or_else(unreadable)?;
        read.into_iter().map(|(commit, at, run)| Ok(Left { run, commit: Oid::parse(&commit)?, at })).collect()
    }

    /// Forgets what was laid aside, unless something else was since.
    ///
    /// # Errors
    /// When git fails.
    pub async fn drop_left(&self, left: &Left) -> Result<(), GitError> {
        let name = left_ref(&left.run)?;
        match self.resolve(&name).await? {
            Some(at) if at == left.commit => self.drop_ref(&name).await,
            _ => Ok(()),
        }
    }

    /// What was laid aside of a run's worktree whose work stood at `head`.
    ///
    /// # Errors
    /// When git fails.
    pub async fn laid_aside(&self, run: &str, head: &Oid) -> Result<Option<Oid>, GitError> {
        let name = left_ref(run)?;
        let Some(left) = self.resolve(&name).await? else { return Ok(None) };
        // Of another state of the work it says nothing any more.
        let on = self.resolve(&format!("{name}^")).await?;
        Ok(Some(left).filter(|_| on.as_ref() == Some(head)))
    }

    /// Brings a worktree to the files that were laid aside, as changes that nobody has made a part of the work yet.
    ///
    /// # Errors
    /// When git fails.
    pub async fn take_up_aside(
        &self,
        worktree: &Worktree,
        branch: &str,
        base: &Oid,
        head: &Oid,
        left: &Oid,
    ) -> Result<(), GitError> {
        self.restore(worktree, branch, base, left).await?;
        self.in_tree(worktree, "read-tree").args([head.as_str()]).run().await?;
        give_git(worktree, branch, base).await
    }

    /// The names of the worktrees that git knows of here.
    ///
    /// # Errors
    /// When the folder cannot be read. Blocks.
    pub fn worktree_names(&self) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(self.path().join("worktrees")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        entries.map(|entry| Ok(entry?.file_name().into_string().ok())).filter_map(io::Result::transpose).collect()
    }

    /// Forgets the states of a run between its turns, if its branch holds the work whole. What was left in its worktree stays: no
    /// branch holds that. Returns whether that was so.
    ///
    /// # Errors
    /// When git fails.
    pub async fn drop_snapshots(&self, run: &str, branch: &str, head: &Oid) -> Result<bool, GitError> {
        check_branch(branch)?;
        let Some(tip) = self.branch(branch).await? else { return Ok(false) };
        if !self.is_ancestor(head, &tip).await? {
            return Ok(false);
        }
        let name = snapshot_ref(run)?;
        if let Some(at) = self.resolve(&name).await?
            && !self.is_ancestor(&at, &tip).await?
        {
            // Something beyond the work: an earlier version put there what was left in the worktree.
            match self.update_ref(&left_ref(run)?, &at, None).await {
                Err(GitError::Moved { .. }) => return Ok(false),
                done => done?,
            }
        }
        self.drop_ref(&name).await?;
        Ok(true)
    }

    /// Forgets the hidden refs of a run in which nothing was made: those that stand where it began.
    ///
    /// # Errors
    /// When git fails.
    pub async fn drop_empty_snapshots(&self, run: &str, base: &Oid) -> Result<(), GitError> {
        let name = snapshot_ref(run)?;
        match self.resolve(&name).await? {
            Some(at) if at == *base => self.drop_ref(&name).await,
            _ => Ok(()),
        }
    }

    /// Forgets what was made up of a run's work for others to look at.
    ///
    /// # Errors
    /// When git fails.
    pub async fn drop_made_up(&self, run: &str) -> Result<(), GitError> {
        self.drop_ref(&made_up_ref(run)?).await
    }

    /// Removes a ref from where it stands, if it is there.
    async fn drop_ref(&self, name: &str) -> Result<(), GitError> {
        let Some(at) = self.resolve(name).await? else { return Ok(()) };
        self.git("update-ref").args(["--no-deref", "-d", name, at.as_str()]).run().await.map(|_| ())
    }
}

/// Removes whatever is at `path`, however deep it is and whatever its rights say, and follows no link. Nobody may be at work in
/// it. Blocks.
///
/// # Errors
/// When something in it cannot be removed.
pub fn remove_folder(path: &Path) -> Result<(), GitError> {
    crate::tree::remove(path).map_err(GitError::file(path, "removed"))
}

/// The hidden ref that holds what was left in a run's worktree.
fn left_ref(run: &str) -> Result<String, GitError> {
    Ok(snapshot_ref(run)?.replacen("/runs/", "/left/", 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NewFile;

    fn author() -> Identity {
        Identity { name: "Anna".to_owned(), email: "anna@example.com".to_owned() }
    }

    fn at() -> DateTime {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    async fn repo(dir: &Path) -> (Repo, Oid) {
        let file = NewFile { path: "a.txt".to_owned(), bytes: b"one\n".to_vec(), executable: false };
        let ignore = NewFile { path: ".gitignore".to_owned(), bytes: b"built/\n".to_vec(), executable: false };
        let repo = Repo::create(&dir.join("p.git"), "main", &author(), "First", &[file, ignore]).await.unwrap();
        let base = repo.branch("main").await.unwrap().unwrap();
        (repo, base)
    }

    #[tokio::test]
    async fn what_was_left_comes_back_as_it_was_and_is_no_work_yet() {
        let dir = tempfile::tempdir().unwrap();
        let (repo, base) = repo(dir.path()).await;
        let folder = dir.path().join("r1");
        let worktree = repo.add_worktree("r1", &folder, "guild/one", &base).await.unwrap();
        std::fs::write(worktree.tree().join("work.txt"), "work\n").unwrap();
        let head = repo.snapshot(&worktree, &base, "Turn 1\n", &author()).await.unwrap().commit.unwrap();
        std::fs::write(worktree.tree().join("a.txt"), "two\n").unwrap();
        std::fs::write(worktree.tree().join("left.txt"), "left\n").unwrap();
        std::fs::create_dir(worktree.tree().join("built")).unwrap();
        std::fs::write(worktree.tree().join("built/out"), "out\n").unwrap();

        let left_out = repo.lay_aside(&worktree, &head, &author(), Leaving::ForAWhile, at()).await.unwrap();
        assert!(left_out.is_empty());
        repo.remove_worktree(&worktree).await.unwrap();
        assert!(!folder.exists() && repo.worktree_names().unwrap().is_empty());
        assert_eq!(repo.snapshot_of("r1").await.unwrap(), Some(head.clone()), "the work stands where it stood");
        assert_eq!(repo.laid_aside("r1", &base).await.unwrap(), None, "of another state it says nothing");

        let left = repo.laid_aside("r1", &head).await.unwrap().unwrap();
        let worktree = repo.readd_worktree("r1", &folder, &head).await.unwrap();
        repo.take_up_aside(&worktree, "guild/one", &base, &head, &left).await.unwrap();
        for (file, text) in [("a.txt", "two\n"), ("left.txt", "left\n"), ("work.txt", "work\n")] {
            assert_eq!(std::fs::read_to_string(worktree.tree().join(file)).unwrap(), text);
        }
        // The next turn makes it a part of the work, as if the worktree had never been away.
        let next = repo.snapshot(&worktree, &head, "Turn 2\n", &author()).await.unwrap().commit.unwrap();
        let diff = repo.diff(&head, &next, &crate::DiffLimits::default()).await.unwrap();
        let files: Vec<&str> = diff.files.iter().map(|file| file.new_path.as_str()).collect();
        assert_eq!(files, ["a.txt", "left.txt"]);

        // With nothing left, nothing comes back.
        repo.lay_aside(&worktree, &next, &author(), Leaving::ForAWhile, at()).await.unwrap();
        assert_eq!(repo.laid_aside("r1", &head).await.unwrap(), None);
    }

    #[tokio::test]
    async fn states_between_turns_go_only_where_the_branch_holds_the_work() {
        let dir = tempfile::tempdir().unwrap();
        let (repo, base) = repo(dir.path()).await;
        let worktree = repo.add_worktree("r1", &dir.path().join("r1"), "guild/one", &base).await.unwrap();
        std::fs::write(worktree.tree().join("work.txt"), "work\n").unwrap();
        let head = repo.snapshot(&worktree, &base, "Turn 1\n", &author()).await.unwrap().commit.unwrap();
        assert!(!repo.drop_snapshots("r1", "guild/one", &head).await.unwrap(), "the branch stands before the work");
        assert!(!repo.drop_snapshots("r1", "nowhere", &head).await.unwrap());
        assert!(repo.snapshot_of("r1").await.unwrap().is_some());
        repo.settle_branch("guild/one", &head).await.unwrap();
        assert!(repo.drop_snapshots("r1", "guild/one", &head).await.unwrap());
        assert_eq!(repo.snapshot_of("r1").await.unwrap(), None);
        assert!(repo.drop_snapshots("r1", "guild/one", &head).await.unwrap(), "twice is once");
    }

    #[tokio::test]
    async fn what_was_left_of_merged_work_outlasts_the_states_between_its_turns() {
        let dir = tempfile::tempdir().unwrap();
        let (repo, base) = repo(dir.path()).await;
        let worktree = repo.add_worktree("r1", &dir.path().join("r1"), "guild/one", &base).await.unwrap();
        std::fs::write(worktree.tree().join("work.txt"), "work\n").unwrap();
        let head = repo.snapshot(&worktree, &base, "Turn 1\n", &author()).await.unwrap().commit.unwrap();
        repo.settle_branch("guild/one", &head).await.unwrap();
        std::fs::write(worktree.tree().join("by-hand.txt"), "by hand\n").unwrap();
        repo.lay_aside(&worktree, &head, &author(), Leaving::ForGood, at()).await.unwrap();
        assert!(repo.drop_snapshots("r1", "guild/one", &head).await.unwrap());
        let left = repo.all_left().await.unwrap();
        assert_eq!((left.len(), left[0].run.as_str(), left[0].at), (1, "r1", at()));
        assert_eq!(repo.laid_aside("r1", &head).await.unwrap().as_ref(), Some(&left[0].commit));

        // As an earlier version left it: on the ref of the work itself.
        repo.drop_left(&left[0]).await.unwrap();
        assert_eq!(repo.all_left().await.unwrap(), []);
        repo.take_snapshots("r1", &left[0].commit).await.unwrap();
        assert!(repo.drop_snapshots("r1", "guild/one", &head).await.unwrap());
        assert_eq!(repo.snapshot_of("r1").await.unwrap(), None);
        assert_eq!(repo.all_left().await.unwrap(), left);

        // Nothing goes that was laid aside since.
        std::fs::write(worktree.tree().join("by-hand.txt"), "more by hand\n").unwrap();
        repo.lay_aside(&worktree, &head, &author(), Leaving::ForGood, at()).await.unwrap();
        repo.drop_left(&left[0]).await.unwrap();
        assert_eq!(repo.all_left().await.unwrap().len(), 1);
    }
}
