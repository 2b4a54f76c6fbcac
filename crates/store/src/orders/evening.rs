//! What a forecast goes by: past runs, and the cards that could be taken, as far as the choice of the next does not need it.

use std::collections::HashMap;

use guildhall_types::auto::{Card, is_failure};
use guildhall_types::feature::{PlanningMode, Problem};
use guildhall_types::forecast::{ENOUGH, Forecast, PastRun};
use guildhall_types::project::ProjectSettings;
use guildhall_types::report::SpanKind;
use guildhall_types::{DateTime, FeatureId, MemberId, ProjectId, RunId};
use sqlx::types::Json;

use crate::{Rows, RunSpan, Store, StoreError, on, read};

/// Past runs of a project that are looked at, the latest ones.
const PAST: i64 = 200;
/// Cards of one order that are looked at.
const CARDS: i64 = 300;
/// Cards of which more is read at most.
const FACTS: i64 = 20_000;

/// What matters of a card beyond the choice of the next.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct CardFacts {
    /// The card.
    pub feature_id: FeatureId,
    /// Its project.
    pub project_id: ProjectId,
    /// How much of a plan comes first.
    pub planning_mode: PlanningMode,
    /// The model that its run calls, or that it asks for.
    pub model: Option<String>,
    /// Whether a person approves the plan, and has not yet.
    pub plan_needed: bool,
    /// Whether the project's checks are left out.
    pub skip_verification: bool,
    /// Whether a person looks at the work.
    pub needs_approval: bool,
}

/// All of that.
#[derive(Debug, Clone, Default)]
pub struct Evening {
    /// A member's cards in a project's backlog.
    pub own: Vec<Card>,
    /// What matters of those, of the cards of all orders that are on, and of all that have a run.
    pub cards: HashMap<FeatureId, CardFacts>,
    /// The settings of each project.
    pub projects: HashMap<ProjectId, ProjectSettings>,
    /// How long each run in the queue or at work has worked, in milliseconds.
    pub worked: HashMap<RunId, i64>,
    /// Past runs of the project, and of the team where those are too few.
    pub past: Vec<PastRun>,
}

#[derive(sqlx::FromRow)]
struct PastRow {
    id: RunId,
    project_id: ProjectId,
    planning_mode: PlanningMode,
    model: String,
    tokens: i64,
    cost_micros: i64,
    #[sqlx(json(nullable))]
    error: Option<Problem>,
    started_at: Option<DateTime>,
    ended_at: DateTime,
}

