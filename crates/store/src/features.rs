//! Features: writing and changing cards. What moves them stands in `runs` and `leases`.

mod list;

use std::collections::HashSet;

use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::event::Happening;
use guildhall_types::feature::{Feature, FeatureCard, FeatureKind, FeatureStatus, Move, PlanningMode, ThinkingLevel};
use guildhall_types::feature_text::TextDeed;
use guildhall_types::member::ChangeRefused;
use guildhall_types::{AgentId, FeatureId, MemberId, ProjectId, plan};

pub use list::{FeatureQuery, Page};

use crate::{Rows, Store, StoreError, Tx, on, read, read_by};

pub(crate) const CARD: &str = "id, project_id, kind, number, title, category, priority, position, status, stage, mode, agent_id, model, \
    thinking_level, planning_mode, require_plan_approval, skip_verification, needs_approval, budget_micros, branch, run_id, error, tasks_done, tasks_total, \
    files_changed, lines_added, lines_removed, cost_micros, merge_commit, version, created_by, created_at, updated_at, \
    started_at, finished_at, (SELECT r.member_id FROM runs r WHERE r.id = features.run_id) AS started_by";

/// What a card has beside what lists show.
const TEXTS: &str = "description, summary, execution_id";

/// Cards that one card may depend on at most.
const DEPENDENCIES: usize = 50;

/// A card to be written.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each field is the field of `Feature` of the same name")]
pub struct NewFeature {
    pub project_id: ProjectId,
    pub title: String,
    pub description: String,
    pub category: String,
    pub priority: i64,
    pub agent_id: Option<AgentId>,
    pub model: Option<String>,
    pub thinking_level: ThinkingLevel,
    pub planning_mode: PlanningMode,
    pub require_plan_approval: bool,
    pub skip_verification: bool,
    pub needs_approval: bool,
    pub budget_micros: Option<i64>,
    pub branch: Option<String>,
    pub dependencies: Vec<FeatureId>,
    pub created_by: MemberId,
}

/// What to change of a card; what is absent stays. `Some(None)` takes a value away.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each field is the field of `Feature` of the same name")]
pub struct FeaturePatch {
    pub title: Option<String>,
    pub description: Option<String>,
    pub category: Option<String>,
    pub priority: Option<i64>,
    pub position: Option<f64>,
    pub agent_id: Option<Option<AgentId>>,
    pub model: Option<Option<String>>,
    pub thinking_level: Option<ThinkingLevel>,
    pub planning_mode: Option<PlanningMode>,
    pub require_plan_approval: Option<bool>,
    pub skip_verification: Option<bool>,
    pub needs_approval: Option<bool>,
    pub budget_micros: Option<Option<i64>>,
    pub branch: Option<Option<String>>,
    pub dependencies: Option<Vec<FeatureId>>,
    /// Whose run alone may be under way where the budget changes; anybody's when absent.
    pub budget_of: Option<MemberId>,
    /// How title and description came to be what they are to be; edited when absent.
    pub deed: Option<TextDeed>,
    /// The number of the former text that is taken back.
    pub restored: Option<i64>,
}

impl FeaturePatch {
    /// What it changes, but for the place on the board.
    fn names(&self) -> Vec<&'static str> {
        let all = [
            ("title", self.title.is_some()),
            ("description", self.description.is_some()),
            ("category", self.category.is_some()),
            ("priority", self.priority.is_some()),
            ("agentId", self.agent_id.is_some()),
            ("model", self.model.is_some()),
            ("thinkingLevel", self.thinking_level.is_some()),
            ("planningMode", self.planning_mode.is_some()),
            ("requirePlanApproval", self.require_plan_approval.is_some()),
            ("skipVerification", self.skip_verification.is_some()),
            ("budgetMicros", self.budget_micros.is_some()),
            ("branch", self.branch.is_some()),
            ("dependencies", self.dependencies.is_some()),
        ];
        all.into_iter().filter(|(_, changes)| *changes).map(|(name, _)| name).collect()
    }
}

