//! Systems of agents, as members write them.

use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::event::Happening;
use guildhall_types::system::{System, SystemDefinition, SystemStatus};
use guildhall_types::{DateTime, MemberId, SystemId};

use crate::{Store, StoreError, Tx, on, read};

/// Systems of a team at most.
const MOST: i64 = 500;
const COLUMNS: &str = "id, status, version, definition, created_by, updated_by, created_at, updated_at";

#[derive(sqlx::FromRow)]
struct Row {
    id: SystemId,
    status: SystemStatus,
    version: i64,
    definition: String,
    created_by: MemberId,
    updated_by: MemberId,
    created_at: DateTime,
    updated_at: DateTime,
}

impl Row {
    fn system(self) -> Result<System, StoreError> {
        Ok(System {
            id: self.id,
            status: self.status,
            built_in: false,
            version: self.version,
            definition: serde_json::from_str(&self.definition)?,
            created_by: Some(self.created_by),
            updated_by: Some(self.updated_by),
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

fn note(action: AuditAction, system: &System) -> Note {
    Note::new(action)
        .on(AuditObject::System, system.id)
        .with("name", &system.definition.name)
        .with("status", system.status)
}

impl Store {
    /// Keeps a new system.
    ///
    /// # Errors
    /// [`StoreError::TooMany`].
    pub async fn create_system(
        &self,
        member: MemberId,
        status: SystemStatus,
        definition: &SystemDefinition,
    ) -> Result<System, StoreError> {
        let mut tx = self.begin().await?;
        let (count,): (i64,) = on!(tx, c => sqlx::query_as("SELECT count(*) FROM systems WHERE deleted_at IS NULL")
            .fetch_one(c).await)?;
        if count >= MOST {
            return Err(StoreError::TooMany { what: "systems", most: MOST });
        }
        let sql = format!(
            "INSERT INTO systems (id, status, definition, created_by, updated_by, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $4, $5, $5) RETURNING {COLUMNS}"
        );
        let row: Row = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(SystemId::new()).bind(status)
            .bind(serde_json::to_string(definition)?).bind(member).bind(self.now()).fetch_one(c).await)?;
        self.tell_system(tx, row.system()?, AuditAction::CreateSystem).await
    }

    /// The systems after this one, in the order of their making.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn systems(&self, after: Option<SystemId>, limit: i64) -> Result<Vec<System>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM systems WHERE deleted_at IS NULL AND ($1 IS NULL OR id > $1) ORDER BY id LIMIT $2"
        );
        let rows: Vec<Row> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(after).bind(limit).fetch_all(c)
            .await)?;
        rows.into_iter().map(Row::system).collect()
    }

    /// The system with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn system(&self, id: SystemId) -> Result<Option<System>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM systems WHERE id = $1 AND deleted_at IS NULL");
        let row: Option<Row> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?;
        row.map(Row::system).transpose()
    }

    /// Changes a system that is at `version`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Changed`] when somebody changed it in between.
    pub async fn change_system(
        &self,
        member: MemberId,
        id: SystemId,
        version: i64,
        status: SystemStatus,
        definition: &SystemDefinition,
    ) -> Result<System, StoreError> {
        let mut tx = self.begin().await?;
        let sql = format!(
            "UPDATE systems SET status = $3, definition = $4, updated_by = $5, updated_at = $6, version = version + 1
             WHERE id = $1 AND version = $2 AND deleted_at IS NULL RETURNING {COLUMNS}"
        );
        let row: Option<Row> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).bind(version).bind(status)
            .bind(serde_json::to_string(definition)?).bind(member).bind(self.now()).fetch_optional(c).await)?;
        let Some(row) = row else {
            drop(tx);
            let current = self.system(id).await?.ok_or(StoreError::NotFound { what: "system" })?;
            return Err(StoreError::Changed { what: "system", current: current.version });
        };
        self.tell_system(tx, row.system()?, AuditAction::ChangeSystem).await
    }

    /// Takes a system away. Its executions stay, and go on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_system(&self, id: SystemId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql =
            format!("UPDATE systems SET deleted_at = $2 WHERE id = $1 AND deleted_at IS NULL RETURNING {COLUMNS}");
        let row: Option<Row> =
            on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).bind(self.now()).fetch_optional(c).await)?;
        let system = row.ok_or(StoreError::NotFound { what: "system" })?.system()?;
        self.record(&mut tx, &Happening::SystemDeleted { system_id: id }).await?;
        tx.note(note(AuditAction::DeleteSystem, &system));
        self.commit(tx).await
    }

    async fn tell_system(&self, mut tx: Tx, system: System, action: AuditAction) -> Result<System, StoreError> {
        let private_to = system.created_by.filter(|_| system.status == SystemStatus::Draft);
        let happening = Happening::SystemUpdated { system_id: system.id, version: system.version, private_to };
        self.record(&mut tx, &happening).await?;
        tx.note(note(action, &system));
        self.commit(tx).await?;
        Ok(system)
    }
}
