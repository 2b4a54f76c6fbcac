//! Sessions: a member's sign-in in one browser. The token is stored hashed.

use guildhall_types::member::Member;
use guildhall_types::{DateTime, MemberId, SessionId};

use crate::{Rows, Store, StoreError, on, read};

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

const COLUMNS: &str = "id, member_id, user_agent, address, created_at, last_used_at, expires_at";

impl Store {
    /// Opens a session, and forgets those that have ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_session(&self, new: NewSession) -> Result<Session, StoreError> {
        let now = self.now();
        let session = Session {
            id: SessionId::new(),
            member_id: new.member_id,
            user_agent: new.user_agent,
            address: new.address,
            created_at: now,
            last_used_at: now,
            expires_at: new.expires_at,
        };
        let mut tx = self.begin().await?;
        on!(tx, c => sqlx::query("DELETE FROM sessions WHERE expires_at <= $1").bind(now).execute(c).await.rows())?;
        on!(tx, c => sqlx::query(
            "INSERT INTO sessions (id, member_id, token_hash, user_agent, address, created_at, last_used_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
            .bind(session.id).bind(session.member_id).bind(new.token_hash).bind(&session.user_agent)
            .bind(&session.address).bind(now).bind(now).bind(session.expires_at).execute(c).await.rows())?;
        self.commit(tx).await?;
        Ok(session)
    }

    /// The session with this token, and its member; nothing when it has ended or the member is disabled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_by_token(&self, token_hash: &[u8]) -> Result<Option<(Session, Member)>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM sessions WHERE token_hash = $1 AND expires_at > $2");
        let session: Option<Session> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(token_hash).bind(self.now()).fetch_optional(c).await)?;
        let Some(session) = session else { return Ok(None) };
        let member = self.member(session.member_id).await?.filter(|member| member.disabled_at.is_none());
        Ok(member.map(|member| (session, member)))
    }

    /// Notes that a session is in use.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch_session(&self, id: SessionId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
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

    /// Ends one of a member's sessions; false when there is none such.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_session(&self, id: SessionId, member: MemberId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = on!(tx, c => sqlx::query("DELETE FROM sessions WHERE id = $1 AND member_id = $2").bind(id).bind(member)
            .execute(c).await.rows())?;
        self.commit(tx).await?;
        Ok(done == 1)
    }
}
