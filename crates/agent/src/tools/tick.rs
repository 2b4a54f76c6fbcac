//! Ticks the agent's tasks off, by their numbers.

use async_trait::async_trait;
use guildhall_types::chat::ToolSpec;
use guildhall_types::run::TaskStatus;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{arguments, spec};
use crate::work::standing;
use crate::{Tool, ToolAnswer, ToolContext};

pub(super) struct Tick;

#[derive(Deserialize)]
struct Arguments {
    tasks: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    number: usize,
    status: TaskStatus,
}

#[async_trait]
impl Tool for Tick {
    fn spec(&self) -> ToolSpec {
        spec(
            "update_tasks",
            "Says how far tasks of your list are, by their numbers from 1; the others stay as they are. Call it whenever a task \
             begins or is done: the members see it at once.",
            json!({
                "tasks": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "number": { "type": "integer", "description": "Which task of the list, from 1." },
                            "status": { "type": "string", "enum": ["pending", "in_progress", "completed"] },
                        },
                        "required": ["number", "status"],
                        "additionalProperties": false,
                    },
                },
            }),
            &["tasks"],
        )
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    async fn call(&self, input: Value, context: ToolContext<'_>) -> ToolAnswer {
        let Arguments { tasks: changes } = match arguments("update_tasks", input) {
            Ok(arguments) => arguments,
            Err(answer) => return answer,
        };
        let Ok(mut tasks) = context.journal.tasks().await else {
            return ToolAnswer::error("Your tasks could not be read.");
        };
        if tasks.is_empty() {
            return ToolAnswer::error("You have no list of tasks yet. Call `plan` with the whole list first.");
        }
        let count = tasks.len();
        for Item { number, status } in changes {
            match number.checked_sub(1).and_then(|at| tasks.get_mut(at)) {
                Some(task) => task.status = status,
                None => {
                    return ToolAnswer::error(format!(
                        "There is no task {number}: they are numbered from 1 to {count}."
                    ));
                }
            }
        }
        if context.journal.planned(&tasks).await.is_err() {
            return ToolAnswer::error("The tasks could not be saved.");
        }
        ToolAnswer::ok(standing::words(&tasks).unwrap_or_default())
    }
}
