//! Runs, as members act on them: each deed moves the card, the run and the events in one transaction.

mod stop;

use guildhall_types::agent::Briefing;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::event::Happening;
use guildhall_types::feature::{Feature, FeatureKind, Move, WorkMode};
use guildhall_types::notification::{NotificationKind, Tell};
use guildhall_types::plan::PlanApproval;
use guildhall_types::run::{Run, RunEvent, RunIntent, RunStatus, Said, Turn};
use guildhall_types::{FeatureId, MemberId, ProjectId, RunId};
use sqlx::types::Json;

use crate::members::may_run;
use crate::{Backend, NewFile, Rows, Store, StoreError, Tx, on, read};

pub(crate) const COLUMNS: &str = "id, feature_id, project_id, member_id, status, intent, auto, repairs, returns, attempt, \
    lease_owner, lease_until, \
    model, key_source, key_provider, key_hint, branch, base_commit, head_commit, holds, turns, input_tokens, output_tokens, \
    cache_read_tokens, cache_write_tokens, context_tokens, cost_micros, plan, approval, error, parked_until, \
    parked_reason, parked_for, extra_micros, created_at, started_at, ended_at";

/// A run to be made.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// The model that it will call.
    pub model: String,
    /// The branch that its work ends up on.
    pub branch: String,
    /// What it goes by that its card does not say; it keeps that to its end.
    pub briefing: Briefing,
}

/// A deed on a card, as the audit tells it.
pub(crate) fn note(action: AuditAction, feature: FeatureId, run: RunId) -> Note {
    Note::new(action).on(AuditObject::Feature, feature).with("run", run)
}

/// Refuses what is done for a step of a system: its execution would stop it again, or would go on from work that was changed
/// after somebody looked at it.
pub(crate) const fn of_nobody_else(feature: &Feature) -> Result<(), StoreError> {
    match feature.execution_id {
        Some(execution) => Err(StoreError::OfExecution { execution }),
        None => Ok(()),
    }
}

/// Whether a branch is that of another card's run whose work is not over.
const BRANCH_OF_ANOTHER: &str = "SELECT EXISTS (SELECT 1 FROM runs
    WHERE project_id = $1 AND branch = $2 AND feature_id <> $3 AND status <> 'closed')";

impl Store {
    /// Starts a card: a new run from nothing. An earlier run of the card is closed; its work stays on its refs. While cards
    /// that it depends on are neither verified nor completed, it waits in the queue.
    ///
    /// The member may have `most` worktrees of cards: each run has one until its card is completed or taken back.
    ///
    /// # Errors
    /// [`StoreError::Illegal`], [`StoreError::NotFound`], [`StoreError::TooManyWorktrees`]; [`StoreError::Archived`].
    pub async fn start_feature(
        &self,
        id: FeatureId,
        member: MemberId,
        new: NewRun,
        most: i64,
    ) -> Result<(Feature, Run), StoreError> {
        let mut tx = self.begin().await?;
        // Locks the member, so that of two starts at once the second one counts the first.
        self.runner(&mut tx, member).await?;
        let (held,): (i64,) = on!(tx, c => sqlx::query_as(
            "SELECT count(*) FROM runs r JOIN features f ON f.id = r.feature_id
             WHERE r.member_id = $1 AND r.status <> 'closed' AND f.kind = 'card' AND r.feature_id <> $2")
            .bind(member).bind(id).fetch_one(c).await)?;
        if held >= most {
            return Err(StoreError::TooManyWorktrees { most });
        }
        let run = self.start_in(&mut tx, id, member, new, false).await?;
        self.tell_both(tx, id, run).await
    }

    /// Moves a card to the queue with a new run. Whoever calls has locked the member.
    pub(crate) async fn start_in(
        &self,
        tx: &mut Tx,
        id: FeatureId,
        member: MemberId,
        new: NewRun,
        auto: bool,
    ) -> Result<RunId, StoreError> {
        let now = self.now();
        // The former run first, which is closed below.
        self.lock_run_of(tx, id).await?;
        let feature = self.locked_feature(tx, id).await?;
        self.held_project(tx, feature.card.project_id).await?;
        self.move_feature(tx, &feature, Move::Start).await?;
        if self.backend() == Backend::Postgres {
            // Of two starts at once of cards that name one branch, the second sees the first.
            on!(tx, c => sqlx::query("SELECT pg_advisory_xact_lock(4302, hashtext($1))")
                .bind(format!("{} {}", feature.card.project_id, new.branch)).execute(c).await.rows())?;
        }
        // A branch comes to be when its run is claimed: until then git does not know of it.
        let (taken,): (bool,) = on!(tx, c => sqlx::query_as(BRANCH_OF_ANOTHER)
            .bind(feature.card.project_id).bind(&new.branch).bind(id).fetch_one(c).await)?;
        if taken {
            return Err(StoreError::Taken { what: "the branch that the card names" });
        }
        self.close_runs(tx, id).await?;
        let run = RunId::new();
        on!(tx, c => sqlx::query(
            "INSERT INTO runs (id, feature_id, project_id, member_id, status, intent, model, branch, plan, approval, queued_at,
               created_at, auto, untold, briefing, traceparent)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $12, $13, $14)")
            .bind(run).bind(id).bind(feature.card.project_id).bind(member).bind(RunStatus::Queued).bind(RunIntent::Work)
            .bind(new.model).bind(new.branch).bind(Json(serde_json::json!([])))
            .bind(PlanApproval::of_new_run(feature.card.require_plan_approval)).bind(now).bind(auto).bind(Json(&new.briefing))
            .bind(guildhall_types::trace::traceparent()).execute(c).await.rows())?;
        on!(tx, c => sqlx::query(
            "UPDATE features SET run_id = $2, error = NULL, summary = NULL, tasks_done = 0, tasks_total = 0, files_changed = 0,
               lines_added = 0, lines_removed = 0, started_at = NULL, finished_at = NULL WHERE id = $1")
            .bind(id).bind(run).execute(c).await.rows())?;
        if feature.card.kind != FeatureKind::Card {
            // Whoever made it says so.
            return Ok(run);
        }
        let note = note(AuditAction::StartRun, id, run);
        tx.note(if auto { note.with("autoModeOf", member) } else { note });
        Ok(run)
    }

    /// Whether a branch is that of another card's run whose work is not over, be it begun or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn branch_of_another(&self, project: ProjectId, branch: &str, of: FeatureId) -> Result<bool, StoreError> {
        let (taken,): (bool,) = read!(self, c => sqlx::query_as(BRANCH_OF_ANOTHER).bind(project).bind(branch).bind(of)
            .fetch_one(c).await)?;
        Ok(taken)
    }

