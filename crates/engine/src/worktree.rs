//! The worktree of a run: made once, brought in order after an interruption.

use std::path::{Path, PathBuf};
use std::time::Duration;

use guildhall_git::{GitError, Joined, Oid, Repo, Work, Worktree};
use guildhall_store::{Claimed, Counts, Lease, StoreError, Word};
use guildhall_team::{Footing, How, Wish};
use guildhall_types::run::{DiffStat, HeldCard, Run, RunStatus, Turn};
use guildhall_types::{FeatureId, RunId};

use crate::Engine;
use crate::problems::Trouble;
use crate::services::{Why, at_work};
use crate::{checks, set_up};

/// How long somebody who wants to look into a worktree waits for whoever is in there.
const TURN: Duration = Duration::from_secs(5);
/// The file beside a worktree that says which state of its run's work it is of.
const STANDS_AT: &str = "stands-at";
/// Names that are tried when a run's branch was taken in between.
const BRANCHES: usize = 20;

/// Where a run works.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) worktree: Worktree,
    pub(crate) branch: String,
    /// The commit that the run started from.
    pub(crate) base: Oid,
    /// The latest state of its files that is on a ref.
    pub(crate) head: Oid,
    /// The cards whose work was in it when the run began, because its own card depends on them.
    pub(crate) holds: Vec<HeldCard>,
}

impl Ground {
    /// What the run changed.
    pub(crate) fn work(&self) -> Work {
        Work { base: self.base.clone(), head: self.head.clone() }
    }
}

impl Engine {
    /// The worktree of a run as it must be before the agent goes on: made now, left as it is, or, when the last turn was
    /// cut off in the middle of its tools, brought back to the snapshot before it.
    pub(crate) async fn ground(&self, repo: &Repo, claimed: &Claimed, turns: &[Turn]) -> Result<Ground, Trouble> {
        let Claimed { run, feature, project, .. } = claimed;
        let folder = self.0.team.places.run(run.id);
        let Some(base) = &run.base_commit else {
            clear_half_made(repo, run.id, &folder).await?;
            let (base, holds) = match self.0.team.store.briefing(run.id).await?.from {
                Some(from) => {
                    let base = repo.branch(&from).await?;
                    (base.ok_or(GitError::Missing { what: "branch", name: from })?, Vec::new())
                }
                None => match self.0.team.footing(project, repo, &feature.card.dependencies).await? {
                    Footing::At { commit, holds } => (commit, holds),
                    Footing::Open { why } | Footing::Broken { why } => return Err(Trouble::NoFooting(why)),
                },
            };
            let own_name = feature.card.branch.is_some();
            let (worktree, branch) = add(repo, run.id, &folder, &run.branch, own_name, &base).await?;
            self.stands_at(&folder, &base)?;
            // What it starts from may be on no ref yet. Others hear of the branch with the work on it.
            self.give(&claimed.lease, repo, Wish::run(run.id, Some(&base))).await?;
            return Ok(Ground { worktree, branch, head: base.clone(), base, holds });
        };
        let base = Oid::parse(base)?;
        let head = run.head_commit.as_deref().map_or_else(|| Ok(base.clone()), Oid::parse)?;
        let cut_off = turns.last().is_some_and(|turn| turn.results.is_none());
        let worktree = self.placed(repo, run, &base, &head, cut_off).await?;
        Ok(Ground { worktree, branch: run.branch.clone(), base, head, holds: run.holds.clone() })
    }

    /// The worktree of a run that has had one: as it is, or made anew with what was laid aside when it was taken away. When a
    /// turn was cut off, it is brought back to the state before.
    async fn placed(&self, repo: &Repo, run: &Run, base: &Oid, head: &Oid, cut_off: bool) -> Result<Worktree, Trouble> {
        let (folder, name) = (self.0.team.places.run(run.id), run.id.to_string());
        let there = repo.worktree(&name, &folder)?;
        // Another node went on with the run since: what is here is of an earlier state of its work.
        let stale = there.is_some() && self.is_behind(&folder, head);
        let worktree = match there {
            Some(worktree) => worktree,
            None => {
                set_up::forget(&folder)?;
                checks::forget(&folder)?;
                repo.readd_worktree(&name, &folder, head).await?
            }
        };
        repo.take_snapshots(&name, head).await?;
        // A restoring that was itself cut off has not yet given the agent its `.git` back.
        let given = worktree.tree().join(".git").symlink_metadata().is_ok_and(|found| !found.is_symlink());
        let whole = given && worktree.agent_git().is_dir();
        if cut_off || stale || !whole {
            set_up::forget(&folder)?;
            let left = match cut_off {
                true => None,
                false => repo.laid_aside(&name, head).await?,
            };
            match left {
                Some(left) => repo.take_up_aside(&worktree, &run.branch, base, head, &left).await?,
                None => repo.restore(&worktree, &run.branch, base, head).await?,
            }
            checks::forget(&folder)?;
        } else {
            checks::recover(repo, &worktree, &folder).await?;
        }
        self.stands_at(&folder, head)?;
        Ok(worktree)
    }

