//! What nodes and members used, over time.

use std::collections::{BTreeMap, BTreeSet};

use guildhall_types::reading::Reading;
use guildhall_types::sample::{Figures, MemberFigures, NodeFigures, SampleRange, Span};
use guildhall_types::{DateTime, MemberId, NodeId, PlaceId, RunId};
use serde::Serialize;
use sqlx::types::Json;
use sqlx::{Database, QueryBuilder};
use uuid::Uuid;

use crate::{Rows, Store, StoreError, Tx, on, read};

/// Where is counted what no node uses.
const NOWHERE: PlaceId = PlaceId(Uuid::nil());
/// Days for which a node that says nothing any more is remembered.
const SILENT_DAYS: i64 = 30;

/// A server of the team.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct KnownNode {
    /// Its data folder.
    pub id: PlaceId,
    /// The process.
    pub node: NodeId,
    /// What the machine calls itself.
    pub name: String,
    /// The version that runs there.
    pub version: String,
    /// Where the other nodes reach it, if they do.
    pub url: Option<String>,
    /// When the process started.
    pub started_at: DateTime,
    /// When it last told how it is.
    pub seen_at: DateTime,
    /// How it was then.
    #[sqlx(json)]
    pub reading: Reading,
}

/// What one node saw in one minute.
#[derive(Debug, Clone, PartialEq)]
pub struct Minute {
    /// The node as it is.
    pub known: KnownNode,
    /// When the minute began.
    pub at: DateTime,
    /// How the node was in it.
    pub node: NodeFigures,
    /// What members used on it, those who used nothing left out.
    pub members: Vec<(MemberId, MemberFigures)>,
}

/// A sample of a node.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct NodeSample {
    /// The node, by its data folder.
    pub place: PlaceId,
    /// When it begins.
    pub at: DateTime,
    /// The minutes that it stands for.
    pub minutes: i64,
    /// How the node was.
    #[sqlx(json)]
    pub figures: NodeFigures,
}

/// A sample of a member, on one node.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct MemberSample {
    /// Who.
    pub member_id: MemberId,
    /// Where.
    pub place: PlaceId,
    /// When it begins.
    pub at: DateTime,
    /// The minutes that it stands for.
    pub minutes: i64,
    /// What was used.
    #[sqlx(json)]
    pub figures: MemberFigures,
}

