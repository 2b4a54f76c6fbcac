//! How often something was tried: the guessing of a password, the asking for a mail. Counted in the database, so that it
//! holds over all nodes and a restart forgets nothing.

use chrono::Duration;
use guildhall_types::DateTime;

use crate::{Backend, Rows, Store, StoreError, Tx, on};

/// Rows that are kept at most; beyond them, those go first that would end first.
const ROWS: i64 = 100_000;

/// What may be tried how often.
#[derive(Debug, Clone)]
pub struct TryLimit {
    /// Names what is counted. A hash: what somebody typed is not kept.
    pub key: Vec<u8>,
    /// How often within the window.
    pub tries: i64,
    /// From the first try on; when it is over, counting begins anew.
    pub window: Duration,
}

impl Store {
    /// Counts one try against each of these, or, when any of them has no try left, counts none and returns the moment at
    /// which there is one again. Counting comes before the try, so that many at once are no way around it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_try(&self, limits: &[TryLimit]) -> Result<Option<DateTime>, StoreError> {
        let now = self.now();
        let mut limits: Vec<&TryLimit> = limits.iter().collect();
        // In one order, so that two who share some do not wait for each other.
        limits.sort_by(|a, b| a.key.cmp(&b.key));
        let mut tx = self.begin_light().await?;
        let mut wait: Option<DateTime> = None;
        let mut grown = false;
        for limit in limits {
            let row: (i64, DateTime) = on!(tx, c => sqlx::query_as(
                "INSERT INTO tries (key, tries, ends_at) VALUES ($1, 1, $2)
                 ON CONFLICT (key) DO UPDATE SET
                   tries = CASE WHEN tries.ends_at <= $3 THEN 1 ELSE tries.tries + 1 END,
                   ends_at = CASE WHEN tries.ends_at <= $3 THEN excluded.ends_at ELSE tries.ends_at END
                 RETURNING tries, ends_at")
                .bind(&limit.key).bind(now + limit.window).bind(now).fetch_one(c).await)?;
            grown |= row.0 == 1;
            if row.0 > limit.tries {
                wait = wait.max(Some(row.1));
            }
        }
        if wait.is_some() {
            // Dropped without a commit: what is refused is not counted.
            return Ok(wait);
        }
        if grown {
            self.prune_tries(&mut tx).await?;
        }
        self.commit(tx).await?;
        Ok(None)
    }

    /// Forgets the tries of these.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_tries(&self, key: &[u8]) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query("DELETE FROM tries WHERE key = $1").bind(key).execute(c).await.rows())?;
        self.commit(tx).await
    }

    /// Takes one try back: it turned out to be none that counts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn uncount_try(&self, key: &[u8]) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query("UPDATE tries SET tries = tries - 1 WHERE key = $1 AND tries > 0").bind(key)
            .execute(c).await.rows())?;
        self.commit(tx).await
    }

    /// Old rows go, and more than enough are not kept. Rows that somebody else is counting on are passed by: to wait for
    /// them could be to wait for each other.
    async fn prune_tries(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let passing_by = match self.backend() {
            Backend::Postgres => "FOR UPDATE SKIP LOCKED",
            Backend::Sqlite => "",
        };
        let sql = format!(
            "DELETE FROM tries WHERE key IN (SELECT key FROM tries WHERE ends_at <= $1 LIMIT 1000 {passing_by})"
        );
        on!(tx, c => sqlx::query(sqlx::AssertSqlSafe(sql)).bind(self.now()).execute(c).await.rows())?;
        let (rows,): (i64,) = on!(tx, c => sqlx::query_as("SELECT count(*) FROM tries").fetch_one(c).await)?;
        if rows > ROWS {
            let sql = format!(
                "DELETE FROM tries WHERE key IN (SELECT key FROM tries ORDER BY ends_at LIMIT $1 {passing_by})"
            );
            on!(tx, c => sqlx::query(sqlx::AssertSqlSafe(sql)).bind(rows - ROWS).execute(c).await.rows())?;
        }
        Ok(())
    }
}
