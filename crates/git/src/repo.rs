//! A project's canonical repository: bare, and written by this server alone.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::program::Git;
use crate::{GitError, Oid};

/// How often a ref that keeps moving is tried.
const TRIES: usize = 5;
/// Who makes commits here, whoever they are by.
pub(crate) const COMMITTER: (&str, &str) = ("Guildhall", "guildhall@localhost");

/// Who a commit is by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
}

/// A file of a repository that is made from files.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// The path, with `/`, relative to the root.
    pub path: String,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// Whether it can be executed.
    pub executable: bool,
}

/// A bare repository. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Repo {
    path: PathBuf,
}

impl Repo {
    /// The repository at `path`.
    ///
    /// # Errors
    /// [`GitError::NotARepository`] when there is none.
    pub fn open(path: &Path) -> Result<Self, GitError> {
        if path.join("objects").is_dir() && path.join("HEAD").is_file() {
            Ok(Self { path: path.to_owned() })
        } else {
            Err(GitError::NotARepository { at: path.display().to_string() })
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn git(&self, subcommand: &str) -> Git {
        Git::new(subcommand).git_dir(&self.path)
    }

    /// Makes a repository with one commit that holds `files`.
    ///
    /// # Errors
    /// When something is at `path` already, a path of a file cannot be used, or git fails. Nothing stays behind then.
    pub async fn create(
        path: &Path,
        branch: &str,
        author: &Identity,
        message: &str,
        files: &[NewFile],
    ) -> Result<Self, GitError> {
        let half = Half::beside(path)?;
        Git::new("init").args(["--bare", "--quiet", "--initial-branch", branch, "--"]).arg(half.path()).run().await?;
        let repo = Self { path: half.path() };
        repo.first_commit(branch, author, message, files).await?;
        half.finish(path)
    }

    /// Writes the first commit of a branch that is yet to be born.
    pub(crate) async fn first_commit(
        &self,
        branch: &str,
        author: &Identity,
        message: &str,
        files: &[NewFile],
    ) -> Result<(), GitError> {
        let mut listing = Vec::new();
        for file in files {
            let blob = self.git("hash-object").args(["-w", "--stdin"]).stdin(file.bytes.clone()).line().await?;
            let mode = if file.executable { "100755" } else { "100644" };
            listing.extend(format!("{mode} {blob}\t{}\0", file.path).into_bytes());
        }
        let index = self.path.join("first-index");
        let with_index = |subcommand: &str| self.git(subcommand).env("GIT_INDEX_FILE", &index);
        with_index("update-index").args(["-z", "--index-info"]).stdin(listing).run().await?;
        let tree = with_index("write-tree").args([] as [&str; 0]).line().await?;
        std::fs::remove_file(&index).map_err(GitError::file(&index, "removed"))?;
        let commit = self.commit_tree(&tree, &[], message, author).await?;
        self.update_ref(&format!("refs/heads/{branch}"), &commit, None).await
    }

    /// Writes a commit object.
    pub(crate) async fn commit_tree(
        &self,
        tree: &str,
        parents: &[&Oid],
        message: &str,
        author: &Identity,
    ) -> Result<Oid, GitError> {
        self.commit_at(None, tree, parents, message, author).await
    }

    /// Writes a commit object that says it was made at `date`, or now.
    pub(crate) async fn commit_at(
        &self,
        date: Option<&str>,
        tree: &str,
        parents: &[&Oid],
        message: &str,
        author: &Identity,
    ) -> Result<Oid, GitError> {
        let mut args = vec![tree.to_owned()];
        for parent in parents {
            args.extend(["-p".to_owned(), parent.to_string()]);
        }
        let mut git = self
            .git("commit-tree")
            .env("GIT_AUTHOR_NAME", &author.name)
            .env("GIT_AUTHOR_EMAIL", &author.email)
            .env("GIT_COMMITTER_NAME", COMMITTER.0)
            .env("GIT_COMMITTER_EMAIL", COMMITTER.1);
        if let Some(date) = date {
            git = git.env("GIT_AUTHOR_DATE", date).env("GIT_COMMITTER_DATE", date);
        }
        Oid::parse(&git.args(args).stdin(message.as_bytes().to_vec()).line().await?)
    }

    /// Moves a ref from `old` (nothing: it must not exist) to `new`.
    pub(crate) async fn update_ref(&self, name: &str, new: &Oid, old: Option<&Oid>) -> Result<(), GitError> {
        const NONE: &str = "0000000000000000000000000000000000000000";
        let old = old.map_or(NONE, Oid::as_str);
        let output = self.git("update-ref").args(["--no-deref", name, new.as_str(), old]).output().await?;
        match output.code {
            Some(0) => Ok(()),
            _ if ["but expected", "already exists", "unable to resolve reference"]
                .iter()
                .any(|words| output.stderr.contains(words)) =>
            {
                Err(GitError::Moved { name: name.to_owned() })
            }
            _ => Err(output.failed("update-ref")),
        }
    }

    /// The branch that HEAD names.
    ///
    /// # Errors
    /// When HEAD names no branch.
    pub async fn default_branch(&self) -> Result<String, GitError> {
        self.git("symbolic-ref").args(["--short", "HEAD"]).line().await
    }

    /// The commit that a branch stands at.
    ///
    /// # Errors
    /// [`GitError::BadName`], or when git fails.
    pub async fn branch(&self, name: &str) -> Result<Option<Oid>, GitError> {
        check_branch(name)?;
        self.resolve(&format!("refs/heads/{name}")).await
    }

    /// The names of all branches.
    ///
    /// # Errors
    /// When git fails.
    pub async fn branches(&self) -> Result<HashSet<String>, GitError> {
        let listed = self.git("for-each-ref").args(["--format=%(refname:lstrip=2)", "refs/heads"]).run().await?;
        Ok(String::from_utf8_lossy(&listed).lines().map(str::to_owned).collect())
    }

    /// What a ref stands at, whatever kind of object that is: `name` is a whole name, such as `refs/tags/v1`.
    ///
    /// # Errors
    /// When git fails.
    pub async fn ref_at(&self, name: &str) -> Result<Option<Oid>, GitError> {
        let output = self.git("show-ref").args(["--verify", "--hash", "--", name]).output().await?;
        match output.code {
            Some(0) => Oid::parse(String::from_utf8_lossy(&output.stdout).trim()).map(Some),
            _ if output.stderr.contains("not a valid ref") => Ok(None),
            _ => Err(output.failed("show-ref")),
        }
    }

    pub(crate) async fn resolve(&self, name: &str) -> Result<Option<Oid>, GitError> {
        let output = self
            .git("rev-parse")
            .args(["--verify", "--quiet", "--end-of-options", &format!("{name}^{{commit}}")])
            .output()
            .await?;
        match output.code {
            Some(0) => Oid::parse(String::from_utf8_lossy(&output.stdout).trim()).map(Some),
            Some(1) => Ok(None),
            _ => Err(output.failed("rev-parse")),
        }
    }

    /// Puts a run's hidden ref on the latest state of its work, wherever it stood: who begins to work takes it over so.
    /// Whoever worked before finds it moved, and what was not saved is no work.
    ///
    /// # Errors
    /// [`GitError::Moved`] when it keeps moving, or when git fails.
    pub async fn take_snapshots(&self, run: &str, head: &Oid) -> Result<(), GitError> {
        let name = snapshot_ref(run)?;
        for _ in 0..TRIES {
            let old = self.resolve(&name).await?;
            if old.as_ref() == Some(head) {
                return Ok(());
            }
            match self.update_ref(&name, head, old.as_ref()).await {
                Err(GitError::Moved { .. }) => {}
                done => return done,
            }
        }
        Err(GitError::Moved { name })
    }

    /// Whether one commit is in the history of another, or is that one.
    ///
    /// # Errors
    /// When git fails.
    pub async fn is_ancestor(&self, older: &Oid, newer: &Oid) -> Result<bool, GitError> {
        let output = self.git("merge-base").args(["--is-ancestor", older.as_str(), newer.as_str()]).output().await?;
        match output.code {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(output.failed("merge-base")),
        }
    }

    /// The latest snapshot of a run.
    ///
    /// # Errors
    /// When git fails.
    pub async fn snapshot_of(&self, run: &str) -> Result<Option<Oid>, GitError> {
        self.resolve(&snapshot_ref(run)?).await
    }
}

/// The hidden ref that holds a run's snapshots.
pub(crate) fn snapshot_ref(run: &str) -> Result<String, GitError> {
    if !run.is_empty() && run.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        Ok(format!("refs/guildhall/runs/{run}"))
    } else {
        Err(GitError::BadName { what: "run", name: run.to_owned() })
    }
}

/// Whether a branch may have this name, by git's own rules.
///
/// # Errors
/// [`GitError::BadName`] when not.
pub fn check_branch(name: &str) -> Result<(), GitError> {
    let bad = name.is_empty()
        || name.len() > 200
        || name.starts_with(['-', '/', '.'])
        || name.ends_with(['/', '.'])
        || name.ends_with(".lock")
        || name == "HEAD"
        || name.contains("..")
        || name.contains("//")
        || name.contains("@{")
        || name.contains("/.")
        || name.contains(".lock/")
        || name.chars().any(|c| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c));
    if bad { Err(GitError::BadName { what: "branch name", name: name.to_owned() }) } else { Ok(()) }
}

/// A repository that is being made beside its final place, so that half of one is never found there.
#[derive(Debug)]
pub(crate) struct Half(tempfile::TempDir);

impl Half {
    pub(crate) fn beside(path: &Path) -> Result<Self, GitError> {
        let parent = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).map_err(GitError::file(parent, "made"))?;
        let dir =
            tempfile::Builder::new().prefix(".half-").tempdir_in(parent).map_err(GitError::file(parent, "written"))?;
        Ok(Self(dir))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("repo.git")
    }

    pub(crate) fn finish(self, path: &Path) -> Result<Repo, GitError> {
        std::fs::rename(self.path(), path).map_err(GitError::file(path, "put in place"))?;
        Repo::open(path)
    }
}