/// The latest runs that came to an end which says what such work takes, not one that was stopped or whose plan waits; and
/// what they did when.
macro_rules! past {
    ($which:literal) => {
        (
            concat!(
                "SELECT r.id, r.project_id, f.planning_mode, r.model, r.cost_micros, r.error, r.started_at, r.ended_at,
                   r.input_tokens + r.output_tokens + r.cache_read_tokens + r.cache_write_tokens AS tokens",
                past!(@from $which)
            ),
            concat!(
                "SELECT s.run_id, s.kind, s.begins_at, coalesce(s.ends_at, p.ended_at) AS ends_at
                 FROM run_spans s JOIN (SELECT r.id, r.ended_at",
                past!(@from $which),
                ") p ON p.id = s.run_id"
            ),
        )
    };
    (@from $which:literal) => {
        concat!(
            " FROM runs r JOIN features f ON f.id = r.feature_id WHERE f.kind = 'card' AND r.project_id ",
            $which,
            " $1 AND r.ended_at IS NOT NULL AND r.turns > 0 AND r.approval <> 'awaited'
               AND (r.status IN ('waiting', 'failed') OR (r.status = 'closed' AND f.run_id = r.id AND f.status = 'completed'))
             ORDER BY r.ended_at DESC, r.id LIMIT $2"
        )
    };
}

const PAST_OF_PROJECT: (&str, &str) = past!("=");
const PAST_OF_OTHERS: (&str, &str) = past!("<>");

impl Store {
    /// What a forecast of this member's order in this project goes by, beside [`Store::night`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn evening(&self, project: ProjectId, member: MemberId) -> Result<Evening, StoreError> {
        let mut past = self.past_runs(project, true).await?;
        if past.len() < ENOUGH {
            past.extend(self.past_runs(project, false).await?);
        }
        let cards: Vec<CardFacts> = read!(self, c => sqlx::query_as(
            "SELECT f.id AS feature_id, f.project_id, f.planning_mode, CASE WHEN f.status = 'backlog' THEN f.model ELSE r.model END AS model,
               CASE WHEN f.status = 'backlog' THEN f.require_plan_approval ELSE coalesce(r.approval = 'awaited', FALSE) END AS plan_needed,
               f.skip_verification, f.needs_approval
             FROM features f LEFT JOIN runs r ON r.id = f.run_id
             WHERE f.kind = 'card' AND f.deleted_at IS NULL AND (f.status IN ('queued', 'in_progress')
               OR (f.status = 'paused' AND r.halted) OR (f.status = 'backlog' AND (
               (f.project_id = $1 AND f.created_by = $2) OR EXISTS (SELECT 1 FROM auto_orders o
                 WHERE o.project_id = f.project_id AND o.member_id = f.created_by AND o.state <> 'off'))))
             ORDER BY f.status DESC, f.priority, f.created_at LIMIT $3")
            .bind(project).bind(member).bind(FACTS).fetch_all(c).await)?;
        let projects: Vec<(ProjectId, Json<ProjectSettings>)> = read!(self, c => sqlx::query_as(
            "SELECT id, settings FROM projects WHERE archived_at IS NULL").fetch_all(c).await)?;
        let spans: Vec<RunSpan> = read!(self, c => sqlx::query_as(
            "SELECT s.run_id, s.kind, s.begins_at, s.ends_at FROM run_spans s JOIN runs r ON r.id = s.run_id
             WHERE r.status IN ('queued', 'running') AND s.kind = 'work'").fetch_all(c).await)?;
        Ok(Evening {
            own: self.own_cards(project, member).await?,
            cards: cards.into_iter().map(|facts| (facts.feature_id, facts)).collect(),
            projects: projects.into_iter().map(|(id, Json(settings))| (id, settings)).collect(),
            worked: worked(&spans, self.now()),
            past,
        })
    }

    /// A member's cards in a project's backlog, and those that were stopped with auto mode, as the choice of the next sees them;
    /// those that could start come first.
    async fn own_cards(&self, project: ProjectId, member: MemberId) -> Result<Vec<Card>, StoreError> {
        let open: Vec<(FeatureId, FeatureId)> = read!(self, c => sqlx::query_as(
            "SELECT d.feature_id, d.depends_on FROM feature_dependencies d JOIN features f ON f.id = d.feature_id
               LEFT JOIN features b ON b.id = d.depends_on AND b.deleted_at IS NULL
             WHERE f.project_id = $1 AND f.deleted_at IS NULL
               AND ((f.created_by = $2 AND f.status = 'backlog') OR (f.status = 'paused' AND EXISTS (SELECT 1 FROM runs r
                 WHERE r.id = f.run_id AND r.member_id = $2 AND r.halted AND r.started_at IS NULL)))
               AND (b.id IS NULL OR b.status NOT IN ('verified', 'completed'))")
            .bind(project).bind(member).fetch_all(c).await)?;
        let rows: Vec<(FeatureId, i64, DateTime, i64)> = read!(self, c => sqlx::query_as(
            "SELECT id, priority, created_at, number FROM features
             WHERE project_id = $1 AND created_by = $2 AND kind = 'card' AND status = 'backlog' AND deleted_at IS NULL
             ORDER BY priority, created_at, number LIMIT $3").bind(project).bind(member).bind(CARDS).fetch_all(c).await)?;
        let halted: Vec<(FeatureId, i64, DateTime, i64, RunId)> = read!(self, c => sqlx::query_as(
            "SELECT f.id, f.priority, f.created_at, f.number, r.id FROM runs r JOIN features f ON f.run_id = r.id
             WHERE r.project_id = $1 AND r.member_id = $2 AND r.halted AND r.status = 'stopped' AND f.status = 'paused'
               AND f.deleted_at IS NULL ORDER BY f.priority, f.created_at, f.number")
            .bind(project).bind(member).fetch_all(c).await)?;
        let mut of: HashMap<FeatureId, Vec<FeatureId>> = HashMap::new();
        for (feature, depends_on) in open {
            of.entry(feature).or_default().push(depends_on);
        }
        let new = rows.into_iter().map(|(feature, priority, since, number)| (feature, priority, since, number, None));
        let halted = halted
            .into_iter()
            .map(|(feature, priority, since, number, run)| (feature, priority, since, number, Some(run)));
        let card = |(feature, priority, since, number, run)| Card {
            feature,
            project,
            member,
            priority,
            since,
            number,
            open: of.remove(&feature).unwrap_or_default(),
            run,
            hindered: None,
        };
        Ok(halted.chain(new).map(card).collect())
    }

    /// The latest past runs of this project, or of all the others.
    async fn past_runs(&self, project: ProjectId, of_it: bool) -> Result<Vec<PastRun>, StoreError> {
        let (runs, spans) = match of_it {
            true => PAST_OF_PROJECT,
            false => PAST_OF_OTHERS,
        };
        let rows: Vec<PastRow> = read!(self, c => sqlx::query_as(runs).bind(project).bind(PAST).fetch_all(c).await)?;
        let spans: Vec<RunSpan> = read!(self, c => sqlx::query_as(spans).bind(project).bind(PAST).fetch_all(c).await)?;
        let worked = worked(&spans, self.now());
        let past = |row: PastRow| {
            // Of what ended before stretches were kept, the latest one is known.
            let latest = (row.ended_at - row.started_at.unwrap_or(row.ended_at)).num_milliseconds().max(0);
            PastRun {
                project: row.project_id,
                planning: row.planning_mode,
                model: row.model,
                worked_ms: worked.get(&row.id).copied().unwrap_or(latest),
                tokens: row.tokens,
                cost_micros: row.cost_micros,
                failed: row.error.as_ref().is_some_and(is_failure),
            }
        };
        Ok(rows.into_iter().map(past).collect())
    }

    /// Keeps the forecast that was made of an order, to be compared with what comes of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_forecast(
        &self,
        project: ProjectId,
        member: MemberId,
        forecast: &Forecast,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query(
            "UPDATE auto_orders SET forecast = $3, forecast_at = $4 WHERE project_id = $1 AND member_id = $2")
            .bind(project).bind(member).bind(Json(forecast)).bind(forecast.at).execute(c).await.rows())?;
        self.commit(tx).await
    }
}

/// How long each run worked, in milliseconds.
fn worked(spans: &[RunSpan], now: DateTime) -> HashMap<RunId, i64> {
    let mut worked: HashMap<RunId, i64> = HashMap::new();
    for span in spans.iter().filter(|span| span.kind == SpanKind::Work) {
        let ms = (span.ends_at.unwrap_or(now) - span.begins_at).num_milliseconds().max(0);
        *worked.entry(span.run_id).or_default() += ms;
    }
    worked
}

/// An order that is on, and when it was last foretold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Foretold {
    /// The project.
    pub project_id: ProjectId,
    /// The member.
    pub member_id: MemberId,
    /// When the forecast was made.
    pub forecast_at: Option<DateTime>,
    /// Up to when the member was told of what came of it.
    pub told_until: Option<DateTime>,
}

impl Store {
    /// The orders that are on, each with when it was last foretold.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn foretold(&self) -> Result<Vec<Foretold>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT o.project_id, o.member_id, o.forecast_at, s.told_until
             FROM auto_orders o LEFT JOIN report_settings s ON s.member_id = o.member_id WHERE o.state = 'on'")
            .fetch_all(c).await)?)
    }
}
