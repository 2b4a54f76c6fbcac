//! What a project's commands are given: its secrets, the toolchains of the machine, what tools keep between runs.

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_types::ProjectId;
use guildhall_types::secret::{ProjectSecret, SecretUse};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path};
use crate::problem::Problem;

/// A project's secrets.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectSecretList {
    /// By name; none of them with its value.
    items: Vec<ProjectSecret>,
}

/// Lists a project's secrets, masked.
#[utoipa::path(get, path = "/api/projects/{id}/secrets", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 200, body = ProjectSecretList)))]
pub async fn list_project_secrets(
    State(app): State<App>,
    Path(id): Path<ProjectId>,
) -> Result<Json<ProjectSecretList>, Problem> {
    if app.team.store.project(id).await?.is_none() {
        return Err(Problem::not_found("project"));
    }
    Ok(Json(ProjectSecretList { items: app.team.store.project_secrets(id).await? }))
}

/// A secret to be put in place.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutProjectSecret {
    /// The secret; at least 8 characters on one of its lines.
    value: String,
    /// Which commands it is given to; all kinds but terminals when absent.
    #[schema(nullable = false)]
    uses: Option<Vec<SecretUse>>,
}

/// Seals a secret of a project and puts it in place of the former one of its name.
#[utoipa::path(put, path = "/api/projects/{id}/secrets/{name}", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project."),
        ("name" = String, Path, description = "The environment variable in which commands find it.")),
    responses((status = 200, body = ProjectSecret)))]
pub async fn put_project_secret(
    signed: Signed,
    Path((id, name)): Path<(ProjectId, String)>,
    Json(new): Json<PutProjectSecret>,
) -> Result<Json<ProjectSecret>, Problem> {
    let saved = signed.team.put_project_secret(signed.by(), id, &name, &new.value, new.uses).await?;
    tracing::info!(member = %signed.member.id, project = %id, name, "a member put a secret of a project in place");
    Ok(Json(saved))
}

/// Deletes a secret of a project.
#[utoipa::path(delete, path = "/api/projects/{id}/secrets/{name}", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project."),
        ("name" = String, Path, description = "The environment variable in which commands find it.")),
    responses((status = 204)))]
pub async fn delete_project_secret(
    signed: Signed,
    Path((id, name)): Path<(ProjectId, String)>,
) -> Result<StatusCode, Problem> {
    signed.team.delete_project_secret(signed.by(), id, &name).await?;
    tracing::info!(member = %signed.member.id, project = %id, name, "a member deleted a secret of a project");
    Ok(StatusCode::NO_CONTENT)
}

/// A toolchain that the operator listed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListedToolchain {
    /// What it is.
    name: String,
    /// Where it is, on the server as in the sandbox.
    path: String,
}

/// What tools keep for a project on this server.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectCaches {
    /// Bytes on the disk.
    bytes: u64,
    /// Bytes that it may have; over that, what was not changed for longest goes when nobody works with it.
    most_bytes: u64,
    /// Whether a run or a trial works with it.
    in_use: bool,
}

/// What there is for a project's commands beside the system's own programs.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectOutfit {
    /// In the order in which programs are looked for.
    toolchains: Vec<ListedToolchain>,
    /// What tools keep between runs.
    caches: ProjectCaches,
}

/// Shows what there is for a project's commands: toolchains, and what tools keep between runs.
#[utoipa::path(get, path = "/api/projects/{id}/outfit", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 200, body = ProjectOutfit)))]
pub async fn get_project_outfit(
    State(app): State<App>,
    Path(id): Path<ProjectId>,
) -> Result<Json<ProjectOutfit>, Problem> {
    let project = app.team.store.project(id).await?.ok_or_else(|| Problem::not_found("project"))?;
    let size = app.engine.cache_size(id, &project.settings).await?;
    let toolchains = app.engine.toolchains().iter();
    Ok(Json(ProjectOutfit {
        toolchains: toolchains
            .map(|one| ListedToolchain { name: one.name.clone(), path: one.path.display().to_string() })
            .collect(),
        caches: ProjectCaches { bytes: size.bytes, most_bytes: size.most, in_use: size.in_use },
    }))
}

/// Takes away what tools keep for a project; the next run fetches it anew.
#[utoipa::path(delete, path = "/api/projects/{id}/caches", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 204)))]
pub async fn clear_project_caches(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<ProjectId>,
) -> Result<StatusCode, Problem> {
    app.engine.clear_caches(&signed.team, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
