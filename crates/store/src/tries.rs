//! Sign-ins that are under way at a provider. Each is good for once; nothing that is kept of one is a secret.

use guildhall_types::{DateTime, MemberId, SessionId};

use crate::{Rows, Store, StoreError, on};

/// A sign-in that is under way at a provider.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SignInTry {
    /// The hash of what the provider gives back to tell which try it was.
    pub state_hash: Vec<u8>,
    /// The hash of the cookie of the browser in which it was begun.
    pub browser_hash: Vec<u8>,
    /// At which provider, by its name.
    pub provider: String,
    /// What for.
    pub purpose: String,
    /// The hash of an invitation's code.
    pub invitation_hash: Option<Vec<u8>>,
    /// Who is signed in and asks for it.
    pub member_id: Option<MemberId>,
    /// In which session.
    pub session_id: Option<SessionId>,
    /// The page to go to when it is done.
    pub go_to: String,
    /// Where the provider leads back to.
    pub redirect_url: String,
    /// When it was begun.
    pub started_at: DateTime,
    /// When it ends by itself.
    pub expires_at: DateTime,
}

const COLUMNS: &str = "state_hash, browser_hash, provider, purpose, invitation_hash, member_id, session_id, go_to, \
    redirect_url, started_at, expires_at";

impl Store {
    /// Keeps a try, and forgets those that have ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_try(&self, new: &SignInTry) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query("DELETE FROM sign_in_tries WHERE expires_at <= $1").bind(self.now()).execute(c).await
            .rows())?;
        let sql =
            format!("INSERT INTO sign_in_tries ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");
        on!(tx, c => sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&new.state_hash).bind(&new.browser_hash)
            .bind(&new.provider).bind(&new.purpose).bind(&new.invitation_hash).bind(new.member_id).bind(new.session_id)
            .bind(&new.go_to).bind(&new.redirect_url).bind(new.started_at).bind(new.expires_at).execute(c).await.rows())?;
        self.commit(tx).await
    }

    /// Takes the try of this state out of the store; nothing when there is none, or it has ended. Nobody can take it again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_try(&self, state_hash: &[u8]) -> Result<Option<SignInTry>, StoreError> {
        let mut tx = self.begin().await?;
        let sql = format!("DELETE FROM sign_in_tries WHERE state_hash = $1 RETURNING {COLUMNS}");
        let taken: Option<SignInTry> =
            on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(state_hash).fetch_optional(c).await)?;
        self.commit(tx).await?;
        Ok(taken.filter(|taken| taken.expires_at > self.now()))
    }
}
