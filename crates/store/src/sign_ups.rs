//! Wishes to sign up where sign-up is open. The member comes to be when the address is proved by a mailed code, which is
//! stored hashed and good for once.

use guildhall_types::audit::{AuditAction, Note};
use guildhall_types::event::Happening;
use guildhall_types::member::{Member, MemberRole};
use guildhall_types::{DateTime, SignUpId};

use crate::{NewMember, Rows, Store, StoreError, on, read};

/// A wish to sign up.
#[derive(Debug, Clone)]
pub struct NewSignUp {
    /// The address, in lower case.
    pub email: String,
    /// The name that is shown.
    pub name: String,
    /// The hash of the password.
    pub password_hash: String,
    /// The hash of the code.
    pub code_hash: Vec<u8>,
    /// When it ends by itself.
    pub expires_at: DateTime,
}

/// A wish that can be fulfilled.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct OpenSignUp {
    /// The address, in lower case.
    pub email: String,
    /// The name that is shown.
    pub name: String,
    /// The hash of the password.
    pub password_hash: String,
}

impl std::fmt::Debug for OpenSignUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenSignUp").field("email", &self.email).finish_non_exhaustive()
    }
}

impl Store {
    /// Keeps a wish to sign up, and forgets those that have ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_sign_up(&self, new: NewSignUp) -> Result<(), StoreError> {
        let now = self.now();
        let mut tx = self.begin().await?;
        on!(tx, c => sqlx::query("DELETE FROM sign_ups WHERE expires_at <= $1").bind(now).execute(c).await.rows())?;
        on!(tx, c => sqlx::query(
            "INSERT INTO sign_ups (id, email, name, password_hash, code_hash, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(SignUpId::new()).bind(&new.email).bind(&new.name).bind(&new.password_hash).bind(&new.code_hash)
            .bind(now).bind(new.expires_at).execute(c).await.rows())?;
        tx.note(Note::new(AuditAction::SignUp).with("email", &new.email));
        self.commit(tx).await
    }

    /// The wish with this code, if it can be fulfilled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_sign_up(&self, code_hash: &[u8]) -> Result<Option<OpenSignUp>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT email, name, password_hash FROM sign_ups WHERE code_hash = $1 AND expires_at > $2")
            .bind(code_hash).bind(self.now()).fetch_optional(c).await)?)
    }

    /// Makes the member who proved the address; `None` when the code cannot be used. Every wish of this address ends.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when a member has this address.
    pub async fn fulfil_sign_up(&self, code_hash: &[u8], role: MemberRole) -> Result<Option<Member>, StoreError> {
        let mut tx = self.begin().await?;
        let found: Option<OpenSignUp> = on!(tx, c => sqlx::query_as(
            "DELETE FROM sign_ups WHERE code_hash = $1 AND expires_at > $2 RETURNING email, name, password_hash")
            .bind(code_hash).bind(self.now()).fetch_optional(c).await)?;
        let Some(OpenSignUp { email, name, password_hash }) = found else { return Ok(None) };
        on!(tx, c => sqlx::query("DELETE FROM sign_ups WHERE email = $1").bind(&email).execute(c).await.rows())?;
        let new = NewMember { email, name, password_hash: Some(password_hash) };
        let member = self.insert_member(&mut tx, new, role).await?;
        self.record(&mut tx, &Happening::MemberCreated { member: member.clone() }).await?;
        self.commit(tx).await?;
        Ok(Some(member))
    }
}