fn note(action: AuditAction, card: &FeatureCard) -> Note {
    let note = Note::new(action).on(AuditObject::Feature, card.id);
    note.with("number", card.number).with("project", card.project_id)
}

impl Store {
    /// Writes a card at the end of the backlog.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the project is gone, [`StoreError::BadDependency`].
    pub async fn create_feature(&self, new: NewFeature) -> Result<Feature, StoreError> {
        let mut tx = self.begin().await?;
        let feature = self.create_feature_in(&mut tx, new).await?;
        self.commit(tx).await?;
        Ok(feature)
    }

    /// The same, in a transaction that does more.
    pub(crate) async fn create_feature_in(&self, tx: &mut Tx, new: NewFeature) -> Result<Feature, StoreError> {
        self.create_feature_as(tx, FeatureId::new(), new).await
    }

    /// The same, under this id.
    pub(crate) async fn create_feature_as(
        &self,
        tx: &mut Tx,
        id: FeatureId,
        new: NewFeature,
    ) -> Result<Feature, StoreError> {
        can_be_approved(new.planning_mode, new.require_plan_approval)?;
        let now = self.now();
        let number: Option<(i64,)> = on!(tx, c => sqlx::query_as(
            "UPDATE projects SET next_number = next_number + 1 WHERE id = $1 AND archived_at IS NULL RETURNING next_number - 1")
            .bind(new.project_id).fetch_optional(c).await)?;
        let (number,) = number.ok_or(StoreError::NotFound { what: "project" })?;
        let (last,): (Option<f64>,) = on!(tx, c => sqlx::query_as("SELECT max(position) FROM features WHERE project_id = $1")
            .bind(new.project_id).fetch_one(c).await)?;
        on!(tx, c => sqlx::query(
            "INSERT INTO features (id, project_id, number, title, description, category, priority, position, status, model,
               thinking_level, planning_mode, require_plan_approval, skip_verification, needs_approval, branch, created_by, created_at,
               updated_at, budget_micros, agent_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $18, $19, $20)")
            .bind(id).bind(new.project_id).bind(number).bind(crate::clean(&new.title)).bind(crate::clean(&new.description))
            .bind(crate::clean(&new.category)).bind(new.priority).bind(last.unwrap_or(0.0) + 1024.0)
            .bind(FeatureStatus::Backlog).bind(new.model).bind(new.thinking_level).bind(new.planning_mode)
            .bind(new.require_plan_approval).bind(new.skip_verification).bind(new.needs_approval).bind(new.branch).bind(new.created_by).bind(now)
            .bind(new.budget_micros).bind(new.agent_id).execute(c).await.rows())?;
        if !new.dependencies.is_empty() {
            self.set_dependencies(tx, id, new.project_id, &new.dependencies).await?;
        }
        let feature = self.feature_in(tx, id).await?.ok_or(StoreError::NotFound { what: "feature" })?;
        tx.note(note(AuditAction::CreateFeature, &feature.card));
        self.record(tx, &Happening::FeatureCreated { feature: feature.clone() }).await?;
        Ok(feature)
    }

