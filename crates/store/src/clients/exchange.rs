//! What a program gets for a code, and again for what keeps it connected: pairs of tokens.

use guildhall_types::DateTime;

use super::{ACCESS, Grant, NewPair, REFRESH};
use crate::{Rows, Store, StoreError, Tx, on};

impl Store {
    /// Exchanges a code for the first pair of tokens; false when it was exchanged before, or has ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn exchange_code(&self, code_hash: &[u8], grant: &Grant, pair: NewPair) -> Result<bool, StoreError> {
        self.exchange(
            "UPDATE oauth_codes SET used_at = $2 WHERE code_hash = $1 AND used_at IS NULL AND expires_at > $2",
            code_hash,
            grant,
            pair,
        )
        .await
    }

    /// Exchanges a refresh token for the next pair; false when it was exchanged before, or has ended. One that was exchanged after
    /// `lost_since` is exchanged once more as long as nothing of the pair that it gave was used: whoever asked may not have got
    /// that. The pair is void then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rotate_tokens(
        &self,
        refresh_hash: &[u8],
        grant: &Grant,
        pair: NewPair,
        lost_since: DateTime,
    ) -> Result<bool, StoreError> {
        let taken = self
            .exchange(
                "UPDATE oauth_tokens SET used_at = $2 WHERE token_hash = $1 AND kind = 'refresh' AND used_at IS NULL
                   AND expires_at > $2",
                refresh_hash,
                grant,
                pair.clone(),
            )
            .await?;
        match taken {
            true => Ok(true),
            false => self.rotate_again(refresh_hash, grant, pair, lost_since).await,
        }
    }

    /// Voids the pair that a refresh token gave, if nothing of it was used, and gives another one.
    async fn rotate_again(
        &self,
        refresh_hash: &[u8],
        grant: &Grant,
        pair: NewPair,
        lost_since: DateTime,
    ) -> Result<bool, StoreError> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let enabled = self.locked_member(&mut tx, grant.member.id).await?.is_some_and(|m| m.disabled_at.is_none());
        let (lately,): (i64,) = on!(tx, c => sqlx::query_as(
            "SELECT count(*) FROM oauth_tokens WHERE token_hash = $1 AND kind = 'refresh' AND used_at > $2 AND expires_at > $3")
            .bind(refresh_hash).bind(lost_since).bind(now).fetch_one(c).await)?;
        // Both of the pair, or one of them is in use. What is void counts as used: shown later, it ends the connection, and the
        // token that it came from is not exchanged a third time.
        let void = on!(tx, c => sqlx::query(
            "UPDATE oauth_tokens SET used_at = $3, expires_at = CASE kind WHEN 'access' THEN $3 ELSE expires_at END
             WHERE grant_id = $1 AND follows = $2 AND used_at IS NULL").bind(grant.id).bind(refresh_hash).bind(now)
            .execute(c).await.rows())?;
        let (given,): (i64,) = on!(tx, c => sqlx::query_as(
            "SELECT count(*) FROM oauth_tokens WHERE grant_id = $1 AND follows = $2").bind(grant.id).bind(refresh_hash)
            .fetch_one(c).await)?;
        if !enabled || (lately, void, given) != (1, 2, 2) {
            return Ok(false);
        }
        self.give(tx, grant, pair, refresh_hash).await
    }

    async fn exchange(
        &self,
        take: &'static str,
        hash: &[u8],
        grant: &Grant,
        pair: NewPair,
    ) -> Result<bool, StoreError> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let member = self.locked_member(&mut tx, grant.member.id).await?;
        let enabled = member.is_some_and(|member| member.disabled_at.is_none());
        let taken = on!(tx, c => sqlx::query(take).bind(hash).bind(now).execute(c).await.rows())?;
        if !enabled || taken != 1 {
            return Ok(false);
        }
        self.give(tx, grant, pair, hash).await
    }

    /// Writes a pair down, if the connection is still there, and ends the transaction.
    async fn give(&self, mut tx: Tx, grant: &Grant, pair: NewPair, follows: &[u8]) -> Result<bool, StoreError> {
        let now = self.now();
        let held = on!(tx, c => sqlx::query(
            "UPDATE oauth_grants SET ends_at = $3 WHERE id = $1 AND revoked_at IS NULL AND ends_at > $2")
            .bind(grant.id).bind(now).bind(pair.refresh_ends).execute(c).await.rows())?;
        if held != 1 {
            return Ok(false);
        }
        on!(tx, c => sqlx::query("DELETE FROM oauth_tokens WHERE grant_id = $1 AND expires_at <= $2").bind(grant.id)
            .bind(now).execute(c).await.rows())?;
        for (kind, hash, ends) in
            [(ACCESS, &pair.access_hash, pair.access_ends), (REFRESH, &pair.refresh_hash, pair.refresh_ends)]
        {
            on!(tx, c => sqlx::query(
                "INSERT INTO oauth_tokens (token_hash, grant_id, kind, expires_at, follows) VALUES ($1, $2, $3, $4, $5)")
                .bind(hash).bind(grant.id).bind(kind).bind(ends).bind(follows).execute(c).await.rows())?;
        }
        self.commit(tx).await?;
        Ok(true)
    }

    /// Notes that a token for use came into use.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn use_client_token(&self, token_hash: &[u8]) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query(
            "UPDATE oauth_tokens SET used_at = $2 WHERE token_hash = $1 AND kind = 'access' AND used_at IS NULL")
            .bind(token_hash).bind(self.now()).execute(c).await.rows())?;
        self.commit(tx).await
    }
}
