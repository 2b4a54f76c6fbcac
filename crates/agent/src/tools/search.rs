//! Finds files by name and by what is in them.

use std::fmt::Write;

use async_trait::async_trait;
use guildhall_sandbox::{FileError, GrepQuery, Match, Matches, Workspace};
use guildhall_types::chat::ToolSpec;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{OUTPUT, arguments, blocking, spec};
use crate::text::bounded;
use crate::{Tool, ToolAnswer, ToolContext};

/// Files that are listed at most.
const FILES: usize = 500;
/// Lines that are listed at most.
pub(super) const MATCHES: usize = 250;

pub(super) struct Glob(pub(super) Workspace);

#[derive(Deserialize)]
struct GlobArguments {
    pattern: String,
    #[serde(default)]
    path: String,
}

#[async_trait]
impl Tool for Glob {
    fn spec(&self) -> ToolSpec {
        spec(
            "glob",
            "Lists files whose path matches a pattern, the latest changed first. What git ignores is left out.",
            json!({
                "pattern": { "type": "string", "description": "Such as `**/*.rs` or `src/**/test_*.py`." },
                "path": { "type": "string", "description": "The folder to look in; the whole worktree when left out." },
            }),
            &["pattern"],
        )
    }

    async fn call(&self, input: Value, _context: ToolContext<'_>) -> ToolAnswer {
        let GlobArguments { pattern, path } = match arguments("glob", input) {
            Ok(arguments) => arguments,
            Err(answer) => return answer,
        };
        let workspace = self.0.clone();
        blocking(move || match workspace.glob(&pattern, &path, FILES) {
            Ok(found) if found.paths.is_empty() => ToolAnswer::ok("No file matches."),
            Ok(found) => {
                let mut text = bounded(&found.paths.join("\n"), OUTPUT);
                if found.more {
                    let _ = write!(text, "\n(There are more than {FILES}; narrow the pattern down.)");
                }
                ToolAnswer::ok(text)
            }
            Err(error) => ToolAnswer::error(error.to_string()),
        })
        .await
    }
}

pub(super) struct Grep(pub(super) Workspace);

#[derive(Deserialize)]
struct GrepArguments {
    pattern: String,
    #[serde(default)]
    path: String,
    glob: Option<String>,
}

#[async_trait]
impl Tool for Grep {
    fn spec(&self) -> ToolSpec {
        spec(
            "grep",
            "Lists lines that match a regular expression (Rust syntax, case-sensitive; begin with `(?i)` to ignore case), as \
             `path:line: text`. What git ignores is left out.",
            json!({
                "pattern": { "type": "string", "description": "Such as `fn \\w+_test` or `TODO`." },
                "path": { "type": "string", "description": "The file or folder to look in; the whole worktree when left out." },
                "glob": { "type": "string", "description": "Only in files whose path matches, such as `*.ts`." },
            }),
            &["pattern"],
        )
    }

    async fn call(&self, input: Value, _context: ToolContext<'_>) -> ToolAnswer {
        let GrepArguments { pattern, path, glob } = match arguments("grep", input) {
            Ok(arguments) => arguments,
            Err(answer) => return answer,
        };
        let workspace = self.0.clone();
        blocking(move || {
            let query = GrepQuery { pattern: &pattern, under: &path, glob: glob.as_deref(), limit: MATCHES };
            told(workspace.grep(&query))
        })
        .await
    }
}

/// The lines that match, of files by their paths and of a text without one.
pub(super) fn told(found: Result<Matches, FileError>) -> ToolAnswer {
    let found = match found {
        Ok(found) if found.matches.is_empty() => return ToolAnswer::ok("No line matches."),
        Ok(found) => found,
        Err(error) => return ToolAnswer::error(error.to_string()),
    };
    let mut lines = String::new();
    for Match { path, line, text } in &found.matches {
        let colon = if path.is_empty() { "" } else { ":" };
        let _ = writeln!(lines, "{path}{colon}{line}: {}", text.trim_end());
    }
    let mut text = bounded(lines.trim_end(), OUTPUT);
    if found.more {
        let _ = write!(text, "\n(There are more than {MATCHES}; narrow the search down.)");
    }
    ToolAnswer::ok(text)
}
