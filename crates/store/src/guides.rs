//! What of the team's knowledge a run works with, and what its agent finds worth keeping in the end.

use std::collections::HashMap;

use guildhall_types::guide::{GuideItem, GuideRecord, GuideUse, GuideWay, Guided};
use guildhall_types::knowledge::{KnowledgeKind, KnowledgeOrigin};
use guildhall_types::run::{LedgerRow, RunEvent};
use guildhall_types::{DateTime, FeatureId, KnowledgeId, ProjectId, RunId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::{Database, QueryBuilder};

use crate::{Lease, Rows, Store, StoreError, Tx, on, read};

/// Items of a run that are listed at most.
const LISTED: i64 = 500;

/// How far the question is, what of a run's work is worth keeping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked<T> {
    /// The agent was not asked.
    No,
    /// It answered this, which is not all in the hub yet.
    Answered(T),
    /// It was asked, and what it answered is in the hub; or it was given up. It is not asked again.
    Over,
}

/// What came of the runs that had an item in their instructions, as far as a run shows it by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traces {
    /// Their work is verified or merged, and no check ever failed in them.
    pub came_through: i64,
    /// They ended in an error, whatever became of their cards since.
    pub failed: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    item_id: KnowledgeId,
    way: GuideWay,
    kind: KnowledgeKind,
    version: i64,
    title: String,
    text: String,
}

