//! Worktrees: one for each run, on its own branch.
//!
//! The folder of a run holds `tree`, the worktree, and `git`, a git folder for the agent's own use. What the server
//! itself knows of the worktree (its index, its HEAD) is inside the canonical repository, where no agent can write.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use guildhall_types::boundary;
use tokio::sync::OwnedMutexGuard;

use crate::confine::Walls;
use crate::locks::{self, Found};
use crate::nested::past_broken;
use crate::program::Git;
use crate::repo::{check_branch, snapshot_ref};
use crate::{GitError, Oid, Repo, tree};

/// Where the agent's git folder appears inside the sandbox.
const AGENT_GIT: &str = "/run/git";
/// Where the canonical repository's objects appear inside the sandbox, read-only.
const AGENT_OBJECTS: &str = "/run/objects";
/// How often a file is tried to be put where an agent makes folders meanwhile.
const PLACINGS: usize = 100;

/// Opens the files by which a process joins the control groups of a run: it writes a 0 to each.
pub type Doors = dyn Fn() -> io::Result<Vec<OwnedFd>> + Send + Sync;

/// A run's worktree.
#[derive(Clone)]
pub struct Worktree {
    pub(crate) name: String,
    folder: PathBuf,
    pub(crate) admin: PathBuf,
    /// What a git that works in it joins.
    doors: Option<Arc<Doors>>,
}

