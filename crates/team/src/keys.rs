//! The key-encryption keys: which are there, a new one, another current one, and one that goes.
//!
//! All of it works beside running servers. A rotation makes the other key current first, so that nothing new comes to stand
//! under the one before; then every data key is sealed anew, one by one. Killed at any moment, it is finished by being run
//! again; until then both keys are needed, and both are there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use guildhall_store::{KnownKey, Rewrapped, SealedSecret, Store, StoreError};
use guildhall_types::DateTime;
use serde::Serialize;
use utoipa::ToSchema;

use crate::vault::{KeyPlace, Vault, VaultError};
use crate::{Team, TeamError};

/// Data keys that are read at once.
const AT_ONCE: i64 = 100;
/// How often a secret is sealed anew because another key became current in between.
const TRIES: usize = 5;

/// A key-encryption key, as far as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyView {
    /// Names it: a short hash.
    pub id: String,
    /// Whether new secrets are sealed under it.
    pub current: bool,
    /// Whether this server has its file.
    pub here: bool,
    /// How many secrets are sealed under it.
    pub secrets: i64,
    /// When it was first heard of.
    pub made_at: Option<DateTime>,
    /// When it became the current one, the last time.
    pub current_at: Option<DateTime>,
    /// When it was retired.
    pub retired_at: Option<DateTime>,
    /// The file that it is in; not told to the page.
    #[serde(skip)]
    pub path: Option<PathBuf>,
}

/// The key-encryption keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeysView {
    /// The oldest first.
    pub items: Vec<KeyView>,
}

impl KeysView {
    /// Keys that are needed and are not on this server.
    pub fn lacking(&self) -> impl Iterator<Item = &KeyView> {
        self.items.iter().filter(|key| !key.here && (key.current || key.secrets > 0))
    }

    /// Keys that were current once, seal nothing any more and are not retired yet.
    pub fn spent(&self) -> impl Iterator<Item = &KeyView> {
        self.items
            .iter()
            .filter(|key| !key.current && key.secrets == 0 && key.current_at.is_some() && key.retired_at.is_none())
    }
}

/// How a server stands to the keys when it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Where the first key was made, if it was made now.
    pub made: Option<PathBuf>,
    /// The current key, if this server lacks it.
    pub lacking: Option<String>,
}

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The key that is current now.
    pub to: String,
    /// The key that was before, if it was another one.
    pub from: Option<String>,
    /// The file of the new key, if it was made now.
    pub made: Option<PathBuf>,
    /// How many data keys were sealed anew.
    pub rewrapped: u64,
    /// How many secrets stay under which key that is not here.
    pub left: BTreeMap<String, i64>,
    /// What could not be opened although its key is here: its row was changed.
    pub broken: Vec<String>,
    /// Keys that seal nothing any more.
    pub spent: Vec<KeyView>,
}

/// Works with the keys.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'a> {
    /// Says which key is current, and keeps what is sealed.
    pub store: &'a Store,
    /// Has the keys.
    pub vault: &'a Vault,
}

