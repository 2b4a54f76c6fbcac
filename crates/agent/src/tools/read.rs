//! Reads a file.

use std::fmt::Write;

use async_trait::async_trait;
use guildhall_sandbox::{FileRead, Workspace};
use guildhall_types::chat::ToolSpec;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{FILE, arguments, blocking, spec};
use crate::text::of_file;
use crate::{Tool, ToolAnswer, ToolContext};

/// Lines that are shown at most.
pub(super) const LINES: usize = 2_000;
/// Bytes that are shown at most.
const BYTES: usize = 64 * 1024;
/// Characters of a line that are shown.
const LINE: usize = 2_000;

pub(super) struct Read(pub(super) Workspace);

#[derive(Deserialize)]
struct Arguments {
    #[serde(alias = "file_path")]
    path: String,
    offset: Option<usize>,
    limit: Option<usize>,
}

#[async_trait]
impl Tool for Read {
    fn spec(&self) -> ToolSpec {
        spec(
            "read",
            "Shows a text file, each line with its number and a tab before it. Shows up to 2,000 lines or 64 KB at once; \
             `offset` and `limit` page through a longer file.",
            json!({
                "path": { "type": "string", "description": "Relative to the root of the worktree." },
                "offset": { "type": "integer", "minimum": 1, "description": "The first line to show; 1 when left out." },
                "limit": { "type": "integer", "minimum": 1, "description": "How many lines to show." },
            }),
            &["path"],
        )
    }

    async fn call(&self, input: Value, _context: ToolContext<'_>) -> ToolAnswer {
        let Arguments { path, offset, limit } = match arguments("read", input) {
            Ok(arguments) => arguments,
            Err(answer) => return answer,
        };
        let workspace = self.0.clone();
        blocking(move || match workspace.read(&path, FILE) {
            Ok(read) => show(&path, &read, offset.unwrap_or(1).max(1), limit.unwrap_or(LINES).clamp(1, LINES)),
            Err(error) => ToolAnswer::error(error.to_string()),
        })
        .await
    }
}

/// The text of a file, or what the model is told when it holds none.
pub(super) fn text<'a>(path: &str, read: &'a FileRead) -> Result<&'a str, ToolAnswer> {
    let size = read.size;
    match of_file(read) {
        Some(text) if !text.contains('\0') => Ok(text),
        Some(_) => {
            Err(ToolAnswer::error(format!("{path}: a binary file of {size} bytes; it cannot be shown or edited.")))
        }
        None => Err(ToolAnswer::error(format!(
            "{path}: not UTF-8 ({size} bytes); it cannot be shown or edited here. If it is text in another encoding, \
             convert it with a command such as iconv."
        ))),
    }
}

pub(super) fn show(path: &str, read: &FileRead, offset: usize, limit: usize) -> ToolAnswer {
    let text = match text(path, read) {
        Ok("") => return ToolAnswer::ok(format!("({path} is empty.)")),
        Ok(text) => text,
        Err(answer) => return answer,
    };
    let all = text.lines().count();
    let whole = read.bytes.len() as u64 == read.size;
    if offset > all {
        return ToolAnswer::error(match whole {
            true => format!("{path} has {all} lines; there is no line {offset}."),
            false => format!(
                "{path} has {} bytes, and only its first {all} lines can be shown here. Use a command such as `sed -n \
                 '{offset},+200p'` for what comes later.",
                read.size
            ),
        });
    }
    let mut shown = String::new();
    let mut last = offset;
    for (at, line) in text.lines().enumerate().skip(offset - 1).take(limit) {
        let before = shown.len();
        let _ = match line.char_indices().nth(LINE) {
            None => writeln!(shown, "{:>6}\t{line}", at + 1),
            Some((cut, _)) => {
                writeln!(shown, "{:>6}\t{}… [{} bytes more]", at + 1, &line[..cut], line.len() - cut)
            }
        };
        if shown.len() > BYTES && before > 0 {
            shown.truncate(before);
            break;
        }
        last = at + 1;
    }
    let of = if whole { format!("{all}") } else { format!("more than {all} ({} bytes)", read.size) };
    if last < all || !whole {
        let _ = write!(shown, "\n(Lines {offset} to {last} of {of}.");
        shown.push_str(&if last < all { format!(" Go on with offset {}.)", last + 1) } else { ")".to_owned() });
    } else if offset > 1 {
        let _ = write!(shown, "\n(Lines {offset} to {last}: the end of the file.)");
    }
    ToolAnswer::ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> FileRead {
        FileRead { bytes: bytes.to_vec(), size: bytes.len() as u64 }
    }

    fn shown(text: &str, offset: usize, limit: usize) -> String {
        let answer = show("a", &file(text.as_bytes()), offset, limit);
        assert!(!answer.is_error, "{answer:?}");
        answer.text
    }

    #[test]
    fn lines_have_numbers_and_a_page_says_how_to_go_on() {
        assert_eq!(shown("one\r\ntwo\n", 1, 9), "     1\tone\n     2\ttwo\n");
        let text: String = (1..=3_000).map(|n| format!("{n}\n")).collect();
        let first = shown(&text, 1, LINES);
        assert!(first.ends_with("  2000\t2000\n\n(Lines 1 to 2000 of 3000. Go on with offset 2001.)"), "{first}");
        let second = shown(&text, 2_001, LINES);
        assert!(second.starts_with("  2001\t2001\n") && second.ends_with("(Lines 2001 to 3000: the end of the file.)"));
        assert!(show("a", &file(b"x\n"), 2, 9).text.contains("has 1 lines"));
        assert_eq!(shown("", 1, 9), "(a is empty.)");
    }

    #[test]
    fn long_lines_and_long_pages_are_cut() {
        let wide = shown(&"ä".repeat(50_000), 1, 9);
        assert!(wide.contains("… [96000 bytes more]") && wide.len() < 5_000);
        let text: String = (0..1_000).map(|_| format!("{}\n", "x".repeat(1_500))).collect();
        let page = shown(&text, 1, LINES);
        assert!(page.len() < BYTES + 100 && page.contains("Go on with offset 44"), "{}", &page[page.len() - 100..]);
    }

    #[test]
    fn what_is_no_text_is_said_to_be_none() {
        assert!(show("a", &file(b"\x89PNG\0\0"), 1, 9).text.contains("not UTF-8"));
        assert!(show("a", &file(b"ab\0cd"), 1, 9).text.contains("a binary file of 5 bytes"));
        assert!(show("a", &file(b"caf\xe9"), 1, 9).is_error);
        // The beginning of a large file, cut in the middle of a character.
        let cut = FileRead { bytes: "one\ntwö".as_bytes()[..7].to_vec(), size: 99 };
        let answer = show("a", &cut, 1, 9);
        assert!(!answer.is_error && answer.text.contains("of more than 2 (99 bytes)"), "{answer:?}");
    }
}
