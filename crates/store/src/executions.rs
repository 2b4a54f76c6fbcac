//! Executions of systems. Every change names the revision that it was made of, so that of two nodes one brings an execution
//! forward.

mod begun;

use std::collections::HashMap;

use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::event::Happening;
use guildhall_types::member::MemberRole;
use guildhall_types::notification::{NotificationKind, Tell};
use guildhall_types::rights::MemberRight;
use guildhall_types::system::{
    Execution, ExecutionState, ExecutionStatus, StepKind, StepState, System, SystemDefinition, SystemStepStatus,
};
use guildhall_types::{DateTime, ExecutionId, FeatureId, MemberId, ProjectId, SystemId};
use serde_json::Value;

use crate::{NewFeature, Rows, Store, StoreError, Tx, on, read};

/// Executions of a member that are not over at most: each is looked at until it is.
pub const OPEN: i64 = 100;

pub use self::begun::TaskWork;

/// Tokens and cost are those of the runs of its tasks, so that they are never behind.
const COLUMNS: &str = "e.id, e.system_id, e.name, e.project_id, e.member_id, e.status, e.error, e.revision, e.about, e.created_at,
    e.updated_at, e.ended_at,
    (SELECT CAST(coalesce(sum(r.input_tokens + r.output_tokens + r.cache_read_tokens + r.cache_write_tokens), 0) AS BIGINT)
       FROM execution_tasks t JOIN runs r ON r.feature_id = t.feature_id WHERE t.execution_id = e.id) AS tokens,
    (SELECT CAST(coalesce(sum(r.cost_micros), 0) AS BIGINT)
       FROM execution_tasks t JOIN runs r ON r.feature_id = t.feature_id WHERE t.execution_id = e.id) AS cost_micros";

/// What a step is without its texts.
const STEP: &str = "step_key, step_id, kind, status, attempt, rounds, deadline, retry_at, started_at, ended_at";

/// An execution to be begun.
#[derive(Debug, Clone)]
pub struct NewExecution<'a> {
    /// The system.
    pub system: &'a System,
    /// The project that it works on.
    pub project_id: ProjectId,
    /// Who starts it.
    pub member_id: MemberId,
    /// What it is given.
    pub input: &'a Value,
    /// How it begins.
    pub state: &'a ExecutionState,
}

/// How much of the texts of an execution is read: there may be hundreds of steps, each with whole reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Texts {
    /// All.
    All,
    /// All that decides what it does next: not what steps were given that have ended.
    Open,
    /// Those of the whole alone, without the variables: for members, who look at one step after the other.
    Whole,
    /// None; nor the variables. How its steps stand, which is enough to see whether anything happened.
    None,
}

impl Texts {
    /// Input, output, error and feedback of a step.
    const fn columns(self) -> &'static str {
        match self {
            Self::All => "input, output, error, feedback",
            Self::Open => {
                "CASE WHEN status IN ('running', 'waiting', 'retrying') THEN input END AS input, output, error, feedback"
            }
            Self::Whole | Self::None => {
                "CAST(NULL AS TEXT) AS input, CAST(NULL AS TEXT) AS output, CAST(NULL AS TEXT) AS error,
                 CAST(NULL AS TEXT) AS feedback"
            }
        }
    }

    /// Variables, input and output of the whole.
    const fn body(self) -> &'static str {
        match self {
            Self::All | Self::Open => "definition, input, variables, output",
            Self::Whole => "definition, input, '{}' AS variables, output",
            Self::None => "definition, 'null' AS input, '{}' AS variables, CAST(NULL AS TEXT) AS output",
        }
    }
}

/// An execution with all that decides what it does next.
#[derive(Debug, Clone)]
pub struct ExecutionRecord {
    /// What lists show.
    pub execution: Execution,
    /// The system as it was when it began.
    pub definition: SystemDefinition,
    /// What it was given.
    pub input: Value,
    /// How far it is.
    pub state: ExecutionState,
}

/// A step forward.
#[derive(Debug, Clone)]
pub struct Advanced<'a> {
    /// Which execution.
    pub id: ExecutionId,
    /// The revision that was looked at.
    pub revision: i64,
    /// How it stood.
    pub before: &'a ExecutionState,
    /// How it stands.
    pub after: &'a ExecutionState,
    /// When the clock alone brings it forward.
    pub wake_at: Option<DateTime>,
    /// The tasks that are to be started: the step's place, the try, and the id that the task will have.
    pub tasks: Vec<(String, i64, FeatureId)>,
    /// The names of the steps at which a person is to look from now on.
    pub asks: Vec<String>,
    /// What a member did, if one did.
    pub note: Option<Note>,
}

/// A card that a step makes.
#[derive(Debug, Clone)]
pub struct CardToMake {
    /// The card, without what it depends on.
    pub card: NewFeature,
    /// The indexes of the cards made before it that it depends on.
    pub after: Vec<usize>,
}

