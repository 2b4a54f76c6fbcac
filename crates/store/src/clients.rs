//! Programs that members connect (OAuth 2.1): clients, what members allow them, codes and tokens. Codes and tokens are
//! stored hashed. What may be asked for and what is good for what, `guildhall_team` says.
//!
//! Whatever changes what a member allows locks the member first, so that disabling one and connecting a program cannot
//! pass each other.

mod exchange;

use guildhall_types::access::{ConnectedClient, OauthClient};
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::member::Member;
use guildhall_types::rights::Scope;
use guildhall_types::{ClientId, DateTime, MemberId, TokenId};
use sqlx::types::Json;

use crate::{Rows, Store, StoreError, Tx, on, read};

/// What a member is to allow a program.
#[derive(Debug, Clone)]
pub struct NewGrant {
    /// Who allows it.
    pub member_id: MemberId,
    /// Which program.
    pub client_id: ClientId,
    /// What for.
    pub scopes: Vec<Scope>,
    /// The address that its tokens will be good for.
    pub resource: String,
    /// The hash of the code that the program gets.
    pub code_hash: Vec<u8>,
    /// Where the code is sent.
    pub redirect_uri: String,
    /// The hash of the proof (PKCE) that the program has to show with the code, as it gave it.
    pub challenge: String,
    /// When the code ends.
    pub code_ends: DateTime,
}

/// What a member allows a program, whether or not it has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    /// Its id; the audit names it as the token.
    pub id: TokenId,
    /// Who allows it.
    pub member: Member,
    /// Which program.
    pub client_id: ClientId,
    /// What the program calls itself.
    pub name: String,
    /// What for.
    pub scopes: Vec<Scope>,
    /// The address that its tokens are good for.
    pub resource: String,
    /// Since when.
    pub created_at: DateTime,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime>,
    /// When it ends if it is not used.
    pub ends_at: DateTime,
    /// When it was taken back.
    pub revoked_at: Option<DateTime>,
}

/// A code that was shown.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundCode {
    /// What it was made for.
    pub grant: Grant,
    /// Where it was sent.
    pub redirect_uri: String,
    /// The hash of the proof that belongs to it.
    pub challenge: String,
    /// When it ends.
    pub expires_at: DateTime,
    /// When it was exchanged.
    pub used_at: Option<DateTime>,
}

/// A token of a program that was shown.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundClientToken {
    /// What it was made for.
    pub grant: Grant,
    /// Whether it is for getting new tokens, rather than for use.
    pub refresh: bool,
    /// When it ends.
    pub expires_at: DateTime,
    /// When it was exchanged for the next one.
    pub used_at: Option<DateTime>,
}

/// A pair of tokens to be made.
#[derive(Debug, Clone)]
pub struct NewPair {
    /// The hash of the token for use.
    pub access_hash: Vec<u8>,
    /// When that one ends.
    pub access_ends: DateTime,
    /// The hash of the token for getting the next pair.
    pub refresh_hash: Vec<u8>,
    /// When that one ends, and what the member allows with it.
    pub refresh_ends: DateTime,
}

/// What is forgotten of programs that nobody uses.
#[derive(Debug, Clone, Copy)]
pub struct ClientBounds {
    /// Programs that no member has connected yet, at most: of more, the oldest are forgotten.
    pub most: i64,
    /// All of them are forgotten when they are older than this.
    pub unused_since: DateTime,
    /// What ended before this is forgotten.
    pub ended_since: DateTime,
}

const ACCESS: &str = "access";
const REFRESH: &str = "refresh";

#[derive(sqlx::FromRow)]
struct ClientRow {
    id: ClientId,
    name: String,
    redirect_uris: Json<Vec<String>>,
    created_at: DateTime,
}

impl ClientRow {
    fn client(self) -> OauthClient {
        OauthClient { id: self.id, name: self.name, redirect_uris: self.redirect_uris.0, created_at: self.created_at }
    }
}

const GRANT: &str = "g.id, g.member_id, g.client_id, n.name, g.scopes, g.resource, g.created_at, g.last_used_at, \
    g.ends_at, g.revoked_at";

#[derive(sqlx::FromRow)]
struct GrantRow {
    id: TokenId,
    member_id: MemberId,
    client_id: ClientId,
    name: String,
    scopes: Json<Vec<Scope>>,
    resource: String,
    created_at: DateTime,
    last_used_at: Option<DateTime>,
    ends_at: DateTime,
    revoked_at: Option<DateTime>,
}

impl GrantRow {
    fn of(self, member: Member) -> Grant {
        Grant {
            id: self.id,
            member,
            client_id: self.client_id,
            name: self.name,
            scopes: self.scopes.0,
            resource: self.resource,
            created_at: self.created_at,
            last_used_at: self.last_used_at,
            ends_at: self.ends_at,
            revoked_at: self.revoked_at,
        }
    }
}

