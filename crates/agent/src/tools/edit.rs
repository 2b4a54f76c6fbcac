//! Changes a part of a file.

use std::fmt::Write;
use std::ops::Range;

use async_trait::async_trait;
use guildhall_sandbox::Workspace;
use guildhall_types::chat::ToolSpec;
use serde::Deserialize;
use serde_json::{Value, json};

use super::replace::{Replaced, replace};
use super::{FILE, arguments, blocking, read, spec};
use crate::{Tool, ToolAnswer, ToolContext};

/// Lines around a change that are shown.
const AROUND: usize = 2;
/// Lines of changes that are shown at most.
const SHOWN: usize = 60;

pub(super) struct Edit(pub(super) Workspace);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arguments {
    #[serde(alias = "file_path")]
    path: String,
    #[serde(alias = "old_text", alias = "old_string")]
    old_text: String,
    #[serde(alias = "new_text", alias = "new_string")]
    new_text: String,
    #[serde(default, alias = "replace_all")]
    replace_all: bool,
}

#[async_trait]
impl Tool for Edit {
    fn spec(&self) -> ToolSpec {
        spec(
            "edit",
            "Replaces a passage of a file. `oldText` is the passage as it stands in the file, without the line numbers that \
             `read` shows, and with enough lines around it to occur only once.",
            json!({
                "path": { "type": "string", "description": "Relative to the root of the worktree." },
                "oldText": { "type": "string", "description": "The passage that goes." },
                "newText": { "type": "string", "description": "What comes in its place; empty to delete it." },
                "replaceAll": { "type": "boolean", "description": "Replace it wherever it occurs." },
            }),
            &["path", "oldText", "newText"],
        )
    }

    fn changes_files(&self) -> bool {
        true
    }

    async fn call(&self, input: Value, _context: ToolContext<'_>) -> ToolAnswer {
        let arguments: Arguments = match arguments("edit", input) {
            Ok(arguments) => arguments,
            Err(answer) => return answer,
        };
        let workspace = self.0.clone();
        blocking(move || edit(&workspace, &arguments).unwrap_or_else(|answer| answer)).await
    }
}

fn edit(workspace: &Workspace, arguments: &Arguments) -> Result<ToolAnswer, ToolAnswer> {
    let path = &arguments.path;
    let failed = |message: String| ToolAnswer::error(format!("{path}: {message}"));
    let file = workspace.read(path, FILE).map_err(|error| ToolAnswer::error(error.to_string()))?;
    if file.size > FILE {
        return Err(failed(format!("too large to edit ({} bytes); use a command such as sed.", file.size)));
    }
    let text = read::text(path, &file)?;
    let replaced = keeping_line_ends(text, arguments).map_err(failed)?;
    workspace.write(path, replaced.text.as_bytes()).map_err(|error| ToolAnswer::error(error.to_string()))?;
    Ok(ToolAnswer::ok(report(path, &replaced)))
}

/// Replaces, and keeps the line ends of a file in which all are CRLF: models write LF.
fn keeping_line_ends(text: &str, arguments: &Arguments) -> Result<Replaced, String> {
    let Arguments { old_text, new_text, replace_all, .. } = arguments;
    let ends = text.matches('\n').count();
    if ends == 0 || text.matches("\r\n").count() != ends {
        return replace(text, old_text, new_text, *replace_all);
    }
    let lf = |text: &str| text.replace("\r\n", "\n");
    let replaced = replace(&lf(text), &lf(old_text), &lf(new_text), *replace_all)?;
    Ok(Replaced { text: replaced.text.replace('\n', "\r\n"), ..replaced })
}

/// What changed, with its line numbers.
fn report(path: &str, replaced: &Replaced) -> String {
    let lines: Vec<&str> = replaced.text.lines().collect();
    let mut report = match replaced.places.len() {
        1 => format!("{path} is changed:\n"),
        places => format!("{path} is changed in {places} places:\n"),
    };
    if replaced.loosely {
        report.insert_str(
            0,
            "oldText did not match to the letter, but did without regard to indentation and spaces at line ends. ",
        );
    }
    let mut shown = 0;
    let mut before: Option<Range<usize>> = None;
    for place in &replaced.places {
        let from = place.start.saturating_sub(AROUND);
        let range = from.max(before.as_ref().map_or(0, |range| range.end))..(place.end + AROUND).min(lines.len());
        if before.as_ref().is_some_and(|before| before.end < range.start) {
            report.push_str("   …\n");
        }
        for at in range.clone() {
            if shown == SHOWN {
                report.push_str("   … and more\n");
                return report;
            }
            shown += 1;
            let _ = writeln!(report, "{:>6}\t{}", at + 1, lines[at]);
        }
        before = Some(range);
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, old: &str, new: &str) -> Replaced {
        let arguments =
            Arguments { path: "a".to_owned(), old_text: old.to_owned(), new_text: new.to_owned(), replace_all: false };
        keeping_line_ends(text, &arguments).unwrap()
    }

    #[test]
    fn a_file_with_crlf_keeps_it() {
        assert_eq!(edited("one\r\ntwo\r\nthree\r\n", "one\ntwo\n", "1\n2\n2b\n").text, "1\r\n2\r\n2b\r\nthree\r\n");
        assert_eq!(edited("one\r\ntwo\r\n", "one\r\ntwo", "1\r\n2").text, "1\r\n2\r\n");
        // Mixed ends stay as they are outside of the change.
        assert_eq!(edited("one\r\ntwo\nthree\n", "two", "2").text, "one\r\n2\nthree\n");
    }

    #[test]
    fn the_report_shows_the_changed_lines() {
        let text: String = (1..=9).map(|n| format!("line {n}\n")).collect();
        let report = report("a.txt", &edited(&text, "line 5\n", "five\nand a half\n"));
        assert_eq!(
            report,
            "a.txt is changed:\n     3\tline 3\n     4\tline 4\n     5\tfive\n     6\tand a half\n     7\tline 6\n     8\tline 7\n"
        );
    }
}
