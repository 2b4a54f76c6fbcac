//! Credentials: what may be shown of them stands here, the sealed keys among the secrets.

use guildhall_types::MemberId;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::member::{Credential, ProviderKind};

use crate::secrets::SealedSecret;
use crate::{Rows, Store, StoreError, on, read};

/// A member's key for a provider, to be put in place.
#[derive(Debug, Clone)]
pub struct NewCredential {
    /// Whose it is.
    pub member_id: MemberId,
    /// For which provider.
    pub provider: ProviderKind,
    /// The key, sealed.
    pub secret: SealedSecret,
    /// The key's last four characters.
    pub hint: String,
    /// Where the provider is, if not at its usual address.
    pub base_url: Option<String>,
}

/// What a credential's secret is sealed for.
pub fn credential_identity(member: MemberId, provider: ProviderKind) -> String {
    format!("credential/{member}/{provider}")
}

impl Store {
    /// Puts a credential in place of the former one, if any.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_credential(&self, new: &NewCredential) -> Result<Credential, StoreError> {
        let mut tx = self.begin().await?;
        let saved = on!(tx, c => sqlx::query_as(
            "INSERT INTO credentials (member_id, provider, hint, base_url, updated_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (member_id, provider) DO UPDATE SET hint = excluded.hint, base_url = excluded.base_url,
               updated_at = excluded.updated_at, last_used_at = NULL
             RETURNING provider, hint, base_url, updated_at, last_used_at")
            .bind(new.member_id).bind(new.provider).bind(&new.hint).bind(&new.base_url).bind(self.now())
            .fetch_one(c).await)?;
        self.put_secret(&mut tx, &new.secret).await?;
        let note = Note::new(AuditAction::PutCredential).on(AuditObject::Credential, new.provider);
        tx.note(note.with("hint", &new.hint).with("baseUrl", new.base_url.as_deref().unwrap_or("the usual")));
        self.commit(tx).await?;
        Ok(saved)
    }

    /// A member's sealed key for a provider, and where the provider is, if not at its usual address. Both come from one
    /// look, so that a key is never sent to the address of the one before it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sealed_credential(
        &self,
        member: MemberId,
        provider: ProviderKind,
    ) -> Result<Option<(SealedSecret, Option<String>)>, StoreError> {
        #[derive(sqlx::FromRow)]
        struct Row {
            #[sqlx(flatten)]
            secret: SealedSecret,
            base_url: Option<String>,
        }
        let row: Option<Row> = read!(self, c => sqlx::query_as(
            "SELECT s.identity, s.key_id, s.wrapped_key, s.sealed, c.base_url
             FROM credentials c JOIN secrets s ON s.identity = $3 WHERE c.member_id = $1 AND c.provider = $2")
            .bind(member).bind(provider).bind(credential_identity(member, provider)).fetch_optional(c).await)?;
        Ok(row.map(|row| (row.secret, row.base_url)))
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
            self.delete_secret(&mut tx, &credential_identity(member, provider)).await?;
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
