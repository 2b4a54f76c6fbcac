//! By this a step of the pipeline sends the work back to the agent that builds the card.

use async_trait::async_trait;
use guildhall_types::chat::{Block, ToolSpec};
use guildhall_types::run::Turn;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{arguments, spec};
use crate::{Tool, ToolAnswer, ToolContext};

pub(super) const NAME: &str = "request_changes";
/// Characters of what is asked for at most.
const CHANGES: usize = 20_000;

pub(super) struct Request;

#[derive(Deserialize)]
struct Arguments {
    changes: String,
}

#[async_trait]
impl Tool for Request {
    fn spec(&self) -> ToolSpec {
        spec(
            NAME,
            "Sends the work back to the agent that built it, and ends your step for now. It hears exactly what you write \
             here and nothing else of what you found; when it has mended the work, another look is taken.",
            json!({
                "changes": {
                    "type": "string",
                    "description": "What must be mended and why, each point with its file and place, in Markdown.",
                },
            }),
            &["changes"],
        )
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    async fn call(&self, input: Value, _context: ToolContext<'_>) -> ToolAnswer {
        match read(input) {
            Ok(_) => ToolAnswer::ok("The work goes back to its agent with that."),
            Err(answer) => answer,
        }
    }
}

fn read(input: Value) -> Result<String, ToolAnswer> {
    let Arguments { changes } = arguments(NAME, input)?;
    match changes.trim().chars().count() {
        0 => Err(ToolAnswer::error("Say what must be mended. If nothing must, end your step without this tool.")),
        1..=CHANGES => Ok(changes.trim().to_owned()),
        length => {
            Err(ToolAnswer::error(format!("That has {length} characters; {CHANGES} are the most. Keep what matters.")))
        }
    }
}

/// What a turn asks to be mended, if the tool took it. Several are one list.
pub fn changes_requested(turn: &Turn) -> Option<String> {
    let taken = |call: &str| {
        turn.results.iter().flatten().any(
            |result| matches!(result, Block::ToolResult { tool_use_id, is_error: false, .. } if tool_use_id == call),
        )
    };
    let calls = turn.answer.tool_uses().filter(|(id, name, _)| *name == NAME && taken(id));
    let asked: Vec<String> = calls.filter_map(|(_, _, input)| read(input.clone()).ok()).collect();
    (!asked.is_empty()).then(|| asked.join("\n\n"))
}