impl Store {
    /// What was chosen for a run's instructions, in their order; nothing when that is yet to be chosen.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn guide(&self, run: RunId) -> Result<Option<Vec<Guided>>, StoreError> {
        let chosen: Option<(DateTime,)> = read!(self, c => sqlx::query_as(
            "SELECT chosen_at FROM run_guides WHERE run_id = $1").bind(run).fetch_optional(c).await)?;
        if chosen.is_none() {
            return Ok(None);
        }
        let rows: Vec<Row> = read!(self, c => sqlx::query_as(
            "SELECT item_id, way, kind, version, title, text FROM run_knowledge WHERE run_id = $1 AND way <> 'read'
             ORDER BY position").bind(run).fetch_all(c).await)?;
        let guided = |row: Row| Guided {
            item: GuideItem { kind: row.kind, id: row.item_id, version: row.version, title: row.title, text: row.text },
            way: row.way,
        };
        Ok(Some(rows.into_iter().map(guided).collect()))
    }

    /// Keeps what was chosen for a run's instructions. What was chosen before stays.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn save_guide(&self, lease: &Lease, guided: &[Guided], tokens: i64) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        tx.boundary = "guide";
        let run = self.held(&mut tx, lease).await?;
        let new = on!(tx, c => sqlx::query(
            "INSERT INTO run_guides (run_id, chosen_at, tokens) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(run.id).bind(self.now()).bind(tokens).execute(c).await.rows())?;
        if new == 0 {
            return Ok(());
        }
        for (Guided { item, way }, position) in guided.iter().zip(1..) {
            self.put_item(&mut tx, run.id, item, *way, position).await?;
        }
        self.commit(tx).await
    }

    async fn put_item(
        &self,
        tx: &mut Tx,
        run: RunId,
        item: &GuideItem,
        way: GuideWay,
        position: i64,
    ) -> Result<(), StoreError> {
        on!(tx, c => sqlx::query(
            "INSERT INTO run_knowledge (run_id, item_id, way, position, kind, version, title, text, at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING")
            .bind(run).bind(item.id).bind(way).bind(position).bind(item.kind).bind(item.version)
            .bind(crate::clean(&item.title)).bind(crate::clean(&item.text)).bind(self.now()).execute(c).await.rows())?;
        Ok(())
    }

    /// Notes that a run's agent read an item.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn note_reading(&self, lease: &Lease, item: &GuideItem) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        tx.boundary = "reading";
        let run = self.held(&mut tx, lease).await?;
        let (last,): (i64,) = on!(tx, c => sqlx::query_as(
            "SELECT coalesce(max(position), 0) FROM run_knowledge WHERE run_id = $1").bind(run.id).fetch_one(c).await)?;
        self.put_item(&mut tx, run.id, &GuideItem { text: String::new(), ..item.clone() }, GuideWay::Read, last + 1)
            .await?;
        self.commit(tx).await
    }

    /// What a run was told and read of the hub, in that order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run_knowledge(&self, run: RunId) -> Result<Vec<GuideUse>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT item_id, way, kind, version, title, at FROM run_knowledge WHERE run_id = $1 ORDER BY position LIMIT $2")
            .bind(run).bind(LISTED).fetch_all(c).await)?)
    }

    /// How much a run's agent has recorded, whatever became of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recorded_by_agent(&self, run: RunId) -> Result<i64, StoreError> {
        let (count,): (i64,) = read!(self, c => sqlx::query_as(
            "SELECT count(*) FROM knowledge_items WHERE source_run_id = $1 AND origin = $2")
            .bind(run).bind(KnowledgeOrigin::Agent).fetch_one(c).await)?;
        Ok(count)
    }

    /// What was recorded in a run, in the order in which it was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run_records(&self, run: RunId) -> Result<Vec<GuideRecord>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT kind, id AS item_id, title, review, created_at AS at, deleted_at FROM knowledge_items
             WHERE source_run_id = $1 AND erased_at IS NULL ORDER BY id LIMIT $2").bind(run).bind(LISTED).fetch_all(c).await)?)
    }

    /// What came of the runs that had these items in their instructions.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn traces(&self, items: &[KnowledgeId]) -> Result<HashMap<KnowledgeId, Traces>, StoreError> {
        if items.is_empty() {
            return Ok(HashMap::new());
        }
        let rows: Vec<(KnowledgeId, i64, i64)> = read!(self, c => came_of(items).build_query_as().fetch_all(c).await)?;
        let mut traces: HashMap<KnowledgeId, Traces> =
            rows.into_iter().map(|(item, came_through, failed)| (item, Traces { came_through, failed })).collect();
        let gone: Vec<(KnowledgeId, i64, i64)> =
            read!(self, c => came_before(items).build_query_as().fetch_all(c).await)?;
        for (item, came_through, failed) in gone {
            let of = traces.entry(item).or_default();
            of.came_through += came_through;
            of.failed += failed;
        }
        Ok(traces)
    }

    /// Forgets what a closed run was told and read of the hub, and counts for each item what that says of it.
    pub(crate) async fn forget_guide(&self, tx: &mut Tx, run: RunId) -> Result<(), StoreError> {
        // In one order, so that two who forget never wait in a circle.
        let sql = format!(
            "INSERT INTO knowledge_traces (item_id, came_through, failed)
             SELECT {COUNTED} {TOLD} AND k.run_id = $1 AND ({CAME_THROUGH} OR {FAILED}) GROUP BY k.item_id ORDER BY k.item_id
             ON CONFLICT (item_id) DO UPDATE SET came_through = knowledge_traces.came_through + excluded.came_through,
               failed = knowledge_traces.failed + excluded.failed",
            COUNTED = counted(),
        );
        on!(tx, c => sqlx::query(sqlx::AssertSqlSafe(sql)).bind(run).execute(c).await.rows())?;
        on!(tx, c => sqlx::query("DELETE FROM run_knowledge WHERE run_id = $1").bind(run).execute(c).await.rows())?;
        on!(tx, c => sqlx::query("DELETE FROM run_guides WHERE run_id = $1").bind(run).execute(c).await.rows())?;
        Ok(())
    }

    /// The project of a card, also of one that was deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn project_of(&self, feature: FeatureId) -> Result<Option<ProjectId>, StoreError> {
        let row: Option<(ProjectId,)> = read!(self, c => sqlx::query_as("SELECT project_id FROM features WHERE id = $1")
            .bind(feature).fetch_optional(c).await)?;
        Ok(row.map(|(project,)| project))
    }

    /// How far the question is, what of a run's work is worth keeping.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn asked<T: DeserializeOwned>(&self, run: RunId) -> Result<Asked<T>, StoreError> {
        let row: Option<(Option<DateTime>, Option<String>)> = read!(self, c => sqlx::query_as(
            "SELECT asked_at, answer FROM run_guides WHERE run_id = $1").bind(run).fetch_optional(c).await)?;
        Ok(match row {
            None | Some((None, _)) => Asked::No,
            Some((Some(_), Some(answer))) => Asked::Answered(serde_json::from_str(&answer)?),
            Some((Some(_), None)) => Asked::Over,
        })
    }

    /// A run's agent was asked what is worth keeping: its answer is saved with the bill of the call, so that it is never
    /// asked again; no answer where nothing is to be put into the hub. Without a call it was given up.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn save_asked<T: Serialize + Sync>(
        &self,
        lease: &Lease,
        answer: Option<(&LedgerRow, Option<&T>)>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.boundary = "asked";
        let run = self.held(&mut tx, lease).await?;
        let text = answer.and_then(|(_, answer)| answer).map(serde_json::to_string).transpose()?;
        on!(tx, c => sqlx::query(
            "INSERT INTO run_guides (run_id, chosen_at, tokens, asked_at, answer) VALUES ($1, $2, 0, $2, $3)
             ON CONFLICT (run_id) DO UPDATE SET asked_at = excluded.asked_at, answer = excluded.answer")
            .bind(run.id).bind(self.now()).bind(text).execute(c).await.rows())?;
        if let Some((ledger, _)) = answer {
            self.bill(&mut tx, lease, &run, ledger).await?;
        }
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }

    /// What a run's agent found worth keeping is in the hub.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn close_asked(&self, lease: &Lease, event: Option<RunEvent>) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        let run = self.held(&mut tx, lease).await?;
        on!(tx, c => sqlx::query("UPDATE run_guides SET answer = NULL WHERE run_id = $1").bind(run.id).execute(c).await.rows())?;
        if let Some(event) = event {
            self.record_run(&mut tx, &run, event).await?;
        }
        tx.boundary = "kept";
        self.commit(tx).await
    }
}

