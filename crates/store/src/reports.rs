//! Morning reports: what a member was not told of yet, and what was told.
//!
//! What ended is marked in the transaction of the report that tells of it, and each report notes up to which cost it told. So
//! nothing is told twice or left out, whatever the clock does and however many nodes look.

use guildhall_types::auto::AutoOrder;
use guildhall_types::feature::{FeatureStatus, Problem, Stage};
use guildhall_types::forecast::Forecast;
use guildhall_types::notification::{NotificationKind, Tell};
use guildhall_types::report::{MORNING, Report, ReportBody, ReportCause, ReportSettings};
use guildhall_types::run::{Awaits, RunStatus};
use guildhall_types::{DateTime, FeatureId, MemberId, ProjectId, ReportId, RunId};
use sqlx::types::Json;

use crate::spans::RunSpan;
use crate::{Page, Rows, Store, StoreError, Tx, on, orders, read};

/// Runs that one report tells of at most; what is beyond them, the next one tells.
const TOLD: i64 = 500;
/// Reports of a member that are kept.
const KEPT: i64 = 200;

/// A run of which its member is yet to be told, with its card.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
#[expect(missing_docs, reason = "each field is the column of runs, features or projects of the same name")]
pub struct UntoldRun {
    pub id: RunId,
    pub feature_id: FeatureId,
    pub project_id: ProjectId,
    pub status: RunStatus,
    pub created_at: DateTime,
    pub ended_at: Option<DateTime>,
    pub parked_until: Option<DateTime>,
    pub parked_reason: Option<String>,
    pub parked_for: Option<Awaits>,
    #[sqlx(json(nullable))]
    pub error: Option<Problem>,
    /// Tokens of all kinds that no report told of.
    pub tokens: i64,
    /// Cost that no report told of, in micro-dollars.
    pub cost_micros: i64,
    pub number: i64,
    pub title: String,
    pub card_status: FeatureStatus,
    pub stage: Option<Stage>,
    /// Files of its card that were changed.
    pub files_changed: i64,
    /// Whether it is still its card's run.
    pub current: bool,
}

/// A report to be kept.
#[derive(Debug, Clone)]
pub struct NewReport {
    /// Its id.
    pub id: ReportId,
    /// Whose it is.
    pub member: MemberId,
    /// Why it is made.
    pub cause: ReportCause,
    /// From when on it tells.
    pub from: DateTime,
    /// Up to when it tells.
    pub until: DateTime,
    /// Up to when the member was told before, as it was read.
    pub told_until: Option<DateTime>,
    /// What it says.
    pub body: ReportBody,
    /// The runs that it tells of, as they were read.
    pub runs: Vec<UntoldRun>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ReportId,
    cause: ReportCause,
    begins_at: DateTime,
    ends_at: DateTime,
    read_at: Option<DateTime>,
    body: Json<ReportBody>,
}

impl From<Row> for Report {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            cause: row.cause,
            from: row.begins_at,
            until: row.ends_at,
            read_at: row.read_at,
            body: row.body.0,
        }
    }
}

#[derive(sqlx::FromRow)]
struct WithForecast {
    #[sqlx(flatten)]
    order: AutoOrder,
    forecast: Option<Json<Forecast>>,
}

const COLUMNS: &str = "id, cause, begins_at, ends_at, read_at, body";

