//! Sessions: a member's sign-in in one browser. The token is stored hashed.

use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::member::Member;
use guildhall_types::{DateTime, MemberId, SessionId};

use crate::{Rows, Store, StoreError, Tx, members, on, read};

/// A session as its member may see it.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Session {
    /// The session's id.
    pub id: SessionId,
    /// Whose it is.
    pub member_id: MemberId,
    /// The browser, as it calls itself.
    pub user_agent: Option<String>,
    /// The address it was opened from.
    pub address: Option<String>,
    /// When it was opened.
    pub created_at: DateTime,
    /// When it was last used, to the minute.
    pub last_used_at: DateTime,
    /// When it ends.
    pub expires_at: DateTime,
    /// When the member last proved who they are.
    pub confirmed_at: DateTime,
}

/// A session to be opened.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Whose it is.
    pub member_id: MemberId,
    /// The hash of its token.
    pub token_hash: Vec<u8>,
    /// The browser, as it calls itself.
    pub user_agent: Option<String>,
    /// The address it was opened from.
    pub address: Option<String>,
    /// When it ends.
    pub expires_at: DateTime,
}

const COLUMNS: &str = "id, member_id, user_agent, address, created_at, last_used_at, expires_at, \
    coalesce(confirmed_at, created_at) AS confirmed_at";

/// A session with its member. Every request begins with this look, so that it is one.
#[derive(sqlx::FromRow)]
struct SignedIn {
    #[sqlx(flatten)]
    member: Member,
    session_id: SessionId,
    user_agent: Option<String>,
    address: Option<String>,
    opened_at: DateTime,
    last_used_at: DateTime,
    expires_at: DateTime,
    confirmed_at: DateTime,
    /// Whether it was found by the token that it has now.
    is_current: i64,
}

impl SignedIn {
    fn parted(self) -> (Session, Member) {
        let Self { member, session_id, user_agent, address, opened_at, last_used_at, expires_at, .. } = self;
        // Whoever holds the former token is not known to be the one who gave the proof.
        let confirmed_at = if self.is_current == 1 { self.confirmed_at } else { DateTime::UNIX_EPOCH };
        let session = Session {
            id: session_id,
            member_id: member.id,
            user_agent,
            address,
            created_at: opened_at,
            last_used_at,
            expires_at,
            confirmed_at,
        };
        (session, member)
    }
}

/// What looks for a session that has not ended by `$2`, of a member who is not disabled.
fn signed_in(which: &str, current: &str) -> String {
    format!(
        "SELECT {}, session_id, user_agent, address, opened_at, last_used_at, expires_at, confirmed_at, is_current FROM (
           SELECT id AS session_id, member_id, user_agent, address, created_at AS opened_at, last_used_at, expires_at,
             coalesce(confirmed_at, created_at) AS confirmed_at,
             CAST(CASE WHEN {current} THEN 1 ELSE 0 END AS BIGINT) AS is_current
           FROM sessions WHERE {which} AND expires_at > $2
         ) AS opened JOIN members ON members.id = opened.member_id WHERE members.disabled_at IS NULL",
        members::COLUMNS
    )
}

