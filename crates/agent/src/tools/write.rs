//! Writes a file.

use async_trait::async_trait;
use guildhall_sandbox::Workspace;
use guildhall_types::chat::ToolSpec;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{arguments, blocking, spec};
use crate::{Tool, ToolAnswer, ToolContext};

pub(super) struct Write(pub(super) Workspace);

#[derive(Deserialize)]
struct Arguments {
    #[serde(alias = "file_path")]
    path: String,
    content: String,
}

#[async_trait]
impl Tool for Write {
    fn spec(&self) -> ToolSpec {
        spec(
            "write",
            "Writes a whole file, and makes the folders above it. What was there is replaced: to change a part of a file, \
             use `edit`.",
            json!({
                "path": { "type": "string", "description": "Relative to the root of the worktree." },
                "content": { "type": "string", "description": "The whole text of the file." },
            }),
            &["path", "content"],
        )
    }

    fn changes_files(&self) -> bool {
        true
    }

    async fn call(&self, input: Value, _context: ToolContext<'_>) -> ToolAnswer {
        let Arguments { path, content } = match arguments("write", input) {
            Ok(arguments) => arguments,
            Err(answer) => return answer,
        };
        let workspace = self.0.clone();
        blocking(move || {
            let lines = content.lines().count();
            match workspace.write(&path, content.as_bytes()) {
                Ok(true) => ToolAnswer::ok(format!("{path} is new: {lines} lines.")),
                Ok(false) => ToolAnswer::ok(format!("{path} is replaced: {lines} lines.")),
                Err(error) => ToolAnswer::error(error.to_string()),
            }
        })
        .await
    }
}
