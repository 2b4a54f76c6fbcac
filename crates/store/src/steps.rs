//! The steps of the pipeline that a run's work passes, as a node that holds the run writes them.

use guildhall_types::feature::Stage;
use guildhall_types::pipeline::{PipelineStep, RunStep, StepStatus};
use guildhall_types::run::{Run, RunEvent, Turn};
use guildhall_types::{FeatureId, RunId};

use crate::{Lease, Rows, Store, StoreError, Tx, Word, on, read};

const COLUMNS: &str = "run_id, number, round, position, look, name, instructions, model, on_failure, returns, status, word, \
    commit_id, started_at, ended_at";

/// How a look at the work ends.
#[derive(Debug, Clone)]
pub enum StepEnd {
    /// The work is good. These are the closing words of the step's agent.
    Passed(String),
    /// The agent that builds the card hears what it is to mend, and another look follows.
    Asked {
        /// What was asked for.
        what: String,
        /// How the agent hears it.
        word: Word,
    },
    /// A member said something, which comes first; another look follows.
    Interrupted,
    /// It failed for this reason; the next step begins.
    Failed(String),
    /// It failed for this reason, and stopped the pipeline: the steps after it are left out.
    Stopped(String),
}

impl Store {
    /// Every look at a run's work, in the order of their numbers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn steps(&self, run: RunId) -> Result<Vec<RunStep>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM run_steps WHERE run_id = $1 ORDER BY number");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(run).fetch_all(c).await)?)
    }

    /// The saved turns of one agent of a run, in order: of the look with this number, or of the agent that builds the card.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn turns_of(&self, run: RunId, step: Option<i64>) -> Result<Vec<Turn>, StoreError> {
        let rows: Vec<(String,)> = read!(self, c => sqlx::query_as(
            "SELECT turn FROM turns WHERE run_id = $1 AND coalesce(step, 0) = $2 ORDER BY number")
            .bind(run).bind(step.unwrap_or(0)).fetch_all(c).await)?;
        rows.into_iter().map(|(turn,)| serde_json::from_str(&turn).map_err(StoreError::from)).collect()
    }

    /// What members said to a run and its agent has read, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn heard(&self, run: RunId) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> = read!(self, c => sqlx::query_as(
            "SELECT text FROM run_messages WHERE run_id = $1 AND read_by_turn IS NOT NULL AND text NOT LIKE '<note>%'
             ORDER BY seq LIMIT 100").bind(run).fetch_all(c).await)?;
        Ok(rows.into_iter().map(|(text,)| text).collect())
    }

    /// The run's work reached the pipeline: these steps, each with its place, are to look at it.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn begin_round(&self, lease: &Lease, due: &[(i64, &PipelineStep)]) -> Result<Vec<RunStep>, StoreError> {
        let mut tx = self.begin().await?;
        let run = self.held(&mut tx, lease).await?;
        let (last, round): (i64, i64) = on!(tx, c => sqlx::query_as(
            "SELECT coalesce(max(number), 0), coalesce(max(round), 0) FROM run_steps WHERE run_id = $1").bind(run.id)
            .fetch_one(c).await)?;
        for (number, (position, step)) in (last + 1..).zip(due) {
            on!(tx, c => sqlx::query(
                "INSERT INTO run_steps (run_id, number, round, position, look, name, instructions, model, on_failure, returns,
                   status)
                 VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8, $9, $10)")
                .bind(run.id).bind(number).bind(round + 1).bind(*position).bind(crate::clean(&step.name))
                .bind(crate::clean(&step.instructions)).bind(step.model.as_deref()).bind(step.on_failure)
                .bind(step.returns).bind(StepStatus::Waiting).execute(c).await.rows())?;
        }
        self.commit(tx).await?;
        self.steps(run.id).await
    }

    /// The agent of a look begins, or goes on.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::IllegalStage`]; [`StoreError::NotFound`] when the look has ended.
    pub async fn begin_step(&self, lease: &Lease, number: i64, event: RunEvent) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        let run = self.held(&mut tx, lease).await?;
        let name: Option<(String,)> = on!(tx, c => sqlx::query_as(
            "UPDATE run_steps SET status = $3, started_at = coalesce(started_at, $4)
             WHERE run_id = $1 AND number = $2 AND status IN ('waiting', 'running') RETURNING name")
            .bind(run.id).bind(number).bind(StepStatus::Running).bind(self.now()).fetch_optional(c).await)?;
        let (name,) = name.ok_or(StoreError::NotFound { what: "step" })?;
        self.change_stage(&mut tx, run.feature_id, Stage::Pipeline(name)).await?;
        self.record_run(&mut tx, &run, event).await?;
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }

    /// A look ended, with the work at `commit`.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`]; [`StoreError::NotFound`] when the look is not at work.
    pub async fn end_step(&self, lease: &Lease, number: i64, commit: &str, end: StepEnd) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let run = self.held(&mut tx, lease).await?;
        if matches!(end, StepEnd::Asked { .. }) {
            // Before the counter of the events, as whoever changes the card does.
            self.locked_feature(&mut tx, run.feature_id).await?;
        }
        let (status, said) = match &end {
            StepEnd::Passed(said) => (StepStatus::Passed, Some(said)),
            StepEnd::Asked { what, .. } => (StepStatus::Asked, Some(what)),
            StepEnd::Interrupted => (StepStatus::Interrupted, None),
            StepEnd::Failed(why) | StepEnd::Stopped(why) => (StepStatus::Failed, Some(why)),
        };
        self.close_step(&mut tx, &run, number, commit, status, said.map(String::as_str)).await?;
        // Being interrupted costs none of the times that a step may send the work back.
        let again = match &end {
            StepEnd::Asked { .. } => Some(0),
            StepEnd::Interrupted => Some(1),
            StepEnd::Passed(_) | StepEnd::Failed(_) => None,
            StepEnd::Stopped(_) => {
                self.leave_out(&mut tx, &run).await?;
                None
            }
        };
        if let Some(more) = again {
            on!(tx, c => sqlx::query(
                "INSERT INTO run_steps (run_id, number, round, position, look, name, instructions, model, on_failure, returns,
                   status)
                 SELECT run_id, (SELECT max(number) + 1 FROM run_steps WHERE run_id = $1), round, position, look + 1, name,
                   instructions, model, on_failure, returns + $3, $4
                 FROM run_steps WHERE run_id = $1 AND number = $2")
                .bind(run.id).bind(number).bind(more).bind(StepStatus::Waiting).execute(c).await.rows())?;
        }
        if let StepEnd::Asked { word, .. } = &end {
            self.change_stage(&mut tx, run.feature_id, Stage::Implementing).await?;
            self.say_in(&mut tx, &run, word).await?;
        }
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }

    async fn close_step(
        &self,
        tx: &mut Tx,
        run: &Run,
        number: i64,
        commit: &str,
        status: StepStatus,
        word: Option<&str>,
    ) -> Result<(), StoreError> {
        let word = word.map(crate::clean);
        let name: Option<(String,)> = on!(tx, c => sqlx::query_as(
            "UPDATE run_steps SET status = $3, word = $4, commit_id = $5, ended_at = $6
             WHERE run_id = $1 AND number = $2 AND status = 'running' RETURNING name")
            .bind(run.id).bind(number).bind(status).bind(word.as_deref()).bind(commit).bind(self.now()).fetch_optional(c)
            .await)?;
        let (name,) = name.ok_or(StoreError::NotFound { what: "step at work" })?;
        self.record_run(tx, run, RunEvent::StepEnded { step: number, name, status, word }).await
    }

    async fn leave_out(&self, tx: &mut Tx, run: &Run) -> Result<(), StoreError> {
        on!(tx, c => sqlx::query("UPDATE run_steps SET status = $2, ended_at = $3 WHERE run_id = $1 AND status = 'waiting'")
            .bind(run.id).bind(StepStatus::LeftOut).bind(self.now()).execute(c).await.rows())?;
        Ok(())
    }

    /// The card comes to wait for a person because of the look that is at work: it failed, and those after it are left out.
    /// Does nothing when none is at work.
    pub(crate) async fn stop_steps(&self, tx: &mut Tx, run: &Run, why: &str) -> Result<(), StoreError> {
        let at_work: Option<(i64,)> = on!(tx, c => sqlx::query_as(
            "SELECT number FROM run_steps WHERE run_id = $1 AND status = 'running'").bind(run.id).fetch_optional(c).await)?;
        let Some((number,)) = at_work else { return Ok(()) };
        let commit = run.head_commit.as_ref().or(run.base_commit.as_ref()).map_or("", String::as_str);
        self.close_step(tx, run, number, commit, StepStatus::Failed, Some(why)).await?;
        self.leave_out(tx, run).await
    }

    /// The stage at which a run that is claimed goes on, if it was in the middle of its pipeline.
    pub(crate) async fn stage_of_step(&self, tx: &mut Tx, run: RunId) -> Result<Option<Stage>, StoreError> {
        let name: Option<(String,)> = on!(tx, c => sqlx::query_as(
            "SELECT name FROM run_steps WHERE run_id = $1 AND status = 'running'").bind(run).fetch_optional(c).await)?;
        Ok(name.map(|(name,)| Stage::Pipeline(name)))
    }

    /// Says what happens to a card in progress now, if that may follow. Whoever calls holds its run.
    pub(crate) async fn change_stage(&self, tx: &mut Tx, feature: FeatureId, to: Stage) -> Result<(), StoreError> {
        let (from,): (Option<Stage>,) = on!(tx, c => sqlx::query_as("SELECT stage FROM features WHERE id = $1").bind(feature)
            .fetch_one(c).await)?;
        let to = match from {
            Some(from) => from.after(to)?,
            None => to,
        };
        on!(tx, c => sqlx::query("UPDATE features SET stage = $2, updated_at = $3 WHERE id = $1").bind(feature).bind(&to)
            .bind(self.now()).execute(c).await.rows())?;
        Ok(())
    }
}
