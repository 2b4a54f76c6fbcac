//! Putting rows into an empty database: all in one transaction, read back and compared before it commits.

use std::fmt::Write as _;
use std::sync::Arc;

use guildhall_types::audit::Note;
use guildhall_types::mail::MailStatus;
use guildhall_types::webhook::DeliveryStatus;
use guildhall_types::{DateTime, MailId};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection, SqliteConnection};
use uuid::Uuid;

use super::catalog::{self, Column, Kind, Table, quoted};
use super::dump::{sum_of_postgres, sum_of_sqlite};
use super::sum::{Sum, micros};
use super::{Piece, Row, TableHead, TableSum, Value};
use crate::db::{Db, Inner, Keep};
use crate::{POSTGRES, Rows, SQLITE, Store, StoreError, Tx, on};

/// A database that is being filled. Dropped before [`Filling::commit`], it leaves nothing.
pub struct Filling {
    store: Store,
    tx: Tx,
    tables: Vec<Table>,
    filled: Vec<Filled>,
}

/// A table that came.
struct Filled {
    table: Table,
    /// Those that came, in the order in which they came.
    columns: Vec<Column>,
    insert: Arc<str>,
    /// What the rows come to as they came, and as this database says them.
    came: Sum,
    stands: Sum,
}

/// The setting that says whose rows these are, until the restore that put them there is done.
const RESTORING: &str = "restoring";

/// What stands there.
#[derive(Serialize, Deserialize)]
struct Restoring {
    backup: String,
    settled: Settled,
    /// Whether the audit tells of the restore already.
    #[serde(default)]
    noted: bool,
}

/// What of a backup must not go on where it is restored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// Mails that waited to be sent, and are given up.
    pub mails: u64,
    /// Messages to webhooks that waited to be sent, and are given up.
    pub messages: u64,
    /// Runs that were at work, and go on at once.
    pub runs: u64,
    /// Sessions that were ended: who signed out since, or was made to, is not signed in again.
    pub sessions: u64,
}

impl std::fmt::Debug for Filling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filling").field("tables", &self.filled.len()).finish_non_exhaustive()
    }
}

impl Store {
    /// Brings an empty database to this schema, this version's or an earlier one.
    ///
    /// # Errors
    /// When a migration fails, or the schema is of a later version.
    pub async fn migrate_to(&self, schema: i64) -> Result<(), StoreError> {
        let (_, known) = self.schema_version().await?;
        if schema > known {
            return Err(StoreError::NewerSchema { found: schema, known });
        }
        match &self.db {
            Db::Sqlite { writer, .. } => SQLITE.run_to(schema, writer).await?,
            Db::Postgres(pool) => POSTGRES.run_to(schema, pool).await?,
        }
        Ok(())
    }

    /// Begins to fill a database that has tables and no rows in them. Nobody else may use it meanwhile.
    ///
    /// # Errors
    /// [`StoreError::NotEmpty`] when there are rows.
    pub async fn fill(&self) -> Result<Filling, StoreError> {
        let mut tx = self.db.begin(Keep::FromPowerLoss).await?;
        let tables = match &mut tx.inner {
            Inner::Sqlite(t, _) => catalog::of_sqlite(t).await?,
            Inner::Postgres(t) => {
                sqlx::query("SET LOCAL idle_in_transaction_session_timeout = '10min'").execute(&mut **t).await?;
                catalog::of_postgres(t).await?
            }
        };
        let mut held = Vec::new();
        for table in &tables {
            let (rows,): (i64,) = on!(tx, c => sqlx::query_as(catalog::count(table)).fetch_one(c).await)?;
            match rows {
                0 => {}
                // What the migrations put there comes with the rows.
                _ if table.counts() => {
                    let delete = AssertSqlSafe(format!("DELETE FROM {}", quoted(&table.name)));
                    on!(tx, c => sqlx::query(delete).execute(c).await.rows())?;
                }
                rows => held.push(format!("{} ({rows})", table.name)),
            }
        }
        if !held.is_empty() {
            return Err(StoreError::NotEmpty { what: held.join(", ") });
        }
        Ok(Filling { store: self.clone(), tx, tables, filled: Vec::new() })
    }

