//! Verified work that is to be merged by itself when what it is built on is merged.

use std::collections::HashSet;

use guildhall_types::feature::{FeatureStatus, Move};
use guildhall_types::project::{AfterWork, ProjectSettings};
use guildhall_types::run::{HeldCard, RunEvent, RunIntent, RunStatus};
use guildhall_types::{FeatureId, MemberId, RunId};
use sqlx::types::Json;

use crate::orders::{AT_ONCE, named};
use crate::{Rows, Store, StoreError, on, read};

/// What a run that is taken up tells.
const TAKEN_UP: &str = "What it is built on is merged now. Its work is checked together with that, and merged.";

/// Verified work that nothing keeps from being merged any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueMerge {
    /// The card.
    pub feature: FeatureId,
    /// Its run.
    pub run: RunId,
    /// Whose run it is.
    pub member: MemberId,
    /// The model of its agent.
    pub model: String,
}

#[derive(sqlx::FromRow)]
struct Later {
    feature_id: FeatureId,
    id: RunId,
    member_id: MemberId,
    model: String,
    #[sqlx(json)]
    holds: Vec<HeldCard>,
    settings: Json<ProjectSettings>,
}

impl Store {
    /// Verified work that was to be merged by itself when what it is built on is, where that is so now, and where the project
    /// still merges by itself.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due_merges(&self) -> Result<Vec<DueMerge>, StoreError> {
        const MERGED: &str = "SELECT id FROM features WHERE status = 'completed' AND id IN (";
        let mut later: Vec<Later> = read!(self, c => sqlx::query_as(
            "SELECT r.feature_id, r.id, r.member_id, r.model, r.holds, p.settings
             FROM runs r JOIN features f ON f.run_id = r.id JOIN projects p ON p.id = r.project_id
             WHERE r.merge_later AND r.status = 'waiting' AND f.status = 'verified' AND f.deleted_at IS NULL
               AND p.status = 'ready' AND p.archived_at IS NULL ORDER BY r.ended_at, r.id LIMIT 100")
            .fetch_all(c).await)?;
        later.retain(|run| run.settings.after_work == AfterWork::Merge);
        let held: HashSet<FeatureId> = later.iter().flat_map(|run| &run.holds).map(|held| held.feature_id).collect();
        let held: Vec<FeatureId> = held.into_iter().collect();
        let mut merged: HashSet<FeatureId> = HashSet::new();
        for held in held.chunks(AT_ONCE) {
            let rows: Vec<(FeatureId,)> = read!(self, c => named(MERGED, held).build_query_as().fetch_all(c).await)?;
            merged.extend(rows.into_iter().map(|(id,)| id));
        }
        let due = later.into_iter().filter(|run| run.holds.iter().all(|held| merged.contains(&held.feature_id)));
        Ok(due
            .map(|Later { feature_id: feature, id: run, member_id: member, model, .. }| DueMerge {
                feature,
                run,
                member,
                model,
            })
            .collect())
    }

    /// Puts such work in the queue: its checks run on it together with the branch as it is, and it is merged. It no longer belongs
    /// to auto mode, since a person's merge has let it go on. False when somebody else has taken it in hand, or up.
    ///
    /// # Errors
    /// When the database fails; [`StoreError::Refused`] when its member may run nothing any more.
    pub async fn take_up_merge(&self, due: &DueMerge) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        self.runner(&mut tx, due.member).await?;
        let Some(former) = self.run_in(&mut tx, due.run).await? else { return Ok(false) };
        let done = on!(tx, c => sqlx::query(
            "UPDATE runs SET status = $2, intent = $3, queued_at = $4, ended_at = NULL, auto = FALSE, merge_later = FALSE
             WHERE id = $1 AND status = $5 AND merge_later AND member_id = $6")
            .bind(due.run).bind(RunStatus::Queued).bind(RunIntent::Work).bind(self.now()).bind(RunStatus::Waiting)
            .bind(due.member).execute(c).await.rows())?;
        let feature = self.locked_feature(&mut tx, due.feature).await?;
        if done != 1 || feature.card.run_id != Some(due.run) || feature.card.status != FeatureStatus::Verified {
            return Ok(false);
        }
        self.end_span(&mut tx, due.run, former.ended_at.unwrap_or_else(|| self.now())).await?;
        self.move_feature(&mut tx, &feature, Move::TakeUp).await?;
        on!(tx, c => sqlx::query("UPDATE features SET finished_at = NULL WHERE id = $1").bind(due.feature).execute(c).await
            .rows())?;
        self.record_run(&mut tx, &former, RunEvent::Note { text: TAKEN_UP.to_owned() }).await?;
        self.tell_both(tx, due.feature, due.run).await?;
        Ok(true)
    }
}
