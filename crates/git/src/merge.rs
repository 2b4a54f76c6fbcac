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

/// A branch joined into work that conflicts with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The branch's commit: what the work now starts from.
    pub base: Oid,
    /// The work with the branch in it. Where both changed the same place, both sides stand in the file with git's marks.
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
    pub async fn merge(&self, work: &Oid, branch: &str, message: &str, author: &Identity) -> Result<Merge, GitError> {
        check_branch(branch)?;
        for _ in 0..TRIES {
            let tip = self
                .branch(branch)
                .await?
                .ok_or_else(|| GitError::Missing { what: "branch", name: branch.to_owned() })?;
            let output = self
                .git("merge-tree")
                .args(["--write-tree", "--name-only", "--messages", "-z", tip.as_str(), work.as_str()])
                .output()
                .await?;
            match output.code {
                Some(0) => {}
                Some(1) => return Ok(Merge::Conflict(conflicts(&output.stdout))),
                _ => return Err(output.failed("merge-tree")),
            }
            let tree = tree_of(&output.stdout);
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
    /// Joins a branch into a run's work, if they conflict, so that its agent can resolve what git cannot; the run's hidden
    /// ref then holds the result. Returns nothing when they merge by themselves.
    ///
    /// # Errors
    /// [`GitError::Missing`] when there is no such branch, [`GitError::Moved`] when another snapshot came in between, or
    /// when git fails.
    pub async fn join(
        &self,
        run: &str,
        work: &Oid,
        branch: &str,
        author: &Identity,
    ) -> Result<Option<Joined>, GitError> {
        check_branch(branch)?;
        let base =
            self.branch(branch).await?.ok_or_else(|| GitError::Missing { what: "branch", name: branch.to_owned() })?;
        let name = snapshot_ref(run)?;
        // The branch's side comes first in the marks, as it would if the work were put onto it.
        let output = self
            .git("merge-tree")
            .args(["--write-tree", "--name-only", "--messages", "-z", base.as_str(), work.as_str()])
            .output()
            .await?;
        match output.code {
            Some(0) => return Ok(None),
            Some(1) => {}
            _ => return Err(output.failed("merge-tree")),
        }
        let tree = tree_of(&output.stdout);
        let message = format!("Join {branch}\n");
        let commit = self.commit_tree(&tree, &[work, &base], &message, author).await?;
        self.update_ref(&name, &commit, Some(work)).await?;
        Ok(Some(Joined { base, commit, files: conflicts(&output.stdout) }))
    }
}

impl Repo {
    /// Joins a branch into a run's work where that needs nobody; with `marks` also where it does, and then both sides
    /// stand in the files. The run's hidden ref then holds the result.
    ///
    /// # Errors
    /// [`GitError::Missing`] when there is no such branch, [`GitError::Moved`] when another snapshot came in between, or
    /// when git fails.
    pub async fn bring_up(
        &self,
        run: &str,
        work: &Oid,
        branch: &str,
        author: &Identity,
        marks: bool,
    ) -> Result<BroughtUp, GitError> {
        check_branch(branch)?;
        let base =
            self.branch(branch).await?.ok_or_else(|| GitError::Missing { what: "branch", name: branch.to_owned() })?;
        if self.is_ancestor(&base, work).await? {
            return Ok(BroughtUp::Current(base));
        }
        let name = snapshot_ref(run)?;
        let output = self
            .git("merge-tree")
            .args(["--write-tree", "--name-only", "--messages", "-z", base.as_str(), work.as_str()])
            .output()
            .await?;
        let files = match output.code {
            Some(0) => Vec::new(),
            Some(1) if marks => conflicts(&output.stdout),
            Some(1) => return Ok(BroughtUp::Conflict(conflicts(&output.stdout))),
            _ => return Err(output.failed("merge-tree")),
        };
        let message = format!("Join {branch}\n");
        let commit = self.commit_tree(&tree_of(&output.stdout), &[work, &base], &message, author).await?;
        self.update_ref(&name, &commit, Some(work)).await?;
        Ok(BroughtUp::Joined(Joined { base, commit, files }))
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
