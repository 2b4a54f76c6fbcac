//! Two databases behind one face: the same query text and the same binds run on whichever is configured.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use guildhall_types::audit::Note;
use guildhall_types::notification::Tell;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, PgPool, SqlitePool};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::log::Log;
use crate::patience::{answered, watched};
use crate::{StoreError, facts};

/// Connections that read at once. SQLite reads from memory mostly; more would cost memory for nothing.
const READERS: u32 = 3;
/// How long a connection may lie idle before it is tried again. Each is tried when it is given back, and once more at every
/// acquisition would be a round trip for every statement.
const FRESH: Duration = Duration::from_secs(1);
/// How long SQLite waits for another process that has the file.
const BUSY: Duration = Duration::from_secs(5);
/// Milliseconds after which it is tried again to empty SQLite's log while others read in it.
const PAUSES: [u64; 6] = [20, 100, 200, 500, 1_000, 2_000];
/// Connections to PostgreSQL that one node holds at most.
const POSTGRES_CONNECTIONS: u32 = 12;

/// After which PostgreSQL ends a transaction whose node says nothing any more. It may be stopped, or cut off, and holds locks
/// that everybody else waits for. Shorter than a lease, longer than any statement of ours is apart from the next.
const IDLE_IN_TRANSACTION: &str = "10s";

/// How often PostgreSQL looks whether whoever waits for a statement is still there: one that was given up is not to go on, or wait for
/// a lock, beside the next try.
const GONE: &str = "5s";

#[derive(Clone)]
pub(crate) enum Db {
    Sqlite {
        /// The one connection that writes: writers wait in line here, fairly, and never meet SQLITE_BUSY.
        writer: SqlitePool,
        /// Whoever holds this writes. It says whether the connection may have been left other than usual.
        turn: Arc<Mutex<bool>>,
        /// Where commits are until they are folded into the file.
        log: Arc<Log>,
        readers: SqlitePool,
    },
    Postgres(PgPool),
}

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The loss of power, at the price of waiting for the disk. For what was promised to a member, and what was paid.
    FromPowerLoss,
    /// The end of the process. For what comes often and can be had again. The next durable commit makes it durable too.
    FromDeath,
}

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// One file.
    Sqlite,
    /// A server.
    Postgres,
}

/// Runs a read on whichever database is configured.
macro_rules! read {
    ($store:expr, $c:ident => $body:expr) => {
        match &$store.db {
            $crate::db::Db::Sqlite { readers: $c, .. } => $body,
            $crate::db::Db::Postgres(pool) => {
                let $c = $crate::patience::Patient(pool);
                $body
            }
        }
    };
}

/// Runs a statement inside a transaction.
macro_rules! on {
    ($tx:expr, $c:ident => $body:expr) => {
        match &mut $tx.inner {
            $crate::db::Inner::Sqlite(t, _) => {
                let $c = &mut **t;
                $body
            }
            $crate::db::Inner::Postgres(t) => {
                let $c = &mut $crate::patience::Patient(&mut **t);
                $body
            }
        }
    };
}

/// Runs a statement that reads on a connection that is held for several.
macro_rules! read_by {
    ($reader:expr, $c:ident => $body:expr) => {
        match &mut *$reader {
            $crate::db::Reader::Sqlite(held) => {
                let $c = &mut **held;
                $body
            }
            $crate::db::Reader::Postgres(held) => {
                let $c = &mut $crate::patience::Patient(&mut **held);
                $body
            }
        }
    };
}

pub(crate) use {on, read, read_by};

/// How many rows a statement touched, whichever database it ran on.
pub(crate) trait Rows {
    fn rows(self) -> sqlx::Result<u64>;
}

impl Rows for sqlx::Result<sqlx::sqlite::SqliteQueryResult> {
    fn rows(self) -> sqlx::Result<u64> {
        self.map(|done| done.rows_affected())
    }
}

impl Rows for sqlx::Result<sqlx::postgres::PgQueryResult> {
    fn rows(self) -> sqlx::Result<u64> {
        self.map(|done| done.rows_affected())
    }
}

/// A connection that is held while several statements are read one after the other. The pool tries each that is given back, which
/// is a round trip more for every statement that takes one of its own. Whoever holds one takes no other: all could be held.
pub(crate) enum Reader {
    Sqlite(PoolConnection<sqlx::Sqlite>),
    Postgres(PoolConnection<sqlx::Postgres>),
}

impl Db {
    /// A connection to read on.
    pub(crate) async fn reader(&self) -> Result<Reader, StoreError> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Reader::Sqlite(readers.acquire().await?),
            Self::Postgres(pool) => Reader::Postgres(pool.acquire().await?),
        })
    }
}

pub(crate) enum Inner {
    /// The guard comes last: the next writer must wait until the transaction is over.
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>, OwnedMutexGuard<bool>),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

