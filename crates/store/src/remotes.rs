//! Where else projects' repositories are.

use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::event::Happening;
use guildhall_types::remote::ProjectRemote;
use guildhall_types::{DateTime, FeatureId, MemberId, ProjectId};

use crate::{Rows, SealedSecret, Store, StoreError, on, read};

const COLUMNS: &str = "url, has_login, follows, pushes, looked_at, ahead, behind, error";

/// What a project's other repository is to be.
#[derive(Debug, Clone)]
pub struct NewRemote {
    /// Of which project.
    pub project: ProjectId,
    /// Its address.
    pub url: String,
    /// Whether the server fetches from there by itself.
    pub follows: bool,
    /// Whether it pushes there by itself.
    pub pushes: bool,
    /// Who says so.
    pub by: MemberId,
}

/// What lets in at a project's other repository.
#[derive(Debug, Clone)]
pub enum RemoteLogin {
    /// What was given for this very address before, if anything was.
    Kept,
    /// This.
    Sealed(SealedSecret),
}

/// One whose turn it may be.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DueRemote {
    /// Of which project.
    pub project_id: ProjectId,
    /// Its address.
    pub url: String,
    /// Who put it in place.
    pub put_by: MemberId,
    /// Whether the server fetches from there by itself.
    pub follows: bool,
    /// Whether the server pushes there by itself.
    pub pushes: bool,
    /// How often it failed in a row.
    pub fails: i64,
    /// When it is its turn, whatever happened.
    pub next_at: DateTime,
    /// Until when a node has it in hand, if one has, or had and did not give it back.
    pub taken_until: Option<DateTime>,
    /// Where the default branch stood here when it was looked at last.
    pub seen_commit: Option<String>,
}

/// What a look at it found.
#[derive(Debug, Clone, Default)]
pub struct Looked {
    /// Commits that are only here.
    pub ahead: Option<i64>,
    /// Commits that are only there.
    pub behind: Option<i64>,
    /// Where the default branch stands here.
    pub seen: Option<String>,
    /// Why it, or what should have followed, failed.
    pub error: Option<String>,
}

/// Names what lets in at a project's other repository among the sealed secrets.
pub fn project_remote_identity(project: ProjectId) -> String {
    format!("project-remote/{project}")
}

