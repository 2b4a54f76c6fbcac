//! Making a canonical repository out of another one.

use std::path::Path;
use std::time::Duration;

use guildhall_types::room::Least;

use crate::disk::room;
use crate::program::Git;
use crate::repo::Half;
use crate::{GitError, Identity, Login, Repo, Source};

/// How long a clone may take.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// How long a source may say nothing before the first byte of what it has: a slow one counts for minutes what a large
/// repository holds.
const SILENCE: Duration = Duration::from_secs(10 * 60);
/// Bytes that git itself writes of a repository in which nothing is: its configuration and its HEAD, and no template.
const SKELETON: u64 = 4 * 1024;
/// How often it is looked at what a clone takes meanwhile.
const LOOK: Duration = Duration::from_secs(1);

/// What a clone may take of the disk, which others share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes that a repository may have.
    pub bytes: u64,
    /// What stays free beside it.
    pub least: Least,
    /// How long nothing of it may come at first.
    pub silence: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { bytes: 20 * 1024 * 1024 * 1024, least: Least::BESIDE_A_CLONE, silence: SILENCE }
    }
}

impl Bounds {
    /// Looks whether what is there of a clone keeps to them, and returns its bytes. What cannot be looked at does.
    pub(crate) fn hold(self, half: &Path) -> Result<u64, GitError> {
        let disk = half.parent().and_then(|folder| room(folder).ok());
        if disk.is_some_and(|disk| disk.lacks(self.least)) {
            return Err(GitError::NoRoom);
        }
        match size(half) {
            bytes if bytes > self.bytes => Err(GitError::TooLarge { bytes: self.bytes }),
            bytes => Ok(bytes),
        }
    }

    /// Ends when a clone takes more, or when nothing of it comes.
    pub(crate) async fn outgrown(self, half: &Path, source: &Source) -> GitError {
        let begun = tokio::time::Instant::now();
        let mut came = false;
        loop {
            tokio::time::sleep(LOOK).await;
            let folder = half.to_owned();
            match tokio::task::spawn_blocking(move || self.hold(&folder)).await {
                Ok(Err(error)) => return error,
                // Later it may be at work on what came, and nothing more to come.
                Ok(Ok(bytes)) => came |= bytes > SKELETON,
                Err(_) => {}
            }
            if !came && begun.elapsed() >= self.silence {
                let message = format!("nothing of it came within {} seconds", self.silence.as_secs());
                return GitError::Unreachable { at: source.shown(), message };
            }
        }
    }
}

/// Bytes of the files below a folder.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => size(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    bytes.sum()
}

impl Repo {
    /// Makes a bare repository at `path` with the branches and tags of `source`, which lets `login` in. Uncommitted files of
    /// a source with a work tree stay behind; the history of a shallow source is as short as the source's. An empty source
    /// gets a first commit, so that work can branch off it.
    ///
    /// # Errors
    /// [`GitError::NotARepository`], [`GitError::Unreachable`], [`GitError::TooLarge`], [`GitError::NoRoom`], or when git fails.
    /// Nothing stays behind then.
    pub async fn clone_from(
        path: &Path,
        source: &Source,
        login: Option<&Login>,
        author: &Identity,
    ) -> Result<Self, GitError> {
        Self::clone_within(Bounds::default(), path, source, login, author).await
    }

