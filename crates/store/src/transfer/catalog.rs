//! What the database's own catalogue says of its tables.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AssertSqlSafe, PgConnection, SqliteConnection};

use super::DERIVED;
use crate::StoreError;

/// How a value stands in the database. SQLite knows no more than the value itself says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// As it is.
    Plain,
    Id,
    Time,
    Document,
    Truth,
    Bytes,
    Text,
    Int,
    Float,
}

impl Kind {
    /// The kind of a type of PostgreSQL.
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "uuid" => Self::Id,
            "timestamptz" => Self::Time,
            "jsonb" => Self::Document,
            "bool" => Self::Truth,
            "bytea" => Self::Bytes,
            "text" => Self::Text,
            "int8" => Self::Int,
            "float8" => Self::Float,
            _ => return None,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
}

impl Table {
    /// Whether it holds the one row that a migration puts there, which counts something.
    pub(super) fn counts(&self) -> bool {
        self.columns.iter().any(|column| column.name == "one")
    }

    /// What reads these columns.
    pub(super) fn select(&self, columns: &[Column]) -> String {
        let columns: Vec<String> = columns
            .iter()
            .map(|column| match column.kind {
                Kind::Document => format!("{}::text", quoted(&column.name)),
                _ => quoted(&column.name),
            })
            .collect();
        format!("SELECT {} FROM {}", columns.join(", "), quoted(&self.name))
    }
}

/// A name as it stands in SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The tables of an SQLite database, each after those that it refers to.
pub(super) async fn of_sqlite(c: &mut SqliteConnection) -> Result<Vec<Table>, StoreError> {
    let names: Vec<(String,)> = sqlx::query_as(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND substr(name, 1, 7) <> 'sqlite_'
         ORDER BY name",
    )
    .fetch_all(&mut *c)
    .await?;
    let (mut tables, mut refers) = (Vec::new(), BTreeMap::new());
    for name in names.into_iter().map(|(name,)| name).filter(|name| is_ours(name)) {
        let columns: Vec<(String,)> = sqlx::query_as("SELECT name FROM pragma_table_info($1) ORDER BY cid")
            .bind(&name)
            .fetch_all(&mut *c)
            .await?;
        let to: Vec<(String,)> = sqlx::query_as("SELECT DISTINCT \"table\" FROM pragma_foreign_key_list($1)")
            .bind(&name)
            .fetch_all(&mut *c)
            .await?;
        refers.insert(name.clone(), to.into_iter().map(|(to,)| to).collect());
        let columns = columns.into_iter().map(|(name,)| Column { name, kind: Kind::Plain }).collect();
        tables.push(Table { name, columns });
    }
    in_order(tables, &refers)
}

/// The same of a PostgreSQL database.
pub(super) async fn of_postgres(c: &mut PgConnection) -> Result<Vec<Table>, StoreError> {
    let columns: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT c.table_name::text, c.column_name::text, c.udt_name::text
         FROM information_schema.columns c
         JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name
         WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE'
         ORDER BY c.table_name::text COLLATE \"C\", c.ordinal_position",
    )
    .fetch_all(&mut *c)
    .await?;
    let mut tables: Vec<Table> = Vec::new();
    for (table, name, kind) in columns.into_iter().filter(|(table, ..)| is_ours(table)) {
        let kind = Kind::of(&kind).ok_or_else(|| {
            StoreError::Unfit(format!("the column {table}.{name} is of the type {kind}, which nothing here can copy"))
        })?;
        let column = Column { name, kind };
        match tables.last_mut().filter(|last| last.name == table) {
            Some(last) => last.columns.push(column),
            None => tables.push(Table { name: table, columns: vec![column] }),
        }
    }
    let pairs: Vec<(String, String)> = sqlx::query_as(
        "SELECT DISTINCT a.relname::text, b.relname::text FROM pg_constraint k
         JOIN pg_class a ON a.oid = k.conrelid JOIN pg_class b ON b.oid = k.confrelid
         WHERE k.contype = 'f' AND k.connamespace = current_schema()::regnamespace",
    )
    .fetch_all(&mut *c)
    .await?;
    let mut refers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, to) in pairs {
        refers.entry(from).or_default().insert(to);
    }
    in_order(tables, &refers)
}

/// Whether a table is one whose rows are copied.
fn is_ours(name: &str) -> bool {
    !name.starts_with("_sqlx") && !DERIVED.contains(&name)
}

/// Puts each table after those that it refers to; the others by name.
fn in_order(mut tables: Vec<Table>, refers: &BTreeMap<String, BTreeSet<String>>) -> Result<Vec<Table>, StoreError> {
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    let (mut done, mut ordered) = (BTreeSet::new(), Vec::new());
    while !tables.is_empty() {
        let ready = |table: &Table| refers.get(&table.name).is_none_or(|to| to.iter().all(|to| done.contains(to)));
        let Some(at) = tables.iter().position(ready) else {
            let left: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
            return Err(StoreError::Unfit(format!(
                "these tables refer to each other in a circle: {}",
                left.join(", ")
            )));
        };
        let table = tables.remove(at);
        done.insert(table.name.clone());
        ordered.push(table);
    }
    Ok(ordered)
}

/// How many rows a table has.
pub(super) fn count(table: &Table) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("SELECT count(*) FROM {}", quoted(&table.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> Table {
        Table { name: name.to_owned(), columns: Vec::new() }
    }

    #[test]
    fn tables_come_after_those_that_they_refer_to_and_a_circle_is_told() {
        let refers = |pairs: &[(&str, &str)]| {
            let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for (from, to) in pairs {
                all.entry((*from).to_owned()).or_default().insert((*to).to_owned());
            }
            all
        };
        let all = || vec![table("a"), table("b"), table("c")];
        let names = |tables: Vec<Table>| tables.into_iter().map(|table| table.name).collect::<Vec<_>>();
        let ordered = in_order(all(), &refers(&[("a", "c"), ("c", "b")])).unwrap();
        assert_eq!(names(ordered), ["b", "c", "a"]);
        assert_eq!(names(in_order(all(), &BTreeMap::new()).unwrap()), ["a", "b", "c"]);
        let circle = in_order(all(), &refers(&[("a", "c"), ("c", "a")])).unwrap_err().to_string();
        assert!(circle.contains("a, c"), "{circle}");
        assert!(
            in_order(all(), &refers(&[("b", "b")])).is_err(),
            "a table that refers to itself needs more than an order"
        );
    }
}
