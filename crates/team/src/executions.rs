//! Executions of systems: begun, brought forward, looked at and ended. Whoever does any of these reads a state, asks the pure
//! function what follows, and writes that down if nobody else did in between; so it does not matter which node does it, or
//! how often.

mod changes;
mod drive;

use std::collections::HashMap;

use guildhall_store::{Advanced, ExecutionRecord, NewExecution, Texts};
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::member::Member;
use guildhall_types::system::{
    Action, Execution, ExecutionState, ExecutionTask, ExecutionView, Happened, OUTPUT, StepKind, StepState, StepView,
    SystemStatus, SystemStepStatus, advance, wake_at,
};
use guildhall_types::{ExecutionId, FeatureId, ProjectId, SystemId};
use serde_json::Value;

use crate::cards::{MESSAGE, text};
use crate::systems::first_of;
use crate::{By, Team, TeamError};

/// How often a change is tried that others came before, until it is left to a later look.
const TRIES: usize = 20;
/// Characters of a title of a card at most.
const TITLE: usize = 200;

impl Team {
    /// Begins an execution of a system on a project, in this member's name and with their keys.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for an input that does not fit; [`TeamError::Conflict`] when the system or the project is not
    /// ready, or the member has no key for a model that it calls.
    pub async fn run_system(
        &self,
        by: By<'_>,
        id: SystemId,
        project: ProjectId,
        input: &Value,
    ) -> Result<Execution, TeamError> {
        let system = self.system(by, id).await?;
        if system.status == SystemStatus::Archived {
            return Err(TeamError::conflict(
                "system-archived",
                "this system is archived; activate it before you run it",
            ));
        }
        let problems = self.system_problems(by.member, &system.definition).await?;
        if !problems.is_empty() {
            let first = first_of(&problems);
            return Err(TeamError::conflict("system-invalid", format!("this system cannot be run yet: {first}")));
        }
        let (of, _) = self.ready_project(project).await?;
        // Before anything of it is paid.
        self.keys_for(by.member, &system.definition, &of).await?;
        let given = system.definition.input_schema.read(input).map_err(|problems| {
            let each: Vec<String> =
                problems.iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect();
            TeamError::invalid("input", each.join("; "))
        })?;
        let state = ExecutionState::begin(&system.definition, given);
        let new = NewExecution { system: &system, project_id: project, member_id: by.member.id, input, state: &state };
        Ok(self.store.create_execution(&new).await?)
    }

