//! Runs, as a node works on them. A node holds a run by a lease; every write names the run, the node and the attempt,
//! and must touch one row, so that a node which lost its lease can write nothing.

mod after;

use std::collections::{HashMap, HashSet};

use chrono::Duration;
use guildhall_types::chat::{Block, Usage};
use guildhall_types::feature::{Feature, Move, Problem, Stage};
use guildhall_types::limits::Limits;
use guildhall_types::notification::{NotificationKind, Tell};
use guildhall_types::plan::{PlanApproval, Proposal};
use guildhall_types::project::Project;
use guildhall_types::report::SpanKind;
use guildhall_types::run::{
    Check, DiffStat, LedgerRow, Run, RunEvent, RunIntent, RunKey, RunStatus, Task, TaskStatus, Turn,
};
use guildhall_types::schedule::{self, Candidate};
use guildhall_types::{DateTime, MemberId, NodeId, RunId};
use sqlx::types::Json;

use crate::{Backend, Rows, Store, StoreError, Tx, on};

pub use after::{Counts, Word};

/// A node's hold on a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// The node.
    pub node: NodeId,
    /// Which claim of the run this is.
    pub attempt: i64,
}

/// What a node gets when it claims a run.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The hold on it.
    pub lease: Lease,
    /// The run.
    pub run: Run,
    /// Its card.
    pub feature: Feature,
    /// The card's project.
    pub project: Project,
}

/// How a run ends.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Where the run comes to stand.
    pub status: RunStatus,
    /// How the card moves.
    pub what: Move,
    /// The agent's closing words; absent leaves what is there.
    pub summary: Option<String>,
    /// Why it failed.
    pub problem: Option<Problem>,
}