    /// What was settled of the rows that are here, where they are this backup's and what comes after them in its
    /// restore is not done.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rows_of_backup(&self, backup: &str) -> Result<Option<Settled>, StoreError> {
        if self.schema_version().await?.0.is_none() {
            return Ok(None);
        }
        let found = self.setting::<Restoring>(RESTORING).await?;
        Ok(found.filter(|found| found.backup == backup).map(|found| found.settled))
    }

    /// Tells the audit of the restore that put these rows there, which are another installation's from now on: once,
    /// however often it is cut off before it is done.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_restore(&self, note: Note) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let found: Option<(Json<Restoring>,)> = on!(tx, c => sqlx::query_as("SELECT value FROM settings WHERE name = $1")
            .bind(RESTORING).fetch_optional(c).await)?;
        if let Some((Json(restoring),)) = found {
            if restoring.noted {
                return Ok(());
            }
            on!(tx, c => sqlx::query("UPDATE settings SET value = $2 WHERE name = $1").bind(RESTORING)
                .bind(Json(Restoring { noted: true, ..restoring })).execute(c).await.rows())?;
        }
        self.part_from_former(&mut tx).await?;
        tx.note(note);
        self.commit(tx).await
    }

    /// Notes that a restore is done.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn restored(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        on!(tx, c => sqlx::query("DELETE FROM settings WHERE name = $1").bind(RESTORING).execute(c).await.rows())?;
        self.commit(tx).await
    }
}

impl Filling {
    /// Puts a piece in place.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] when it does not fit this database's tables.
    pub async fn put(&mut self, piece: Piece) -> Result<(), StoreError> {
        match piece {
            Piece::Table(head) => self.begin(head),
            Piece::Rows(rows) => {
                let unfit = || StoreError::Unfit("rows came before the name of their table".to_owned());
                let filled = self.filled.last_mut().ok_or_else(unfit)?;
                filled.add(&rows)?;
                match &mut self.tx.inner {
                    Inner::Sqlite(t, _) => filled.insert(t, rows).await,
                    Inner::Postgres(t) => filled.copy(t, &rows).await,
                }
            }
        }
    }

    fn begin(&mut self, head: TableHead) -> Result<(), StoreError> {
        let TableHead { table: name, columns } = head;
        let at =
            self.tables.iter().position(|table| table.name == name).ok_or_else(|| {
                StoreError::Unfit(format!("there is no table {name} in this schema, or it came twice"))
            })?;
        let table = self.tables.remove(at);
        let mut came = Vec::with_capacity(columns.len());
        for column in columns {
            let known = table.columns.iter().find(|known| known.name == column);
            came.push(known.cloned().ok_or_else(|| {
                StoreError::Unfit(format!("there is no column {column} in the table {name} in this schema"))
            })?);
        }
        let names: Vec<String> = came.iter().map(|column| quoted(&column.name)).collect();
        let insert = match self.tx.inner {
            Inner::Sqlite(..) => {
                let places: Vec<String> = (1..=came.len()).map(|n| format!("${n}")).collect();
                format!("INSERT INTO {} ({}) VALUES ({})", quoted(&name), names.join(", "), places.join(", "))
            }
            Inner::Postgres(_) => format!("COPY {} ({}) FROM STDIN", quoted(&name), names.join(", ")),
        };
        let (came_sum, stands) = Default::default();
        self.filled.push(Filled { table, columns: came, insert: insert.into(), came: came_sum, stands });
        Ok(())
    }

    /// What came, table by table, to be compared with what was sent.
    pub fn sums(&self) -> Vec<TableSum> {
        self.filled.iter().map(|filled| filled.came.of(&filled.table.name)).collect()
    }

