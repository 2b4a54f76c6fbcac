//! What is known of the key-encryption keys: which is current, which were, and what is sealed under each. Never a key itself.
//!
//! Which key is current stands in one row. Whoever puts a secret reads it in the transaction that writes the secret, and so
//! nothing comes to stand under an earlier key when another has become current.

use guildhall_types::DateTime;
use guildhall_types::audit::{AuditAction, AuditObject, Note};

use crate::{Backend, Rows, Store, StoreError, Tx, on, read};

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct KnownKey {
    /// Names it.
    pub id: String,
    /// When it was first heard of; nothing for one under which secrets stand and of which nothing else is known.
    pub made_at: Option<DateTime>,
    /// When it became the current one, the last time.
    pub current_at: Option<DateTime>,
    /// When it was retired.
    pub retired_at: Option<DateTime>,
    /// How many secrets are sealed under it.
    pub secrets: i64,
}

/// The data key of a secret, sealed under a key-encryption key.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct WrappedKey {
    /// Names what the secret belongs to.
    pub identity: String,
    /// Names the key-encryption key.
    pub key_id: String,
    /// Nonce and ciphertext.
    pub wrapped_key: Vec<u8>,
}

impl std::fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { identity, key_id, .. } = self;
        f.debug_struct("WrappedKey").field("identity", identity).field("key_id", key_id).finish_non_exhaustive()
    }
}

/// What became of a data key that was to be sealed anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewrapped {
    /// It is sealed under the other key.
    Done,
    /// Its secret was replaced or deleted in between, and was left as it is.
    Gone,
}

