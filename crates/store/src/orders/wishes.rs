//! What is told of cards that wait: what they ask for, what they are called, and whose plan a person is to look at.

use std::collections::HashMap;

use guildhall_types::agent::AgentModel;
use guildhall_types::{FeatureId, MemberId, ProjectId, RunId};
use sqlx::{Database, QueryBuilder};

use crate::{Store, StoreError, read};

/// Plans that wait, in one answer at most.
const PLANS: i64 = 300;
/// Cards that one statement names at most.
pub(crate) const AT_ONCE: usize = 500;

/// What a card asks for to be begun.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Wish {
    /// The card.
    pub id: FeatureId,
    /// Its own model.
    pub model: Option<String>,
    /// The branch that it names.
    pub branch: Option<String>,
    /// Whether an earlier run of it had that branch.
    pub had_branch: bool,
    /// Whether that is the branch of another card's run whose work is not over.
    pub branch_taken: bool,
    /// Whether its agent is gone, or archived.
    pub agent_gone: bool,
    /// Its agent's model.
    #[sqlx(json(nullable))]
    pub agent_model: Option<AgentModel>,
    /// The model of its latest run.
    pub run_model: Option<String>,
    /// Whether that run has had a worktree.
    pub run_begun: bool,
    /// Whether it depends on work that is verified and not merged.
    pub on_unmerged: bool,
    /// The cards that it depends on, if it does so.
    #[sqlx(skip)]
    pub dependencies: Vec<FeatureId>,
}

/// A card whose plan waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct WaitingPlan {
    /// The card.
    pub feature_id: FeatureId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its run.
    pub run_id: RunId,
    /// Whose run it is.
    pub member_id: MemberId,
}

impl Store {
    /// The cards whose plan waits for a person: of one project, or of all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn waiting_plans(&self, project: Option<ProjectId>) -> Result<Vec<WaitingPlan>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT f.id AS feature_id, f.project_id, r.id AS run_id, r.member_id
             FROM features f JOIN runs r ON r.id = f.run_id
             WHERE f.kind = 'card' AND f.stage = 'plan_approval' AND f.status = 'in_progress' AND f.deleted_at IS NULL
               AND ($1 IS NULL OR f.project_id = $1) ORDER BY r.ended_at, f.id LIMIT $2")
            .bind(project).bind(PLANS).fetch_all(c).await)?)
    }

    /// What these cards ask for. Those that are gone are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn wishes(&self, cards: &[FeatureId]) -> Result<HashMap<FeatureId, Wish>, StoreError> {
        const WISHES: &str = "SELECT f.id, f.model, f.branch, f.agent_id IS NOT NULL AND a.id IS NULL AS agent_gone,
               a.model AS agent_model, l.model AS run_model, l.base_commit IS NOT NULL AS run_begun,
               EXISTS (SELECT 1 FROM runs r WHERE r.feature_id = f.id AND r.branch = f.branch) AS had_branch,
               EXISTS (SELECT 1 FROM runs r WHERE r.project_id = f.project_id AND r.branch = f.branch AND r.feature_id <> f.id
                 AND r.status <> 'closed') AS branch_taken,
               EXISTS (SELECT 1 FROM feature_dependencies d JOIN features b ON b.id = d.depends_on
                 WHERE d.feature_id = f.id AND b.status = 'verified' AND b.deleted_at IS NULL) AS on_unmerged
             FROM features f LEFT JOIN agents a ON a.id = f.agent_id AND a.deleted_at IS NULL AND a.status = 'active'
               LEFT JOIN runs l ON l.id = f.run_id
             WHERE f.deleted_at IS NULL AND f.id IN (";
        const DEPENDENCIES: &str = "SELECT feature_id, depends_on FROM feature_dependencies WHERE feature_id IN (";
        let mut wishes = HashMap::new();
        for cards in cards.chunks(AT_ONCE) {
            let rows: Vec<Wish> = read!(self, c => named(WISHES, cards).build_query_as().fetch_all(c).await)?;
            wishes.extend(rows.into_iter().map(|wish| (wish.id, wish)));
        }
        let built: Vec<FeatureId> = wishes.values().filter(|wish| wish.on_unmerged).map(|wish| wish.id).collect();
        for cards in built.chunks(AT_ONCE) {
            let mut rows: Vec<(FeatureId, FeatureId)> =
                read!(self, c => named(DEPENDENCIES, cards).build_query_as().fetch_all(c).await)?;
            rows.sort_unstable();
            for (card, on) in rows {
                wishes.entry(card).and_modify(|wish: &mut Wish| wish.dependencies.push(on));
            }
        }
        Ok(wishes)
    }

    /// The number and the title of these cards. Those that are gone are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn titles(&self, cards: &[FeatureId]) -> Result<HashMap<FeatureId, (i64, String)>, StoreError> {
        const TITLES: &str = "SELECT id, number, title FROM features WHERE deleted_at IS NULL AND id IN (";
        let mut titles = HashMap::new();
        for cards in cards.chunks(AT_ONCE) {
            let rows: Vec<(FeatureId, i64, String)> =
                read!(self, c => named(TITLES, cards).build_query_as().fetch_all(c).await)?;
            titles.extend(rows.into_iter().map(|(id, number, title)| (id, (number, title))));
        }
        Ok(titles)
    }
}

/// A statement that ends with a list of cards.
pub(crate) fn named<DB: Database>(sql: &'static str, cards: &[FeatureId]) -> QueryBuilder<DB>
where
    for<'q> FeatureId: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
{
    let mut sql = QueryBuilder::new(sql);
    let mut list = sql.separated(", ");
    for card in cards {
        list.push_bind(*card);
    }
    sql.push(")");
    sql
}