impl Store {
    /// The members who are yet to be told of something.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members_to_tell(&self) -> Result<Vec<MemberId>, StoreError> {
        let rows: Vec<(MemberId,)> = read!(self, c => sqlx::query_as(
            "SELECT DISTINCT member_id FROM runs WHERE untold ORDER BY member_id").fetch_all(c).await)?;
        Ok(rows.into_iter().map(|(member,)| member).collect())
    }

    /// The runs of which a member is yet to be told, those that ended first before the others.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn untold_runs(&self, member: MemberId) -> Result<Vec<UntoldRun>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT r.id, r.feature_id, r.project_id, r.status, r.created_at, r.ended_at, r.parked_until, r.parked_reason, r.parked_for, r.error,
               r.input_tokens + r.output_tokens + r.cache_read_tokens + r.cache_write_tokens - r.told_tokens AS tokens,
               r.cost_micros - r.told_cost_micros AS cost_micros, f.number, f.title, f.status AS card_status, f.stage, f.files_changed,
               coalesce(f.run_id = r.id, FALSE) AND f.deleted_at IS NULL AS current
             FROM runs r JOIN features f ON f.id = r.feature_id
             WHERE r.member_id = $1 AND r.untold
             ORDER BY CASE WHEN r.status IN ('queued', 'running') THEN 1 ELSE 0 END, r.ended_at, r.id LIMIT $2")
            .bind(member).bind(TOLD).fetch_all(c).await)?)
    }

    /// What those runs did when.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn untold_spans(&self, member: MemberId) -> Result<Vec<RunSpan>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT s.run_id, s.kind, s.begins_at, coalesce(s.ends_at, r.ended_at) AS ends_at
             FROM run_spans s JOIN runs r ON r.id = s.run_id WHERE r.member_id = $1 AND r.untold ORDER BY s.begins_at")
            .bind(member).fetch_all(c).await)?)
    }

    /// A member's orders in projects that are not archived, each with the forecast that was made of it last.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn orders_of(&self, member: MemberId) -> Result<Vec<(AutoOrder, Option<Forecast>)>, StoreError> {
        let sql = format!(
            "SELECT {}, forecast FROM auto_orders WHERE member_id = $1
               AND project_id IN (SELECT id FROM projects WHERE archived_at IS NULL) ORDER BY project_id",
            orders::COLUMNS
        );
        let rows: Vec<WithForecast> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(member).fetch_all(c).await)?;
        Ok(rows.into_iter().map(|row| (row.order, row.forecast.map(|Json(forecast)| forecast))).collect())
    }

    /// How a member wants to be told, and up to when that was done.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn report_settings(&self, member: MemberId) -> Result<(ReportSettings, Option<DateTime>), StoreError> {
        let row: Option<(bool, Option<String>, Option<DateTime>)> = read!(self, c => sqlx::query_as(
            "SELECT mail, morning, told_until FROM report_settings WHERE member_id = $1").bind(member)
            .fetch_optional(c).await)?;
        let (mail, morning, told_until) = row.unwrap_or_default();
        let settings = ReportSettings { mail, morning: morning.unwrap_or_else(|| MORNING.to_owned()) };
        Ok((settings, told_until))
    }

    /// Keeps how a member wants to be told.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_report_settings(&self, member: MemberId, settings: &ReportSettings) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        on!(tx, c => sqlx::query(
            "INSERT INTO report_settings (member_id, mail, morning) VALUES ($1, $2, $3)
             ON CONFLICT (member_id) DO UPDATE SET mail = excluded.mail, morning = excluded.morning")
            .bind(member).bind(settings.mail).bind(&settings.morning).execute(c).await.rows())?;
        self.commit(tx).await
    }

    /// Keeps a report and marks what it tells of, unless another node has told the member something in between: then nothing
    /// changes, and the answer is false.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_report(&self, new: &NewReport) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if !self.told_up_to(&mut tx, new.member, new.told_until, new.until).await?
            || !self.mark_told(&mut tx, new).await?
        {
            return Ok(false);
        }
        on!(tx, c => sqlx::query(
            "INSERT INTO reports (id, member_id, cause, begins_at, ends_at, body) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(new.id).bind(new.member).bind(new.cause).bind(new.from).bind(new.until).bind(Json(&new.body))
            .execute(c).await.rows())?;
        on!(tx, c => sqlx::query(
            "DELETE FROM reports WHERE member_id = $1 AND id IN (
               SELECT id FROM reports WHERE member_id = $1 ORDER BY id DESC LIMIT 1000 OFFSET $2)")
            .bind(new.member).bind(KEPT).execute(c).await.rows())?;
        tx.tell(Tell::new(NotificationKind::MorningReport, new.member, "", new.body.headline()));
        self.commit(tx).await?;
        Ok(true)
    }

    /// Notes that a member has nothing to be told of up to this moment, `told_until` being what was read. Nothing changes when
    /// another node has told something in between.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn nothing_to_tell(
        &self,
        member: MemberId,
        told_until: Option<DateTime>,
        until: DateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        self.told_up_to(&mut tx, member, told_until, until).await?;
        self.commit(tx).await
    }

    /// Notes up to when a member is told, and never less. False when that is not what was read any more.
    async fn told_up_to(
        &self,
        tx: &mut Tx,
        member: MemberId,
        read: Option<DateTime>,
        until: DateTime,
    ) -> Result<bool, StoreError> {
        let told = read.map_or(until, |told| told.max(until));
        let done = on!(tx, c => sqlx::query(
            "INSERT INTO report_settings (member_id, told_until) VALUES ($1, $2)
             ON CONFLICT (member_id) DO UPDATE SET told_until = excluded.told_until
             WHERE report_settings.told_until = $3 OR (report_settings.told_until IS NULL AND $3 IS NULL)")
            .bind(member).bind(told).bind(read).execute(c).await.rows())?;
        Ok(done == 1)
    }

    /// Marks the runs of a report. Nothing, and false, when one of them was told of by somebody else. One that ended since it
    /// was read, or that goes on since, stays to be told.
    async fn mark_told(&self, tx: &mut Tx, new: &NewReport) -> Result<bool, StoreError> {
        let mut runs: Vec<&UntoldRun> = new.runs.iter().collect();
        runs.sort_by_key(|run| run.id);
        for run in runs {
            let done = on!(tx, c => sqlx::query(
                "UPDATE runs SET told_tokens = told_tokens + $2, told_cost_micros = told_cost_micros + $3,
                   untold = CASE WHEN $4 AND status NOT IN ('queued', 'running') THEN FALSE ELSE untold END
                 WHERE id = $1 AND untold")
                .bind(run.id).bind(run.tokens).bind(run.cost_micros).bind(!run.status.is_live()).execute(c).await.rows())?;
            if done != 1 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A member's report.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn report(&self, member: MemberId, id: ReportId) -> Result<Option<Report>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM reports WHERE member_id = $1 AND id = $2");
        let row: Option<Row> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(member).bind(id).fetch_optional(c).await)?;
        Ok(row.map(Report::from))
    }

    /// A member's reports, the latest first, `after` this one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reports(
        &self,
        member: MemberId,
        after: Option<ReportId>,
        limit: i64,
    ) -> Result<Page<Report>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM reports WHERE member_id = $1 AND ($2 IS NULL OR id < $2) ORDER BY id DESC LIMIT $3"
        );
        let rows: Vec<Row> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(member).bind(after)
            .bind(limit + 1).fetch_all(c).await)?;
        let more = rows.len() as i64 > limit;
        let items: Vec<Report> = rows.into_iter().take(limit.max(0) as usize).map(Report::from).collect();
        let next = items.last().filter(|_| more).map(|last| last.id.to_string());
        Ok(Page { items, next })
    }

    /// Notes that a member looked at a report. False when there is no such report of this member.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read_report(&self, member: MemberId, id: ReportId) -> Result<bool, StoreError> {
        let mut tx = self.begin_light().await?;
        let done = on!(tx, c => sqlx::query(
            "UPDATE reports SET read_at = coalesce(read_at, $3) WHERE member_id = $1 AND id = $2")
            .bind(member).bind(id).bind(self.now()).execute(c).await.rows())?;
        self.commit(tx).await?;
        Ok(done == 1)
    }
}