    /// The branches of a project on which work is that is not over, each with the title of its card.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn branches_of_work(&self, project: ProjectId) -> Result<Vec<(String, String)>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT runs.branch, features.title FROM runs JOIN features ON features.id = runs.feature_id
             WHERE runs.project_id = $1 AND runs.status <> 'closed' ORDER BY runs.id")
            .bind(project).fetch_all(c).await)?)
    }

    /// Which span made the run, as a `traceparent`, where the request that did was traced.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run_traceparent(&self, run: RunId) -> Result<Option<String>, StoreError> {
        let found: Option<(Option<String>,)> = read!(self, c => sqlx::query_as(
            "SELECT traceparent FROM runs WHERE id = $1").bind(run).fetch_optional(c).await)?;
        Ok(found.and_then(|(parent,)| parent))
    }

    /// Goes on with a card's latest run, from its last saved turn.
    ///
    /// # Errors
    /// [`StoreError::Illegal`], [`StoreError::NotFound`], [`StoreError::OfExecution`].
    pub async fn retry_feature(&self, id: FeatureId, member: MemberId) -> Result<(Feature, Run), StoreError> {
        let mut tx = self.begin().await?;
        self.runner(&mut tx, member).await?;
        let (feature, run) = self.locked_with_run(&mut tx, id).await?;
        of_nobody_else(&feature)?;
        self.held_project(&mut tx, run.project_id).await?;
        self.move_feature(&mut tx, &feature, Move::Retry).await?;
        self.queue_run(&mut tx, &run, run.intent, Some(member)).await?;
        tx.note(note(AuditAction::RetryRun, id, run.id));
        self.tell_both(tx, id, run.id).await
    }

    /// A member says something to the agent. While the agent works, its next turn reads it; otherwise the same
    /// conversation goes on with it.
    ///
    /// # Errors
    /// [`StoreError::Illegal`], [`StoreError::NotFound`].
    pub async fn follow_up(&self, id: FeatureId, member: MemberId, text: &str) -> Result<(Feature, Run), StoreError> {
        self.follow_up_in(id, member, text, None, &[]).await
    }

    /// The same, with files that come along; a chat's agent may from then on do this to the files of its worktree.
    ///
    /// # Errors
    /// [`StoreError::Illegal`], [`StoreError::NotFound`], [`StoreError::Archived`], [`StoreError::OfExecution`].
    pub async fn follow_up_in(
        &self,
        id: FeatureId,
        member: MemberId,
        text: &str,
        mode: Option<WorkMode>,
        files: &[NewFile],
    ) -> Result<(Feature, Run), StoreError> {
        let mut tx = self.begin().await?;
        let owner_may = self.speaker_and_owner(&mut tx, id, member).await?;
        let (feature, mut run) = self.locked_with_run(&mut tx, id).await?;
        of_nobody_else(&feature)?;
        self.held_project(&mut tx, run.project_id).await?;
        if !owner_may {
            // Whoever speaks takes it over: nothing goes on in the name of a member who may run nothing any more.
            on!(tx, c => sqlx::query("UPDATE runs SET member_id = $2, untold = FALSE WHERE id = $1").bind(run.id).bind(member).execute(c)
                .await.rows())?;
            run.member_id = member;
        }
        let to = feature.card.after(Move::FollowUp)?;
        if to != feature.card.status {
            self.move_feature(&mut tx, &feature, Move::FollowUp).await?;
        }
        if let Some(mode) = mode.filter(|_| feature.card.kind == FeatureKind::Chat) {
            on!(tx, c => sqlx::query("UPDATE features SET mode = $2 WHERE id = $1").bind(id).bind(mode).execute(c).await.rows())?;
        }
        let text = crate::clean(text);
        let (seq,): (i64,) = on!(tx, c => sqlx::query_as(
            "INSERT INTO run_messages (run_id, seq, member_id, text, said_at)
             SELECT $1, coalesce(max(seq), 0) + 1, $2, $3, $4 FROM run_messages WHERE run_id = $1 RETURNING seq")
            .bind(run.id).bind(member).bind(&text).bind(self.now()).fetch_one(c).await)?;
        let files = self.keep_files(&mut tx, id, Some((run.id, Some(seq))), files).await?;
        let sent = files.len();
        self.record_run(&mut tx, &run, RunEvent::Said { member_id: Some(member), text, files }).await?;
        if run.status.is_live() {
            // Checks that are running look at the work as it was; the message turns the run back to work after them. One
            // that rests until auto mode's window opens goes on now: somebody has taken it in hand. One that waits for its
            // provider asks it again.
            on!(tx, c => sqlx::query(
                "UPDATE runs SET intent = $2, auto = auto AND (parked_until IS NULL OR parked_reason IS NOT NULL),
                   parked_until = NULL, parked_reason = NULL, parked_for = NULL
                 WHERE id = $1 AND status = 'queued'").bind(run.id).bind(RunIntent::Work).execute(c).await.rows())?;
            on!(tx, c => sqlx::query("UPDATE runs SET repairs = 0, returns = 0 WHERE id = $1").bind(run.id).execute(c)
                .await.rows())?;
        } else {
            self.queue_run(&mut tx, &run, RunIntent::Work, None).await?;
        }
        let note = note(AuditAction::FollowUp, id, run.id);
        tx.note(if sent > 0 { note.with("files", sent) } else { note });
        self.tell_both(tx, id, run.id).await
    }

    /// Asks for the checks of finished work.
    ///
    /// # Errors
    /// [`StoreError::Illegal`], [`StoreError::NotFound`].
    pub async fn request_verify(&self, id: FeatureId) -> Result<(Feature, Run), StoreError> {
        let mut tx = self.begin().await?;
        let (feature, run) = self.locked_with_run(&mut tx, id).await?;
        self.held_project(&mut tx, run.project_id).await?;
        self.move_feature(&mut tx, &feature, Move::Verify).await?;
        self.queue_run(&mut tx, &run, RunIntent::Verify, None).await?;
        tx.note(note(AuditAction::Verify, id, run.id));
        self.tell_both(tx, id, run.id).await
    }

    /// Finds a card's work good.
    ///
    /// # Errors
    /// [`StoreError::Illegal`], [`StoreError::NotFound`].
    pub async fn accept_feature(&self, id: FeatureId) -> Result<(Feature, Run), StoreError> {
        let mut tx = self.begin().await?;
        let (feature, run) = self.locked_with_run(&mut tx, id).await?;
        self.move_feature(&mut tx, &feature, Move::Approve).await?;
        // What a person verified, a person merges.
        on!(tx, c => sqlx::query("UPDATE runs SET merge_later = FALSE WHERE id = $1").bind(run.id).execute(c).await.rows())?;
        tx.note(note(AuditAction::Verify, id, run.id));
        let text = "Somebody found the work good. It is ready to be merged.";
        tx.tell(Tell::of_card(NotificationKind::CardVerified, &feature.card, &run, text));
        self.tell_both(tx, id, run.id).await
    }

    /// Notes that a card's work is on the default branch as `commit`.
    ///
    /// # Errors
    /// [`StoreError::Illegal`], [`StoreError::NotFound`].
    pub async fn record_merge(&self, id: FeatureId, commit: &str) -> Result<(Feature, Run), StoreError> {
        let mut tx = self.begin().await?;
        let (feature, run) = self.locked_with_run(&mut tx, id).await?;
        self.move_feature(&mut tx, &feature, Move::Merge).await?;
        on!(tx, c => sqlx::query("UPDATE features SET merge_commit = $2 WHERE id = $1").bind(id).bind(commit).execute(c).await.rows())?;
        self.close_runs(&mut tx, id).await?;
        tx.note(note(AuditAction::Merge, id, run.id).with("commit", commit));
        self.tell_both(tx, id, run.id).await
    }

    /// Takes a card back to the backlog. Its run is closed; its work stays on its refs.
    ///
    /// # Errors
    /// [`StoreError::Illegal`], [`StoreError::NotFound`].
    pub async fn shelve_feature(&self, id: FeatureId) -> Result<Feature, StoreError> {
        let mut tx = self.begin().await?;
        self.lock_run_of(&mut tx, id).await?;
        let feature = self.locked_feature(&mut tx, id).await?;
        self.move_feature(&mut tx, &feature, Move::Shelve).await?;
        self.close_runs(&mut tx, id).await?;
        on!(tx, c => sqlx::query("UPDATE features SET error = NULL WHERE id = $1").bind(id).execute(c).await.rows())?;
        let feature = self.tell_feature(&mut tx, id).await?;
        tx.note(Note::new(AuditAction::Shelve).on(AuditObject::Feature, id));
        self.commit(tx).await?;
        Ok(feature)
    }

    /// The run with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run(&self, id: RunId) -> Result<Option<Run>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM runs WHERE id = $1");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?)
    }

    /// A card's runs, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn runs_of(&self, feature: FeatureId, limit: i64) -> Result<Vec<Run>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM runs WHERE feature_id = $1 ORDER BY id DESC LIMIT $2");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(feature).bind(limit).fetch_all(c).await)?)
    }

    /// The saved turns of a run, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn turns(&self, run: RunId) -> Result<Vec<Turn>, StoreError> {
        let rows: Vec<(String,)> = read!(self, c => sqlx::query_as("SELECT turn FROM turns WHERE run_id = $1 ORDER BY number")
            .bind(run).fetch_all(c).await)?;
        rows.into_iter().map(|(turn,)| serde_json::from_str(&turn).map_err(StoreError::from)).collect()
    }

    /// What members said to a run and no turn has read yet, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn inbox(&self, run: RunId) -> Result<Vec<Said>, StoreError> {
        let said: Vec<Said> = read!(self, c => sqlx::query_as(
            "SELECT seq, member_id, text FROM run_messages WHERE run_id = $1 AND read_by_turn IS NULL ORDER BY seq")
            .bind(run).fetch_all(c).await)?;
        self.with_files(run, said).await
    }

    /// How many runs are at work and how many wait.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run_counts(&self) -> Result<(i64, i64), StoreError> {
        let rows: Vec<(RunStatus, i64)> = read!(self, c => sqlx::query_as(
            "SELECT status, count(*) FROM runs WHERE status IN ('queued', 'running') GROUP BY status").fetch_all(c).await)?;
        let of = |wanted| rows.iter().find(|(status, _)| *status == wanted).map_or(0, |(_, count)| *count);
        Ok((of(RunStatus::Running), of(RunStatus::Queued)))
    }

    pub(crate) async fn locked_with_run(&self, tx: &mut Tx, id: FeatureId) -> Result<(Feature, Run), StoreError> {
        self.lock_run_of(tx, id).await?;
        let feature = self.locked_feature(tx, id).await?;
        let run = match feature.card.run_id {
            Some(run) => self.run_in(tx, run).await?,
            None => None,
        };
        let run = run
            .filter(|run| run.status != RunStatus::Closed)
            .ok_or(StoreError::NotFound { what: "run of this feature" })?;
        Ok((feature, run))
    }

    /// Locks the latest run of a card, before the card itself, as the node that works on it does: in another order the two
    /// could wait for each other for ever.
    pub(crate) async fn lock_run_of(&self, tx: &mut Tx, id: FeatureId) -> Result<(), StoreError> {
        on!(tx, c => sqlx::query(
            "UPDATE runs SET attempt = attempt WHERE id = (SELECT run_id FROM features WHERE id = $1)").bind(id)
            .execute(c).await.rows())?;
        Ok(())
    }

    /// Locks who speaks and whose run a card has, in one order for everybody. Returns whether the latter may still run it.
    pub(crate) async fn speaker_and_owner(
        &self,
        tx: &mut Tx,
        id: FeatureId,
        speaker: MemberId,
    ) -> Result<bool, StoreError> {
        let owner: Option<(MemberId,)> = on!(tx, c => sqlx::query_as(
            "SELECT r.member_id FROM features f JOIN runs r ON r.id = f.run_id WHERE f.id = $1").bind(id).fetch_optional(c).await)?;
        let Some((owner,)) = owner.filter(|(owner,)| *owner != speaker) else {
            return self.runner(tx, speaker).await.map(|_| true);
        };
        let owner_first = owner < speaker;
        let locked = if owner_first { self.locked_member(tx, owner).await? } else { None };
        self.runner(tx, speaker).await?;
        let locked = if owner_first { locked } else { self.locked_member(tx, owner).await? };
        Ok(locked.as_ref().is_some_and(may_run))
    }

    /// The run, whoever works on it, locked until the transaction ends.
    pub(crate) async fn locked_run(&self, tx: &mut Tx, id: RunId) -> Result<Option<Run>, StoreError> {
        let sql = format!("UPDATE runs SET attempt = attempt WHERE id = $1 RETURNING {COLUMNS}");
        Ok(on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?)
    }

    pub(crate) async fn run_in(&self, tx: &mut Tx, id: RunId) -> Result<Option<Run>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM runs WHERE id = $1");
        Ok(on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?)
    }

    /// Puts a run in the queue. Who asks to go on becomes the one whose key it uses.
    pub(crate) async fn queue_run(
        &self,
        tx: &mut Tx,
        run: &Run,
        intent: RunIntent,
        member: Option<MemberId>,
    ) -> Result<(), StoreError> {
        self.end_span(tx, run.id, run.ended_at.unwrap_or_else(|| self.now())).await?;
        on!(tx, c => sqlx::query(
            "UPDATE runs SET status = $2, intent = $3, member_id = $4, error = NULL, ended_at = NULL, queued_at = $5,
               auto = FALSE, untold = untold AND member_id = $4, parked_until = NULL, parked_reason = NULL, parked_for = NULL,
               repairs = 0, returns = 0, halted = FALSE, merge_later = FALSE, out_since = NULL WHERE id = $1")
            .bind(run.id).bind(RunStatus::Queued).bind(intent).bind(member.unwrap_or(run.member_id)).bind(self.now())
            .execute(c).await.rows())?;
        on!(tx, c => sqlx::query("UPDATE features SET error = NULL, finished_at = NULL WHERE id = $1").bind(run.feature_id)
            .execute(c).await.rows())?;
        Ok(())
    }

    pub(crate) async fn close_runs(&self, tx: &mut Tx, feature: FeatureId) -> Result<(), StoreError> {
        on!(tx, c => sqlx::query(
            "UPDATE runs SET failed = (status = $4), status = $2, closed_at = $3, merge_later = FALSE,
               lease_owner = NULL, lease_until = NULL
             WHERE feature_id = $1 AND status <> $2")
            .bind(feature).bind(RunStatus::Closed).bind(self.now()).bind(RunStatus::Failed).execute(c).await.rows())?;
        Ok(())
    }

    pub(crate) async fn record_run(&self, tx: &mut Tx, run: &Run, event: RunEvent) -> Result<(), StoreError> {
        self.record(tx, &Happening::Run { run_id: run.id, feature_id: run.feature_id, event }).await
    }

    pub(crate) async fn tell_both(
        &self,
        mut tx: Tx,
        feature: FeatureId,
        run: RunId,
    ) -> Result<(Feature, Run), StoreError> {
        let run = self.run_in(&mut tx, run).await?.ok_or(StoreError::NotFound { what: "run" })?;
        let feature = self.tell_feature(&mut tx, feature).await?;
        self.record(&mut tx, &Happening::RunUpdated { run: run.clone() }).await?;
        self.commit(tx).await?;
        Ok((feature, run))
    }
}