impl fmt::Debug for Worktree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worktree").field("name", &self.name).field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Worktree {
    /// The files.
    pub fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// The same, in which git counts among what the commands of its run may have of memory and processors.
    #[must_use]
    pub fn among(self, doors: Arc<Doors>) -> Self {
        Self { doors: Some(doors), ..self }
    }

    fn walls(&self, read: Vec<PathBuf>, write: Vec<PathBuf>) -> Walls {
        Walls { doors: self.doors.clone(), ..Walls::of(read, write) }
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
        // Git names its own folder of a worktree after the last part of the worktree's path; ours all end in `tree`,
        // so the name is given by the link that git is told to make it at.
        let admin = self.path().join("worktrees").join(run);
        Ok(Worktree { name: run.to_owned(), folder: folder.to_owned(), admin, doors: None })
    }

    /// Makes a worktree in `folder` on a new branch that starts at `base`.
    ///
    /// # Errors
    /// [`GitError::BranchExists`], [`GitError::BadName`], or when git fails.
    pub async fn add_worktree(&self, run: &str, folder: &Path, branch: &str, base: &Oid) -> Result<Worktree, GitError> {
        check_branch(branch)?;
        let worktree = self.worktree_of(run, folder)?;
        std::fs::create_dir_all(folder).map_err(GitError::file(folder, "made"))?;
        self.make_tree(&worktree, &["--no-track", "-b", branch], base).await.map_err(|error| match error {
            GitError::Failed { message, .. }
                if (message.contains("already exists") && message.contains("branch"))
                    || message.contains("exists; cannot create") =>
            {
                GitError::BranchExists { branch: branch.to_owned() }
            }
            other => other,
        })?;
        give_git(&worktree, branch, base).await?;
        boundary!("worktree.given");
        self.take_snapshots(run, base).await?;
        Ok(worktree)
    }

    /// Makes a worktree anew for a run whose former one is gone, with the files of `at`. The agent's git folder comes with
    /// [`Repo::restore`].
    ///
    /// # Errors
    /// When git fails.
    pub async fn readd_worktree(&self, run: &str, folder: &Path, at: &Oid) -> Result<Worktree, GitError> {
        let worktree = self.worktree_of(run, folder)?;
        std::fs::create_dir_all(folder).map_err(GitError::file(folder, "made"))?;
        self.make_tree(&worktree, &["--detach"], at).await?;
        Ok(worktree)
    }

    /// Has git make a worktree under the run's own name, which so becomes the name of git's folder of it, puts it in its
    /// place, and fills it.
    async fn make_tree(&self, worktree: &Worktree, how: &[&str], at: &Oid) -> Result<(), GitError> {
        let made = worktree.folder.join(&worktree.name);
        let tree = worktree.tree();
        {
            let _turn = self.turn().await;
            self.sweep_half_made()?;
            let args =
                ["add", "--quiet", "--lock", "--no-checkout"].into_iter().chain(how.iter().copied()).chain(["--"]);
            self.git("worktree").args(args).arg(&made).arg(at.as_str()).run().await?;
            boundary!("worktree.made");
            std::fs::rename(&made, &tree).map_err(GitError::file(&tree, "put in place"))?;
            boundary!("worktree.placed");
            put_whole(&worktree.admin.join("gitdir"), &format!("{}\n", tree.join(".git").display()))?;
        }
        // Writing the files takes longest, and needs no turn. Nobody else is in there yet.
        self.in_tree(worktree, "read-tree").args(["--reset", "-u", at.as_str()]).run().await?;
        Ok(())
    }

    /// Waits until no other worktree of this repository is being made or removed. Git looks at all of them when it makes
    /// one, and stops at one that is half made.
    async fn turn(&self) -> OwnedMutexGuard<()> {
        static TURNS: LazyLock<Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>> = LazyLock::new(Mutex::default);
        let turns = {
            let mut all = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(self.path().to_owned()).or_default())
        };
        turns.lock_owned().await
    }

    /// Forgets worktrees that a server was killed in the middle of making: git would stop at them for ever. Only with the
    /// turn in hand, and only this server writes here, so none is being made now.
    fn sweep_half_made(&self) -> Result<(), GitError> {
        let Ok(entries) = std::fs::read_dir(self.path().join("worktrees")) else { return Ok(()) };
        for entry in entries.flatten() {
            let filled = |name: &str| entry.path().join(name).metadata().is_ok_and(|meta| meta.len() > 0);
            if !["commondir", "gitdir", "HEAD"].into_iter().all(filled) {
                let path = entry.path();
                tree::remove(&path).map_err(GitError::file(&path, "removed"))?;
            }
        }
        Ok(())
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

    /// Brings a worktree to exactly the files of `to`, after a crash; ignored files stay, unless git cannot tell which those are
    /// with the memory that it may have. Makes the folder again when it was deleted, and takes away a lock that a dead git left.
    ///
    /// # Errors
    /// When git fails.
    pub async fn restore(&self, worktree: &Worktree, branch: &str, base: &Oid, to: &Oid) -> Result<(), GitError> {
        let at = worktree.tree();
        std::fs::create_dir_all(&at).map_err(GitError::file(&at, "made"))?;
        // Git itself takes a dead one away only when it stops at it; what is left of the agent's tree need not wait for that.
        free_lock(&worktree.admin).await?;
        // The agent's `.git` must not be taken for a repository while the tree is brought in order, and git must neither wait
        // at a pipe nor stand before a folder that it may not enter.
        blocking(move || {
            let git = at.join(".git");
            tree::remove(&git).map_err(GitError::file(git, "removed"))?;
            tree::tame(&at, true).map_err(GitError::file(at, "opened"))
        })
        .await?;
        boundary!("worktree.bared");
        match self.fill(worktree, to).await {
            Err(GitError::NoMemory { .. }) => {
                // What an agent wrote for git to obey does not stand in the way of its own end.
                let at = worktree.tree();
                blocking(move || {
                    tree::remove(&at).map_err(GitError::file(&at, "removed"))?;
                    std::fs::create_dir(&at).map_err(GitError::file(&at, "made"))
                })
                .await?;
                self.fill(worktree, to).await?;
            }
            filled => filled?,
        }
        boundary!("worktree.restored");
        give_git(worktree, branch, base).await
    }

    /// Has git put the files of `to` in a worktree, and take away what else is there.
    async fn fill(&self, worktree: &Worktree, to: &Oid) -> Result<(), GitError> {
        // `clean` asks nested repositories for their leave; twice forced, it takes them as folders.
        for (call, args) in [
            ("read-tree", &["--reset", "-u", to.as_str()][..]),
            ("checkout-index", &["--all", "--force", "--quiet"]),
            ("clean", &["-ffdq"]),
        ] {
            past_broken(worktree, || self.in_tree(worktree, call).args(args).run()).await?;
        }
        Ok(())
    }

    fn at_tree(&self, worktree: &Worktree, subcommand: &str) -> Git {
        // Without threads, which its run may have no more of, and each of which takes a stack.
        let git = Git::new(subcommand).config("core.preloadIndex=false").config("index.threads=1");
        git.git_dir(&worktree.admin).work_tree(&worktree.tree())
    }

    /// A call that changes the worktree's files, and reads objects only.
    pub(crate) fn in_tree(&self, worktree: &Worktree, subcommand: &str) -> Git {
        let write = vec![worktree.folder.clone(), worktree.admin.clone()];
        self.at_tree(worktree, subcommand).within(worktree.walls(vec![self.path().to_owned()], write))
    }

    /// A call that writes objects, and reads the worktree's files only.
    pub(crate) fn of_tree(&self, worktree: &Worktree, subcommand: &str) -> Git {
        let write = vec![worktree.admin.clone(), self.objects()];
        let read = vec![self.path().to_owned(), worktree.tree()];
        self.at_tree(worktree, subcommand).within(worktree.walls(read, write))
    }

    /// Removes a worktree whose work is on a ref.
    ///
    /// # Errors
    /// When the folder cannot be removed.
    pub async fn remove_worktree(&self, worktree: &Worktree) -> Result<(), GitError> {
        // The folder first: if this stops halfway, git still knows the worktree, and the next try goes on.
        let folder = worktree.folder.clone();
        blocking(move || tree::remove(&folder).map_err(GitError::file(folder, "removed"))).await?;
        boundary!("worktree.removed");
        let _turn = self.turn().await;
        // Not by git, which knows one that was cut off half made at another place, and would not find it.
        remove_if_there(&worktree.admin.join("locked"))?;
        self.git("worktree").args(["prune", "--expire=now"]).run().await?;
        Ok(())
    }

    /// Brings the run's branch forward to its latest snapshot. A branch that somebody moved elsewhere stays there.
    ///
    /// # Errors
    /// [`GitError::Moved`] when somebody else moved the branch, or when git fails.
    pub async fn settle_branch(&self, branch: &str, to: &Oid) -> Result<(), GitError> {
        check_branch(branch)?;
        let old = self.branch(branch).await?;
        match &old {
            Some(old) if old == to => return Ok(()),
            Some(old) if !self.is_ancestor(old, to).await? => return Err(GitError::Moved { name: branch.to_owned() }),
            _ => {}
        }
        self.update_ref(&format!("refs/heads/{branch}"), to, old.as_ref()).await
    }
}

