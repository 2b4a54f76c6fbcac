//! Plans: proposed by agents, decided on by members.

use guildhall_types::audit::AuditAction;
use guildhall_types::feature::{Feature, Move};
use guildhall_types::plan::{Plan, PlanApproval, PlanStatus, PlannedTask, Proposal};
use guildhall_types::run::{Run, RunEvent, RunIntent, Task, TaskStatus};
use guildhall_types::{FeatureId, MemberId, RunId};
use sqlx::types::Json;

use crate::runs::note;
use crate::{Rows, Store, StoreError, Tx, on, read};

const COLUMNS: &str = "run_id, version, text, tasks, status, written_by, feedback, decided_by, decided_at, created_at";
/// Versions that are listed at most.
const LISTED: i64 = 200;

/// A plan without NUL, which PostgreSQL cannot hold.
fn clean(plan: &Proposal) -> Proposal {
    let tasks = plan
        .tasks
        .iter()
        .map(|task| PlannedTask { title: crate::clean(&task.title), phase: task.phase.as_deref().map(crate::clean) })
        .collect();
    Proposal { text: crate::clean(&plan.text), tasks }
}

/// The tasks of a plan, none of them begun.
fn begin(tasks: Vec<PlannedTask>) -> Vec<Task> {
    let begin = |task: PlannedTask| Task { title: task.title, phase: task.phase, status: TaskStatus::Pending };
    tasks.into_iter().map(begin).collect()
}

