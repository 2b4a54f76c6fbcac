//! The keys that seal secrets: on the command line, beside running servers; and how a server notices a change.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use chrono::SecondsFormat;
use guildhall_team::keys::{KeyView, Keys, Rotation};
use guildhall_team::vault::{Vault, VaultError};
use guildhall_team::{Team, TeamError};
use guildhall_types::audit::Actor;
use guildhall_types::{Clock, DateTime};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::database;

/// How often a server looks whether another key became current. It would notice anyway when it puts the next secret.
const LOOK: Duration = Duration::from_secs(5);

/// What to do with the keys.
#[derive(Debug, clap::Subcommand)]
pub enum KeysCommand {
    /// Show the keys: which is current, how many secrets each seals, which files are missing.
    List,
    /// Make a key that is not used yet, to be copied to every server before `rotate --to`.
    New,
    /// Make another key the current one and seal everything under it, beside running servers. Finishes what was cut off.
    Rotate {
        /// The key, instead of a new one.
        #[arg(long, value_name = "ID")]
        to: Option<String>,
    },
    /// Retire a key that seals nothing any more.
    Retire {
        /// Which, as `list` shows it.
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// Does it. Returns whether everything can be opened and nothing is left to do.
///
/// # Errors
/// When the database or the files of keys cannot be used, it is refused, or `out` cannot be written.
pub async fn run(
    command: KeysCommand,
    config: &Config,
    clock: Arc<dyn Clock>,
    out: &mut (impl Write + Send),
) -> anyhow::Result<bool> {
    let now = clock.now();
    let store = database::existing(config, clock).await?;
    store
        .current_key()
        .await
        .context("the database is of another version; run `guildhall migrate` with the version that the server runs")?;
    let program = Actor { user_agent: Some("guildhall keys".to_owned()), ..Actor::default() };
    let store = store.acting_as(program);
    let vault = Vault::open_files(config.key_files())?;
    let keys = Keys { store: &store, vault: &vault };
    let well = match command {
        KeysCommand::List => list(keys, now, out).await?,
        KeysCommand::New => {
            let _alone = alone(&config.data_dir)?;
            let made = keys.make().await?;
            writeln!(out, "Made the key {} in {}.", made.id, made.path.display())?;
            writeln!(
                out,
                "It seals nothing yet. Copy the file to every other server and to your safe place, then run: guildhall keys rotate --to {}",
                made.id
            )?;
            true
        }
        KeysCommand::Rotate { to } => {
            let _alone = alone(&config.data_dir)?;
            tell_rotation(&keys.rotate(to.as_deref()).await?, out)?
        }
        KeysCommand::Retire { id } => {
            let _alone = alone(&config.data_dir)?;
            match keys.retire(&id).await? {
                Some(path) => writeln!(
                    out,
                    "Retired the key {id}. Delete {} here and its copies on other servers; backups of the database that were made before need it as long as you keep them.",
                    path.display()
                )?,
                None => writeln!(out, "Retired the key {id}. Its file is not on this server.")?,
            }
            true
        }
    };
    store.close().await;
    Ok(well)
}

/// Lets one command at a time work on the keys of a folder. The lock goes with the process, however it ends.
fn alone(data_dir: &Path) -> anyhow::Result<File> {
    let path = data_dir.join("keys.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("{} cannot be opened", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another `guildhall keys` is at work in {}; wait until it is done", data_dir.display())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("{} cannot be locked", path.display())),
    }
}

async fn list(keys: Keys<'_>, now: DateTime, out: &mut impl Write) -> anyhow::Result<bool> {
    let keys = keys.list().await?;
    for key in &keys.items {
        writeln!(out, "{}", line(key, now))?;
    }
    if keys.items.is_empty() {
        writeln!(out, "There is no key yet; the first start of the server makes one.")?;
    }
    for key in keys.lacking() {
        writeln!(
            out,
            "MISSING: the file of the key {} is not on this server; copy it from another server or a backup.",
            key.id
        )?;
    }
    Ok(keys.lacking().next().is_none())
}

fn line(key: &KeyView, now: DateTime) -> String {
    let KeyView { id, current, secrets, made_at, current_at, retired_at, path, .. } = key;
    let day = |at: DateTime| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let state = match (current, current_at, retired_at) {
        (true, Some(at), _) => format!("current since {} ({} days)", day(*at), (now - *at).num_days()),
        (true, None, _) => "current".to_owned(),
        (_, _, Some(at)) => format!("retired {}", day(*at)),
        (_, Some(_), None) if *secrets == 0 => "no longer used: retire it".to_owned(),
        (_, Some(_), None) => "being replaced: run rotate".to_owned(),
        (_, None, None) if *secrets > 0 => "not current".to_owned(),
        (_, None, None) => match made_at {
            Some(at) => format!("made {}, not used yet", day(*at)),
            None => "not used yet".to_owned(),
        },
    };
    let place = path.as_ref().map_or_else(|| "no file here".to_owned(), |path| path.display().to_string());
    format!("{id}  {secrets:>6} secret(s)  {state}  {place}")
}

fn tell_rotation(done: &Rotation, out: &mut impl Write) -> anyhow::Result<bool> {
    let Rotation { to, from, made, rewrapped, left, broken, spent } = done;
    if let Some(path) = made {
        writeln!(
            out,
            "Made the key {to} in {}. Keep a copy in a safe place, apart from the database's backups.",
            path.display()
        )?;
    }
    match from {
        Some(from) => writeln!(out, "The current key is now {to}; it was {from}.")?,
        None => writeln!(out, "The current key is {to} already; what was left to seal under it was sealed.")?,
    }
    writeln!(out, "Sealed {rewrapped} secret(s) anew.")?;
    for (key, n) in left {
        writeln!(
            out,
            "LEFT: {n} secret(s) are sealed under {key}, whose file is not here. Restore it and run this again; if it is lost, members put their keys in place again."
        )?;
    }
    for identity in broken {
        writeln!(out, "BROKEN: {identity} does not open: its row was changed. Have it put in place again.")?;
    }
    for KeyView { id, .. } in spent {
        writeln!(out, "The key {id} seals nothing any more. It can go: guildhall keys retire {id}")?;
    }
    Ok(left.is_empty() && broken.is_empty())
}

/// Has the server seal under whichever key is current, until it closes.
pub(crate) async fn watch(team: Team, closing: CancellationToken) {
    let mut lacking = team.vault.key_id().filter(|id| !team.vault.holds(id).unwrap_or(false));
    let mut failing = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = closing.cancelled() => return,
        }
        match team.notice_key().await {
            Ok(turned) => {
                if let Some(key) = turned.or_else(|| lacking.take()) {
                    tracing::info!(key, "secrets are sealed under this key from now on");
                }
                (lacking, failing) = (None, false);
            }
            Err(TeamError::Vault(VaultError::Lacking { key_id })) => {
                if lacking.as_ref() != Some(&key_id) {
                    tell_of_lacking(&key_id);
                }
                lacking = Some(key_id);
            }
            // Told once, not every five seconds.
            Err(error) if !failing => {
                tracing::warn!(error = crate::problem::chain(&error), "which key seals secrets cannot be looked up");
                failing = true;
            }
            Err(_) => {}
        }
    }
}

pub(crate) fn tell_of_lacking(key: &str) {
    tracing::error!(
        key,
        "the key under which secrets are sealed is not on this server: copy its file into the folder of keys from another server or a backup; until then no secret is sealed here, and those under it do not open"
    );
}
