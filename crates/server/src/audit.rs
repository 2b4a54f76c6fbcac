//! The audit on the command line: for operators, without a server.

use std::io::Write;
use std::sync::Arc;

use anyhow::Context;
use futures::StreamExt;
use guildhall_store::{AuditQuery, Store, Verdict};
use guildhall_types::{Clock, DateTime};

use crate::config::Config;
use crate::database;
use crate::routes::audit::lines;

/// Entries that are read at once.
const AT_ONCE: i64 = 500;

/// What to do with the audit.
#[derive(Debug, clap::Subcommand)]
pub enum AuditCommand {
    /// Walk along the chain of entries, and tell the first place where it is broken.
    Verify {
        /// The number and the hash of an entry as it was told earlier, such as 120:9f86…: fails when it is no longer so.
        #[arg(long, value_name = "NUMBER:HASH")]
        expect: Option<String>,
    },
    /// Write the entries as JSON lines, the oldest first.
    Export {
        /// Only from this moment on, such as 2026-01-31T00:00:00Z.
        #[arg(long, value_name = "TIME")]
        from: Option<DateTime>,
        /// Only before this moment.
        #[arg(long, value_name = "TIME")]
        to: Option<DateTime>,
    },
}

/// Does it. Returns whether the audit is as it was written.
///
/// # Errors
/// When the database cannot be read, or `out` cannot be written.
pub async fn run(
    command: AuditCommand,
    config: &Config,
    clock: Arc<dyn Clock>,
    out: &mut (impl Write + Send),
) -> anyhow::Result<bool> {
    let store = database::existing_even_if_moved(config, clock).await?;
    let sound = match command {
        AuditCommand::Verify { expect } => verify(&store, expect.as_deref(), out).await?,
        AuditCommand::Export { from, to } => {
            let query = AuditQuery { from, to, oldest_first: true, limit: AT_ONCE, ..AuditQuery::default() };
            let mut lines = std::pin::pin!(lines(store.clone(), query));
            while let Some(piece) = lines.next().await {
                out.write_all(piece?.as_bytes())?;
            }
            true
        }
    };
    store.close().await;
    Ok(sound)
}

async fn verify(store: &Store, expect: Option<&str>, out: &mut impl Write) -> anyhow::Result<bool> {
    if let Some(expect) = expect {
        let (number, hash) = expect.split_once(':').context("give --expect as NUMBER:HASH")?;
        let number: i64 = number.parse().context("give --expect as NUMBER:HASH")?;
        let query = AuditQuery { after: Some(number - 1), oldest_first: true, limit: 1, ..AuditQuery::default() };
        let found = store.audit_entries(&query).await?.into_iter().next().filter(|entry| entry.seq == number);
        if found.is_none_or(|entry| !entry.hash.eq_ignore_ascii_case(hash.trim())) {
            writeln!(out, "BROKEN: entry {number} is not the one that was told earlier: the audit was written anew")?;
            return Ok(false);
        }
    }
    let Verdict { sound, hash, broken } = store.verify_audit().await?;
    match broken {
        None => writeln!(out, "The audit is as it was written: {sound} entries. Keep this elsewhere: {sound}:{hash}")?,
        Some(broken) => writeln!(out, "BROKEN: {broken}. The {sound} entries before are as they were written.")?,
    }
    Ok(broken.is_none())
}
