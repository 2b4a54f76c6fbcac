//! Reading every row, as all of them were at one moment.

use chrono::SecondsFormat;
use futures::TryStreamExt;
use guildhall_types::DateTime;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Decode, Row as _, Sqlite, SqliteConnection, TypeInfo, ValueRef};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::catalog::{self, Column, Kind, Table};
use super::sum::Sum;
use super::{AT_ONCE, Piece, Row, TableHead, TableSum, Value};
use crate::db::Db;
use crate::patience::Patient;
use crate::{Store, StoreError};

/// A reader of a whole database may rest between two tables while what it read is carried away.
const PATIENT: &str = "SET LOCAL idle_in_transaction_session_timeout = '10min'";

impl Store {
    /// Hands every row to `out`, as all of them are at one moment, beside whoever writes meanwhile; returns what they come
    /// to. Waits when `out` is full, so that no more than a few hundred kilobytes are held.
    ///
    /// # Errors
    /// When the database fails, or nobody takes what is read any more.
    pub async fn dump(&self, out: mpsc::Sender<Piece>) -> Result<Vec<TableSum>, StoreError> {
        match &self.db {
            Db::Sqlite { readers, .. } => {
                // The first statement fixes what is seen until the end.
                let mut tx = readers.begin().await?;
                let mut sums = Vec::new();
                for table in catalog::of_sqlite(&mut tx).await? {
                    let mut batch = Batch::begin(&out, &table).await?;
                    let mut rows = sqlx::query(AssertSqlSafe(table.select(&table.columns))).fetch(&mut *tx);
                    while let Some(row) = rows.try_next().await? {
                        batch.put(sqlite_row(&row, table.columns.len())?).await?;
                    }
                    sums.push(batch.end().await?);
                }
                Ok(sums)
            }
            Db::Postgres(pool) => {
                let mut tx = pool.begin_with("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
                sqlx::query(PATIENT).execute(&mut *tx).await?;
                let mut sums = Vec::new();
                for table in catalog::of_postgres(&mut tx).await? {
                    let mut batch = Batch::begin(&out, &table).await?;
                    let mut patient = Patient(&mut *tx);
                    let mut rows = sqlx::query(AssertSqlSafe(table.select(&table.columns))).fetch(&mut patient);
                    while let Some(row) = rows.try_next().await? {
                        batch.put(postgres_row(&row, &table.columns)?).await?;
                    }
                    sums.push(batch.end().await?);
                }
                Ok(sums)
            }
        }
    }

    /// The tables in which there are rows, with how many; but for those counters that a new database has, too.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn occupied(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let mut found = Vec::new();
        match &self.db {
            Db::Sqlite { readers, .. } => {
                let mut c = readers.acquire().await?;
                for table in catalog::of_sqlite(&mut c).await? {
                    let (rows,): (i64,) = sqlx::query_as(catalog::count(&table)).fetch_one(&mut *c).await?;
                    found.push((table, rows));
                }
            }
            Db::Postgres(pool) => {
                let mut c = pool.acquire().await?;
                for table in catalog::of_postgres(&mut c).await? {
                    let (rows,): (i64,) = sqlx::query_as(catalog::count(&table)).fetch_one(&mut *c).await?;
                    found.push((table, rows));
                }
            }
        }
        found.retain(|(table, rows)| *rows > 0 && !table.counts());
        Ok(found.into_iter().map(|(table, rows)| (table.name, rows)).collect())
    }
}

/// Rows of one table on their way.
struct Batch<'a> {
    out: &'a mpsc::Sender<Piece>,
    table: &'a str,
    sum: Sum,
    rows: Vec<Row>,
    size: usize,
}

impl<'a> Batch<'a> {
    async fn begin(out: &'a mpsc::Sender<Piece>, table: &'a Table) -> Result<Self, StoreError> {
        let columns = table.columns.iter().map(|column| column.name.clone()).collect();
        hand_on(out, Piece::Table(TableHead { table: table.name.clone(), columns })).await?;
        Ok(Self { out, table: &table.name, sum: Sum::default(), rows: Vec::new(), size: 0 })
    }

    async fn put(&mut self, row: Row) -> Result<(), StoreError> {
        self.sum.add(&[], &row)?;
        self.size += row.iter().map(Value::size).sum::<usize>();
        self.rows.push(row);
        if self.size >= AT_ONCE {
            self.size = 0;
            hand_on(self.out, Piece::Rows(std::mem::take(&mut self.rows))).await?;
        }
        Ok(())
    }

