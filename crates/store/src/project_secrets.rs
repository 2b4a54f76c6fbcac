//! Secrets of projects: what may be shown of them stands here, the sealed values among the secrets.

use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::secret::{ProjectSecret, SecretUse};
use guildhall_types::{MemberId, ProjectId};
use sqlx::types::Json;

use crate::secrets::SealedSecret;
use crate::{Backend, Rows, Store, StoreError, Tx, on, read};

/// What may be shown of a secret.
const COLUMNS: &str = "project_id, name, hint, uses, put_by, updated_at";

/// A secret of a project, to be put in place.
#[derive(Debug, Clone)]
pub struct NewProjectSecret {
    /// The project.
    pub project_id: ProjectId,
    /// The environment variable in which commands find it.
    pub name: String,
    /// The secret, sealed.
    pub secret: SealedSecret,
    /// Its last characters.
    pub hint: String,
    /// Which commands it is given to.
    pub uses: Vec<SecretUse>,
    /// Who puts it in place.
    pub put_by: MemberId,
    /// Whether that one may put it in place of another member's.
    pub over_others: bool,
    /// How many a project may have.
    pub most: i64,
    /// Bytes that all of a project may have together, as they are sealed.
    pub most_bytes: i64,
}

/// What came of putting a secret in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutSecret {
    /// It is in place.
    Done(ProjectSecret),
    /// Another member's is in its place.
    Others,
    /// The project has as many as it may have.
    TooMany,
    /// All of the project's would have more bytes together than they may.
    TooLarge {
        /// Bytes that the others have, as they are sealed.
        others: i64,
    },
}

/// A secret as it is kept, with what it is for.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct KeptProjectSecret {
    /// The environment variable in which commands find it.
    pub name: String,
    /// Which commands it is given to.
    #[sqlx(json)]
    pub uses: Vec<SecretUse>,
    /// The secret, sealed.
    #[sqlx(flatten)]
    pub secret: SealedSecret,
}

/// What a project's secret is sealed for.
pub fn project_secret_identity(project: ProjectId, name: &str) -> String {
    format!("project-secret/{project}/{name}")
}

impl Store {
    /// Puts a secret of a project in place of the former one of its name, if any.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the project is gone.
    pub async fn put_project_secret(&self, new: &NewProjectSecret) -> Result<PutSecret, StoreError> {
        let mut tx = self.begin().await?;
        self.must_be_there(&mut tx, new.project_id).await?;
        let (count, others, bytes, before): (i64, Option<i64>, i64, i64) = on!(tx, c => sqlx::query_as(
            "SELECT count(*), sum(CASE WHEN p.name = $2 THEN CASE WHEN p.put_by = $3 THEN 0 ELSE 1 END ELSE NULL END),
               coalesce(sum(CASE WHEN p.name = $2 THEN 0 ELSE length(s.sealed) END), 0),
               coalesce(sum(CASE WHEN p.name = $2 THEN length(s.sealed) ELSE 0 END), 0)
             FROM project_secrets p LEFT JOIN secrets s ON s.identity = $4 || p.name WHERE p.project_id = $1")
            .bind(new.project_id).bind(&new.name).bind(new.put_by).bind(project_secret_identity(new.project_id, ""))
            .fetch_one(c).await)?;
        let own = i64::try_from(new.secret.sealed.len()).unwrap_or(i64::MAX);
        match others {
            Some(1..) if !new.over_others => return Ok(PutSecret::Others),
            None if count >= new.most => return Ok(PutSecret::TooMany),
            // What was put in place before there was a bound may be exchanged for what is no larger.
            _ if own > before && bytes.saturating_add(own) > new.most_bytes => {
                return Ok(PutSecret::TooLarge { others: bytes });
            }
            _ => {}
        }
        let sql = format!(
            "INSERT INTO project_secrets (project_id, name, hint, uses, put_by, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (project_id, name) DO UPDATE SET hint = excluded.hint, uses = excluded.uses,
               put_by = excluded.put_by, updated_at = excluded.updated_at
             RETURNING {COLUMNS}"
        );
        let saved = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(new.project_id).bind(&new.name).bind(&new.hint).bind(Json(&new.uses)).bind(new.put_by).bind(self.now())
            .fetch_one(c).await)?;
        self.put_secret(&mut tx, &new.secret).await?;
        let note = Note::new(AuditAction::PutProjectSecret).on(AuditObject::Project, new.project_id);
        let uses: Vec<&str> = new.uses.iter().map(|to| to.as_str()).collect();
        tx.note(note.with("name", &new.name).with("hint", &new.hint).with("uses", uses.join(", ")));
        self.commit(tx).await?;
        Ok(PutSecret::Done(saved))
    }

    /// Holds a project that is not archived until the transaction ends, so that what is counted of it stays so.
    async fn must_be_there(&self, tx: &mut Tx, project: ProjectId) -> Result<(), StoreError> {
        // SQLite has one writer at a time, and no word for this.
        let sql = match self.backend() {
            Backend::Sqlite => "SELECT 1 FROM projects WHERE id = $1 AND archived_at IS NULL",
            Backend::Postgres => "SELECT 1 FROM projects WHERE id = $1 AND archived_at IS NULL FOR UPDATE",
        };
        let there: Option<(i32,)> = on!(tx, c => sqlx::query_as(sql).bind(project).fetch_optional(c).await)?;
        there.map(|_| ()).ok_or(StoreError::NotFound { what: "project" })
    }

    /// A project's secrets, as far as they may be shown, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn project_secrets(&self, project: ProjectId) -> Result<Vec<ProjectSecret>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM project_secrets WHERE project_id = $1 ORDER BY name");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(project).fetch_all(c).await)?)
    }

    /// A project's secrets as they are kept, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sealed_project_secrets(&self, project: ProjectId) -> Result<Vec<KeptProjectSecret>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT p.name, p.uses, s.identity, s.key_id, s.wrapped_key, s.sealed
             FROM project_secrets p JOIN secrets s ON s.identity = $2 || p.name WHERE p.project_id = $1 ORDER BY p.name")
            .bind(project).bind(project_secret_identity(project, "")).fetch_all(c).await)?)
    }

    /// Deletes a secret of a project; `by` alone may delete it, if given. False when there is none that may be deleted so.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_project_secret(
        &self,
        project: ProjectId,
        name: &str,
        by: Option<MemberId>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = on!(tx, c => sqlx::query(
            "DELETE FROM project_secrets WHERE project_id = $1 AND name = $2 AND put_by = coalesce($3, put_by)")
            .bind(project).bind(name).bind(by).execute(c).await.rows())?;
        if done == 1 {
            self.delete_secret(&mut tx, &project_secret_identity(project, name)).await?;
            let note = Note::new(AuditAction::DeleteProjectSecret).on(AuditObject::Project, project);
            tx.note(note.with("name", name));
        }
        self.commit(tx).await?;
        Ok(done == 1)
    }
}
