//! Looks at everything that the server needs and says how to mend what is missing. Changes nothing, but for one small object that it
//! puts into the bucket for backups and takes away again.

use std::io::{self, Write};
use std::sync::Arc;

use guildhall_types::Clock;
use serde::Serialize;

mod address;
mod backups;
mod bus;
mod certificate;
mod database;
mod disk;
mod files;
mod host;
mod keys;
mod outside;
mod shelf;

use crate::config::{Config, Faults, Flags};
pub(crate) use disk::place;

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// The server runs, but something is worth a look.
    Warn,
    /// Something will not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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

/// Looks at everything, with the settings that stand in the flags, the environment and the file.
pub async fn examine(flags: &Flags, clock: Arc<dyn Clock>) -> Vec<Line> {
    let config = match Config::load(flags) {
        Ok(config) => config,
        Err(Faults(faults)) => {
            let mut lines: Vec<Line> =
                faults.iter().map(|fault| Line::new(Level::Fail, "configuration", fault.to_string())).collect();
            lines.push(host::git().await);
            return lines;
        }
    };
    let mut lines = vec![Line::new(Level::Ok, "configuration", format!("listens on {}", config.listen))];
    lines.extend(config.notes.iter().map(|note| Line::new(Level::Warn, "configuration", note)));
    lines.extend(files::secrets(&Config::secret_files(flags)));
    lines.extend(files::data_dir(&config.data_dir));
    lines.extend(disk::examine(&config));
    lines.extend(database::examine(&config, Arc::clone(&clock)).await);
    lines.extend(bus::examine(&config).await);
    lines.extend(shelf::examine(&config).await);
    lines.push(host::git().await);
    lines.extend(host::sandbox(config.sandbox).await);
    lines.push(host::handles(config.guard.max_connections));
    lines.extend(crate::toolchains::examine(&config));
    lines.push(address::listening(&config));
    lines.extend(address::public(&config, clock.now()).await);
    lines.extend(address::proxies(&config));
    lines.extend(address::previews(&config, clock.now()).await);
    lines.push(outside::mail(config.mail.as_ref()).await);
    lines.extend(outside::providers(&config).await);
    lines.extend(outside::sign_in(&config).await);
    lines.extend(outside::collector(config.collector.as_ref()).await);
    lines
}

/// Whether nothing failed.
fn well(lines: &[Line]) -> bool {
    lines.iter().all(|line| line.level != Level::Fail)
}

/// Writes the lines for people, and returns whether nothing failed.
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
    Ok(well(lines))
}

/// All that was looked at, for programs.
#[derive(Debug, Serialize)]
struct Report<'a> {
    /// Whether nothing failed.
    well: bool,
    checks: &'a [Line],
}

/// Writes the lines as one JSON object, and returns whether nothing failed.
///
/// # Errors
/// When they cannot be written.
pub fn print_json(lines: &[Line], out: &mut impl Write) -> io::Result<bool> {
    let report = Report { well: well(lines), checks: lines };
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)?;
    Ok(report.well)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_is_enough() {
        let line = |level| Line::new(level, "disk", "full");
        let mut out = Vec::new();
        assert!(print(&[line(Level::Ok), line(Level::Warn)], &mut out).unwrap());
        assert!(!print(&[line(Level::Ok), line(Level::Fail)], &mut out).unwrap());
        assert!(String::from_utf8(out).unwrap().ends_with("ok    disk: full\nFAIL  disk: full\n"));
    }

    #[test]
    fn programs_are_told_the_same() {
        let mut out = Vec::new();
        assert!(!print_json(&[Line::new(Level::Fail, "disk", "full")], &mut out).unwrap());
        let told: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let check = serde_json::json!({ "level": "fail", "what": "disk", "detail": "full" });
        assert_eq!(told, serde_json::json!({ "well": false, "checks": [check] }));
    }
}
