//! The work of a run as members look at it and take it: diff, files, merge.

mod elsewhere;
mod short;

use guildhall_git::{Blob, Diff, DiffLimits, GitError, Landed, Merge, Oid, Repo, Work};
use guildhall_store::StoreError;
use guildhall_types::feature::Feature;
use guildhall_types::member::Member;
use guildhall_types::project::Project;
use guildhall_types::run::{HeldCard, Run};
use guildhall_types::{FeatureId, ProjectId, boundary};

use crate::footing::UNMERGED;
use crate::project_secrets::blotted;
use crate::shared::{How, Wish};
use crate::{Team, TeamError, merged_before};

/// Bytes of a file that are shown at most.
const FILE: u64 = 5 * 1024 * 1024;
/// Commits that are searched for an earlier merge of the same card.
const SEARCHED: usize = 200;
/// How often it is merged anew when other nodes merge at the same time.
const TRIES: usize = 20;
/// Why work is not merged: the branch has it.
const NOTHING: &str = "nothing-to-merge";
/// Names the card in the commit that brought its work.
const TRAILER: &str = "Guildhall-Feature";

/// Which side of a diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Before the work.
    Base,
    /// After it.
    Head,
}

/// A file of the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkFile {
    /// Its bytes.
    Bytes(Vec<u8>),
    /// It is larger than is shown; its size in bytes.
    TooLarge(u64),
}

/// What came of a merge.
#[derive(Debug, Clone)]
pub struct Merged {
    /// The card, now completed.
    pub feature: Feature,
    /// The commit on the default branch.
    pub commit: String,
}

impl Team {
    /// What a card's latest run changed so far, against the commit that it started from.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] `nothing-yet` before the worktree is made.
    pub async fn diff(&self, id: FeatureId) -> Result<Diff, TeamError> {
        let (feature, run) = self.card_and_run(id).await?;
        let repo = self.shared.caught_up(feature.card.project_id).await?;
        let (base, head) = ends(&run)?;
        let blot = self.blot_of(feature.card.project_id).await?;
        Ok(blotted(repo.diff(&base, &head, &DiffLimits::default()).await?, &blot))
    }

    /// The same for an answer of `most` bytes, all of it or the part of one file.
    ///
    /// # Errors
    /// As for [`Team::diff`]; [`TeamError::NotFound`] when nothing changed at this path.
    pub async fn diff_within(&self, id: FeatureId, path: Option<&str>, most: Option<usize>) -> Result<Diff, TeamError> {
        let diff = match path {
            None => self.diff(id).await?,
            Some(path) => {
                let (feature, run) = self.card_and_run(id).await?;
                let repo = self.shared.caught_up(feature.card.project_id).await?;
                let (base, head) = ends(&run)?;
                let diff = repo.file_diff(&base, &head, path, &DiffLimits::default()).await?;
                let diff = diff.ok_or(TeamError::NotFound { what: "change at this path" })?;
                blotted(diff, &self.blot_of(feature.card.project_id).await?)
            }
        };
        Ok(match most {
            Some(most) => short::short(diff, most),
            None => diff,
        })
    }

    /// A file of a card's latest work; nothing when there is none at this path.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] `nothing-yet` before the worktree is made.
    pub async fn work_file(&self, id: FeatureId, path: &str, side: Side) -> Result<Option<WorkFile>, TeamError> {
        let (feature, run) = self.card_and_run(id).await?;
        let repo = self.shared.caught_up(feature.card.project_id).await?;
        let (base, head) = ends(&run)?;
        let commit = match side {
            Side::Base => base,
            Side::Head => head,
        };
        let blot = self.blot_of(feature.card.project_id).await?;
        Ok(repo.file_at(&commit, path, FILE).await?.map(|blob| match blob {
            Blob::Bytes(bytes) => WorkFile::Bytes(blot.bytes(&bytes).into_owned()),
            Blob::TooLarge(size) => WorkFile::TooLarge(size),
        }))
    }

