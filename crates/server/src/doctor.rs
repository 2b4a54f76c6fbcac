//! Looks at everything that the server needs and says how to mend what is missing. Changes nothing.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use guildhall_llm::{Client, Endpoint, Patience};
use guildhall_sandbox::{Isolation, Sandbox, look_at_groups};
use guildhall_store::{Backend, Store};
use guildhall_team::mail::SmtpSettings;
use guildhall_team::oidc::Providers;
use guildhall_types::Clock;

mod keys;

use crate::config::{Config, Faults};
use crate::problem::chain;

/// The oldest git whose `merge-tree` takes what is needed.
const GIT: (u32, u32) = (2, 40);
/// The share of the disk that may be used before it is time to look after it.
const DISK_USED: f64 = 0.75;
/// Bytes without which a clone is soon out of room.
const DISK_FREE: u64 = 1024 * 1024 * 1024;
/// How long a provider may take to answer.
const PROVIDER: Duration = Duration::from_secs(10);

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Ok,
    /// The server runs, but something is worth a look.
    Warn,
    /// Something will not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How it is.
    pub level: Level,
    /// What was looked at.
    pub what: String,
    /// What was found, and how to mend it.
    pub detail: String,
}

impl Line {
    pub(crate) fn new(level: Level, what: &str, detail: impl Into<String>) -> Self {
        Self { level, what: what.to_owned(), detail: detail.into() }
    }
}

/// Looks at everything.
pub async fn examine(config: Result<Config, Faults>, clock: Arc<dyn Clock>) -> Vec<Line> {
    let config = match config {
        Ok(config) => config,
        Err(Faults(faults)) => {
            let mut lines: Vec<Line> =
                faults.iter().map(|fault| Line::new(Level::Fail, "configuration", fault.to_string())).collect();
            lines.push(git().await);
            return lines;
        }
    };
    let mut lines = vec![Line::new(Level::Ok, "configuration", format!("listens on {}", config.listen))];
    lines.extend(config.notes.iter().map(|note| Line::new(Level::Warn, "configuration", note)));
    lines.push(data_dir(&config.data_dir));
    lines.extend(database(&config, clock).await);
    lines.push(git().await);
    lines.extend(sandbox(config.sandbox).await);
    lines.extend(crate::toolchains::examine(&config));
    lines.push(disk(&config.data_dir));
    lines.push(mail(config.mail.as_ref()).await);
    if let Some(endpoint) = &config.anthropic {
        lines.push(provider("the team's provider", endpoint).await);
    }
    if let Some(endpoint) = &config.openai {
        lines.push(provider("the team's key for OpenAI", endpoint).await);
    }
    lines.extend(sign_in(&config).await);
    if let Some(endpoint) = &config.simulated {
        lines.push(provider("the simulated provider", endpoint).await);
    }
    lines
}

/// Writes the lines, and returns whether nothing failed.
///
/// # Errors
/// When they cannot be written.
pub fn print(lines: &[Line], out: &mut impl Write) -> io::Result<bool> {
    for Line { level, what, detail } in lines {
        let word = match level {
            Level::Ok => "ok  ",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        writeln!(out, "{word}  {what}: {detail}")?;
    }
    Ok(lines.iter().all(|line| line.level != Level::Fail))
}

/// The folder itself, or the nearest one above it that is there.
fn nearest(path: &Path) -> &Path {
    path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"))
}

fn data_dir(path: &Path) -> Line {
    const WHAT: &str = "data folder";
    let there = nearest(path);
    let shown = path.display();
    if let Err(error) = rustix::fs::access(there, rustix::fs::Access::WRITE_OK) {
        let detail = format!("{} cannot be written ({error}); choose another with GUILDHALL_DATA_DIR", there.display());
        return Line::new(Level::Fail, WHAT, detail);
    }
    if there != path {
        return Line::new(Level::Ok, WHAT, format!("{shown} is made at the first start"));
    }
    match std::fs::metadata(path) {
        Ok(found) if !found.is_dir() => Line::new(Level::Fail, WHAT, format!("{shown} is not a folder")),
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            Line::new(Level::Warn, WHAT, format!("{shown} can be entered by others; run: chmod 700 {shown}"))
        }
        Ok(_) => Line::new(Level::Ok, WHAT, format!("{shown} can be written")),
        Err(error) => Line::new(Level::Fail, WHAT, format!("{shown} cannot be looked at: {error}")),
    }
}