    /// Reads every row back, and compares.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] when a table did not come, or what stands in one is not what came.
    pub async fn compare(&mut self) -> Result<(), StoreError> {
        if let Some(lacking) = self.tables.first() {
            return Err(StoreError::Unfit(format!("nothing came for the table {}", lacking.name)));
        }
        for Filled { table, columns, stands, .. } in &self.filled {
            let found = match &mut self.tx.inner {
                Inner::Sqlite(t, _) => sum_of_sqlite(t, table, columns).await?,
                Inner::Postgres(t) => sum_of_postgres(t, table, columns).await?,
            };
            if found != *stands {
                return Err(StoreError::Unfit(format!(
                    "what was written into the table {} reads back differently: {} rows instead of {}",
                    table.name,
                    found.of("").rows,
                    stands.of("").rows
                )));
            }
        }
        Ok(())
    }

    /// Settles what was under way when the rows were read, in a backup that was made at `made`: what was to be sent may have
    /// been sent since, so it is given up rather than sent twice; runs at work are nobody's now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn settle(&mut self, made: DateTime) -> Result<Settled, StoreError> {
        let now = self.store.now();
        let why = format!(
            "It waited when the backup of {} was made from which this server was restored, and may have been sent since; \
             so it was not sent again.",
            made.format("%Y-%m-%d %H:%M UTC")
        );
        let tx = &mut self.tx;
        let waiting: Vec<(MailId,)> = on!(tx, c => sqlx::query_as("SELECT id FROM mails WHERE status = 'waiting'")
            .fetch_all(c).await)?;
        for (id,) in &waiting {
            self.store.delete_secret(tx, &crate::mail_identity(*id)).await?;
        }
        let mails = on!(tx, c => sqlx::query(
            "UPDATE mails SET status = $1, problem = $2, ended_at = $3, lease = NULL, lease_until = NULL
             WHERE status = 'waiting'").bind(MailStatus::Failed).bind(&why).bind(now).execute(c).await.rows())?;
        let messages = on!(tx, c => sqlx::query(
            "UPDATE webhook_deliveries SET status = $1, problem = $2, ended_at = $3, lease = NULL, lease_until = NULL
             WHERE status = 'waiting'").bind(DeliveryStatus::Failed).bind(&why).bind(now).execute(c).await.rows())?;
        let clock = self.store.lease_clock(tx).await?;
        let runs = on!(tx, c => sqlx::query("UPDATE runs SET lease_until = $1 WHERE status = 'running'").bind(clock)
            .execute(c).await.rows())?;
        // The one that these rows are of.
        on!(tx, c => sqlx::query("DELETE FROM backups WHERE status = 'running'").execute(c).await.rows())?;
        let sessions = on!(tx, c => sqlx::query("DELETE FROM sessions").execute(c).await.rows())?;
        Ok(Settled { mails, messages, runs, sessions })
    }

    /// Notes whose rows these are: a restore that is cut off after them goes on there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_backup(&mut self, backup: &str, settled: Settled) -> Result<(), StoreError> {
        let (tx, value) = (&mut self.tx, Json(Restoring { backup: backup.to_owned(), settled, noted: false }));
        on!(tx, c => sqlx::query(
            "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
            .bind(RESTORING).bind(&value).execute(c).await.rows())?;
        Ok(())
    }

    /// Commits, with the index of the knowledge hub if the schema is this version's.
    ///
    /// # Errors
    /// When the database fails. Nothing stays then.
    pub async fn commit(mut self, index: bool) -> Result<(), StoreError> {
        if index {
            self.store.index_knowledge_anew(&mut self.tx).await?;
        }
        self.store.commit(self.tx).await
    }
}

impl Filled {
    fn add(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        let kinds: Vec<Kind> = self.columns.iter().map(|column| column.kind).collect();
        for row in rows {
            if row.len() != self.columns.len() {
                return Err(StoreError::Unfit(format!(
                    "a row of {} has {} values instead of {}",
                    self.table.name,
                    row.len(),
                    self.columns.len()
                )));
            }
            self.came.add(&[], row)?;
            self.stands.add(&kinds, row)?;
        }
        Ok(())
    }

    async fn insert(&self, c: &mut SqliteConnection, rows: Vec<Row>) -> Result<(), StoreError> {
        for row in rows {
            let mut insert = sqlx::query(AssertSqlSafe(Arc::clone(&self.insert)));
            for value in row {
                insert = match value {
                    Value::Null => insert.bind(None::<String>),
                    Value::Int(number) => insert.bind(number),
                    Value::Float(number) => insert.bind(number),
                    Value::Text(text) => insert.bind(text),
                    Value::Bytes(bytes) => insert.bind(bytes),
                };
            }
            insert.execute(&mut *c).await.map_err(|error| self.refused(error))?;
        }
        Ok(())
    }

    async fn copy(&self, c: &mut PgConnection, rows: &[Row]) -> Result<(), StoreError> {
        let mut text = String::new();
        for row in rows {
            for (at, (column, value)) in self.columns.iter().zip(row).enumerate() {
                text.push_str(if at > 0 { "\t" } else { "" });
                write_value(column.kind, value, &mut text).ok_or_else(|| {
                    let kind = value.kind();
                    StoreError::Unfit(format!("{}.{} cannot hold {kind} like this", self.table.name, column.name))
                })?;
            }
            text.push('\n');
        }
        let mut copy = c.copy_in_raw(&self.insert).await?;
        copy.send(text.into_bytes()).await?;
        let copied = copy.finish().await.map_err(|error| self.refused(error))?;
        match copied == rows.len() as u64 {
            true => Ok(()),
            false => Err(StoreError::Unfit(format!(
                "PostgreSQL took {copied} of {} rows of {}",
                rows.len(),
                self.table.name
            ))),
        }
    }

    /// Says in which table; a full disk and a database that is away stay what they are.
    fn refused(&self, error: sqlx::Error) -> StoreError {
        match StoreError::from(error) {
            StoreError::Database(error) => StoreError::Row { table: self.table.name.clone(), source: error },
            other => other,
        }
    }
}

/// Writes a value as PostgreSQL's COPY reads it; nothing when it is not what the column holds.
fn write_value(kind: Kind, value: &Value, out: &mut String) -> Option<()> {
    match (kind, value) {
        (_, Value::Null) => out.push_str("\\N"),
        (Kind::Id, Value::Bytes(bytes)) => write!(out, "{}", Uuid::from_slice(bytes).ok()?).ok()?,
        (Kind::Time, Value::Text(text)) => {
            micros(text).ok()?;
            escape(text, out);
        }
        (Kind::Document, Value::Text(text)) => match text.contains("\\u0000") {
            true => {
                let mut document = serde_json::from_str(text).ok()?;
                without_nul(&mut document);
                escape(&document.to_string(), out);
            }
            false => escape(text, out),
        },
        (Kind::Text | Kind::Plain, Value::Text(text)) => escape(text, out),
        (Kind::Truth, Value::Int(holds @ (0 | 1))) => out.push(if *holds == 1 { 't' } else { 'f' }),
        (Kind::Int, Value::Int(number)) => write!(out, "{number}").ok()?,
        (Kind::Float, Value::Float(number)) => write!(out, "{number:?}").ok()?,
        (Kind::Bytes, Value::Bytes(bytes)) => {
            out.push_str("\\\\x");
            bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}")).ok()?;
        }
        _ => return None,
    }
    Some(())
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push('\u{fffd}'),
            plain => out.push(plain),
        }
    }
}

fn without_nul(document: &mut serde_json::Value) {
    match document {
        serde_json::Value::String(text) => *text = crate::clean(text),
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_nul),
        serde_json::Value::Object(members) => members.values_mut().for_each(without_nul),
        _ => {}
    }
}
