//! Services of a run: commands that run on while others do, such as a web server to look at or a watcher.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DateTime, MemberId, RunId, ServiceId, text_enum::text_enum};

/// Characters of a service's name at most.
pub const NAME: usize = 40;
/// Bytes of its command at most.
pub const COMMAND: usize = 8_000;
/// Services of a run that run at once, at most.
pub const AT_ONCE: i64 = 6;
/// Names of services that a run keeps, at most. One that is started again takes the place of the former.
pub const KEPT: i64 = 30;
/// Minutes after which a service ends that a member started.
pub const MINUTES: i64 = 60;

text_enum! {
    /// How far a service is.
    pub enum ServiceStatus {
        /// It runs.
        Running = "running",
        /// It ended by itself.
        Ended = "ended",
        /// It was stopped; `problem` says why.
        Stopped = "stopped",
        /// The server that ran it is gone, and it with the server.
        Lost = "lost",
    }
}

/// A service of a run: the latest of its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// The service's id; another one each time that it is started.
    pub id: ServiceId,
    /// The run in whose worktree it runs.
    pub run_id: RunId,
    /// What it is called within its run: small letters, digits and hyphens.
    pub name: String,
    /// The command, for bash.
    pub command: String,
    /// The port at which it listens, where it is a server.
    pub port: Option<i64>,
    /// How far it is.
    pub status: ServiceStatus,
    /// The exit code, where it ended by itself and not by a signal.
    pub exit_code: Option<i64>,
    /// Why it no longer runs, in a sentence, where it did not end by itself.
    pub problem: Option<String>,
    /// The member who started it; nothing where an agent did.
    pub member_id: Option<MemberId>,
    /// When it was started.
    pub started_at: DateTime,
    /// When it is stopped at the latest; nothing for an agent's, which ends with the agent's work.
    pub until: Option<DateTime>,
    /// When it ended.
    pub ended_at: Option<DateTime>,
    /// When its process was last heard of.
    #[serde(skip, default)]
    pub seen_at: DateTime,
    /// The first part of the name under which its pages are shown, which nobody can guess.
    #[serde(skip, default)]
    pub label: String,
}

/// The name and the command of a service as they are kept.
///
/// # Errors
/// The field that cannot be used, and what it should be.
pub fn checked<'a>(name: &'a str, command: &'a str) -> Result<(&'a str, &'a str), (&'static str, String)> {
    let (name, command) = (name.trim(), command.trim());
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=NAME).contains(&name.len()) || name.starts_with('-') || !name.bytes().all(plain) {
        let wanted = format!("give 1 to {NAME} small letters, digits and hyphens, a letter or a digit first");
        return Err(("name", wanted));
    }
    if command.is_empty() || command.len() > COMMAND || command.contains('\0') {
        return Err(("command", format!("give a command for bash, of {COMMAND} bytes at most")));
    }
    Ok((name, command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_plain_words_and_there_is_a_command() {
        for good in ["web", "a", "dev-server-2", " web ", &"a".repeat(NAME)] {
            assert_eq!(checked(good, " x "), Ok((good.trim(), "x")), "{good}");
        }
        for bad in ["", "-web", "Web", "a b", "a/b", "ä", "a.b", &"a".repeat(NAME + 1)] {
            assert_eq!(checked(bad, "x").unwrap_err().0, "name", "{bad}");
        }
        for bad in ["", " ", "a\0b", &"a".repeat(COMMAND + 1)] {
            assert_eq!(checked("web", bad).unwrap_err().0, "command");
        }
    }
}