impl Store {
    /// Where else a project's repository is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn project_remote(&self, project: ProjectId) -> Result<Option<ProjectRemote>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM project_remotes WHERE project_id = $1");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(project).fetch_optional(c).await)?)
    }

    /// Says where else a project's repository is; it is its turn at once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::KeyMoved`].
    pub async fn put_project_remote(&self, new: NewRemote, login: RemoteLogin) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let project = self.locked_project(&mut tx, new.project).await?;
        let identity = project_remote_identity(new.project);
        let has_login = match &login {
            RemoteLogin::Kept => {
                let (kept,): (bool,) = on!(tx, c => sqlx::query_as(
                    "SELECT EXISTS (SELECT 1 FROM project_remotes WHERE project_id = $1 AND url = $2 AND has_login)")
                    .bind(new.project).bind(&new.url).fetch_one(c).await)?;
                if !kept {
                    self.delete_secret(&mut tx, &identity).await?;
                }
                kept
            }
            RemoteLogin::Sealed(sealed) => {
                self.put_secret(&mut tx, sealed).await?;
                true
            }
        };
        on!(tx, c => sqlx::query(
            "INSERT INTO project_remotes (project_id, url, has_login, follows, pushes, put_by, next_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (project_id) DO UPDATE SET url = excluded.url, has_login = excluded.has_login,
               follows = excluded.follows, pushes = excluded.pushes, put_by = excluded.put_by, next_at = excluded.next_at,
               looked_at = NULL, ahead = NULL, behind = NULL, error = NULL, fails = 0, seen_commit = NULL, taken_until = NULL")
            .bind(new.project).bind(&new.url).bind(has_login).bind(new.follows).bind(new.pushes).bind(new.by).bind(self.now())
            .execute(c).await.rows())?;
        self.record(&mut tx, &Happening::ProjectUpdated { project }).await?;
        let note = Note::new(AuditAction::PutRemote).on(AuditObject::Project, new.project).with("url", &new.url);
        tx.note(note.with("login", has_login).with("follows", new.follows).with("pushes", new.pushes));
        self.commit(tx).await
    }

    /// Forgets where else a project's repository is, and what lets in there. Returns whether that was known.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the project is gone.
    pub async fn delete_project_remote(&self, id: ProjectId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let project = self.locked_project(&mut tx, id).await?;
        self.delete_secret(&mut tx, &project_remote_identity(id)).await?;
        let gone = on!(tx, c => sqlx::query("DELETE FROM project_remotes WHERE project_id = $1").bind(id).execute(c).await.rows())?;
        if gone > 0 {
            self.record(&mut tx, &Happening::ProjectUpdated { project }).await?;
            tx.note(Note::new(AuditAction::DeleteRemote).on(AuditObject::Project, id));
        }
        self.commit(tx).await?;
        Ok(gone > 0)
    }

    /// Those at which the server does something by itself, of projects that are there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remotes_by_themselves(&self) -> Result<Vec<DueRemote>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT project_id, url, put_by, r.follows AS follows, r.pushes AS pushes, fails, next_at, taken_until, seen_commit
             FROM project_remotes r
             JOIN projects p ON p.id = r.project_id
             WHERE p.archived_at IS NULL AND p.status = 'ready' AND (follows OR pushes) ORDER BY next_at, project_id LIMIT 1000")
            .fetch_all(c).await)?)
    }

    /// Takes one whose turn it is or that has something new, so that no other node does before `until`. False when another has it,
    /// or looked at it meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_remote(&self, due: &DueRemote, until: DateTime) -> Result<bool, StoreError> {
        let mut tx = self.begin_light().await?;
        let taken = on!(tx, c => sqlx::query(
            "UPDATE project_remotes SET taken_until = $3
             WHERE project_id = $1 AND next_at = $2 AND (taken_until IS NULL OR taken_until <= $4)")
            .bind(due.project_id).bind(due.next_at).bind(until).bind(self.now()).execute(c).await.rows())?;
        self.commit(tx).await?;
        Ok(taken > 0)
    }

    /// Holds one that was taken until `taken` for longer, or gives it back. False when it is not held by whoever asks any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold_remote(
        &self,
        id: ProjectId,
        taken: DateTime,
        until: Option<DateTime>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin_light().await?;
        let held = on!(tx, c => sqlx::query(
            "UPDATE project_remotes SET taken_until = $3 WHERE project_id = $1 AND taken_until = $2")
            .bind(id).bind(taken).bind(until).execute(c).await.rows())?;
        self.commit(tx).await?;
        Ok(held > 0)
    }

    /// Notes what a look at it found, and when it is its next turn, unless it has become another one meanwhile.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the project is gone.
    pub async fn note_remote(
        &self,
        id: ProjectId,
        url: &str,
        looked: &Looked,
        next_at: DateTime,
    ) -> Result<Option<ProjectRemote>, StoreError> {
        let mut tx = self.begin().await?;
        let project = self.locked_project(&mut tx, id).await?;
        let sql = format!("SELECT {COLUMNS} FROM project_remotes WHERE project_id = $1");
        let before: Option<ProjectRemote> =
            on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?;
        let sql = format!(
            "UPDATE project_remotes SET looked_at = $3, ahead = coalesce($4, ahead), behind = coalesce($5, behind), error = $6,
               fails = CASE WHEN $6 IS NULL THEN 0 ELSE fails + 1 END, next_at = $7, seen_commit = coalesce($8, seen_commit)
             WHERE project_id = $1 AND url = $2 RETURNING {COLUMNS}"
        );
        let remote: Option<ProjectRemote> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(id).bind(url).bind(self.now()).bind(looked.ahead).bind(looked.behind)
            .bind(looked.error.as_deref().map(crate::clean)).bind(next_at).bind(&looked.seen).fetch_optional(c).await)?;
        let told = |remote: &Option<ProjectRemote>| remote.clone().map(|it| ProjectRemote { looked_at: None, ..it });
        if told(&remote) != told(&before) {
            self.record(&mut tx, &Happening::ProjectUpdated { project }).await?;
        }
        self.commit(tx).await?;
        Ok(remote)
    }

    /// A card's work was put into its project's other repository.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_published(&self, id: FeatureId, branch: &str, commit: &str) -> Result<(), StoreError> {
        let note = Note::new(AuditAction::Publish).on(AuditObject::Feature, id);
        self.audit(note.with("branch", branch).with("commit", commit)).await
    }
}
