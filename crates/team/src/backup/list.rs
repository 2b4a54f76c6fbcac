//! Which backups are there, and which of them go.

use std::collections::BTreeMap;

use guildhall_types::DateTime;
use guildhall_types::backup::{Finding, Keep, Standing, kept};

use super::manifest::{FILE, FORMAT, Manifest};
use super::shelf::Alone;
use super::{BackupError, Shelf};

/// How a backup is named: by the moment at which it was begun, so that names sort by time.
pub(super) fn name_of(at: DateTime) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

/// Whether a name is one of a backup: the moment, and perhaps a number where there were several.
pub(super) fn is_name(name: &str) -> bool {
    let (moment, number) = name.split_once('-').unwrap_or((name, "1"));
    let shape = moment.len() == 16
        && moment.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    shape && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The manifest of a backup, if it is there.
pub(super) async fn manifest(shelf: &Shelf, name: &str) -> Result<Option<Manifest>, BackupError> {
    if !is_name(name) {
        return Ok(None);
    }
    let Some(bytes) = shelf.small(name, FILE).await? else { return Ok(None) };
    let unreadable = |why: String| BackupError::Manifest { name: name.to_owned(), why };
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
    if manifest.format != FORMAT {
        let why =
            format!("it is of the form {}, and this version reads {FORMAT}; use a later version", manifest.format);
        return Err(unreadable(why));
    }
    let plain = |file: &str| !file.starts_with('.') && !file.contains(['/', '\\', '\0']);
    let parents = manifest.parent.as_deref().is_none_or(is_name);
    if manifest.name != name || !parents || !manifest.parts().all(|part| plain(&part.file)) {
        return Err(unreadable("it is not of this backup, or names a file outside of it".to_owned()));
    }
    Ok(Some(manifest))
}

/// The backups that are there, the oldest first. What has no manifest is none.
///
/// # Errors
/// When the destination cannot be read, or a manifest is none.
pub async fn listed(shelf: &Shelf) -> Result<Vec<Manifest>, BackupError> {
    let mut all = Vec::new();
    for name in shelf.names().await? {
        all.extend(manifest(shelf, &name).await?);
    }
    all.sort_by(|a, b| (a.made_at, &a.name).cmp(&(b.made_at, &b.name)));
    Ok(all)
}

/// A backup with those that it builds on, the full one first.
pub(super) async fn chain(shelf: &Shelf, name: Option<&str>) -> Result<Vec<Manifest>, BackupError> {
    let at = || shelf.to_string();
    let last = match name {
        Some(name) => {
            manifest(shelf, name).await?.ok_or_else(|| BackupError::Missing { name: name.to_owned(), at: at() })?
        }
        None => listed(shelf).await?.pop().ok_or_else(|| BackupError::Nothing { at: at() })?,
    };
    let mut chain = vec![last];
    while let Some(parent) = chain.last().and_then(|last| last.parent.clone()) {
        if chain.iter().any(|known| known.name == parent) {
            let why = "it builds on itself".to_owned();
            return Err(BackupError::Manifest { name: parent, why });
        }
        let found = manifest(shelf, &parent).await?;
        chain.push(found.ok_or_else(|| BackupError::Missing { name: parent, at: at() })?);
    }
    chain.reverse();
    Ok(chain)
}

/// Takes away what is not kept, by what is known of each, and what was cut off in the middle. Returns what went. Only with the
/// destination in hand.
pub(super) async fn tidy_alone(
    shelf: &Shelf,
    keep: &Keep,
    known: &BTreeMap<String, Finding>,
    alone: &Alone,
) -> Result<Vec<String>, BackupError> {
    let standing: Vec<Standing> = listed(shelf)
        .await?
        .into_iter()
        .map(|Manifest { name, made_at, parent, .. }| {
            let finding = known.get(&name).copied().unwrap_or(Finding::Unknown);
            Standing { name, at: made_at, parent, finding }
        })
        .collect();
    let kept = kept(&standing, keep);
    // The latest first, so that none is ever there without what it builds on.
    let mut gone: Vec<String> = standing.into_iter().map(|one| one.name).filter(|name| !kept.contains(name)).collect();
    gone.reverse();
    for name in &gone {
        alone.still().await?;
        shelf.delete(name).await?;
    }
    sweep(shelf, alone).await?;
    Ok(gone)
}

/// Takes away what has no manifest: it was cut off.
pub(super) async fn sweep(shelf: &Shelf, alone: &Alone) -> Result<(), BackupError> {
    for name in shelf.names().await? {
        // Not merely one that cannot be read just now: it is taken away for good, so the list has to say the same.
        if shelf.small(&name, FILE).await?.is_none() && !shelf.sizes(&name).await?.contains_key(FILE) {
            alone.still().await?;
            shelf.delete(&name).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_whatever_else_lies_there() {
        assert!(is_name(&name_of(DateTime::UNIX_EPOCH)) && is_name("20260101T000000Z-2"));
        for other in
            ["", "lost+found", "..", "20260101T000000Z-", "20260101T000000Z/x", "2026-01-01", "20260101T000000Z-x"]
        {
            assert!(!is_name(other), "{other}");
        }
    }
}
