//! What commands reach of the network: the hosts that they were refused, and those that a member allows them.

use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::event::Happening;
use guildhall_types::network::{HostEntry, HostName, REFUSED, RefusedHost};
use guildhall_types::project::Project;
use guildhall_types::{DateTime, ProjectId, RunId};
use sqlx::types::Json;

use crate::{Rows, Store, StoreError, Tx, on, read};

/// A host that commands of a project were refused since it was last written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The host's name.
    pub host: HostName,
    /// The port.
    pub port: u16,
    /// How often.
    pub count: i64,
    /// When for the first time.
    pub first_at: DateTime,
    /// When for the last time.
    pub last_at: DateTime,
    /// The run whose commands asked last; nothing for a trial of checks.
    pub run: Option<RunId>,
}

impl Store {
    /// Writes down what commands of a project were refused. Of a project that has more than enough, those go that were asked
    /// for the longest ago. Of a project that is gone, nothing is written. Returns whether a host is new; nobody hears of it
    /// before [`Store::tell_of_refusals`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_refusals(&self, project: ProjectId, refusals: &[Refusal]) -> Result<bool, StoreError> {
        let mut tx = self.begin_light().await?;
        match self.locked_project(&mut tx, project).await {
            Err(StoreError::NotFound { .. }) => return Ok(false),
            locked => locked?,
        };
        let mut news = false;
        for refusal in refusals {
            let (count,): (i64,) = on!(tx, c => sqlx::query_as(
                "INSERT INTO refused_hosts (project_id, host, port, count, first_at, last_at, last_run_id)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)
                 ON CONFLICT (project_id, host, port) DO UPDATE SET count = refused_hosts.count + excluded.count,
                   last_at = excluded.last_at, last_run_id = excluded.last_run_id
                 RETURNING count")
                .bind(project).bind(refusal.host.as_str()).bind(i64::from(refusal.port)).bind(refusal.count)
                .bind(refusal.first_at).bind(refusal.last_at).bind(refusal.run).fetch_one(c).await)?;
            news |= count == refusal.count;
        }
        on!(tx, c => sqlx::query(
            "DELETE FROM refused_hosts WHERE project_id = $1 AND (host, port) NOT IN (
               SELECT host, port FROM refused_hosts WHERE project_id = $1 ORDER BY last_at DESC, host, port LIMIT $2)")
            .bind(project).bind(REFUSED).execute(c).await.rows())?;
        self.commit(tx).await?;
        Ok(news)
    }

    /// Tells whoever looks that commands of a project were refused hosts that are new.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tell_of_refusals(&self, project: ProjectId) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        self.record(&mut tx, &Happening::RefusedHosts { project_id: project }).await?;
        self.commit(tx).await
    }

    /// The hosts that commands of a project were refused, those first that were asked for last.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refused_hosts(&self, project: ProjectId) -> Result<Vec<RefusedHost>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT host, port, count, first_at, last_at, last_run_id FROM refused_hosts WHERE project_id = $1
             ORDER BY last_at DESC, host, port").bind(project).fetch_all(c).await)?)
    }

    /// Forgets that commands of a project were refused a host. Returns whether they had been.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the project is gone.
    pub async fn dismiss_host(&self, project: ProjectId, host: &HostName, port: u16) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        self.locked_project(&mut tx, project).await?;
        if !self.forget_refusal(&mut tx, project, host.as_str(), i64::from(port)).await? {
            return Ok(false);
        }
        self.record(&mut tx, &Happening::RefusedHosts { project_id: project }).await?;
        let note = Note::new(AuditAction::DismissHost).on(AuditObject::Project, project);
        tx.note(note.with("host", host).with("port", port));
        self.commit(tx).await?;
        Ok(true)
    }

    /// Puts an entry on a project's list, if it is not there already, and forgets the refusals that it ends.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the project is gone, [`StoreError::TooMany`] when there are `most` entries.
    pub async fn allow_host(&self, id: ProjectId, entry: &HostEntry, most: i64) -> Result<Project, StoreError> {
        let mut tx = self.begin().await?;
        let mut settings = self.locked_project(&mut tx, id).await?.settings;
        let hosts = &mut settings.network.hosts;
        let text = entry.to_string();
        if !hosts.contains(&text) {
            if hosts.len() as i64 >= most {
                return Err(StoreError::TooMany { what: "hosts on the project's list", most });
            }
            hosts.push(text.clone());
        }
        let rows: Vec<(String, i64)> = on!(tx, c => sqlx::query_as(
            "SELECT host, port FROM refused_hosts WHERE project_id = $1").bind(id).fetch_all(c).await)?;
        for (host, port) in rows {
            let name = HostName::parse(&host).ok().zip(u16::try_from(port).ok());
            if name.is_some_and(|(name, port)| entry.admits(&name, port)) {
                self.forget_refusal(&mut tx, id, &host, port).await?;
            }
        }
        let sql = format!(
            "UPDATE projects SET settings = $2, updated_at = $3 WHERE id = $1 RETURNING {}",
            crate::projects::COLUMNS
        );
        let project: Project = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).bind(Json(&settings))
            .bind(self.now()).fetch_one(c).await)?;
        self.record(&mut tx, &Happening::ProjectUpdated { project: project.clone() }).await?;
        tx.note(Note::new(AuditAction::AllowHost).on(AuditObject::Project, id).with("host", text));
        self.commit(tx).await?;
        Ok(project)
    }

    async fn forget_refusal(&self, tx: &mut Tx, id: ProjectId, host: &str, port: i64) -> Result<bool, StoreError> {
        let done = on!(tx, c => sqlx::query("DELETE FROM refused_hosts WHERE project_id = $1 AND host = $2 AND port = $3")
            .bind(id).bind(host).bind(port).execute(c).await.rows())?;
        Ok(done > 0)
    }
}
