//! Credentials: sealed before they come here, never opened here.

use guildhall_types::MemberId;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::member::{Credential, ProviderKind};

use crate::{Rows, Store, StoreError, on, read};

/// A member's key for a provider, sealed.
#[derive(Clone, sqlx::FromRow)]
pub struct SealedCredential {
    /// Whose it is.
    pub member_id: MemberId,
    /// For which provider.
    pub provider: ProviderKind,
    /// The key-encryption key that it is sealed under.
    pub key_id: String,
    /// The sealed data key.
    pub wrapped_key: Vec<u8>,
    /// The sealed key.
    pub sealed: Vec<u8>,
    /// The key's last four characters.
    pub hint: String,
    /// Where the provider is, if not at its usual address.
    pub base_url: Option<String>,
}

impl std::fmt::Debug for SealedCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedCredential")
            .field("member", &self.member_id)
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Puts a credential in place of the former one, if any.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_credential(&self, new: &SealedCredential) -> Result<Credential, StoreError> {
        let mut tx = self.begin().await?;
        let saved = on!(tx, c => sqlx::query_as(
            "INSERT INTO credentials (member_id, provider, key_id, wrapped_key, sealed, hint, base_url, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (member_id, provider) DO UPDATE SET key_id = excluded.key_id, wrapped_key = excluded.wrapped_key,
               sealed = excluded.sealed, hint = excluded.hint, base_url = excluded.base_url,
               updated_at = excluded.updated_at, last_used_at = NULL
             RETURNING provider, hint, base_url, updated_at, last_used_at")
            .bind(new.member_id).bind(new.provider).bind(&new.key_id).bind(&new.wrapped_key).bind(&new.sealed)
            .bind(&new.hint).bind(&new.base_url).bind(self.now()).fetch_one(c).await)?;
        let note = Note::new(AuditAction::PutCredential).on(AuditObject::Credential, new.provider);
        tx.note(note.with("hint", &new.hint).with("baseUrl", new.base_url.as_deref().unwrap_or("the usual")));
        self.commit(tx).await?;
        Ok(saved)
    }

    /// A member's sealed credential for a provider.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sealed_credential(
        &self,
        member: MemberId,
        provider: ProviderKind,
    ) -> Result<Option<SealedCredential>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT member_id, provider, key_id, wrapped_key, sealed, hint, base_url FROM credentials
             WHERE member_id = $1 AND provider = $2").bind(member).bind(provider).fetch_optional(c).await)?)
    }

    /// A member's credentials, as far as they may be shown.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn credentials_of(&self, member: MemberId) -> Result<Vec<Credential>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT provider, hint, base_url, updated_at, last_used_at FROM credentials WHERE member_id = $1 ORDER BY provider")
            .bind(member).fetch_all(c).await)?)
    }

    /// Deletes a member's credential; false when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_credential(&self, member: MemberId, provider: ProviderKind) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = on!(tx, c => sqlx::query("DELETE FROM credentials WHERE member_id = $1 AND provider = $2")
            .bind(member).bind(provider).execute(c).await.rows())?;
        if done == 1 {
            tx.note(Note::new(AuditAction::DeleteCredential).on(AuditObject::Credential, provider));
        }
        self.commit(tx).await?;
        Ok(done == 1)
    }

    /// Notes that a credential was used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch_credential(&self, member: MemberId, provider: ProviderKind) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query("UPDATE credentials SET last_used_at = $3 WHERE member_id = $1 AND provider = $2")
            .bind(member).bind(provider).bind(self.now()).execute(c).await.rows())?;
        self.commit(tx).await
    }
}
