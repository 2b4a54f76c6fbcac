//! Settings of the whole team, by name.

use guildhall_types::audit::{AuditAction, AuditObject, Note};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::types::Json;

use crate::{Rows, Store, StoreError, Tx, on, read};

/// Settings whose values the audit tells. Others may hold what must not stand there.
const TOLD: &[&str] = &["limits", "run_limits", "budgets", "sign_up", "second_factor", "knowledge_rule", "retention"];

impl Store {
    /// The setting with this name, if it was ever set.
    ///
    /// # Errors
    /// When the database fails, or what is stored is of another shape.
    pub async fn setting<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let row: Option<(Json<Value>,)> = read!(self, c => sqlx::query_as("SELECT value FROM settings WHERE name = $1").bind(name).fetch_optional(c).await)?;
        row.map(|(Json(value),)| serde_json::from_value(value)).transpose().map_err(StoreError::from)
    }

    /// Sets the setting with this name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_setting<T: Serialize + Sync>(&self, name: &str, value: &T) -> Result<(), StoreError> {
        self.put_settings(&[(name, serde_json::to_value(value)?)]).await
    }

    /// Sets several settings at once, or none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_settings(&self, settings: &[(&str, Value)]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for (name, value) in settings {
            self.write_setting(&mut tx, name, value).await?;
        }
        self.commit(tx).await
    }

    /// Changes several settings at once by what they are, or none; those that stay as they were are not written.
    /// `change` is told each one's value, and nothing for one that was never set; nobody else changes them meanwhile.
    ///
    /// # Errors
    /// What `change` says, and when the database fails.
    pub async fn change_settings<E: From<StoreError>, const N: usize>(
        &self,
        names: [&str; N],
        change: impl FnOnce([Option<Value>; N]) -> Result<[Value; N], E> + Send,
    ) -> Result<(), E> {
        let mut tx = self.begin().await?;
        let mut values = [const { None }; N];
        for (name, value) in names.iter().zip(&mut values) {
            *value = self.locked_setting(&mut tx, name).await?;
        }
        let before = values.clone();
        for ((name, value), before) in names.iter().zip(&change(values)?).zip(before) {
            if before.as_ref() != Some(value) {
                self.write_setting(&mut tx, name, value).await?;
            }
        }
        Ok(self.commit(tx).await?)
    }

    /// A setting that nobody else changes until the transaction is over.
    pub(crate) async fn locked_setting(&self, tx: &mut Tx, name: &str) -> Result<Option<Value>, StoreError> {
        let (Json(value),): (Json<Value>,) = on!(tx, c => sqlx::query_as(
            "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = settings.value
             RETURNING value").bind(name).bind(Json(Value::Null)).fetch_one(c).await)?;
        Ok(Some(value).filter(|value| !value.is_null()))
    }

    async fn write_setting(&self, tx: &mut Tx, name: &str, value: &Value) -> Result<(), StoreError> {
        let note = Note::new(AuditAction::ChangeSetting).on(AuditObject::Setting, name);
        tx.note(if TOLD.contains(&name) { note.with("to", value) } else { note });
        on!(tx, c => sqlx::query(
            "INSERT INTO settings (name, value) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value")
            .bind(name).bind(Json(value)).execute(c).await.rows())?;
        Ok(())
    }
}
