//! Which backups are there, and which of them go.

use std::collections::{BTreeMap, BTreeSet};

use guildhall_store::{Store, StoreError};
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

/// What is at a place for backups.
#[derive(Debug, Default)]
pub struct Shelved {
    /// The backups that are there, the oldest first, whoever made them.
    pub whole: Vec<Manifest>,
    /// The names of those whose manifest cannot be read, in their order, and why. Each may be mended, so that they stay.
    pub unreadable: Vec<(String, BackupError)>,
}

/// Whose backups are this team's own.
#[derive(Debug)]
pub(super) struct Own {
    installation: String,
    known: BTreeMap<String, Finding>,
}

impl Own {
    pub(super) async fn of(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { installation: store.installation().await?, known: store.backup_findings().await? })
    }

    /// Whether this installation made it. Of one that does not say who did, the database knows.
    pub(super) fn made(&self, one: &Manifest) -> bool {
        match &one.installation {
            Some(installation) => *installation == self.installation,
            None => self.known.contains_key(&one.name),
        }
    }

    /// What is known of one; nothing of one that is not known at all.
    pub(super) fn finding(&self, name: &str) -> Option<Finding> {
        self.known.get(name).copied()
    }

    /// Which installation this is.
    pub(super) fn installation(&self) -> &str {
        &self.installation
    }
}

/// Looks at what is there. What has no manifest is no backup.
///
/// # Errors
/// When the destination cannot be read.
pub async fn shelved(shelf: &Shelf) -> Result<Shelved, BackupError> {
    let mut found = Shelved::default();
    for name in shelf.names().await? {
        match manifest(shelf, &name).await {
            Ok(one) => found.whole.extend(one),
            Err(error @ BackupError::Manifest { .. }) => found.unreadable.push((name, error)),
            Err(error) => return Err(error),
        }
    }
    found.whole.sort_by(|a, b| (a.made_at, &a.name).cmp(&(b.made_at, &b.name)));
    Ok(found)
}

/// The backups that are there and can be read, the oldest first.
///
/// # Errors
/// When the destination cannot be read.
pub async fn listed(shelf: &Shelf) -> Result<Vec<Manifest>, BackupError> {
    Ok(shelved(shelf).await?.whole)
}

/// A backup with those that it builds on.
pub(super) struct Chain {
    /// The full one first.
    pub(super) all: Vec<Manifest>,
    /// The names of later ones, which cannot be read.
    pub(super) passed_over: Vec<String>,
}

/// A backup with those that it builds on; the latest, if none is named.
pub(super) async fn chain(shelf: &Shelf, name: Option<&str>) -> Result<Chain, BackupError> {
    let at = || shelf.to_string();
    let mut passed_over = Vec::new();
    let last = match name {
        Some(name) => {
            manifest(shelf, name).await?.ok_or_else(|| BackupError::Missing { name: name.to_owned(), at: at() })?
        }
        None => {
            let Shelved { mut whole, mut unreadable } = shelved(shelf).await?;
            one_installation(&whole, at())?;
            let Some(latest) = whole.pop() else {
                return Err(unreadable.pop().map_or_else(|| BackupError::Nothing { at: at() }, |(_, error)| error));
            };
            passed_over.extend(unreadable.into_iter().map(|(name, _)| name).filter(|name| *name > latest.name));
            latest
        }
    };
    let mut all = vec![last];
    while let Some(parent) = all.last().and_then(|last| last.parent.clone()) {
        if all.iter().any(|known| known.name == parent) {
            let why = "it builds on itself".to_owned();
            return Err(BackupError::Manifest { name: parent, why });
        }
        let found = manifest(shelf, &parent).await?;
        all.push(found.ok_or_else(|| BackupError::Missing { name: parent, at: at() })?);
    }
    all.reverse();
    Ok(Chain { all, passed_over })
}

/// Refuses to say which is the latest where several installations put theirs.
fn one_installation(whole: &[Manifest], at: String) -> Result<(), BackupError> {
    let latest: BTreeMap<&str, &str> =
        whole.iter().filter_map(|one| Some((one.installation.as_deref()?, one.name.as_str()))).collect();
    match latest.len() {
        0 | 1 => Ok(()),
        _ => {
            let mut latest: Vec<&str> = latest.into_values().collect();
            latest.sort_unstable();
            Err(BackupError::Several { at, latest: latest.join(", ") })
        }
    }
}

/// What became of this installation's backups.
#[derive(Debug)]
pub(super) struct Tidied {
    pub(super) gone: Vec<String>,
    /// All that are there, of whomever.
    pub(super) left: BTreeSet<String>,
}

/// Takes away what is not kept of this installation's own, by what `finding` says of each, and what was cut off in the
/// middle. Only with the destination in hand.
pub(super) async fn tidy_alone(
    shelf: &Shelf,
    keep: &Keep,
    own: &Own,
    finding: impl Fn(Finding) -> Finding,
    alone: &Alone,
) -> Result<Tidied, BackupError> {
    let Shelved { whole, unreadable } = shelved(shelf).await?;
    let mut left: BTreeSet<String> = whole.iter().map(|one| one.name.clone()).collect();
    left.extend(unreadable.into_iter().map(|(name, _)| name));
    let standing: Vec<Standing> = whole
        .into_iter()
        .filter(|one| own.made(one))
        .map(|Manifest { name, made_at, parent, .. }| {
            let finding = finding(own.finding(&name).unwrap_or(Finding::Unknown));
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
        left.remove(name);
    }
    sweep(shelf, alone).await?;
    Ok(Tidied { gone, left })
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
