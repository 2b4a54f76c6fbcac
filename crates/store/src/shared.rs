//! What nodes have in common of projects' repositories: for each project a log of what became of its refs, with the packs that hold
//! what they name. The row of a repository is locked by whoever adds to its log, after the run's whose work it is, and with no other.

use guildhall_types::{DateTime, NodeId, ProjectId};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{Backend, Lease, Rows, Store, StoreError, Tx, on, read};

/// Bytes of a pack that are one row.
pub const PACK_PART: usize = 4 * 1024 * 1024;

const COLUMNS: &str = "log_id, last_seq, whole_seq, dropped_seq, head, object_format, shallow";
const ENTRY: &str = "seq, since, pack, parts, bytes, changes";

/// What the log of a repository stands at.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SharedLog {
    /// Whose numbers these are.
    pub log_id: Uuid,
    /// The latest entry.
    pub last_seq: i64,
    /// The entry that holds all that was there then.
    pub whole_seq: i64,
    /// The latest entry by which something may have gone.
    pub dropped_seq: i64,
    /// What holds for the repository beside its refs.
    #[sqlx(flatten)]
    pub standing: SharedStanding,
}

/// What holds for a repository beside its refs.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct SharedStanding {
    /// The branch that its HEAD names.
    pub head: String,
    /// How its objects are named.
    pub object_format: String,
    /// Commits whose parents are not there, a line each.
    pub shallow: String,
}

/// A ref that became another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefMove {
    /// Its whole name.
    pub name: String,
    /// What it named; nothing: it was not there.
    pub old: Option<String>,
    /// What it names; nothing: it is not there any more.
    pub new: Option<String>,
}

/// A ref that is to become another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedMove {
    /// From what, and to what.
    pub change: RefMove,
    /// Whatever it names now.
    pub whatever: bool,
}

/// An entry of a log.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct LogEntry {
    /// Its number.
    pub seq: i64,
    /// The state against which its pack was made; of a whole one its own number.
    pub since: i64,
    /// Its pack, if it has one.
    pub pack: Option<Uuid>,
    /// Of how many parts that is.
    pub parts: i64,
    /// Of how many bytes.
    pub bytes: i64,
    /// What it changed; of the whole one, all there was.
    pub changes: Json<Vec<RefMove>>,
}

impl LogEntry {
    /// Whether it holds all that was there then.
    pub fn is_whole(&self) -> bool {
        self.since == self.seq
    }
}

/// A pack that goes into a log.
#[derive(Debug, Clone, Default)]
pub struct NewPack {
    /// Its id, if there is one: its other parts are there already.
    pub id: Option<Uuid>,
    /// Its last part, which goes in with its entry.
    pub last: Vec<u8>,
    /// Of how many parts it is.
    pub parts: i64,
    /// Of how many bytes.
    pub bytes: i64,
}

/// A log that begins, or begins anew, with all that is there.
#[derive(Debug, Clone)]
pub struct NewLog {
    /// What holds for the repository beside its refs.
    pub standing: SharedStanding,
    /// All refs.
    pub refs: Vec<(String, String)>,
    /// All that they reach.
    pub pack: NewPack,
}

/// What is added to a log.
#[derive(Debug, Clone)]
pub struct Going<'a> {
    /// To the log of this id.
    pub log: Uuid,
    /// The state that was known when the pack was made.
    pub since: i64,
    /// The changes.
    pub moves: &'a [AskedMove],
    /// Whether something may go by them.
    pub drops: bool,
    /// What the refs name then and nobody has yet.
    pub pack: NewPack,
    /// Whose work it is, if a run's: it must still be held.
    pub lease: Option<&'a Lease>,
}

/// What came of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// It is entry number so much.
    At(i64),
    /// The log went on such that it has to be looked at first.
    Behind,
    /// These refs name something else than was thought.
    Moved(Vec<(String, Option<String>)>),
}

/// Whose it is to make a repository, or to write it down as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Making {
    /// It is for who asks.
    Taken,
    /// Another node's.
    Others,
    /// Nobody's: it is there.
    There,
}

