//! Checks: verification commands that were run, with their output.

use guildhall_types::RunId;
use guildhall_types::run::Check;

use crate::{Store, StoreError, read};

impl Store {
    /// The checks of a run, and the commands that set its worktree up, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn checks(&self, run: RunId) -> Result<Vec<Check>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT id, run_id, kind, command, status, exit_code, output, commit_id, started_at, ended_at
             FROM checks WHERE run_id = $1 ORDER BY id DESC LIMIT 100").bind(run).fetch_all(c).await)?)
    }
}
