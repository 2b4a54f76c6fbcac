//! What is under way of executions: the tasks of their agents, which of them somebody is to look at, and that they end.

use guildhall_types::agent::{Agent, AgentStatus};
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::event::Happening;
use guildhall_types::report::SpanKind;
use guildhall_types::system::{Execution, ExecutionStatus, ExecutionTask, Stretch};
use guildhall_types::{DateTime, ExecutionId, FeatureId, MemberId, ProjectId};

use super::COLUMNS;
use crate::{Rows, Store, StoreError, Tx, on, read};

/// Executions that are looked at in one round at most.
const LOOKED_AT: i64 = 500;

/// A time in which an agent worked for a try of a step.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct TaskWork {
    /// The step's place.
    pub step_key: String,
    /// The try.
    pub attempt: i64,
    /// From when on.
    pub begins_at: DateTime,
    /// Until when; nothing while it works.
    pub ends_at: Option<DateTime>,
}

impl TaskWork {
    /// The time alone.
    pub const fn stretch(&self) -> Stretch {
        Stretch { begins_at: self.begins_at, ends_at: self.ends_at }
    }
}

impl Store {
    /// The tasks of an execution, with where they stand and what they took.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn execution_tasks(&self, id: ExecutionId) -> Result<Vec<ExecutionTask>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT t.step_key, t.attempt, t.feature_id, r.id AS run_id, r.status, r.parked_until, r.parked_reason, r.parked_for,
               coalesce(r.input_tokens + r.output_tokens + r.cache_read_tokens + r.cache_write_tokens, 0) AS tokens,
               coalesce(r.cost_micros, 0) AS cost_micros
             FROM execution_tasks t LEFT JOIN features f ON f.id = t.feature_id LEFT JOIN runs r ON r.id = f.run_id
             WHERE t.execution_id = $1 ORDER BY t.step_key, t.attempt").bind(id).fetch_all(c).await)?)
    }

    /// When agents of an execution worked. A server that died works no longer than it held the run.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn execution_work(&self, id: ExecutionId) -> Result<Vec<TaskWork>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT t.step_key, t.attempt, s.begins_at,
               coalesce(s.ends_at, r.ended_at, CASE WHEN r.status <> 'running' OR r.lease_until <= $2 THEN r.lease_until END)
                 AS ends_at
             FROM execution_tasks t JOIN runs r ON r.feature_id = t.feature_id JOIN run_spans s ON s.run_id = r.id
             WHERE t.execution_id = $1 AND s.kind = $3 ORDER BY s.begins_at").bind(id).bind(self.now()).bind(SpanKind::Work)
            .fetch_all(c).await)?)
    }

    /// The agent of the library that came with Guildhall under this word, and whether it can be used; it is there also when it
    /// was deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn built_in_agent(&self, word: &str) -> Result<Option<(Agent, bool)>, StoreError> {
        let sql = format!("SELECT {} FROM agents WHERE built_in = $1", crate::agents::COLUMNS);
        let agent: Option<Agent> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(word).fetch_optional(c).await)?;
        let Some(agent) = agent else { return Ok(None) };
        let there = self.agent(agent.id).await?.is_some_and(|agent| agent.status == AgentStatus::Active);
        Ok(Some((agent, there)))
    }

    /// The execution that a task works for, if it does for one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn execution_of(&self, task: FeatureId) -> Result<Option<ExecutionId>, StoreError> {
        let row: Option<(ExecutionId,)> = read!(self, c => sqlx::query_as(
            "SELECT execution_id FROM execution_tasks WHERE feature_id = $1").bind(task).fetch_optional(c).await)?;
        Ok(row.map(|(id,)| id))
    }

    /// The same, within a transaction.
    pub(crate) async fn execution_in(&self, tx: &mut Tx, task: FeatureId) -> Result<Option<ExecutionId>, StoreError> {
        let row: Option<(Option<ExecutionId>,)> = on!(tx, c => sqlx::query_as("SELECT execution_id FROM features WHERE id = $1")
            .bind(task).fetch_optional(c).await)?;
        Ok(row.and_then(|(id,)| id))
    }

    /// The executions of which something is to come without a person: those at work, those whose time has come, and those
    /// that are over and whose agents are not. Members take turns, so that nobody keeps those of others waiting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn executions_to_drive(&self) -> Result<Vec<ExecutionId>, StoreError> {
        let mut rows: Vec<(ExecutionId,)> = read!(self, c => sqlx::query_as(
            "SELECT DISTINCT e.id FROM runs r JOIN features f ON f.run_id = r.id JOIN executions e ON e.id = f.execution_id
             WHERE r.status IN ('queued', 'running') AND e.ended_at IS NOT NULL").fetch_all(c).await)?;
        let open: Vec<(ExecutionId,)> = read!(self, c => sqlx::query_as(
            "SELECT id FROM (
               SELECT id, updated_at, row_number() OVER (PARTITION BY member_id ORDER BY updated_at, id) AS place
               FROM executions WHERE ended_at IS NULL AND (status <> $1 OR wake_at <= $2)) open
             ORDER BY place, updated_at, id LIMIT $3")
            .bind(ExecutionStatus::Waiting).bind(self.now()).bind(LOOKED_AT).fetch_all(c).await)?;
        rows.extend(open);
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// The tasks that are at work or in the queue for an execution that is over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tasks_left_over(&self) -> Result<Vec<FeatureId>, StoreError> {
        let rows: Vec<(FeatureId,)> = read!(self, c => sqlx::query_as(
            "SELECT f.id FROM runs r JOIN features f ON f.run_id = r.id JOIN executions e ON e.id = f.execution_id
             WHERE r.status IN ('queued', 'running') AND e.ended_at IS NOT NULL ORDER BY f.id").fetch_all(c).await)?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// When the clock alone brings an execution forward next, if it brings one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_execution_at(&self) -> Result<Option<DateTime>, StoreError> {
        let (at,): (Option<DateTime>,) = read!(self, c => sqlx::query_as(
            "SELECT min(wake_at) FROM executions WHERE ended_at IS NULL").fetch_one(c).await)?;
        Ok(at)
    }

    /// Refuses what is begun for an execution that is over. Until the transaction is, it does not end.
    pub(crate) async fn goes_on(&self, tx: &mut Tx, id: ExecutionId) -> Result<(), StoreError> {
        let done = on!(tx, c => sqlx::query("UPDATE executions SET revision = revision WHERE id = $1 AND ended_at IS NULL")
            .bind(id).execute(c).await.rows())?;
        match done {
            0 => Err(StoreError::NotFound { what: "open execution" }),
            _ => Ok(()),
        }
    }

    /// Ends every execution, without reading one: none can hold up that the others end. Returns how many. Their agents are
    /// stopped by whoever asks for this, or by the next look at them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_all_executions(&self, why: &str) -> Result<usize, StoreError> {
        let mut tx = self.begin().await?;
        let ended = self.end_executions(&mut tx, None, None, why).await?;
        self.tell_ended(&mut tx, &ended).await?;
        self.commit(tx).await?;
        Ok(ended.len())
    }

    /// Ends the executions of everybody, of one member, or in one project. Takes locks only; [`Store::tell_ended`] records it
    /// when all locks are taken.
    pub(crate) async fn end_executions(
        &self,
        tx: &mut Tx,
        member: Option<MemberId>,
        project: Option<ProjectId>,
        why: &str,
    ) -> Result<Vec<ExecutionId>, StoreError> {
        let now = self.now();
        let mut ended: Vec<(ExecutionId,)> = on!(tx, c => sqlx::query_as(
            "UPDATE executions SET status = $3, error = $4, wake_at = NULL, updated_at = $5, ended_at = $5, revision = revision + 1
             WHERE ended_at IS NULL AND ($1 IS NULL OR member_id = $1) AND ($2 IS NULL OR project_id = $2) RETURNING id")
            .bind(member).bind(project).bind(ExecutionStatus::Cancelled).bind(crate::clean(why)).bind(now).fetch_all(c).await)?;
        ended.sort_unstable();
        for (id,) in &ended {
            on!(tx, c => sqlx::query(
                "UPDATE execution_steps SET status = 'cancelled', ended_at = $2, deadline = NULL, retry_at = NULL
                 WHERE execution_id = $1 AND status IN ('running', 'waiting', 'retrying')")
                .bind(*id).bind(now).execute(c).await.rows())?;
        }
        Ok(ended.into_iter().map(|(id,)| id).collect())
    }

    /// Records that executions were ended from outside.
    pub(crate) async fn tell_ended(&self, tx: &mut Tx, ended: &[ExecutionId]) -> Result<(), StoreError> {
        for id in ended {
            self.answered(tx, *id).await?;
            let sql = format!("SELECT {COLUMNS} FROM executions e WHERE e.id = $1");
            let execution: Execution =
                on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(*id).fetch_one(c).await)?;
            self.record(tx, &Happening::ExecutionUpdated { execution }).await?;
            tx.note(Note::new(AuditAction::CancelExecution).on(AuditObject::Execution, *id));
        }
        Ok(())
    }
}
