//! Work without a card on the board: chats, and tasks of agents that run by themselves or for a step of a system. They are
//! features of another kind, so that all that holds for runs holds for theirs.

use guildhall_types::agent::TaskState;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::event::Happening;
use guildhall_types::feature::{
    Feature, FeatureCard, FeatureKind, FeatureStatus, PlanningMode, ThinkingLevel, WorkMode,
};
use guildhall_types::run::Run;
use guildhall_types::{AgentId, DateTime, ExecutionId, FeatureId, MemberId, ProjectId, RunId};
use uuid::Uuid;

use crate::features::CARD;
use crate::runs::of_nobody_else;
use crate::{NewFile, NewRun, Page, Rows, Store, StoreError, on, read};

/// A chat or a task to be made.
#[derive(Debug, Clone)]
pub struct NewAside {
    /// Its id. Asking again with the same one makes no second.
    pub id: FeatureId,
    /// The project.
    pub project_id: ProjectId,
    /// A chat or a task.
    pub kind: FeatureKind,
    /// What its agent may do to the files.
    pub mode: WorkMode,
    /// A few words.
    pub title: String,
    /// What is said to the agent first.
    pub text: String,
    /// The files that come with it.
    pub files: Vec<NewFile>,
    /// Who works on it; the usual agent when absent.
    pub agent_id: Option<AgentId>,
    /// How hard the model is asked to think, where the agent does not say.
    pub thinking_level: ThinkingLevel,
    /// The execution of a system that asked for it, if one did.
    pub execution_id: Option<ExecutionId>,
    /// Who began it; its calls use this member's key.
    pub created_by: MemberId,
}

/// Which chats of a project, or which tasks of an agent.
#[derive(Debug, Clone, Default)]
pub struct AsideQuery {
    /// Only those that this member began.
    pub of: Option<MemberId>,
    /// After the one where the last page ended.
    pub after: Option<(DateTime, FeatureId)>,
    /// At most so many.
    pub limit: i64,
}

const TASK: &str = "SELECT f.id AS feature_id, r.id AS run_id, f.project_id, r.status,
       CASE WHEN r.status IN ('waiting', 'closed') THEN f.summary END AS result, r.error, r.branch, r.base_commit, r.head_commit,
       r.input_tokens + r.output_tokens + r.cache_read_tokens + r.cache_write_tokens AS tokens, r.cost_micros, r.created_at,
       r.started_at, r.ended_at
     FROM features f JOIN runs r ON r.id = f.run_id WHERE f.kind = 'task' AND f.deleted_at IS NULL";

