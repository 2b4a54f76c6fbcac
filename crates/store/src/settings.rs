//! Settings of the whole team, by name.

use guildhall_types::audit::{AuditAction, AuditObject, Note};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::types::Json;

use crate::{Rows, Store, StoreError, on, read};

/// Settings whose values the audit tells. Others may hold what must not stand there.
const TOLD: &[&str] = &["limits", "run_limits", "budgets", "sign_up", "second_factor", "knowledge_rule", "retention"];

impl Store {
    /// The setting with this name, if it was ever set.
    ///
    /// # Errors
    /// When the database fails, or what is stored is of another shape.
    pub async fn setting<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let row: Option<(Json<serde_json::Value>,)> = read!(self, c => sqlx::query_as("SELECT value FROM settings WHERE name = $1").bind(name).fetch_optional(c).await)?;
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
    pub async fn put_settings(&self, settings: &[(&str, serde_json::Value)]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for (name, value) in settings {
            let note = Note::new(AuditAction::ChangeSetting).on(AuditObject::Setting, name);
            tx.note(if TOLD.contains(name) { note.with("to", value) } else { note });
            on!(tx, c => sqlx::query(
                "INSERT INTO settings (name, value) VALUES ($1, $2)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value")
                .bind(*name).bind(Json(value)).execute(c).await.rows())?;
        }
        self.commit(tx).await
    }
}
