//! Executions of systems: begun, looked at, reviewed and ended.

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_store::ExecutionQuery;
use guildhall_types::system::{Execution, ExecutionView, StepState};
use guildhall_types::{ExecutionId, ProjectId, SystemId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::deeds::usable_sandbox;
use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;
use crate::routes::{next, page_size};

/// What to run a system on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunSystem {
    /// The project.
    project_id: ProjectId,
    /// What the system asks for, by the names of its fields.
    #[serde(default)]
    input: Value,
}

/// Runs a system on a project: its agents work in the name of who asks.
#[utoipa::path(post, path = "/api/systems/{id}/run", tag = "systems",
    params(("id" = SystemId, Path, description = "The system.")), responses((status = 202, body = Execution)))]
pub async fn run_system(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<SystemId>,
    Json(wish): Json<RunSystem>,
) -> Result<(StatusCode, Json<Execution>), Problem> {
    usable_sandbox(&app).await?;
    let execution = signed.team.run_system(signed.by(), id, wish.project_id, &wish.input).await?;
    Ok((StatusCode::ACCEPTED, Json(execution)))
}

/// Which executions.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListExecutions {
    /// Only on this project.
    #[param(nullable = false)]
    project: Option<ProjectId>,
    /// Only of this system.
    #[param(nullable = false)]
    system: Option<SystemId>,
    /// Only those that are not over.
    #[serde(default)]
    open: bool,
    /// What the page before gave as `next`.
    #[param(nullable = false)]
    before: Option<ExecutionId>,
    /// How many at most; 500 are the most.
    #[param(nullable = false)]
    limit: Option<i64>,
}

/// A page of executions.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExecutionPage {
    /// The executions, the latest first.
    items: Vec<Execution>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// Lists executions, the latest first.
#[utoipa::path(get, path = "/api/executions", tag = "systems", params(ListExecutions),
    responses((status = 200, body = ExecutionPage)))]
pub async fn list_executions(
    State(app): State<App>,
    Query(query): Query<ListExecutions>,
) -> Result<Json<ExecutionPage>, Problem> {
    let limit = page_size(query.limit)?;
    let ListExecutions { project, system, open, before, .. } = query;
    let query = ExecutionQuery { project, system, open, before, limit: limit + 1 };
    let mut items = app.team.store.executions(query).await?;
    let next = next(&mut items, limit, |item| item.id.to_string());
    Ok(Json(ExecutionPage { items, next }))
}

/// Shows an execution, with how its steps stand.
#[utoipa::path(get, path = "/api/executions/{id}", tag = "systems",
    params(("id" = ExecutionId, Path, description = "The execution.")), responses((status = 200, body = ExecutionView)))]
pub async fn get_execution(
    State(app): State<App>,
    Path(id): Path<ExecutionId>,
) -> Result<Json<ExecutionView>, Problem> {
    Ok(Json(app.team.execution(id).await?))
}

/// Shows a step of an execution, with what it was given and gave, why it failed, and what a person said to it.
#[utoipa::path(get, path = "/api/executions/{id}/steps/{step}", tag = "systems",
    params(("id" = ExecutionId, Path, description = "The execution."), ("step" = String, Path, description = "The step's key.")),
    responses((status = 200, body = StepState)))]
pub async fn get_execution_step(
    State(app): State<App>,
    Path((id, step)): Path<(ExecutionId, String)>,
) -> Result<Json<StepState>, Problem> {
    Ok(Json(app.team.execution_step(id, &step).await?))
}

/// Ends an execution at once, and stops its agents.
#[utoipa::path(post, path = "/api/executions/{id}/cancel", tag = "systems",
    params(("id" = ExecutionId, Path, description = "The execution.")), responses((status = 202, body = Execution)))]
pub async fn cancel_execution(
    signed: Signed,
    Path(id): Path<ExecutionId>,
) -> Result<(StatusCode, Json<Execution>), Problem> {
    Ok((StatusCode::ACCEPTED, Json(signed.team.cancel_execution(&signed.member, id).await?)))
}

/// What a member says of what a step shows.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewStep {
    /// Whether it is good; if not, it goes back.
    approved: bool,
    /// The step's `rounds` when it was looked at; 0 when absent. When somebody sent it back in between, this is refused: what
    /// it shows now was not looked at.
    #[serde(default)]
    rounds: i64,
    /// What is to be different, or what else is to be known; needed when it goes back.
    #[serde(default)]
    text: String,
}

/// Approves what a step shows, or sends it back with a word.
#[utoipa::path(post, path = "/api/executions/{id}/steps/{step}/review", tag = "systems",
    params(("id" = ExecutionId, Path, description = "The execution."), ("step" = String, Path, description = "The step's key.")),
    responses((status = 202, body = Execution)))]
pub async fn review_step(
    signed: Signed,
    Path((id, step)): Path<(ExecutionId, String)>,
    Json(review): Json<ReviewStep>,
) -> Result<(StatusCode, Json<Execution>), Problem> {
    let ReviewStep { approved, rounds, text } = review;
    let done = signed.team.review_step(&signed.member, id, &step, rounds, approved, &text).await?;
    Ok((StatusCode::ACCEPTED, Json(done)))
}
