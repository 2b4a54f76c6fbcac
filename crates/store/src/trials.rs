//! Trials of a project's checks.

use chrono::Duration;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::trial::{Trial, TrialStatus};
use guildhall_types::{MemberId, ProjectId, TrialId};
use sqlx::types::Json;

use crate::{Rows, Store, StoreError, on, read};

const COLUMNS: &str =
    "id, project_id, member_id, commit_id, status, checks, total, problem, started_at, seen_at, ended_at";

/// A trial that nobody has written to for so long has lost its process.
const SILENT: Duration = Duration::minutes(2);
const LOST: &str = "The server was stopped in the middle of it. Try again.";

impl Store {
    /// Begins a trial, in the place of the project's former one. Nothing when one is going on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_trial(
        &self,
        project: ProjectId,
        member: MemberId,
        commit: &str,
        commands: usize,
    ) -> Result<Option<Trial>, StoreError> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let sql = format!(
            "INSERT INTO check_trials (project_id, id, member_id, commit_id, status, checks, total, started_at, seen_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
             ON CONFLICT (project_id) DO UPDATE SET id = excluded.id, member_id = excluded.member_id,
               commit_id = excluded.commit_id, status = excluded.status, checks = excluded.checks, total = excluded.total,
               problem = NULL, stop_why = NULL, started_at = excluded.started_at, seen_at = excluded.seen_at, ended_at = NULL
             WHERE check_trials.status <> $5 OR check_trials.seen_at < $9
             RETURNING {COLUMNS}"
        );
        let begun: Option<Trial> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(project).bind(TrialId::new())
            .bind(member).bind(commit).bind(TrialStatus::Running).bind(Json(serde_json::json!([]))).bind(commands as i64)
            .bind(now).bind(now - SILENT).fetch_optional(c).await)?;
        if begun.is_some() {
            let note = Note::new(AuditAction::TryChecks).on(AuditObject::Project, project);
            tx.note(note.with("commit", commit).with("commands", commands));
            self.commit(tx).await?;
        }
        Ok(begun)
    }

    /// Writes how far a trial is. Returns whether it is still the project's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_trial(&self, trial: &Trial) -> Result<bool, StoreError> {
        let mut checks = trial.checks.clone();
        for check in &mut checks {
            check.output = crate::clean(&check.output);
        }
        let mut tx = self.begin_light().await?;
        let done = on!(tx, c => sqlx::query(
            "UPDATE check_trials SET status = $3, checks = $4, problem = $5, seen_at = $6, ended_at = $7
             WHERE project_id = $1 AND id = $2 AND status = $8")
            .bind(trial.project_id).bind(trial.id).bind(trial.status).bind(Json(&checks)).bind(trial.problem.as_deref())
            .bind(self.now()).bind(trial.ended_at).bind(TrialStatus::Running).execute(c).await.rows())?;
        self.commit(tx).await?;
        Ok(done == 1)
    }

    /// Has a trial be stopped by the server on which it runs, for the first reason that is given. False where it runs no
    /// more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stop_trial(&self, trial: &Trial, why: &str) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = on!(tx, c => sqlx::query(
            "UPDATE check_trials SET stop_why = coalesce(stop_why, $3)
             WHERE project_id = $1 AND id = $2 AND status = $4")
            .bind(trial.project_id).bind(trial.id).bind(crate::clean(why)).bind(TrialStatus::Running)
            .execute(c).await.rows())?;
        if done != 1 {
            return Ok(false);
        }
        tx.note(Note::new(AuditAction::StopChecks).on(AuditObject::Project, trial.project_id).with("trial", trial.id));
        self.commit(tx).await?;
        Ok(true)
    }

    /// Why a trial is to stop, if somebody wishes that.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trial_stopped(&self, trial: &Trial) -> Result<Option<String>, StoreError> {
        let row: Option<(Option<String>,)> = read!(self, c => sqlx::query_as(
            "SELECT stop_why FROM check_trials WHERE project_id = $1 AND id = $2").bind(trial.project_id).bind(trial.id)
            .fetch_optional(c).await)?;
        Ok(row.and_then(|(why,)| why))
    }

    /// The project's latest trial. One whose process is gone is shown as broken off.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trial(&self, project: ProjectId) -> Result<Option<Trial>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM check_trials WHERE project_id = $1");
        let trial: Option<Trial> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(project).fetch_optional(c).await)?;
        Ok(trial.map(|trial| match trial.status == TrialStatus::Running && trial.seen_at < self.now() - SILENT {
            true => Trial {
                status: TrialStatus::Stopped,
                problem: Some(LOST.to_owned()),
                ended_at: Some(trial.seen_at),
                ..trial
            },
            false => trial,
        }))
    }
}
