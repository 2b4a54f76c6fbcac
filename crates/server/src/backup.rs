//! Backups on the command line: making one beside a running server, looking at them, and restoring one into an empty server.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use chrono::SecondsFormat;
use guildhall_store::{Settled, Store};
use guildhall_team::Places;
use guildhall_team::backup::{
    BackedUp, BackupKey, BackupPlan, Backups, KeyState, Manifest, Restored, Restoring, Shelf, Shelved, shelved,
};
use guildhall_team::vault::Vault;
use guildhall_types::Clock;
use guildhall_types::audit::Actor;
use guildhall_types::backup::{Backup, BackupCause, BackupKind};

use crate::config::{Config, Faults};
use crate::problem::chain;
use crate::{database, folder};

/// Where backups are, and what they are sealed with, where that is not as the configuration says.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Place {
    /// The folder for backups, or s3://BUCKET/PREFIX [env: GUILDHALL_BACKUP_TO]
    #[arg(long, global = true, value_name = "PLACE")]
    pub to: Option<String>,
    /// The file of the key that they are sealed with [env: GUILDHALL_BACKUP_KEY_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

/// Makes a backup, or looks at those that are there.
#[derive(Debug, clap::Args)]
pub struct BackupArgs {
    #[command(flatten)]
    place: Place,
    /// Make a full one, whatever is there.
    #[arg(long)]
    full: bool,
    #[command(subcommand)]
    command: Option<BackupCommand>,
}

/// What to do instead of making one.
#[derive(Debug, clap::Subcommand)]
enum BackupCommand {
    /// Show the backups that are there.
    List,
    /// Restore a backup into a scratch place, and say what was found there.
    Verify {
        /// Its name; the latest, if none is given.
        name: Option<String>,
    },
}

/// Restores a backup into an empty server.
#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// The folder with the backups, or s3://BUCKET/PREFIX
    #[arg(long, value_name = "PLACE")]
    from: String,
    /// The name of the backup; the latest, if none is given.
    #[arg(long, value_name = "NAME")]
    at: Option<String>,
    /// The file of the key that it is sealed with [env: GUILDHALL_BACKUP_KEY_FILE]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// The configured plan, with what the command line says instead.
fn plan(config: &Config, place: &Place) -> anyhow::Result<BackupPlan> {
    let said = place.to.as_deref().map(|to| named(to, config)).transpose()?;
    let Some(shelf) = said.or_else(|| config.backup.clone()) else {
        bail!("name the place for backups: --to PLACE or GUILDHALL_BACKUP_TO")
    };
    let mut rules = config.backup_rules.clone();
    if let Some(file) = &place.key_file {
        rules.key_file = Some(file.clone());
    }
    Ok(BackupPlan { shelf, rules })
}

/// The place that the command line names. A relative folder counts from where the command is given.
fn named(text: &str, config: &Config) -> anyhow::Result<Shelf> {
    let place = match text.contains("://") {
        true => text.to_owned(),
        false => {
            let folder = std::path::absolute(text).context("the folder for backups cannot be named")?;
            folder.into_os_string().into_string().map_err(|_| anyhow!("the folder for backups cannot be named"))?
        }
    };
    if Shelf::names_bucket(&place) && !config.s3_faults.is_empty() {
        return Err(Faults(config.s3_faults.clone()).into());
    }
    // What was found is not shown: it may hold a key by mistake.
    Shelf::at(&place, &config.s3).map_err(|bad| anyhow!("the place for backups cannot be used; expected {bad}"))
}

/// Does it. Returns whether all is well.
///
/// # Errors
/// When it cannot be done, or `out` cannot be written.
pub async fn run(
    args: BackupArgs,
    config: &Config,
    clock: Arc<dyn Clock>,
    out: &mut (impl Write + Send),
) -> anyhow::Result<bool> {
    let plan = plan(config, &args.place)?;
    if let Some(BackupCommand::List) = args.command {
        list(&plan, known(config, clock).await, out).await?;
        return Ok(true);
    }
    let store = database::existing(config, Arc::clone(&clock)).await?;
    let program = Actor { user_agent: Some("guildhall backup".to_owned()), ..Actor::default() };
    let store = store.acting_as(program);
    let vault = Arc::new(Vault::open_files(config.key_files())?);
    let places = Arc::new(Places::below(&config.data_dir, Vec::new()));
    let backups = Backups::new(store.clone(), places, clock, vault, plan, config.data_dir.clone());
    let well = match args.command {
        Some(BackupCommand::Verify { name }) => {
            let verified = backups.verify(name.as_deref()).await?;
            writeln!(out, "Restored {} into a scratch place, which is gone again.", verified.restored.manifest.name)?;
            tell_restored(&verified.restored, out)?
        }
        _ => {
            let done = backups.make(BackupCause::Command, args.full).await?;
            tell_made(&done, backups.plan(), out)?
        }
    };
    store.close().await;
    Ok(well)
}