/// What runs were told in their instructions, with the run and its card.
const TOLD: &str = "FROM run_knowledge k JOIN runs r ON r.id = k.run_id JOIN features f ON f.id = r.feature_id
    WHERE k.way = 'instructions'";

/// That a run's work is verified or merged, and no check ever failed in it. A check that was ended by us or by a signal says
/// nothing of the work: it has no exit code.
const CAME_THROUGH: &str = "f.run_id = r.id AND f.status IN ('verified', 'completed') AND NOT EXISTS (
    SELECT 1 FROM checks c WHERE c.run_id = r.id AND c.kind = 'check' AND c.status = 'failed' AND c.exit_code IS NOT NULL)";

/// That a run ended in an error. One that was closed since says so apart: its status does not any more.
const FAILED: &str = "(r.status = 'failed' OR r.failed)";

/// Each item, with how many of its runs came through and how many failed.
fn counted() -> String {
    format!(
        "k.item_id, sum(CASE WHEN {CAME_THROUGH} THEN 1 ELSE 0 END) AS came_through,
           sum(CASE WHEN {FAILED} THEN 1 ELSE 0 END) AS failed"
    )
}

fn came_of<DB: Database>(items: &[KnowledgeId]) -> QueryBuilder<DB>
where
    for<'q> KnowledgeId: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
{
    let mut sql = QueryBuilder::new(format!("SELECT {} {TOLD} AND k.item_id IN (", counted()));
    listed(&mut sql, items);
    sql.push(" GROUP BY k.item_id");
    sql
}

/// What came of runs of which nobody knows any more what they were told.
fn came_before<DB: Database>(items: &[KnowledgeId]) -> QueryBuilder<DB>
where
    for<'q> KnowledgeId: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
{
    let mut sql = QueryBuilder::new("SELECT item_id, came_through, failed FROM knowledge_traces WHERE item_id IN (");
    listed(&mut sql, items);
    sql
}

fn listed<DB: Database>(sql: &mut QueryBuilder<DB>, items: &[KnowledgeId])
where
    for<'q> KnowledgeId: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
{
    let mut list = sql.separated(", ");
    for item in items {
        list.push_bind(*item);
    }
    sql.push(")");
}
