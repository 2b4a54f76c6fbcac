//! What is at work, of everybody and of all kinds.

use guildhall_types::at_work::LiveRun;

use crate::{Store, StoreError, read};

/// Runs that are listed at most; those that work come first.
const MOST: i64 = 1000;

impl Store {
    /// The runs that have a place or are to have one, of cards, chats and tasks, the longest at work first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn at_work(&self) -> Result<Vec<LiveRun>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT r.id AS run_id, r.feature_id, r.project_id, r.member_id, f.kind, f.title, f.number, f.execution_id, r.model,
               coalesce(r.status = 'running' AND r.lease_until > $1, FALSE) AS working, f.started_at,
               r.input_tokens + r.output_tokens + r.cache_read_tokens + r.cache_write_tokens AS tokens, r.cost_micros
             FROM runs r JOIN features f ON f.id = r.feature_id
             WHERE r.status IN ('queued', 'running') AND f.deleted_at IS NULL
             ORDER BY CASE WHEN r.status = 'running' THEN 0 ELSE 1 END, r.queued_at, r.id LIMIT $2")
            .bind(self.now()).bind(MOST).fetch_all(c).await)?)
    }
}