    /// The same within other bounds.
    ///
    /// # Errors
    /// As for [`Repo::clone_from`]; [`GitError::TooLarge`], [`GitError::NoRoom`].
    pub async fn clone_within(
        bounds: Bounds,
        path: &Path,
        source: &Source,
        login: Option<&Login>,
        author: &Identity,
    ) -> Result<Self, GitError> {
        let half = Half::beside(path)?;
        bounds.hold(&half.path())?;
        if let Source::Folder(folder) = source
            && !folder.is_dir()
        {
            return Err(GitError::NotARepository { at: source.shown() });
        }
        let git = Git::new("clone").of_all().limit(LONGEST).config("core.symlinks=true");
        let git = source
            .reached_by(git, login)
            // Repositories of other users may be read here; the operator allowed the folder.
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "safe.directory")
            .env("GIT_CONFIG_VALUE_0", "*")
            // No hard links and no borrowing: what others can write must never become part of this repository.
            .args(["--bare", "--no-local", "--quiet", "--template=", "--"]);
        let git = git.arg(source.argument());
        let place = half.path();
        let output = tokio::select! {
            output = git.arg(&place).output() => output?,
            // Git ends with the wait for it, and what it left goes with the folder.
            error = bounds.outgrown(&place, source) => return Err(error),
        };
        if output.code != Some(0) {
            return Err(explain(source, &output.stderr).unwrap_or_else(|| output.failed("clone")));
        }
        bounds.hold(&place)?;
        let repo = Repo::open(&place)?;
        // Where it came from stands in the database, and nothing is fetched from there again.
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
pub(crate) fn explain(source: &Source, stderr: &str) -> Option<GitError> {
    let has = |words: &[&str]| words.iter().any(|word| stderr.contains(word));
    let why = || {
        // What git always says of ssh, whatever it was that failed.
        let told = stderr.split("Please make sure you have").next().unwrap_or_default();
        let mut lines = told.lines().rev().map(str::trim).filter(|line| !line.is_empty());
        let last = lines.next().unwrap_or("no answer");
        let why =
            if last.starts_with("fatal: Could not read from remote") { lines.next().unwrap_or(last) } else { last };
        why.trim_end_matches('.').to_owned()
    };
    if has(&["does not appear to be a git repository", "not a git repository", "not found", "does not exist"])
        && !has(&["Could not resolve host"])
    {
        Some(GitError::NotARepository { at: source.shown() })
    } else if has(&[
        "Could not resolve host",
        "unable to access",
        "Authentication failed",
        "Connection refused",
        "Could not read from remote",
        "could not read Username",
        "Permission denied",
        "timed out",
        "unable to connect",
    ]) {
        Some(GitError::Unreachable { at: source.shown(), message: why() })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_let_in_by_ssh_is_told_why() {
        let (source, _) = Source::parse("git@a.example:team/r.git").unwrap();
        let rest = "fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the \
                    repository exists.\n";
        for (said, told) in [
            ("git@a.example: Permission denied (publickey).\r\n", "git@a.example: Permission denied (publickey)"),
            ("Host key verification failed.\n", "Host key verification failed"),
            ("", "fatal: Could not read from remote repository"),
        ] {
            let error = explain(&source, &format!("{said}{rest}")).unwrap();
            assert_eq!(error.to_string(), format!("git@a.example:team/r.git cannot be reached: {told}"));
        }
        let error = explain(&source, &format!("ERROR: Repository not found.\n{rest}")).unwrap();
        assert!(matches!(error, GitError::NotARepository { .. }), "{error}");
    }

    #[tokio::test]
    async fn whose_source_begins_at_once_is_waited_for_and_whose_says_nothing_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let half = dir.path().join("half");
        std::fs::create_dir(&half).unwrap();
        let (source, _) = Source::parse("https://a.example/r").unwrap();
        let bounds = Bounds { least: Least { bytes: 0, files: 0 }, silence: LOOK, ..Bounds::default() };
        // All that git writes by itself.
        std::fs::write(half.join("config"), "[core]\n\tbare = true\n").unwrap();
        let error = bounds.outgrown(&half, &source).await;
        assert!(error.to_string().contains("nothing of it came within 1 seconds"), "{error}");
        // What came before anybody looked is still something, though nothing more comes while git is at work on it.
        std::fs::write(half.join("tmp_pack"), vec![0; 10_000]).unwrap();
        let waited = tokio::time::timeout(3 * LOOK, bounds.outgrown(&half, &source)).await;
        assert!(waited.is_err(), "{waited:?}");
    }
}
