//! What is kept for a time only: the histories of closed runs, events, and what a disk's clean-up asks of the rest.
//!
//! Rows go in small batches, each in a transaction of its own: nobody waits for long behind one.

use guildhall_types::event::Happening;
use guildhall_types::feature::FeatureKind;
use guildhall_types::run::{Run, RunEvent, RunStatus};
use guildhall_types::{DateTime, FeatureId, MemberId, ProjectId, RunId};
use uuid::Uuid;

use crate::db::Db;
use crate::patience::Patient;
use crate::{Rows, Store, StoreError, Tx, on, read};

/// Rows that go in one transaction.
pub(crate) const AT_ONCE: i64 = 200;
/// Attachments that go at once.
const FILES_AT_ONCE: i64 = 10;
/// The latest events stay, however old they are: whoever lost a connection is told of them. More than any server replays.
pub const KEPT_EVENTS: i64 = 20_000;

/// Of runs: that of a step of a system, which ended, as its execution did, before the first bind.
macro_rules! done_step {
    () => {
        "(closed_at IS NULL AND ended_at < $1 AND status IN ('waiting', 'stopped', 'failed')
            AND feature_id IN (SELECT f.id FROM features f JOIN executions e ON e.id = f.execution_id
              WHERE f.kind = 'task' AND e.ended_at < $1))"
    };
}

/// A run, and what of its card says whether its worktree is needed.
#[derive(Debug, Clone)]
pub struct RunPlace {
    /// The run.
    pub run: Run,
    /// What it works on.
    pub kind: FeatureKind,
    /// Its number on the board.
    pub number: i64,
    /// Its title.
    pub title: String,
    /// Whether that was deleted.
    pub deleted: bool,
}

/// A project, archived or not.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct KnownProject {
    /// The project.
    pub id: ProjectId,
    /// What it is called.
    pub name: String,
    /// When it was archived, if it was.
    pub archived_at: Option<DateTime>,
}

/// A closed run whose refs were not looked through yet.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct OldRefs {
    /// The run.
    pub id: RunId,
    /// Its project.
    pub project_id: ProjectId,
    /// What it worked on.
    pub kind: FeatureKind,
    /// Its branch.
    pub branch: String,
    /// The commit that it started from.
    pub base_commit: Option<String>,
    /// The latest state of its work.
    pub head_commit: Option<String>,
    /// Whether its card is completed by this very run.
    pub merged: bool,
}

