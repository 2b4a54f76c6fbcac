//! How long runs work, wait for their provider and rest: a row for each stretch. The last one of a run that has ended ends
//! with it.

use guildhall_types::report::SpanKind;
use guildhall_types::{DateTime, RunId};

use crate::{Rows, Store, StoreError, Tx, on};

/// A stretch of time of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct RunSpan {
    /// The run.
    pub run_id: RunId,
    /// What it did or waited for.
    pub kind: SpanKind,
    /// From when on.
    pub begins_at: DateTime,
    /// Until when; nothing while it goes on.
    pub ends_at: Option<DateTime>,
}

impl Store {
    /// From now on the run does this; what it did before is over.
    pub(crate) async fn begin_span(&self, tx: &mut Tx, run: RunId, kind: SpanKind) -> Result<(), StoreError> {
        let now = self.now();
        self.end_span(tx, run, now).await?;
        on!(tx, c => sqlx::query("INSERT INTO run_spans (run_id, kind, begins_at) VALUES ($1, $2, $3)").bind(run).bind(kind)
            .bind(now).execute(c).await.rows())?;
        Ok(())
    }

    /// What the run did is over.
    pub(crate) async fn end_span(&self, tx: &mut Tx, run: RunId, at: DateTime) -> Result<(), StoreError> {
        on!(tx, c => sqlx::query("UPDATE run_spans SET ends_at = $2 WHERE run_id = $1 AND ends_at IS NULL").bind(run).bind(at)
            .execute(c).await.rows())?;
        Ok(())
    }
}
