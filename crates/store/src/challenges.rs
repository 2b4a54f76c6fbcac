//! What a browser has begun and not ended: a sign-in whose second factor is still to be shown, a question to a passkey.
//! Each is found by the hash of a token that this browser alone holds, is good once, and ends by itself.

use guildhall_types::factor::ChallengeKind;
use guildhall_types::{DateTime, MemberId};

use crate::{Rows, Store, StoreError, Tx, on, read};

/// Challenges that are kept at most. Anybody can begin a sign-in, and nobody shall fill the disk with it.
const MOST: i64 = 10_000;

/// Something that a browser begins.
#[derive(Debug, Clone)]
pub struct NewChallenge {
    /// The hash of the token that the browser holds.
    pub token_hash: Vec<u8>,
    /// What it is.
    pub kind: ChallengeKind,
    /// Whose it is, where that is known already.
    pub member_id: Option<MemberId>,
    /// What is needed to end it.
    pub state: String,
    /// When it ends by itself.
    pub expires_at: DateTime,
}

impl Store {
    /// Keeps a challenge, and forgets those that have ended; where there are too many, those that end next.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_challenge(&self, new: NewChallenge) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query("DELETE FROM challenges WHERE expires_at <= $1").bind(self.now()).execute(c).await.rows())?;
        on!(tx, c => sqlx::query(
            "DELETE FROM challenges WHERE token_hash IN
               (SELECT token_hash FROM challenges ORDER BY expires_at DESC LIMIT 1000000 OFFSET $1)")
            .bind(MOST - 1).execute(c).await.rows())?;
        on!(tx, c => sqlx::query(
            "INSERT INTO challenges (token_hash, kind, member_id, state, tries, expires_at) VALUES ($1, $2, $3, $4, 0, $5)")
            .bind(&new.token_hash).bind(new.kind).bind(new.member_id).bind(&new.state).bind(new.expires_at)
            .execute(c).await.rows())?;
        self.commit(tx).await
    }

    /// Takes a challenge: whose it is, where that was known, and its state. It is gone then, whatever comes of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_challenge(
        &self,
        token_hash: &[u8],
        kind: ChallengeKind,
    ) -> Result<Option<(Option<MemberId>, String)>, StoreError> {
        let mut tx = self.begin_light().await?;
        let taken = on!(tx, c => sqlx::query_as(
            "DELETE FROM challenges WHERE token_hash = $1 AND kind = $2 AND expires_at > $3 RETURNING member_id, state")
            .bind(token_hash).bind(kind).bind(self.now()).fetch_optional(c).await)?;
        self.commit(tx).await?;
        Ok(taken)
    }

    /// Whose sign-in is half done under this token.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn half_done(&self, token_hash: &[u8]) -> Result<Option<MemberId>, StoreError> {
        let row: Option<(MemberId,)> = read!(self, c => sqlx::query_as(
            "SELECT member_id FROM challenges WHERE token_hash = $1 AND kind = $2 AND expires_at > $3")
            .bind(token_hash).bind(ChallengeKind::SecondStep).bind(self.now()).fetch_optional(c).await)?;
        Ok(row.map(|(member,)| member))
    }

    /// Counts a try of a sign-in that is half done. Returns whose it is; nothing when it has ended, or was tried `most`
    /// times already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn try_half_done(&self, token_hash: &[u8], most: i64) -> Result<Option<MemberId>, StoreError> {
        let mut tx = self.begin_light().await?;
        let row: Option<(MemberId,)> = on!(tx, c => sqlx::query_as(
            "UPDATE challenges SET tries = tries + 1 WHERE token_hash = $1 AND kind = $2 AND expires_at > $3 AND tries < $4
             RETURNING member_id")
            .bind(token_hash).bind(ChallengeKind::SecondStep).bind(self.now()).bind(most).fetch_optional(c).await)?;
        self.commit(tx).await?;
        Ok(row.map(|(member,)| member))
    }

    /// Ends the sign-ins of a member that are half done.
    pub(crate) async fn end_half_done(&self, tx: &mut Tx, member: MemberId) -> Result<(), StoreError> {
        on!(tx, c => sqlx::query("DELETE FROM challenges WHERE member_id = $1").bind(member).execute(c).await.rows())?;
        Ok(())
    }
}