/// A transaction. Dropped without a commit, it leaves nothing.
pub(crate) struct Tx {
    pub(crate) inner: Inner,
    /// What its commit is to survive.
    pub(crate) keep: Keep,
    /// The number of the latest event written in it.
    pub(crate) last_event: Option<i64>,
    /// The name of its boundary: what it tells of.
    pub(crate) boundary: &'static str,
    /// What the audit is to tell of it; written last, so that every transaction takes its locks in the same order.
    pub(crate) notes: Vec<Note>,
    /// What members are to be told of it; written when everything else is locked.
    pub(crate) tells: Vec<Tell>,
}

/// Has a pool of SQLite's try a connection only after it lay idle for a while.
fn try_when_idle(options: SqlitePoolOptions) -> SqlitePoolOptions {
    options.test_before_acquire(false).before_acquire(|connection, about| {
        Box::pin(async move {
            if about.idle_for > FRESH {
                connection.ping().await?;
            }
            Ok(true)
        })
    })
}

impl Db {
    pub(crate) async fn open(url: &str) -> Result<Self, StoreError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options =
                PgConnectOptions::from_str(url).map_err(|_| StoreError::BadUrl)?.application_name(&facts::own_name());
            let options = options.options([
                ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION),
                ("client_connection_check_interval", GONE),
            ]);
            let pool = watched(PgPoolOptions::new(), FRESH)
                .max_connections(POSTGRES_CONNECTIONS)
                .acquire_timeout(Duration::from_secs(10))
                .connect_with(options)
                .await?;
            return Ok(Self::Postgres(pool));
        }
        let Some(path) = url.strip_prefix("sqlite://") else { return Err(StoreError::BadUrl) };
        let path = Path::new(path);
        make_private(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // A commit is made to survive the loss of power by `Log`, when the next writer has begun already.
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .pragma("cache_size", "-1024");
        let writer = try_when_idle(SqlitePoolOptions::new()).max_connections(1).connect_with(options.clone()).await?;
        let readers = try_when_idle(SqlitePoolOptions::new())
            .max_connections(READERS)
            .min_connections(0)
            .idle_timeout(Duration::from_secs(60))
            .connect_with(options.pragma("query_only", "true"))
            .await?;
        Ok(Self::Sqlite { writer, turn: Arc::default(), log: Arc::new(Log::of(path)), readers })
    }

    pub(crate) fn backend(&self) -> Backend {
        match self {
            Self::Sqlite { .. } => Backend::Sqlite,
            Self::Postgres(_) => Backend::Postgres,
        }
    }

    pub(crate) async fn begin(&self, keep: Keep) -> Result<Tx, StoreError> {
        let inner = match self {
            Self::Sqlite { writer, turn, .. } => {
                let mut turn = Arc::clone(turn).lock_owned().await;
                as_usual(writer, &mut turn).await?;
                // IMMEDIATE, because a transaction that reads first and writes later could find its reading outdated.
                let begun = match writer.begin_with("BEGIN IMMEDIATE").await {
                    // SQLite itself ends a transaction for which the disk has no room; the driver still counts it as
                    // open, and would for ever. A new connection knows nothing of it.
                    Err(sqlx::Error::InvalidSavePointStatement) => {
                        writer.acquire().await?.close().await?;
                        writer.begin_with("BEGIN IMMEDIATE").await?
                    }
                    begun => begun?,
                };
                Inner::Sqlite(begun, turn)
            }
            Self::Postgres(pool) => {
                let mut tx = answered(pool.begin()).await?;
                if keep == Keep::FromDeath {
                    answered(sqlx::query("SET LOCAL synchronous_commit = off").execute(&mut *tx)).await?;
                }
                Inner::Postgres(tx)
            }
        };
        Ok(Tx { inner, keep, last_event: None, boundary: "nothing", notes: Vec::new(), tells: Vec::new() })
    }

    /// Commits a transaction; what it is to survive, [`Self::keep`] sees to, while others write.
    pub(crate) async fn commit(&self, tx: Tx) -> Result<(), StoreError> {
        match tx.inner {
            Inner::Sqlite(inner, _turn) => inner.commit().await?,
            Inner::Postgres(inner) => answered(inner.commit()).await?,
        }
        Ok(())
    }

    /// Waits until all that was committed survives this.
    pub(crate) async fn keep(&self, keep: Keep) -> Result<(), StoreError> {
        match (self, keep) {
            (Self::Sqlite { log, .. }, Keep::FromPowerLoss) => log.keep().await,
            _ => Ok(()),
        }
    }

    /// Empties SQLite's log, so that nothing of what once was is left in it. False where somebody reads in it for too long.
    pub(crate) async fn fold(&self) -> Result<bool, StoreError> {
        let Self::Sqlite { writer, turn, .. } = self else { return Ok(true) };
        for pause in PAUSES {
            let folded = {
                let mut turn = turn.lock().await;
                let mut writer = writer.acquire().await?;
                // Whoever writes next is not to wait for those who read. Only then it is put back: this may be cut off
                // anywhere.
                *turn = true;
                sqlx::query("PRAGMA busy_timeout = 0").execute(&mut *writer).await?;
                let folded: (i64, i64, i64) =
                    sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *writer).await?;
                folded
            };
            if folded.0 == 0 {
                return Ok(true);
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        Ok(false)
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers, .. } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Has SQLite write zeros over what this deletes, rather than only free its place.
    pub(crate) async fn write_over(&mut self) -> Result<(), StoreError> {
        if let Inner::Sqlite(t, turn) = &mut self.inner {
            **turn = true;
            sqlx::query("PRAGMA secure_delete = ON").execute(&mut **t).await?;
        }
        Ok(())
    }
}