/// Gives the agent a git folder of its own, so that `git status`, `git diff` and `git log` work in its sandbox.
/// Costs no git process: a few small files. What was there before is gone with what the agent kept in it.
pub(crate) async fn give_git(worktree: &Worktree, branch: &str, base: &Oid) -> Result<(), GitError> {
    let git = worktree.agent_git();
    let bare = git.clone();
    // Whatever an agent left there would be written through: a link in place of a file leads anywhere. And it is made anew, so
    // that whoever still sees the former folder does not see this one.
    blocking(move || tree::remove(&bare).map_err(GitError::file(bare, "removed"))).await?;
    let put = |path: PathBuf, text: String| {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(GitError::file(parent, "made"))?;
        }
        std::fs::write(&path, text).map_err(GitError::file(path, "written"))
    };
    put(git.join("HEAD"), format!("ref: refs/heads/{branch}\n"))?;
    boundary!("worktree.half-given");
    put(
        git.join("config"),
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = /workspace\n".to_owned(),
    )?;
    put(git.join("refs/heads").join(branch), format!("{base}\n"))?;
    put(git.join("objects/info/alternates"), format!("{AGENT_OBJECTS}\n"))?;
    std::fs::copy(worktree.admin.join("index"), git.join("index")).map_err(GitError::file(&git, "filled"))?;
    let (half, place) = (worktree.folder.join("pointer.half"), worktree.tree().join(".git"));
    blocking(move || point(&half, &place, &format!("gitdir: {AGENT_GIT}\n"))).await
}

/// Puts a small file at `place`, where whatever an agent put there meanwhile goes and nothing of it is followed. It is written at
/// `half`, where no agent can write, and takes its place in one step. Blocks.
fn point(half: &Path, place: &Path, text: &str) -> Result<(), GitError> {
    std::fs::write(half, text).map_err(GitError::file(half, "written"))?;
    for _ in 0..PLACINGS {
        match std::fs::rename(half, place) {
            // Whoever makes folders there may be faster; then this is done again.
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => drop(tree::remove(place)),
            placed => return placed.map_err(GitError::file(place, "put in place")),
        }
    }
    std::fs::rename(half, place).map_err(GitError::file(place, "put in place"))
}

/// Writes a small file so that it is never found half written.
fn put_whole(path: &Path, text: &str) -> Result<(), GitError> {
    let half = path.with_extension("half");
    std::fs::write(&half, text).map_err(GitError::file(&half, "written"))?;
    std::fs::rename(&half, path).map_err(GitError::file(path, "put in place"))
}

/// Takes away the lock on a worktree's index that a dead git left.
async fn free_lock(admin: &Path) -> Result<(), GitError> {
    let lock = admin.join("index.lock");
    if !lock.exists() {
        return Ok(());
    }
    let (path, admin) = (lock.clone(), admin.to_owned());
    let found = tokio::task::spawn_blocking(move || locks::free(&path, &admin, locks::PATIENCE)).await;
    match found {
        Ok(Found::Free) => Ok(()),
        _ => Err(GitError::Locked { lock }),
    }
}

fn remove_if_there(path: &Path) -> Result<(), GitError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(GitError::file(path, "removed")(error)),
        _ => Ok(()),
    }
}

/// Does what takes a while where it holds nobody up.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, GitError> + Send + 'static,
) -> Result<T, GitError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| GitError::Program(io::Error::other(error)))?
}