/// Which executions.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExecutionQuery {
    /// Only on this project.
    pub project: Option<ProjectId>,
    /// Only of this system.
    pub system: Option<SystemId>,
    /// Only these that are not over.
    pub open: bool,
    /// Before the one where the last page ended.
    pub before: Option<ExecutionId>,
    /// At most so many.
    pub limit: i64,
}

#[derive(sqlx::FromRow)]
struct Body {
    definition: String,
    input: String,
    variables: String,
    output: Option<String>,
}

#[derive(sqlx::FromRow)]
struct StepRow {
    step_key: String,
    step_id: String,
    kind: StepKind,
    status: SystemStepStatus,
    attempt: i64,
    rounds: i64,
    input: Option<String>,
    output: Option<String>,
    error: Option<String>,
    feedback: Option<String>,
    deadline: Option<DateTime>,
    retry_at: Option<DateTime>,
    started_at: DateTime,
    ended_at: Option<DateTime>,
}

impl StepRow {
    fn state(self) -> Result<StepState, StoreError> {
        Ok(StepState {
            key: self.step_key,
            step_id: self.step_id,
            kind: self.kind,
            status: self.status,
            attempt: self.attempt,
            rounds: self.rounds,
            input: self.input,
            output: self.output.as_deref().map(serde_json::from_str).transpose()?,
            error: self.error,
            feedback: self.feedback,
            deadline: self.deadline,
            retry_at: self.retry_at,
            started_at: self.started_at,
            ended_at: self.ended_at,
        })
    }
}

/// Tells who started an execution that it has come to its end, unless somebody ended it.
fn tell_starter(tx: &mut Tx, execution: &Execution) {
    let (kind, text) = match execution.status {
        ExecutionStatus::Completed => (NotificationKind::ExecutionCompleted, "It came to its end; see what it gave."),
        ExecutionStatus::Failed => {
            let why = execution.error.as_deref().unwrap_or("A step of it failed.");
            (NotificationKind::ExecutionFailed, why)
        }
        ExecutionStatus::Pending | ExecutionStatus::Running | ExecutionStatus::Waiting | ExecutionStatus::Cancelled => {
            return;
        }
    };
    let text = match execution.about.is_empty() {
        true => text.to_owned(),
        false => format!("“{}”: {text}", execution.about),
    };
    let told = Tell::new(kind, execution.member_id, &execution.name, text).project(execution.project_id);
    tx.tell(Tell { execution: Some(execution.id), ..told });
}

/// Whether a person is asked anywhere.
fn asks_somebody(state: &ExecutionState) -> bool {
    !state.status.is_over() && state.steps.iter().any(|step| step.status == SystemStepStatus::Waiting)
}

impl Store {
    /// Begins an execution.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the project is gone; [`StoreError::Refused`] when the member may run nothing;
    /// [`StoreError::TooManyExecutions`].
    pub async fn create_execution(&self, new: &NewExecution<'_>) -> Result<Execution, StoreError> {
        let id = ExecutionId::new();
        let mut tx = self.begin().await?;
        // Locked, so that neither is taken away in between, and nobody begins more than there may be.
        self.runner(&mut tx, new.member_id).await?;
        self.locked_project(&mut tx, new.project_id).await?;
        let (open,): (i64,) = on!(tx, c => sqlx::query_as(
            "SELECT count(*) FROM executions WHERE member_id = $1 AND ended_at IS NULL").bind(new.member_id)
            .fetch_one(c).await)?;
        if open >= OPEN {
            return Err(StoreError::TooManyExecutions { most: OPEN });
        }
        let about = new.system.definition.input_schema.about(new.input);
        on!(tx, c => sqlx::query(
            "INSERT INTO executions (id, system_id, name, project_id, member_id, status, definition, input, variables, about,
               created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)")
            .bind(id).bind(new.system.id).bind(crate::clean(&new.system.definition.name)).bind(new.project_id)
            .bind(new.member_id).bind(new.state.status).bind(serde_json::to_string(&new.system.definition)?)
            .bind(serde_json::to_string(new.input)?).bind(serde_json::to_string(&new.state.variables)?)
            .bind(crate::clean(&about)).bind(self.now()).execute(c).await.rows())?;
        let note = Note::new(AuditAction::RunSystem).on(AuditObject::Execution, id);
        tx.note(
            note.with("system", new.system.id)
                .with("name", &new.system.definition.name)
                .with("project", new.project_id),
        );
        self.tell_execution(tx, id).await
    }

