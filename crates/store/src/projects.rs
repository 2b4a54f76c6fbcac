//! Projects.

use std::collections::{BTreeMap, HashMap};

use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::event::Happening;
use guildhall_types::feature::FeatureStatus;
use guildhall_types::network::NetworkPolicy;
use guildhall_types::notification::{NotificationKind, Tell};
use guildhall_types::project::{Project, ProjectSettings, ProjectSource, ProjectStatus};
use guildhall_types::{MemberId, ProjectId};
use sqlx::types::Json;

use crate::remotes::project_remote_identity;
use crate::{Backend, Rows, SealedSecret, Store, StoreError, Tx, on, read};

pub(crate) const COLUMNS: &str =
    "id, name, source, status, error, default_branch, settings, created_by, created_at, updated_at";

/// A project to be made.
#[derive(Debug, Clone)]
pub struct NewProject {
    /// The name that is shown.
    pub name: String,
    /// Where the repository comes from.
    pub source: ProjectSource,
    /// How agents work in it.
    pub settings: ProjectSettings,
    /// Who adds it.
    pub created_by: MemberId,
}

/// Names what lets a project's clone in among the sealed secrets.
pub fn project_source_identity(project: ProjectId) -> String {
    format!("project-source/{project}")
}

/// What to change of a project; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct ProjectPatch {
    /// The name.
    pub name: Option<String>,
    /// How agents work in it.
    pub settings: Option<ProjectSettings>,
}

/// A project with the number of its cards in each status.
#[derive(Debug, Clone)]
pub struct ProjectSummary {
    /// The project.
    pub project: Project,
    /// Cards by status; a status without cards is absent.
    pub counts: BTreeMap<FeatureStatus, i64>,
}

/// Projects of a member whose repositories are being made, at most, when another one is to be cloned.
const PREPARING: i64 = 10;

impl Store {
    /// Adds a project whose repository is yet to be prepared.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the name is in use; [`StoreError::TooManyPreparing`] for one that is to be cloned.
    pub async fn create_project(&self, new: NewProject) -> Result<Project, StoreError> {
        self.create_project_as(ProjectId::new(), new, None).await
    }

