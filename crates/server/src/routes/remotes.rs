//! Where else a project's repository is.

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_team::TeamError;
use guildhall_types::feature::Move;
use guildhall_types::remote::{ProjectRemote, Published, PutRemote};
use guildhall_types::{FeatureId, ProjectId};
use serde::Serialize;
use tracing::Instrument;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path};
use crate::problem::{Problem, chain};
use crate::routes::deeds::hands_off;

/// A project's other repository, if it has one.
#[derive(Debug, Serialize, ToSchema)]
pub struct RemoteOfProject {
    /// Where it is, and how it stands.
    remote: Option<ProjectRemote>,
}

/// Shows where else a project's repository is. What lets in there is never shown.
#[utoipa::path(get, path = "/api/projects/{id}/remote", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 200, body = RemoteOfProject)))]
pub async fn get_remote(State(app): State<App>, Path(id): Path<ProjectId>) -> Result<Json<RemoteOfProject>, Problem> {
    Ok(Json(RemoteOfProject { remote: app.team.remote(id).await? }))
}

/// Says where else a project's repository is. If the server is to follow it or to push there, it does so within a minute.
#[utoipa::path(put, path = "/api/projects/{id}/remote", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 200, body = ProjectRemote)))]
pub async fn put_remote(
    signed: Signed,
    Path(id): Path<ProjectId>,
    Json(put): Json<PutRemote>,
) -> Result<Json<ProjectRemote>, Problem> {
    Ok(Json(signed.team.put_remote(&signed.member, id, put).await?))
}

/// Forgets where else a project's repository is, and what lets in there.
#[utoipa::path(delete, path = "/api/projects/{id}/remote", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 204)))]
pub async fn delete_remote(signed: Signed, Path(id): Path<ProjectId>) -> Result<StatusCode, Problem> {
    signed.team.delete_remote(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Brings the default branch up to date with the other repository: what is only there comes here, what is only here goes there
/// if the server is to push there. Where both have gone on, neither is touched.
#[utoipa::path(post, path = "/api/projects/{id}/remote/sync", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 200, body = ProjectRemote)))]
pub async fn sync_remote(signed: Signed, Path(id): Path<ProjectId>) -> Result<Json<ProjectRemote>, Problem> {
    Ok(Json(signed.team.sync_remote(&signed.member, id).await?))
}

/// Puts a card's work on a branch of the project's other repository, where a pull request of it can be opened: as one commit, or
/// one more on top of what was put there before. When it is merged there and comes back, the card is completed.
#[utoipa::path(post, path = "/api/features/{id}/publish", tag = "features",
    params(("id" = FeatureId, Path, description = "The feature.")), responses((status = 200, body = Published)))]
pub async fn publish_feature(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<FeatureId>,
) -> Result<Json<Published>, Problem> {
    let work = async move {
        let kept = hands_off(&app, id, Move::Merge).await?;
        let member = signed.member.id;
        let done = signed.team.publish(&signed.member, id, kept).await;
        match &done {
            Ok(Published { branch, .. }) => tracing::info!(%member, feature = %id, branch, "work was put elsewhere"),
            Err(error) => tracing::info!(%member, feature = %id, error = chain(error), "no work was put elsewhere"),
        }
        Ok::<_, Problem>(done?)
    };
    // It may take longer than whoever asked for it stays: so it is brought to its end.
    let work = tokio::spawn(work.in_current_span()).await;
    Ok(Json(work.unwrap_or_else(|error| Err(TeamError::internal("putting work elsewhere", error).into()))?))
}
