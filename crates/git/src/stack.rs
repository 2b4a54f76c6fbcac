//! Works that are not merged yet, put on a branch one after the other, for other work to start from. No ref moves.

use crate::merge::Tried;
use crate::repo::COMMITTER;
use crate::{ConflictFile, GitError, Identity, Oid, Repo, Work};

/// What came of putting works onto each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stacked {
    /// This commit holds all of them.
    On(Oid),
    /// They do not go together.
    Conflict {
        /// Which of them could not be put on what came before it.
        work: usize,
        /// Those before it that changed the same files; nothing when it conflicts with the branch.
        with: Vec<usize>,
        /// The files in conflict.
        files: Vec<ConflictFile>,
    },
}

impl Repo {
    /// Puts works on `tip`, in this order, in which each comes after those that it was built on. One that holds all the others
    /// and `tip` is taken as it is. The same works on the same tip make the same commit, whenever they are put together.
    ///
    /// # Errors
    /// When git fails.
    pub async fn stack(&self, tip: &Oid, works: &[Work]) -> Result<Stacked, GitError> {
        if let Some((last, before)) = works.split_last()
            && self.has_all(&last.head, std::iter::once(tip).chain(before.iter().map(|work| &work.head))).await?
        {
            return Ok(Stacked::On(last.head.clone()));
        }
        let mut at = tip.clone();
        for (n, work) in works.iter().enumerate() {
            if self.is_ancestor(&work.head, &at).await? {
                continue;
            }
            if self.is_ancestor(&at, &work.head).await? {
                at = work.head.clone();
                continue;
            }
            let Tried { tree, clean, conflicts } = self.try_merge(work, &at).await?;
            if !clean {
                let with = self.rivals(tip, &works[..n], work, &conflicts).await?;
                return Ok(Stacked::Conflict { work: n, with, files: conflicts });
            }
            let date = self.git("show").args(["-s", "--format=%cI", work.head.as_str()]).line().await?;
            let author = Identity { name: COMMITTER.0.to_owned(), email: COMMITTER.1.to_owned() };
            at = self.commit_at(Some(&date), &tree, &[&at, &work.head], "Join work to build on\n", &author).await?;
        }
        Ok(Stacked::On(at))
    }

    /// Whether all of these are in the history of a commit, or are that one.
    async fn has_all<'a>(&self, commit: &'a Oid, all: impl Iterator<Item = &'a Oid>) -> Result<bool, GitError> {
        let args = ["--max-count=1"].into_iter().chain(all.map(Oid::as_str)).chain(["--not", commit.as_str(), "--"]);
        Ok(self.git("rev-list").args(args).run().await?.is_empty())
    }

    /// Which of the works that came before conflict with this one in these files; none when it is the branch.
    async fn rivals(
        &self,
        tip: &Oid,
        before: &[Work],
        work: &Work,
        files: &[ConflictFile],
    ) -> Result<Vec<usize>, GitError> {
        // Work that was built on nothing but the branch can be asked by itself.
        if self.is_ancestor(&work.base, tip).await? && !self.try_merge(work, tip).await?.clean {
            return Ok(Vec::new());
        }
        let mut rivals = Vec::new();
        for (n, other) in before.iter().enumerate() {
            // What it was built on is no rival of it.
            if self.is_ancestor(&other.head, &work.head).await? {
                continue;
            }
            let args = ["-r", "--name-only", "--no-renames", "-z", other.base.as_str(), other.head.as_str(), "--"];
            let changed = self.git("diff-tree").args(args).run().await?;
            let changed =
                |file: &ConflictFile| changed.split(|byte| *byte == 0).any(|path| path == file.path.as_bytes());
            if files.iter().any(changed) {
                rivals.push(n);
            }
        }
        Ok(rivals)
    }
}