/// Puts back what whoever had the turn before changed of the connection that writes.
async fn as_usual(writer: &SqlitePool, turn: &mut bool) -> Result<(), StoreError> {
    if *turn {
        let patient = format!("PRAGMA busy_timeout = {}; PRAGMA secure_delete = OFF", BUSY.as_millis());
        sqlx::raw_sql(sqlx::AssertSqlSafe(patient)).execute(writer).await?;
        *turn = false;
    }
    Ok(())
}

/// Makes the database file, readable by its owner alone, before SQLite would make it with the usual mode.
fn make_private(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt;
    let failed = |source| StoreError::File { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    std::fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).map_err(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use guildhall_types::SystemClock;

    use super::*;
    use crate::Store;

    /// Does so much of something as it does until it has waited so often; nothing where it was cut off.
    async fn cut_off<T>(what: impl Future<Output = T>, waits: usize) -> Option<T> {
        let (mut what, mut left) = (std::pin::pin!(what), waits);
        std::future::poll_fn(|cx| match what.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => {
                left -= 1;
                Poll::Pending
            }
        })
        .await
    }

    #[tokio::test]
    async fn whoever_writes_next_finds_the_connection_as_usual() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("usual.db").display());
        let store = Store::open(&url, Arc::new(SystemClock)).await.unwrap();
        store.migrate().await.unwrap();
        let Db::Sqlite { writer, .. } = &store.db else { unreachable!("the URL says SQLite") };
        let (mut rounds, mut changed) = (0, 0);
        // Where SQLite's thread answers before it is asked whether it has, nothing is cut off: then once more.
        while changed < 2 {
            rounds += 1;
            assert!(rounds < 100, "it is to be cut off where it has changed something");
            for cut in 0.. {
                let folded = cut_off(store.db.fold(), cut).await;
                let (patience,): (i64,) = sqlx::query_as("PRAGMA busy_timeout").fetch_one(writer).await.unwrap();
                changed += u32::from(patience == 0);
                // Who erases is cut off as well.
                let mut erasing = store.begin_light().await.unwrap();
                erasing.write_over().await.unwrap();
                drop(erasing);
                let mut tx = store.begin_light().await.unwrap();
                let (patience,): (i64,) =
                    on!(tx, c => sqlx::query_as("PRAGMA busy_timeout").fetch_one(c).await).unwrap();
                let (over,): (i64,) = on!(tx, c => sqlx::query_as("PRAGMA secure_delete").fetch_one(c).await).unwrap();
                assert_eq!((patience, over), (5_000, 0), "cut off at {cut}");
                if let Some(folded) = folded {
                    assert!(folded.unwrap());
                    break;
                }
            }
        }
    }

    #[tokio::test]
    async fn sqlite_is_compiled_as_the_configuration_says() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("options.db").display());
        let store = Store::open(&url, Arc::new(SystemClock)).await.unwrap();
        let options: Vec<(String,)> =
            read!(store, c => sqlx::query_as("PRAGMA compile_options").fetch_all(c).await).unwrap_or_default();
        let has = |name: &str| options.iter().any(|(option,)| option == name);
        assert!(has("DEFAULT_MEMSTATUS=0") && !has("ENABLE_MEMORY_MANAGEMENT"), "{options:?}");
    }

    #[tokio::test]
    async fn a_full_disk_is_told_and_forgotten_when_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("full.db").display());
        let store = Store::open(&url, Arc::new(SystemClock)).await.unwrap();
        store.migrate().await.unwrap();
        let Db::Sqlite { writer, .. } = &store.db else { unreachable!("the URL says SQLite") };
        // A limit on pages fails as a full disk does. It goes with the connection, as a full disk goes with its rubbish.
        let (pages,): (i64,) = sqlx::query_as("PRAGMA page_count").fetch_one(writer).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {}", pages + 2)))
            .execute(writer)
            .await
            .unwrap();
        let much = "x".repeat(20_000);
        let mut full = None;
        for n in 0..10 {
            full = store.put_setting(&format!("s{n}"), &much).await.err();
            if full.is_some() {
                break;
            }
        }
        assert!(matches!(full, Some(StoreError::Full(_))), "{full:?}");
        store.put_setting("after", &much).await.unwrap();
        assert_eq!(store.setting::<String>("after").await.unwrap().as_deref(), Some(much.as_str()));
    }
}
