//! Reads a text file that a member attached: what is said to the agent shows only the beginning and the end of a long one.

use std::sync::Arc;

use async_trait::async_trait;
use guildhall_sandbox::{FileRead, grep_text};
use guildhall_types::AttachmentId;
use guildhall_types::chat::ToolSpec;
use guildhall_types::run::SaidFile;
use serde::Deserialize;
use serde_json::{Value, json};

use super::read::{LINES, show};
use super::search::{MATCHES, told};
use super::{arguments, blocking, spec};
use crate::{Tool, ToolAnswer, ToolContext};

/// The tool's name.
pub(crate) const NAME: &str = "attachment_read";

/// The files that members attached to what an agent works at. Whoever runs an agent gives it one.
#[async_trait]
pub trait Files: Send + Sync {
    /// A file with its bytes; nothing when no such file is attached to this work.
    ///
    /// # Errors
    /// When it cannot be read now, and why, for the model.
    async fn file(&self, id: AttachmentId) -> Result<Option<SaidFile>, String>;
}

/// The tool, for work that `files` are attached to.
pub fn of_files(files: Arc<dyn Files>) -> Arc<dyn Tool> {
    Arc::new(Read(files))
}

struct Read(Arc<dyn Files>);

#[derive(Deserialize)]
struct Arguments {
    id: String,
    pattern: Option<String>,
    offset: Option<usize>,
    limit: Option<usize>,
}

#[async_trait]
impl Tool for Read {
    fn spec(&self) -> ToolSpec {
        spec(
            NAME,
            "Shows more of a text file that a member attached, where only its beginning and its end were shown to you: \
             numbered lines, up to 2,000 or 64 KB at once, from `offset` on. With `pattern` it lists the lines that match \
             instead, as `line: text`.",
            json!({
                "id": { "type": "string", "description": "The file's id, as it was named to you." },
                "pattern": {
                    "type": "string",
                    "description": "A regular expression (Rust syntax, case-sensitive; begin with `(?i)` to ignore case).",
                },
                "offset": { "type": "integer", "minimum": 1, "description": "The first line to show; 1 when left out." },
                "limit": { "type": "integer", "minimum": 1, "description": "How many lines to show." },
            }),
            &["id"],
        )
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    async fn call(&self, input: Value, _context: ToolContext<'_>) -> ToolAnswer {
        let Arguments { id, pattern, offset, limit } = match arguments(NAME, input) {
            Ok(arguments) => arguments,
            Err(answer) => return answer,
        };
        let found = match id.trim().parse() {
            Ok(id) => self.0.file(id).await,
            Err(_) => Ok(None),
        };
        let SaidFile { attachment, bytes } = match found {
            Ok(Some(file)) if !file.attachment.media_type.starts_with("image/") => file,
            Ok(Some(_)) => return ToolAnswer::error("That is an image: it was shown to you where it was attached."),
            Ok(None) => {
                return ToolAnswer::error(format!(
                    "No file with the id {id:?} is attached here, or a member took it away. Files are named with their ids \
                     where only a part of them is shown."
                ));
            }
            Err(why) => return ToolAnswer::error(format!("The file cannot be read now: {why}. Try again later.")),
        };
        let name = attachment.name;
        blocking(move || match pattern {
            Some(pattern) => told(grep_text(&pattern, &bytes, MATCHES)),
            None => {
                let read = FileRead { size: bytes.len() as u64, bytes };
                show(&name, &read, offset.unwrap_or(1).max(1), limit.unwrap_or(LINES).clamp(1, LINES))
            }
        })
        .await
    }
}
