//! Members.

mod change;

use guildhall_types::MemberId;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::event::Happening;
use guildhall_types::member::{Member, MemberRole, Preferences};
use sqlx::types::Json;

use crate::{Rows, Store, StoreError, Tx, on, read};

pub use change::Changed;
pub(crate) use change::may_run;

pub(crate) const COLUMNS: &str = "id, email, name, time_zone, role, created_at, last_login_at, disabled_at, avatar";

/// A member to be made.
#[derive(Debug, Clone)]
pub struct NewMember {
    /// In lower case.
    pub email: String,
    /// The name that is shown.
    pub name: String,
    /// The hash of the password, if there is one.
    pub password_hash: Option<String>,
}

#[derive(sqlx::FromRow)]
struct WithPassword {
    #[sqlx(flatten)]
    member: Member,
    password_hash: Option<String>,
}

impl Store {
    /// How many members there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn member_count(&self) -> Result<i64, StoreError> {
        let (count,): (i64,) = read!(self, c => sqlx::query_as("SELECT count(*) FROM members").fetch_one(c).await)?;
        Ok(count)
    }

    /// Makes the first member, who becomes the owner; `None` when there is a member already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_first_member(&self, new: NewMember) -> Result<Option<Member>, StoreError> {
        let mut tx = self.begin().await?;
        // The counter's row is every writer's lock: two first members cannot pass here together.
        on!(tx, c => sqlx::query("UPDATE event_counter SET seq = seq WHERE one = 1").execute(c).await.rows())?;
        let (count,): (i64,) = on!(tx, c => sqlx::query_as("SELECT count(*) FROM members").fetch_one(c).await)?;
        if count > 0 {
            return Ok(None);
        }
        let member = self.insert_member(&mut tx, new, MemberRole::Owner).await?;
        self.commit(tx).await?;
        Ok(Some(member))
    }

    /// Makes a member.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the e-mail address is in use.
    pub async fn create_member(&self, new: NewMember, role: MemberRole) -> Result<Member, StoreError> {
        let mut tx = self.begin().await?;
        let member = self.insert_member(&mut tx, new, role).await?;
        self.commit(tx).await?;
        Ok(member)
    }

    /// Makes a member who signed up without an invitation.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the e-mail address is in use.
    pub async fn sign_up(&self, new: NewMember, role: MemberRole) -> Result<Member, StoreError> {
        let mut tx = self.begin().await?;
        let member = self.insert_member(&mut tx, new, role).await?;
        self.record(&mut tx, &Happening::MemberCreated { member: member.clone() }).await?;
        self.commit(tx).await?;
        Ok(member)
    }

    pub(crate) async fn insert_member(
        &self,
        tx: &mut Tx,
        new: NewMember,
        role: MemberRole,
    ) -> Result<Member, StoreError> {
        let member = Member {
            id: MemberId::new(),
            email: new.email,
            name: new.name,
            time_zone: None,
            role,
            created_at: self.now(),
            last_login_at: None,
            disabled_at: None,
            avatar: None,
        };
        on!(tx, c => sqlx::query(
            "INSERT INTO members (id, email, name, role, password_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(member.id).bind(&member.email).bind(&member.name).bind(member.role).bind(new.password_hash)
            .bind(member.created_at).execute(c).await.rows())
        .map_err(|error| StoreError::taken(error, "e-mail address"))?;
        let note = Note::new(AuditAction::Register).on(AuditObject::Member, member.id);
        tx.note(note.with("email", &member.email).with("role", member.role));
        Ok(member)
    }

    /// The member with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn member(&self, id: MemberId) -> Result<Option<Member>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM members WHERE id = $1");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?)
    }

    /// The member with this e-mail address (in lower case), and the hash of the password.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn member_by_email(&self, email: &str) -> Result<Option<(Member, Option<String>)>, StoreError> {
        let sql = format!("SELECT {COLUMNS}, password_hash FROM members WHERE email = $1");
        let row: Option<WithPassword> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(email).fetch_optional(c).await)?;
        Ok(row.map(|row| (row.member, row.password_hash)))
    }

    /// The hash of a member's password, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn password_hash(&self, id: MemberId) -> Result<Option<String>, StoreError> {
        let row: Option<(Option<String>,)> = read!(self, c => sqlx::query_as("SELECT password_hash FROM members WHERE id = $1")
            .bind(id).fetch_optional(c).await)?;
        Ok(row.and_then(|(hash,)| hash))
    }

    /// The members in the order of their making, after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members(&self, after: Option<MemberId>, limit: i64) -> Result<Vec<Member>, StoreError> {
        let after = after.unwrap_or(MemberId(uuid::Uuid::nil()));
        let sql = format!("SELECT {COLUMNS} FROM members WHERE id > $1 ORDER BY id LIMIT $2");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(after).bind(limit).fetch_all(c).await)?)
    }

    /// Changes a member's name and time zone; what is absent stays, and an inner nothing takes the time zone away.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such member.
    pub async fn change_profile(
        &self,
        id: MemberId,
        name: Option<&str>,
        time_zone: Option<Option<&str>>,
    ) -> Result<Member, StoreError> {
        let mut tx = self.begin().await?;
        let member = self.locked_member(&mut tx, id).await?.ok_or(StoreError::NotFound { what: "member" })?;
        let name = name.unwrap_or(&member.name);
        let time_zone = time_zone.unwrap_or(member.time_zone.as_deref());
        on!(tx, c => sqlx::query("UPDATE members SET name = $2, time_zone = $3 WHERE id = $1").bind(id).bind(name)
            .bind(time_zone).execute(c).await.rows())?;
        tx.note(Note::new(AuditAction::ChangeProfile).on(AuditObject::Member, id).with("name", name));
        let member = self.tell_member(&mut tx, id).await?;
        self.commit(tx).await?;
        Ok(member)
    }

    /// How a member likes the page.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn preferences(&self, id: MemberId) -> Result<Preferences, StoreError> {
        let row: Option<(Option<Json<Preferences>>,)> = read!(self, c => sqlx::query_as(
            "SELECT preferences FROM members WHERE id = $1").bind(id).fetch_optional(c).await)?;
        Ok(row.and_then(|(kept,)| kept).map(|kept| kept.0).unwrap_or_default())
    }

    /// Keeps how a member likes the page. No deed to tell the audit of.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such member.
    pub async fn set_preferences(&self, id: MemberId, preferences: Preferences) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done = on!(tx, c => sqlx::query("UPDATE members SET preferences = $2 WHERE id = $1").bind(id)
            .bind(Json(preferences)).execute(c).await.rows())?;
        if done != 1 {
            return Err(StoreError::NotFound { what: "member" });
        }
        self.commit(tx).await
    }

    /// Sets a member's password and ends the member's sessions but `except`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such member.
    pub async fn set_password(
        &self,
        id: MemberId,
        password_hash: &str,
        except: Option<guildhall_types::SessionId>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        self.write_password(&mut tx, id, password_hash, except).await?;
        tx.note(Note::new(AuditAction::ChangePassword).on(AuditObject::Member, id));
        self.commit(tx).await
    }

    /// A new password ends what an older one has opened.
    pub(crate) async fn write_password(
        &self,
        tx: &mut Tx,
        id: MemberId,
        password_hash: &str,
        except: Option<guildhall_types::SessionId>,
    ) -> Result<(), StoreError> {
        let done = on!(tx, c => sqlx::query("UPDATE members SET password_hash = $2 WHERE id = $1").bind(id)
            .bind(password_hash).execute(c).await.rows())?;
        if done != 1 {
            return Err(StoreError::NotFound { what: "member" });
        }
        self.delete_sessions(tx, id, except).await?;
        self.disconnect_clients(tx, id, "the password changed").await?;
        self.revoke_resets(tx, id).await?;
        self.tell_member(tx, id).await?;
        Ok(())
    }

    /// The member, locked until the transaction ends.
    pub(crate) async fn locked_member(&self, tx: &mut Tx, id: MemberId) -> Result<Option<Member>, StoreError> {
        let sql = format!("UPDATE members SET role = role WHERE id = $1 RETURNING {COLUMNS}");
        Ok(on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?)
    }

    /// Everybody who administers the team.
    pub(crate) async fn admins(&self, tx: &mut Tx) -> Result<Vec<MemberId>, StoreError> {
        let admins: Vec<(MemberId,)> = on!(tx, c => sqlx::query_as(
            "SELECT id FROM members WHERE role IN ('owner', 'admin') AND disabled_at IS NULL ORDER BY id").fetch_all(c).await)?;
        Ok(admins.into_iter().map(|(id,)| id).collect())
    }

    /// Reads the member after a change and records the event that tells of it.
    pub(crate) async fn tell_member(&self, tx: &mut Tx, id: MemberId) -> Result<Member, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM members WHERE id = $1");
        let member: Option<Member> =
            on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?;
        let member = member.ok_or(StoreError::NotFound { what: "member" })?;
        self.record(tx, &Happening::MemberUpdated { member: member.clone() }).await?;
        Ok(member)
    }

    /// Notes that a member has signed in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch_login(&self, id: MemberId) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query("UPDATE members SET last_login_at = $2 WHERE id = $1").bind(id).bind(self.now())
            .execute(c).await.rows())?;
        self.commit(tx).await
    }
}