    /// An execution, with how its steps stand.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn execution(&self, id: ExecutionId) -> Result<ExecutionView, TeamError> {
        let ExecutionRecord { execution, definition, input, state } = self.record(id, Texts::Whole).await?;
        let mut tasks: HashMap<String, Vec<ExecutionTask>> = HashMap::new();
        for task in self.store.execution_tasks(id).await? {
            tasks.entry(task.step_key.clone()).or_default().push(task);
        }
        let steps = state.steps.into_iter().map(|step| {
            let of_it = tasks.remove(&step.key).unwrap_or_default();
            StepView::new(step, of_it)
        });
        let steps = steps.collect();
        Ok(ExecutionView { execution, definition, input, output: state.output, steps })
    }

    /// A step of an execution, with what it was given and gave.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn execution_step(&self, id: ExecutionId, key: &str) -> Result<StepState, TeamError> {
        self.store.execution_step(id, key).await?.ok_or(TeamError::NotFound { what: "step" })
    }

    /// A person looked at what a step shows: it is good, or goes back with a word. `rounds` says which time it was looked at: how
    /// often it had been sent back by then.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; [`TeamError::Conflict`] `not-waiting` when nobody is asked there (any more), `step-changed` when
    /// what is shown there is not what was looked at.
    pub async fn review_step(
        &self,
        member: &Member,
        id: ExecutionId,
        key: &str,
        rounds: i64,
        approved: bool,
        words: &str,
    ) -> Result<Execution, TeamError> {
        let words = text("text", words, usize::from(!approved), MESSAGE.min(OUTPUT))?;
        let note = Note::new(AuditAction::ReviewStep).on(AuditObject::Execution, id);
        let note = note.with("step", key).with("approved", approved).with("by", &member.name);
        let happened = Happened::Reviewed { key: key.to_owned(), approved, text: words };
        self.deed(id, &happened, &note, |record| {
            let step = record.state.step(key).ok_or(TeamError::NotFound { what: "step" })?;
            let waits = step.kind == StepKind::HumanReview && step.status == SystemStepStatus::Waiting;
            let message = "nobody is asked at this step now; look at the execution again";
            if !waits || record.execution.status.is_over() {
                return Err(TeamError::conflict("not-waiting", message));
            }
            // Somebody sent it back in between, and it was changed: that nobody has approved.
            match step.rounds == rounds {
                true => Ok(()),
                false => Err(TeamError::conflict(
                    "step-changed",
                    "what this step shows was changed meanwhile; look at it again, and give `rounds` as it says by then",
                )),
            }
        })
        .await
    }

    /// Ends an execution, and stops its agents.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; [`TeamError::Conflict`] `execution-over`.
    pub async fn cancel_execution(&self, member: &Member, id: ExecutionId) -> Result<Execution, TeamError> {
        let note = Note::new(AuditAction::CancelExecution).on(AuditObject::Execution, id);
        let happened = Happened::Cancelled { why: format!("{} ended it.", member.name) };
        self.deed(id, &happened, &note, |record| match record.execution.status.is_over() {
            true => Err(TeamError::conflict("execution-over", "this execution has ended already")),
            false => Ok(()),
        })
        .await
    }

    /// Writes down what a member did, as long as `may` says that it may be done. Stops the agents of what ended by it.
    async fn deed(
        &self,
        id: ExecutionId,
        happened: &Happened,
        note: &Note,
        may: impl Fn(&ExecutionRecord) -> Result<(), TeamError>,
    ) -> Result<Execution, TeamError> {
        for _ in 0..TRIES {
            let record = self.record(id, Texts::Open).await?;
            may(&record)?;
            // Or what follows would end steps by the time that their work had when somebody last looked.
            let mut happened = vec![happened.clone()];
            happened.extend(self.due(&record).await?);
            let Some(done) = self.go_on(&record, &happened, Some(note.clone())).await? else {
                continue;
            };
            if done.status.is_over()
                && let Err(error) = self.stop_tasks(id).await
            {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(execution = %id, error, "agents of an execution that ended go on; the next look stops them");
            }
            return Ok(done);
        }
        Err(TeamError::conflict("busy", "this execution changes all the time; try again in a moment"))
    }

    /// Asks what follows and writes it down, with the ids of the tasks that are to be made. Nothing when somebody else did.
    async fn go_on(
        &self,
        record: &ExecutionRecord,
        happened: &[Happened],
        note: Option<Note>,
    ) -> Result<Option<Execution>, TeamError> {
        let (after, actions) = advance(&record.definition, &record.state, self.clock.now(), happened);
        let named = |key: &String| {
            let step = after.step(key).and_then(|step| record.definition.step(&step.step_id));
            step.map_or_else(|| key.clone(), |step| step.name.clone())
        };
        let asks = actions.iter().filter_map(|action| match action {
            Action::Ask { key, .. } => Some(named(key)),
            _ => None,
        });
        let asks = asks.collect();
        let tasks = actions.into_iter().filter_map(|action| match action {
            Action::Start { key, attempt, .. } => Some((key, attempt, FeatureId::new())),
            _ => None,
        });
        let step = Advanced {
            id: record.execution.id,
            revision: record.execution.revision,
            before: &record.state,
            after: &after,
            wake_at: wake_at(&after),
            tasks: tasks.collect(),
            asks,
            note,
        };
        Ok(self.store.advance_execution(step).await?)
    }

    async fn record(&self, id: ExecutionId, texts: Texts) -> Result<ExecutionRecord, TeamError> {
        self.store.execution_record(id, texts).await?.ok_or(TeamError::NotFound { what: "execution" })
    }
}
