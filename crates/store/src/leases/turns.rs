//! What a node writes of a run while it works on it.

use guildhall_types::chat::{Block, Usage};
use guildhall_types::feature::Stage;
use guildhall_types::plan::Proposal;
use guildhall_types::run::{
    Check, CheckStatus, DiffStat, HeldCard, LedgerRow, Run, RunEvent, RunKey, Task, TaskStatus, Turn,
};
use sqlx::types::Json;

use super::Lease;
use crate::{Rows, Store, StoreError, Tx, on};

impl Store {
    /// Appends to what happened in the run.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn append_events(&self, lease: &Lease, events: Vec<RunEvent>) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        let run = self.held(&mut tx, lease).await?;
        for event in events {
            self.record_run(&mut tx, &run, event).await?;
        }
        self.commit(tx).await
    }

    /// The worktree is there, with the work of these cards in it, and the first call is about to be made.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn run_started(
        &self,
        lease: &Lease,
        base_commit: &str,
        branch: &str,
        holds: &[HeldCard],
        key: &RunKey,
        events: Vec<RunEvent>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        let run = self.held(&mut tx, lease).await?;
        on!(tx, c => sqlx::query(
            "UPDATE runs SET base_commit = $2, branch = $3, key_source = $4, key_provider = $5, key_hint = $6, holds = $7
             WHERE id = $1")
            .bind(run.id).bind(base_commit).bind(branch).bind(key.source).bind(key.provider).bind(&key.hint)
            .bind(Json(holds)).execute(c).await.rows())?;
        for event in events {
            self.record_run(&mut tx, &run, event).await?;
        }
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }

    /// Saves a turn whose answer is there and whose tools have not run: it is paid, and must never be asked for again.
    /// `read_upto` is the last message of the inbox that went into it.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn save_answer(
        &self,
        lease: &Lease,
        turn: &Turn,
        read_upto: Option<i64>,
        ledger: &LedgerRow,
        events: Vec<RunEvent>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let run = self.held(&mut tx, lease).await?;
        // One agent of a run works at a time: while a step of the pipeline is at work, the turn is its agent's.
        on!(tx, c => sqlx::query(
            "INSERT INTO turns (run_id, number, turn, saved_at, step)
             VALUES ($1, $2, $3, $4, (SELECT number FROM run_steps WHERE run_id = $1 AND status = 'running'))")
            .bind(run.id).bind(turn.number).bind(serde_json::to_string(turn)?).bind(self.now()).execute(c).await.rows())?;
        if let Some(upto) = read_upto {
            on!(tx, c => sqlx::query(
                "UPDATE run_messages SET read_by_turn = $3 WHERE run_id = $1 AND seq <= $2 AND read_by_turn IS NULL")
                .bind(run.id).bind(upto).bind(turn.number).execute(c).await.rows())?;
        }
        on!(tx, c => sqlx::query("UPDATE runs SET turns = $2, context_tokens = $3, out_since = NULL WHERE id = $1")
            .bind(run.id).bind(turn.number).bind(ledger.usage.context_tokens() + ledger.usage.output_tokens).execute(c).await.rows())?;
        self.bill(&mut tx, lease, &run, ledger).await?;
        for event in events {
            self.record_run(&mut tx, &run, event).await?;
        }
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }

    /// Writes a call outside a turn to the ledger.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn save_side_call(&self, lease: &Lease, ledger: &LedgerRow) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let run = self.held(&mut tx, lease).await?;
        self.bill(&mut tx, lease, &run, ledger).await?;
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }

    /// Writes a call to the ledger whose run is no longer this node's, because a member stopped it in the middle, or the database
    /// was away: it was made all the same. Changes nothing else of the run, and nothing where it is written already.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn save_late_call(&self, lease: &Lease, ledger: &LedgerRow) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let run = self.locked_run(&mut tx, lease.run).await?.ok_or(StoreError::NotFound { what: "run" })?;
        self.bill(&mut tx, lease, &run, ledger).await?;
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }

    /// Writes a call to the ledger in the place of what was set aside for it, unless it is there.
    pub(crate) async fn bill(&self, tx: &mut Tx, lease: &Lease, run: &Run, row: &LedgerRow) -> Result<(), StoreError> {
        let Usage { input_tokens, output_tokens, cache_read_tokens, cache_write_tokens } = row.usage;
        let written = on!(tx, c => sqlx::query(
            "INSERT INTO ledger (id, at, member_id, key_source, run_id, turn, provider, model, input_tokens, output_tokens,
               cache_read_tokens, cache_write_tokens, cost_micros, priced, key_hint, project_id, project_name, feature_id,
               feature_number, feature_title)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, p.id, p.name, f.id,
               CASE WHEN f.kind = 'card' THEN f.number END, f.title
             FROM features f JOIN projects p ON p.id = f.project_id WHERE f.id = $16
             ON CONFLICT (id) DO NOTHING")
            .bind(row.id).bind(self.now()).bind(row.member_id).bind(row.key_source).bind(run.id).bind(row.turn)
            .bind(row.provider).bind(&row.model).bind(input_tokens).bind(output_tokens).bind(cache_read_tokens)
            .bind(cache_write_tokens).bind(row.cost_micros).bind(row.priced).bind(&row.key_hint).bind(run.feature_id)
            .execute(c).await.rows())?;
        self.let_go(tx, lease).await?;
        if written == 0 {
            return Ok(());
        }
        on!(tx, c => sqlx::query(
            "UPDATE runs SET input_tokens = input_tokens + $2, output_tokens = output_tokens + $3,
               cache_read_tokens = cache_read_tokens + $4, cache_write_tokens = cache_write_tokens + $5,
               cost_micros = cost_micros + $6 WHERE id = $1")
            .bind(run.id).bind(input_tokens).bind(output_tokens).bind(cache_read_tokens).bind(cache_write_tokens)
            .bind(row.cost_micros).execute(c).await.rows())?;
        on!(tx, c => sqlx::query("UPDATE features SET cost_micros = cost_micros + $2 WHERE id = $1")
            .bind(run.feature_id).bind(row.cost_micros).execute(c).await.rows())?;
        Ok(())
    }

    /// Saves what the tools of a turn answered, the state of the files after it, and the plan that it proposed.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`]; [`StoreError::NotFound`] when the turn's answer was not saved.
    pub async fn save_results(
        &self,
        lease: &Lease,
        number: i64,
        results: Vec<Block>,
        snapshot: Option<(String, DiffStat)>,
        proposal: Option<&Proposal>,
        events: Vec<RunEvent>,
    ) -> Result<(), StoreError> {
        // It must not be lost with a database that crashes while this node goes on: the turns after it would have a gap.
        let mut tx = self.begin().await?;
        let run = self.held(&mut tx, lease).await?;
        if proposal.is_some() {
            // Its tasks are counted on the card when events are written already, and the card comes before those.
            self.locked_feature(&mut tx, run.feature_id).await?;
        }
        let row: Option<(String,)> = on!(tx, c => sqlx::query_as("SELECT turn FROM turns WHERE run_id = $1 AND number = $2")
            .bind(run.id).bind(number).fetch_optional(c).await)?;
        let (row,) = row.ok_or(StoreError::NotFound { what: "turn" })?;
        let mut turn: Turn = serde_json::from_str(&row)?;
        turn.results = Some(results);
        turn.snapshot = snapshot.as_ref().map(|(commit, _)| commit.clone());
        on!(tx, c => sqlx::query("UPDATE turns SET turn = $3 WHERE run_id = $1 AND number = $2")
            .bind(run.id).bind(number).bind(serde_json::to_string(&turn)?).execute(c).await.rows())?;
        if let Some((commit, stat)) = &snapshot {
            self.set_work(&mut tx, &run, commit, *stat).await?;
        }
        for event in events {
            self.record_run(&mut tx, &run, event).await?;
        }
        if let Some(plan) = proposal {
            self.propose(&mut tx, &run, number, plan).await?;
        }
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }

    /// Notes the state of the files outside a turn.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn set_head(&self, lease: &Lease, commit: &str, stat: DiffStat) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let run = self.held(&mut tx, lease).await?;
        self.set_work(&mut tx, &run, commit, stat).await?;
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }

    pub(crate) async fn set_work(
        &self,
        tx: &mut Tx,
        run: &Run,
        commit: &str,
        stat: DiffStat,
    ) -> Result<(), StoreError> {
        on!(tx, c => sqlx::query("UPDATE runs SET head_commit = $2 WHERE id = $1").bind(run.id).bind(commit).execute(c).await.rows())?;
        on!(tx, c => sqlx::query("UPDATE features SET files_changed = $2, lines_added = $3, lines_removed = $4 WHERE id = $1")
            .bind(run.feature_id).bind(stat.files).bind(stat.added).bind(stat.removed).execute(c).await.rows())?;
        Ok(())
    }

    /// Says what happens to the card now.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::IllegalStage`].
    pub async fn set_stage(&self, lease: &Lease, stage: Stage) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        let run = self.held(&mut tx, lease).await?;
        self.change_stage(&mut tx, run.feature_id, stage).await?;
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }

    /// Writes the agent's tasks.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn set_plan(&self, lease: &Lease, tasks: &[Task]) -> Result<(), StoreError> {
        let clean = |task: &Task| Task {
            title: crate::clean(&task.title),
            phase: task.phase.as_deref().map(crate::clean),
            status: task.status,
        };
        let mut tx = self.begin_light().await?;
        let run = self.held(&mut tx, lease).await?;
        self.put_tasks(&mut tx, &run, tasks.iter().map(clean).collect()).await?;
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }

    pub(crate) async fn put_tasks(&self, tx: &mut Tx, run: &Run, tasks: Vec<Task>) -> Result<(), StoreError> {
        let done = tasks.iter().filter(|task| task.status == TaskStatus::Completed).count() as i64;
        on!(tx, c => sqlx::query("UPDATE runs SET plan = $2 WHERE id = $1").bind(run.id).bind(Json(&tasks)).execute(c).await.rows())?;
        on!(tx, c => sqlx::query("UPDATE features SET tasks_done = $2, tasks_total = $3 WHERE id = $1").bind(run.feature_id)
            .bind(done).bind(tasks.len() as i64).execute(c).await.rows())?;
        self.record_run(tx, run, RunEvent::Plan { tasks }).await
    }

    /// Writes a check: its beginning, and later its end. One of the run that was left as running has failed.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn put_check(&self, lease: &Lease, check: &Check) -> Result<(), StoreError> {
        let mut check = check.clone();
        check.output = crate::clean(&check.output);
        let mut tx = self.begin_light().await?;
        let run = self.held(&mut tx, lease).await?;
        // They run one after the other: one that seems to run beside this one was cut off by the end of its server.
        let left: Vec<Check> = on!(tx, c => sqlx::query_as(
            "UPDATE checks SET status = $3, ended_at = $4 WHERE run_id = $1 AND id <> $2 AND status = $5 RETURNING *")
            .bind(run.id).bind(check.id).bind(CheckStatus::Failed).bind(self.now()).bind(CheckStatus::Running)
            .fetch_all(c).await)?;
        for check in left {
            self.record_run(&mut tx, &run, RunEvent::Check { check }).await?;
        }
        on!(tx, c => sqlx::query(
            "INSERT INTO checks (id, run_id, command, status, exit_code, output, commit_id, started_at, ended_at, kind)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (id) DO UPDATE SET status = excluded.status, exit_code = excluded.exit_code,
               output = excluded.output, ended_at = excluded.ended_at")
            .bind(check.id).bind(run.id).bind(&check.command).bind(check.status).bind(check.exit_code).bind(&check.output)
            .bind(&check.commit_id).bind(check.started_at).bind(check.ended_at).bind(check.kind).execute(c).await.rows())?;
        let cut = check.output.len().saturating_sub(2_000);
        let cut = check.output.ceil_char_boundary(cut);
        check.output.drain(..cut);
        self.record_run(&mut tx, &run, RunEvent::Check { check }).await?;
        self.commit(tx).await
    }
}
