//! Runs that are stopped: one by a member, or several with what they belong to.

use guildhall_types::audit::AuditAction;
use guildhall_types::event::Happening;
use guildhall_types::feature::{Feature, Move};
use guildhall_types::run::{Run, RunEvent, RunStatus};
use guildhall_types::{FeatureId, MemberId, ProjectId};

use super::{COLUMNS, note};
use crate::{Rows, Store, StoreError, Tx, on};

impl Store {
    /// Stops a card's run at once: whoever holds it can no longer write.
    ///
    /// # Errors
    /// [`StoreError::Illegal`], [`StoreError::NotFound`].
    pub async fn stop_feature(&self, id: FeatureId) -> Result<(Feature, Run), StoreError> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let (feature, run) = self.locked_with_run(&mut tx, id).await?;
        self.move_feature(&mut tx, &feature, Move::Stop).await?;
        on!(tx, c => sqlx::query(
            "UPDATE runs SET status = $2, lease_owner = NULL, lease_until = NULL, ended_at = $3, parked_until = NULL,
               parked_reason = NULL, parked_for = NULL, halted = FALSE WHERE id = $1")
            .bind(run.id).bind(RunStatus::Stopped).bind(now).execute(c).await.rows())?;
        on!(tx, c => sqlx::query("UPDATE features SET finished_at = $2 WHERE id = $1").bind(id).bind(now).execute(c).await.rows())?;
        self.record_run(&mut tx, &run, RunEvent::Ended { status: RunStatus::Stopped, problem: None }).await?;
        tx.note(note(AuditAction::StopRun, id, run.id));
        self.tell_both(tx, id, run.id).await
    }

    /// Stops live runs: of everybody or of one member, all or those that rest in one project. Those that auto mode began go on
    /// when its member starts it again. Takes locks only; [`Store::tell_stopped`] records it when all locks are taken.
    pub(crate) async fn stop_runs(
        &self,
        tx: &mut Tx,
        member: Option<MemberId>,
        resting_in: Option<ProjectId>,
    ) -> Result<Vec<Run>, StoreError> {
        let now = self.now();
        let sql = format!(
            "UPDATE runs SET status = $2, lease_owner = NULL, lease_until = NULL, parked_until = NULL, parked_reason = NULL,
               parked_for = NULL, halted = auto, ended_at = $3
             WHERE status IN ('queued', 'running') AND ($1 IS NULL OR member_id = $1)
               AND ($4 IS NULL OR (project_id = $4 AND status = 'queued' AND parked_until IS NOT NULL AND parked_reason IS NULL))
             RETURNING {COLUMNS}"
        );
        let mut runs: Vec<Run> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(member)
            .bind(RunStatus::Stopped).bind(now).bind(resting_in).fetch_all(c).await)?;
        runs.sort_by_key(|run| run.feature_id);
        for run in &runs {
            let feature = self.locked_feature(tx, run.feature_id).await?;
            self.move_feature(tx, &feature, Move::Stop).await?;
            on!(tx, c => sqlx::query("UPDATE features SET finished_at = $2 WHERE id = $1").bind(run.feature_id).bind(now)
                .execute(c).await.rows())?;
        }
        Ok(runs)
    }

    /// Records that runs were stopped. Returns their cards, in the same order.
    pub(crate) async fn tell_stopped(&self, tx: &mut Tx, runs: &[Run]) -> Result<Vec<Feature>, StoreError> {
        let mut cards = Vec::new();
        for run in runs {
            self.record_run(tx, run, RunEvent::Ended { status: RunStatus::Stopped, problem: None }).await?;
            cards.push(self.tell_feature(tx, run.feature_id).await?);
            self.record(tx, &Happening::RunUpdated { run: run.clone() }).await?;
            tx.note(note(AuditAction::StopRun, run.feature_id, run.id));
        }
        Ok(cards)
    }
}
