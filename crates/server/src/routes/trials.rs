//! Trials of a project's checks.

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_types::ProjectId;
use guildhall_types::rights::MemberRight;
use guildhall_types::trial::Trial;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path};
use crate::problem::Problem;

/// Which checks to try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TryChecks {
    /// The commands, which need not be saved; the project's checks when absent.
    #[schema(nullable = false)]
    commands: Option<Vec<String>>,
    /// The commands that set the worktree up first; the project's when absent.
    #[schema(nullable = false)]
    set_up: Option<Vec<String>>,
    /// Minutes that each may take; as the project says when absent.
    #[schema(nullable = false)]
    minutes: Option<i64>,
}

/// Tries a project's checks, after what sets a worktree up, on its default branch, in the sandbox and in the background.
#[utoipa::path(post, path = "/api/projects/{id}/try-checks", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 202, body = Trial)))]
pub async fn try_checks(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<ProjectId>,
    Json(what): Json<TryChecks>,
) -> Result<(StatusCode, Json<Trial>), Problem> {
    let TryChecks { commands, set_up, minutes } = what;
    let trial = app.engine.try_checks(&signed.team, signed.member.id, id, commands, set_up, minutes).await?;
    Ok((StatusCode::ACCEPTED, Json(trial)))
}

/// Stops the trial of a project's checks that is going on: for whoever began it, and for admins. It ends within moments.
#[utoipa::path(post, path = "/api/projects/{id}/try-checks/stop", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 202, body = Trial)))]
pub async fn stop_trial(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<ProjectId>,
) -> Result<(StatusCode, Json<Trial>), Problem> {
    if app.team.store.project(id).await?.is_none() {
        return Err(Problem::not_found("project"));
    }
    let administers = signed.may(MemberRight::Administer);
    let trial = app.engine.stop_trial(&signed.team, &signed.member, administers, id).await?;
    Ok((StatusCode::ACCEPTED, Json(trial)))
}

/// The latest trial of a project's checks.
#[derive(Debug, Serialize, ToSchema)]
pub struct LatestTrial {
    /// Nothing before the first.
    trial: Option<Trial>,
}

/// Shows how the latest trial of a project's checks goes, with what the commands print.
#[utoipa::path(get, path = "/api/projects/{id}/try-checks", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 200, body = LatestTrial)))]
pub async fn get_trial(State(app): State<App>, Path(id): Path<ProjectId>) -> Result<Json<LatestTrial>, Problem> {
    if app.team.store.project(id).await?.is_none() {
        return Err(Problem::not_found("project"));
    }
    Ok(Json(LatestTrial { trial: app.team.store.trial(id).await? }))
}
