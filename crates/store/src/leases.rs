//! Runs, as a node works on them. A node holds a run by a lease; every write names the run, the node and the attempt,
//! and must touch one row, so that a node which lost its lease can write nothing.

mod after;
mod claim;
mod end;
mod turns;

use chrono::Duration;
use guildhall_types::feature::{Feature, Move, Problem};
use guildhall_types::project::Project;
use guildhall_types::run::{Run, RunStatus};
use guildhall_types::{DateTime, NodeId, RunId};

use crate::patience::Patient;
use crate::{Rows, Store, StoreError, Tx, on};

pub use after::{Counts, Word};

/// A node's hold on a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// The node.
    pub node: NodeId,
    /// Which claim of the run this is.
    pub attempt: i64,
}

/// What a node gets when it claims a run.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The hold on it.
    pub lease: Lease,
    /// The run.
    pub run: Run,
    /// Its card.
    pub feature: Feature,
    /// The card's project.
    pub project: Project,
}

/// How a run ends.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Where the run comes to stand.
    pub status: RunStatus,
    /// How the card moves.
    pub what: Move,
    /// The agent's closing words; absent leaves what is there.
    pub summary: Option<String>,
    /// Why it failed.
    pub problem: Option<Problem>,
    /// What it is told of that, where its verified work is to be merged by itself when what it is built on is.
    pub later: Option<String>,
}

/// What came of an ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// The run has ended.
    Ended,
    /// A member said something in the last moment: the run is queued again and will read it.
    GoesOn,
}

impl Store {
    /// The time by which leases are judged: on PostgreSQL the database's, because nodes' clocks differ.
    pub(crate) async fn lease_clock(&self, tx: &mut Tx) -> Result<DateTime, StoreError> {
        match &mut tx.inner {
            crate::db::Inner::Sqlite(..) => Ok(self.now()),
            crate::db::Inner::Postgres(t) => {
                let (now,): (DateTime,) =
                    sqlx::query_as("SELECT clock_timestamp()").fetch_one(&mut Patient(&mut **t)).await?;
                Ok(now)
            }
        }
    }

    /// Holds a run for longer.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn renew_lease(&self, lease: &Lease, hold: Duration) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        let until = self.lease_clock(&mut tx).await? + hold;
        let done = on!(tx, c => sqlx::query(
            "UPDATE runs SET lease_until = $4 WHERE id = $1 AND lease_owner = $2 AND attempt = $3 AND status = 'running'")
            .bind(lease.run).bind(lease.node).bind(lease.attempt).bind(until).execute(c).await.rows())?;
        if done != 1 {
            return Err(StoreError::LeaseLost);
        }
        on!(tx, c => sqlx::query("UPDATE reservations SET until = $3 WHERE run_id = $1 AND attempt = $2").bind(lease.run)
            .bind(lease.attempt).bind(until).execute(c).await.rows())?;
        self.commit(tx).await
    }

    /// Ends every lease. For the start of the only process that uses this database: whoever held one is dead.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expire_leases(&self) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let now = self.lease_clock(&mut tx).await?;
        let done = on!(tx, c => sqlx::query("UPDATE runs SET lease_until = CASE WHEN lease_until < $1 THEN lease_until ELSE $1 END WHERE status = 'running'").bind(now)
            .execute(c).await.rows())?;
        self.commit(tx).await?;
        Ok(done)
    }

    /// The run, if the lease still holds, locked until the transaction ends.
    pub(crate) async fn held(&self, tx: &mut Tx, lease: &Lease) -> Result<Run, StoreError> {
        let sql = format!(
            "UPDATE runs SET attempt = attempt WHERE id = $1 AND lease_owner = $2 AND attempt = $3 AND status = 'running'
             RETURNING {}",
            crate::runs::COLUMNS
        );
        let run: Option<Run> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(lease.run).bind(lease.node).bind(lease.attempt).fetch_optional(c).await)?;
        run.ok_or(StoreError::LeaseLost)
    }
}
