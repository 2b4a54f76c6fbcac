//! Proposes a plan to a person.

use async_trait::async_trait;
use guildhall_types::chat::{Block, ToolSpec};
use guildhall_types::plan::{PlannedTask, Proposal, TASKS, TEXT, TITLE};
use guildhall_types::run::Turn;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{arguments, spec};
use crate::text::beginning;
use crate::{Tool, ToolAnswer, ToolContext};

pub(super) const NAME: &str = "propose_plan";

/// What a task's phase is, for the model.
pub(super) const PHASE: &str =
    "The phase that it belongs to, such as “1. Groundwork”; the same words for all its tasks.";
/// What is said to a list whose tasks lack phases.
pub(super) const PHASES: &str = "This card is planned in phases: give every task its `phase`.";

/// What becomes of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    /// A person is to approve it.
    Awaited,
    /// A person has approved one.
    Approved,
    /// Nobody has to approve it.
    Free,
}

pub(super) struct Propose {
    pub(super) stands: Stands,
    /// Whether each task belongs to a phase.
    pub(super) phases: bool,
}

/// A phase's name as it is kept.
pub(super) fn phase(name: Option<String>) -> Option<String> {
    name.map(|name| beginning(name.trim(), TITLE)).filter(|name| !name.is_empty())
}

#[derive(Deserialize)]
struct Arguments {
    text: String,
    tasks: Vec<PlannedTask>,
}

#[async_trait]
impl Tool for Propose {
    fn spec(&self) -> ToolSpec {
        spec(
            NAME,
            match self.stands {
                Stands::Free => {
                    "Shows the members your plan for the whole work. Nobody has to approve it: go on at once. Its tasks become \
                     your list. Every call gives the whole plan; it takes the place of the one before."
                }
                Stands::Awaited | Stands::Approved => {
                    "Shows a person your plan for the whole work, and ends your work until they have decided. Files can be \
                     changed only after they approved it. Every call gives the whole plan; it takes the place of the one \
                     before."
                }
            },
            json!({
                "text": { "type": "string", "description": "The plan, in Markdown." },
                "tasks": {
                    "type": "array",
                    "description": "What is to be done, in order; tests included.",
                    "items": {
                        "type": "object",
                        "properties": {
                            "title": { "type": "string", "description": "What is to be done, in a few words." },
                            "phase": { "type": "string", "description": PHASE },
                        },
                        "required": if self.phases { json!(["title", "phase"]) } else { json!(["title"]) },
                        "additionalProperties": false,
                    },
                },
            }),
            &["text", "tasks"],
        )
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    async fn call(&self, input: Value, _context: ToolContext<'_>) -> ToolAnswer {
        if self.stands == Stands::Approved {
            return ToolAnswer::error(
                "Your plan is approved already. Work through it; if you must depart from it, do so and say why at the end.",
            );
        }
        match read(input) {
            Ok(plan) if self.phases && plan.tasks.iter().any(|task| task.phase.is_none()) => ToolAnswer::error(PHASES),
            Ok(plan) if self.stands == Stands::Free => ToolAnswer::ok(format!(
                "The plan is shown, and its {} tasks are your list now. Go on with the first.",
                plan.tasks.len()
            )),
            Ok(plan) => ToolAnswer::ok(format!(
                "The plan is shown, with {} tasks. Your work goes on when a person has decided.",
                plan.tasks.len()
            )),
            Err(answer) => answer,
        }
    }
}

fn read(input: Value) -> Result<Proposal, ToolAnswer> {
    let Arguments { text, tasks } = arguments(NAME, input)?;
    if text.trim().is_empty() {
        return Err(ToolAnswer::error("The plan needs a text: what is to be true in the end, and how you get there."));
    }
    let length = text.chars().count();
    if length > TEXT {
        return Err(ToolAnswer::error(format!("A plan may have {TEXT} characters; this one has {length}.")));
    }
    if tasks.is_empty() || tasks.len() > TASKS {
        return Err(ToolAnswer::error(format!("A plan has 1 to {TASKS} tasks; this one has {}.", tasks.len())));
    }
    if tasks.iter().any(|task| task.title.trim().is_empty()) {
        return Err(ToolAnswer::error("Every task needs a title."));
    }
    let tasks = tasks
        .into_iter()
        .map(|task| PlannedTask { title: beginning(task.title.trim(), TITLE), phase: phase(task.phase) })
        .collect();
    Ok(Proposal { text: text.trim().to_owned(), tasks })
}

/// The plan that a turn proposed, if the tool took one. Of several the last counts.
pub fn proposal(turn: &Turn) -> Option<Proposal> {
    let taken = |call: &str| {
        turn.results.iter().flatten().any(
            |result| matches!(result, Block::ToolResult { tool_use_id, is_error: false, .. } if tool_use_id == call),
        )
    };
    let calls = turn.answer.tool_uses().filter(|(id, name, _)| *name == NAME && taken(id));
    calls.last().and_then(|(_, _, input)| read(input.clone()).ok())
}
