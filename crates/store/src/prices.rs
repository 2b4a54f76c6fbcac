//! What models cost, where an admin says so.

use guildhall_types::PriceId;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::budget::BudgetKind;
use guildhall_types::member::ProviderKind;
use guildhall_types::price::{Price, PriceRow};

use crate::{Store, StoreError, on, read};

const COLUMNS: &str = "id, provider, pattern, input, output, cache_read, cache_write, changed_by, changed_at";
/// Rows that there may be.
const ROWS: i64 = 500;

fn told(price: &Price) -> String {
    format!(
        "{} in, {} out, {} cache read, {} cache write",
        price.input, price.output, price.cache_read, price.cache_write
    )
}

impl Store {
    /// What admins say that models cost, by provider and pattern.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prices(&self) -> Result<Vec<PriceRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM prices ORDER BY provider, pattern");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(c).await)?)
    }

    /// Says what the models cost whose names fit a pattern; what was said of this pattern before is replaced. Runs that wait
    /// for a budget are looked at anew.
    ///
    /// # Errors
    /// [`StoreError::TooMany`].
    pub async fn put_price(&self, provider: ProviderKind, pattern: &str, price: Price) -> Result<PriceRow, StoreError> {
        let mut tx = self.begin().await?;
        let old: Option<(i64, i64, i64, i64)> = on!(tx, c => sqlx::query_as(
            "SELECT input, output, cache_read, cache_write FROM prices WHERE provider = $1 AND pattern = $2").bind(provider)
            .bind(pattern).fetch_optional(c).await)?;
        let (rows,): (i64,) = on!(tx, c => sqlx::query_as("SELECT count(*) FROM prices").fetch_one(c).await)?;
        if old.is_none() && rows >= ROWS {
            return Err(StoreError::TooMany { what: "prices", most: ROWS });
        }
        let sql = format!(
            "INSERT INTO prices (id, provider, pattern, input, output, cache_read, cache_write, changed_by, changed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (provider, pattern) DO UPDATE SET input = excluded.input, output = excluded.output,
               cache_read = excluded.cache_read, cache_write = excluded.cache_write, changed_by = excluded.changed_by,
               changed_at = excluded.changed_at
             RETURNING {COLUMNS}"
        );
        let row: PriceRow = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(PriceId::new()).bind(provider)
            .bind(pattern).bind(price.input).bind(price.output).bind(price.cache_read).bind(price.cache_write)
            .bind(self.actor.member).bind(self.now()).fetch_one(c).await)?;
        let note = Note::new(AuditAction::PutPrice).on(AuditObject::Price, row.id);
        let note = note.with("provider", provider).with("pattern", pattern).with("to", told(&price));
        let old = old.map(|(input, output, cache_read, cache_write)| Price { input, output, cache_read, cache_write });
        tx.note(if let Some(old) = old { note.with("from", told(&old)) } else { note });
        self.look_anew(&mut tx, None, BudgetKind::ALL).await?;
        self.commit(tx).await?;
        Ok(row)
    }

    /// Takes back what was said of a pattern. Returns whether there was such a row.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_price(&self, id: PriceId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let sql = format!("DELETE FROM prices WHERE id = $1 RETURNING {COLUMNS}");
        let row: Option<PriceRow> =
            on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?;
        let Some(row) = row else { return Ok(false) };
        let note = Note::new(AuditAction::DeletePrice).on(AuditObject::Price, id);
        tx.note(note.with("provider", row.provider).with("pattern", &row.pattern).with("from", told(&row.price)));
        self.look_anew(&mut tx, None, BudgetKind::ALL).await?;
        self.commit(tx).await?;
        Ok(true)
    }
}