impl Store {
    /// Makes a chat or a task and queues its run, in one transaction. One that there is already, by its id, is left as it is
    /// and answered: whoever died before it could note what it had begun may ask again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the project is gone, or the execution that asks for it is over;
    /// [`StoreError::Refused`] when the member may run nothing.
    pub async fn start_aside(&self, new: NewAside, run: NewRun) -> Result<(Feature, Run), StoreError> {
        let now = self.now();
        let mut tx = self.begin().await?;
        self.runner(&mut tx, new.created_by).await?;
        // The project before the execution, as whoever archives it does.
        let number: Option<(i64,)> = on!(tx, c => sqlx::query_as(
            "UPDATE projects SET next_aside = next_aside + 1 WHERE id = $1 AND archived_at IS NULL RETURNING 1 - next_aside")
            .bind(new.project_id).fetch_optional(c).await)?;
        let (number,) = number.ok_or(StoreError::NotFound { what: "project" })?;
        if let Some(execution) = new.execution_id {
            self.goes_on(&mut tx, execution).await?;
        }
        let done = on!(tx, c => sqlx::query(
            "INSERT INTO features (id, project_id, kind, mode, agent_id, execution_id, number, title, description, category,
               priority, position, status, thinking_level, planning_mode, require_plan_approval, skip_verification,
               needs_approval, created_by, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', 2, 0, $10, $11, $12, FALSE, FALSE, FALSE, $13, $14, $14)
             ON CONFLICT (id) DO NOTHING")
            .bind(new.id).bind(new.project_id).bind(new.kind).bind(new.mode).bind(new.agent_id).bind(new.execution_id)
            .bind(number).bind(crate::clean(&new.title)).bind(crate::clean(&new.text)).bind(FeatureStatus::Backlog)
            .bind(new.thinking_level).bind(PlanningMode::Skip).bind(new.created_by).bind(now).execute(c).await.rows())?;
        if done == 0 {
            drop(tx);
            return self.begun_aside(new.id).await;
        }
        let made = self.feature_in(&mut tx, new.id).await?.ok_or(StoreError::NotFound { what: "feature" })?;
        self.record(&mut tx, &Happening::FeatureCreated { feature: made }).await?;
        let sent = self.keep_files(&mut tx, new.id, None, &new.files).await?.len();
        let run = self.start_in(&mut tx, new.id, new.created_by, run, false).await?;
        let note = match new.kind {
            FeatureKind::Chat => Note::new(AuditAction::StartChat),
            FeatureKind::Card | FeatureKind::Task => Note::new(AuditAction::RunAgent),
        };
        let note = note.on(AuditObject::Feature, new.id).with("run", run).with("project", new.project_id);
        let note = note.with("mode", new.mode);
        let note = if sent > 0 { note.with("files", sent) } else { note };
        tx.note(match new.agent_id {
            Some(agent) => note.with("agent", agent),
            None => note,
        });
        self.tell_both(tx, new.id, run).await
    }

    async fn begun_aside(&self, id: FeatureId) -> Result<(Feature, Run), StoreError> {
        let missing = || StoreError::NotFound { what: "feature" };
        let feature = self.feature(id).await?.ok_or_else(missing)?;
        let run = self.run(feature.card.run_id.ok_or_else(missing)?).await?.ok_or_else(missing)?;
        Ok((feature, run))
    }

    /// A project's chats, those in which something happened last first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn chats(&self, project: ProjectId, query: &AsideQuery) -> Result<Page<FeatureCard>, StoreError> {
        self.asides("project_id = $1 AND kind = 'chat'", project.0, query).await
    }