async fn database(config: &Config, clock: Arc<dyn Clock>) -> Vec<Line> {
    const WHAT: &str = "database";
    let url = config.database_url.expose();
    if let Some(path) = url.strip_prefix("sqlite://")
        && !Path::new(path).exists()
    {
        return vec![Line::new(Level::Ok, WHAT, format!("{path} is made at the first start")), keys::files(config)];
    }
    let store = match Store::open(url, clock).await {
        Ok(store) => store,
        Err(error) => {
            let detail = format!("{}; check DATABASE_URL and that the server runs", chain(&error));
            return vec![Line::new(Level::Fail, WHAT, detail), keys::files(config)];
        }
    };
    let kind = match store.backend() {
        Backend::Sqlite => "SQLite",
        Backend::Postgres => "PostgreSQL",
    };
    let mut lines = vec![match store.ping().await {
        Err(error) => Line::new(Level::Fail, WHAT, format!("{kind} does not answer: {}", chain(&error))),
        Ok(()) => schema(&store, kind).await,
    }];
    lines.extend(keys::examine(config, &store).await);
    store.close().await;
    lines
}

/// Which schema the database is at, and which one this version wants.
async fn schema(store: &Store, kind: &str) -> Line {
    const WHAT: &str = "database";
    match (store.schema_version().await, store.last_seq().await) {
        (Ok((Some(found), wanted)), Ok(seq)) => {
            let at = format!("{kind} answers, is at schema {found} and holds {seq} events");
            match found.cmp(&wanted) {
                std::cmp::Ordering::Equal => Line::new(Level::Ok, WHAT, at),
                std::cmp::Ordering::Less => Line::new(
                    Level::Warn,
                    WHAT,
                    format!("{at}; this version wants {wanted}: `guildhall migrate` or the next start brings it there"),
                ),
                std::cmp::Ordering::Greater => Line::new(
                    Level::Fail,
                    WHAT,
                    format!("{at}; this version knows {wanted} only: install the version that made it, or a later one"),
                ),
            }
        }
        (Err(error), _) => Line::new(Level::Fail, WHAT, format!("{kind} does not answer: {}", chain(&error))),
        (Ok(_), _) => Line::new(
            Level::Warn,
            WHAT,
            format!("{kind} answers, but has no tables yet; `guildhall migrate` or the next start makes them"),
        ),
    }
}

/// Connects to the mail server, speaks TLS and signs in, and sends nothing.
async fn mail(smtp: Option<&SmtpSettings>) -> Line {
    const WHAT: &str = "mail";
    let Some(smtp) = smtp else {
        return Line::new(
            Level::Ok,
            WHAT,
            "off; set GUILDHALL_SMTP_URL and GUILDHALL_MAIL_FROM to send invitations and links",
        );
    };
    match smtp.check().await {
        Ok(()) => Line::new(Level::Ok, WHAT, format!("{} answers and takes mail", smtp.server())),
        Err(error) => Line::new(Level::Fail, WHAT, format!("{}: {error}. {}", smtp.server(), error.stage.hint())),
    }
}

async fn git() -> Line {
    const WHAT: &str = "git";
    let output = match guildhall_git::version().await {
        Ok(output) => output,
        Err(error) => return Line::new(Level::Fail, WHAT, format!("{}; install git 2.40 or later", chain(&error))),
    };
    match git_version(&output) {
        Some(version) if version >= GIT => Line::new(Level::Ok, WHAT, output),
        _ => Line::new(Level::Fail, WHAT, format!("found {output:?}; install git {}.{} or later", GIT.0, GIT.1)),
    }
}