impl Store {
    /// Registers a program, and forgets what nobody uses. Where too many wait for being connected, the ones that wait longest are
    /// forgotten: nobody can keep others from registering, and a member connects within minutes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn register_client(
        &self,
        name: &str,
        redirect_uris: &[String],
        bounds: ClientBounds,
    ) -> Result<OauthClient, StoreError> {
        let mut tx = self.begin().await?;
        self.forget_clients(&mut tx, bounds).await?;
        let row: ClientRow = on!(tx, c => sqlx::query_as(
            "INSERT INTO oauth_clients (id, name, redirect_uris, created_at) VALUES ($1, $2, $3, $4)
             RETURNING id, name, redirect_uris, created_at")
            .bind(ClientId::new()).bind(name).bind(Json(redirect_uris)).bind(self.now()).fetch_one(c).await)?;
        self.commit(tx).await?;
        Ok(row.client())
    }

    async fn forget_clients(&self, tx: &mut Tx, bounds: ClientBounds) -> Result<(), StoreError> {
        const ENDED: &str = "SELECT id FROM oauth_grants WHERE ends_at <= $1 OR revoked_at <= $1";
        for table in ["oauth_codes", "oauth_tokens"] {
            let sql = format!("DELETE FROM {table} WHERE grant_id IN ({ENDED})");
            on!(tx, c => sqlx::query(sqlx::AssertSqlSafe(sql)).bind(bounds.ended_since).execute(c).await.rows())?;
        }
        on!(tx, c => sqlx::query("DELETE FROM oauth_grants WHERE ends_at <= $1 OR revoked_at <= $1")
            .bind(bounds.ended_since).execute(c).await.rows())?;
        on!(tx, c => sqlx::query(
            "DELETE FROM oauth_clients WHERE (allowed_at IS NULL AND created_at <= $1)
               OR (allowed_at <= $2 AND NOT EXISTS (SELECT 1 FROM oauth_grants g WHERE g.client_id = oauth_clients.id))")
            .bind(bounds.unused_since).bind(bounds.ended_since).execute(c).await.rows())?;
        let (waiting,): (i64,) = on!(tx, c => sqlx::query_as("SELECT count(*) FROM oauth_clients WHERE allowed_at IS NULL")
            .fetch_one(c).await)?;
        // One more is to come. One that a member connects at this moment stays: its row says so once it can be had.
        on!(tx, c => sqlx::query(
            "DELETE FROM oauth_clients WHERE allowed_at IS NULL AND id IN
               (SELECT id FROM oauth_clients WHERE allowed_at IS NULL ORDER BY created_at, id LIMIT $1)")
            .bind((waiting + 1 - bounds.most).max(0)).execute(c).await.rows())?;
        Ok(())
    }

    /// The program of this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn client(&self, id: ClientId) -> Result<Option<OauthClient>, StoreError> {
        let row: Option<ClientRow> = read!(self, c => sqlx::query_as(
            "SELECT id, name, redirect_uris, created_at FROM oauth_clients WHERE id = $1").bind(id)
            .fetch_optional(c).await)?;
        Ok(row.map(ClientRow::client))
    }

    /// Lets a member allow a program something; `None` when the member has allowed `most` already, or is disabled. Until
    /// the code is exchanged, it lasts as long as the code.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the member or the program is not there.
    pub async fn allow_client(&self, new: NewGrant, most: i64) -> Result<Option<TokenId>, StoreError> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let member =
            self.locked_member(&mut tx, new.member_id).await?.ok_or(StoreError::NotFound { what: "member" })?;
        let (count,): (i64,) = on!(tx, c => sqlx::query_as(
            "SELECT count(*) FROM oauth_grants WHERE member_id = $1 AND revoked_at IS NULL AND ends_at > $2")
            .bind(member.id).bind(now).fetch_one(c).await)?;
        if count >= most || member.disabled_at.is_some() {
            return Ok(None);
        }
        let client: Option<(String,)> = on!(tx, c => sqlx::query_as(
            "UPDATE oauth_clients SET allowed_at = $2 WHERE id = $1 RETURNING name").bind(new.client_id).bind(now)
            .fetch_optional(c).await)?;
        let (name,) = client.ok_or(StoreError::NotFound { what: "client" })?;
        let id = TokenId::new();
        on!(tx, c => sqlx::query(
            "INSERT INTO oauth_grants (id, member_id, client_id, scopes, resource, created_at, ends_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(id).bind(member.id).bind(new.client_id).bind(Json(&new.scopes)).bind(&new.resource).bind(now)
            .bind(new.code_ends).execute(c).await.rows())?;
        on!(tx, c => sqlx::query(
            "INSERT INTO oauth_codes (code_hash, grant_id, redirect_uri, challenge, expires_at)
             VALUES ($1, $2, $3, $4, $5)")
            .bind(&new.code_hash).bind(id).bind(&new.redirect_uri).bind(&new.challenge).bind(new.code_ends)
            .execute(c).await.rows())?;
        let scopes: Vec<&str> = new.scopes.iter().map(|scope| scope.as_str()).collect();
        let note = Note::new(AuditAction::ConnectClient).on(AuditObject::Client, id).with("name", name);
        tx.note(note.with("scopes", scopes.join(" ")).with("redirectUri", &new.redirect_uri));
        self.commit(tx).await?;
        Ok(Some(id))
    }

    /// The code with this hash, whether or not it may still be exchanged.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn client_code(&self, code_hash: &[u8]) -> Result<Option<FoundCode>, StoreError> {
        #[derive(sqlx::FromRow)]
        struct Row {
            #[sqlx(flatten)]
            grant: GrantRow,
            redirect_uri: String,
            challenge: String,
            expires_at: DateTime,
            used_at: Option<DateTime>,
        }
        let sql = format!(
            "SELECT {GRANT}, k.redirect_uri, k.challenge, k.expires_at, k.used_at FROM oauth_codes k
             JOIN oauth_grants g ON g.id = k.grant_id JOIN oauth_clients n ON n.id = g.client_id WHERE k.code_hash = $1"
        );
        let row: Option<Row> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(code_hash).fetch_optional(c).await)?;
        let Some(row) = row else { return Ok(None) };
        let Some(member) = self.member(row.grant.member_id).await? else { return Ok(None) };
        Ok(Some(FoundCode {
            grant: row.grant.of(member),
            redirect_uri: row.redirect_uri,
            challenge: row.challenge,
            expires_at: row.expires_at,
            used_at: row.used_at,
        }))
    }

    /// The token with this hash, whether or not it may still be used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn client_token(&self, token_hash: &[u8]) -> Result<Option<FoundClientToken>, StoreError> {
        #[derive(sqlx::FromRow)]
        struct Row {
            #[sqlx(flatten)]
            grant: GrantRow,
            kind: String,
            expires_at: DateTime,
            used_at: Option<DateTime>,
        }
        let sql = format!(
            "SELECT {GRANT}, t.kind, t.expires_at, t.used_at FROM oauth_tokens t
             JOIN oauth_grants g ON g.id = t.grant_id JOIN oauth_clients n ON n.id = g.client_id WHERE t.token_hash = $1"
        );
        let row: Option<Row> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(token_hash).fetch_optional(c).await)?;
        let Some(row) = row else { return Ok(None) };
        let Some(member) = self.member(row.grant.member_id).await? else { return Ok(None) };
        Ok(Some(FoundClientToken {
            refresh: row.kind == REFRESH,
            grant: row.grant.of(member),
            expires_at: row.expires_at,
            used_at: row.used_at,
        }))
    }

    /// Notes that what a member allows a program is in use.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch_grant(&self, id: TokenId) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query("UPDATE oauth_grants SET last_used_at = $2 WHERE id = $1").bind(id).bind(self.now())
            .execute(c).await.rows())?;
        self.commit(tx).await
    }

    /// The programs that a member has connected, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clients_of(&self, member: MemberId) -> Result<Vec<ConnectedClient>, StoreError> {
        let sql = format!(
            "SELECT {GRANT} FROM oauth_grants g JOIN oauth_clients n ON n.id = g.client_id
             WHERE g.member_id = $1 AND g.revoked_at IS NULL AND g.ends_at > $2 ORDER BY g.id DESC LIMIT 200"
        );
        let rows: Vec<GrantRow> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(member).bind(self.now()).fetch_all(c).await)?;
        let client = |row: GrantRow| ConnectedClient {
            id: row.id,
            name: row.name,
            scopes: row.scopes.0,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            ends_at: row.ends_at,
        };
        Ok(rows.into_iter().map(client).collect())
    }

    /// Takes back what a member allows a program, and says why; false when there is nothing such.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn disconnect_client(&self, id: TokenId, member: MemberId, why: &str) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        self.locked_member(&mut tx, member).await?;
        let done = on!(tx, c => sqlx::query(
            "UPDATE oauth_grants SET revoked_at = $3 WHERE id = $1 AND member_id = $2 AND revoked_at IS NULL
               AND ends_at > $3")
            .bind(id).bind(member).bind(self.now()).execute(c).await.rows())?;
        if done == 1 {
            tx.note(Note::new(AuditAction::DisconnectClient).on(AuditObject::Client, id).with("why", why));
        }
        self.commit(tx).await?;
        Ok(done == 1)
    }

    /// Takes back what a member, who is locked, allows all programs.
    pub(crate) async fn disconnect_clients(&self, tx: &mut Tx, member: MemberId, why: &str) -> Result<(), StoreError> {
        let ended: Vec<(TokenId,)> = on!(tx, c => sqlx::query_as(
            "UPDATE oauth_grants SET revoked_at = $2 WHERE member_id = $1 AND revoked_at IS NULL AND ends_at > $2
             RETURNING id").bind(member).bind(self.now()).fetch_all(c).await)?;
        for (id,) in ended {
            tx.note(Note::new(AuditAction::DisconnectClient).on(AuditObject::Client, id).with("why", why));
        }
        Ok(())
    }
}
