//! Credentials: what may be shown of them stands here, the sealed keys among the secrets.

use guildhall_types::MemberId;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::member::{Credential, ListedModel, ProviderKind, TeamCredential};
use sqlx::types::Json;

use crate::secrets::SealedSecret;
use crate::{Rows, Store, StoreError, on, read};

/// What may be shown of a member's credential.
const COLUMNS: &str = "provider, hint, base_url, updated_at, last_used_at, models";
/// The same of one of the team's.
const TEAM_COLUMNS: &str = "provider, hint, base_url, put_by, updated_at, last_used_at, models";

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
    /// The models that the server listed.
    pub models: Vec<ListedModel>,
}

/// The team's key for a provider, to be put in place.
#[derive(Debug, Clone)]
pub struct NewTeamCredential {
    /// Who puts it in place.
    pub put_by: MemberId,
    /// For which provider.
    pub provider: ProviderKind,
    /// The key, sealed.
    pub secret: SealedSecret,
    /// The key's last four characters.
    pub hint: String,
    /// Where the provider is, if not at its usual address.
    pub base_url: Option<String>,
    /// The models that the server listed.
    pub models: Vec<ListedModel>,
}

/// A key as it is kept, with all that belongs to it. All of it comes from one look, so that a key is never sent to the
/// address of the one before it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct KeptKey {
    /// The key, sealed.
    #[sqlx(flatten)]
    pub secret: SealedSecret,
    /// The key's last four characters.
    pub hint: String,
    /// Where the provider is, if not at its usual address.
    pub base_url: Option<String>,
    /// The models that the server listed.
    #[sqlx(json)]
    pub models: Vec<ListedModel>,
}

/// What a credential's secret is sealed for.
pub fn credential_identity(member: MemberId, provider: ProviderKind) -> String {
    format!("credential/{member}/{provider}")
}

/// What the secret of the team's key is sealed for.
pub fn team_credential_identity(provider: ProviderKind) -> String {
    format!("team-credential/{provider}")
}

impl Store {
    /// Puts a credential in place of the former one, if any.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_credential(&self, new: &NewCredential) -> Result<Credential, StoreError> {
        let mut tx = self.begin().await?;
        let sql = format!(
            "INSERT INTO credentials (member_id, provider, hint, base_url, updated_at, models) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (member_id, provider) DO UPDATE SET hint = excluded.hint, base_url = excluded.base_url,
               updated_at = excluded.updated_at, models = excluded.models, last_used_at = NULL
             RETURNING {COLUMNS}"
        );
        let saved = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(new.member_id).bind(new.provider).bind(&new.hint).bind(&new.base_url).bind(self.now())
            .bind(Json(&new.models)).fetch_one(c).await)?;
        self.put_secret(&mut tx, &new.secret).await?;
        let note = Note::new(AuditAction::PutCredential).on(AuditObject::Credential, new.provider);
        tx.note(note.with("hint", &new.hint).with("baseUrl", new.base_url.as_deref().unwrap_or("the usual")));
        self.commit(tx).await?;
        Ok(saved)
    }

    /// A member's key for a provider, as it is kept.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sealed_credential(
        &self,
        member: MemberId,
        provider: ProviderKind,
    ) -> Result<Option<KeptKey>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT s.identity, s.key_id, s.wrapped_key, s.sealed, c.hint, c.base_url, c.models
             FROM credentials c JOIN secrets s ON s.identity = $3 WHERE c.member_id = $1 AND c.provider = $2")
            .bind(member).bind(provider).bind(credential_identity(member, provider)).fetch_optional(c).await)?)
    }

    /// A member's credentials, as far as they may be shown.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn credentials_of(&self, member: MemberId) -> Result<Vec<Credential>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM credentials WHERE member_id = $1 ORDER BY provider");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(member).fetch_all(c).await)?)
    }

    /// Keeps the models that a server listed for a member's key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_models(
        &self,
        member: MemberId,
        provider: ProviderKind,
        models: &[ListedModel],
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query("UPDATE credentials SET models = $3 WHERE member_id = $1 AND provider = $2")
            .bind(member).bind(provider).bind(Json(models)).execute(c).await.rows())?;
        self.commit(tx).await
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

    /// Puts a key of the team in place of the former one, if any.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_team_credential(&self, new: &NewTeamCredential) -> Result<TeamCredential, StoreError> {
        let sql = format!(
            "INSERT INTO team_credentials (provider, hint, base_url, put_by, updated_at, models) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (provider) DO UPDATE SET hint = excluded.hint, base_url = excluded.base_url, put_by = excluded.put_by,
               updated_at = excluded.updated_at, models = excluded.models, last_used_at = NULL
             RETURNING {TEAM_COLUMNS}"
        );
        let mut tx = self.begin().await?;
        let saved = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(new.provider).bind(&new.hint).bind(&new.base_url).bind(new.put_by).bind(self.now())
            .bind(Json(&new.models)).fetch_one(c).await)?;
        self.put_secret(&mut tx, &new.secret).await?;
        let note = Note::new(AuditAction::PutTeamCredential).on(AuditObject::Credential, new.provider);
        tx.note(note.with("hint", &new.hint).with("baseUrl", new.base_url.as_deref().unwrap_or("the usual")));
        self.commit(tx).await?;
        Ok(saved)
    }

    /// The team's key for a provider, as it is kept.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sealed_team_credential(&self, provider: ProviderKind) -> Result<Option<KeptKey>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT s.identity, s.key_id, s.wrapped_key, s.sealed, c.hint, c.base_url, c.models
             FROM team_credentials c JOIN secrets s ON s.identity = $2 WHERE c.provider = $1")
            .bind(provider).bind(team_credential_identity(provider)).fetch_optional(c).await)?)
    }

    /// The team's keys, as far as they may be shown.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn team_credentials(&self) -> Result<Vec<TeamCredential>, StoreError> {
        let sql = format!("SELECT {TEAM_COLUMNS} FROM team_credentials ORDER BY provider");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(c).await)?)
    }

    /// Keeps the models that a server listed for the team's key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_team_models(&self, provider: ProviderKind, models: &[ListedModel]) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query("UPDATE team_credentials SET models = $2 WHERE provider = $1")
            .bind(provider).bind(Json(models)).execute(c).await.rows())?;
        self.commit(tx).await
    }

    /// Deletes a key of the team; false when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_team_credential(&self, provider: ProviderKind) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = on!(tx, c => sqlx::query("DELETE FROM team_credentials WHERE provider = $1")
            .bind(provider).execute(c).await.rows())?;
        if done == 1 {
            self.delete_secret(&mut tx, &team_credential_identity(provider)).await?;
            tx.note(Note::new(AuditAction::DeleteTeamCredential).on(AuditObject::Credential, provider));
        }
        self.commit(tx).await?;
        Ok(done == 1)
    }

    /// Notes that a key of the team was used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch_team_credential(&self, provider: ProviderKind) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query("UPDATE team_credentials SET last_used_at = $2 WHERE provider = $1")
            .bind(provider).bind(self.now()).execute(c).await.rows())?;
        self.commit(tx).await
    }
}
