//! Events: numbered, in the order of commit.

use guildhall_types::event::{Event, Happening};
use guildhall_types::{DateTime, RunId};

use crate::{Rows, Store, StoreError, Tx, on, read};

#[derive(sqlx::FromRow)]
struct Row {
    seq: i64,
    at: DateTime,
    what: String,
}

impl Row {
    fn event(self) -> Result<Event, StoreError> {
        Ok(Event { seq: self.seq, at: self.at, what: serde_json::from_str(&self.what)? })
    }
}

impl Store {
    /// Writes an event into the transaction of the change that it tells of.
    pub(crate) async fn record(&self, tx: &mut Tx, what: &Happening) -> Result<(), StoreError> {
        // The row of the counter is locked until the commit: that is what makes the numbers follow the commits.
        let (seq,): (i64,) = on!(tx, c => sqlx::query_as("UPDATE event_counter SET seq = seq + 1 WHERE one = 1 RETURNING seq")
            .fetch_one(c).await)?;
        on!(tx, c => sqlx::query("INSERT INTO events (seq, at, kind, run_id, what) VALUES ($1, $2, $3, $4, $5)")
            .bind(seq).bind(self.now()).bind(what.kind()).bind(what.run_id()).bind(serde_json::to_string(what)?)
            .execute(c).await.rows())?;
        tx.last_event = Some(seq);
        match what {
            Happening::Run { event, .. } => tx.boundary = event.kind(),
            other if tx.boundary == "nothing" || tx.boundary.contains(".updated") => tx.boundary = other.kind(),
            _ => {}
        }
        Ok(())
    }

    /// The number of the latest event; 0 before the first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_seq(&self) -> Result<i64, StoreError> {
        let (seq,): (i64,) =
            read!(self, c => sqlx::query_as("SELECT seq FROM event_counter WHERE one = 1").fetch_one(c).await)?;
        Ok(seq)
    }

    /// The events after number `seq`, in order, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn events_after(&self, seq: i64, limit: i64) -> Result<Vec<Event>, StoreError> {
        let rows: Vec<Row> = read!(self, c => sqlx::query_as(
            "SELECT seq, at, what FROM events WHERE seq > $1 ORDER BY seq LIMIT $2")
            .bind(seq).bind(limit).fetch_all(c).await)?;
        rows.into_iter().map(Row::event).collect()
    }

    /// What happened in a run after event number `seq`, in order, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run_events(&self, run: RunId, seq: i64, limit: i64) -> Result<Vec<Event>, StoreError> {
        let rows: Vec<Row> = read!(self, c => sqlx::query_as(
            "SELECT seq, at, what FROM events WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT $3")
            .bind(run).bind(seq).bind(limit).fetch_all(c).await)?;
        rows.into_iter().map(Row::event).collect()
    }
}
