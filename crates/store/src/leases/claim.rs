//! Taking a run: one choice in one transaction, within the limits.

use std::collections::HashSet;

use chrono::Duration;
use guildhall_types::feature::{FeatureKind, FeatureStatus, Move, Stage};
use guildhall_types::limits::Limits;
use guildhall_types::plan::PlanApproval;
use guildhall_types::project::Project;
use guildhall_types::report::SpanKind;
use guildhall_types::run::{Run, RunIntent, RunStatus};
use guildhall_types::schedule::{self, AtWork, Candidate};
use guildhall_types::{DateTime, MemberId, NodeId, RunId};

use super::{Claimed, Lease};
use crate::{Backend, Rows, Store, StoreError, Tx, on};

impl Store {
    /// Claims the run that is to work next, if there is a free place and one that waits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_run(
        &self,
        node: NodeId,
        hold: Duration,
        limits: &Limits,
    ) -> Result<Option<Claimed>, StoreError> {
        self.claim_run_beside(node, hold, limits, &HashSet::new()).await
    }

    /// The same for a node that has runs at work. They are never claimed anew, and count, even when the clock says that
    /// their leases have ended: it may have leapt, or the node slept, and their holder renews them or lets go of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_run_beside(
        &self,
        node: NodeId,
        hold: Duration,
        limits: &Limits,
        at_work: &HashSet<RunId>,
    ) -> Result<Option<Claimed>, StoreError> {
        loop {
            if let Some(claimed) = self.claim_once(node, hold, limits, at_work).await? {
                return Ok(claimed);
            }
        }
    }

    /// `None` when the run that was chosen was stopped in the same moment: another is to be chosen.
    async fn claim_once(
        &self,
        node: NodeId,
        hold: Duration,
        limits: &Limits,
        at_work: &HashSet<RunId>,
    ) -> Result<Option<Option<Claimed>>, StoreError> {
        let mut tx = self.begin_light().await?;
        if self.backend() == Backend::Postgres {
            // One claim at a time in the whole team, so that the limits hold across nodes.
            on!(tx, c => sqlx::query("SELECT pg_advisory_xact_lock(4300)").execute(c).await.rows())?;
        }
        let now = self.lease_clock(&mut tx).await?;
        let running: Vec<(RunId, MemberId, FeatureKind, bool, Option<NodeId>)> = on!(tx, c => sqlx::query_as(
            "SELECT r.id, r.member_id, f.kind, r.lease_until > $1, r.lease_owner
             FROM runs r JOIN features f ON f.id = r.feature_id WHERE r.status = 'running'")
            .bind(now).fetch_all(c).await)?;
        let own = |run: &RunId, owner: Option<NodeId>| owner == Some(node) && at_work.contains(run);
        let mut working = AtWork::new();
        for (_, member, kind, ..) in running.iter().filter(|(run, _, _, held, owner)| *held || own(run, *owner)) {
            *working.entry((*member, *kind)).or_default() += 1;
        }
        let held: HashSet<RunId> =
            running.iter().filter(|(run, .., owner)| own(run, *owner)).map(|(run, ..)| *run).collect();
        // Fifty of each kind of each member are enough to choose from, and nobody can hide the others behind a long queue.
        let waiting: Vec<(RunId, MemberId, FeatureKind, i64, DateTime)> = on!(tx, c => sqlx::query_as(
            "SELECT id, member_id, kind, priority, queued_at FROM (
               SELECT r.id, r.member_id, f.kind, f.priority, r.queued_at,
                 row_number() OVER (PARTITION BY r.member_id, f.kind ORDER BY f.priority, r.queued_at, r.id) AS place
               FROM runs r JOIN features f ON f.id = r.feature_id
               WHERE (r.status = 'queued' OR (r.status = 'running' AND r.lease_until <= $1))
                 AND (r.parked_until IS NULL OR r.parked_until <= $2)
                 AND (r.started_at IS NOT NULL OR NOT EXISTS (
                   SELECT 1 FROM feature_dependencies d JOIN features b ON b.id = d.depends_on
                   WHERE d.feature_id = r.feature_id
                     AND (b.deleted_at IS NOT NULL OR b.status NOT IN ('verified', 'completed'))))) waiting
             WHERE place <= 50").bind(now).bind(self.now()).fetch_all(c).await)?;
        let waiting: Vec<Candidate> = waiting
            .into_iter()
            .filter(|(run, ..)| !held.contains(run))
            .map(|(run, member, kind, priority, since)| Candidate { run, member, kind, priority, since })
            .collect();
        let Some(chosen) = schedule::next(&waiting, &working, limits) else { return Ok(Some(None)) };
        // Before its stretches: a node whose lease has ended only just may be about to end them itself.
        self.locked_run(&mut tx, chosen.run).await?;
        // What a dead node held, it worked at until its lease ended, and nobody since.
        on!(tx, c => sqlx::query(
            "UPDATE run_spans SET ends_at = (SELECT CASE WHEN lease_until < $3 THEN lease_until ELSE $3 END FROM runs WHERE id = $1)
             WHERE run_id = $1 AND ends_at IS NULL AND EXISTS (
               SELECT 1 FROM runs r WHERE r.id = $1 AND r.status = 'running' AND r.lease_until <= $2
                 AND r.lease_until >= run_spans.begins_at)")
            .bind(chosen.run).bind(now).bind(self.now()).execute(c).await.rows())?;
        let done = on!(tx, c => sqlx::query(
            "UPDATE runs SET status = $2, lease_owner = $3, lease_until = $4, attempt = attempt + 1, parked_until = NULL, parked_reason = NULL,
               parked_for = NULL,
               started_at = CASE WHEN status = 'queued' THEN $5 ELSE started_at END
             WHERE id = $1 AND (status = 'queued' OR (status = 'running' AND lease_until <= $6))")
            .bind(chosen.run).bind(RunStatus::Running).bind(node).bind(now + hold).bind(self.now()).bind(now).execute(c)
            .await.rows())?;
        if done == 0 {
            return Ok(None);
        }
        // What a dead attempt had set aside for a call.
        on!(tx, c => sqlx::query("DELETE FROM reservations WHERE run_id = $1").bind(chosen.run).execute(c).await.rows())?;
        let run = self.run_in(&mut tx, chosen.run).await?.ok_or(StoreError::NotFound { what: "run" })?;
        let feature = self.locked_feature(&mut tx, run.feature_id).await?;
        if let Err(error) = feature.card.after(Move::Claim) {
            tracing::error!(run = %run.id, error = &error as &dyn std::error::Error, "a run stood in the queue that nobody may take; it is put aside");
            self.put_aside(&mut tx, &run, feature.card.status).await?;
            self.tell_both(tx, run.feature_id, run.id).await?;
            return Ok(None);
        }
        self.begin_span(&mut tx, run.id, SpanKind::Work).await?;
        self.move_feature(&mut tx, &feature, Move::Claim).await?;
        let in_step = self.stage_of_step(&mut tx, run.id).await?;
        let stage = match run.intent {
            RunIntent::Work if let Some(step) = in_step => step,
            RunIntent::Work if run.approval == PlanApproval::Awaited => Stage::Planning,
            RunIntent::Work => Stage::Implementing,
            RunIntent::Verify => Stage::Verifying,
        };
        on!(tx, c => sqlx::query("UPDATE features SET stage = $2, started_at = $3 WHERE id = $1")
            .bind(run.feature_id).bind(stage).bind(run.started_at).execute(c).await.rows())?;
        let sql = format!("SELECT {} FROM projects WHERE id = $1", crate::projects::COLUMNS);
        let project: Project =
            on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(run.project_id).fetch_one(c).await)?;
        let (feature, run) = self.tell_both(tx, run.feature_id, run.id).await?;
        Ok(Some(Some(Claimed { lease: Lease { run: run.id, node, attempt: run.attempt }, run, feature, project })))
    }
    /// Takes a run out of the queue whose card no node may work on: else every claim would meet it, and no other run be taken.
    async fn put_aside(&self, tx: &mut Tx, run: &Run, card: FeatureStatus) -> Result<(), StoreError> {
        let status = match card {
            FeatureStatus::Backlog | FeatureStatus::Completed => RunStatus::Closed,
            FeatureStatus::Failed => RunStatus::Failed,
            FeatureStatus::Paused => RunStatus::Stopped,
            _ => RunStatus::Waiting,
        };
        let closed = Some(self.now()).filter(|_| status == RunStatus::Closed);
        on!(tx, c => sqlx::query(
            "UPDATE runs SET status = $2, lease_owner = NULL, lease_until = NULL, ended_at = coalesce(ended_at, $3), closed_at = $4
             WHERE id = $1")
            .bind(run.id).bind(status).bind(self.now()).bind(closed).execute(c).await.rows())?;
        Ok(())
    }
}