impl Keys<'_> {
    /// Finds out which key is current and has the vault seal under it. On a database that knows of none, that is the
    /// vault's own, which is made if there is none.
    ///
    /// # Errors
    /// When the database fails, or the files of keys cannot be read or made.
    pub async fn settle(&self) -> Result<Settled, TeamError> {
        let (current, made) = match self.store.current_key().await? {
            Some(current) => (current, None),
            None => {
                let made = if self.vault.key_id().is_none() { Some(self.vault.make_first()?) } else { None };
                let own = self.vault.key_id().ok_or(VaultError::Empty)?;
                (self.store.adopt_key(&own).await?, made)
            }
        };
        match self.vault.turn_to(&current) {
            Ok(()) => Ok(Settled { made, lacking: None }),
            Err(VaultError::Lacking { key_id }) => Ok(Settled { made, lacking: Some(key_id) }),
            Err(error) => Err(error.into()),
        }
    }

    /// Every key that was heard of, is needed or is there.
    ///
    /// # Errors
    /// When the database fails, or the files of keys cannot be read.
    pub async fn list(&self) -> Result<KeysView, TeamError> {
        let current = self.store.current_key().await?;
        let mut there: BTreeMap<String, PathBuf> = BTreeMap::new();
        for KeyPlace { id, path } in self.vault.reload()? {
            there.entry(id).or_insert(path);
        }
        let mut items: Vec<KeyView> = Vec::new();
        for known in self.store.known_keys().await? {
            let KnownKey { id, made_at, current_at, retired_at, secrets } = known;
            let path = there.remove(&id);
            let current = current.as_deref() == Some(&id);
            items.push(KeyView { id, current, here: path.is_some(), secrets, made_at, current_at, retired_at, path });
        }
        items.extend(there.into_iter().map(|(id, path)| KeyView {
            current: current.as_deref() == Some(&id),
            id,
            here: true,
            secrets: 0,
            made_at: None,
            current_at: None,
            retired_at: None,
            path: Some(path),
        }));
        Ok(KeysView { items })
    }

    /// Makes a key that is not used yet, so that it can be brought to every server before it becomes the current one.
    ///
    /// # Errors
    /// When the keys are the operator's, the file cannot be made, or the database fails.
    pub async fn make(&self) -> Result<KeyPlace, TeamError> {
        let made = self.vault.make_key()?;
        self.store.add_key(&made.id).await?;
        Ok(made)
    }

    /// Makes `to` current, or else the key that waits for it, or a new one; then seals every data key anew under it. Where an
    /// earlier rotation was cut off, that one is finished instead.
    ///
    /// # Errors
    /// [`TeamError::Conflict`] when it is not clear which key to take, or another rotation went ahead of this one; when a
    /// key is missing.
    pub async fn rotate(&self, to: Option<&str>) -> Result<Rotation, TeamError> {
        self.settle().await?;
        let current = self.store.current_key().await?.ok_or(VaultError::Empty)?;
        let (to, made) = match to {
            Some(id) if self.vault.holds(id)? => (id.to_owned(), None),
            Some(id) => return Err(VaultError::Lacking { key_id: id.to_owned() }.into()),
            None => self.choose(&current).await?,
        };
        if to != current {
            self.store.turn_to_key(&current, &to).await.map_err(overtaken)?;
            self.vault.turn_to(&to)?;
        }
        let mut done = self.rewrap_all(&to).await?;
        done.made = made;
        done.from = Some(current).filter(|from| *from != to);
        done.spent = self.list().await?.spent().cloned().collect();
        Ok(done)
    }

    /// Which key a rotation is to make current.
    async fn choose(&self, current: &str) -> Result<(String, Option<PathBuf>), TeamError> {
        if !self.vault.holds(current)? {
            return Err(TeamError::conflict(
                "key-missing",
                format!(
                    "the current key {current} is not on this server: copy its file here from another server or a backup; if it is lost for good, make a new one by `guildhall keys new` and name it with `guildhall keys rotate --to ID`"
                ),
            ));
        }
        let keys = self.list().await?.items;
        let unfinished = keys.iter().any(|key| !key.current && key.here && key.secrets > 0);
        if unfinished {
            return Ok((current.to_owned(), None));
        }
        let mut waiting = keys.into_iter().filter(|key| {
            key.here && !key.current && key.secrets == 0 && key.current_at.is_none() && key.retired_at.is_none()
        });
        match (waiting.next(), waiting.next()) {
            (None, _) => {
                let made = self.make().await?;
                Ok((made.id, Some(made.path)))
            }
            (Some(key), None) => Ok((key.id, None)),
            (Some(one), Some(two)) => Err(TeamError::conflict(
                "which-key",
                format!("several keys wait to be used ({}, {}, …): name one with --to", one.id, two.id),
            )),
        }
    }

    async fn rewrap_all(&self, to: &str) -> Result<Rotation, TeamError> {
        let mut done = Rotation {
            to: to.to_owned(),
            from: None,
            made: None,
            rewrapped: 0,
            left: BTreeMap::new(),
            broken: Vec::new(),
            spent: Vec::new(),
        };
        let mut after = String::new();
        loop {
            let batch = self.store.keys_not_under(to, &after, AT_ONCE).await?;
            let Some(last) = batch.last() else { break };
            after.clone_from(&last.identity);
            for old in &batch {
                match self.vault.rewrap(old, to) {
                    Ok(new) => {
                        let rewrapped = self.store.rewrap(old, &new).await.map_err(overtaken)?;
                        done.rewrapped += u64::from(rewrapped == Rewrapped::Done);
                    }
                    Err(VaultError::UnknownKey { key_id }) => *done.left.entry(key_id).or_default() += 1,
                    Err(VaultError::Broken) => done.broken.push(old.identity.clone()),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        if done.rewrapped > 0 {
            let left = done.left.values().sum::<i64>() + i64::try_from(done.broken.len()).unwrap_or(i64::MAX);
            self.store.note_rewrapped(to, done.rewrapped, left).await?;
        }
        Ok(done)
    }

    /// Retires a key for good. Its file is left where it is.
    ///
    /// # Errors
    /// When it is current, a secret needs it, or nothing is known of it.
    pub async fn retire(&self, id: &str) -> Result<Option<PathBuf>, TeamError> {
        // One that is there and was never used is not known to the database yet.
        let unknown = self.list().await?.items.into_iter().find(|key| key.id == id && key.made_at.is_none());
        if unknown.is_some_and(|key| key.secrets == 0) {
            self.store.add_key(id).await?;
        }
        self.store.retire_key(id).await?;
        let places: Vec<KeyPlace> = self.vault.reload()?;
        Ok(places.into_iter().find(|place| place.id == id).map(|place| place.path))
    }
}

/// Another rotation made another key current.
fn overtaken(error: StoreError) -> TeamError {
    match error {
        StoreError::KeyMoved { current } => TeamError::conflict(
            "key-moved",
            format!("another rotation made {current} the current key in between; run `guildhall keys rotate` again"),
        ),
        other => other.into(),
    }
}

impl Team {
    /// The key-encryption keys.
    pub fn keys(&self) -> Keys<'_> {
        Keys { store: &self.store, vault: &self.vault }
    }

    /// Has the vault seal under the key that is current now. Returns that key if it was another one until now.
    ///
    /// # Errors
    /// [`VaultError::Lacking`] when it is not here; when the database fails.
    pub async fn notice_key(&self) -> Result<Option<String>, TeamError> {
        let Some(current) = self.store.current_key().await? else { return Ok(None) };
        let former = self.vault.key_id();
        self.vault.turn_to(&current)?;
        Ok(Some(current).filter(|current| former.as_ref() != Some(current)))
    }

    /// Seals a secret and has it put in place; once more where another key became the current one in between.
    pub(crate) async fn sealing<T, F>(
        &self,
        identity: &str,
        secret: &[u8],
        put: impl Fn(SealedSecret) -> F,
    ) -> Result<T, TeamError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        for _ in 0..TRIES {
            match put(self.vault.seal(identity, secret)?).await {
                Err(StoreError::KeyMoved { current }) => self.vault.turn_to(&current)?,
                done => return Ok(done?),
            }
        }
        Ok(put(self.vault.seal(identity, secret)?).await?)
    }
}
