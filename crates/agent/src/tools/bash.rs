//! Runs a command.

use std::time::Duration;

use async_trait::async_trait;
use guildhall_sandbox::{Command, Exit, Room, Sandbox};
use guildhall_types::chat::ToolSpec;
use guildhall_types::secret::SecretUse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{OUTPUT, arguments, spec};
use crate::text::bounded;
use crate::{Tool, ToolAnswer, ToolContext};

/// Milliseconds that a command may take when nothing is said of it.
const USUAL: u64 = 120_000;
/// … and at most.
const LONGEST: u64 = 600_000;

const WHAT: &str = "Runs a command with bash in the root of the worktree, and answers with what it printed on both streams and its \
    exit code. Nothing carries over to the next call but the files. There is no terminal to answer questions.";
const SECRETS: &str = "A command that needs a secret of the project gets it as an environment variable when `secrets` names it, and \
    no other command does; what is printed of it is blotted out. Never write one into a file. There are:";

pub(super) struct Bash {
    pub(super) sandbox: Sandbox,
    pub(super) room: Room,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arguments {
    command: String,
    #[serde(alias = "timeout")]
    timeout_ms: Option<u64>,
    #[serde(default)]
    secrets: Vec<String>,
}

#[async_trait]
impl Tool for Bash {
    fn spec(&self) -> ToolSpec {
        let mut description = WHAT.to_owned();
        let mut properties = json!({
            "command": { "type": "string" },
            "timeoutMs": {
                "type": "integer", "minimum": 1, "maximum": LONGEST,
                "description": "After which it is ended; 120000 when left out.",
            },
        });
        let names: Vec<&str> = self.room.secrets.names(SecretUse::Agents).collect();
        if !names.is_empty() {
            description = format!("{description} {SECRETS} {}.", names.join(", "));
            properties["secrets"] = json!({
                "type": "array", "items": { "type": "string", "enum": names },
                "description": "Names of secrets that the command needs; none when left out.",
            });
        }
        spec("bash", &description, properties, &["command"])
    }

    fn changes_files(&self) -> bool {
        true
    }

    async fn call(&self, input: Value, context: ToolContext<'_>) -> ToolAnswer {
        let Arguments { command, timeout_ms, secrets } = match arguments("bash", input) {
            Ok(arguments) => arguments,
            Err(answer) => return answer,
        };
        let room = match self.room.asking(&secrets) {
            Ok(room) => room,
            Err(why) => return ToolAnswer::error(why),
        };
        let timeout = Duration::from_millis(timeout_ms.unwrap_or(USUAL).clamp(1, LONGEST));
        let command = Command { line: command, timeout, max_output: OUTPUT };
        let outcome = self.sandbox.run(&room, &command, &mut |text| context.live(text)).await;
        match outcome {
            Ok(outcome) => {
                let ended = match outcome.exit {
                    Exit::Code(code) => format!("exit code {code}"),
                    Exit::Signal(signal) => format!("ended by signal {signal}"),
                    Exit::TimedOut => format!(
                        "timed out after {} s, and was ended with everything that it had started",
                        timeout.as_secs_f64()
                    ),
                };
                // Nobody can tell from the exit code alone that a limit was met, and which.
                let ended = match outcome.over {
                    Some(over) => format!("{ended}. {over} {}", over.advice()),
                    None => ended,
                };
                let output = bounded(plain(&outcome.output).trim_end(), OUTPUT + 200);
                let text = match output.is_empty() {
                    true => format!("(no output, {ended})"),
                    false => format!("{output}\n({ended})"),
                };
                ToolAnswer { text, is_error: outcome.exit != Exit::Code(0), images: Vec::new() }
            }
            Err(error) => ToolAnswer::error(error.to_string()),
        }
    }
}

/// A program's output without the sequences that colour a terminal, which only cost tokens.
pub(super) fn plain(output: &str) -> String {
    let mut text = String::with_capacity(output.len());
    let mut rest = output;
    while let Some((before, sequence)) = rest.split_once("\x1b[") {
        text.push_str(before);
        let end = sequence.find(|c: char| c.is_ascii_alphabetic() || !(' '..='?').contains(&c));
        rest = match end {
            Some(end) if sequence[end..].starts_with(|c: char| c.is_ascii_alphabetic()) => &sequence[end + 1..],
            _ => sequence,
        };
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_taken_out_and_nothing_else() {
        assert_eq!(plain("\x1b[1;31mred\x1b[0m and [1m plain\x1b[K"), "red and [1m plain");
        assert_eq!(plain("cut \x1b[31"), "cut 31");
        assert_eq!(plain("ä\x1b[ä"), "ää");
    }
}