impl Store {
    /// Keeps what a node saw in a minute, with what the ledger has of that minute, and makes the samples of longer spans
    /// anew that the minute is part of. Saved twice, it is there once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_minute(&self, minute: &Minute) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        let place = minute.known.id;
        self.put_node(&mut tx, &minute.known).await?;
        put_node_sample(&mut tx, place, Span::Minute, minute.at, 1, &minute.node).await?;
        let mut members: Vec<(MemberId, PlaceId, MemberFigures)> =
            minute.members.iter().map(|(member, figures)| (*member, place, *figures)).collect();
        members.extend(in_ledger(&mut tx, minute.at).await?);
        // In one order, so that two nodes at once do not wait for each other.
        members.sort_unstable_by_key(|(member, place, _)| (*member, *place));
        for (member, place, figures) in &members {
            put_member_sample(&mut tx, (*member, *place), Span::Minute, minute.at, 1, figures).await?;
        }
        for span in Span::ALL {
            if let Some(part) = span.made_of() {
                longer(&mut tx, place, minute.at, (span, part)).await?;
            }
        }
        if minute.at == Span::TenMinutes.begin(minute.at) {
            self.forget_samples(&mut tx).await?;
        }
        // Nobody is told of it, and nothing hangs on it.
        self.db.commit(tx).await
    }

    /// Makes the samples of past days of which there are the hours alone: an earlier version kept hours for as long, and no days.
    /// Each is a transaction of its own, so it can be cut off anywhere; done twice, or by two nodes at once, it comes to the
    /// same. Returns how many were made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn make_missing_days(&self) -> Result<usize, StoreError> {
        let (day, hour, now) = (Span::Day, Span::Hour, self.now());
        // A day whose beginning is forgotten would be forgotten at once. Today's is made with each minute.
        let (first, today) = (now - day.kept(), day.begin(now));
        let rows: Vec<(PlaceId, i64, DateTime)> = read!(self, c => sqlx::query_as(
            "SELECT place, span, at FROM node_samples WHERE span IN ($1, $2) AND at >= $3 AND at < $4")
            .bind(day.seconds()).bind(hour.seconds()).bind(first).bind(today).fetch_all(c).await)?;
        let of_span = |span: Span| rows.iter().filter(move |(_, seconds, _)| *seconds == span.seconds());
        let made: BTreeSet<(DateTime, PlaceId)> = of_span(day).map(|(place, _, at)| (*at, *place)).collect();
        let hours = of_span(hour).map(|(place, _, at)| (day.begin(*at), *place));
        let missing: BTreeSet<(DateTime, PlaceId)> =
            hours.filter(|one| one.0 >= first && !made.contains(one)).collect();
        for (at, place) in &missing {
            let last = *at + chrono::Duration::seconds(day.seconds() - Span::Minute.seconds());
            let mut tx = self.begin_light().await?;
            longer(&mut tx, *place, last, (day, hour)).await?;
            self.db.commit(tx).await?;
        }
        Ok(missing.len())
    }

    async fn put_node(&self, tx: &mut Tx, known: &KnownNode) -> Result<(), StoreError> {
        on!(tx, c => sqlx::query(
            "INSERT INTO nodes (id, node, name, version, started_at, seen_at, reading, url)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (id) DO UPDATE SET node = excluded.node, name = excluded.name, version = excluded.version,
               started_at = excluded.started_at, seen_at = excluded.seen_at, reading = excluded.reading,
               url = excluded.url")
            .bind(known.id).bind(known.node).bind(crate::clean(&known.name)).bind(&known.version).bind(known.started_at)
            .bind(known.seen_at).bind(Json(&known.reading)).bind(&known.url).execute(c).await.rows())?;
        Ok(())
    }

    /// Waits for a turn to write, and writes with it that this node was seen: shows how long the database makes writers wait,
    /// and whether it takes what they write. A turn alone would show neither a full disk nor one that may only be read.
    /// Returns whether the node is known; of one that is not, nothing could be written.
    ///
    /// # Errors
    /// When the database fails; [`StoreError::trouble`] says at what.
    pub async fn take_turn(&self, place: PlaceId) -> Result<bool, StoreError> {
        let mut tx = self.begin_light().await?;
        let known = on!(tx, c => sqlx::query("UPDATE nodes SET seen_at = $2 WHERE id = $1").bind(place).bind(self.now())
            .execute(c).await.rows())?;
        // Nobody is told of it, and nothing hangs on it.
        self.db.commit(tx).await?;
        Ok(known == 1)
    }

    /// Makes a node known before its first minute is over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn meet_node(&self, known: &KnownNode) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        self.put_node(&mut tx, known).await?;
        self.db.commit(tx).await
    }

    /// Forgets samples whose time is over, and nodes of which nothing was heard for long.
    async fn forget_samples(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let now = self.now();
        for span in Span::ALL {
            for table in ["node_samples", "member_samples"] {
                let sql = format!("DELETE FROM {table} WHERE span = $1 AND at < $2");
                on!(tx, c => sqlx::query(sqlx::AssertSqlSafe(sql)).bind(span.seconds()).bind(now - span.kept()).execute(c)
                    .await.rows())?;
            }
        }
        on!(tx, c => sqlx::query("DELETE FROM nodes WHERE seen_at < $1").bind(now - chrono::Duration::days(SILENT_DAYS))
            .execute(c).await.rows())?;
        Ok(())
    }

    /// The servers of the team, by their names.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn nodes(&self) -> Result<Vec<KnownNode>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT id, node, name, version, url, started_at, seen_at, reading FROM nodes ORDER BY name, id")
            .fetch_all(c).await)?)
    }

    /// How the nodes were, by node and time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn node_samples(&self, range: SampleRange) -> Result<Vec<NodeSample>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT place, at, minutes, figures FROM node_samples WHERE span = $1 AND at >= $2 ORDER BY place, at")
            .bind(range.span().seconds()).bind(range.begins(self.now())).fetch_all(c).await)?)
    }

    /// What members used, by member and time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn member_samples(&self, range: SampleRange) -> Result<Vec<MemberSample>, StoreError> {
        self.member_samples_since(range.span(), range.begins(self.now())).await
    }

    /// What members used since then, by member and time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn member_samples_since(&self, span: Span, since: DateTime) -> Result<Vec<MemberSample>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT member_id, place, at, minutes, figures FROM member_samples WHERE span = $1 AND at >= $2
             ORDER BY member_id, at, place").bind(span.seconds()).bind(since).fetch_all(c).await)?)
    }

    /// Whose runs these are; those that there are not are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members_of_runs(&self, runs: &[RunId]) -> Result<Vec<(RunId, MemberId)>, StoreError> {
        if runs.is_empty() {
            return Ok(Vec::new());
        }
        Ok(read!(self, c => of_runs(runs).build_query_as().fetch_all(c).await)?)
    }
}

fn of_runs<DB: Database>(runs: &[RunId]) -> QueryBuilder<DB>
where
    for<'q> Uuid: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
{
    let mut sql = QueryBuilder::new("SELECT id, member_id FROM runs WHERE id IN (");
    let mut list = sql.separated(", ");
    for run in runs {
        list.push_bind(run.0);
    }
    sql.push(")");
    sql
}

