//! The database as it is there already, for what operators do without a server, and whether it is still the team's.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use guildhall_store::{Store, StoreError};
use guildhall_types::Clock;

use crate::config::Config;
use crate::folder;

/// The setting of a database whose team was moved: where to, without user and password.
const MOVED_TO: &str = "moved_to";

/// The team of this database is in another one by now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the team of this database was moved to {to}: name that one to the server (DATABASE_URL). If it was given up there and this one is to go on, run `guildhall migrate --unmark` first"
)]
pub struct Moved {
    /// Where to.
    to: String,
}

/// Opens the database, in which the team still is. None is made: where there is none, the folder is the wrong one.
///
/// # Errors
/// When there is no such database, it cannot be opened, or its team is in another one by now.
pub async fn existing(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Store> {
    let store = existing_even_if_moved(config, clock).await?;
    let moved = stays(&store).await?;
    if moved.is_err() {
        store.close().await;
    }
    moved?;
    Ok(store)
}

/// The same, though its team is in another one by now: for what only looks.
///
/// # Errors
/// When there is no such database, or it cannot be opened.
pub async fn existing_even_if_moved(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Store> {
    let url = config.database_url.expose();
    if let Some(path) = url.strip_prefix("sqlite://")
        && !Path::new(path).exists()
    {
        bail!("there is no database at {path}; name its folder with --data-dir");
    }
    Store::open(url, clock).await.context("the database cannot be opened")
}

/// Brings the database to this version's schema, beside no server: one of an earlier version would go on writing by the schema
/// that it knows. With `unmark`, says that the team is in it after all.
///
/// # Errors
/// When a server works in the data folder, a restore into it was cut off, or the database cannot be brought there.
pub async fn migrate(config: &Config, unmark_too: bool, clock: Arc<dyn Clock>) -> anyhow::Result<()> {
    let _alone = folder::take(&config.data_dir).await?;
    folder::is_whole(&config.data_dir)?;
    let store = Store::open(config.database_url.expose(), clock).await?;
    store.migrate().await?;
    if unmark_too {
        unmark(&store).await?;
    }
    store.close().await;
    Ok(())
}

/// Whether the team is still in this database. One without tables has no team that could be elsewhere.
///
/// # Errors
/// When the database fails.
pub async fn stays(store: &Store) -> Result<Result<(), Moved>, StoreError> {
    if store.schema_version().await?.0.is_none() {
        return Ok(Ok(()));
    }
    let to = store.setting::<Option<String>>(MOVED_TO).await?.flatten();
    Ok(to.map_or(Ok(()), |to| Err(Moved { to })))
}

/// Says that the team is in another database from now on: where it is, without user and password.
///
/// # Errors
/// When the database fails.
pub async fn mark(store: &Store, to: &str) -> Result<(), StoreError> {
    store.put_setting(MOVED_TO, &to).await
}

/// Says that the team is in this database after all.
///
/// # Errors
/// When the database fails.
pub async fn unmark(store: &Store) -> Result<(), StoreError> {
    store.put_setting(MOVED_TO, &None::<String>).await
}
