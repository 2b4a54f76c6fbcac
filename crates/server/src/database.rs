//! The database as it is there already, for what operators do without a server.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use guildhall_store::Store;
use guildhall_types::Clock;

use crate::config::Config;

/// Opens the database. None is made: where there is none, the folder is the wrong one.
///
/// # Errors
/// When there is no such database, or it cannot be opened.
pub async fn existing(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Store> {
    let url = config.database_url.expose();
    if let Some(path) = url.strip_prefix("sqlite://")
        && !Path::new(path).exists()
    {
        bail!("there is no database at {path}; name its folder with --data-dir");
    }
    Store::open(url, clock).await.context("the database cannot be opened")
}
