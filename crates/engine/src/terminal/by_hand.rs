//! What a member changes by hand becomes a snapshot in their name. Until it is one, a file beside the worktree says whose hand was
//! in there: so no work is taken as it is without it, whatever went wrong in between, the death of the server as well.

use std::io;
use std::path::{Path, PathBuf};

use guildhall_git::{BESIDE, GitError, Leaving, LeftOut, Oid, Repo, Step, Worktree};
use guildhall_team::{How, Team, TeamError, Wish};
use guildhall_types::event::Happening;
use guildhall_types::run::{DiffStat, Run, RunEvent};
use guildhall_types::{MemberId, RunId};

use crate::problems::{Trouble, chain};
use crate::tidy::author;
use crate::worktree::stood_at;
use crate::{Engine, checks};

impl Engine {
    /// A member is about to change files of a run.
    pub(super) fn begin_by_hand(&self, run: RunId, member: MemberId) -> Result<(), GitError> {
        let path = file(&self.0.team.places.run(run));
        std::fs::write(&path, member.to_string()).map_err(|source| GitError::File { path, deed: "written", source })
    }

    /// Keeps what a member changed by hand that is not kept yet. Nobody may be at it.
    ///
    /// # Errors
    /// When it still cannot be kept.
    pub(crate) async fn keep_left_by_hand(&self, run: RunId) -> Result<(), Trouble> {
        self.keep_by_hand(&self.0.team, run).await.map(|_| ())
    }

    /// The same, where somebody leaves a terminal. Returns what they are to be told: of what is not kept.
    pub(super) async fn leave_by_hand(&self, by: &Team, run: RunId) -> Option<String> {
        let error = match self.keep_by_hand(by, run).await {
            Ok(told) => return told,
            Err(error) => error,
        };
        tracing::warn!(%run, error = &error as &dyn std::error::Error, "what was changed in a terminal was not kept yet");
        let said = format!(
            "What was changed in a terminal could not be saved: {}. It is still in the worktree, and is saved when the work goes on, or is \
             taken as it is.",
            chain(&error).trim_end_matches('.')
        );
        if let Err(error) = self.0.team.store.note_of_files(run, &said).await {
            tracing::warn!(%run, error = &error as &dyn std::error::Error, "a note could not be written");
        }
        Some(said)
    }

