//! Keeps the agent's plan.

use async_trait::async_trait;
use guildhall_types::chat::ToolSpec;
use guildhall_types::run::{Task, TaskStatus};
use serde::Deserialize;
use serde_json::{Value, json};

use super::propose::{PHASE, PHASES, phase};
use super::{arguments, spec};
use crate::text::beginning;
use crate::{Tool, ToolAnswer, ToolContext};

/// Tasks at most.
const TASKS: usize = 100;
/// Characters of a title at most.
const TITLE: usize = 200;

pub(super) struct Plan {
    /// Whether each task belongs to a phase.
    pub(super) phases: bool,
}

#[derive(Deserialize)]
struct Arguments {
    tasks: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    title: String,
    #[serde(default)]
    phase: Option<String>,
    #[serde(default = "pending")]
    status: TaskStatus,
}

fn pending() -> TaskStatus {
    TaskStatus::Pending
}

#[async_trait]
impl Tool for Plan {
    fn spec(&self) -> ToolSpec {
        spec(
            "plan",
            "Shows the members your list of tasks and how far each is. Every call gives the whole list; it takes the place \
             of the one before. How far the tasks are, `update_tasks` says with fewer words.",
            json!({
                "tasks": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "title": { "type": "string", "description": "What is to be done, in a few words." },
                            "phase": { "type": "string", "description": PHASE },
                            "status": { "type": "string", "enum": ["pending", "in_progress", "completed"] },
                        },
                        "required": if self.phases { json!(["title", "phase", "status"]) } else { json!(["title", "status"]) },
                        "additionalProperties": false,
                    },
                },
            }),
            &["tasks"],
        )
    }

    async fn call(&self, input: Value, context: ToolContext<'_>) -> ToolAnswer {
        let Arguments { tasks } = match arguments("plan", input) {
            Ok(arguments) => arguments,
            Err(answer) => return answer,
        };
        if tasks.len() > TASKS {
            return ToolAnswer::error(format!("A plan may have {TASKS} tasks; this one has {}.", tasks.len()));
        }
        if tasks.iter().any(|task| task.title.trim().is_empty()) {
            return ToolAnswer::error("Every task needs a title.");
        }
        let tasks: Vec<Task> = tasks
            .into_iter()
            .map(|task| Task { title: beginning(&task.title, TITLE), phase: phase(task.phase), status: task.status })
            .collect();
        if self.phases && tasks.iter().any(|task| task.phase.is_none()) {
            return ToolAnswer::error(PHASES);
        }
        if context.journal.planned(&tasks).await.is_err() {
            return ToolAnswer::error("The plan could not be saved.");
        }
        let done = tasks.iter().filter(|task| task.status == TaskStatus::Completed).count();
        ToolAnswer::ok(format!("The plan is shown: {done} of {} tasks done.", tasks.len()))
    }
}