/// What came of an ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// The run has ended.
    Ended,
    /// A member said something in the last moment: the run is queued again and will read it.
    GoesOn,
}

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
        let running: Vec<(RunId, MemberId, bool, Option<NodeId>)> = on!(tx, c => sqlx::query_as(
            "SELECT id, member_id, lease_until > $1, lease_owner FROM runs WHERE status = 'running'")
            .bind(now).fetch_all(c).await)?;
        let own = |run: &RunId, owner: Option<NodeId>| owner == Some(node) && at_work.contains(run);
        let mut working: HashMap<MemberId, i64> = HashMap::new();
        for (_, member, ..) in running.iter().filter(|(run, _, held, owner)| *held || own(run, *owner)) {
            *working.entry(*member).or_default() += 1;
        }
        let held: HashSet<RunId> =
            running.iter().filter(|(run, _, _, owner)| own(run, *owner)).map(|(run, ..)| *run).collect();
        // Fifty of each member are enough to choose from, and nobody can hide the others behind a long queue.
        let waiting: Vec<(RunId, MemberId, i64, DateTime)> = on!(tx, c => sqlx::query_as(
            "SELECT id, member_id, priority, queued_at FROM (
               SELECT r.id, r.member_id, f.priority, r.queued_at,
                 row_number() OVER (PARTITION BY r.member_id ORDER BY f.priority, r.queued_at, r.id) AS place
               FROM runs r JOIN features f ON f.id = r.feature_id
               WHERE (r.status = 'queued' OR (r.status = 'running' AND r.lease_until <= $1))
                 AND (r.parked_until IS NULL OR r.parked_until <= $2)
                 AND (r.started_at IS NOT NULL OR NOT EXISTS (
                   SELECT 1 FROM feature_dependencies d JOIN features b ON b.id = d.depends_on
                   WHERE d.feature_id = r.feature_id AND b.status NOT IN ('verified', 'completed')))) waiting
             WHERE place <= 50").bind(now).bind(self.now()).fetch_all(c).await)?;
        let waiting: Vec<Candidate> = waiting
            .into_iter()
            .filter(|(run, ..)| !held.contains(run))
            .map(|(run, member, priority, since)| Candidate { run, member, priority, since })
            .collect();
        let Some(chosen) = schedule::next(&waiting, &working, limits) else { return Ok(Some(None)) };
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
        self.begin_span(&mut tx, chosen.run, SpanKind::Work).await?;
        // What a dead attempt had set aside for a call.
        on!(tx, c => sqlx::query("DELETE FROM reservations WHERE run_id = $1").bind(chosen.run).execute(c).await.rows())?;
        let run = self.run_in(&mut tx, chosen.run).await?.ok_or(StoreError::NotFound { what: "run" })?;
        let feature = self.locked_feature(&mut tx, run.feature_id).await?;
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

    /// The time by which leases are judged: on PostgreSQL the database's, because nodes' clocks differ.
    pub(crate) async fn lease_clock(&self, tx: &mut Tx) -> Result<DateTime, StoreError> {
        match &mut tx.inner {
            crate::db::Inner::Sqlite(..) => Ok(self.now()),
            crate::db::Inner::Postgres(t) => {
                let (now,): (DateTime,) = sqlx::query_as("SELECT clock_timestamp()").fetch_one(&mut **t).await?;
                Ok(now)
            }
        }
    }

    /// Holds a run for longer.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn renew_lease(&self, lease: &Lease, hold: Duration) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        let until = self.lease_clock(&mut tx).await? + hold;
        let done = on!(tx, c => sqlx::query(
            "UPDATE runs SET lease_until = $4 WHERE id = $1 AND lease_owner = $2 AND attempt = $3 AND status = 'running'")
            .bind(lease.run).bind(lease.node).bind(lease.attempt).bind(until).execute(c).await.rows())?;
        if done != 1 {
            return Err(StoreError::LeaseLost);
        }
        on!(tx, c => sqlx::query("UPDATE reservations SET until = $3 WHERE run_id = $1 AND attempt = $2").bind(lease.run)
            .bind(lease.attempt).bind(until).execute(c).await.rows())?;
        self.commit(tx).await
    }

    /// Ends every lease. For the start of the only process that uses this database: whoever held one is dead.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expire_leases(&self) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let now = self.lease_clock(&mut tx).await?;
        let done = on!(tx, c => sqlx::query("UPDATE runs SET lease_until = $1 WHERE status = 'running'").bind(now)
            .execute(c).await.rows())?;
        self.commit(tx).await?;
        Ok(done)
    }

    /// The run, if the lease still holds, locked until the transaction ends.
    pub(super) async fn held(&self, tx: &mut Tx, lease: &Lease) -> Result<Run, StoreError> {
        let sql = format!(
            "UPDATE runs SET attempt = attempt WHERE id = $1 AND lease_owner = $2 AND attempt = $3 AND status = 'running'
             RETURNING {}",
            crate::runs::COLUMNS
        );
        let run: Option<Run> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(lease.run).bind(lease.node).bind(lease.attempt).fetch_optional(c).await)?;
        run.ok_or(StoreError::LeaseLost)
    }

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

    /// The worktree is there and the first call is about to be made.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn run_started(
        &self,
        lease: &Lease,
        base_commit: &str,
        branch: &str,
        key: &RunKey,
        events: Vec<RunEvent>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        let run = self.held(&mut tx, lease).await?;
        on!(tx, c => sqlx::query(
            "UPDATE runs SET base_commit = $2, branch = $3, key_source = $4, key_provider = $5, key_hint = $6 WHERE id = $1")
            .bind(run.id).bind(base_commit).bind(branch).bind(key.source).bind(key.provider).bind(&key.hint)
            .execute(c).await.rows())?;
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
        on!(tx, c => sqlx::query("UPDATE runs SET turns = $2, context_tokens = $3 WHERE id = $1")
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

    /// Writes a call to the ledger whose run is no longer this node's, because a member stopped it in the middle: it was
    /// made all the same. Changes nothing else of the run.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn save_late_call(&self, lease: &Lease, ledger: &LedgerRow) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let run = self.run_in(&mut tx, lease.run).await?.ok_or(StoreError::NotFound { what: "run" })?;
        self.bill(&mut tx, lease, &run, ledger).await?;
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }

    /// Writes a call to the ledger in the place of what was set aside for it.
    async fn bill(&self, tx: &mut Tx, lease: &Lease, run: &Run, row: &LedgerRow) -> Result<(), StoreError> {
        let Usage { input_tokens, output_tokens, cache_read_tokens, cache_write_tokens } = row.usage;
        on!(tx, c => sqlx::query(
            "INSERT INTO ledger (id, at, member_id, key_source, run_id, turn, provider, model, input_tokens, output_tokens,
               cache_read_tokens, cache_write_tokens, cost_micros, priced, key_hint, project_id, project_name, feature_id,
               feature_number, feature_title)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, p.id, p.name, f.id, f.number, f.title
             FROM features f JOIN projects p ON p.id = f.project_id WHERE f.id = $16")
            .bind(uuid::Uuid::now_v7()).bind(self.now()).bind(row.member_id).bind(row.key_source).bind(run.id).bind(row.turn)
            .bind(row.provider).bind(&row.model).bind(input_tokens).bind(output_tokens).bind(cache_read_tokens)
            .bind(cache_write_tokens).bind(row.cost_micros).bind(row.priced).bind(&row.key_hint).bind(run.feature_id)
            .execute(c).await.rows())?;
        self.let_go(tx, lease).await?;
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
        // If it is lost with the power, the turn was cut off in its tools, and that is told to its agent.
        let mut tx = self.begin_light().await?;
        let run = self.held(&mut tx, lease).await?;
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

    pub(super) async fn set_work(
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

    pub(super) async fn put_tasks(&self, tx: &mut Tx, run: &Run, tasks: Vec<Task>) -> Result<(), StoreError> {
        let done = tasks.iter().filter(|task| task.status == TaskStatus::Completed).count() as i64;
        on!(tx, c => sqlx::query("UPDATE runs SET plan = $2 WHERE id = $1").bind(run.id).bind(Json(&tasks)).execute(c).await.rows())?;
        on!(tx, c => sqlx::query("UPDATE features SET tasks_done = $2, tasks_total = $3 WHERE id = $1").bind(run.feature_id)
            .bind(done).bind(tasks.len() as i64).execute(c).await.rows())?;
        self.record_run(tx, run, RunEvent::Plan { tasks }).await
    }

    /// Writes a check: its beginning, and later its end.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn put_check(&self, lease: &Lease, check: &Check) -> Result<(), StoreError> {
        let mut check = check.clone();
        check.output = crate::clean(&check.output);
        let mut tx = self.begin_light().await?;
        let run = self.held(&mut tx, lease).await?;
        on!(tx, c => sqlx::query(
            "INSERT INTO checks (id, run_id, command, status, exit_code, output, commit_id, started_at, ended_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (id) DO UPDATE SET status = excluded.status, exit_code = excluded.exit_code,
               output = excluded.output, ended_at = excluded.ended_at")
            .bind(check.id).bind(run.id).bind(&check.command).bind(check.status).bind(check.exit_code).bind(&check.output)
            .bind(&check.commit_id).bind(check.started_at).bind(check.ended_at).execute(c).await.rows())?;
        let cut = check.output.len().saturating_sub(2_000);
        let cut = check.output.ceil_char_boundary(cut);
        check.output.drain(..cut);
        self.record_run(&mut tx, &run, RunEvent::Check { check }).await?;
        self.commit(tx).await
    }

    /// Ends a run, or lets it wait for a person to look at its plan, and moves its card; unless a member said something in the last moment: then it goes on.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Illegal`].
    pub async fn finish_run(&self, lease: &Lease, ending: Ending) -> Result<Finished, StoreError> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let run = self.held(&mut tx, lease).await?;
        let feature = self.locked_feature(&mut tx, run.feature_id).await?;
        let (unread,): (i64,) = on!(tx, c => sqlx::query_as(
            "SELECT count(*) FROM run_messages WHERE run_id = $1 AND read_by_turn IS NULL").bind(run.id).fetch_one(c).await)?;
        if unread > 0 && ending.status == RunStatus::Waiting {
            self.give_back(&mut tx, &run, &feature, RunIntent::Work).await?;
            self.tell_both(tx, run.feature_id, run.id).await?;
            return Ok(Finished::GoesOn);
        }
        self.move_feature(&mut tx, &feature, ending.what).await?;
        if let Some((kind, text)) = news(&ending) {
            tx.tell(Tell::of_card(kind, &feature.card, &run, text));
        }
        if ending.what == Move::Finish
            && let Some(problem) = &ending.problem
        {
            self.stop_steps(&mut tx, &run, &problem.message).await?;
        }
        self.let_go(&mut tx, lease).await?;
        let ended = match &ending.problem {
            Some(problem) => Err(problem.clone()),
            None => Ok(()),
        };
        let problem = ending.problem.map(|problem| Problem {
            code: problem.code,
            message: crate::clean(&problem.message),
            hint: crate::clean(&problem.hint),
        });
        on!(tx, c => sqlx::query(
            "UPDATE runs SET status = $2, error = $3, ended_at = $4, lease_owner = NULL, lease_until = NULL WHERE id = $1")
            .bind(run.id).bind(ending.status).bind(problem.as_ref().map(Json)).bind(now).execute(c).await.rows())?;
        on!(tx, c => sqlx::query(
            "UPDATE features SET error = $2, summary = coalesce($3, summary), finished_at = $4 WHERE id = $1")
            .bind(run.feature_id).bind(problem.as_ref().map(Json)).bind(ending.summary.as_deref().map(crate::clean)).bind(now)
            .execute(c).await.rows())?;
        if ending.what == Move::Propose {
            on!(tx, c => sqlx::query("UPDATE features SET stage = $2 WHERE id = $1").bind(run.feature_id)
                .bind(Stage::PlanApproval).execute(c).await.rows())?;
        } else {
            let order = self.count_for_order(&mut tx, &run, ended).await?;
            self.record_run(&mut tx, &run, RunEvent::Ended { status: ending.status, problem }).await?;
            self.tell_orders(&mut tx, order.as_slice()).await?;
        }
        self.tell_both(tx, run.feature_id, run.id).await?;
        Ok(Finished::Ended)
    }

    /// Gives a run back to the queue, for another node or a later start.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn requeue_run(&self, lease: &Lease) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let run = self.held(&mut tx, lease).await?;
        let feature = self.locked_feature(&mut tx, run.feature_id).await?;
        self.give_back(&mut tx, &run, &feature, run.intent).await?;
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }

    pub(super) async fn give_back(
        &self,
        tx: &mut Tx,
        run: &Run,
        feature: &Feature,
        intent: RunIntent,
    ) -> Result<(), StoreError> {
        self.end_span(tx, run.id, self.now()).await?;
        self.move_feature(tx, feature, Move::Requeue).await?;
        on!(tx, c => sqlx::query(
            "UPDATE runs SET status = $2, intent = $3, lease_owner = NULL, lease_until = NULL, queued_at = $4 WHERE id = $1")
            .bind(run.id).bind(RunStatus::Queued).bind(intent).bind(self.now()).execute(c).await.rows())?;
        on!(tx, c => sqlx::query("DELETE FROM reservations WHERE run_id = $1 AND attempt = $2").bind(run.id).bind(run.attempt)
            .execute(c).await.rows())?;
        Ok(())
    }
}

/// What an ending tells the members whose card it is. Of a stop they know.
fn news(ending: &Ending) -> Option<(NotificationKind, String)> {
    let (kind, usual) = match ending.what {
        Move::Finish => (NotificationKind::CardWaits, "The agent is done. Look at the changes, then verify or merge."),
        Move::Accept => (NotificationKind::CardVerified, "Its checks passed. It is ready to be merged."),
        Move::Fail => (NotificationKind::CardFailed, "The run ended in an error."),
        Move::Propose => (NotificationKind::PlanReady, "No file is changed before somebody approves it."),
        _ => return None,
    };
    let text = match &ending.problem {
        Some(problem) => format!("{} {}", problem.message, problem.hint).trim().to_owned(),
        None => usual.to_owned(),
    };
    Some((kind, text))
}