    /// The tasks that members gave an agent, those in which something happened last first; not those for steps of systems, which
    /// their executions list.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tasks_of_agent(&self, agent: AgentId, query: &AsideQuery) -> Result<Page<FeatureCard>, StoreError> {
        self.asides("agent_id = $1 AND kind = 'task' AND execution_id IS NULL", agent.0, query).await
    }

    async fn asides(&self, which: &str, of: Uuid, query: &AsideQuery) -> Result<Page<FeatureCard>, StoreError> {
        let sql = format!(
            "SELECT {CARD} FROM features WHERE {which} AND deleted_at IS NULL
               AND ($2 IS NULL OR created_by = $2) AND ($3 IS NULL OR updated_at < $3 OR (updated_at = $3 AND id < $4))
             ORDER BY updated_at DESC, id DESC LIMIT $5"
        );
        let (at, id) = query.after.unzip();
        let mut items: Vec<FeatureCard> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(of)
            .bind(query.of).bind(at).bind(id).bind(query.limit + 1).fetch_all(c).await)?;
        let more = items.len() as i64 > query.limit;
        items.truncate(usize::try_from(query.limit).unwrap_or_default());
        let next =
            items.last().filter(|_| more).map(|last| format!("{}_{}", last.updated_at.timestamp_micros(), last.id));
        Ok(Page { items, next })
    }

    /// Gives a chat another title.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn rename_chat(&self, id: FeatureId, title: &str) -> Result<Feature, StoreError> {
        let mut tx = self.begin().await?;
        self.locked_of_kind(&mut tx, id, FeatureKind::Chat).await?;
        // It is not moved to the beginning of the list: nothing happened in it.
        on!(tx, c => sqlx::query("UPDATE features SET title = $2, version = version + 1 WHERE id = $1").bind(id)
            .bind(crate::clean(title)).execute(c).await.rows())?;
        let feature = self.tell_feature(&mut tx, id).await?;
        tx.note(Note::new(AuditAction::RenameChat).on(AuditObject::Feature, id));
        self.commit(tx).await?;
        Ok(feature)
    }

    /// Takes a chat off the list. Its words stay in the database, and its work on its refs; its worktree goes, and its files by
    /// [`Store::forget_files_of_chat`], which whoever deletes it calls then.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Live`] while its agent answers.
    pub async fn delete_chat(&self, id: FeatureId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        self.lock_run_of(&mut tx, id).await?;
        let feature = self.locked_of_kind(&mut tx, id, FeatureKind::Chat).await?;
        if feature.card.status.is_active() {
            return Err(StoreError::Live { what: "a chat cannot be deleted" });
        }
        on!(tx, c => sqlx::query("UPDATE features SET deleted_at = $2 WHERE id = $1").bind(id).bind(self.now())
            .execute(c).await.rows())?;
        self.close_runs(&mut tx, id).await?;
        tx.note(
            Note::new(AuditAction::DeleteChat).on(AuditObject::Feature, id).with("project", feature.card.project_id),
        );
        self.record(&mut tx, &Happening::FeatureDeleted { feature_id: id, project_id: feature.card.project_id })
            .await?;
        self.commit(tx).await
    }

    /// Turns a chat, or what an agent did by itself, into a card with a number, at the end of its column. Conversation, worktree and
    /// changes stay: it is the same run.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Live`] while its agent works; of a task [`StoreError::OfExecution`], and
    /// [`StoreError::OnlyLooked`] where there is nothing to go on with.
    pub async fn to_card(&self, id: FeatureId, kind: FeatureKind, title: Option<&str>) -> Result<Feature, StoreError> {
        let mut tx = self.begin().await?;
        self.lock_run_of(&mut tx, id).await?;
        let feature = self.locked_of_kind(&mut tx, id, kind).await?;
        of_nobody_else(&feature)?;
        if feature.card.status.is_active() {
            return Err(StoreError::Live { what: "this cannot be turned into a card" });
        }
        // In a chat somebody can let the agent work from now on; a task has said all that it will.
        if kind == FeatureKind::Task && feature.card.mode == WorkMode::Read {
            return Err(StoreError::OnlyLooked);
        }
        let project = feature.card.project_id;
        let number: Option<(i64,)> = on!(tx, c => sqlx::query_as(
            "UPDATE projects SET next_number = next_number + 1 WHERE id = $1 AND archived_at IS NULL RETURNING next_number - 1")
            .bind(project).fetch_optional(c).await)?;
        let (number,) = number.ok_or(StoreError::NotFound { what: "project" })?;
        let (last,): (Option<f64>,) = on!(tx, c => sqlx::query_as("SELECT max(position) FROM features WHERE project_id = $1")
            .bind(project).fetch_one(c).await)?;
        on!(tx, c => sqlx::query(
            "UPDATE features SET kind = $2, mode = $3, number = $4, position = $5, title = coalesce($6, title),
               version = version + 1, updated_at = $7 WHERE id = $1")
            .bind(id).bind(FeatureKind::Card).bind(WorkMode::Work).bind(number).bind(last.unwrap_or(0.0) + 1024.0)
            .bind(title.map(crate::clean)).bind(self.now()).execute(c).await.rows())?;
        let feature = self.tell_feature(&mut tx, id).await?;
        let action = if kind == FeatureKind::Task { AuditAction::TaskToCard } else { AuditAction::ChatToCard };
        let note = Note::new(action).on(AuditObject::Feature, id);
        tx.note(note.with("number", number).with("project", project));
        self.commit(tx).await?;
        Ok(feature)
    }

    /// What came of a task so far; nothing when there is none with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn task(&self, id: FeatureId) -> Result<Option<TaskState>, StoreError> {
        let sql = format!("{TASK} AND f.id = $1");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?)
    }

    /// The tasks that something larger asked for, in the order of their ids, those that have ended among them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tasks_of(&self, execution: ExecutionId) -> Result<Vec<TaskState>, StoreError> {
        let sql = format!("{TASK} AND f.execution_id = $1 ORDER BY f.id");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(execution).fetch_all(c).await)?)
    }

    /// What a run works on, also when that was deleted; nothing when there is no such run.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn kind_of_run(&self, run: RunId) -> Result<Option<FeatureKind>, StoreError> {
        let row: Option<(FeatureKind,)> = read!(self, c => sqlx::query_as(
            "SELECT f.kind FROM runs r JOIN features f ON f.id = r.feature_id WHERE r.id = $1").bind(run)
            .fetch_optional(c).await)?;
        Ok(row.map(|(kind,)| kind))
    }
}