    /// Changes a card. `expect_version` refuses the change when somebody else's came in between.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Stale`], [`StoreError::BadDependency`]; [`StoreError::Refused`] for the budget of
    /// another's run.
    pub async fn update_feature(
        &self,
        id: FeatureId,
        patch: FeaturePatch,
        expect_version: Option<i64>,
    ) -> Result<Feature, StoreError> {
        let mut tx = self.begin().await?;
        if patch.budget_micros.is_some() {
            self.lock_run_of(&mut tx, id).await?;
        }
        let old = self.locked_of_kind(&mut tx, id, FeatureKind::Card).await?;
        if let Some(expected) = expect_version
            && expected != old.card.version
        {
            return Err(StoreError::Stale { current: old.card.version });
        }
        let woken = match patch.budget_micros {
            Some(micros) if micros != old.card.budget_micros => {
                // Less is nothing that anybody could be made to pay.
                let less = micros.zip(old.card.budget_micros).is_some_and(|(new, old)| new < old);
                if !less {
                    self.may_spend_otherwise(&mut tx, &old.card, patch.budget_of).await?;
                }
                self.look_anew_at(&mut tx, id).await?
            }
            _ => None,
        };
        if let Some(dependencies) = &patch.dependencies {
            self.set_dependencies(&mut tx, id, old.card.project_id, dependencies).await?;
        }
        let changed = patch.names();
        let (title, description) = self.keep_text(&mut tx, &old, &patch).await?;
        let card = old.card;
        let planning_mode = patch.planning_mode.unwrap_or(card.planning_mode);
        let require_plan_approval = patch.require_plan_approval.unwrap_or(card.require_plan_approval);
        can_be_approved(planning_mode, require_plan_approval)?;
        on!(tx, c => sqlx::query(
            "UPDATE features SET title = $2, description = $3, category = $4, priority = $5, position = $6, model = $7,
               thinking_level = $8, planning_mode = $9, require_plan_approval = $10, skip_verification = $11,
               needs_approval = $12, branch = $13, version = version + 1, updated_at = $14, budget_micros = $15, agent_id = $16 WHERE id = $1")
            .bind(id).bind(title).bind(description)
            .bind(crate::clean(&patch.category.unwrap_or(card.category)))
            .bind(patch.priority.unwrap_or(card.priority)).bind(patch.position.unwrap_or(card.position))
            .bind(patch.model.unwrap_or(card.model)).bind(patch.thinking_level.unwrap_or(card.thinking_level))
            .bind(planning_mode).bind(require_plan_approval)
            .bind(patch.skip_verification.unwrap_or(card.skip_verification))
            .bind(patch.needs_approval.unwrap_or(card.needs_approval)).bind(patch.branch.unwrap_or(card.branch))
            .bind(self.now()).bind(patch.budget_micros.unwrap_or(card.budget_micros))
            .bind(patch.agent_id.unwrap_or(card.agent_id)).execute(c).await.rows())?;
        let feature = self.tell_feature(&mut tx, id).await?;
        if let Some(run) = woken {
            self.record(&mut tx, &Happening::RunUpdated { run }).await?;
        }
        // Cards change places all the time; that is no edit.
        if !changed.is_empty() {
            let note = note(AuditAction::ChangeFeature, &feature.card).with("changed", changed.join(", "));
            tx.note(match patch.restored {
                Some(number) => note.with("restored", number),
                None => note,
            });
        }
        self.commit(tx).await?;
        Ok(feature)
    }

    /// Refuses to change what a card may cost where another than `of` would pay: its run is under way with their key, or goes on
    /// with it at a word of anybody or with their auto mode; or that would begin the card, which they wrote.
    async fn may_spend_otherwise(
        &self,
        tx: &mut Tx,
        card: &FeatureCard,
        of: Option<MemberId>,
    ) -> Result<(), StoreError> {
        let Some(of) = of else { return Ok(()) };
        let (others,): (bool,) = on!(tx, c => sqlx::query_as(
            "SELECT EXISTS (SELECT 1 FROM runs WHERE id = $1 AND member_id <> $2
                 AND (status IN ('queued', 'running', 'waiting') OR (status = 'stopped' AND halted)))
               OR ($3 = 'backlog' AND EXISTS (SELECT 1 FROM auto_orders
                 WHERE project_id = $4 AND member_id = $5 AND member_id <> $2 AND state <> 'off'))")
            .bind(card.run_id).bind(of).bind(card.status).bind(card.project_id).bind(card.created_by).fetch_one(c).await)?;
        if others { Err(ChangeRefused::OthersBudget.into()) } else { Ok(()) }
    }

    /// Takes a card off the board. It stays in the database, and its work on its refs; its worktree goes. Cards that depend on
    /// it wait on, unless its work is on the default branch: none begins without what it needs because that was given up, before
    /// somebody takes the dependency off it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Live`] while an agent works on it.
    pub async fn delete_feature(&self, id: FeatureId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        self.lock_run_of(&mut tx, id).await?;
        let feature = self.locked_of_kind(&mut tx, id, FeatureKind::Card).await?;
        // While its plan waits for a person, no agent works on a card in progress.
        if feature.card.status.is_active() && !feature.card.plan_waits() {
            return Err(StoreError::Live { what: "a card cannot be deleted" });
        }
        on!(tx, c => sqlx::query("DELETE FROM feature_dependencies WHERE feature_id = $1").bind(id).execute(c).await.rows())?;
        let merged = feature.card.status == FeatureStatus::Completed;
        let freed = if merged { self.free_dependents(&mut tx, id).await? } else { Vec::new() };
        self.forget_texts(&mut tx, id).await?;
        on!(tx, c => sqlx::query("UPDATE features SET deleted_at = $2 WHERE id = $1").bind(id).bind(self.now())
            .execute(c).await.rows())?;
        self.close_runs(&mut tx, id).await?;
        tx.note(note(AuditAction::DeleteFeature, &feature.card));
        self.record(&mut tx, &Happening::FeatureDeleted { feature_id: id, project_id: feature.card.project_id })
            .await?;
        for dependent in freed {
            self.tell_feature(&mut tx, dependent).await?;
        }
        self.commit(tx).await
    }

    /// Takes a card off those that depend on it, and locks them. Returns them.
    async fn free_dependents(&self, tx: &mut Tx, id: FeatureId) -> Result<Vec<FeatureId>, StoreError> {
        let mut freed: Vec<(FeatureId,)> = on!(tx, c => sqlx::query_as(
            "UPDATE features SET version = version + 1, updated_at = $2
             WHERE deleted_at IS NULL AND id IN (SELECT feature_id FROM feature_dependencies WHERE depends_on = $1)
             RETURNING id").bind(id).bind(self.now()).fetch_all(c).await)?;
        on!(tx, c => sqlx::query("DELETE FROM feature_dependencies WHERE depends_on = $1").bind(id).execute(c).await.rows())?;
        freed.sort_unstable();
        Ok(freed.into_iter().map(|(id,)| id).collect())
    }

    /// The card with this id, with its texts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn feature(&self, id: FeatureId) -> Result<Option<Feature>, StoreError> {
        let sql = format!("SELECT {CARD}, {TEXTS} FROM features WHERE id = $1 AND deleted_at IS NULL");
        let reader = &mut self.db.reader().await?;
        let feature: Option<Feature> =
            read_by!(reader, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?;
        let Some(mut feature) = feature else { return Ok(None) };
        let rows: Vec<(FeatureId,)> = read_by!(reader, c => sqlx::query_as(
            "SELECT depends_on FROM feature_dependencies WHERE feature_id = $1 ORDER BY depends_on").bind(id).fetch_all(c).await)?;
        feature.card.dependencies = rows.into_iter().map(|(id,)| id).collect();
        Ok(Some(feature))
    }

    /// The card with this number in a project, with its texts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn feature_by_number(&self, project: ProjectId, number: i64) -> Result<Option<Feature>, StoreError> {
        let row: Option<(FeatureId,)> = read!(self, c => sqlx::query_as(
            "SELECT id FROM features WHERE project_id = $1 AND number = $2 AND deleted_at IS NULL").bind(project).bind(number)
            .fetch_optional(c).await)?;
        match row {
            Some((id,)) => self.feature(id).await,
            None => Ok(None),
        }
    }

    /// The card, locked until the transaction ends.
    pub(crate) async fn locked_feature(&self, tx: &mut Tx, id: FeatureId) -> Result<Feature, StoreError> {
        on!(tx, c => sqlx::query("UPDATE features SET version = version WHERE id = $1 AND deleted_at IS NULL").bind(id)
            .execute(c).await.rows())?;
        self.feature_in(tx, id).await?.ok_or(StoreError::NotFound { what: "feature" })
    }

    /// The same, if it is of this kind.
    pub(crate) async fn locked_of_kind(
        &self,
        tx: &mut Tx,
        id: FeatureId,
        kind: FeatureKind,
    ) -> Result<Feature, StoreError> {
        let what = if kind == FeatureKind::Card { "feature" } else { kind.as_str() };
        Some(self.locked_feature(tx, id).await?)
            .filter(|feature| feature.card.kind == kind)
            .ok_or(StoreError::NotFound { what })
    }

    pub(crate) async fn feature_in(&self, tx: &mut Tx, id: FeatureId) -> Result<Option<Feature>, StoreError> {
        let sql = format!("SELECT {CARD}, {TEXTS} FROM features WHERE id = $1 AND deleted_at IS NULL");
        let feature: Option<Feature> =
            on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?;
        let Some(mut feature) = feature else { return Ok(None) };
        let rows: Vec<(FeatureId,)> = on!(tx, c => sqlx::query_as(
            "SELECT depends_on FROM feature_dependencies WHERE feature_id = $1 ORDER BY depends_on").bind(id).fetch_all(c).await)?;
        feature.card.dependencies = rows.into_iter().map(|(id,)| id).collect();
        Ok(Some(feature))
    }

    /// Reads the card after a change and records the event that tells of it.
    pub(crate) async fn tell_feature(&self, tx: &mut Tx, id: FeatureId) -> Result<Feature, StoreError> {
        let feature = self.feature_in(tx, id).await?.ok_or(StoreError::NotFound { what: "feature" })?;
        self.record(tx, &Happening::FeatureUpdated { feature: feature.clone() }).await?;
        Ok(feature)
    }

    /// Moves a card through the state machine: the only place that writes a status.
    pub(crate) async fn move_feature(
        &self,
        tx: &mut Tx,
        feature: &Feature,
        what: Move,
    ) -> Result<FeatureStatus, StoreError> {
        let to = feature.card.after(what)?;
        on!(tx, c => sqlx::query(
            "UPDATE features SET status = $2, stage = NULL, version = version + 1, updated_at = $3 WHERE id = $1")
            .bind(feature.card.id).bind(to).bind(self.now()).execute(c).await.rows())?;
        Ok(to)
    }

    async fn set_dependencies(
        &self,
        tx: &mut Tx,
        id: FeatureId,
        project: ProjectId,
        dependencies: &[FeatureId],
    ) -> Result<(), StoreError> {
        if dependencies.len() > DEPENDENCIES {
            return Err(StoreError::BadDependency("a card can depend on 50 others at most"));
        }
        let before: Vec<(FeatureId,)> = on!(tx, c => sqlx::query_as(
            "DELETE FROM feature_dependencies WHERE feature_id = $1 RETURNING depends_on").bind(id).fetch_all(c).await)?;
        for depends_on in dependencies.iter().collect::<HashSet<_>>() {
            // One that was deleted since stays until somebody takes it off; it is not put on anew.
            let known = before.contains(&(*depends_on,));
            let done = on!(tx, c => sqlx::query(
                "INSERT INTO feature_dependencies (feature_id, depends_on)
                 SELECT $1, id FROM features
                 WHERE id = $2 AND project_id = $3 AND kind = 'card' AND (deleted_at IS NULL OR $4)")
                .bind(id).bind(depends_on).bind(project).bind(known).execute(c).await.rows())?;
            if done == 0 {
                return Err(StoreError::BadDependency("a card can only depend on cards of its own project"));
            }
        }
        let (circles,): (i64,) = on!(tx, c => sqlx::query_as(
            "WITH RECURSIVE below (id) AS (
               SELECT depends_on FROM feature_dependencies WHERE feature_id = $1
               UNION SELECT d.depends_on FROM feature_dependencies d JOIN below b ON d.feature_id = b.id)
             SELECT count(*) FROM below WHERE id = $1").bind(id).fetch_one(c).await)?;
        if circles > 0 {
            return Err(StoreError::BadDependency("these dependencies would form a circle"));
        }
        Ok(())
    }
}

/// Refuses a card whose plan a person is to approve, and that has none.
fn can_be_approved(mode: PlanningMode, required: bool) -> Result<(), StoreError> {
    match required && !plan::can_be_approved(mode) {
        true => Err(StoreError::NothingToApprove),
        false => Ok(()),
    }
}
