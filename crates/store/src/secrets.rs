//! Sealed secrets of every kind: sealed before they come here, never opened here.
//!
//! One table holds them all, each under the identity of what it belongs to, so that a change of the key-encryption key is
//! one walk whatever they are. The identity is the seal's associated data: a row that is copied to another one does not open.

use crate::{Rows, Store, StoreError, Tx, on, read};

/// A sealed secret.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SealedSecret {
    /// Names what it belongs to, such as `credential/<member>/<provider>`.
    pub identity: String,
    /// Names the key-encryption key.
    pub key_id: String,
    /// The data key, sealed under the key-encryption key: nonce and ciphertext.
    pub wrapped_key: Vec<u8>,
    /// The secret, sealed under the data key: nonce and ciphertext.
    pub sealed: Vec<u8>,
}

impl std::fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { identity, key_id, .. } = self;
        f.debug_struct("SealedSecret").field("identity", identity).field("key_id", key_id).finish_non_exhaustive()
    }
}

impl Store {
    /// The sealed secret of this identity.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn secret(&self, identity: &str) -> Result<Option<SealedSecret>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT identity, key_id, wrapped_key, sealed FROM secrets WHERE identity = $1")
            .bind(identity).fetch_optional(c).await)?)
    }

    /// Sealed secrets in the order of their identities, after the given one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn secrets(&self, after: &str, limit: i64) -> Result<Vec<SealedSecret>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT identity, key_id, wrapped_key, sealed FROM secrets WHERE identity > $1 ORDER BY identity LIMIT $2")
            .bind(after).bind(limit).fetch_all(c).await)?)
    }

    /// Puts a secret in place of the former one of its identity, if any. Refuses with [`StoreError::KeyMoved`] what was sealed
    /// under a key that is not the current one any more.
    pub(crate) async fn put_secret(&self, tx: &mut Tx, new: &SealedSecret) -> Result<(), StoreError> {
        self.must_be_current(tx, &new.key_id).await?;
        on!(tx, c => sqlx::query(
            "INSERT INTO secrets (identity, key_id, wrapped_key, sealed) VALUES ($1, $2, $3, $4)
             ON CONFLICT (identity) DO UPDATE SET key_id = excluded.key_id, wrapped_key = excluded.wrapped_key,
               sealed = excluded.sealed")
            .bind(&new.identity).bind(&new.key_id).bind(&new.wrapped_key).bind(&new.sealed)
            .execute(c).await.rows())?;
        Ok(())
    }

    /// Deletes the secret of this identity, if there is one.
    pub(crate) async fn delete_secret(&self, tx: &mut Tx, identity: &str) -> Result<(), StoreError> {
        on!(tx, c => sqlx::query("DELETE FROM secrets WHERE identity = $1").bind(identity).execute(c).await.rows())?;
        Ok(())
    }
}
