//! Work that is looked at, and merged, in the project's other repository.

use guildhall_git::{GitError, Oid, Repo, Work};
use guildhall_store::{FeatureQuery, StoreError};
use guildhall_types::FeatureId;
use guildhall_types::feature::{FeatureStatus, Move};
use guildhall_types::member::Member;
use guildhall_types::project::Project;
use guildhall_types::remote::{Published, pull_request};

use super::{TRAILER, commit_message, ends, nothing_new};
use crate::footing::{UNMERGED, tip_of};
use crate::shared::LOOKED_THROUGH as LOOKED_THROUGH_REF;
use crate::{Team, TeamError};

/// Commits that are looked through for cards whose work came with them.
const LOOKED_THROUGH: usize = 500;
/// Cards whose work may be among what came, that are read at once.
const CARDS: i64 = 200;

impl Team {
    /// Puts a card's work on a branch of the project's other repository, as one commit by this member, or one more on top of what was put
    /// there before. What keeps the work as it is, `kept`, is let go of as soon as it is taken: the other side may take its time.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] when there is no such repository, nothing to be put there, or something else on that branch; the store's
    /// error when the card's work is not to be taken now.
    pub async fn publish(&self, member: &Member, id: FeatureId, kept: impl Send) -> Result<Published, TeamError> {
        let (feature, run) = self.card_and_run(id).await?;
        feature.card.after(Move::Merge).map_err(StoreError::from)?;
        let (project, repo) = self.ready_project(feature.card.project_id).await?;
        let there = self.other_repository(&project).await?;
        let (base, head) = ends(&run)?;
        if base == head {
            return Err(nothing_new());
        }
        if let Some(held) = self.to_merge_first(&run.holds).await?.first() {
            return Err(TeamError::conflict(
                UNMERGED,
                format!("this work is built on that of {held}, which has to be merged first, here or there"),
            ));
        }
        self.must_hold_no_secret(project.id, &repo, &base, &head).await?;
        let author = self.identity(member.id).await?;
        let message = commit_message(&feature, None);
        let again = format!("{}: once more\n\n{TRAILER}: {id}\n", feature.card.title);
        let work = Work { base, head };
        let onto = (&work, project.default_branch.as_str());
        let commit = repo.made_up(&run.id.to_string(), onto, &message, &again, &author).await?;
        let name = format!("refs/guildhall/made-up/{}", run.id);
        self.shared.give_as_here(project.id, &repo, &[name]).await?;
        // The audit knows of it before the other side does.
        self.store.note_published(id, &run.branch, commit.as_str()).await?;
        drop(kept);
        let _turn = self.far.of(member.id).await;
        match repo.push_commit(&there.source, there.login.as_ref(), &commit, &run.branch).await {
            Err(GitError::Moved { name }) => {
                return Err(TeamError::conflict(
                    "moved-there",
                    format!(
                        "somebody else put something on the branch {name} of {}; bring it into the work, or delete the branch there",
                        there.url
                    ),
                ));
            }
            done => done.map_err(|error| there.told(error))?,
        }
        Ok(Published {
            pull_request: pull_request(&there.url, &project.default_branch, &run.branch, &feature.card.title),
            branch: run.branch,
            commit: commit.to_string(),
        })
    }

    /// Completes cards whose work came to the default branch from elsewhere: those that the new commits name, whose own commits are
    /// among them, or that were put into the other repository. Nothing of their work may be missing. Up to where it was looked through is
    /// kept in the repository, so that what is cut off is made good by the next look; where it never was, it begins after `from`.
    ///
    /// # Errors
    /// When the store or git fails. What fails for one card is logged, and looked at again.
    pub async fn complete_merged(
        &self,
        project: &Project,
        repo: &Repo,
        from: Option<&Oid>,
    ) -> Result<Vec<FeatureId>, TeamError> {
        let to = &tip_of(project, repo).await?;
        let noted = repo.looked_through().await?;
        let from = noted.as_ref().or(from).unwrap_or(to);
        if from == to {
            if noted.is_none() {
                repo.note_looked_through(None, to).await?;
                self.give_looked_through(project, repo).await?;
            }
            return Ok(Vec::new());
        }
        let (completed, whole) = self.complete_between(project, repo, from, to).await?;
        if whole {
            match repo.note_looked_through(noted.as_ref(), to).await {
                // Somebody else looks as well.
                Err(GitError::Moved { .. }) => {}
                done => done?,
            }
            self.give_looked_through(project, repo).await?;
        }
        Ok(completed)
    }

    async fn give_looked_through(&self, project: &Project, repo: &Repo) -> Result<(), TeamError> {
        match self.shared.give_as_here(project.id, repo, &[LOOKED_THROUGH_REF.to_owned()]).await {
            Err(TeamError::Git(GitError::Moved { .. })) => Ok(()),
            done => done,
        }
    }

    /// The cards that were completed, and whether none failed.
    async fn complete_between(
        &self,
        project: &Project,
        repo: &Repo,
        from: &Oid,
        to: &Oid,
    ) -> Result<(Vec<FeatureId>, bool), TeamError> {
        let status = vec![FeatureStatus::WaitingApproval, FeatureStatus::Verified];
        let mut query = FeatureQuery { status, limit: CARDS, ..FeatureQuery::default() };
        let mut page = self.store.features(project.id, &query).await?;
        let mut cards = page.items;
        if cards.is_empty() {
            return Ok((Vec::new(), true));
        }
        while page.next.is_some() {
            query.after = page.next;
            page = self.store.features(project.id, &query).await?;
            cards.append(&mut page.items);
        }
        let apart = repo.apart(to, from).await?.ahead.try_into().unwrap_or(LOOKED_THROUGH);
        let log = repo.log(&project.default_branch, 0, apart.min(LOOKED_THROUGH)).await?;
        let mut completed = Vec::new();
        let mut whole = true;
        for card in cards {
            let trailer = format!("{TRAILER}: {}", card.id);
            let by = log.iter().find(|commit| commit.body.lines().any(|line| line == trailer));
            match self.complete_if_merged(repo, card.id, by.map(|commit| commit.id.as_str()), to).await {
                Ok(true) => completed.push(card.id),
                Ok(false) => {}
                Err(error) => {
                    whole = false;
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(feature = %card.id, error, "whether its work was merged elsewhere is looked at again");
                }
            }
        }
        Ok((completed, whole))
    }

    async fn complete_if_merged(
        &self,
        repo: &Repo,
        id: FeatureId,
        by: Option<&str>,
        to: &Oid,
    ) -> Result<bool, TeamError> {
        let Ok((feature, run)) = self.card_and_run(id).await else { return Ok(false) };
        let Ok((base, head)) = ends(&run) else { return Ok(false) };
        if base == head || feature.card.after(Move::Merge).is_err() {
            return Ok(false);
        }
        let among = by.is_some()
            || repo.is_ancestor(&head, to).await?
            || repo.last_made_up(&run.id.to_string()).await?.is_some();
        if !among || !repo.holds(to, &Work { base, head }).await? {
            return Ok(false);
        }
        match self.store.record_merge(id, by.unwrap_or(to.as_str())).await {
            Ok(_) => Ok(true),
            // Somebody was faster, or took it elsewhere.
            Err(StoreError::Illegal(_) | StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