    /// Notes which state of a run's work the files of its worktree are, where other nodes may go on with it.
    pub(crate) fn stands_at(&self, folder: &Path, head: &Oid) -> Result<(), GitError> {
        if !self.0.team.shared.is_on() {
            return Ok(());
        }
        let (file, half) = (folder.join(STANDS_AT), folder.join(format!("{STANDS_AT}.half")));
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| GitError::File { path, deed: "written", source }
        };
        std::fs::write(&half, head.as_str()).map_err(failed(&half))?;
        std::fs::rename(&half, &file).map_err(failed(&file))
    }

    /// Whether the files of a worktree are of another state of its run's work than this one.
    pub(crate) fn is_behind(&self, folder: &Path, head: &Oid) -> bool {
        self.0.team.shared.is_on() && stood_at(folder).as_ref() != Some(head)
    }

    /// Lets all nodes have a ref of a run that this one holds.
    pub(crate) async fn give(&self, lease: &Lease, repo: &Repo, wish: Wish) -> Result<(), Trouble> {
        if !self.0.team.shared.is_on() {
            return Ok(());
        }
        let run = self.0.team.store.run(lease.run).await?;
        let project = run.ok_or(StoreError::LeaseLost)?.project_id;
        let how = How { lease: Some(lease), ..How::default() };
        Ok(self.0.team.shared.give(project, repo, &[wish], how).await?)
    }

    /// Makes the worktree of work that rests anew, for whoever wants to look into it. Nothing where there is none to make: its
    /// work is over or was never begun, or an agent is about to make it.
    ///
    /// # Errors
    /// When the disk is full, or git or the store fails.
    pub(crate) async fn bring_back(&self, repo: &Repo, run: &Run) -> Result<Option<Worktree>, Trouble> {
        let rests = |run: &Run| !run.status.is_live() && run.status != RunStatus::Closed;
        if !rests(run) {
            return Ok(None);
        }
        let Ok(turn) = tokio::time::timeout(TURN, self.ground_turn(run.id)).await else { return Ok(None) };
        let made = async {
            // Whoever claimed it in between makes it.
            let Some(run) = self.0.team.store.run(run.id).await?.filter(rests) else { return Ok(None) };
            let Some(base) = &run.base_commit else { return Ok(None) };
            self.has_room()?;
            let base = Oid::parse(base)?;
            let head = run.head_commit.as_deref().map_or_else(|| Ok(base.clone()), Oid::parse)?;
            let worktree = self.placed(repo, &run, &base, &head, false).await?;
            tracing::info!(run = %run.id, "a worktree was made again for somebody who looks into it");
            Ok(Some(worktree))
        };
        let made = made.await;
        drop(turn);
        self.forget_ground(run.id);
        made
    }

    /// Takes away what checks left that were cut off, before somebody looks into a worktree that rests: it is nobody's work, and
    /// what is written there from then on is not taken for theirs.
    ///
    /// # Errors
    /// When git or the store fails, or somebody is still in there.
    pub(crate) async fn rid_of_checks(&self, repo: &Repo, run: &Run, worktree: &Worktree) -> Result<(), Trouble> {
        let folder = self.0.team.places.run(run.id);
        if run.status.is_live() || !checks::are_cut_off(&folder) {
            return Ok(());
        }
        let turn = tokio::time::timeout(TURN, self.ground_turn(run.id)).await.map_err(|_| at_work())?;
        let done = match self.0.team.store.run(run.id).await {
            Ok(Some(now)) if !now.status.is_live() => checks::recover(repo, worktree, &folder).await,
            // Whoever claimed it in between does that.
            other => other.map(|_| ()).map_err(Trouble::from),
        };
        drop(turn);
        self.forget_ground(run.id);
        done
    }
}

impl Engine {
    /// When a member asks for a change to work that no longer merges by itself, the branch is joined into the worktree, so
    /// that the agent can resolve what git cannot: with what the work is built on, as that is now, where it is not merged yet.
    pub(crate) async fn join_conflicts(
        &self,
        repo: &Repo,
        claimed: &Claimed,
        turns: &[Turn],
        ground: Ground,
    ) -> Result<Ground, Trouble> {
        let Claimed { lease, run, project, .. } = claimed;
        let store = &self.0.team.store;
        let at_rest = turns.last().is_some_and(|turn| turn.results.is_some());
        if !at_rest || store.inbox(run.id).await?.is_empty() {
            return Ok(ground);
        }
        let author = self.0.team.identity(run.member_id).await?;
        let branch = &project.default_branch;
        let built_on: Vec<FeatureId> = ground.holds.iter().map(|held| held.feature_id).collect();
        // Where what it is built on is at work itself, that comes first.
        let Footing::At { commit: onto, .. } = self.0.team.footing(project, repo, &built_on).await? else {
            return Ok(ground);
        };
        let Some(joined) = repo.join(&run.id.to_string(), &ground.work(), &onto, branch, &author).await? else {
            return Ok(ground);
        };
        let all = match repo.branch(branch).await?.as_ref() == Some(&onto) {
            true => branch.clone(),
            false => format!("{branch}, with what this work is built on,"),
        };
        let word = conflict_word(&all, &joined, Counts::Nothing);
        self.take_up(repo, lease, ground, joined, Some(&word)).await
    }