impl Store {
    /// The key under which new secrets are sealed; nothing until a server has started on this database.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn current_key(&self) -> Result<Option<String>, StoreError> {
        let (current,) =
            read!(self, c => sqlx::query_as("SELECT current FROM vault_head WHERE one = 1").fetch_one(c).await)?;
        Ok(current)
    }

    /// Makes this key the current one if there is none yet. Returns which one is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn adopt_key(&self, id: &str) -> Result<String, StoreError> {
        let mut tx = self.begin().await?;
        let (current,): (String,) = on!(tx, c => sqlx::query_as(
            "UPDATE vault_head SET current = coalesce(current, $1) WHERE one = 1 RETURNING current")
            .bind(id).fetch_one(c).await)?;
        if current == id {
            self.note_current(&mut tx, id).await?;
        }
        self.commit(tx).await?;
        Ok(current)
    }

    /// Remembers a key that was made and is not used yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_key(&self, id: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        on!(tx, c => sqlx::query("INSERT INTO vault_keys (id, made_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING")
            .bind(id).bind(self.now()).execute(c).await.rows())?;
        tx.note(Note::new(AuditAction::NewKey).on(AuditObject::Key, id));
        self.commit(tx).await
    }

    /// Makes `to` the current key in place of `from`.
    ///
    /// # Errors
    /// [`StoreError::KeyMoved`] when another than `from` is current, [`StoreError::KeyRetired`] when `to` was retired.
    pub async fn turn_to_key(&self, from: &str, to: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        // This waits for whoever is putting a secret under the key that has been current.
        let (current,): (Option<String>,) = on!(tx, c => sqlx::query_as(
            "UPDATE vault_head SET current = CASE WHEN current = $1 THEN $2 ELSE current END WHERE one = 1 RETURNING current")
            .bind(from).bind(to).fetch_one(c).await)?;
        let current = current.unwrap_or_default();
        if current != to {
            return Err(StoreError::KeyMoved { current });
        }
        self.note_current(&mut tx, to).await?;
        tx.note(Note::new(AuditAction::RotateKey).on(AuditObject::Key, to).with("from", from));
        self.commit(tx).await
    }

    async fn note_current(&self, tx: &mut Tx, id: &str) -> Result<(), StoreError> {
        let done = on!(tx, c => sqlx::query(
            "INSERT INTO vault_keys (id, made_at, current_at) VALUES ($1, $2, $2)
             ON CONFLICT (id) DO UPDATE SET current_at = excluded.current_at WHERE vault_keys.retired_at IS NULL")
            .bind(id).bind(self.now()).execute(c).await.rows())?;
        if done == 0 {
            return Err(StoreError::KeyRetired { id: id.to_owned() });
        }
        Ok(())
    }

    /// Which key is current, and stays so until the transaction ends.
    pub(crate) async fn current_key_in(&self, tx: &mut Tx) -> Result<Option<String>, StoreError> {
        // SQLite has one writer at a time, and no word for this.
        let sql = match self.backend() {
            Backend::Sqlite => "SELECT current FROM vault_head WHERE one = 1",
            Backend::Postgres => "SELECT current FROM vault_head WHERE one = 1 FOR SHARE",
        };
        let (current,) = on!(tx, c => sqlx::query_as(sql).fetch_one(c).await)?;
        Ok(current)
    }

    /// Every key that was heard of or is needed, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn known_keys(&self) -> Result<Vec<KnownKey>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT k.id, k.made_at, k.current_at, k.retired_at, count(s.identity) AS secrets
             FROM vault_keys k LEFT JOIN secrets s ON s.key_id = k.id GROUP BY k.id, k.made_at, k.current_at, k.retired_at
             UNION ALL
             SELECT s.key_id, NULL, NULL, NULL, count(*) FROM secrets s
             WHERE s.key_id NOT IN (SELECT id FROM vault_keys) GROUP BY s.key_id
             ORDER BY 2, 1").fetch_all(c).await)?)
    }

    /// Data keys that are sealed under another key than `key`, in the order of their identities, after the given one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keys_not_under(&self, key: &str, after: &str, limit: i64) -> Result<Vec<WrappedKey>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT identity, key_id, wrapped_key FROM secrets WHERE key_id <> $1 AND identity > $2 ORDER BY identity LIMIT $3")
            .bind(key).bind(after).bind(limit).fetch_all(c).await)?)
    }

    /// Puts a data key that was sealed anew in place of `old`, unless its secret was replaced in between.
    ///
    /// A transaction of its own for each: nobody waits for long, and no two can wait for each other. It survives the end of
    /// the process; until [`Store::note_rewrapped`], the loss of power may undo it, which harms nothing while both keys are there.
    ///
    /// # Errors
    /// [`StoreError::KeyMoved`] when the key of `new` is not the current one any more.
    pub async fn rewrap(&self, old: &WrappedKey, new: &WrappedKey) -> Result<Rewrapped, StoreError> {
        let mut tx = self.begin_light().await?;
        self.must_be_current(&mut tx, &new.key_id).await?;
        let done = on!(tx, c => sqlx::query(
            "UPDATE secrets SET key_id = $4, wrapped_key = $5 WHERE identity = $1 AND key_id = $2 AND wrapped_key = $3")
            .bind(&old.identity).bind(&old.key_id).bind(&old.wrapped_key).bind(&new.key_id).bind(&new.wrapped_key)
            .execute(c).await.rows())?;
        self.commit(tx).await?;
        Ok(if done == 1 { Rewrapped::Done } else { Rewrapped::Gone })
    }

    /// A secret may be put under the current key alone, once there is one.
    pub(crate) async fn must_be_current(&self, tx: &mut Tx, id: &str) -> Result<(), StoreError> {
        match self.current_key_in(tx).await? {
            Some(current) if current != id => Err(StoreError::KeyMoved { current }),
            _ => Ok(()),
        }
    }

    /// Tells the audit that so many data keys were sealed anew under this key. What was sealed anew before survives the loss
    /// of power from then on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_rewrapped(&self, id: &str, rewrapped: u64, left: i64) -> Result<(), StoreError> {
        let note = Note::new(AuditAction::RotateKey).on(AuditObject::Key, id);
        self.audit(note.with("rewrapped", rewrapped).with("left", left)).await
    }

    /// Retires a key, for good.
    ///
    /// # Errors
    /// [`StoreError::KeyNeeded`] while it is the current one or a secret is sealed under it, [`StoreError::NotFound`] when
    /// nothing is known of it.
    pub async fn retire_key(&self, id: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        // While this is held no other key becomes current, and under one that is not current no secret comes to stand.
        let current = self.current_key_in(&mut tx).await?;
        let (secrets,): (i64,) = on!(tx, c => sqlx::query_as("SELECT count(*) FROM secrets WHERE key_id = $1")
            .bind(id).fetch_one(c).await)?;
        let current = current.as_deref() == Some(id);
        if current || secrets > 0 {
            return Err(StoreError::KeyNeeded { id: id.to_owned(), current, secrets });
        }
        let done = on!(tx, c => sqlx::query("UPDATE vault_keys SET retired_at = coalesce(retired_at, $2) WHERE id = $1")
            .bind(id).bind(self.now()).execute(c).await.rows())?;
        if done == 0 {
            return Err(StoreError::NotFound { what: "key" });
        }
        tx.note(Note::new(AuditAction::RetireKey).on(AuditObject::Key, id));
        self.commit(tx).await
    }
}
