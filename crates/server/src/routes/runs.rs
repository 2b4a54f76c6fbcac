//! Runs, what happened in them, and their checks.

use axum::extract::State;
use guildhall_types::event::Event;
use guildhall_types::guide::{GuideRecord, GuideUse};
use guildhall_types::pipeline::RunStep;
use guildhall_types::run::{Check, Run};
use guildhall_types::{FeatureId, RunId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;
use crate::routes::page_size;

/// Runs of a card that are listed at most.
const RUNS: i64 = 100;

/// A card's runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunList {
    /// The latest first.
    items: Vec<Run>,
}

/// Lists a card's runs, the latest first.
#[utoipa::path(get, path = "/api/features/{id}/runs", tag = "runs",
    params(("id" = FeatureId, Path, description = "The feature.")), responses((status = 200, body = RunList)))]
pub async fn list_runs(State(app): State<App>, Path(id): Path<FeatureId>) -> Result<Json<RunList>, Problem> {
    if app.team.store.feature(id).await?.is_none() {
        return Err(Problem::not_found("feature"));
    }
    Ok(Json(RunList { items: app.team.store.runs_of(id, RUNS).await? }))
}

/// A run, unless what it works on was deleted.
pub(super) async fn shown(app: &App, id: RunId) -> Result<Run, Problem> {
    let place = app.team.store.run_place(id).await?.filter(|place| !place.deleted);
    place.map(|place| place.run).ok_or_else(|| Problem::not_found("run"))
}

/// Shows a run.
#[utoipa::path(get, path = "/api/runs/{id}", tag = "runs",
    params(("id" = RunId, Path, description = "The run.")), responses((status = 200, body = Run)))]
pub async fn get_run(State(app): State<App>, Path(id): Path<RunId>) -> Result<Json<Run>, Problem> {
    shown(&app, id).await.map(Json)
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListRunEvents {
    /// Only later ones than this number.
    #[param(nullable = false)]
    after: Option<i64>,
    /// How many at most; 500 are the most.
    #[param(nullable = false)]
    limit: Option<i64>,
}

/// A page of what happened in a run.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunEventPage {
    /// In the order they happened.
    items: Vec<Event>,
    /// The number to ask for the next page with, if there is one.
    next: Option<i64>,
}

/// Lists what happened in a run, in order.
#[utoipa::path(get, path = "/api/runs/{id}/events", tag = "runs",
    params(("id" = RunId, Path, description = "The run."), ListRunEvents), responses((status = 200, body = RunEventPage)))]
pub async fn list_run_events(
    State(app): State<App>,
    Path(id): Path<RunId>,
    Query(query): Query<ListRunEvents>,
) -> Result<Json<RunEventPage>, Problem> {
    let limit = page_size(query.limit)?;
    shown(&app, id).await?;
    let mut items = app.team.store.run_events(id, query.after.unwrap_or(0), limit + 1).await?;
    let more = items.len() as i64 > limit;
    items.truncate(usize::try_from(limit).unwrap_or_default());
    let next = items.last().filter(|_| more).map(|event| event.seq);
    Ok(Json(RunEventPage { items, next }))
}

/// A run's checks.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckList {
    /// The latest first.
    items: Vec<Check>,
}

/// How many checks.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListChecks {
    /// Only so many of the latest; the latest hundred when absent.
    #[param(nullable = false, minimum = 1)]
    latest: Option<u16>,
}

/// Lists a run's checks, the latest first.
#[utoipa::path(get, path = "/api/runs/{id}/checks", tag = "runs",
    params(("id" = RunId, Path, description = "The run."), ListChecks), responses((status = 200, body = CheckList)))]
pub async fn list_checks(
    State(app): State<App>,
    Path(id): Path<RunId>,
    Query(query): Query<ListChecks>,
) -> Result<Json<CheckList>, Problem> {
    shown(&app, id).await?;
    let mut items = app.team.store.checks(id).await?;
    items.truncate(query.latest.map_or(usize::MAX, usize::from));
    Ok(Json(CheckList { items }))
}

/// The looks of the pipeline's steps at a run's work.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunStepList {
    /// In the order in which they came up: a further look of a step comes after those that were planned before it.
    items: Vec<RunStep>,
}

/// Lists what a run's work passed of the pipeline, with each step as it was when the run reached it.
#[utoipa::path(get, path = "/api/runs/{id}/steps", tag = "runs",
    params(("id" = RunId, Path, description = "The run.")), responses((status = 200, body = RunStepList)))]
pub async fn list_run_steps(State(app): State<App>, Path(id): Path<RunId>) -> Result<Json<RunStepList>, Problem> {
    shown(&app, id).await?;
    Ok(Json(RunStepList { items: app.team.store.steps(id).await? }))
}

/// What a run had of the team's hub, and gave to it.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunGuide {
    /// What went into its agents' instructions, whole or by title, and then what they read, each as it was.
    items: Vec<GuideUse>,
    /// What was recorded in it, as it stands now.
    recorded: Vec<GuideRecord>,
}

/// Shows what a run was told and read of the team's knowledge, and what was recorded in it.
#[utoipa::path(get, path = "/api/runs/{id}/guide", tag = "runs",
    params(("id" = RunId, Path, description = "The run.")), responses((status = 200, body = RunGuide)))]
pub async fn get_run_guide(State(app): State<App>, Path(id): Path<RunId>) -> Result<Json<RunGuide>, Problem> {
    let store = &app.team.store;
    shown(&app, id).await?;
    Ok(Json(RunGuide { items: store.run_knowledge(id).await?, recorded: store.run_records(id).await? }))
}