    async fn keep_by_hand(&self, by: &Team, id: RunId) -> Result<Option<String>, Trouble> {
        let team = &self.0.team;
        let path = file(&team.places.run(id));
        let whose = match std::fs::read_to_string(&path) {
            Ok(text) => text.trim().parse::<MemberId>().ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(GitError::File { path, deed: "read", source }.into()),
        };
        let told = match team.store.run(id).await? {
            Some(run) => self.keep_hand_work(by, &run, whose.unwrap_or(run.member_id)).await?,
            None => None,
        };
        // They came after whatever checks left there.
        checks::forget(&team.places.run(id))?;
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(GitError::File { path, deed: "removed", source }.into())
            }
            _ => Ok(told),
        }
    }

    /// Returns what is told anew of files that are not kept.
    async fn keep_hand_work(&self, by: &Team, run: &Run, member: MemberId) -> Result<Option<String>, Trouble> {
        let team = &self.0.team;
        let id = run.id;
        let Some(base) = run.base_commit.as_deref() else { return Ok(None) };
        let head = Oid::parse(run.head_commit.as_deref().unwrap_or(base))?;
        let base = Oid::parse(base)?;
        let repo = team.shared.caught_up(run.project_id).await?;
        let worktree = repo.worktree(&id.to_string(), &team.places.run(id))?;
        let Some(worktree) = worktree.filter(|tree| tree.tree().is_dir()) else {
            let gone = "What was changed in a terminal is not saved: the files of this worktree were deleted. The work is as it was saved last.";
            team.store.note_of_files(id, gone).await?;
            return Ok(Some(gone.to_owned()));
        };
        let folder = team.places.run(id);
        if let Some(stood) = stood_at(&folder).filter(|_| self.is_behind(&folder, &head)) {
            return self.keep_late_hand_work(run, &repo, &worktree, &stood).await.map(Some);
        }
        repo.take_snapshots(&id.to_string(), &head).await?;
        let author = match team.identity(member).await {
            Err(TeamError::NotFound { .. }) => team.identity(run.member_id).await?,
            author => author?,
        };
        let taken = repo.snapshot(&worktree, &head, "By hand, in a terminal\n", &author).await?;
        let left_out = self.untold(run, &taken.left_out).await?;
        let Some(commit) = taken.commit else {
            if let Some(said) = &left_out {
                team.store.note_of_files(id, said).await?;
            }
            return Ok(left_out);
        };
        let stat = repo.stat(&base, &commit).await?;
        let stat = DiffStat { files: stat.files, added: stat.additions, removed: stat.deletions };
        let mut said = format!("{} changed files of this work in a terminal.", author.name);
        if let Some(left_out) = &left_out {
            said.push_str(&format!(" {left_out}"));
        }
        team.shared.give(run.project_id, &repo, &[Wish::run(id, Some(&commit))], How::default()).await?;
        if by.store.note_hand_work(id, self.0.node, head.as_str(), commit.as_str(), stat, &said).await? {
            self.stands_at(&folder, &commit)?;
            repo.settle_branch(&run.branch, &commit).await?;
            let wish = Wish::branch(&run.branch, Some(&commit));
            team.shared.give(run.project_id, &repo, &[wish], How::default()).await?;
        } else if team.shared.is_on() {
            return self.keep_beside(run, &repo, &commit).await.map(Some);
        }
        Ok(left_out)
    }

    /// Keeps what was changed by hand when an agent at another server had begun to work already: apart from its work.
    async fn keep_beside(&self, run: &Run, repo: &Repo, commit: &Oid) -> Result<String, Trouble> {
        let name = format!("{BESIDE}runs/{}/{commit}", run.id);
        let old = repo.ref_at(&name).await?;
        repo.move_refs(&[Step { name: name.clone(), old, new: Some(commit.clone()) }]).await?;
        self.tell_of_late_hand_work(run, repo, name).await
    }

    /// Keeps what was changed in a worktree when another server had gone on with the work already: apart from it.
    async fn keep_late_hand_work(
        &self,
        run: &Run,
        repo: &Repo,
        worktree: &Worktree,
        stood: &Oid,
    ) -> Result<String, Trouble> {
        let (name, now) = (run.id.to_string(), self.0.team.clock.now());
        repo.lay_aside(worktree, stood, &author(), Leaving::ForGood, now).await?;
        self.tell_of_late_hand_work(run, repo, format!("refs/guildhall/left/{name}")).await
    }

    /// Lets all servers have the ref on which it is kept, and says so in the run.
    async fn tell_of_late_hand_work(&self, run: &Run, repo: &Repo, name: String) -> Result<String, Trouble> {
        let team = &self.0.team;
        let said = format!(
            "What was changed in a terminal came too late: the work had gone on at another server. It is no part of it, and is kept \
             apart, on the ref {name}."
        );
        team.shared.give_as_here(run.project_id, repo, &[name]).await?;
        team.store.note_of_files(run.id, &said).await?;
        Ok(said)
    }

    /// What is not kept and was not told in the run yet.
    async fn untold(&self, run: &Run, left_out: &LeftOut) -> Result<Option<String>, Trouble> {
        if left_out.is_empty() {
            return Ok(None);
        }
        let events = self.0.team.store.run_events(run.id, 0, i64::MAX).await?;
        let notes: Vec<String> = events
            .into_iter()
            .filter_map(|event| match event.what {
                Happening::Run { event: RunEvent::Note { text }, .. } => Some(text),
                _ => None,
            })
            .collect();
        // Of files that are counted, another number is no news either.
        let known = |what: &str| match what {
            "" => notes.iter().any(|note| note.contains(" files of repositories within the worktree ")),
            path => notes.iter().any(|note| note.contains(&format!("{path} has "))),
        };
        let new: Vec<String> = left_out.told().filter(|(what, _)| !known(what)).map(|(_, text)| text).collect();
        Ok((!new.is_empty()).then(|| new.join(" ")))
    }
}

/// Whether in this folder of a run something may be that was changed by hand and is not kept yet.
pub(crate) fn is_left(folder: &Path) -> bool {
    file(folder).exists()
}

fn file(folder: &Path) -> PathBuf {
    folder.join("by-hand")
}
