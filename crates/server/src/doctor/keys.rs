//! The keys that seal secrets: whether they are there, for their owner alone, and enough to open everything.

use guildhall_store::Store;
use guildhall_team::keys::Keys;
use guildhall_team::vault::Vault;

use super::{Level, Line};
use crate::config::Config;
use crate::problem::chain;

const WHAT: &str = "keys that seal secrets";

/// The files alone, where no database can be asked.
pub(super) fn files(config: &Config) -> Line {
    match Vault::open_files(config.key_files()) {
        Err(error) => Line::new(Level::Fail, WHAT, chain(&error)),
        Ok(vault) => match vault.key_id() {
            Some(id) => Line::new(Level::Ok, WHAT, format!("the key {id} is there")),
            None => {
                let path = config.key_files().first;
                Line::new(Level::Ok, WHAT, format!("{} is made at the first start", path.display()))
            }
        },
    }
}

/// What to do about a key that is lacking. The server may have been told of a file of which this was not.
fn mend(config: &Config) -> String {
    let folder = config.key_files().first;
    let folder = folder.parent().unwrap_or(&config.data_dir).display();
    let whence = match &config.key_file {
        Some(given) => {
            format!("It is neither in {} (GUILDHALL_KEY_FILE) nor in {folder}: put it there", given.display())
        }
        None => format!(
            "If the server is given its keys by GUILDHALL_KEY_FILE, such as a credential from systemd, run this with the same setting (docs/deploy.md, The key apart from the data). Else copy its file into {folder}"
        ),
    };
    format!("{whence} from another server or a backup; if it is lost for good, members put their keys in place again")
}

/// The files, and what the database needs of them.
pub(super) async fn examine(config: &Config, store: &Store) -> Vec<Line> {
    let Ok(vault) = Vault::open_files(config.key_files()) else { return vec![files(config)] };
    // A database of an earlier version, or an empty one, knows of no key.
    let Ok(Some(current)) = store.current_key().await else { return vec![files(config)] };
    let keys = match (Keys { store, vault: &vault }).list().await {
        Ok(keys) => keys,
        Err(error) => return vec![Line::new(Level::Fail, WHAT, chain(&error))],
    };
    let mut lines = Vec::new();
    for key in keys.lacking() {
        let id = &key.id;
        let what = match (key.current, key.secrets) {
            (true, 0) => "new secrets cannot be sealed".to_owned(),
            (true, n) => format!("{n} secret(s) cannot be opened and no new ones sealed"),
            (false, n) => format!("{n} secret(s) cannot be opened"),
        };
        lines.push(Line::new(
            Level::Fail,
            WHAT,
            format!("the key {id} is not on this server: {what}. {}", mend(config)),
        ));
    }
    let behind: i64 = keys.items.iter().filter(|key| key.here && !key.current).map(|key| key.secrets).sum();
    if behind > 0 {
        let detail =
            format!("{behind} secret(s) are sealed under an earlier key; run `guildhall keys rotate` to finish");
        lines.push(Line::new(Level::Warn, WHAT, detail));
    }
    if let Some(key) = keys.items.iter().find(|key| key.current && key.here) {
        let (place, secrets) = (key.path.as_deref().map(|path| path.display().to_string()), key.secrets);
        let detail =
            format!("{} holds the current key {current}, which seals {secrets} secret(s)", place.unwrap_or_default());
        lines.push(Line::new(Level::Ok, WHAT, detail));
    }
    lines
}