    /// The execution with this id, as lists show it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn execution(&self, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM executions e WHERE e.id = $1");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?)
    }

    /// Executions, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn executions(&self, query: ExecutionQuery) -> Result<Vec<Execution>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM executions e WHERE ($1 IS NULL OR e.project_id = $1) AND ($2 IS NULL OR e.system_id = $2)
               AND ($3 IS NULL OR e.id < $3) AND (NOT $4 OR e.ended_at IS NULL) ORDER BY e.id DESC LIMIT $5"
        );
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(query.project).bind(query.system)
            .bind(query.before).bind(query.open).bind(query.limit).fetch_all(c).await)?)
    }

    /// An execution with as much of its texts as is asked for, as of one revision.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn execution_record(&self, id: ExecutionId, texts: Texts) -> Result<Option<ExecutionRecord>, StoreError> {
        // Read twice where somebody wrote in between: what belongs together is of one revision.
        loop {
            let Some(execution) = self.execution(id).await? else { return Ok(None) };
            let sql = format!("SELECT {} FROM executions WHERE id = $1", texts.body());
            let body: Body = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_one(c).await)?;
            let sql = format!(
                "SELECT {STEP}, {} FROM execution_steps WHERE execution_id = $1 ORDER BY number",
                texts.columns()
            );
            let rows: Vec<StepRow> =
                read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_all(c).await)?;
            let (revision,): (i64,) = read!(self, c => sqlx::query_as("SELECT revision FROM executions WHERE id = $1").bind(id)
                .fetch_one(c).await)?;
            if revision != execution.revision {
                continue;
            }
            let state = ExecutionState {
                status: execution.status,
                variables: serde_json::from_str(&body.variables)?,
                steps: rows.into_iter().map(StepRow::state).collect::<Result<_, _>>()?,
                output: body.output.as_deref().map(serde_json::from_str).transpose()?,
                error: execution.error.clone(),
            };
            let (definition, input) = (serde_json::from_str(&body.definition)?, serde_json::from_str(&body.input)?);
            return Ok(Some(ExecutionRecord { execution, definition, input, state }));
        }
    }

    /// A step of an execution with all its texts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn execution_step(&self, id: ExecutionId, key: &str) -> Result<Option<StepState>, StoreError> {
        let sql = format!(
            "SELECT {STEP}, {} FROM execution_steps WHERE execution_id = $1 AND step_key = $2",
            Texts::All.columns()
        );
        let row: Option<StepRow> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).bind(key).fetch_optional(c).await)?;
        row.map(StepRow::state).transpose()
    }

    /// Writes a step forward down. Nothing when somebody else brought the execution forward in between: look again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn advance_execution(&self, step: Advanced<'_>) -> Result<Option<Execution>, StoreError> {
        let now = self.now();
        let after = step.after;
        let mut tx = self.begin().await?;
        let output = after.output.as_ref().map(serde_json::to_string).transpose()?;
        let ended = after.status.is_over().then_some(now);
        let done = on!(tx, c => sqlx::query(
            "UPDATE executions SET status = $3, variables = $4, output = $5, error = $6, wake_at = $7, updated_at = $8,
               ended_at = $9, revision = revision + 1 WHERE id = $1 AND revision = $2 AND ended_at IS NULL")
            .bind(step.id).bind(step.revision).bind(after.status).bind(serde_json::to_string(&after.variables)?).bind(output)
            .bind(after.error.as_deref().map(crate::clean)).bind(step.wake_at).bind(now).bind(ended).execute(c).await.rows())?;
        if done == 0 {
            return Ok(None);
        }
        let before: HashMap<&str, &StepState> =
            step.before.steps.iter().map(|step| (step.key.as_str(), step)).collect();
        for (number, state) in (1_i64..).zip(&after.steps) {
            if before.get(state.key.as_str()) != Some(&state) {
                self.put_step(&mut tx, step.id, number, state).await?;
            }
        }
        for (key, attempt, feature) in &step.tasks {
            on!(tx, c => sqlx::query(
                "INSERT INTO execution_tasks (execution_id, step_key, attempt, feature_id) VALUES ($1, $2, $3, $4)")
                .bind(step.id).bind(key).bind(*attempt).bind(*feature).execute(c).await.rows())?;
        }
        if let Some(note) = step.note {
            tx.note(note);
        }
        if asks_somebody(step.before) && !asks_somebody(after) {
            self.answered(&mut tx, step.id).await?;
        }
        if !step.asks.is_empty() {
            self.tell_reviewers(&mut tx, step.id, &step.asks).await?;
        }
        let execution = self.recorded(&mut tx, step.id).await?;
        tell_starter(&mut tx, &execution);
        self.commit(tx).await?;
        Ok(Some(execution))
    }

    /// Tells everybody who may answer that an execution asks.
    async fn tell_reviewers(&self, tx: &mut Tx, id: ExecutionId, steps: &[String]) -> Result<(), StoreError> {
        let (name, project): (String, ProjectId) = on!(tx, c => sqlx::query_as(
            "SELECT name, project_id FROM executions WHERE id = $1").bind(id).fetch_one(c).await)?;
        let members: Vec<(MemberId, MemberRole)> = on!(tx, c => sqlx::query_as(
            "SELECT id, role FROM members WHERE disabled_at IS NULL ORDER BY id").fetch_all(c).await)?;
        let steps: Vec<String> = steps.iter().map(|step| format!("“{step}”")).collect();
        tx.tell(Tell {
            kind: NotificationKind::ReviewWaits,
            members: members.into_iter().filter(|(_, role)| role.may(MemberRight::Run)).map(|(id, _)| id).collect(),
            project: Some(project),
            feature: None,
            run: None,
            alert: None,
            execution: Some(id),
            about: None,
            subject: name,
            text: format!("A person is to look at {}: approve it, or send it back with a word.", steps.join(", ")),
            anew: false,
        });
        Ok(())
    }

    async fn put_step(&self, tx: &mut Tx, id: ExecutionId, number: i64, state: &StepState) -> Result<(), StoreError> {
        let output = state.output.as_ref().map(serde_json::to_string).transpose()?;
        let text = |text: &Option<String>| text.as_deref().map(crate::clean);
        on!(tx, c => sqlx::query(
            "INSERT INTO execution_steps (execution_id, number, step_key, step_id, kind, status, attempt, rounds, input, output,
               error, feedback, deadline, retry_at, started_at, ended_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
             ON CONFLICT (execution_id, number) DO UPDATE SET status = excluded.status, attempt = excluded.attempt,
               rounds = excluded.rounds, input = excluded.input, output = excluded.output, error = excluded.error,
               feedback = excluded.feedback, deadline = excluded.deadline, retry_at = excluded.retry_at,
               ended_at = excluded.ended_at")
            .bind(id).bind(number).bind(&state.key).bind(&state.step_id).bind(state.kind).bind(state.status)
            .bind(state.attempt).bind(state.rounds).bind(text(&state.input)).bind(output).bind(text(&state.error))
            .bind(text(&state.feedback)).bind(state.deadline).bind(state.retry_at).bind(state.started_at)
            .bind(state.ended_at).execute(c).await.rows())?;
        Ok(())
    }

    /// Makes the cards of a step, once: they, what they depend on, and the note that they are made commit together. Nothing when
    /// somebody else brought the execution forward in between, or made them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the project is gone; [`StoreError::BadDependency`] on a card that is not made before.
    pub async fn make_cards(
        &self,
        id: ExecutionId,
        revision: i64,
        key: &str,
        cards: Vec<CardToMake>,
    ) -> Result<Option<Execution>, StoreError> {
        let mut tx = self.begin().await?;
        // The project before the execution, as whoever archives it does.
        if let Some(card) = cards.first() {
            self.locked_project(&mut tx, card.card.project_id).await?;
        }
        let done = on!(tx, c => sqlx::query(
            "UPDATE executions SET revision = revision + 1, updated_at = $3 WHERE id = $1 AND revision = $2 AND ended_at IS NULL")
            .bind(id).bind(revision).bind(self.now()).execute(c).await.rows())?;
        if done == 0 {
            return Ok(None);
        }
        let (mut made, mut ids) = (Vec::new(), Vec::new());
        for CardToMake { card, after } in cards {
            let dependencies: Option<Vec<FeatureId>> = after.iter().map(|at| ids.get(*at).copied()).collect();
            let dependencies =
                dependencies.ok_or(StoreError::BadDependency("a card comes after those that are made before it"))?;
            let card = self.create_feature_in(&mut tx, NewFeature { dependencies, ..card }).await?.card;
            ids.push(card.id);
            made.push(serde_json::json!({ "id": card.id, "number": card.number, "title": card.title }));
        }
        let done = on!(tx, c => sqlx::query(
            "UPDATE execution_steps SET output = $3 WHERE execution_id = $1 AND step_key = $2 AND status = 'running'
               AND output IS NULL").bind(id).bind(key).bind(serde_json::to_string(&made)?).execute(c).await.rows())?;
        if done == 0 {
            return Ok(None);
        }
        self.tell_execution(tx, id).await.map(Some)
    }

    async fn tell_execution(&self, mut tx: Tx, id: ExecutionId) -> Result<Execution, StoreError> {
        let execution = self.recorded(&mut tx, id).await?;
        self.commit(tx).await?;
        Ok(execution)
    }

    /// Records how an execution stands by now.
    async fn recorded(&self, tx: &mut Tx, id: ExecutionId) -> Result<Execution, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM executions e WHERE e.id = $1");
        let execution: Execution = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_one(c).await)?;
        self.record(tx, &Happening::ExecutionUpdated { execution: execution.clone() }).await?;
        Ok(execution)
    }
}
