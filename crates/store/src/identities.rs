//! Accounts at providers by which members sign in, and what is left of a member when one of them is taken away.

use guildhall_types::access::Identity;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::event::Happening;
use guildhall_types::member::{Member, MemberRole};
use guildhall_types::{IdentityId, MemberId};

use crate::{NewMember, Rows, Store, StoreError, Tx, clean, on, read};

const COLUMNS: &str = "id, member_id, issuer, subject, email, created_at, last_used_at";

/// An account at a provider.
#[derive(Debug, Clone)]
pub struct NewIdentity {
    /// The provider, by its issuer.
    pub issuer: String,
    /// The account, as the provider names it for good.
    pub subject: String,
    /// Its e-mail address, as the provider tells it.
    pub email: Option<String>,
}

/// What came of taking an identity away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlinked {
    /// It is gone.
    Done,
    /// The member has none such.
    NotFound,
    /// It stays: the member could not sign in any more.
    LastWayIn,
}

impl Store {
    /// The member who signs in by this account, disabled or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn member_by_identity(
        &self,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<(Identity, Member)>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM identities WHERE issuer = $1 AND subject = $2");
        let found: Option<Identity> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(issuer)
            .bind(subject).fetch_optional(c).await)?;
        let Some(identity) = found else { return Ok(None) };
        let member = self.member(identity.member_id).await?;
        Ok(member.map(|member| (identity, member)))
    }

    /// The accounts by which a member signs in, the oldest link first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn identities_of(&self, member: MemberId) -> Result<Vec<Identity>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM identities WHERE member_id = $1 ORDER BY id LIMIT 100");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(member).fetch_all(c).await)?)
    }

    /// Links an account to a member. One that is linked to this member already is left as it is.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when it is linked to another member; [`StoreError::NotFound`].
    pub async fn link_identity(&self, member: MemberId, new: &NewIdentity) -> Result<Identity, StoreError> {
        let mut tx = self.begin().await?;
        self.locked_member(&mut tx, member).await?.ok_or(StoreError::NotFound { what: "member" })?;
        let sql = format!("SELECT {COLUMNS} FROM identities WHERE issuer = $1 AND subject = $2");
        let there: Option<Identity> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(&new.issuer)
            .bind(&new.subject).fetch_optional(c).await)?;
        match there {
            Some(identity) if identity.member_id == member => return Ok(identity),
            Some(_) => return Err(StoreError::Taken { what: "account" }),
            None => {}
        }
        // A member who links an account wants what comes with it: a picture that was taken away may come again.
        on!(tx, c => sqlx::query("DELETE FROM avatars WHERE member_id = $1 AND bytes IS NULL").bind(member)
            .execute(c).await.rows())?;
        let identity = self.insert_identity(&mut tx, member, new, false).await?;
        self.commit(tx).await?;
        Ok(identity)
    }

    /// `used` says whether the member signs in by it at this moment.
    async fn insert_identity(
        &self,
        tx: &mut Tx,
        member: MemberId,
        new: &NewIdentity,
        used: bool,
    ) -> Result<Identity, StoreError> {
        let sql = format!(
            "INSERT INTO identities (id, member_id, issuer, subject, email, created_at, last_used_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             RETURNING {COLUMNS}"
        );
        let identity: Identity = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(IdentityId::new())
            .bind(member).bind(&new.issuer).bind(&new.subject).bind(new.email.as_deref().map(clean)).bind(self.now())
            .bind(used.then(|| self.now())).fetch_one(c).await)
        .map_err(|error| StoreError::taken(error, "account"))?;
        let note = Note::new(AuditAction::LinkIdentity).on(AuditObject::Identity, identity.id);
        tx.note(note.with("member", member).with("issuer", &new.issuer));
        Ok(identity)
    }

    /// Makes the member who was invited by this code and signs in by this account; `None` when the code cannot be used,
    /// or not with this address.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the e-mail address or the account is in use.
    pub async fn join_by_identity(
        &self,
        new: NewMember,
        code_hash: &[u8],
        identity: &NewIdentity,
    ) -> Result<Option<Member>, StoreError> {
        let mut tx = self.begin().await?;
        let Some(member) = self.join_in(&mut tx, new, code_hash).await? else { return Ok(None) };
        self.insert_identity(&mut tx, member.id, identity, true).await?;
        self.commit(tx).await?;
        Ok(Some(member))
    }

    /// Makes a member who signed up without an invitation and signs in by this account.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the e-mail address or the account is in use.
    pub async fn sign_up_by_identity(
        &self,
        new: NewMember,
        role: MemberRole,
        identity: &NewIdentity,
    ) -> Result<Member, StoreError> {
        let mut tx = self.begin().await?;
        let member = self.insert_member(&mut tx, new, role).await?;
        self.record(&mut tx, &Happening::MemberCreated { member: member.clone() }).await?;
        self.insert_identity(&mut tx, member.id, identity, true).await?;
        self.commit(tx).await?;
        Ok(member)
    }

    /// Notes that a member signs in by this account, and the address that it has now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch_identity(&self, id: IdentityId, email: Option<&str>) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query("UPDATE identities SET last_used_at = $2, email = coalesce($3, email) WHERE id = $1")
            .bind(id).bind(self.now()).bind(email.map(clean)).execute(c).await.rows())?;
        self.commit(tx).await
    }

    /// Takes an account away from a member, unless it is the last way in. `issuers` are the providers that can be used now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unlink_identity(
        &self,
        member: MemberId,
        id: IdentityId,
        issuers: &[String],
    ) -> Result<Unlinked, StoreError> {
        let mut tx = self.begin().await?;
        // Two that are taken away at once wait for each other here.
        self.locked_member(&mut tx, member).await?;
        let row: Option<(String,)> = on!(tx, c => sqlx::query_as(
            "DELETE FROM identities WHERE id = $1 AND member_id = $2 RETURNING issuer").bind(id).bind(member)
            .fetch_optional(c).await)?;
        let Some((issuer,)) = row else { return Ok(Unlinked::NotFound) };
        if !self.ways_in(&mut tx, member, issuers).await?.any() {
            return Ok(Unlinked::LastWayIn);
        }
        let note = Note::new(AuditAction::UnlinkIdentity).on(AuditObject::Identity, id);
        tx.note(note.with("member", member).with("issuer", issuer));
        self.commit(tx).await?;
        Ok(Unlinked::Done)
    }
}
