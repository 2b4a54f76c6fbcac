//! Tidying up on the command line: for operators.

use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, bail};
use guildhall_engine::Broom;
use guildhall_team::Places;
use guildhall_types::tidy::{DiskReport, Orphan, WorktreeGoing};
use guildhall_types::{Clock, MemberId};

use crate::config::Config;
use crate::{database, folder};

/// How to tidy up.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct TidyCommand {
    /// Only say what would go, and why. Works beside a running server.
    #[arg(long)]
    pub dry_run: bool,
}

/// Does it, or says what it would do. Returns whether nothing went wrong.
///
/// # Errors
/// When the database cannot be read, a server works in the data folder, or `out` cannot be written.
pub async fn run(
    command: TidyCommand,
    config: &Config,
    clock: Arc<dyn Clock>,
    out: &mut (impl Write + Send),
) -> anyhow::Result<bool> {
    // Whoever looks changes nothing, and needs no leave. Whoever sweeps must be alone: only a server knows who works where.
    let alone = match command.dry_run {
        true => None,
        false => Some(folder::hold(&config.data_dir).await.context(
            "only the server itself can tidy up while it runs: use Operation, Disk on its page, or POST /api/operation/tidy; \
             `--dry-run` works beside it",
        )?),
    };
    let store = match command.dry_run {
        true => database::existing_even_if_moved(config, Arc::clone(&clock)).await?,
        // Of one that is left behind, what came since belongs to nothing, and what was brought back is archived.
        false => database::existing(config, Arc::clone(&clock)).await?,
    };
    let (found, wanted) = store.schema_version().await?;
    if found != Some(wanted) {
        bail!("the database is not at this version's schema; run `guildhall migrate` first");
    }
    let places = Places::below(&config.data_dir, Vec::new()).with_scratch(config.backup_rules.scratch.clone());
    let broom = Broom::alone(store.clone(), places, Arc::clone(&clock));
    let report = broom.look().await?;
    tell(&report, out)?;
    let mut well = true;
    if alone.is_some() {
        let swept = broom.sweep(true).await;
        writeln!(out)?;
        for gone in &swept.gone {
            writeln!(out, "gone: {gone}")?;
        }
        for stays in &swept.stays {
            writeln!(out, "stays: {stays}")?;
        }
        for fault in &swept.faults {
            writeln!(out, "FAIL: {fault}")?;
        }
        if swept.gone.is_empty() && swept.stays.is_empty() && swept.faults.is_empty() {
            writeln!(out, "There was nothing to take away.")?;
        }
        well = swept.faults.is_empty();
    }
    store.close().await;
    Ok(well)
}

/// Says what uses the disk, and what would go.
fn tell(report: &DiskReport, out: &mut impl Write) -> anyhow::Result<()> {
    let bytes = &report.bytes;
    if let Some(disk) = report.disk {
        let percent = disk.used.saturating_mul(100) / disk.total.max(1);
        writeln!(
            out,
            "disk          {} of {} used ({percent} %)",
            size(disk.used.unsigned_abs()),
            size(disk.total.unsigned_abs())
        )?;
    }
    writeln!(out, "database      {} ({} free in it)", size(bytes.database), size(bytes.database_free))?;
    for (what, bytes) in [
        ("repositories ", bytes.repositories),
        ("worktrees    ", bytes.worktrees),
        ("caches       ", bytes.caches),
        ("orphans      ", bytes.orphans),
    ] {
        writeln!(out, "{what} {}", size(bytes))?;
    }
    let plan = &report.plan;
    writeln!(out)?;
    for WorktreeGoing { run_id, why, bytes } in &plan.worktrees {
        let title = report.worktrees.iter().find(|one| one.run_id == *run_id).map_or("", |one| one.title.as_str());
        writeln!(out, "would go: the worktree of run {run_id} ({why}), {}: {title}", size(*bytes))?;
    }
    for cache in &plan.caches {
        let of = cache.member_id.map_or_else(|| "all".to_owned(), |member: MemberId| member.to_string());
        let (project, tool, why) = (cache.project_id, &cache.tool, cache.why);
        writeln!(out, "would go: what {tool} keeps for {of} in project {project} ({why}), {}", size(cache.bytes))?;
    }
    for repository in &plan.repositories {
        let (name, bytes) = (&repository.name, size(repository.bytes));
        writeln!(out, "would go: the repository of {name}, archived, {bytes}")?;
    }
    let records = plan.records;
    writeln!(
        out,
        "would go: the histories of {} closed runs and {} events; the refs of {} closed runs would be looked through",
        records.runs, records.events, records.snapshots
    )?;
    for Orphan { path, bytes, .. } in &report.orphans {
        writeln!(
            out,
            "stays:    {path}, {}: nothing in this database belongs to it; an admin can remove it",
            size(*bytes)
        )?;
    }
    Ok(())
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_as_people_read_them() {
        assert_eq!(
            [0, 999, 1_000, 15_360_000, u64::MAX].map(size),
            ["0 B", "999 B", "1.0 kB", "15.4 MB", "18446744.1 TB"]
        );
    }
}
