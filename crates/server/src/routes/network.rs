//! What a project's commands reach of the network.

use axum::extract::State;
use guildhall_team::ProjectNetwork;
use guildhall_types::ProjectId;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path};
use crate::problem::Problem;

/// Shows what a project's commands reach of the network, and which hosts they were refused.
#[utoipa::path(get, path = "/api/projects/{id}/network", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 200, body = ProjectNetwork)))]
pub async fn get_network(State(app): State<App>, Path(id): Path<ProjectId>) -> Result<Json<ProjectNetwork>, Problem> {
    Ok(Json(app.team.network(id).await?))
}

/// A host to be put on the list.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowHost {
    /// `example.com`, or `*.example.com` for all below it, at the ports 80 and 443; or with another port behind a colon.
    host: String,
}

/// Puts a host on a project's list. Holds at once, also for commands at work.
#[utoipa::path(post, path = "/api/projects/{id}/network/allow", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 200, body = ProjectNetwork)))]
pub async fn allow_host(
    signed: Signed,
    Path(id): Path<ProjectId>,
    Json(what): Json<AllowHost>,
) -> Result<Json<ProjectNetwork>, Problem> {
    Ok(Json(signed.team.allow_host(id, &what.host).await?))
}

/// A refused host to be forgotten.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DismissHost {
    /// Its name.
    host: String,
    /// Its port.
    port: i64,
}

/// Takes a host off those that a project's commands were refused. It is told again when they ask for it again.
#[utoipa::path(post, path = "/api/projects/{id}/network/dismiss", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 200, body = ProjectNetwork)))]
pub async fn dismiss_host(
    signed: Signed,
    Path(id): Path<ProjectId>,
    Json(what): Json<DismissHost>,
) -> Result<Json<ProjectNetwork>, Problem> {
    Ok(Json(signed.team.dismiss_host(id, &what.host, what.port).await?))
}