fn git_version(output: &str) -> Option<(u32, u32)> {
    let mut numbers = output.strip_prefix("git version ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

async fn sandbox(isolation: Isolation) -> Vec<Line> {
    const WHAT: &str = "sandbox";
    let report = Sandbox::new(isolation).probe().await;
    let mut lines = Vec::new();
    for finding in &report.findings {
        let level = match (finding.ok, report.usable) {
            (true, _) => Level::Ok,
            (false, true) => Level::Warn,
            (false, false) => Level::Fail,
        };
        lines.push(Line::new(level, &format!("{WHAT}: {}", finding.name), &finding.detail));
    }
    // Limits can be lacking while commands are kept apart. What the server itself has may be more than what this session has.
    for finding in tokio::task::spawn_blocking(look_at_groups).await.unwrap_or_default() {
        let level = if finding.ok { Level::Ok } else { Level::Warn };
        let detail = match finding.ok {
            true => finding.detail,
            false => format!(
                "{} (seen from this shell; the server's own state is in GET /api/health/detailed)",
                finding.detail
            ),
        };
        lines.push(Line::new(level, &format!("{WHAT}: {}", finding.name), detail));
    }
    match (report.usable, isolation) {
        (true, Isolation::Bubblewrap) => {
            lines.push(Line::new(Level::Ok, WHAT, "agents' commands are kept apart from the host"));
        }
        (_, Isolation::None) => lines.push(Line::new(
            Level::Warn,
            WHAT,
            "off, as configured: agents' commands run with this server's rights and can read its keys; set sandbox = \"bubblewrap\"",
        )),
        (false, Isolation::Bubblewrap) => {
            lines.push(Line::new(Level::Fail, WHAT, "agents' commands cannot be kept apart from the host, so no agent starts"));
        }
    }
    lines
}

fn disk(path: &Path) -> Line {
    const WHAT: &str = "disk";
    let stat = match rustix::fs::statvfs(nearest(path)) {
        Ok(stat) => stat,
        Err(error) => return Line::new(Level::Warn, WHAT, format!("cannot be looked at: {error}")),
    };
    let (all, free) = (stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize);
    let used = 1.0 - free as f64 / all.max(1) as f64;
    let detail = format!("{:.1} GiB free, {:.0} % used", free as f64 / DISK_FREE as f64, used * 100.0);
    match (free < DISK_FREE, used > DISK_USED) {
        (true, _) => Line::new(Level::Fail, WHAT, format!("{detail}; make room, or move the data folder")),
        (false, true) => Line::new(Level::Warn, WHAT, format!("{detail}; make room soon")),
        (false, false) => Line::new(Level::Ok, WHAT, detail),
    }
}

/// Asks every provider by which members sign in who it is.
async fn sign_in(config: &Config) -> Vec<Line> {
    let mut lines = Vec::new();
    let providers = match Providers::new(config.sign_in.clone()) {
        Ok(providers) => providers,
        Err(error) => return vec![Line::new(Level::Fail, "sign-in", chain(&error))],
    };
    for settings in providers.all() {
        let what = format!("sign-in by {}", settings.label);
        lines.push(match providers.examine(&settings.name).await {
            Ok(found) => Line::new(Level::Ok, &what, found),
            Err(why) => {
                let detail = format!(
                    "{}/.well-known/openid-configuration is not what it should be: {why}. Check the issuer letter by letter, and that this machine reaches it",
                    settings.issuer.trim_end_matches('/')
                );
                Line::new(Level::Fail, &what, detail)
            }
        });
    }
    if !lines.is_empty() && config.public_url.is_none() {
        let detail = "without GUILDHALL_PUBLIC_URL providers can lead back to this machine's own browser alone";
        lines.push(Line::new(Level::Warn, "sign-in", detail));
    }
    lines
}

async fn provider(what: &str, endpoint: &Endpoint) -> Line {
    let patience = Patience { connect: PROVIDER, headers: PROVIDER, idle: PROVIDER };
    let checked = match Client::with_patience(patience) {
        Ok(client) => client.check(endpoint).await,
        Err(error) => Err(error),
    };
    match checked {
        Ok(()) => Line::new(Level::Ok, what, format!("{} takes the key", endpoint.base_url)),
        Err(error) => Line::new(Level::Fail, what, format!("{}. {}", chain(&error), error.kind.hint())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_git_is_read() {
        assert_eq!(git_version("git version 2.47.3"), Some((2, 47)));
        assert_eq!(git_version("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(git_version("zsh: command not found"), None);
    }

    #[test]
    fn one_failure_is_enough() {
        let line = |level| Line::new(level, "disk", "full");
        let mut out = Vec::new();
        assert!(print(&[line(Level::Ok), line(Level::Warn)], &mut out).unwrap());
        assert!(!print(&[line(Level::Ok), line(Level::Fail)], &mut out).unwrap());
        assert!(String::from_utf8(out).unwrap().ends_with("ok    disk: full\nFAIL  disk: full\n"));
    }
}