    /// Goes on with work into which a branch was joined. A server that dies in between finds the former state in the store,
    /// and joins once more.
    pub(crate) async fn take_up(
        &self,
        repo: &Repo,
        lease: &Lease,
        ground: Ground,
        joined: Joined,
        word: Option<&Word>,
    ) -> Result<Ground, Trouble> {
        // Nobody should be at work in there, and here nobody may be.
        self.end_services(lease.run, Why::Attempt).await;
        self.give(lease, repo, Wish::run(lease.run, Some(&joined.commit))).await?;
        repo.restore(&ground.worktree, &ground.branch, &joined.base, &joined.commit).await?;
        let stat = repo.stat(&joined.base, &joined.commit).await?;
        let stat = DiffStat { files: stat.files, added: stat.additions, removed: stat.deletions };
        self.0.team.store.move_base(lease, joined.base.as_str(), joined.commit.as_str(), stat, word).await?;
        self.stands_at(&self.0.team.places.run(lease.run), &joined.commit)?;
        Ok(Ground { base: joined.base, head: joined.commit, ..ground })
    }
}

/// The state of a run's work that the files of its worktree are of, if that was noted.
pub(crate) fn stood_at(folder: &Path) -> Option<Oid> {
    Oid::parse(std::fs::read_to_string(folder.join(STANDS_AT)).ok()?.trim()).ok()
}

/// What the agent hears of a branch that was joined into its work with conflicts.
pub(crate) fn conflict_word(branch: &str, joined: &Joined, counts: Counts) -> Word {
    let files: Vec<&str> = joined.files.iter().map(|file| file.path.as_str()).collect();
    let text = format!(
        "The branch {branch} has moved on and conflicts with this work, so it was joined into the worktree. Where both \
         changed the same place, both sides stand between conflict marks: {}. They must be resolved so that both \
         purposes are kept, and no mark may stay.",
        files.join(", ")
    );
    Word { text, data: String::new(), counts }
}

/// The branch that is about to be made for a run, and the commit that it starts from. Written down in the run's folder before
/// git makes it, which it does only where there is none: a branch that a claim finds at this very commit afterwards was made
/// by an earlier claim that died, and nothing was done on it, wherever the default branch is by then.
struct Begun {
    branch: String,
    base: Oid,
}

impl Begun {
    fn file(folder: &Path) -> PathBuf {
        folder.join("begun")
    }

    fn read(folder: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(Self::file(folder)).ok()?;
        let (base, branch) = text.trim_end().split_once(' ')?;
        Some(Self { branch: branch.to_owned(), base: Oid::parse(base).ok()? })
    }

    fn write(&self, folder: &Path) -> Result<(), GitError> {
        let (file, half) = (Self::file(folder), folder.join("begun.half"));
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| GitError::File { path, deed: "written", source }
        };
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
        std::fs::write(&half, format!("{} {}\n", self.base, self.branch)).map_err(failed(&half))?;
        std::fs::rename(&half, &file).map_err(failed(&file))
    }

    fn forget(folder: &Path) -> Result<(), GitError> {
        let path = Self::file(folder);
        std::fs::remove_file(&path).map_err(|source| GitError::File { path, deed: "removed", source })
    }
}

/// Nothing was done yet for this run: takes away what an earlier claim made that died.
async fn clear_half_made(repo: &Repo, run: RunId, folder: &Path) -> Result<(), GitError> {
    let begun = Begun::read(folder);
    if let Some(half) = repo.worktree(&run.to_string(), folder)? {
        repo.remove_worktree(&half).await?;
    }
    // Not before the worktree, which holds the branch.
    if let Some(Begun { branch, base }) = begun {
        repo.drop_branch(&branch, &base).await?;
    }
    Ok(())
}

async fn add(
    repo: &Repo,
    run: RunId,
    folder: &std::path::Path,
    wanted: &str,
    own_name: bool,
    base: &Oid,
) -> Result<(Worktree, String), Trouble> {
    let mut branch = wanted.to_owned();
    for n in 2..BRANCHES {
        Begun { branch: branch.clone(), base: base.clone() }.write(folder)?;
        match repo.add_worktree(&run.to_string(), folder, &branch, base).await {
            // A name that a member chose is not changed behind their back.
            Err(GitError::BranchExists { .. }) if !own_name => branch = format!("{wanted}-{n}"),
            Err(error @ GitError::BranchExists { .. }) => {
                // It is somebody else's.
                Begun::forget(folder)?;
                return Err(error.into());
            }
            other => return Ok((other?, branch)),
        }
    }
    Err(GitError::BranchExists { branch }.into())
}

#[cfg(test)]
mod tests;
