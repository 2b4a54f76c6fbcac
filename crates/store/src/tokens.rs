//! Personal access tokens. The token is stored hashed.

use guildhall_types::access::ApiToken;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::member::Member;
use guildhall_types::rights::Scope;
use guildhall_types::{DateTime, MemberId, TokenId};
use sqlx::types::Json;

use crate::{Rows, Store, StoreError, on, read};

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Whose it is.
    pub member_id: MemberId,
    /// What it is for.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// The hash of the token.
    pub token_hash: Vec<u8>,
    /// When it ends by itself.
    pub expires_at: DateTime,
}

/// A token that was presented, whether or not it may still be used.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundToken {
    /// The token.
    pub token: ApiToken,
    /// When it was revoked.
    pub revoked_at: Option<DateTime>,
    /// Whose it is.
    pub member: Member,
}

const COLUMNS: &str = "id, member_id, name, scopes, created_at, expires_at, last_used_at, revoked_at";

#[derive(sqlx::FromRow)]
struct Row {
    id: TokenId,
    member_id: MemberId,
    name: String,
    scopes: Json<Vec<Scope>>,
    created_at: DateTime,
    expires_at: DateTime,
    last_used_at: Option<DateTime>,
    revoked_at: Option<DateTime>,
}

impl Row {
    fn token(self) -> ApiToken {
        ApiToken {
            id: self.id,
            name: self.name,
            scopes: self.scopes.0,
            created_at: self.created_at,
            expires_at: self.expires_at,
            last_used_at: self.last_used_at,
        }
    }
}

impl Store {
    /// Makes a token; `None` when the member has `most` already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_token(&self, new: NewToken, most: i64) -> Result<Option<ApiToken>, StoreError> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let member =
            self.locked_member(&mut tx, new.member_id).await?.ok_or(StoreError::NotFound { what: "member" })?;
        let (count,): (i64,) = on!(tx, c => sqlx::query_as(
            "SELECT count(*) FROM tokens WHERE member_id = $1 AND revoked_at IS NULL AND expires_at > $2")
            .bind(member.id).bind(now).fetch_one(c).await)?;
        if count >= most || member.disabled_at.is_some() {
            return Ok(None);
        }
        let sql = format!(
            "INSERT INTO tokens (id, member_id, name, scopes, token_hash, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {COLUMNS}"
        );
        let row: Row = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(TokenId::new()).bind(new.member_id)
            .bind(&new.name).bind(Json(&new.scopes)).bind(&new.token_hash).bind(now).bind(new.expires_at).fetch_one(c).await)?;
        let token = row.token();
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
        let note = Note::new(AuditAction::CreateToken).on(AuditObject::Token, token.id).with("name", &token.name);
        tx.note(note.with("scopes", scopes.join(" ")).with("expiresAt", token.expires_at.to_rfc3339()));
        self.commit(tx).await?;
        Ok(Some(token))
    }

    /// A member's tokens that are not revoked, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tokens_of(&self, member: MemberId) -> Result<Vec<ApiToken>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM tokens WHERE member_id = $1 AND revoked_at IS NULL ORDER BY id DESC LIMIT 200"
        );
        let rows: Vec<Row> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(member).fetch_all(c).await)?;
        Ok(rows.into_iter().map(Row::token).collect())
    }

    /// The token with this hash and its member, whether or not it may still be used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token_by_hash(&self, token_hash: &[u8]) -> Result<Option<FoundToken>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM tokens WHERE token_hash = $1");
        let row = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(token_hash).fetch_optional(c).await)?;
        self.found(row).await
    }

    /// The token with this id and its member, whether or not it may still be used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token(&self, id: TokenId) -> Result<Option<FoundToken>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM tokens WHERE id = $1");
        let row = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?;
        self.found(row).await
    }

    async fn found(&self, row: Option<Row>) -> Result<Option<FoundToken>, StoreError> {
        let Some(row) = row else { return Ok(None) };
        let Some(member) = self.member(row.member_id).await? else { return Ok(None) };
        Ok(Some(FoundToken { revoked_at: row.revoked_at, token: row.token(), member }))
    }

    /// Notes that a token is in use.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch_token(&self, id: TokenId) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query("UPDATE tokens SET last_used_at = $2 WHERE id = $1").bind(id).bind(self.now())
            .execute(c).await.rows())?;
        self.commit(tx).await
    }

    /// Revokes one of a member's tokens; false when there is none such.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_token(&self, id: TokenId, member: MemberId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = on!(tx, c => sqlx::query(
            "UPDATE tokens SET revoked_at = $3 WHERE id = $1 AND member_id = $2 AND revoked_at IS NULL")
            .bind(id).bind(member).bind(self.now()).execute(c).await.rows())?;
        if done == 1 {
            tx.note(Note::new(AuditAction::RevokeToken).on(AuditObject::Token, id));
            // A WebSocket that was opened with it ends at once.
            self.tell_member(&mut tx, member).await?;
        }
        self.commit(tx).await?;
        Ok(done == 1)
    }
}
