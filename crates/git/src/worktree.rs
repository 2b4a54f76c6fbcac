//! Worktrees: one for each run, on its own branch.
//!
//! The folder of a run holds `tree`, the worktree, and `git`, a git folder for the agent's own use. What the server
//! itself knows of the worktree (its index, its HEAD) is inside the canonical repository, where no agent can write.

use std::io;
use std::path::{Path, PathBuf};

use crate::repo::{check_branch, snapshot_ref};
use crate::{GitError, Oid, Repo};

/// Where the agent's git folder appears inside the sandbox.
const AGENT_GIT: &str = "/run/git";
/// Where the canonical repository's objects appear inside the sandbox, read-only.
const AGENT_OBJECTS: &str = "/run/objects";

/// A run's worktree.
#[derive(Debug, Clone)]
pub struct Worktree {
    pub(crate) name: String,
    folder: PathBuf,
    pub(crate) admin: PathBuf,
}

impl Worktree {
    /// The files.
    pub fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// The agent's own git folder, which the host never reads; to appear at `/run/git`.
    pub fn agent_git(&self) -> PathBuf {
        self.folder.join("git")
    }
}

impl Repo {
    /// The objects of this repository; to appear at `/run/objects`, read-only.
    pub fn objects(&self) -> PathBuf {
        self.path().join("objects")
    }

    fn worktree_of(&self, run: &str, folder: &Path) -> Result<Worktree, GitError> {
        snapshot_ref(run)?;
        Ok(Worktree { name: run.to_owned(), folder: folder.to_owned(), admin: self.path().join("worktrees").join(run) })
    }

    /// Makes a worktree in `folder` on a new branch that starts at `base`.
    ///
    /// # Errors
    /// [`GitError::BranchExists`], [`GitError::BadName`], or when git fails.
    pub async fn add_worktree(&self, run: &str, folder: &Path, branch: &str, base: &Oid) -> Result<Worktree, GitError> {
        check_branch(branch)?;
        let worktree = self.worktree_of(run, folder)?;
        let name = format!("refs/heads/{branch}");
        self.update_ref(&name, base, None).await.map_err(|error| match error {
            GitError::Moved { .. } => GitError::BranchExists { branch: branch.to_owned() },
            other => other,
        })?;
        self.make_tree(&worktree, &format!("ref: {name}"), base).await?;
        self.give_git(&worktree, branch, base)?;
        Ok(worktree)
    }

    /// Makes a worktree anew for a run whose former one is gone, with the files of `at`. The agent's git folder comes with
    /// [`Repo::restore`].
    ///
    /// # Errors
    /// When git fails.
    pub async fn readd_worktree(&self, run: &str, folder: &Path, at: &Oid) -> Result<Worktree, GitError> {
        let worktree = self.worktree_of(run, folder)?;
        self.make_tree(&worktree, at.as_str(), at).await?;
        Ok(worktree)
    }

    /// Makes a worktree and fills it. What `git worktree add` would write is written here, beside its place, and put there in
    /// one step: git looks at all worktrees of a repository and stops at one that is half made, so that it could make only
    /// one at a time.
    async fn make_tree(&self, worktree: &Worktree, head: &str, at: &Oid) -> Result<(), GitError> {
        let tree = worktree.tree();
        std::fs::create_dir_all(&tree).map_err(GitError::file(&tree, "made"))?;
        let mut entries = std::fs::read_dir(&tree).map_err(GitError::file(&tree, "read"))?;
        if entries.next().is_some() {
            let source = io::Error::from(io::ErrorKind::DirectoryNotEmpty);
            return Err(GitError::File { path: tree, deed: "made anew over what is there", source });
        }
        let half = self.beside(worktree)?;
        let link = tree.join(".git").display().to_string();
        let held = "Guildhall keeps and removes it.";
        for (name, text) in [("HEAD", head), ("commondir", "../.."), ("gitdir", link.as_str()), ("locked", held)] {
            let path = half.join(name);
            std::fs::write(&path, format!("{text}\n")).map_err(GitError::file(path, "written"))?;
        }
        if let Some(all) = worktree.admin.parent() {
            std::fs::create_dir_all(all).map_err(GitError::file(all, "made"))?;
        }
        std::fs::rename(&half, &worktree.admin).map_err(GitError::file(&worktree.admin, "put in place"))?;
        self.in_tree(worktree, "read-tree").args(["--reset", "-u", at.as_str()]).run().await?;
        Ok(())
    }

    /// An empty folder of the repository that git does not look at, of this worktree alone.
    fn beside(&self, worktree: &Worktree) -> Result<PathBuf, GitError> {
        let path = self.path().join("guildhall").join(&worktree.name);
        remove_any(&path)?;
        std::fs::create_dir_all(&path).map_err(GitError::file(&path, "made"))?;
        Ok(path)
    }

