//! What is known of backups: one at a time is made, by whichever process began it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Duration;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::backup::{Backup, BackupCause, BackupKind, BackupStatus, Finding};
use guildhall_types::{BackupId, DateTime};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;

use crate::{Rows, Store, StoreError, Tx, on, read};

const COLUMNS: &str = "id, name, cause, member_id, kind, status, destination, started_at, ended_at, bytes, problem, parent, \
                       verified_at, verify_problem, unchecked, gone";
/// Whose they are that count as this installation's own.
const OWN: &str = "coalesce(installation, '') = $1";
/// Names the installation among the settings.
const INSTALLATION: &str = "installation";
/// Since when a place is to have backups, among the settings.
const PLANNED: &str = "backups_planned";
/// Whose those are that were made before installations had names, by the one from which this was restored.
const FORMER: &str = "former";
/// What is unsound, and since which look at which: what was found wrong in one holds for those that build on it, but
/// for such as were found sound themselves since. Names are moments, and one is made at a time, so that they name a
/// backup wherever it is.
const UNSOUND: &str = "WITH RECURSIVE unsound (name, root, at) AS (
    SELECT name, name, verified_at FROM backups WHERE status = 'done' AND verify_problem IS NOT NULL
    UNION SELECT b.name, u.root, u.at FROM backups b JOIN unsound u ON b.parent = u.name
      WHERE b.status = 'done' AND (b.verified_at IS NULL OR b.verified_at < u.at OR b.verify_problem IS NOT NULL))";
/// One whose process has said nothing for so long has lost it.
const SILENT: Duration = Duration::minutes(2);
const LOST: &str = "The process that made it ended in the middle of it. The next one is made from the beginning.";
/// Tries that came to nothing, and backups that are gone, which are remembered. Of those that are there all is kept,
/// however often others failed since.
const REMEMBERED: i64 = 500;
/// Characters of a problem at most.
const PROBLEM: usize = 2_000;

/// A backup that is to be made.
#[derive(Debug, Clone)]
pub struct NewBackup {
    /// What has it made.
    pub cause: BackupCause,
    /// Where it goes, as it may be shown.
    pub destination: String,
}

/// Where backups are to go.
#[derive(Debug, Serialize, Deserialize)]
struct Planned {
    destination: String,
    since: DateTime,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupEnd {
    /// It is there.
    Done {
        /// Its name.
        name: String,
        /// What of the repositories it holds.
        kind: BackupKind,
        /// How much was written, in bytes.
        bytes: i64,
        /// The name of the one that it builds on.
        parent: Option<String>,
        /// Why it has not been looked at yet, where that is to be done. It stands until it is done, whatever becomes of
        /// whoever does it.
        unchecked: Option<String>,
    },
    /// It was not made, and why.
    Failed(String),
}

/// The latest backup that is there whole, and in which nothing wrong was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoodBackup {
    /// When it was begun.
    pub started_at: DateTime,
    /// Why it, or one that it builds on, could not be looked at yet, if that was tried.
    pub unchecked: Option<String>,
}

/// From when on what happened is in no good backup at a place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NotBackedUp {
    /// Since the latest good one was begun, or, where none is good, since the first was tried or they were to go there. Nothing
    /// where neither is known.
    pub since: Option<DateTime>,
    /// The same of the latest good one that was looked at, itself or what it builds on.
    pub unchecked_since: Option<DateTime>,
}

impl Store {
    /// Begins a backup, on behalf of whoever uses the store.
    ///
    /// # Errors
    /// [`StoreError::BackupUnderWay`].
    pub async fn begin_backup(&self, new: &NewBackup) -> Result<BackupId, StoreError> {
        let mut tx = self.begin().await?;
        let id = self.begin_backup_in(&mut tx, new).await?;
        self.commit(tx).await?;
        Ok(id)
    }

