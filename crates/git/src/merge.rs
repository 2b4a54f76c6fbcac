//! Merging: made whole in the object store, then put on the branch in one step. Nothing is ever half merged.

use serde::Serialize;
use utoipa::ToSchema;

use crate::repo::{check_branch, snapshot_ref};
use crate::{GitError, Identity, Oid, Repo};

/// How often a branch that keeps moving is tried.
const TRIES: usize = 5;

/// What came of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merge {
    /// It is on the branch, as this commit.
    Done(Oid),
    /// It needs a person. The branch stands where it stood.
    Conflict(Vec<ConflictFile>),
    /// The work changes nothing that the branch does not have already.
    Nothing,
}

/// What a run changed. A merge puts this on something else, and nothing that was there before it: so what the work was built
/// on does not come along, and is not taken for a change of it when it has come on the branch as a commit of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The commit that it starts from.
    pub base: Oid,
    /// Its latest state.
    pub head: Oid,
}

/// Something joined into work that conflicts with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// What was joined: what the work now starts from.
    pub base: Oid,
    /// The work with that in it. Where both changed the same place, both sides stand in the file with git's marks.
    pub commit: Oid,
    /// The files in conflict.
    pub files: Vec<ConflictFile>,
}

/// What it takes to have a branch in a run's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BroughtUp {
    /// Nothing: the work holds the branch as it stands, at this commit.
    Current(Oid),
    /// The branch was joined into the work.
    Joined(Joined),
    /// They conflict in these files. Nothing was changed.
    Conflict(Vec<ConflictFile>),
}

/// What came of putting work on a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landed {
    /// It is on the branch, as this commit.
    Done(Oid),
    /// The work changes nothing that the branch does not have already.
    Nothing,
    /// The branch has moved on. Nothing was changed.
    Moved,
}

/// A file that cannot be merged by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConflictFile {
    /// The path.
    pub path: String,
    /// What is the matter, in git's words: `content`, `modify/delete`, `add/add`, …
    pub kind: String,
}

impl Repo {
    /// Puts the changes of `work` on a branch as one commit.
    ///
    /// # Errors
    /// [`GitError::Missing`] when there is no such branch, [`GitError::Moved`] when it keeps moving, or when git fails.
    pub async fn merge(&self, work: &Work, branch: &str, message: &str, author: &Identity) -> Result<Merge, GitError> {
        check_branch(branch)?;
        for _ in 0..TRIES {
            let tip = self.tip(branch).await?;
            let Tried { tree, clean, conflicts } = self.try_merge(work, &tip).await?;
            if !clean {
                return Ok(Merge::Conflict(conflicts));
            }
            if tree == self.git("rev-parse").args([&format!("{tip}^{{tree}}")]).line().await? {
                return Ok(Merge::Nothing);
            }
            let commit = self.commit_tree(&tree, &[&tip], message, author).await?;
            match self.update_ref(&format!("refs/heads/{branch}"), &commit, Some(&tip)).await {
                Err(GitError::Moved { .. }) => {}
                done => return done.map(|()| Merge::Done(commit)),
            }
        }
        Err(GitError::Moved { name: branch.to_owned() })
    }
}

impl Repo {
    /// Whether a commit has all that the work changed.
    ///
    /// # Errors
    /// When git fails.
    pub async fn holds(&self, commit: &Oid, work: &Work) -> Result<bool, GitError> {
        let Tried { tree, clean, .. } = self.try_merge(work, commit).await?;
        Ok(clean && tree == self.git("rev-parse").args([&format!("{commit}^{{tree}}")]).line().await?)
    }

    /// Joins `onto`, which is called `name`, into a run's work, if they conflict, so that its agent can resolve what git cannot;
    /// the run's hidden ref then holds the result. Returns nothing when they merge by themselves.
    ///
    /// # Errors
    /// [`GitError::Moved`] when another snapshot came in between, or when git fails.
    pub async fn join(
        &self,
        run: &str,
        work: &Work,
        onto: &Oid,
        name: &str,
        author: &Identity,
    ) -> Result<Option<Joined>, GitError> {
        let tried = self.try_merge(work, onto).await?;
        if tried.clean {
            return Ok(None);
        }
        self.joined(run, work, onto, name, author, tried).await.map(Some)
    }

    /// Joins a branch into a run's work where that needs nobody; with `marks` also where it does, and then both sides
    /// stand in the files. The run's hidden ref then holds the result.
    ///
    /// # Errors
    /// [`GitError::Missing`] when there is no such branch, [`GitError::Moved`] when another snapshot came in between, or
    /// when git fails.
    pub async fn bring_up(
        &self,
        run: &str,
        work: &Work,
        branch: &str,
        author: &Identity,
        marks: bool,
    ) -> Result<BroughtUp, GitError> {
        check_branch(branch)?;
        let tip = self.tip(branch).await?;
        if self.is_ancestor(&tip, &work.head).await? {
            return Ok(BroughtUp::Current(tip));
        }
        let tried = self.try_merge(work, &tip).await?;
        if !tried.clean && !marks {
            return Ok(BroughtUp::Conflict(tried.conflicts));
        }
        self.joined(run, work, &tip, branch, author, tried).await.map(BroughtUp::Joined)
    }

