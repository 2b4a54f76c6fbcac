//! What the indexes are told of items. Everything here runs below the lock of the hub's counter.

use std::collections::BTreeMap;

use guildhall_types::knowledge::index::Indexed;
use guildhall_types::knowledge::words::{grams, stem};

use crate::{Backend, Rows, Store, StoreError, Tx, on};

/// An item in the index: where it stands, and what is told of it.
pub(super) struct Standing<'a> {
    pub(super) place: i64,
    pub(super) indexed: &'a Indexed,
}

/// Places in a row that share a mark in PostgreSQL's index. The migration that marked the first ones has it, too.
pub(super) const STRETCH: i64 = 4_096;

/// The mark of the stretch that a place is in.
pub(super) fn stretch(place: i64) -> String {
    format!("p={}", place / STRETCH)
}

impl Store {
    /// Locks the hub for this transaction, and gives its next `count` places away; returns the first. The number of items
    /// changes by `more`.
    pub(super) async fn next_places(&self, tx: &mut Tx, count: i64, more: i64) -> Result<i64, StoreError> {
        let (last,): (i64,) = on!(tx, c => sqlx::query_as(
            "UPDATE knowledge_counter SET place = place + $1, items = items + $2 WHERE one = 1 RETURNING place")
            .bind(count).bind(more).fetch_one(c).await)?;
        Ok(last - count + 1)
    }

    /// Takes items out of the index and puts others in, whose rows must be written: PostgreSQL's index has a copy of what the order
    /// of what is found goes by.
    pub(super) async fn reindex(
        &self,
        tx: &mut Tx,
        gone: &[Standing<'_>],
        come: &[Standing<'_>],
    ) -> Result<(), StoreError> {
        let delete = match self.backend() {
            Backend::Sqlite => "DELETE FROM knowledge_index WHERE rowid = $1",
            Backend::Postgres => "DELETE FROM knowledge_index WHERE place = $1",
        };
        for one in gone {
            on!(tx, c => sqlx::query(delete).bind(one.place).execute(c).await.rows())?;
        }
        self.put_terms(tx, come).await?;
        let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
        for (all, one) in [(gone, -1), (come, 1)] {
            for word in all.iter().flat_map(|standing| &standing.indexed.terms) {
                *counts.entry(word).or_default() += one;
            }
        }
        counts.retain(|_, count| *count != 0);
        self.count_words(tx, &counts).await
    }

    /// Puts items into the index, and leaves the counts of words alone.
    pub(super) async fn put_terms(&self, tx: &mut Tx, come: &[Standing<'_>]) -> Result<(), StoreError> {
        let insert = match self.backend() {
            Backend::Sqlite => "INSERT INTO knowledge_index (rowid, terms) VALUES ($1, $2)",
            Backend::Postgres => {
                "INSERT INTO knowledge_index (place, updated_at, success_count, failure_count, id, created_by, kind, title, profile,
                   terms)
                 SELECT place, updated_at, success_count, failure_count, id, created_by, kind, title, profile,
                   array_to_tsvector(string_to_array($2, ' '))
                 FROM knowledge_items WHERE place = $1"
            }
        };
        for one in come {
            let mut terms = one.indexed.terms.join(" ");
            if self.backend() == Backend::Postgres {
                terms = format!("{terms} {}", stretch(one.place));
            }
            let put = on!(tx, c => sqlx::query(insert).bind(one.place).bind(terms).execute(c).await.rows())?;
            if put != 1 {
                return Err(sqlx::Error::RowNotFound.into());
            }
        }
        Ok(())
    }

    /// Copies how often an item helped to where PostgreSQL's index has it.
    pub(super) async fn copy_uses(&self, tx: &mut Tx, place: i64) -> Result<(), StoreError> {
        if self.backend() == Backend::Postgres {
            let sql = "UPDATE knowledge_index x SET success_count = i.success_count, failure_count = i.failure_count
                 FROM knowledge_items i WHERE x.place = $1 AND i.place = $1";
            on!(tx, c => sqlx::query(sql).bind(place).execute(c).await.rows())?;
        }
        Ok(())
    }

    async fn count_words(&self, tx: &mut Tx, counts: &BTreeMap<&str, i64>) -> Result<(), StoreError> {
        if counts.is_empty() {
            return Ok(());
        }
        let rows: Vec<(&str, String, i64)> = counts.iter().map(|(word, count)| (*word, stem(word), *count)).collect();
        let each = match self.backend() {
            Backend::Sqlite => "SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1) WHERE true",
            Backend::Postgres => {
                "SELECT value ->> 0, value ->> 1, (value ->> 2)::bigint FROM jsonb_array_elements($1::jsonb) AS value"
            }
        };
        // A word that nobody wrote before comes back with the very count that it got now. One that was gone for a while does,
        // too, and its trigrams are there already.
        let sql = format!(
            "INSERT INTO knowledge_words (word, stem, docs) {each}
             ON CONFLICT (word) DO UPDATE SET docs = knowledge_words.docs + excluded.docs RETURNING word, docs"
        );
        let known: Vec<(String, i64)> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(serde_json::to_string(&rows)?).fetch_all(c).await)?;
        let new = known.iter().filter(|(word, docs)| counts.get(word.as_str()) == Some(docs) && *docs > 0);
        let grams: Vec<(String, usize, &str)> = new
            .filter(|(word, _)| word.chars().all(char::is_alphanumeric) && word.chars().count() >= 4)
            .flat_map(|(word, _)| {
                let letters = word.chars().count();
                grams(word).into_iter().map(move |gram| (gram, letters, word.as_str()))
            })
            .collect();
        if grams.is_empty() {
            return Ok(());
        }
        let each = match self.backend() {
            Backend::Sqlite => "SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1) WHERE true",
            Backend::Postgres => {
                "SELECT value ->> 0, (value ->> 1)::bigint, value ->> 2 FROM jsonb_array_elements($1::jsonb) AS value"
            }
        };
        let sql = format!("INSERT INTO knowledge_grams (gram, letters, word) {each} ON CONFLICT DO NOTHING");
        on!(tx, c => sqlx::query(sqlx::AssertSqlSafe(sql)).bind(serde_json::to_string(&grams)?).execute(c).await.rows())?;
        Ok(())
    }
}