    /// Begins one that was found due when `latest` was the latest try: two processes may find so at once, and the
    /// slower one look again when the other has made it.
    ///
    /// # Errors
    /// [`StoreError::BackupUnderWay`], also for one that was begun since and is over.
    pub async fn begin_due_backup(&self, new: &NewBackup, latest: Option<BackupId>) -> Result<BackupId, StoreError> {
        let mut tx = self.begin().await?;
        let id = self.begin_backup_in(&mut tx, new).await?;
        let last: Option<(BackupId, DateTime)> = on!(tx, c => sqlx::query_as(
            "SELECT id, started_at FROM backups WHERE id <> $1 ORDER BY started_at DESC, id DESC LIMIT 1").bind(id)
            .fetch_optional(c).await)?;
        match last {
            Some((last, since)) if Some(last) != latest => Err(StoreError::BackupUnderWay { since }),
            _ => {
                self.commit(tx).await?;
                Ok(id)
            }
        }
    }

    async fn begin_backup_in(&self, tx: &mut Tx, new: &NewBackup) -> Result<BackupId, StoreError> {
        let now = self.now();
        let id = BackupId::new();
        let own = self.installation_in(tx).await?;
        on!(tx, c => sqlx::query(
            "UPDATE backups SET status = $1, problem = $2, ended_at = seen_at WHERE status = 'running' AND seen_at < $3")
            .bind(BackupStatus::Failed).bind(LOST).bind(now - SILENT).execute(c).await.rows())?;
        let done = on!(tx, c => sqlx::query(
            "INSERT INTO backups (id, cause, member_id, status, destination, started_at, seen_at, installation)
             VALUES ($1, $2, $3, $4, $5, $6, $6, $7) ON CONFLICT DO NOTHING")
            .bind(id).bind(new.cause).bind(self.actor.member).bind(BackupStatus::Running)
            .bind(crate::clean(&new.destination)).bind(now).bind(&own).execute(c).await.rows())?;
        if done != 1 {
            let (since,): (DateTime,) = on!(tx, c => sqlx::query_as(
                "SELECT coalesce(max(started_at), $1) FROM backups WHERE status = 'running'").bind(now).fetch_one(c).await)?;
            return Err(StoreError::BackupUnderWay { since });
        }
        // An installation's first one at a place says since when there is none, where none came of all the others.
        on!(tx, c => sqlx::query(
            "DELETE FROM backups
             WHERE started_at NOT IN (SELECT min(started_at) FROM backups GROUP BY installation, destination)
               AND id IN (SELECT id FROM backups WHERE status = 'failed' OR gone ORDER BY started_at DESC, id DESC
                 LIMIT 100 OFFSET $1)")
            .bind(REMEMBERED).execute(c).await.rows())?;
        Ok(id)
    }

    /// Says that a backup is still being made. Returns whether it is this process's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn see_backup(&self, id: BackupId) -> Result<bool, StoreError> {
        let mut tx = self.begin_light().await?;
        let done = on!(tx, c => sqlx::query("UPDATE backups SET seen_at = $2 WHERE id = $1 AND status = 'running'")
            .bind(id).bind(self.now()).execute(c).await.rows())?;
        self.commit(tx).await?;
        Ok(done == 1)
    }

    /// Puts down what came of a backup, with an entry in the audit: it is a copy of everything.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_backup(&self, id: BackupId, end: &BackupEnd) -> Result<(), StoreError> {
        let now = self.now();
        let mut tx = self.begin().await?;
        match end {
            BackupEnd::Done { name, kind, bytes, parent, unchecked } => {
                let found: Option<(String,)> = on!(tx, c => sqlx::query_as(
                    "UPDATE backups SET status = $2, name = $3, kind = $4, bytes = $5, parent = $6, unchecked = $7, seen_at = $8,
                       ended_at = $8
                     WHERE id = $1 AND status = 'running' RETURNING destination")
                    .bind(id).bind(BackupStatus::Done).bind(name).bind(kind).bind(bytes).bind(parent)
                    .bind(unchecked.as_deref().map(shortened)).bind(now).fetch_optional(c).await)?;
                if let Some((destination,)) = found {
                    let note = Note::new(AuditAction::MakeBackup).on(AuditObject::Backup, name);
                    tx.note(note.with("kind", kind).with("destination", destination));
                }
            }
            BackupEnd::Failed(why) => {
                on!(tx, c => sqlx::query(
                    "UPDATE backups SET status = $2, problem = $3, seen_at = $4, ended_at = $4
                     WHERE id = $1 AND status = 'running'")
                    .bind(id).bind(BackupStatus::Failed).bind(shortened(why)).bind(now).execute(c).await.rows())?;
            }
        }
        self.commit(tx).await
    }

    /// Puts down what was found when a backup of this name was restored into a scratch place. Where nothing was wrong,
    /// those that it builds on could be looked at as well.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_backup_verified(&self, name: &str, problem: Option<&str>) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query(
            "WITH RECURSIVE looked_at (name, parent) AS (
               SELECT name, parent FROM backups WHERE name = $1
               UNION SELECT b.name, b.parent FROM backups b JOIN looked_at o ON b.name = o.parent WHERE $3 IS NULL)
             UPDATE backups SET unchecked = NULL, verified_at = CASE WHEN name = $1 THEN $2 ELSE verified_at END,
               verify_problem = CASE WHEN name = $1 THEN $3 ELSE verify_problem END
             WHERE name IN (SELECT name FROM looked_at)")
            .bind(name).bind(self.now()).bind(problem.map(shortened)).execute(c).await.rows())?;
        self.commit(tx).await
    }

    /// Puts down why a backup of this name could not be restored into a scratch place. What was found in it earlier
    /// holds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_backup_unchecked(&self, name: &str, why: &str) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query("UPDATE backups SET unchecked = $2 WHERE name = $1 AND verified_at IS NULL").bind(name)
            .bind(shortened(why)).execute(c).await.rows())?;
        self.commit(tx).await
    }

    /// Why a backup of this name, or one that it builds on, could not be looked at yet, if that was tried.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn why_unchecked(&self, name: &str) -> Result<Option<String>, StoreError> {
        // Whoever looked at one looked at what it builds on.
        let why: Option<(String,)> = read!(self, c => sqlx::query_as(
            "WITH RECURSIVE below (parent, verified_at, unchecked) AS (
               SELECT parent, verified_at, unchecked FROM backups WHERE name = $1
               UNION SELECT b.parent, b.verified_at, b.unchecked FROM backups b JOIN below o ON b.name = o.parent
                 WHERE o.verified_at IS NULL)
             SELECT unchecked FROM below WHERE unchecked IS NOT NULL LIMIT 1").bind(name).fetch_optional(c).await)?;
        Ok(why.map(|(why,)| why))
    }

    /// What is known of those that this installation made, by their names.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn backup_findings(&self) -> Result<BTreeMap<String, Finding>, StoreError> {
        let own = self.known_installation().await?;
        let sql = format!(
            "{UNSOUND} SELECT name, verified_at, (SELECT min(root) FROM unsound u WHERE u.name = b.name) AS root
             FROM backups b WHERE status = 'done' AND name IS NOT NULL AND {OWN}"
        );
        let rows: Vec<(String, Option<DateTime>, Option<String>)> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(own).fetch_all(c).await)?;
        let finding = |(name, verified_at, root): (String, Option<DateTime>, Option<String>)| match (root, verified_at)
        {
            (Some(_), _) => (name, Finding::Unsound),
            (None, Some(_)) => (name, Finding::Sound),
            (None, None) => (name, Finding::Unknown),
        };
        Ok(rows.into_iter().map(finding).collect())
    }

    /// Notes that of this installation's backups at this place those are there alone that are `standing`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_backups_gone(&self, destination: &str, standing: &BTreeSet<String>) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        let own = self.installation_in(&mut tx).await?;
        let made: Vec<(BackupId, Option<String>, bool)> = on!(tx, c => sqlx::query_as(
            "SELECT id, name, gone FROM backups WHERE installation = $1 AND status = 'done' AND destination = $2")
            .bind(own).bind(crate::clean(destination)).fetch_all(c).await)?;
        for (id, name, before) in made {
            let gone = !name.is_some_and(|name| standing.contains(&name));
            if gone != before {
                on!(tx, c => sqlx::query("UPDATE backups SET gone = $2 WHERE id = $1").bind(id).bind(gone).execute(c).await
                    .rows())?;
            }
        }
        self.commit(tx).await
    }

    /// The latest backups and tries, the latest first. One whose process is gone is shown as failed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn backups(&self, limit: i64) -> Result<Vec<Backup>, StoreError> {
        self.backups_where(None, None, "TRUE", limit).await
    }

    /// This installation's latest backups and tries at a place.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn backups_at(&self, destination: &str, limit: i64) -> Result<Vec<Backup>, StoreError> {
        let own = self.known_installation().await?;
        self.backups_where(Some(own), Some(destination), "TRUE", limit).await
    }

    /// All that this installation made and that are not known to be gone, wherever they are, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn standing_backups(&self) -> Result<Vec<Backup>, StoreError> {
        let own = self.known_installation().await?;
        self.backups_where(Some(own), None, "status = 'done' AND NOT gone", i64::MAX).await
    }

    /// The latest of those that are not sound; at this place, where one is named.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unsound_backups(&self, destination: Option<&str>, limit: i64) -> Result<Vec<Backup>, StoreError> {
        let own = self.known_installation().await?;
        let which = "status = 'done' AND NOT gone AND name IN (SELECT name FROM unsound)";
        self.backups_where(Some(own), destination, which, limit).await
    }

    async fn backups_where(
        &self,
        own: Option<String>,
        destination: Option<&str>,
        which: &str,
        limit: i64,
    ) -> Result<Vec<Backup>, StoreError> {
        #[derive(sqlx::FromRow)]
        struct Row {
            #[sqlx(flatten)]
            backup: Backup,
            seen_at: DateTime,
        }
        let sql = format!(
            "{UNSOUND} SELECT {COLUMNS}, seen_at,
               (SELECT min(root) FROM unsound u WHERE u.name = b.name AND u.root <> b.name) AS unsound_below
             FROM backups b WHERE ($1 IS NULL OR {OWN}) AND ($2 IS NULL OR destination = $2) AND {which}
             ORDER BY started_at DESC, id DESC LIMIT $3"
        );
        let rows: Vec<Row> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(own)
            .bind(destination.map(crate::clean)).bind(limit).fetch_all(c).await)?;
        let lost = self.now() - SILENT;
        let shown = |Row { backup, seen_at }| match backup.status == BackupStatus::Running && seen_at < lost {
            true => Backup {
                status: BackupStatus::Failed,
                problem: Some(LOST.to_owned()),
                ended_at: Some(seen_at),
                ..backup
            },
            false => backup,
        };
        Ok(rows.into_iter().map(shown).collect())
    }

    /// This installation's latest backup that is there whole, and in which and below which nothing wrong was found; at
    /// this place, where one is named.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_good_backup(&self, destination: Option<&str>) -> Result<Option<GoodBackup>, StoreError> {
        let own = self.known_installation().await?;
        let sql = format!(
            "{UNSOUND} SELECT name, started_at FROM backups
             WHERE {OWN} AND ($2 IS NULL OR destination = $2) AND status = 'done' AND NOT gone AND name IS NOT NULL
               AND name NOT IN (SELECT name FROM unsound)
             ORDER BY started_at DESC, id DESC LIMIT 1"
        );
        let good: Option<(String, DateTime)> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(own)
            .bind(destination.map(crate::clean)).fetch_optional(c).await)?;
        let Some((name, started_at)) = good else { return Ok(None) };
        Ok(Some(GoodBackup { started_at, unchecked: self.why_unchecked(&name).await? }))
    }

    /// Notes that backups are to go to this place from now on, unless that is known: where none is ever made, they are missed
    /// since then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plan_backups(&self, destination: &str) -> Result<(), StoreError> {
        let destination = crate::clean(destination);
        if self.planned_since(&destination).await?.is_some() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        on!(tx, c => sqlx::query(
            "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
            .bind(PLANNED).bind(Json(Planned { destination, since: self.now() })).execute(c).await.rows())?;
        self.commit(tx).await
    }

    async fn planned_since(&self, destination: &str) -> Result<Option<DateTime>, StoreError> {
        let planned = self.setting::<Planned>(PLANNED).await?;
        Ok(planned.filter(|planned| planned.destination == destination).map(|planned| planned.since))
    }

    /// Since when nothing that happened is in a good backup at this place.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn not_backed_up_since(&self, destination: &str) -> Result<NotBackedUp, StoreError> {
        let own = self.known_installation().await?;
        let sql = format!(
            "{UNSOUND}, looked_at (name) AS (
               SELECT name FROM backups WHERE status = 'done' AND verified_at IS NOT NULL AND verify_problem IS NULL
               UNION SELECT b.name FROM backups b JOIN looked_at l ON b.parent = l.name WHERE b.status = 'done')
             SELECT max(CASE WHEN status = 'done' AND NOT gone AND name NOT IN (SELECT name FROM unsound) THEN started_at END),
               max(CASE WHEN status = 'done' AND NOT gone AND name NOT IN (SELECT name FROM unsound)
                 AND name IN (SELECT name FROM looked_at) THEN started_at END),
               min(started_at) FROM backups WHERE {OWN} AND destination = $2"
        );
        let (good, checked, first): (Option<DateTime>, Option<DateTime>, Option<DateTime>) = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(own).bind(crate::clean(destination)).fetch_one(c)
                .await)?;
        let planned = self.planned_since(&crate::clean(destination)).await?;
        let first = first.into_iter().chain(planned).min();
        Ok(NotBackedUp { since: good.or(first), unchecked_since: checked.or(first) })
    }

    /// Names this installation among those that put backups at the same place. A team that is restored is another one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn installation(&self) -> Result<String, StoreError> {
        let known = self.known_installation().await?;
        if !known.is_empty() {
            return Ok(known);
        }
        let mut tx = self.begin().await?;
        let own = self.installation_in(&mut tx).await?;
        self.commit(tx).await?;
        Ok(own)
    }

    /// The same; nothing, and so whose all those are that say nothing, before the first backup.
    async fn known_installation(&self) -> Result<String, StoreError> {
        Ok(self.setting::<String>(INSTALLATION).await?.unwrap_or_default())
    }

    async fn installation_in(&self, tx: &mut Tx) -> Result<String, StoreError> {
        let new = BackupId::new().to_string();
        let (Json(own),): (Json<String>,) = on!(tx, c => sqlx::query_as(
            "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = settings.value
             RETURNING value").bind(INSTALLATION).bind(Json(&new)).fetch_one(c).await)?;
        if own == new {
            on!(tx, c => sqlx::query("UPDATE backups SET installation = $1 WHERE installation IS NULL").bind(&own).execute(c)
                .await.rows())?;
        }
        Ok(own)
    }

    /// From now on this is an installation of its own, and what the one made from which its rows come is another's.
    pub(crate) async fn part_from_former(&self, tx: &mut Tx) -> Result<(), StoreError> {
        on!(tx, c => sqlx::query("UPDATE backups SET installation = $1 WHERE installation IS NULL").bind(FORMER).execute(c)
            .await.rows())?;
        on!(tx, c => sqlx::query(
            "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
            .bind(INSTALLATION).bind(Json(BackupId::new().to_string())).execute(c).await.rows())?;
        on!(tx, c => sqlx::query("DELETE FROM settings WHERE name = $1").bind(PLANNED).execute(c).await.rows())?;
        Ok(())
    }
}

fn shortened(problem: &str) -> String {
    crate::clean(problem).chars().take(PROBLEM).collect()
}