impl Store {
    /// A run and what it works on, also when that was deleted; nothing when there is no such run.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run_place(&self, id: RunId) -> Result<Option<RunPlace>, StoreError> {
        let Some(run) = self.run(id).await? else { return Ok(None) };
        let row: Option<(FeatureKind, i64, String, Option<DateTime>)> = read!(self, c => sqlx::query_as(
            "SELECT kind, number, title, deleted_at FROM features WHERE id = $1").bind(run.feature_id).fetch_optional(c).await)?;
        Ok(row.map(|(kind, number, title, deleted)| RunPlace { run, kind, number, title, deleted: deleted.is_some() }))
    }

    /// Every project, those that are archived among them, in the order of their making after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn known_projects(&self, after: Option<ProjectId>, limit: i64) -> Result<Vec<KnownProject>, StoreError> {
        let after = after.unwrap_or(ProjectId(Uuid::nil()));
        Ok(
            read!(self, c => sqlx::query_as("SELECT id, name, archived_at FROM projects WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(after).bind(limit).fetch_all(c).await)?,
        )
    }

    /// The members who are disabled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn disabled_members(&self) -> Result<Vec<MemberId>, StoreError> {
        let rows: Vec<(MemberId,)> = read!(self, c => sqlx::query_as(
            "SELECT id FROM members WHERE disabled_at IS NOT NULL").fetch_all(c).await)?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// Whether a service of this run runs on any node.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_service(&self, run: RunId) -> Result<bool, StoreError> {
        let (running,): (i64,) = read!(self, c => sqlx::query_as(
            "SELECT count(*) FROM run_services WHERE run_id = $1 AND status = 'running'").bind(run).fetch_one(c).await)?;
        Ok(running > 0)
    }

    /// Bytes of the database, and those of them that nothing uses now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn size(&self) -> Result<(u64, u64), StoreError> {
        let bytes = |pages: i64, page: i64| u64::try_from(pages.saturating_mul(page)).unwrap_or_default();
        match &self.db {
            Db::Sqlite { readers, .. } => {
                let (page,): (i64,) = sqlx::query_as("PRAGMA page_size").fetch_one(readers).await?;
                let (pages,): (i64,) = sqlx::query_as("PRAGMA page_count").fetch_one(readers).await?;
                let (free,): (i64,) = sqlx::query_as("PRAGMA freelist_count").fetch_one(readers).await?;
                Ok((bytes(pages, page), bytes(free, page)))
            }
            Db::Postgres(pool) => {
                let (size,): (i64,) =
                    sqlx::query_as("SELECT pg_database_size(current_database())").fetch_one(Patient(pool)).await?;
                Ok((bytes(size, 1), 0))
            }
        }
    }

    /// The number of the highest event that is gone: whoever knows less has to read everything anew.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forgotten_seq(&self) -> Result<i64, StoreError> {
        let (seq,): (i64,) = read!(self, c => sqlx::query_as("SELECT forgotten_seq FROM event_counter WHERE one = 1")
            .fetch_one(c).await)?;
        Ok(seq)
    }

    /// The number up to which events may go, of those that happened before this moment: the latest stay in any case.
    async fn old_events(&self, before: DateTime) -> Result<i64, StoreError> {
        let (mut low, mut high) = (0, self.last_seq().await? - KEPT_EVENTS);
        // Numbers follow the time, so that a few looks find the place; no index of times is needed.
        while low < high {
            let middle = low + (high - low + 1) / 2;
            let row: Option<(i64, DateTime)> = read!(self, c => sqlx::query_as(
                "SELECT seq, at FROM events WHERE seq <= $1 ORDER BY seq DESC LIMIT 1").bind(middle).fetch_optional(c).await)?;
            match row {
                Some((_, at)) if at >= before => high = middle - 1,
                _ => low = middle,
            }
        }
        Ok(low.max(0))
    }

    /// How many events that told what changed happened before this moment, and would go.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_old_events(&self, before: DateTime) -> Result<i64, StoreError> {
        let upto = self.old_events(before).await?;
        let (count,): (i64,) = read!(self, c => sqlx::query_as(
            "SELECT count(*) FROM events WHERE run_id IS NULL AND seq <= $1").bind(upto).fetch_one(c).await)?;
        Ok(count)
    }

    /// Forgets some events that told what changed before this moment. What happened in runs stays. Returns how many went.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_events(&self, before: DateTime) -> Result<u64, StoreError> {
        let upto = self.old_events(before).await?;
        let (last,): (Option<i64>,) = read!(self, c => sqlx::query_as(
            "SELECT max(seq) FROM (SELECT seq FROM events WHERE run_id IS NULL AND seq <= $1 ORDER BY seq LIMIT $2) old")
            .bind(upto).bind(AT_ONCE).fetch_one(c).await)?;
        let Some(last) = last else { return Ok(0) };
        let mut tx = self.begin_light().await?;
        let gone = on!(tx, c => sqlx::query("DELETE FROM events WHERE run_id IS NULL AND seq <= $1").bind(last).execute(c)
            .await.rows())?;
        forgotten(&mut tx, last).await?;
        self.commit(tx).await?;
        Ok(gone)
    }

    /// How many runs were closed before this moment and still have their history.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_runs_to_forget(&self, before: DateTime) -> Result<i64, StoreError> {
        let (count,): (i64,) = read!(self, c => sqlx::query_as(
            concat!("SELECT count(*) FROM runs WHERE closed_at < $1 AND forgotten_at IS NULL OR ", done_step!()))
            .bind(before).fetch_one(c).await)?;
        Ok(count)
    }

    /// Closes the runs of the steps of systems whose executions ended before this moment, as of when they ended: nothing goes on with
    /// them, and what is kept of closed runs for a while is kept of these for as long. Returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close_steps_of_executions(&self, before: DateTime) -> Result<u64, StoreError> {
        let mut tx = self.begin_light().await?;
        let closed = on!(tx, c => sqlx::query(
            concat!("UPDATE runs SET failed = (status = $2), status = $3, closed_at = ended_at, merge_later = FALSE WHERE ", done_step!()))
            .bind(before).bind(RunStatus::Failed).bind(RunStatus::Closed).execute(c).await.rows())?;
        self.commit(tx).await?;
        Ok(closed)
    }

    /// Some runs that were closed before this moment and still have their history, those first that were closed first. A step's is closed
    /// by [`Store::close_steps_of_executions`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn runs_to_forget(&self, before: DateTime, limit: i64) -> Result<Vec<RunId>, StoreError> {
        let latest = self.last_seq().await? - KEPT_EVENTS;
        let rows: Vec<(RunId,)> = read!(self, c => sqlx::query_as(
            "SELECT id FROM runs WHERE closed_at < $1 AND forgotten_at IS NULL
               AND NOT EXISTS (SELECT 1 FROM events e WHERE e.run_id = runs.id AND e.seq > $2)
             ORDER BY closed_at LIMIT $3").bind(before).bind(latest).bind(limit).fetch_all(c).await)?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// Forgets some of what was said and done in a closed run; the first of its events tells from then on that it is gone.
    /// What it changed, cost and was told by members stays, and that what it was told of the hub came through. Returns
    /// whether all of it is gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_run(&self, id: RunId) -> Result<bool, StoreError> {
        let (first, last): (Option<i64>, Option<i64>) = read!(self, c => sqlx::query_as(
            "SELECT min(seq), max(seq) FROM (SELECT seq FROM events WHERE run_id = $1 ORDER BY seq LIMIT $2) old")
            .bind(id).bind(AT_ONCE).fetch_one(c).await)?;
        if let (Some(first), Some(last)) = (first, last)
            && last > first
        {
            let mut tx = self.begin_light().await?;
            on!(tx, c => sqlx::query("DELETE FROM events WHERE run_id = $1 AND seq > $2 AND seq <= $3").bind(id).bind(first)
                .bind(last).execute(c).await.rows())?;
            forgotten(&mut tx, last).await?;
            self.commit(tx).await?;
            return Ok(false);
        }
        let mut tx = self.begin_light().await?;
        let turns = on!(tx, c => sqlx::query(
            "DELETE FROM turns WHERE run_id = $1 AND number IN (
               SELECT number FROM turns WHERE run_id = $1 ORDER BY number LIMIT $2)").bind(id).bind(AT_ONCE).execute(c).await
            .rows())?;
        if turns == AT_ONCE.unsigned_abs() {
            self.commit(tx).await?;
            return Ok(false);
        }
        if forget_files(&mut tx, "run_id", id.0).await? {
            self.commit(tx).await?;
            return Ok(false);
        }
        let of: Option<(FeatureId,)> = on!(tx, c => sqlx::query_as(
            "UPDATE runs SET forgotten_at = $2 WHERE id = $1 AND status = $3 RETURNING feature_id").bind(id).bind(self.now())
            .bind(RunStatus::Closed).fetch_optional(c).await)?;
        let Some((feature_id,)) = of else { return Ok(true) };
        on!(tx, c => sqlx::query("UPDATE checks SET output = '' WHERE run_id = $1").bind(id).execute(c).await.rows())?;
        on!(tx, c => sqlx::query("UPDATE run_services SET log = '' WHERE run_id = $1").bind(id).execute(c).await.rows())?;
        self.forget_guide(&mut tx, id).await?;
        if let Some(first) = first {
            let text = "What was said and done here is gone: it is kept for a time only after the work has ended.";
            let what = Happening::Run { run_id: id, feature_id, event: RunEvent::Note { text: text.to_owned() } };
            on!(tx, c => sqlx::query("UPDATE events SET kind = $2, what = $3 WHERE seq = $1").bind(first).bind(what.kind())
                .bind(serde_json::to_string(&what)?).execute(c).await.rows())?;
        }
        self.commit(tx).await?;
        Ok(true)
    }

    /// Deletes the files of a chat that was deleted, batch after batch: hundreds of them may be megabytes each, and nobody is to
    /// wait for as long as all of them take. What is cut off, [`Store::forget_files_of_deleted_chats`] goes on with.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_files_of_chat(&self, id: FeatureId) -> Result<(), StoreError> {
        self.forget_files_of(id).await
    }

    async fn forget_files_of(&self, id: FeatureId) -> Result<(), StoreError> {
        loop {
            let mut tx = self.begin_light().await?;
            let more = forget_files(&mut tx, "feature_id", id.0).await?;
            self.commit(tx).await?;
            if !more {
                return Ok(());
            }
        }
    }

    /// Deletes the files of deleted chats that are still there: whoever deleted those may have died in the middle of it. Returns
    /// how many chats had some.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_files_of_deleted_chats(&self) -> Result<usize, StoreError> {
        let chats: Vec<(FeatureId,)> = read!(self, c => sqlx::query_as(
            "SELECT id FROM features WHERE kind = 'chat' AND deleted_at IS NOT NULL
               AND EXISTS (SELECT 1 FROM attachments a WHERE a.feature_id = features.id)").fetch_all(c).await)?;
        for (chat,) in &chats {
            self.forget_files_of_chat(*chat).await?;
        }
        Ok(chats.len())
    }

    /// Deletes the files of cards that were deleted before this moment. Returns how many cards had some.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_files_of_deleted_cards(&self, before: DateTime) -> Result<usize, StoreError> {
        let cards: Vec<(FeatureId,)> = read!(self, c => sqlx::query_as(
            "SELECT id FROM features WHERE kind <> 'chat' AND deleted_at < $1
               AND EXISTS (SELECT 1 FROM attachments a WHERE a.feature_id = features.id)").bind(before).fetch_all(c).await)?;
        for (card,) in &cards {
            self.forget_files_of(*card).await?;
        }
        Ok(cards.len())
    }

    /// How many runs were closed before this moment whose refs were not looked through.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_old_refs(&self, before: DateTime) -> Result<i64, StoreError> {
        let (count,): (i64,) = read!(self, c => sqlx::query_as(
            "SELECT count(*) FROM runs WHERE closed_at < $1 AND refs_tidied_at IS NULL").bind(before).fetch_one(c).await)?;
        Ok(count)
    }

    /// Some runs that were closed before this moment whose refs were not looked through, by their ids, those after `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn old_refs(
        &self,
        before: DateTime,
        after: Option<RunId>,
        limit: i64,
    ) -> Result<Vec<OldRefs>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT r.id, r.project_id, f.kind, r.branch, r.base_commit, r.head_commit,
               CASE WHEN f.status = 'completed' AND f.run_id = r.id THEN TRUE ELSE FALSE END AS merged
             FROM runs r JOIN features f ON f.id = r.feature_id
             WHERE r.closed_at < $1 AND r.refs_tidied_at IS NULL AND ($2 IS NULL OR r.id > $2) ORDER BY r.id LIMIT $3")
            .bind(before).bind(after).bind(limit).fetch_all(c).await)?)
    }

    /// Notes that the refs of a run were looked through: they are not looked at again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_refs_tidied(&self, run: RunId) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query("UPDATE runs SET refs_tidied_at = $2 WHERE id = $1").bind(run).bind(self.now()).execute(c)
            .await.rows())?;
        self.commit(tx).await
    }

    /// Deletes the rows that `which` names by a moment and a number of rows, batch after batch.
    pub(crate) async fn forget(&self, which: &'static str, before: DateTime) -> Result<u64, StoreError> {
        let sql = format!("DELETE FROM {which}");
        let mut all = 0;
        loop {
            let mut tx = self.begin_light().await?;
            let gone = on!(tx, c => sqlx::query(sqlx::AssertSqlSafe(sql.clone())).bind(before).bind(AT_ONCE).execute(c).await
                .rows())?;
            self.commit(tx).await?;
            all += gone;
            if gone < AT_ONCE.unsigned_abs() {
                return Ok(all);
            }
        }
    }
}

/// Deletes some of the files that belong to this, by the column that says so: they may be of megabytes each. Returns
/// whether there may be more.
async fn forget_files(tx: &mut Tx, column: &'static str, id: Uuid) -> Result<bool, StoreError> {
    let sql = format!(
        "DELETE FROM attachments WHERE id IN (SELECT id FROM attachments WHERE {column} = $1 ORDER BY id LIMIT $2)"
    );
    let gone =
        on!(tx, c => sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).bind(FILES_AT_ONCE).execute(c).await.rows())?;
    Ok(gone == FILES_AT_ONCE.unsigned_abs())
}

/// Notes that events up to this number are gone. Last of all: the counter's row is locked until the commit.
async fn forgotten(tx: &mut Tx, seq: i64) -> Result<(), StoreError> {
    on!(tx, c => sqlx::query("UPDATE event_counter SET forgotten_seq = $1 WHERE one = 1 AND forgotten_seq < $1").bind(seq)
        .execute(c).await.rows())?;
    Ok(())
}