    /// Puts a merge that was tried on the run's hidden ref.
    async fn joined(
        &self,
        run: &str,
        work: &Work,
        onto: &Oid,
        name: &str,
        author: &Identity,
        tried: Tried,
    ) -> Result<Joined, GitError> {
        let snapshots = snapshot_ref(run)?;
        let commit = self.commit_tree(&tried.tree, &[&work.head, onto], &format!("Join {name}\n"), author).await?;
        self.update_ref(&snapshots, &commit, Some(&work.head)).await?;
        Ok(Joined { base: onto.clone(), commit, files: tried.conflicts })
    }

    /// Puts work that holds a branch as it stood at `tip` on that branch, as one commit, if the branch still stands there.
    ///
    /// # Errors
    /// When git fails.
    pub async fn land(
        &self,
        work: &Oid,
        tip: &Oid,
        branch: &str,
        message: &str,
        author: &Identity,
    ) -> Result<Landed, GitError> {
        check_branch(branch)?;
        let tree = self.git("rev-parse").args([&format!("{work}^{{tree}}")]).line().await?;
        if tree == self.git("rev-parse").args([&format!("{tip}^{{tree}}")]).line().await? {
            return Ok(Landed::Nothing);
        }
        let commit = self.commit_tree(&tree, &[tip], message, author).await?;
        match self.update_ref(&format!("refs/heads/{branch}"), &commit, Some(tip)).await {
            Err(GitError::Moved { .. }) => Ok(Landed::Moved),
            done => done.map(|()| Landed::Done(commit)),
        }
    }

    /// The files in which work between two commits left marks of a conflict, each once.
    ///
    /// # Errors
    /// When git fails.
    pub async fn conflict_marks(&self, base: &Oid, work: &Oid) -> Result<Vec<String>, GitError> {
        let output = self
            .git("diff")
            .config("core.quotePath=false")
            .args(["--check", "--no-ext-diff", "--no-textconv", base.as_str(), work.as_str()])
            .output()
            .await?;
        match output.code {
            Some(0) => return Ok(Vec::new()),
            // It found something; trailing blanks are nothing to us.
            Some(2) => {}
            _ => return Err(output.failed("diff")),
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let marked = text.lines().filter_map(|line| line.strip_suffix(": leftover conflict marker"));
        let mut files: Vec<String> =
            marked.filter_map(|place| place.rsplit_once(':')).map(|(path, _)| path.to_owned()).collect();
        files.dedup();
        Ok(files)
    }
}

/// What merging would come to.
pub(crate) struct Tried {
    /// The files; where there are conflicts, with both sides between git's marks.
    pub(crate) tree: String,
    /// Whether it needs nobody.
    pub(crate) clean: bool,
    /// What does.
    pub(crate) conflicts: Vec<ConflictFile>,
}

impl Repo {
    async fn tip(&self, branch: &str) -> Result<Oid, GitError> {
        let found = self.branch(branch).await?;
        found.ok_or_else(|| GitError::Missing { what: "branch", name: branch.to_owned() })
    }

    /// Tries to put what `work` changed onto a commit, whose side comes first in the marks.
    pub(crate) async fn try_merge(&self, work: &Work, onto: &Oid) -> Result<Tried, GitError> {
        let base = format!("--merge-base={}", work.base);
        let output = self
            .git("merge-tree")
            .args(["--write-tree", "--name-only", "--messages", "-z", &base, onto.as_str(), work.head.as_str()])
            .output()
            .await?;
        let (clean, conflicts) = match output.code {
            Some(0) => (true, Vec::new()),
            Some(1) => (false, conflicts(&output.stdout)),
            _ => return Err(output.failed("merge-tree")),
        };
        Ok(Tried { tree: tree_of(&output.stdout), clean, conflicts })
    }
}

/// The tree that `merge-tree -z` wrote: its first field.
fn tree_of(stdout: &[u8]) -> String {
    let tree = stdout.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(tree).trim().to_owned()
}

/// Reads the conflicts out of `merge-tree -z`: tree, paths, an empty field, then messages of
/// (number of paths, paths, kind, text).
fn conflicts(stdout: &[u8]) -> Vec<ConflictFile> {
    let fields: Vec<String> =
        stdout.split(|byte| *byte == 0).map(|field| String::from_utf8_lossy(field).into_owned()).collect();
    let mut at = 1;
    let mut files: Vec<ConflictFile> = Vec::new();
    while let Some(path) = fields.get(at).filter(|path| !path.is_empty()) {
        files.push(ConflictFile { path: path.clone(), kind: "content".to_owned() });
        at += 1;
    }
    at += 1;
    while let Some(count) = fields.get(at).and_then(|field| field.trim().parse::<usize>().ok()) {
        let paths = fields.get(at + 1..at + 1 + count).unwrap_or_default();
        if let Some(kind) = fields.get(at + 1 + count).and_then(|kind| kind.strip_prefix("CONFLICT (")) {
            let kind = kind.trim_end_matches(')');
            for file in files.iter_mut().filter(|file| paths.contains(&file.path)) {
                file.kind = kind.to_owned();
            }
        }
        at += count + 3;
    }
    files
}
