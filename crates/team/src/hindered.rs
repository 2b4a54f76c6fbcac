//! What cards lack that auto mode would take: what a start would refuse, found for many cards at once. No key is opened for
//! that, the store is asked for many cards together, and git once for those that depend on the same.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use guildhall_git::{Oid, Repo};
use guildhall_store::Wish;
use guildhall_types::auto::Card;
use guildhall_types::project::Project;
use guildhall_types::{FeatureId, MemberId, ProjectId};

use crate::cards::{agent_gone, branch_exists, branch_promised};
use crate::footing::APART;
use crate::providers::Reached;
use crate::{Team, TeamError};

/// What there is for the cards of a project.
struct Ground {
    project: Project,
    repo: Repo,
    /// Its branches, where a card names one.
    branches: Option<Result<HashSet<String>, String>>,
    /// Where its default branch stands, where a card is built on work that is not merged.
    tip: Option<Result<Oid, String>>,
    /// Why cards with these dependencies have nothing to begin from.
    apart: HashMap<Vec<FeatureId>, Option<String>>,
}

impl Team {
    /// Notes on each card what it lacks, as [`Team::new_run`] would say it. That a key cannot be opened is not seen here.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn note_hindrances(&self, cards: &mut [Card]) -> Result<(), TeamError> {
        if cards.is_empty() {
            return Ok(());
        }
        let ids: Vec<FeatureId> = cards.iter().map(|card| card.feature).collect();
        let wishes = self.store.wishes(&ids).await?;
        let mut grounds: HashMap<ProjectId, Result<Ground, String>> = HashMap::new();
        let mut keys: HashMap<MemberId, Reached> = HashMap::new();
        for card in cards {
            let Some(wish) = wishes.get(&card.feature) else { continue };
            let ground = match grounds.entry(card.project) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => {
                    let ground = self.ready_project(card.project).await;
                    let ground = ground.map(|(project, repo)| Ground::of(project, repo));
                    unknown.insert(or_why(ground)?)
                }
            };
            let keys = match keys.entry(card.member) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(self.reachable(card.member).await?),
            };
            card.hindered = match ground {
                Ok(ground) => self.hindrance(card, wish, ground, keys).await?,
                Err(why) => Some(why.clone()),
            };
        }
        Ok(())
    }

    async fn hindrance(
        &self,
        card: &Card,
        wish: &Wish,
        ground: &mut Ground,
        keys: &Reached,
    ) -> Result<Option<String>, TeamError> {
        let Ground { project, .. } = ground;
        // One that was stopped goes on with its run, as that is.
        let stopped = wish.run_model.as_deref().filter(|_| card.run.is_some());
        let of_agent = wish.agent_model.as_ref().and_then(|model| model.model.as_deref());
        let named = stopped.or(wish.model.as_deref()).or(of_agent);
        let lacks_key = || self.missing_key(&self.model_of(project, named, keys), keys).map(|error| error.to_string());
        if stopped.is_none() && wish.agent_gone {
            return Ok(Some(agent_gone().to_string()));
        }
        if let Some(why) = lacks_key() {
            return Ok(Some(why));
        }
        // What has had a worktree has begun from something.
        let begins = stopped.is_none() || !wish.run_begun;
        if begins
            && wish.on_unmerged
            && card.open.is_empty()
            && let Some(why) = self.apart_on(ground, &wish.dependencies).await?
        {
            return Ok(Some(why));
        }
        if stopped.is_some() {
            return Ok(None);
        }
        let Some(branch) = wish.branch.as_deref().filter(|_| !wish.had_branch) else { return Ok(None) };
        if wish.branch_taken {
            return Ok(Some(branch_promised(branch).to_string()));
        }
        let Ground { repo, branches, .. } = ground;
        if branches.is_none() {
            *branches = Some(or_why(repo.branches().await.map_err(TeamError::from))?);
        }
        Ok(match branches {
            Some(Ok(all)) => all.contains(branch).then(|| branch_exists(branch).to_string()),
            Some(Err(why)) => Some(why.clone()),
            None => None,
        })
    }

    /// Why cards with these dependencies have nothing to begin from, asked once in a look.
    async fn apart_on(&self, ground: &mut Ground, dependencies: &[FeatureId]) -> Result<Option<String>, TeamError> {
        if let Some(known) = ground.apart.get(dependencies) {
            return Ok(known.clone());
        }
        let Ground { project, repo, tip, apart, .. } = ground;
        if tip.is_none() {
            *tip = Some(or_why(crate::footing::tip_of(project, repo).await)?);
        }
        let why = match tip {
            Some(Ok(tip)) => match self.apart(project, repo, tip, dependencies).await {
                // A card that was deleted just now.
                Err(TeamError::NotFound { .. }) => None,
                found => or_why(found)?.unwrap_or_else(Some),
            },
            Some(Err(why)) => Some(why.clone()),
            None => None,
        };
        apart.insert(dependencies.to_vec(), why.clone());
        Ok(why)
    }

    /// Whether a card that was stopped with auto mode has what it needs to go on with its run.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] when the project is not ready, there is no key for the run's model, or it had not begun and what
    /// its card depends on does not go together.
    pub async fn may_go_on(&self, member: MemberId, id: FeatureId) -> Result<(), TeamError> {
        let (feature, run) = self.card_and_run(id).await?;
        let (project, repo) = self.ready_project(feature.card.project_id).await?;
        self.provider_for(member, &run.model).await?;
        if run.base_commit.is_none()
            && let Some(why) = self.no_footing(&project, &repo, &feature.card.dependencies).await?
        {
            return Err(TeamError::conflict(APART, why));
        }
        Ok(())
    }
}

impl Ground {
    fn of(project: Project, repo: Repo) -> Self {
        Self { project, repo, branches: None, tip: None, apart: HashMap::new() }
    }
}

/// What there is, or what its cards lack without it. Where the store fails, nothing is known of any card.
fn or_why<T>(found: Result<T, TeamError>) -> Result<Result<T, String>, TeamError> {
    match found {
        Ok(found) => Ok(Ok(found)),
        Err(TeamError::Store(error)) => Err(TeamError::Store(error)),
        Err(why) => Ok(Err(why.to_string())),
    }
}