    /// Puts a card's work on the project's default branch as one commit by this member. Verified work that it is built on and
    /// that is not there yet goes first, each card's as a commit of its own. No card is half merged; where one conflicts, those
    /// that went before it are merged and stay so, and the error names them.
    ///
    /// # Errors
    /// [`TeamError::MergeConflict`]; [`TeamError::Conflict`] when there is nothing to merge, or when what it is built on cannot be
    /// merged; the store's error when the card must not be merged now.
    pub async fn merge(&self, member: &Member, id: FeatureId, message: Option<&str>) -> Result<Merged, TeamError> {
        let (feature, run) = self.card_and_run(id).await?;
        // Asked before git does anything, and once more by the store when it notes the merge.
        feature.card.after(guildhall_types::feature::Move::Merge).map_err(StoreError::from)?;
        let (project, repo) = self.ready_project(feature.card.project_id).await?;
        run.head_commit.as_deref().ok_or_else(nothing_new)?;
        let (base, head) = ends(&run)?;
        self.must_hold_no_secret(project.id, &repo, &base, &head).await?;
        // Or it would be taken up as soon as what it is built on is merged, in the middle of this.
        let hand = self.store.take_merge_in_hand(id).await?;
        let done = self.merge_by_hand(member, (&feature, &run), (&project, &repo), &Work { base, head }, message).await;
        if let (Some(hand), Err(error)) = (hand, &done) {
            match error {
                // Of what conflicts it is said what to do; nobody's agent does it unasked.
                TeamError::MergeConflict { .. } => self.store.merge_no_later(hand).await?,
                _ => self.store.leave_merge(hand).await?,
            }
        }
        done
    }

    async fn merge_by_hand(
        &self,
        member: &Member,
        (feature, run): (&Feature, &Run),
        (project, repo): (&Project, &Repo),
        work: &Work,
        message: Option<&str>,
    ) -> Result<Merged, TeamError> {
        let id = feature.card.id;
        let mut merged = Vec::new();
        for held in self.to_merge_first(&run.holds).await? {
            if self.merge_first(member, &held, &merged).await? {
                merged.push(held);
            }
        }
        let author = self.identity(member.id).await?;
        let message = commit_message(feature, message);
        let branch = &project.default_branch;
        let mut tries = 0;
        let commit = loop {
            let commit = match repo.merge(work, branch, &message, &author).await? {
                Merge::Done(commit) => commit,
                Merge::Conflict(files) => {
                    return Err(TeamError::MergeConflict { branch: branch.clone(), files, merged });
                }
                // Merged before, by a server that died before it could note it: that merge is noted now.
                Merge::Nothing => {
                    let commit = self.earlier_merge(repo, branch, id).await?.ok_or_else(nothing_new)?;
                    Oid::parse(&commit)?
                }
            };
            boundary!("merge.made");
            tries += 1;
            match self.give_branch(project.id, repo, branch, &commit).await {
                // The branch is as another node has left it, and takes this work all the same.
                Err(TeamError::Git(GitError::Moved { .. })) if tries < TRIES => {}
                done => {
                    done?;
                    break commit.to_string();
                }
            }
        };
        let (feature, _) = self.store.record_merge(id, &commit).await?;
        tracing::info!(feature = %id, commit, member = %member.id, "a feature was merged");
        Ok(Merged { feature, commit })
    }

    /// Merges a card that the work of another one is built on, after those that were merged before. False when the branch has
    /// what it changed.
    async fn merge_first(&self, member: &Member, held: &HeldCard, merged: &[HeldCard]) -> Result<bool, TeamError> {
        let of_it = |message: &dyn std::fmt::Display| {
            let before = merged_before(merged);
            let message =
                format!("this work is built on that of {held}, which has to be merged first: {message}{before}");
            TeamError::conflict(UNMERGED, message)
        };
        match Box::pin(self.merge(member, held.feature_id, None)).await {
            Ok(_) => Ok(true),
            Err(TeamError::Conflict { code: NOTHING, .. }) => Ok(false),
            Err(error @ TeamError::MergeConflict { .. }) => {
                Err(of_it(&format_args!("{error}; tell its agent to bring it up to date")))
            }
            Err(error @ (TeamError::Conflict { .. } | TeamError::Store(StoreError::Illegal(_)))) => Err(of_it(&error)),
            Err(error) => Err(error),
        }
    }

