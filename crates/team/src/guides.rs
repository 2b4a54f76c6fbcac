//! What of the team's knowledge goes into the instructions of agents that work on a card.

use std::collections::HashMap;

use guildhall_store::KnowledgeFilter;
use guildhall_types::KnowledgeId;
use guildhall_types::feature::Feature;
use guildhall_types::guide::{self, GuideItem, Guided, Work, Worth, questions};
use guildhall_types::knowledge::{BlueprintStatus, KnowledgeItem, KnowledgeKind};
use guildhall_types::project::Project;

use crate::{Team, TeamError};

/// Active blueprints that are looked at, at most, and how many of those that match may go in.
const BLUEPRINTS: usize = 2_000;
const MATCHING: usize = 40;
/// Learnings that one question brings, and how many of all are weighed.
const FOUND: usize = 20;
const WEIGHED: usize = 60;

impl Team {
    /// What suits a card of a project with these files: the active blueprints whose conditions hold, then the learnings that
    /// somebody stands for and that a search for the card's words finds, in the tokens that the project allows.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn choose_guide(
        &self,
        project: &Project,
        feature: &Feature,
        files: Vec<String>,
    ) -> Result<Vec<Guided>, TeamError> {
        let budget = project.settings.knowledge_tokens;
        if budget <= 0 {
            return Ok(Vec::new());
        }
        let (title, category) = (&feature.card.title, &feature.card.category);
        let work = Work::of(files, &format!("{title}\n{}", feature.description), category);
        let blueprints = self.active_blueprints().await?;
        // Held against thousands of paths: not on a thread that others wait for.
        let (work, ids) = tokio::task::spawn_blocking(move || {
            let matching = guide::matching(&blueprints, &work);
            let ids: Vec<KnowledgeId> = matching.into_iter().map(KnowledgeItem::id).take(MATCHING).collect();
            (work, ids)
        })
        .await
        .map_err(|error| TeamError::internal("choosing blueprints", error))?;
        let mut items = self.store.knowledge_items(&ids, true).await?;
        items.retain(|item| item.is_trusted() && item.common.deleted_at.is_none());
        let learnings = self.weighed(project, feature).await?;
        let ranked = guide::ranked(learnings.iter().map(|(item, worth)| (item, *worth)), &work);
        Ok(guide::fit(items.iter().chain(ranked).map(GuideItem::of), budget))
    }

    async fn active_blueprints(&self) -> Result<Vec<KnowledgeItem>, TeamError> {
        let filter = KnowledgeFilter {
            kind: Some(KnowledgeKind::Blueprint),
            status: Some(BlueprintStatus::Active),
            trusted: true,
            ..KnowledgeFilter::default()
        };
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.knowledge_list(&filter, after, 500).await?;
            all.extend(page.items);
            after = page.next.and_then(|next| next.parse().ok());
            if after.is_none() || all.len() >= BLUEPRINTS {
                return Ok(all);
            }
        }
    }

    /// The learnings that a search for the card's words finds, each with what is known of its worth.
    async fn weighed(&self, project: &Project, feature: &Feature) -> Result<Vec<(KnowledgeItem, Worth)>, TeamError> {
        let filter =
            KnowledgeFilter { kind: Some(KnowledgeKind::Learning), trusted: true, ..KnowledgeFilter::default() };
        let mut scores: HashMap<KnowledgeId, f64> = HashMap::new();
        let card = &feature.card;
        for (words, weight) in questions(&card.title, &card.category, &feature.description) {
            for hit in self.store.search_knowledge(&words, &filter, FOUND).await? {
                *scores.entry(hit.id).or_default() += weight * hit.score;
            }
        }
        let mut scored: Vec<(KnowledgeId, f64)> = scores.into_iter().collect();
        scored.sort_by(|(a, one), (b, other)| other.total_cmp(one).then(a.cmp(b)));
        scored.truncate(WEIGHED);
        let ids: Vec<KnowledgeId> = scored.iter().map(|(id, _)| *id).collect();
        let traces = self.store.traces(&ids).await?;
        let scores: HashMap<KnowledgeId, f64> = scored.into_iter().collect();
        let mut weighed = Vec::with_capacity(ids.len());
        for item in self.store.knowledge_items(&ids, true).await? {
            let traces = traces.get(&item.id()).copied().unwrap_or_default();
            let same_project = match item.common.source_feature_id {
                Some(source) => self.store.project_of(source).await? == Some(project.id),
                None => false,
            };
            let worth = Worth {
                score: scores.get(&item.id()).copied().unwrap_or_default(),
                came_through: traces.came_through,
                failed: traces.failed,
                same_project,
            };
            weighed.push((item, worth));
        }
        Ok(weighed)
    }
}