    /// Removes a branch that stands at `at`; does nothing when it stands elsewhere or is not there.
    ///
    /// # Errors
    /// When git fails.
    pub async fn drop_branch(&self, branch: &str, at: &Oid) -> Result<(), GitError> {
        if self.branch(branch).await?.as_ref() != Some(at) {
            return Ok(());
        }
        let name = format!("refs/heads/{branch}");
        self.git("update-ref").args(["--no-deref", "-d", &name, at.as_str()]).run().await.map(|_| ())
    }

    /// The worktree that was made for a run, if it is still known.
    ///
    /// # Errors
    /// [`GitError::BadName`].
    pub fn worktree(&self, run: &str, folder: &Path) -> Result<Option<Worktree>, GitError> {
        let worktree = self.worktree_of(run, folder)?;
        Ok(worktree.admin.is_dir().then_some(worktree))
    }

    /// Gives the agent a git folder of its own, so that `git status`, `git diff` and `git log` work in its sandbox.
    /// Costs no git process: a few small files.
    fn give_git(&self, worktree: &Worktree, branch: &str, base: &Oid) -> Result<(), GitError> {
        let git = worktree.agent_git();
        let put = |path: PathBuf, text: String| {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(GitError::file(parent, "made"))?;
            }
            std::fs::write(&path, text).map_err(GitError::file(path, "written"))
        };
        put(git.join("HEAD"), format!("ref: refs/heads/{branch}\n"))?;
        put(
            git.join("config"),
            "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = /workspace\n".to_owned(),
        )?;
        put(git.join("refs/heads").join(branch), format!("{base}\n"))?;
        put(git.join("objects/info/alternates"), format!("{AGENT_OBJECTS}\n"))?;
        std::fs::copy(worktree.admin.join("index"), git.join("index")).map_err(GitError::file(&git, "filled"))?;
        put(worktree.tree().join(".git"), format!("gitdir: {AGENT_GIT}\n"))
    }

    /// Brings a worktree to exactly the files of `to`, after a crash; ignored files stay. Makes the folder again when it
    /// was deleted, and takes away a lock that a dead git left.
    ///
    /// # Errors
    /// When git fails.
    pub async fn restore(&self, worktree: &Worktree, branch: &str, base: &Oid, to: &Oid) -> Result<(), GitError> {
        let tree = worktree.tree();
        std::fs::create_dir_all(&tree).map_err(GitError::file(&tree, "made"))?;
        // Only this server runs git with this folder, and for this run nothing else runs now: the lock's maker is dead.
        remove_if_there(&worktree.admin.join("index.lock"))?;
        // The agent's `.git` must not be taken for a repository while the tree is brought in order.
        remove_any(&tree.join(".git"))?;
        // `clean` asks nested repositories for their leave; twice forced, it takes them as folders.
        self.in_tree(worktree, "read-tree").args(["--reset", "-u", to.as_str()]).run().await?;
        self.in_tree(worktree, "checkout-index").args(["--all", "--force", "--quiet"]).run().await?;
        self.in_tree(worktree, "clean").args(["-ffdq"]).run().await?;
        self.give_git(worktree, branch, base)
    }

    pub(crate) fn in_tree(&self, worktree: &Worktree, subcommand: &str) -> crate::program::Git {
        crate::program::Git::new(subcommand).git_dir(&worktree.admin).work_tree(&worktree.tree())
    }

    /// Removes a worktree whose work is on a ref.
    ///
    /// # Errors
    /// When the folder cannot be removed.
    pub async fn remove_worktree(&self, worktree: &Worktree) -> Result<(), GitError> {
        // The folder first: if this stops halfway, git still knows the worktree, and the next try goes on.
        let folder = worktree.folder.clone();
        let removed = tokio::task::spawn_blocking(move || match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(GitError::file(folder, "removed")(error)),
            _ => Ok(()),
        });
        removed.await.map_err(|error| GitError::Program(io::Error::other(error)))??;
        // In one step, like the making: nobody finds a worktree of which half is gone.
        let gone = self.beside(worktree)?;
        match std::fs::rename(&worktree.admin, &gone) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(GitError::file(&worktree.admin, "removed")(error))
            }
            _ => remove_any(&gone),
        }
    }

    /// Brings the run's branch to its latest snapshot.
    ///
    /// # Errors
    /// [`GitError::Moved`] when somebody else moved the branch, or when git fails.
    pub async fn settle_branch(&self, branch: &str, to: &Oid) -> Result<(), GitError> {
        check_branch(branch)?;
        let old = self.branch(branch).await?;
        if old.as_ref() == Some(to) {
            return Ok(());
        }
        self.update_ref(&format!("refs/heads/{branch}"), to, old.as_ref()).await
    }
}

fn remove_if_there(path: &Path) -> Result<(), GitError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(GitError::file(path, "removed")(error)),
        _ => Ok(()),
    }
}

fn remove_any(path: &Path) -> Result<(), GitError> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => std::fs::remove_dir_all(path).map_err(GitError::file(path, "removed")),
        Ok(_) => remove_if_there(path),
        Err(_) => Ok(()),
    }
}
