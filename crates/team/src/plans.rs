//! Plans that agents propose: what members decide on them, and what the agents hear of it.

use guildhall_types::feature::Feature;
use guildhall_types::plan::{Plan, PlannedTask, Proposal, TASKS, TEXT, TITLE};
use guildhall_types::run::Run;
use guildhall_types::{FeatureId, MemberId};

use crate::cards::{MESSAGE, line, text};
use crate::{Team, TeamError};

/// What a member makes of a plan while approving it; what is absent stays as the agent wrote it.
#[derive(Debug, Clone, Default)]
pub struct Correction {
    /// The plan, in Markdown.
    pub text: Option<String>,
    /// Its tasks, in order.
    pub tasks: Option<Vec<PlannedTask>>,
}

impl Team {
    /// The versions of the plans of a card's runs, the latest first.
    ///
    /// # Errors
    /// [`TeamError::NotFound`] when the card is gone.
    pub async fn plans(&self, id: FeatureId) -> Result<Vec<Plan>, TeamError> {
        self.card(id).await?;
        Ok(self.store.plans_of(id).await?)
    }

    /// Approves the plan that waits, as it stands or corrected: the agent goes on and may change files.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a bad correction; the store's error when no plan waits or there is a later version.
    pub async fn approve_plan(
        &self,
        member: MemberId,
        id: FeatureId,
        version: i64,
        correction: Correction,
    ) -> Result<(Feature, Run), TeamError> {
        let correction = self.checked(id, version, correction).await?;
        let said = approved(version, correction.as_ref());
        Ok(self.store.approve_plan(id, member, version, correction.as_ref(), &said).await?)
    }

    /// Rejects the plan that waits: in the same conversation, the agent makes another with the feedback in mind.
    ///
    /// # Errors
    /// As for [`Team::approve_plan`].
    pub async fn reject_plan(
        &self,
        member: MemberId,
        id: FeatureId,
        version: i64,
        feedback: &str,
    ) -> Result<(Feature, Run), TeamError> {
        let feedback = text("feedback", feedback, 1, MESSAGE)?;
        self.card_and_run(id).await?;
        Ok(self.store.reject_plan(id, member, version, &feedback, &rejected(version)).await?)
    }

    /// The whole plan as a member corrected it; nothing when that changes nothing.
    async fn checked(
        &self,
        id: FeatureId,
        version: i64,
        correction: Correction,
    ) -> Result<Option<Proposal>, TeamError> {
        let words = correction.text.map(|words| text("text", &words, 1, TEXT)).transpose()?;
        let tasks = correction.tasks.map(tasks).transpose()?;
        let (_, run) = self.card_and_run(id).await?;
        // A version never changes, so it may be read before the decision is made.
        let plans = self.store.plans_of(id).await?;
        let Some(plan) = plans.into_iter().find(|plan| plan.run_id == run.id && plan.version == version) else {
            return Ok(None);
        };
        let whole = Proposal {
            text: words.unwrap_or_else(|| plan.text.clone()),
            tasks: tasks.unwrap_or_else(|| plan.tasks.clone()),
        };
        Ok((whole.text != plan.text || whole.tasks != plan.tasks).then_some(whole))
    }
}

fn tasks(given: Vec<PlannedTask>) -> Result<Vec<PlannedTask>, TeamError> {
    if given.is_empty() || given.len() > TASKS {
        return Err(TeamError::invalid("tasks", format!("give 1 to {TASKS} tasks")));
    }
    let checked = given.into_iter().map(|task| {
        let phase = task.phase.map(|phase| line("tasks", &phase, TITLE)).transpose()?;
        match line("tasks", &task.title, TITLE)? {
            title if title.is_empty() => Err(TeamError::invalid("tasks", "give each task a title")),
            title => Ok(PlannedTask { title, phase: phase.filter(|phase| !phase.is_empty()) }),
        }
    });
    checked.collect()
}

/// What the agent hears of an approval.
fn approved(version: i64, correction: Option<&Proposal>) -> String {
    let go = "You can change files from now on. Work through the tasks in order, and keep them up to date with `update_tasks`.";
    match correction {
        None => format!("<note>A member approved version {version} of your plan. {go}</note>"),
        Some(plan) => {
            let tasks: Vec<String> = plan.tasks.iter().map(|task| format!("- {}", task.title)).collect();
            format!(
                "<note>A member changed version {version} of your plan and approved it as it stands here. Go by this, where \
                 it differs from yours. {go}\n\n# The plan\n\n{}\n\n# Its tasks\n\n{}</note>",
                plan.text,
                tasks.join("\n")
            )
        }
    }
}

/// What the agent hears of a rejection, before the feedback.
fn rejected(version: i64) -> String {
    format!(
        "<note>A member rejected version {version} of your plan and says why in what follows. Nothing may change a file yet: \
         take it up, and call `propose_plan` again with the whole new plan.</note>"
    )
}
