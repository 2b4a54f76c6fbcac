//! Worktrees that are taken away for a while, and what is left of those that never come back.
//!
//! What a worktree holds beyond the latest state of the work is laid aside on a hidden ref of its own: it comes back with the
//! worktree, and is no part of the work until somebody makes it one.

use std::io;
use std::path::Path;

use guildhall_types::boundary;

use crate::repo::{check_branch, snapshot_ref};
use crate::worktree::{Worktree, give_git};
use crate::{GitError, Identity, LeftOut, Oid, Repo};

const MESSAGE: &str = "What was left in the worktree\n";

impl Repo {
    /// Puts what a worktree holds beyond `head`, the latest state of its work, on a ref. Files that git ignores stay out.
    /// Returns what is not kept.
    ///
    /// # Errors
    /// When git fails: then not all of it is on a ref.
    pub async fn lay_aside(&self, worktree: &Worktree, head: &Oid, author: &Identity) -> Result<LeftOut, GitError> {
        let name = left_ref(&worktree.name)?;
        let (commit, left_out) = self.commit_files(worktree, head, MESSAGE, author).await?;
        match commit {
            Some(commit) => {
                let old = self.resolve(&name).await?;
                self.update_ref(&name, &commit, old.as_ref()).await?;
                boundary!("worktree.laid-aside");
            }
            None => self.drop_ref(&name).await?,
        }
        Ok(left_out)
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

    /// Forgets the states of a run between its turns, if its branch holds the work whole. Returns whether that was so.
    ///
    /// # Errors
    /// When git fails.
    pub async fn drop_snapshots(&self, run: &str, branch: &str, head: &Oid) -> Result<bool, GitError> {
        check_branch(branch)?;
        let Some(tip) = self.branch(branch).await? else { return Ok(false) };
        if !self.is_ancestor(head, &tip).await? {
            return Ok(false);
        }
        self.drop_ref(&snapshot_ref(run)?).await?;
        self.drop_ref(&left_ref(run)?).await?;
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
        let head = repo.snapshot(&worktree, &base, "Turn 1\n", &author()).await.unwrap().unwrap().commit;
        std::fs::write(worktree.tree().join("a.txt"), "two\n").unwrap();
        std::fs::write(worktree.tree().join("left.txt"), "left\n").unwrap();
        std::fs::create_dir(worktree.tree().join("built")).unwrap();
        std::fs::write(worktree.tree().join("built/out"), "out\n").unwrap();

        assert!(repo.lay_aside(&worktree, &head, &author()).await.unwrap().is_empty());
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
        let next = repo.snapshot(&worktree, &head, "Turn 2\n", &author()).await.unwrap().unwrap().commit;
        let diff = repo.diff(&head, &next, &crate::DiffLimits::default()).await.unwrap();
        let files: Vec<&str> = diff.files.iter().map(|file| file.new_path.as_str()).collect();
        assert_eq!(files, ["a.txt", "left.txt"]);

        // With nothing left, nothing comes back.
        repo.lay_aside(&worktree, &next, &author()).await.unwrap();
        assert_eq!(repo.laid_aside("r1", &head).await.unwrap(), None);
    }

    #[tokio::test]
    async fn states_between_turns_go_only_where_the_branch_holds_the_work() {
        let dir = tempfile::tempdir().unwrap();
        let (repo, base) = repo(dir.path()).await;
        let worktree = repo.add_worktree("r1", &dir.path().join("r1"), "guild/one", &base).await.unwrap();
        std::fs::write(worktree.tree().join("work.txt"), "work\n").unwrap();
        let head = repo.snapshot(&worktree, &base, "Turn 1\n", &author()).await.unwrap().unwrap().commit;
        assert!(!repo.drop_snapshots("r1", "guild/one", &head).await.unwrap(), "the branch stands before the work");
        assert!(!repo.drop_snapshots("r1", "nowhere", &head).await.unwrap());
        assert!(repo.snapshot_of("r1").await.unwrap().is_some());
        repo.settle_branch("guild/one", &head).await.unwrap();
        assert!(repo.drop_snapshots("r1", "guild/one", &head).await.unwrap());
        assert_eq!(repo.snapshot_of("r1").await.unwrap(), None);
        assert!(repo.drop_snapshots("r1", "guild/one", &head).await.unwrap(), "twice is once");
    }
}
