//! Making a canonical repository out of another one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::program::{Git, redact};
use crate::repo::Half;
use crate::{GitError, Identity, Repo};

/// How long a clone may take.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// Where a repository is cloned from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An address that git reaches over the network.
    Remote(String),
    /// A folder on this machine. Whether it may be read, the caller has decided.
    Folder(PathBuf),
}

impl Source {
    /// Reads an address: `https://…`, `http://…`, `ssh://…`, `git://…`, `user@host:path`, `file://…` or an absolute path.
    ///
    /// # Errors
    /// [`GitError::BadSource`] for anything else.
    pub fn parse(text: &str) -> Result<Self, GitError> {
        let text = text.trim();
        let bad = |reason: &str| Err(GitError::BadSource { reason: reason.to_owned() });
        if text.is_empty() || text.starts_with('-') || text.chars().any(char::is_control) {
            return bad("give a git URL (https://…, ssh://…, git@host:path) or an absolute path");
        }
        if let Some(path) = text.strip_prefix("file://") {
            return Ok(Self::Folder(PathBuf::from(path)));
        }
        if text.starts_with('/') {
            return Ok(Self::Folder(PathBuf::from(text)));
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            let known = ["https", "http", "ssh", "git"].contains(&scheme.to_ascii_lowercase().as_str());
            return match known && !rest.is_empty() && !rest.starts_with(['-', '/']) {
                true => Ok(Self::Remote(text.to_owned())),
                false => bad("only https, http, ssh, git and file URLs can be cloned"),
            };
        }
        if text.contains("::") {
            return bad("remote helpers (name::address) are not allowed; use an https or ssh URL");
        }
        match text.split_once(':') {
            Some((host, path)) if !host.is_empty() && !host.contains('/') && !path.is_empty() => {
                Ok(Self::Remote(text.to_owned()))
            }
            _ => bad("give a git URL (https://…, ssh://…, git@host:path) or an absolute path"),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Remote(address) => redact(address),
            Self::Folder(path) => path.display().to_string(),
        }
    }
}

impl Repo {
    /// Makes a bare repository at `path` with the branches and tags of `source`. Uncommitted files of a source with a
    /// work tree stay behind; the history of a shallow source is as short as the source's. An empty source gets a first
    /// commit, so that work can branch off it.
    ///
    /// # Errors
    /// [`GitError::NotARepository`], [`GitError::Unreachable`], or when git fails. Nothing stays behind then.
    pub async fn clone_from(path: &Path, source: &Source, author: &Identity) -> Result<Self, GitError> {
        let half = Half::beside(path)?;
        let git = Git::new("clone")
            .limit(LONGEST)
            .config("core.symlinks=true")
            // Repositories of other users may be read here; the operator allowed the folder.
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "safe.directory")
            .env("GIT_CONFIG_VALUE_0", "*")
            // No hard links and no borrowing: what others can write must never become part of this repository.
            .args(["--bare", "--no-local", "--quiet", "--template=", "--"]);
        let git = match source {
            Source::Remote(address) => git.env("GIT_ALLOW_PROTOCOL", "git:http:https:ssh").arg(address),
            Source::Folder(folder) => {
                if !folder.is_dir() {
                    return Err(GitError::NotARepository { at: source.shown() });
                }
                git.env("GIT_ALLOW_PROTOCOL", "file").arg(folder)
            }
        };
        let output = git.arg(half.path()).output().await?;
        if output.code != Some(0) {
            return Err(explain(source, &output.stderr).unwrap_or_else(|| output.failed("clone")));
        }
        let repo = Repo::open(&half.path())?;
        // The source stays known, but its address may hold a password, which must not be kept here.
        repo.git("config").args(["--unset-all", "remote.origin.url"]).output().await?;
        let branch = repo.default_branch().await?;
        if repo.branch(&branch).await?.is_none() {
            match repo.some_branch().await? {
                Some(other) => {
                    repo.git("symbolic-ref").args(["HEAD", &format!("refs/heads/{other}")]).run().await?;
                }
                None => repo.first_commit(&branch, author, "Start the repository\n", &[readme()]).await?,
            }
        }
        half.finish(path)
    }

    async fn some_branch(&self) -> Result<Option<String>, GitError> {
        let line =
            self.git("for-each-ref").args(["--count=1", "--format=%(refname:short)", "refs/heads"]).line().await?;
        Ok((!line.is_empty()).then_some(line))
    }
}

/// The one file of a repository that would otherwise have none.
pub(crate) fn readme() -> crate::NewFile {
    crate::NewFile { path: "README.md".to_owned(), bytes: b"# A new project\n".to_vec(), executable: false }
}

/// Finds the plain reason in what git said.
fn explain(source: &Source, stderr: &str) -> Option<GitError> {
    let has = |words: &[&str]| words.iter().any(|word| stderr.contains(word));
    let last = || stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no answer").trim().to_owned();
    if has(&["does not appear to be a git repository", "not a git repository", "not found", "does not exist"])
        && !has(&["Could not resolve host"])
    {
        Some(GitError::NotARepository { at: source.shown() })
    } else if has(&[
        "Could not resolve host",
        "unable to access",
        "Connection refused",
        "Could not read from remote",
        "could not read Username",
        "Permission denied",
        "timed out",
        "unable to connect",
    ]) {
        Some(GitError::Unreachable { at: source.shown(), message: last() })
    } else {
        None
    }
}