impl Store {
    /// Opens a session, and forgets those that have ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_session(&self, new: NewSession) -> Result<Session, StoreError> {
        self.create_session_by(new, "password", self.now()).await
    }

    /// The same, where the member came in another way `by` something, and last proved then who they are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_session_by(
        &self,
        new: NewSession,
        by: &str,
        confirmed_at: DateTime,
    ) -> Result<Session, StoreError> {
        let now = self.now();
        let session = Session {
            id: SessionId::new(),
            member_id: new.member_id,
            user_agent: new.user_agent,
            address: new.address,
            created_at: now,
            last_used_at: now,
            expires_at: new.expires_at,
            confirmed_at,
        };
        let mut tx = self.begin().await?;
        on!(tx, c => sqlx::query("DELETE FROM sessions WHERE expires_at <= $1").bind(now).execute(c).await.rows())?;
        on!(tx, c => sqlx::query(
            "INSERT INTO sessions (id, member_id, token_hash, user_agent, address, created_at, last_used_at, expires_at,
               confirmed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
            .bind(session.id).bind(session.member_id).bind(new.token_hash).bind(&session.user_agent)
            .bind(&session.address).bind(now).bind(now).bind(session.expires_at)
            .bind(confirmed_at).execute(c).await.rows())?;
        tx.note(Note::new(AuditAction::SignIn).on(AuditObject::Session, session.id).with("by", by));
        self.commit(tx).await?;
        Ok(session)
    }

    /// The session with this token, and its member; nothing when it has ended or the member is disabled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_by_token(&self, token_hash: &[u8]) -> Result<Option<(Session, Member)>, StoreError> {
        let sql = signed_in("(token_hash = $1 OR (former_hash = $1 AND former_until > $2))", "token_hash = $1");
        let row: Option<SignedIn> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(token_hash).bind(self.now()).fetch_optional(c).await)?;
        Ok(row.map(SignedIn::parted))
    }

    /// The session with this id, and its member; nothing when it has ended or the member is disabled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session(&self, id: SessionId) -> Result<Option<(Session, Member)>, StoreError> {
        let row: Option<SignedIn> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(signed_in("id = $1", "1 = 1")))
            .bind(id).bind(self.now()).fetch_optional(c).await)?;
        Ok(row.map(SignedIn::parted))
    }

    /// Notes that the member of a session has proved who they are, and gives the session another token. The former one
    /// is good for requests under way until `former_until`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it has ended.
    pub async fn confirm_session(
        &self,
        id: SessionId,
        token_hash: &[u8],
        former_until: DateTime,
    ) -> Result<Session, StoreError> {
        let mut tx = self.begin().await?;
        let sql = format!(
            "UPDATE sessions SET former_hash = token_hash, former_until = $4, token_hash = $2, confirmed_at = $3
             WHERE id = $1 RETURNING {COLUMNS}"
        );
        let session: Option<Session> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).bind(token_hash)
            .bind(self.now()).bind(former_until).fetch_optional(c).await)?;
        let session = session.ok_or(StoreError::NotFound { what: "session" })?;
        tx.note(Note::new(AuditAction::Confirm).on(AuditObject::Session, id));
        self.commit(tx).await?;
        Ok(session)
    }

    /// Notes that a session is in use.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch_session(&self, id: SessionId) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query("UPDATE sessions SET last_used_at = $2 WHERE id = $1").bind(id).bind(self.now())
            .execute(c).await.rows())?;
        self.commit(tx).await
    }

    /// A member's sessions, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sessions_of(&self, member: MemberId) -> Result<Vec<Session>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM sessions WHERE member_id = $1 AND expires_at > $2 ORDER BY last_used_at DESC LIMIT 100"
        );
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(member).bind(self.now()).fetch_all(c).await)?)
    }

    /// Ends one of a member's sessions; false when there is none such. `action` says how it came to that.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_session(&self, id: SessionId, member: MemberId, action: AuditAction) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = on!(tx, c => sqlx::query("DELETE FROM sessions WHERE id = $1 AND member_id = $2").bind(id).bind(member)
            .execute(c).await.rows())?;
        if done == 1 {
            tx.note(Note::new(action).on(AuditObject::Session, id));
            self.tell_member(&mut tx, member).await?;
        }
        self.commit(tx).await?;
        Ok(done == 1)
    }

    /// Ends a member's sessions but `except`, on the member's own behalf. Returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_sessions(&self, member: MemberId, except: Option<SessionId>) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let ended = self.delete_sessions(&mut tx, member, except).await?;
        tx.note(Note::new(AuditAction::EndSession).on(AuditObject::Member, member).with("sessions", ended));
        self.tell_member(&mut tx, member).await?;
        self.commit(tx).await?;
        Ok(ended)
    }

    /// Forgets a session that has ended by itself.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_session(&self, id: SessionId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        on!(tx, c => sqlx::query("DELETE FROM sessions WHERE id = $1").bind(id).execute(c).await.rows())?;
        self.commit(tx).await
    }

    pub(crate) async fn delete_sessions(
        &self,
        tx: &mut Tx,
        member: MemberId,
        except: Option<SessionId>,
    ) -> Result<u64, StoreError> {
        // A sign-in that is half done is to become a session.
        self.end_half_done(tx, member).await?;
        let except = except.unwrap_or(SessionId(uuid::Uuid::nil()));
        Ok(on!(tx, c => sqlx::query("DELETE FROM sessions WHERE member_id = $1 AND id <> $2").bind(member).bind(except)
            .execute(c).await.rows())?)
    }
}