impl Store {
    /// The versions of the plans of a card's runs, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plans_of(&self, feature: FeatureId) -> Result<Vec<Plan>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM plans WHERE run_id IN (SELECT id FROM runs WHERE feature_id = $1)
             ORDER BY run_id DESC, version DESC LIMIT $2"
        );
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(feature).bind(LISTED).fetch_all(c).await)?)
    }

    /// A member approves the plan that waits, or what they made of it: its tasks become the run's, its agent hears `said`,
    /// and the run is queued.
    ///
    /// # Errors
    /// [`StoreError::StalePlan`] when there is a later version; [`StoreError::Illegal`] when no plan waits.
    pub async fn approve_plan(
        &self,
        id: FeatureId,
        member: MemberId,
        version: i64,
        correction: Option<&Proposal>,
        said: &str,
    ) -> Result<(Feature, Run), StoreError> {
        let (mut tx, run) = self.begin_decision(id, member, version).await?;
        let approved = match correction.map(clean) {
            None => self.decide(&mut tx, run.id, version, PlanStatus::Approved, member, None).await?,
            Some(plan) => {
                self.decide(&mut tx, run.id, version, PlanStatus::Superseded, member, None).await?;
                self.insert_plan(&mut tx, run.id, None, &plan, PlanStatus::Approved, Some(member)).await?
            }
        };
        let tasks = begin(approved.tasks);
        on!(tx, c => sqlx::query("UPDATE runs SET approval = $2, plan = $3 WHERE id = $1").bind(run.id)
            .bind(PlanApproval::Given).bind(Json(&tasks)).execute(c).await.rows())?;
        on!(tx, c => sqlx::query("UPDATE features SET tasks_done = 0, tasks_total = $2 WHERE id = $1").bind(id)
            .bind(tasks.len() as i64).execute(c).await.rows())?;
        self.tell_agent(&mut tx, &run, member, said).await?;
        let changed = correction.is_some();
        let decided = RunEvent::PlanDecided {
            version: approved.version,
            member_id: member,
            approved: true,
            changed,
            feedback: None,
        };
        self.record_run(&mut tx, &run, decided).await?;
        self.record_run(&mut tx, &run, RunEvent::Plan { tasks }).await?;
        tx.note(note(AuditAction::ApprovePlan, id, run.id).with("version", approved.version).with("changed", changed));
        self.tell_both(tx, id, run.id).await
    }

    /// A member rejects the plan that waits: its agent hears `said` and then the feedback, and the run is queued to make
    /// another.
    ///
    /// # Errors
    /// As for [`Store::approve_plan`].
    pub async fn reject_plan(
        &self,
        id: FeatureId,
        member: MemberId,
        version: i64,
        feedback: &str,
        said: &str,
    ) -> Result<(Feature, Run), StoreError> {
        let (mut tx, run) = self.begin_decision(id, member, version).await?;
        let feedback = crate::clean(feedback);
        self.decide(&mut tx, run.id, version, PlanStatus::Rejected, member, Some(&feedback)).await?;
        self.tell_agent(&mut tx, &run, member, said).await?;
        self.tell_agent(&mut tx, &run, member, &feedback).await?;
        let feedback = Some(feedback);
        let decided = RunEvent::PlanDecided { version, member_id: member, approved: false, changed: false, feedback };
        self.record_run(&mut tx, &run, decided).await?;
        tx.note(note(AuditAction::RejectPlan, id, run.id).with("version", version));
        self.tell_both(tx, id, run.id).await
    }

    /// What both decisions begin with: everything is locked, the version is the latest, and the run is queued.
    async fn begin_decision(&self, id: FeatureId, member: MemberId, version: i64) -> Result<(Tx, Run), StoreError> {
        let mut tx = self.begin().await?;
        let owner_may = self.speaker_and_owner(&mut tx, id, member).await?;
        let (feature, run) = self.locked_with_run(&mut tx, id).await?;
        self.held_project(&mut tx, run.project_id).await?;
        let (latest,): (Option<i64>,) = on!(tx, c => sqlx::query_as("SELECT max(version) FROM plans WHERE run_id = $1")
            .bind(run.id).fetch_one(c).await)?;
        if let Some(current) = latest
            && current != version
        {
            return Err(StoreError::StalePlan { current });
        }
        self.move_feature(&mut tx, &feature, Move::Decide).await?;
        // Nothing goes on in the name of a member who may run nothing any more: whoever decides takes it over.
        self.queue_run(&mut tx, &run, RunIntent::Work, (!owner_may).then_some(member)).await?;
        Ok((tx, run))
    }

    async fn decide(
        &self,
        tx: &mut Tx,
        run: RunId,
        version: i64,
        status: PlanStatus,
        member: MemberId,
        feedback: Option<&str>,
    ) -> Result<Plan, StoreError> {
        let sql = format!(
            "UPDATE plans SET status = $3, decided_by = $4, decided_at = $5, feedback = $6
             WHERE run_id = $1 AND version = $2 AND status = $7 RETURNING {COLUMNS}"
        );
        let plan: Option<Plan> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(run).bind(version).bind(status)
            .bind(member).bind(self.now()).bind(feedback).bind(PlanStatus::Proposed).fetch_optional(c).await)?;
        plan.ok_or(StoreError::NotFound { what: "plan" })
    }

    /// Writes what the agent reads at its next turn.
    async fn tell_agent(&self, tx: &mut Tx, run: &Run, member: MemberId, text: &str) -> Result<(), StoreError> {
        on!(tx, c => sqlx::query(
            "INSERT INTO run_messages (run_id, seq, member_id, text, said_at)
             SELECT $1, coalesce(max(seq), 0) + 1, $2, $3, $4 FROM run_messages WHERE run_id = $1")
            .bind(run.id).bind(member).bind(crate::clean(text)).bind(self.now()).execute(c).await.rows())?;
        Ok(())
    }

    /// A turn proposed a plan: it is the next version, and takes the place of one that nobody decided on. Where nobody has to,
    /// its tasks become the run's at once.
    pub(crate) async fn propose(&self, tx: &mut Tx, run: &Run, turn: i64, plan: &Proposal) -> Result<(), StoreError> {
        on!(tx, c => sqlx::query("UPDATE plans SET status = $2 WHERE run_id = $1 AND status = $3").bind(run.id)
            .bind(PlanStatus::Superseded).bind(PlanStatus::Proposed).execute(c).await.rows())?;
        if run.approval == PlanApproval::NotNeeded {
            on!(tx, c => sqlx::query("UPDATE plans SET status = $2 WHERE run_id = $1 AND status = $3").bind(run.id)
                .bind(PlanStatus::Superseded).bind(PlanStatus::Adopted).execute(c).await.rows())?;
            let plan = self.insert_plan(tx, run.id, Some(turn), &clean(plan), PlanStatus::Adopted, None).await?;
            self.record_run(tx, run, RunEvent::PlanAdopted { version: plan.version }).await?;
            return self.put_tasks(tx, run, begin(plan.tasks)).await;
        }
        let plan = self.insert_plan(tx, run.id, Some(turn), &clean(plan), PlanStatus::Proposed, None).await?;
        self.record_run(tx, run, RunEvent::PlanProposed { version: plan.version }).await
    }

    async fn insert_plan(
        &self,
        tx: &mut Tx,
        run: RunId,
        turn: Option<i64>,
        plan: &Proposal,
        status: PlanStatus,
        member: Option<MemberId>,
    ) -> Result<Plan, StoreError> {
        let now = self.now();
        let sql = format!(
            "INSERT INTO plans (run_id, version, turn, text, tasks, status, written_by, decided_by, decided_at, created_at)
             SELECT $1, coalesce(max(version), 0) + 1, $2, $3, $4, $5, $6, $6, $7, $8 FROM plans WHERE run_id = $1
             RETURNING {COLUMNS}"
        );
        Ok(on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(run).bind(turn).bind(&plan.text)
            .bind(Json(&plan.tasks)).bind(status).bind(member).bind(member.map(|_| now)).bind(now).fetch_one(c).await)?)
    }
}