    /// Puts a run's work, which holds the default branch as it stood at `tip`, on it as one commit by the run's member, if
    /// the branch still stands there. Nothing is noted on the card.
    ///
    /// # Errors
    /// When git or the store fails.
    pub async fn land(
        &self,
        project: &Project,
        feature: &Feature,
        run: &Run,
        head: &Oid,
        tip: &Oid,
    ) -> Result<Landed, TeamError> {
        let repo = self.shared.caught_up(project.id).await?;
        self.must_hold_no_secret(project.id, &repo, tip, head).await?;
        let author = self.identity(run.member_id).await?;
        let message = commit_message(feature, None);
        let landed = repo.land(head, tip, &project.default_branch, &message, &author).await?;
        if let Landed::Done(commit) = &landed {
            boundary!("merge.made");
            match self.give_branch(project.id, &repo, &project.default_branch, commit).await {
                Err(TeamError::Git(GitError::Moved { .. })) => return Ok(Landed::Moved),
                done => done?,
            }
        }
        Ok(landed)
    }

    /// Lets all nodes have a branch with this commit on it, which can be made once more.
    async fn give_branch(&self, project: ProjectId, repo: &Repo, branch: &str, commit: &Oid) -> Result<(), TeamError> {
        let wish = Wish::branch(branch, Some(commit));
        self.shared.give(project, repo, &[wish], How { again: true, ..How::default() }).await
    }

    /// The commit by which this work of a card came on the default branch, if a server died before it could note that. One that has
    /// less than all of it is another: of the card's former work, before its agent was told to go on.
    ///
    /// # Errors
    /// When git fails.
    pub async fn unnoted_merge(
        &self,
        project: &Project,
        feature: FeatureId,
        work: &Work,
    ) -> Result<Option<String>, TeamError> {
        let repo = self.shared.caught_up(project.id).await?;
        let Some(commit) = self.earlier_merge(&repo, &project.default_branch, feature).await? else { return Ok(None) };
        let merged = Oid::parse(&commit)?;
        if !repo.holds(&merged, work).await? {
            return Ok(None);
        }
        match self.give_branch(project.id, &repo, &project.default_branch, &merged).await {
            // It held for nobody.
            Err(TeamError::Git(GitError::Moved { .. })) => Ok(None),
            done => done.map(|()| Some(commit)),
        }
    }

    async fn earlier_merge(&self, repo: &Repo, branch: &str, id: FeatureId) -> Result<Option<String>, TeamError> {
        let trailer = format!("{TRAILER}: {id}");
        let log = repo.log(branch, 0, SEARCHED).await?;
        Ok(log.into_iter().find(|commit| commit.body.lines().any(|line| line == trailer)).map(|commit| commit.id))
    }
}

fn nothing_new() -> TeamError {
    TeamError::conflict(NOTHING, "this work changes nothing that the branch does not have")
}

fn ends(run: &Run) -> Result<(Oid, Oid), TeamError> {
    let base = run.base_commit.as_deref().ok_or_else(|| {
        TeamError::conflict("nothing-yet", "the worktree of this run is not made yet; wait until the agent begins")
    })?;
    let head = run.head_commit.as_deref().unwrap_or(base);
    Ok((Oid::parse(base)?, Oid::parse(head)?))
}

/// The member's words, or the card's title and the agent's summary; then the card's id, by which a merge is found again.
fn commit_message(feature: &Feature, own: Option<&str>) -> String {
    let own = own.map(str::trim).filter(|words| !words.is_empty());
    let words = own.map_or_else(
        || {
            let summary = feature.summary.as_deref().unwrap_or_default().trim();
            format!("{}\n\n{summary}", feature.card.title)
        },
        str::to_owned,
    );
    format!("{}\n\n{TRAILER}: {}\n", words.trim_end(), feature.card.id)
}