impl Store {
    /// What the log of a project's repository stands at; nothing where there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn shared_log(&self, project: ProjectId) -> Result<Option<SharedLog>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM shared_repositories WHERE project_id = $1 AND last_seq > 0");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(project).fetch_optional(c).await)?)
    }

    /// Whether any repository has a log.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn shares_repositories(&self) -> Result<bool, StoreError> {
        let (any,): (bool,) = read!(self, c => sqlx::query_as(
            "SELECT EXISTS (SELECT 1 FROM shared_repositories WHERE last_seq > 0)").fetch_one(c).await)?;
        Ok(any)
    }

    /// Projects whose repository is there and has no log yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unshared_projects(&self) -> Result<Vec<ProjectId>, StoreError> {
        let all: Vec<(ProjectId,)> = read!(self, c => sqlx::query_as(
            "SELECT id FROM projects p WHERE status = 'ready' AND archived_at IS NULL
               AND NOT EXISTS (SELECT 1 FROM shared_repositories s WHERE s.project_id = p.id AND s.last_seq > 0) ORDER BY id")
            .fetch_all(c).await)?;
        Ok(all.into_iter().map(|(id,)| id).collect())
    }

    /// Takes it on to make a repository, or to write it down as a whole, for so long; or goes on with that.
    ///
    /// # Errors
    /// When the database fails, or the project is gone.
    pub async fn take_making(
        &self,
        project: ProjectId,
        node: NodeId,
        hold: chrono::Duration,
    ) -> Result<Making, StoreError> {
        let mut tx = self.begin_light().await?;
        let now = self.lease_clock(&mut tx).await?;
        on!(tx, c => sqlx::query(
            "INSERT INTO shared_repositories (project_id, log_id) VALUES ($1, $2) ON CONFLICT (project_id) DO NOTHING")
            .bind(project).bind(Uuid::now_v7()).execute(c).await.rows())?;
        let taken = on!(tx, c => sqlx::query(
            "UPDATE shared_repositories SET maker = $2, taken_until = $3
             WHERE project_id = $1 AND last_seq = 0 AND (maker IS NULL OR maker = $2 OR taken_until IS NULL OR taken_until < $4)")
            .bind(project).bind(node).bind(now + hold).bind(now).execute(c).await.rows())?;
        let (last,): (i64,) = on!(tx, c => sqlx::query_as("SELECT last_seq FROM shared_repositories WHERE project_id = $1")
            .bind(project).fetch_one(c).await)?;
        self.commit(tx).await?;
        Ok(match (taken, last) {
            (1.., _) => Making::Taken,
            (_, 0) => Making::Others,
            _ => Making::There,
        })
    }

    /// Lets others make it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leave_making(&self, project: ProjectId, node: NodeId) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query("UPDATE shared_repositories SET maker = NULL, taken_until = NULL WHERE project_id = $1 AND maker = $2")
            .bind(project).bind(node).execute(c).await.rows())?;
        self.commit(tx).await
    }

    /// The entries of a log after `seq`; from the whole one on where those are gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_after(&self, project: ProjectId, seq: i64) -> Result<Vec<LogEntry>, StoreError> {
        let sql = format!("SELECT {ENTRY} FROM repository_logs WHERE project_id = $1 AND seq > $2 ORDER BY seq");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(project).bind(seq).fetch_all(c).await)?)
    }

    /// A part of a pack; nothing when it is gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pack_part(&self, pack: Uuid, part: i64) -> Result<Option<Vec<u8>>, StoreError> {
        let found: Option<(Vec<u8>,)> = read!(self, c => sqlx::query_as(
            "SELECT bytes FROM repository_packs WHERE pack = $1 AND part = $2").bind(pack).bind(part).fetch_optional(c).await)?;
        Ok(found.map(|(bytes,)| bytes))
    }

    /// Puts a part of a pack in place, which no entry names yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_pack_part(
        &self,
        project: ProjectId,
        pack: Uuid,
        part: i64,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        self.put_part(&mut tx, project, pack, part, bytes).await?;
        self.commit(tx).await
    }

    async fn put_part(
        &self,
        tx: &mut Tx,
        project: ProjectId,
        pack: Uuid,
        part: i64,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let now = self.now();
        on!(tx, c => sqlx::query(
            "INSERT INTO repository_packs (pack, part, project_id, bytes, made_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(pack).bind(part).bind(project).bind(bytes).bind(now).execute(c).await.rows())?;
        Ok(())
    }

    /// Begins the log of a repository, which `node` has taken on. False when it is not that node's any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_log(&self, project: ProjectId, node: NodeId, new: &NewLog) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.boundary = "log-begun";
        let SharedStanding { head, object_format, shallow } = &new.standing;
        let done = on!(tx, c => sqlx::query(
            "UPDATE shared_repositories SET log_id = $3, last_seq = 1, whole_seq = 1, dropped_seq = 1, maker = NULL, taken_until = NULL,
               head = $4, object_format = $5, shallow = $6
             WHERE project_id = $1 AND maker = $2 AND last_seq = 0")
            .bind(project).bind(node).bind(Uuid::now_v7()).bind(head).bind(object_format).bind(shallow)
            .execute(c).await.rows())?;
        if done != 1 {
            return Ok(false);
        }
        let changes: Vec<RefMove> = all_new(&new.refs);
        for change in &changes {
            self.put_ref(&mut tx, project, change).await?;
        }
        self.put_entry(&mut tx, project, 1, 1, &changes, &new.pack).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// Adds to a log: all of it or nothing.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::NotFound`].
    pub async fn append_log(&self, project: ProjectId, going: Going<'_>) -> Result<Appended, StoreError> {
        let mut tx = self.begin().await?;
        tx.boundary = "log-appended";
        if let Some(lease) = going.lease {
            self.held(&mut tx, lease).await?;
        }
        let log = self.locked_log(&mut tx, project).await?;
        if log.log_id != going.log || going.since < log.whole_seq || going.since < log.dropped_seq {
            return Ok(Appended::Behind);
        }
        let (mut changes, mut moved) = (Vec::new(), Vec::new());
        for asked in going.moves {
            let found: Option<(String,)> = on!(tx, c => sqlx::query_as(
                "SELECT object FROM repository_refs WHERE project_id = $1 AND name = $2").bind(project)
                .bind(&asked.change.name).fetch_optional(c).await)?;
            let found = found.map(|(object,)| object);
            match asked.whatever || found == asked.change.old {
                true => changes.push(RefMove { old: found, ..asked.change.clone() }),
                false => moved.push((asked.change.name.clone(), found)),
            }
        }
        if !moved.is_empty() {
            return Ok(Appended::Moved(moved));
        }
        let seq = log.last_seq + 1;
        for change in &changes {
            self.put_ref(&mut tx, project, change).await?;
        }
        self.put_entry(&mut tx, project, seq, going.since, &changes, &going.pack).await?;
        let dropped = if going.drops { seq } else { log.dropped_seq };
        on!(tx, c => sqlx::query("UPDATE shared_repositories SET last_seq = $2, dropped_seq = $3 WHERE project_id = $1")
            .bind(project).bind(seq).bind(dropped).execute(c).await.rows())?;
        self.commit(tx).await?;
        Ok(Appended::At(seq))
    }

    /// Makes the entry number `seq` a whole one, whose pack holds all that these refs, as they were then, reach; what came before it
    /// goes. False when something that came after it builds on what was before, or somebody else did the same.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn make_whole(
        &self,
        project: ProjectId,
        log_id: Uuid,
        seq: i64,
        refs: &[(String, String)],
        pack: &NewPack,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.boundary = "log-whole";
        let log = self.locked_log(&mut tx, project).await?;
        let (open,): (bool,) = on!(tx, c => sqlx::query_as(
            "SELECT EXISTS (SELECT 1 FROM repository_logs WHERE project_id = $1 AND seq > $2 AND since < $2)")
            .bind(project).bind(seq).fetch_one(c).await)?;
        if log.log_id != log_id || seq <= log.whole_seq || seq > log.last_seq || open {
            return Ok(false);
        }
        on!(tx, c => sqlx::query(
            "DELETE FROM repository_packs WHERE project_id = $1
               AND pack IN (SELECT pack FROM repository_logs WHERE project_id = $1 AND seq <= $2)")
            .bind(project).bind(seq).execute(c).await.rows())?;
        on!(tx, c => sqlx::query("DELETE FROM repository_logs WHERE project_id = $1 AND seq <= $2").bind(project).bind(seq)
            .execute(c).await.rows())?;
        self.put_entry(&mut tx, project, seq, seq, &all_new(refs), pack).await?;
        on!(tx, c => sqlx::query("UPDATE shared_repositories SET whole_seq = $2 WHERE project_id = $1").bind(project).bind(seq)
            .execute(c).await.rows())?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// Bytes of the whole entry of a log, and of all that came after it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_weight(&self, project: ProjectId) -> Result<(i64, i64), StoreError> {
        let sum = match self.backend() {
            Backend::Sqlite => "coalesce(sum(bytes), 0)",
            Backend::Postgres => "coalesce(sum(bytes), 0)::bigint",
        };
        let sql = format!(
            "SELECT (SELECT {sum} FROM repository_logs l WHERE l.project_id = s.project_id AND l.seq = s.whole_seq),
                    (SELECT {sum} FROM repository_logs l WHERE l.project_id = s.project_id AND l.seq > s.whole_seq)
             FROM shared_repositories s WHERE s.project_id = $1"
        );
        let found: Option<(i64, i64)> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(project).fetch_optional(c).await)?;
        Ok(found.unwrap_or_default())
    }

    /// Forgets parts of packs that were put in place before `before` and that no entry came to name. Returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_lost_packs(&self, before: DateTime) -> Result<u64, StoreError> {
        let mut tx = self.begin_light().await?;
        let gone = on!(tx, c => sqlx::query(
            "DELETE FROM repository_packs WHERE made_at < $1
               AND NOT EXISTS (SELECT 1 FROM repository_logs l WHERE l.project_id = repository_packs.project_id AND l.pack = repository_packs.pack)")
            .bind(before).execute(c).await.rows())?;
        self.commit(tx).await?;
        Ok(gone)
    }

    /// Forgets the log of a repository that goes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_log(&self, project: ProjectId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        on!(tx, c => sqlx::query("DELETE FROM shared_repositories WHERE project_id = $1").bind(project).execute(c).await.rows())?;
        self.commit(tx).await
    }

    async fn locked_log(&self, tx: &mut Tx, project: ProjectId) -> Result<SharedLog, StoreError> {
        let sql = format!(
            "UPDATE shared_repositories SET last_seq = last_seq WHERE project_id = $1 AND last_seq > 0 RETURNING {COLUMNS}"
        );
        let log: Option<SharedLog> =
            on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(project).fetch_optional(c).await)?;
        log.ok_or(StoreError::NotFound { what: "log of the repository" })
    }

    async fn put_ref(&self, tx: &mut Tx, project: ProjectId, change: &RefMove) -> Result<(), StoreError> {
        match &change.new {
            Some(new) => on!(tx, c => sqlx::query(
                "INSERT INTO repository_refs (project_id, name, object) VALUES ($1, $2, $3)
                 ON CONFLICT (project_id, name) DO UPDATE SET object = excluded.object")
                .bind(project).bind(&change.name).bind(new).execute(c).await.rows())?,
            None => on!(tx, c => sqlx::query("DELETE FROM repository_refs WHERE project_id = $1 AND name = $2")
                .bind(project).bind(&change.name).execute(c).await.rows())?,
        };
        Ok(())
    }

    async fn put_entry(
        &self,
        tx: &mut Tx,
        project: ProjectId,
        seq: i64,
        since: i64,
        changes: &[RefMove],
        pack: &NewPack,
    ) -> Result<(), StoreError> {
        if let Some(id) = pack.id.filter(|_| pack.parts > 0) {
            self.put_part(tx, project, id, pack.parts - 1, &pack.last).await?;
        }
        let now = self.now();
        on!(tx, c => sqlx::query(
            "INSERT INTO repository_logs (project_id, seq, since, pack, parts, bytes, changes, made_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
            .bind(project).bind(seq).bind(since).bind(pack.id).bind(pack.parts).bind(pack.bytes).bind(Json(changes)).bind(now)
            .execute(c).await.rows())?;
        Ok(())
    }
}

fn all_new(refs: &[(String, String)]) -> Vec<RefMove> {
    refs.iter().map(|(name, at)| RefMove { name: name.clone(), old: None, new: Some(at.clone()) }).collect()
}
