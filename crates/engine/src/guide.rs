//! What of the team's knowledge goes into the instructions of a run's agents: chosen at its first attempt, and kept with it,
//! so that whoever goes on with the run is told the same, whatever became of the hub.

use std::sync::Arc;

use guildhall_agent::hub::Hub;
use guildhall_agent::prompt::Known;
use guildhall_git::Repo;
use guildhall_store::Claimed;
use guildhall_types::guide::{self, Guided};
use guildhall_types::knowledge::KnowledgeKind;

use crate::Engine;
use crate::hub::RunHub;
use crate::problems::Trouble;
use crate::worktree::Ground;

/// Files of the repository that the conditions of blueprints are held against, at most.
const FILES: usize = 20_000;

impl Engine {
    /// What a run's agents are told, chosen now if it was not before.
    pub(crate) async fn guide(&self, claimed: &Claimed, repo: &Repo, ground: &Ground) -> Result<Vec<Guided>, Trouble> {
        let team = &self.0.team;
        if let Some(chosen) = team.store.guide(claimed.run.id).await? {
            return Ok(chosen);
        }
        let files = match claimed.project.settings.knowledge_tokens {
            0 => Vec::new(),
            _ => repo.files(&ground.base, FILES).await?,
        };
        let chosen = team.choose_guide(&claimed.project, &claimed.feature, files).await?;
        team.store.save_guide(&claimed.lease, &chosen, guide::size(&chosen)).await?;
        Ok(chosen)
    }

    /// The same, as the agent that builds the card is told of it.
    pub(crate) async fn known(&self, claimed: &Claimed, repo: &Repo, ground: &Ground) -> Result<Known, Trouble> {
        Ok(Known::of(&self.guide(claimed, repo, ground).await?))
    }

    /// The same for a step of the pipeline: how things are done here, and not what builders learned.
    pub(crate) async fn known_to_step(
        &self,
        claimed: &Claimed,
        repo: &Repo,
        ground: &Ground,
    ) -> Result<Known, Trouble> {
        let chosen = self.guide(claimed, repo, ground).await?;
        Ok(Known::of(chosen.iter().filter(|one| one.item.kind == KnowledgeKind::Blueprint)))
    }

    /// The hub, as the agents of a run reach it.
    pub(crate) fn hub(&self, claimed: &Claimed) -> Arc<dyn Hub> {
        Arc::new(RunHub::new(self.0.team.clone(), claimed))
    }
}
