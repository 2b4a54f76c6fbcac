//! Links by which a member sets a new password. The code is stored hashed, and good for once.

use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::member::Member;
use guildhall_types::{DateTime, MemberId, ResetId};

use crate::{Rows, Store, StoreError, Tx, on, read};

/// What holds of a link that can be used at the moment that is bound as `$1`.
const OPEN: &str = "used_at IS NULL AND revoked_at IS NULL AND expires_at > $1";

/// A link to be made.
#[derive(Debug, Clone)]
pub struct NewReset {
    /// Whose password it sets.
    pub member_id: MemberId,
    /// The hash of its code.
    pub code_hash: Vec<u8>,
    /// Who makes it; the member itself for one that is asked for by mail or made at the machine.
    pub created_by: MemberId,
    /// Whether it goes by mail to whoever asked, and so ends no earlier one.
    pub mailed: bool,
    /// When it ends by itself.
    pub expires_at: DateTime,
}

impl Store {
    /// Makes a link. One by an admin takes the place of earlier ones; one that somebody asked for by mail ends no other, or
    /// a stranger who keeps asking could keep a member out.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when who makes it for another may not, or no longer.
    pub async fn create_reset(&self, new: NewReset) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        if new.created_by != new.member_id {
            let missing = || StoreError::NotFound { what: "member" };
            // Both locked, in one order for everybody, so that whatever ends the right takes this back or is seen here: the one
            // may no longer manage others, or the other be above that.
            let (first, second) = (new.created_by.min(new.member_id), new.created_by.max(new.member_id));
            let one = self.locked_member(&mut tx, first).await?.ok_or_else(missing)?;
            let other = self.locked_member(&mut tx, second).await?.ok_or_else(missing)?;
            let (maker, member) = if first == new.created_by { (one, other) } else { (other, one) };
            maker.may_manage(&member)?;
        }
        self.insert_reset(&mut tx, new).await?;
        self.commit(tx).await
    }

    pub(crate) async fn insert_reset(&self, tx: &mut Tx, new: NewReset) -> Result<(), StoreError> {
        if !new.mailed {
            self.revoke_resets(tx, new.member_id).await?;
        }
        on!(tx, c => sqlx::query(
            "INSERT INTO password_resets (id, member_id, code_hash, created_by, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(ResetId::new()).bind(new.member_id).bind(&new.code_hash).bind(new.created_by).bind(self.now())
            .bind(new.expires_at).execute(c).await.rows())?;
        let by = if new.mailed { "mail" } else { "hand" };
        tx.note(Note::new(AuditAction::CreateResetLink).on(AuditObject::Member, new.member_id).with("handedOver", by));
        Ok(())
    }

    /// The member whose password this code sets, if it can be used and the member is not disabled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reset_member(&self, code_hash: &[u8]) -> Result<Option<Member>, StoreError> {
        let sql = format!("SELECT member_id FROM password_resets WHERE {OPEN} AND code_hash = $2");
        let row: Option<(MemberId,)> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(self.now())
            .bind(code_hash).fetch_optional(c).await)?;
        let Some((member,)) = row else { return Ok(None) };
        Ok(self.member(member).await?.filter(|member| member.disabled_at.is_none()))
    }

    /// Uses a link: sets the password and ends all sessions of the member; `None` when it cannot be used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn use_reset(&self, code_hash: &[u8], password_hash: &str) -> Result<Option<Member>, StoreError> {
        let mut tx = self.begin().await?;
        // The member before the link, as with whoever makes another or takes it back.
        let row: Option<(MemberId,)> = on!(tx, c => sqlx::query_as(
            "SELECT member_id FROM password_resets WHERE code_hash = $1").bind(code_hash).fetch_optional(c).await)?;
        let Some((id,)) = row else { return Ok(None) };
        let member = self.locked_member(&mut tx, id).await?.filter(|member| member.disabled_at.is_none());
        let Some(member) = member else { return Ok(None) };
        let sql = format!("UPDATE password_resets SET used_at = $1 WHERE {OPEN} AND code_hash = $2");
        let used = on!(tx, c => sqlx::query(sqlx::AssertSqlSafe(sql)).bind(self.now()).bind(code_hash).execute(c).await
            .rows())?;
        if used != 1 {
            return Ok(None);
        }
        self.write_password(&mut tx, id, password_hash, None).await?;
        tx.note(Note::new(AuditAction::ResetPassword).on(AuditObject::Member, id));
        self.commit(tx).await?;
        Ok(Some(member))
    }

    /// Ends the links that a member who no longer may has made for others.
    pub(crate) async fn revoke_resets_by(&self, tx: &mut Tx, member: MemberId) -> Result<(), StoreError> {
        let sql =
            format!("UPDATE password_resets SET revoked_at = $1 WHERE {OPEN} AND created_by = $2 AND member_id <> $2");
        on!(tx, c => sqlx::query(sqlx::AssertSqlSafe(sql)).bind(self.now()).bind(member).execute(c).await.rows())?;
        Ok(())
    }

    /// Ends the links of a member that others have made: who could manage the member once could still be it with them.
    pub(crate) async fn revoke_resets_of_others(&self, tx: &mut Tx, member: MemberId) -> Result<(), StoreError> {
        let sql =
            format!("UPDATE password_resets SET revoked_at = $1 WHERE {OPEN} AND member_id = $2 AND created_by <> $2");
        on!(tx, c => sqlx::query(sqlx::AssertSqlSafe(sql)).bind(self.now()).bind(member).execute(c).await.rows())?;
        Ok(())
    }

    /// Ends the links of a member that are not used yet.
    pub(crate) async fn revoke_resets(&self, tx: &mut Tx, member: MemberId) -> Result<(), StoreError> {
        let sql = format!("UPDATE password_resets SET revoked_at = $1 WHERE {OPEN} AND member_id = $2");
        on!(tx, c => sqlx::query(sqlx::AssertSqlSafe(sql)).bind(self.now()).bind(member).execute(c).await.rows())?;
        Ok(())
    }
}