    async fn end(self) -> Result<TableSum, StoreError> {
        if !self.rows.is_empty() {
            hand_on(self.out, Piece::Rows(self.rows)).await?;
        }
        Ok(self.sum.of(self.table))
    }
}

async fn hand_on(out: &mpsc::Sender<Piece>, piece: Piece) -> Result<(), StoreError> {
    out.send(piece).await.map_err(|_| StoreError::Unfit("what was to take the rows has ended".to_owned()))
}

/// A row of SQLite as it stands there.
pub(super) fn sqlite_row(row: &SqliteRow, columns: usize) -> Result<Row, StoreError> {
    let mut values = Vec::with_capacity(columns);
    for at in 0..columns {
        let value = row.try_get_raw(at)?;
        if value.is_null() {
            values.push(Value::Null);
            continue;
        }
        let failed = |source| sqlx::Error::ColumnDecode { index: at.to_string(), source };
        let kind = value.type_info().name().to_owned();
        values.push(match kind.as_str() {
            "INTEGER" => Value::Int(<i64 as Decode<'_, Sqlite>>::decode(value).map_err(failed)?),
            "REAL" => Value::Float(<f64 as Decode<'_, Sqlite>>::decode(value).map_err(failed)?),
            "TEXT" => Value::Text(<String as Decode<'_, Sqlite>>::decode(value).map_err(failed)?),
            "BLOB" => Value::Bytes(<Vec<u8> as Decode<'_, Sqlite>>::decode(value).map_err(failed)?),
            other => return Err(StoreError::Unfit(format!("SQLite holds a value of the type {other}"))),
        });
    }
    Ok(values)
}

/// A row of PostgreSQL in the form in which SQLite would keep it.
pub(super) fn postgres_row(row: &PgRow, columns: &[Column]) -> Result<Row, StoreError> {
    fn or_null<T>(value: Option<T>, some: impl FnOnce(T) -> Value) -> Value {
        value.map_or(Value::Null, some)
    }
    let mut values = Vec::with_capacity(columns.len());
    for (at, column) in columns.iter().enumerate() {
        values.push(match column.kind {
            Kind::Id => or_null(row.try_get::<Option<Uuid>, _>(at)?, |id| Value::Bytes(id.as_bytes().to_vec())),
            // As the driver writes times into SQLite, which compares them as text.
            Kind::Time => or_null(row.try_get::<Option<DateTime>, _>(at)?, |time| {
                Value::Text(time.to_rfc3339_opts(SecondsFormat::AutoSi, false))
            }),
            Kind::Truth => or_null(row.try_get::<Option<bool>, _>(at)?, |holds| Value::Int(holds.into())),
            Kind::Bytes => or_null(row.try_get(at)?, Value::Bytes),
            Kind::Document | Kind::Text | Kind::Plain => or_null(row.try_get(at)?, Value::Text),
            Kind::Int => or_null(row.try_get(at)?, Value::Int),
            Kind::Float => or_null(row.try_get(at)?, Value::Float),
        });
    }
    Ok(values)
}

/// What the rows of a table of SQLite come to, as the connection sees them.
pub(super) async fn sum_of_sqlite(
    c: &mut SqliteConnection,
    table: &Table,
    columns: &[Column],
) -> Result<Sum, StoreError> {
    let mut sum = Sum::default();
    let mut rows = sqlx::query(AssertSqlSafe(table.select(columns))).fetch(c);
    while let Some(row) = rows.try_next().await? {
        sum.add(&[], &sqlite_row(&row, columns.len())?)?;
    }
    Ok(sum)
}

/// The same of PostgreSQL.
pub(super) async fn sum_of_postgres(
    c: &mut sqlx::PgConnection,
    table: &Table,
    columns: &[Column],
) -> Result<Sum, StoreError> {
    let kinds: Vec<Kind> = columns.iter().map(|column| column.kind).collect();
    let mut sum = Sum::default();
    let mut rows = sqlx::query(AssertSqlSafe(table.select(columns))).fetch(c);
    while let Some(row) = rows.try_next().await? {
        sum.add(&kinds, &postgres_row(&row, columns)?)?;
    }
    Ok(sum)
}
