//! Invitations. The code is stored hashed, and good for one member.

use guildhall_types::access::Invitation;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::event::Happening;
use guildhall_types::member::{Member, MemberRole};
use guildhall_types::{DateTime, InvitationId, MemberId};

use crate::{NewMember, Rows, Store, StoreError, Tx, on, read};

const COLUMNS: &str = "id, email, role, created_by, created_at, expires_at, used_at, used_by, revoked_at";
/// What holds of an invitation that can be used at the moment that is bound as `$1`.
const OPEN: &str = "used_at IS NULL AND revoked_at IS NULL AND expires_at > $1";

/// An invitation to be made.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    /// Who is invited, in lower case.
    pub email: String,
    /// The role that the new member will have.
    pub role: MemberRole,
    /// The hash of its code.
    pub code_hash: Vec<u8>,
    /// Who invites.
    pub created_by: MemberId,
    /// When it ends by itself.
    pub expires_at: DateTime,
}

impl Store {
    /// Makes an invitation in place of an earlier one to the same address.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when a member has this address; [`StoreError::Refused`] when who invites may not, or no longer.
    pub async fn create_invitation(&self, new: NewInvitation) -> Result<Invitation, StoreError> {
        let now = self.now();
        let mut tx = self.begin().await?;
        // Locked, so that whatever ends the right takes this back or is seen here.
        let maker =
            self.locked_member(&mut tx, new.created_by).await?.ok_or(StoreError::NotFound { what: "member" })?;
        maker.may_invite(new.role)?;
        let (members,): (i64,) = on!(tx, c => sqlx::query_as("SELECT count(*) FROM members WHERE email = $1")
            .bind(&new.email).fetch_one(c).await)?;
        if members > 0 {
            return Err(StoreError::Taken { what: "e-mail address" });
        }
        let sql = format!("UPDATE invitations SET revoked_at = $1 WHERE {OPEN} AND email = $2");
        on!(tx, c => sqlx::query(sqlx::AssertSqlSafe(sql)).bind(now).bind(&new.email).execute(c).await.rows())?;
        let sql = format!(
            "INSERT INTO invitations (id, email, role, code_hash, created_by, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {COLUMNS}"
        );
        let made: Invitation = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(InvitationId::new())
            .bind(&new.email).bind(new.role).bind(&new.code_hash).bind(new.created_by).bind(now).bind(new.expires_at)
            .fetch_one(c).await)?;
        let note = Note::new(AuditAction::Invite).on(AuditObject::Invitation, made.id);
        tx.note(note.with("email", &made.email).with("role", made.role));
        self.commit(tx).await?;
        Ok(made)
    }

    /// The invitations, the latest first, before `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invitations(&self, after: Option<InvitationId>, limit: i64) -> Result<Vec<Invitation>, StoreError> {
        let after = after.unwrap_or(InvitationId(uuid::Uuid::max()));
        let sql = format!("SELECT {COLUMNS} FROM invitations WHERE id < $1 ORDER BY id DESC LIMIT $2");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(after).bind(limit).fetch_all(c).await)?)
    }

    /// How many invitations can be used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_invitations(&self) -> Result<i64, StoreError> {
        let sql = format!("SELECT count(*) FROM invitations WHERE {OPEN}");
        let (count,): (i64,) =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(self.now()).fetch_one(c).await)?;
        Ok(count)
    }

    /// The invitation with this code, if it can be used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_invitation(&self, code_hash: &[u8]) -> Result<Option<Invitation>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM invitations WHERE {OPEN} AND code_hash = $2");
        Ok(
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(self.now()).bind(code_hash).fetch_optional(c).await)?,
        )
    }

    /// Takes an invitation back; false when there is none such that can be used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_invitation(&self, id: InvitationId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let sql = format!("UPDATE invitations SET revoked_at = $1 WHERE {OPEN} AND id = $2");
        let done =
            on!(tx, c => sqlx::query(sqlx::AssertSqlSafe(sql)).bind(self.now()).bind(id).execute(c).await.rows())?;
        if done == 1 {
            tx.note(Note::new(AuditAction::RevokeInvitation).on(AuditObject::Invitation, id));
        }
        self.commit(tx).await?;
        Ok(done == 1)
    }

    /// Takes back what a member who no longer may has invited.
    pub(crate) async fn revoke_invitations_by(&self, tx: &mut Tx, member: MemberId) -> Result<(), StoreError> {
        let sql = format!("UPDATE invitations SET revoked_at = $1 WHERE {OPEN} AND created_by = $2");
        on!(tx, c => sqlx::query(sqlx::AssertSqlSafe(sql)).bind(self.now()).bind(member).execute(c).await.rows())?;
        Ok(())
    }

    /// Makes the member who was invited by this code; `None` when it cannot be used, or not with this address.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the e-mail address is in use.
    pub async fn join(&self, new: NewMember, code_hash: &[u8]) -> Result<Option<Member>, StoreError> {
        let mut tx = self.begin().await?;
        let Some(member) = self.join_in(&mut tx, new, code_hash).await? else { return Ok(None) };
        self.commit(tx).await?;
        Ok(Some(member))
    }

    /// The same, as a part of something more.
    pub(crate) async fn join_in(
        &self,
        tx: &mut Tx,
        new: NewMember,
        code_hash: &[u8],
    ) -> Result<Option<Member>, StoreError> {
        let sql = format!(
            "UPDATE invitations SET used_at = $1 WHERE {OPEN} AND code_hash = $2 AND email = $3 RETURNING id, role"
        );
        let used: Option<(InvitationId, MemberRole)> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(self.now()).bind(code_hash).bind(&new.email).fetch_optional(c).await)?;
        let Some((invitation, role)) = used else { return Ok(None) };
        let member = self.insert_member(tx, new, role).await?;
        on!(tx, c => sqlx::query("UPDATE invitations SET used_by = $2 WHERE id = $1").bind(invitation).bind(member.id)
            .execute(c).await.rows())?;
        self.record(tx, &Happening::MemberCreated { member: member.clone() }).await?;
        Ok(Some(member))
    }
}