/// What the ledger has of a minute.
async fn in_ledger(tx: &mut Tx, at: DateTime) -> Result<Vec<(MemberId, PlaceId, MemberFigures)>, StoreError> {
    let ends = at + chrono::Duration::seconds(Span::Minute.seconds());
    let sums: Vec<(MemberId, i64, i64)> = on!(tx, c => sqlx::query_as(
        "SELECT member_id,
           CAST(sum(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens) AS BIGINT),
           CAST(sum(cost_micros) AS BIGINT)
         FROM ledger WHERE at >= $1 AND at < $2 GROUP BY member_id").bind(at).bind(ends).fetch_all(c).await)?;
    let figures = |tokens, cost_micros| MemberFigures { tokens, cost_micros, ..MemberFigures::default() };
    Ok(sums.into_iter().map(|(member, tokens, cost)| (member, NOWHERE, figures(tokens, cost))).collect())
}

/// Makes the samples of a longer span anew, in which `at` is, out of those that it is made of.
async fn longer(tx: &mut Tx, place: PlaceId, at: DateTime, (span, part): (Span, Span)) -> Result<(), StoreError> {
    let begins = span.begin(at);
    let passed = (at - begins).num_minutes() + 1;
    let nodes: Vec<NodeSample> = on!(tx, c => sqlx::query_as(
        "SELECT place, at, minutes, figures FROM node_samples WHERE place = $1 AND span = $2 AND at >= $3 AND at <= $4
         ORDER BY at").bind(place).bind(part.seconds()).bind(begins).bind(at).fetch_all(c).await)?;
    let parts: Vec<(NodeFigures, i64)> = nodes.iter().map(|one| (one.figures, one.minutes)).collect();
    let minutes = parts.iter().map(|(_, minutes)| minutes).sum();
    let figures = NodeFigures::after_each_other(&parts, passed);
    put_node_sample(tx, place, span, begins, minutes, &figures).await?;

    let members: Vec<MemberSample> = on!(tx, c => sqlx::query_as(
        "SELECT member_id, place, at, minutes, figures FROM member_samples
         WHERE place IN ($1, $2) AND span = $3 AND at >= $4 AND at <= $5")
        .bind(place).bind(NOWHERE).bind(part.seconds()).bind(begins).bind(at).fetch_all(c).await)?;
    let mut all: BTreeMap<(MemberId, PlaceId), Vec<(MemberFigures, i64)>> = BTreeMap::new();
    for one in members {
        all.entry((one.member_id, one.place)).or_default().push((one.figures, one.minutes));
    }
    for (of, parts) in all {
        let figures = MemberFigures::after_each_other(&parts, passed);
        put_member_sample(tx, of, span, begins, passed, &figures).await?;
    }
    Ok(())
}

async fn put_node_sample(
    tx: &mut Tx,
    place: PlaceId,
    span: Span,
    at: DateTime,
    minutes: i64,
    figures: &(impl Serialize + Sync),
) -> Result<(), StoreError> {
    on!(tx, c => sqlx::query(
        "INSERT INTO node_samples (place, span, at, minutes, figures) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (place, span, at) DO UPDATE SET minutes = excluded.minutes, figures = excluded.figures")
        .bind(place).bind(span.seconds()).bind(at).bind(minutes).bind(Json(figures)).execute(c).await.rows())?;
    Ok(())
}

async fn put_member_sample(
    tx: &mut Tx,
    (member, place): (MemberId, PlaceId),
    span: Span,
    at: DateTime,
    minutes: i64,
    figures: &(impl Serialize + Sync),
) -> Result<(), StoreError> {
    on!(tx, c => sqlx::query(
        "INSERT INTO member_samples (member_id, place, span, at, minutes, figures) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (member_id, place, span, at) DO UPDATE SET minutes = excluded.minutes, figures = excluded.figures")
        .bind(member).bind(place).bind(span.seconds()).bind(at).bind(minutes).bind(Json(figures)).execute(c).await.rows())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use guildhall_types::SystemClock;
    use guildhall_types::reading::DatabaseTrouble;

    use super::*;
    use crate::db::Db;

    #[tokio::test]
    async fn a_file_that_may_only_be_read_is_told_from_one_that_is_away() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("read.db").display());
        let store = Store::open(&url, Arc::new(SystemClock)).await.unwrap();
        store.migrate().await.unwrap();
        let place = PlaceId::new();
        assert!(!store.take_turn(place).await.unwrap(), "nobody made it known yet");
        let Db::Sqlite { writer, .. } = &store.db else { unreachable!("the URL says SQLite") };
        let read_only = async |on: bool| {
            let set = format!("PRAGMA query_only = {on}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(set)).execute(writer).await.unwrap();
        };
        read_only(true).await;
        assert_eq!(store.take_turn(place).await.unwrap_err().trouble(), DatabaseTrouble::ReadOnly);
        read_only(false).await;
        store.take_turn(place).await.unwrap();
    }
}