/// What the database knows of backups.
struct Known {
    /// By their names.
    all: BTreeMap<String, Backup>,
    /// Which installation this is.
    installation: String,
}

/// What the database knows. Backups can be listed without one, as where one is to be restored.
async fn known(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Known> {
    let store = database::existing_even_if_moved(config, clock).await?;
    let (all, installation) = tokio::join!(store.standing_backups(), store.installation());
    store.close().await;
    let all = all?.into_iter().filter_map(|one| Some((one.name.clone()?, one))).collect();
    Ok(Known { all, installation: installation? })
}

/// What was found in a backup, in a few words.
fn finding(of: &Known, manifest: &Manifest) -> String {
    let Manifest { name, installation, .. } = manifest;
    if installation.as_ref().is_some_and(|installation| *installation != of.installation) {
        return "of another installation".to_owned();
    }
    let Some(known) = of.all.get(name) else { return "not known here".to_owned() };
    let line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    match known {
        Backup { verify_problem: Some(problem), .. } => format!("NOT SOUND: {}", line(problem)),
        Backup { unsound_below: Some(below), .. } => {
            let why = of.all.get(below).and_then(|below| below.verify_problem.as_deref());
            let why = why.map_or_else(String::new, |why| format!(": {}", line(why)));
            format!("NOT SOUND: it builds on {below}, which is not{why}")
        }
        Backup { unchecked: Some(why), .. } => format!("not checked: {}", line(why)),
        Backup { verified_at: Some(_), .. } => "sound".to_owned(),
        _ => "not checked".to_owned(),
    }
}

async fn list(plan: &BackupPlan, known: anyhow::Result<Known>, out: &mut impl Write) -> anyhow::Result<()> {
    let Shelved { whole: all, unreadable } = shelved(&plan.shelf).await?;
    for manifest in &all {
        let Manifest { name, kind, parent, sealed_with, version, schema, .. } = manifest;
        let on = parent.as_ref().map_or_else(String::new, |parent| format!(" on {parent}"));
        let sealed = sealed_with.as_ref().map_or("not sealed".to_owned(), |key| format!("sealed with {key}"));
        let size = size(manifest.bytes());
        let found = known.as_ref().map_or_else(|_| String::new(), |known| format!("  {}", finding(known, manifest)));
        writeln!(out, "{name}  {kind}{on}  {size}  {sealed}  version {version}, schema {schema}{found}")?;
    }
    for (name, why) in &unreadable {
        writeln!(out, "{name}  CANNOT BE READ: {}", chain(why))?;
    }
    match known {
        _ if all.is_empty() && unreadable.is_empty() => writeln!(out, "There is no backup in {}.", plan.shelf)?,
        Err(why) => writeln!(out, "Whether they are sound is not known here: {why:#}.")?,
        Ok(_) => {}
    }
    Ok(())
}

fn size(bytes: u64) -> String {
    let mib = bytes.div_ceil(1024 * 1024);
    format!("{mib} MiB")
}

fn tell_made(done: &BackedUp, plan: &BackupPlan, out: &mut impl Write) -> anyhow::Result<bool> {
    let BackedUp { made, verified, gone } = done;
    let Manifest { name, kind, parent, .. } = &made.manifest;
    let what = match (kind, parent) {
        (BackupKind::Incremental, Some(parent)) => format!("builds on {parent}"),
        _ => "is a full one".to_owned(),
    };
    writeln!(out, "Made the backup {name} in {}: it {what} and takes {}.", plan.shelf, size(made.manifest.bytes()))?;
    writeln!(out, "In it are {} rows and {} repositories.", made.rows, made.repositories)?;
    for project in &made.without {
        writeln!(out, "The project {project} has no repository yet, so there is none of it in the backup.")?;
    }
    if let Some(problem) = made.problem() {
        writeln!(out, "It is NOT SOUND: {problem}.")?;
    }
    if let Some(key) = &made.manifest.sealed_with {
        writeln!(
            out,
            "It is sealed with the key {key}. Keep that key's file elsewhere: without it nobody reads the backup."
        )?;
    }
    match made.keys.is_empty() {
        true => writeln!(out, "No secret is sealed in the database, so it needs no key of keys/.")?,
        false => {
            let keys: Vec<String> = made.keys.iter().map(|(id, n)| format!("{id} ({n} secrets)")).collect();
            writeln!(
                out,
                "NOT in it are the keys that seal secrets. A restore needs: {}. Keep copies of them apart from the backups.",
                keys.join(", ")
            )?;
        }
    }
    let mut well = made.problem().is_none();
    match verified {
        Some(Ok(verified)) => {
            writeln!(out, "Restored it into a scratch place to look at it.")?;
            well &= tell_restored(&verified.restored, out)?;
        }
        Some(Err(error)) => {
            let what = if error.unsound(name).is_some() { "It is NOT SOUND" } else { "It could not be checked" };
            writeln!(out, "{what}: {}", chain(error))?;
            well = false;
        }
        None => {}
    }
    match gone {
        Ok(gone) => {
            for name in gone {
                writeln!(out, "Deleted the backup {name}, which is not kept any longer.")?;
            }
        }
        Err(error) => {
            writeln!(out, "Backups that are not kept any longer could not be deleted: {}", chain(error))?;
            well = false;
        }
    }
    Ok(well)
}

/// Says what came out of a backup. Returns whether all of it is as it should be.
fn tell_restored(restored: &Restored, out: &mut impl Write) -> anyhow::Result<bool> {
    let Restored { rows, repositories, keys, audit, problems, .. } = restored;
    writeln!(
        out,
        "{rows} rows are as the backup says, {repositories} repositories are whole, and {} entries of the audit are as they were written.",
        audit.sound
    )?;
    for KeyState { id, secrets, here, open } in keys {
        match here {
            true => writeln!(out, "The key {id} is here and opens {open} of {secrets} secrets.")?,
            false => writeln!(
                out,
                "LACKING: the key {id}, which seals {secrets} secrets, is not on this server. Put its file into keys/ of the data folder (mode 0600), or name it with GUILDHALL_KEY_FILE as the server does."
            )?,
        }
    }
    for problem in problems {
        writeln!(out, "PROBLEM: {problem}")?;
    }
    Ok(problems.is_empty())
}

/// Restores a backup. Returns whether all of it is as it should be.
///
/// # Errors
/// When it cannot be done; nothing is in place then. When `out` cannot be written.
pub async fn restore(
    args: RestoreArgs,
    config: &Config,
    clock: Arc<dyn Clock>,
    out: &mut (impl Write + Send),
) -> anyhow::Result<bool> {
    let shelf = named(&args.from, config)?;
    let key_file = args.key_file.or_else(|| config.backup_rules.key_file.clone());
    let key = key_file.as_deref().map(BackupKey::read).transpose()?;
    let _alone = folder::take(&config.data_dir).await?;
    let vault = Vault::open_files(config.key_files())?;
    let places = Places::below(&config.data_dir, Vec::new());
    let store = Store::open(config.database_url.expose(), clock).await.context("the database cannot be opened")?;
    let program = Actor { user_agent: Some("guildhall restore".to_owned()), ..Actor::default() };
    let store = store.acting_as(program);
    let restoring = Restoring {
        shelf: &shelf,
        name: args.at.as_deref(),
        key: key.as_ref(),
        store: &store,
        places: &places,
        data: &config.data_dir,
        vault: &vault,
    };
    let restored = restoring.restore().await;
    store.close().await;
    let restored = restored?;
    let made = restored.manifest.made_at.to_rfc3339_opts(SecondsFormat::Secs, true);
    for name in &restored.passed_over {
        writeln!(
            out,
            "The later backup {name} cannot be read, and was passed over; `guildhall backup list` says why."
        )?;
    }
    writeln!(out, "Restored the backup {}: the server is as it was at {made}.", restored.manifest.name)?;
    let well = tell_restored(&restored, out)?;
    let Settled { mails, messages, runs, sessions } = restored.settled;
    if mails + messages > 0 {
        writeln!(
            out,
            "{mails} mails and {messages} messages to webhooks waited to be sent at that time. They may have been sent since, so they were given up."
        )?;
    }
    writeln!(out, "{runs} runs were at work, and go on from their last saved turn when the server starts.")?;
    writeln!(
        out,
        "{sessions} sessions were ended: members sign in anew. What was taken back since, such as tokens, roles and accounts, stands as it did then: look at it."
    )?;
    writeln!(out, "Start the server: guildhall serve")?;
    Ok(well)
}