    /// The same, under this id, with what lets its clone in, sealed under [`project_source_identity`]. That goes as soon as the
    /// repository is there.
    ///
    /// # Errors
    /// As for [`Store::create_project`]; [`StoreError::KeyMoved`].
    pub async fn create_project_as(
        &self,
        id: ProjectId,
        new: NewProject,
        login: Option<&SealedSecret>,
    ) -> Result<Project, StoreError> {
        let now = self.now();
        let mut tx = self.begin().await?;
        if matches!(new.source, ProjectSource::Clone { .. }) {
            // Locked, so that of many at once each counts those before it.
            self.locked_member(&mut tx, new.created_by).await?;
            let (preparing,): (i64,) = on!(tx, c => sqlx::query_as(
                "SELECT count(*) FROM projects WHERE status = 'preparing' AND archived_at IS NULL AND created_by = $1")
                .bind(new.created_by).fetch_one(c).await)?;
            if preparing >= PREPARING {
                return Err(StoreError::TooManyPreparing { most: PREPARING });
            }
        }
        let sql = format!(
            "INSERT INTO projects (id, name, source, status, default_branch, settings, created_by, created_at, updated_at)
             VALUES ($1, $2, $3, $4, 'main', $5, $6, $7, $7) RETURNING {COLUMNS}"
        );
        let project: Project = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(id).bind(new.name).bind(Json(new.source)).bind(ProjectStatus::Preparing)
            .bind(Json(new.settings)).bind(new.created_by).bind(now).fetch_one(c).await)
        .map_err(|error| StoreError::taken(error, "project name"))?;
        if let Some(login) = login {
            self.put_secret(&mut tx, login).await?;
        }
        self.record(&mut tx, &Happening::ProjectCreated { project: project.clone() }).await?;
        let note = Note::new(AuditAction::CreateProject).on(AuditObject::Project, project.id);
        tx.note(note.with("name", &project.name));
        self.commit(tx).await?;
        Ok(project)
    }

    /// The repository is there.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the project is gone.
    pub async fn project_ready(&self, id: ProjectId, default_branch: &str) -> Result<Project, StoreError> {
        self.set_project(id, ProjectStatus::Ready, None, Some(default_branch), None).await
    }

    /// The repository could not be made.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the project is gone.
    pub async fn project_failed(&self, id: ProjectId, error: &str) -> Result<Project, StoreError> {
        self.set_project(id, ProjectStatus::Failed, Some(error), None, None).await
    }

    /// The repository is to be made once more.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the project is gone.
    pub async fn project_preparing(&self, id: ProjectId) -> Result<Project, StoreError> {
        let note = Note::new(AuditAction::RetryProject).on(AuditObject::Project, id);
        self.set_project(id, ProjectStatus::Preparing, None, None, Some(note)).await
    }

    async fn set_project(
        &self,
        id: ProjectId,
        status: ProjectStatus,
        error: Option<&str>,
        branch: Option<&str>,
        note: Option<Note>,
    ) -> Result<Project, StoreError> {
        let mut tx = self.begin().await?;
        tx.notes.extend(note);
        let sql = format!(
            "UPDATE projects SET status = $2, error = $3, default_branch = coalesce($4, default_branch), updated_at = $5
             WHERE id = $1 AND archived_at IS NULL RETURNING {COLUMNS}"
        );
        let project: Option<Project> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(id).bind(status).bind(error.map(crate::clean)).bind(branch).bind(self.now()).fetch_optional(c).await)?;
        let project = project.ok_or(StoreError::NotFound { what: "project" })?;
        if status == ProjectStatus::Ready {
            self.delete_secret(&mut tx, &project_source_identity(id)).await?;
        }
        self.record(&mut tx, &Happening::ProjectUpdated { project: project.clone() }).await?;
        self.commit(tx).await?;
        Ok(project)
    }

    /// Changes a project. Nothing when that would open the network to its commands, it is not open, and it may not be opened.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is gone, [`StoreError::Taken`] when the name is in use.
    pub async fn update_project(
        &self,
        id: ProjectId,
        patch: ProjectPatch,
        may_open: bool,
    ) -> Result<Option<Project>, StoreError> {
        self.change_project(id, patch.name, may_open, |_| Ok::<_, StoreError>(patch.settings)).await
    }

    /// The same, with settings by what they are: nobody else changes them meanwhile.
    ///
    /// # Errors
    /// What `change` says, and as [`Store::update_project`].
    pub async fn change_project<E: From<StoreError>>(
        &self,
        id: ProjectId,
        name: Option<String>,
        may_open: bool,
        change: impl FnOnce(&ProjectSettings) -> Result<Option<ProjectSettings>, E> + Send,
    ) -> Result<Option<Project>, E> {
        let mut tx = self.begin().await?;
        let before = self.locked_project(&mut tx, id).await?.settings;
        let settings = change(&before)?;
        let opens = settings.as_ref().is_some_and(|settings| settings.network.policy == NetworkPolicy::Open);
        if opens && !may_open && before.network.policy != NetworkPolicy::Open {
            return Ok(None);
        }
        let sql = format!(
            "UPDATE projects SET name = coalesce($2, name), settings = coalesce($3, settings), updated_at = $4
             WHERE id = $1 AND archived_at IS NULL RETURNING {COLUMNS}"
        );
        let project: Option<Project> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(id).bind(name).bind(settings.map(Json)).bind(self.now()).fetch_optional(c).await)
        .map_err(|error| StoreError::taken(error, "project name"))?;
        let project = project.ok_or(StoreError::NotFound { what: "project" })?;
        self.record(&mut tx, &Happening::ProjectUpdated { project: project.clone() }).await?;
        let note = Note::new(AuditAction::ChangeProject).on(AuditObject::Project, id);
        tx.note(note.with("name", &project.name).with("network", project.settings.network.policy));
        self.commit(tx).await?;
        Ok(Some(project))
    }

    /// Keeps a project from being archived until the transaction is over; others begin work in it meanwhile.
    pub(crate) async fn held_project(&self, tx: &mut Tx, id: ProjectId) -> Result<(), StoreError> {
        let sql = match self.backend() {
            // Writers wait in line anyway.
            Backend::Sqlite => "SELECT 1 FROM projects WHERE id = $1 AND archived_at IS NULL",
            Backend::Postgres => "SELECT 1 FROM projects WHERE id = $1 AND archived_at IS NULL FOR SHARE",
        };
        let there: Option<(i32,)> = on!(tx, c => sqlx::query_as(sql).bind(id).fetch_optional(c).await)?;
        there.map(|_| ()).ok_or(StoreError::Archived)
    }

    /// A project that nobody else changes until the transaction is over.
    pub(crate) async fn locked_project(&self, tx: &mut Tx, id: ProjectId) -> Result<Project, StoreError> {
        let sql = format!(
            "UPDATE projects SET updated_at = updated_at WHERE id = $1 AND archived_at IS NULL RETURNING {COLUMNS}"
        );
        let project: Option<Project> =
            on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?;
        project.ok_or(StoreError::NotFound { what: "project" })
    }

    /// Tells everybody that somebody changed a project's repository.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the project is gone.
    pub async fn project_pushed(&self, id: ProjectId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let project = self.locked_project(&mut tx, id).await?;
        self.record(&mut tx, &Happening::ProjectUpdated { project }).await?;
        self.commit(tx).await
    }

    /// Takes a project off the page. Its cards and its repository stay where they are. No execution and nobody's auto
    /// mode goes on in it, and whoever had that on is told.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is gone, [`StoreError::Live`] while an agent works in it.
    pub async fn archive_project(&self, id: ProjectId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        // Locked before it is counted: whatever begins in it waits here, or is counted.
        self.locked_project(&mut tx, id).await?;
        let (live,): (i64,) = on!(tx, c => sqlx::query_as(
            "SELECT count(*) FROM runs WHERE project_id = $1 AND status IN ('queued', 'running')").bind(id).fetch_one(c).await)?;
        if live > 0 {
            return Err(StoreError::Live { what: "a project cannot be archived" });
        }
        let ended = self.end_executions(&mut tx, None, Some(id), "Its project was archived.").await?;
        let archived: Option<(String,)> = on!(tx, c => sqlx::query_as(
            "UPDATE projects SET archived_at = $2 WHERE id = $1 AND archived_at IS NULL RETURNING name")
            .bind(id).bind(self.now()).fetch_optional(c).await)?;
        let (name,) = archived.ok_or(StoreError::NotFound { what: "project" })?;
        self.delete_secret(&mut tx, &project_source_identity(id)).await?;
        self.delete_secret(&mut tx, &project_remote_identity(id)).await?;
        on!(tx, c => sqlx::query("DELETE FROM project_remotes WHERE project_id = $1").bind(id).execute(c).await.rows())?;
        let orders = self.switch_off_orders_in(&mut tx, id).await?;
        self.tell_ended(&mut tx, &ended).await?;
        self.tell_orders(&mut tx, &orders).await?;
        for order in &orders {
            let text = "The project was archived, and auto mode was switched off in it.";
            // Without the project, where a link would lead to nothing any more.
            tx.tell(Tell::new(NotificationKind::AutoModePaused, order.member_id, &name, text));
        }
        self.record(&mut tx, &Happening::ProjectDeleted { project_id: id }).await?;
        tx.note(Note::new(AuditAction::ArchiveProject).on(AuditObject::Project, id));
        self.commit(tx).await
    }

    /// The project with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn project(&self, id: ProjectId) -> Result<Option<Project>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM projects WHERE id = $1 AND archived_at IS NULL");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?)
    }

    /// The project of this name, in capitals or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn project_named(&self, name: &str) -> Result<Option<Project>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM projects WHERE lower(name) = lower($1) AND archived_at IS NULL");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(name).fetch_optional(c).await)?)
    }

    /// The projects whose repository is still to be made: after a restart, somebody must go on with them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn preparing_projects(&self) -> Result<Vec<Project>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} FROM projects WHERE status = 'preparing' AND archived_at IS NULL LIMIT 1000");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(c).await)?)
    }

    /// The projects in the order of their making, after `after`, at most `limit`, each with its cards counted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn projects(&self, after: Option<ProjectId>, limit: i64) -> Result<Vec<ProjectSummary>, StoreError> {
        let after = after.unwrap_or(ProjectId(uuid::Uuid::nil()));
        let sql = format!("SELECT {COLUMNS} FROM projects WHERE id > $1 AND archived_at IS NULL ORDER BY id LIMIT $2");
        let projects: Vec<Project> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(after).bind(limit).fetch_all(c).await)?;
        let Some(last) = projects.last().map(|project| project.id) else { return Ok(Vec::new()) };
        let rows: Vec<(ProjectId, FeatureStatus, i64)> = read!(self, c => sqlx::query_as(
            "SELECT project_id, status, count(*) FROM features
             WHERE deleted_at IS NULL AND kind = 'card' AND project_id > $1 AND project_id <= $2 GROUP BY project_id, status")
            .bind(after).bind(last).fetch_all(c).await)?;
        let mut counts: HashMap<ProjectId, BTreeMap<FeatureStatus, i64>> = HashMap::new();
        for (project, status, count) in rows {
            counts.entry(project).or_default().insert(status, count);
        }
        Ok(projects
            .into_iter()
            .map(|project| ProjectSummary { counts: counts.remove(&project.id).unwrap_or_default(), project })
            .collect())
    }
}
