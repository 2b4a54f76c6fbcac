//! Passkeys: public keys of members, each with what is needed to check its signatures.

use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::factor::Passkey;
use guildhall_types::member::{ChangeRefused, Member};
use guildhall_types::{MemberId, PasskeyId};

use crate::{Rows, Store, StoreError, on, read};

const COLUMNS: &str = "id, name, created_at, last_used_at";

/// A passkey to be kept.
#[derive(Debug, Clone)]
pub struct NewPasskey {
    /// Whose it is.
    pub member_id: MemberId,
    /// The id by which the authenticator knows it.
    pub credential_id: Vec<u8>,
    /// The member's name for it.
    pub name: String,
    /// The public key and what else must be known, as JSON.
    pub public_key: String,
    /// How often the authenticator says that it has signed; 0 when it does not count.
    pub counter: i64,
}

/// A passkey with what is needed to check its signatures.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct KeptPasskey {
    /// The passkey's id.
    pub id: PasskeyId,
    /// Whose it is.
    pub member_id: MemberId,
    /// The id by which the authenticator knows it.
    pub credential_id: Vec<u8>,
    /// The public key and what else must be known, as JSON.
    pub public_key: String,
}

impl Store {
    /// Keeps a passkey. Whoever had no second factor before gets `codes` as recovery codes. Returns the passkey and whether
    /// they were kept; nothing when the member has `most` already.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the authenticator's id is known already.
    pub async fn create_passkey(
        &self,
        new: NewPasskey,
        codes: &[Vec<u8>],
        most: i64,
    ) -> Result<Option<(Passkey, bool)>, StoreError> {
        let mut tx = self.begin().await?;
        let member = new.member_id;
        self.locked_member(&mut tx, member).await?.ok_or(StoreError::NotFound { what: "member" })?;
        let first = !self.has_factor(&mut tx, member).await?;
        if self.ways_in(&mut tx, member, &[]).await?.passkeys >= most {
            return Ok(None);
        }
        let passkey = Passkey { id: PasskeyId::new(), name: new.name, created_at: self.now(), last_used_at: None };
        on!(tx, c => sqlx::query(
            "INSERT INTO passkeys (id, member_id, credential_id, name, public_key, counter, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(passkey.id).bind(member).bind(&new.credential_id).bind(&passkey.name).bind(&new.public_key)
            .bind(new.counter).bind(passkey.created_at).execute(c).await.rows())
        .map_err(|error| StoreError::taken(error, "passkey"))?;
        tx.note(Note::new(AuditAction::CreatePasskey).on(AuditObject::Passkey, passkey.id).with("name", &passkey.name));
        if first {
            self.write_recovery_codes(&mut tx, member, codes).await?;
        }
        self.tell_member(&mut tx, member).await?;
        self.commit(tx).await?;
        Ok(Some((passkey, first)))
    }

    /// A member's passkeys, the first made first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn passkeys_of(&self, member: MemberId) -> Result<Vec<Passkey>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM passkeys WHERE member_id = $1 ORDER BY id LIMIT 100");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(member).fetch_all(c).await)?)
    }

    /// A member's passkeys with what is needed to check their signatures.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn kept_passkeys_of(&self, member: MemberId) -> Result<Vec<KeptPasskey>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT id, member_id, credential_id, public_key FROM passkeys WHERE member_id = $1 ORDER BY id LIMIT 100")
            .bind(member).fetch_all(c).await)?)
    }

    /// The passkey that the authenticator knows by this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn passkey_by_credential(&self, credential_id: &[u8]) -> Result<Option<KeptPasskey>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT id, member_id, credential_id, public_key FROM passkeys WHERE credential_id = $1")
            .bind(credential_id).fetch_optional(c).await)?)
    }

    /// Notes that a passkey has signed, for the `counter`th time, and ends the sign-in that was half done under
    /// `second_step`. Nothing when the passkey was deleted or its counter is not ahead of the one that is kept, when that
    /// sign-in has ended, or when the member is disabled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn use_passkey(
        &self,
        passkey: &KeptPasskey,
        counter: i64,
        second_step: Option<&[u8]>,
    ) -> Result<Option<Member>, StoreError> {
        let mut tx = self.begin().await?;
        let member = passkey.member_id;
        let found = self.locked_member(&mut tx, member).await?.filter(|member| member.disabled_at.is_none());
        let Some(found) = found else { return Ok(None) };
        // An authenticator that counts never comes back to a number; one that does not count says 0 always.
        let used = on!(tx, c => sqlx::query(
            "UPDATE passkeys SET counter = $2, public_key = $3, last_used_at = $4
             WHERE id = $1 AND (counter < $2 OR (counter = 0 AND $2 = 0))")
            .bind(passkey.id).bind(counter).bind(&passkey.public_key).bind(self.now()).execute(c).await.rows())?;
        if used != 1 {
            return Ok(None);
        }
        if let Some(token_hash) = second_step
            && !self.end_second_step(&mut tx, token_hash, member).await?
        {
            return Ok(None);
        }
        self.commit(tx).await?;
        Ok(Some(found))
    }

    /// Gives one of a member's passkeys another name; `None` when there is none such.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rename_passkey(
        &self,
        id: PasskeyId,
        member: MemberId,
        name: &str,
    ) -> Result<Option<Passkey>, StoreError> {
        let mut tx = self.begin().await?;
        let sql = format!("UPDATE passkeys SET name = $3 WHERE id = $1 AND member_id = $2 RETURNING {COLUMNS}");
        let passkey: Option<Passkey> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).bind(member)
            .bind(name).fetch_optional(c).await)?;
        if passkey.is_some() {
            tx.note(Note::new(AuditAction::RenamePasskey).on(AuditObject::Passkey, id).with("name", name));
        }
        self.commit(tx).await?;
        Ok(passkey)
    }

    /// Deletes one of a member's passkeys; false when there is none such. `issuers` are the providers that can be used now.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the member could not sign in without it.
    pub async fn delete_passkey(
        &self,
        id: PasskeyId,
        member: MemberId,
        issuers: &[String],
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        self.locked_member(&mut tx, member).await?.ok_or(StoreError::NotFound { what: "member" })?;
        let name: Option<(String,)> = on!(tx, c => sqlx::query_as(
            "DELETE FROM passkeys WHERE id = $1 AND member_id = $2 RETURNING name")
            .bind(id).bind(member).fetch_optional(c).await)?;
        let Some((name,)) = name else { return Ok(false) };
        if !self.ways_in(&mut tx, member, issuers).await?.any() {
            return Err(ChangeRefused::LastWayIn.into());
        }
        tx.note(Note::new(AuditAction::DeletePasskey).on(AuditObject::Passkey, id).with("name", name));
        self.tidy_recovery_codes(&mut tx, member).await?;
        self.tell_member(&mut tx, member).await?;
        self.commit(tx).await?;
        Ok(true)
    }
}
