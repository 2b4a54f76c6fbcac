//! Systems of agents: listed, written, checked.

use axum::http::StatusCode;
use guildhall_types::system::{InputSchema, Step, System, SystemDefinition, SystemProblem, SystemStatus};
use guildhall_types::{DateTime, MemberId, SystemId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::auth::Signed;
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;
use crate::routes::page_size;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListSystems {
    /// What the page before gave as `next`.
    #[param(nullable = false)]
    after: Option<SystemId>,
    /// How many at most; 500 are the most.
    #[param(nullable = false)]
    limit: Option<i64>,
}

/// A system as the list shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SystemListItem {
    /// The system's id.
    id: SystemId,
    /// Whether it is ready for use.
    status: SystemStatus,
    /// Whether it comes with Guildhall.
    built_in: bool,
    /// Its name.
    name: String,
    /// What it is for.
    description: String,
    /// A free label to group by.
    category: Option<String>,
    /// A sign to know it by: a word that the page draws, or a character.
    icon: Option<String>,
    /// More labels.
    tags: Vec<String>,
    /// What whoever runs it is asked for.
    input_schema: InputSchema,
    /// How many agents it has.
    agents: usize,
    /// How many steps it has, those within others included.
    steps: usize,
    /// Who made it; absent for one that comes with Guildhall.
    created_by: Option<MemberId>,
    /// When it last changed.
    updated_at: DateTime,
}

fn count(steps: &[Step]) -> usize {
    let inner = |step: &Step| count(&step.children) + count(&step.true_branch) + count(&step.false_branch);
    steps.iter().map(|step| 1 + inner(step)).sum()
}

impl From<System> for SystemListItem {
    fn from(system: System) -> Self {
        let definition = system.definition;
        Self {
            id: system.id,
            status: system.status,
            built_in: system.built_in,
            name: definition.name,
            description: definition.description,
            category: definition.category,
            icon: definition.icon,
            tags: definition.tags,
            input_schema: definition.input_schema,
            agents: definition.agents.len(),
            steps: count(&definition.workflow),
            created_by: system.created_by,
            updated_at: system.updated_at,
        }
    }
}

/// A page of systems.
#[derive(Debug, Serialize, ToSchema)]
pub struct SystemPage {
    /// The systems: those that come with Guildhall first, then in the order of their making.
    items: Vec<SystemListItem>,
    /// Where the next page begins, if there is one.
    next: Option<SystemId>,
}

/// Lists the systems. Another member's drafts are left out.
#[utoipa::path(get, path = "/api/systems", tag = "systems", params(ListSystems), responses((status = 200, body = SystemPage)))]
pub async fn list_systems(signed: Signed, Query(query): Query<ListSystems>) -> Result<Json<SystemPage>, Problem> {
    let limit = page_size(query.limit)?;
    let (items, next) = signed.team.systems(signed.by(), query.after, limit).await?;
    Ok(Json(SystemPage { items: items.into_iter().map(SystemListItem::from).collect(), next }))
}

/// A system to be kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateSystem {
    /// Whether it is ready for use: a draft when absent. A draft may have problems.
    #[serde(default = "draft")]
    status: SystemStatus,
    /// What it does.
    definition: SystemDefinition,
}

const fn draft() -> SystemStatus {
    SystemStatus::Draft
}

/// Keeps a new system.
#[utoipa::path(post, path = "/api/systems", tag = "systems", responses((status = 201, body = System)))]
pub async fn create_system(
    signed: Signed,
    Json(new): Json<CreateSystem>,
) -> Result<(StatusCode, Json<System>), Problem> {
    let system = signed.team.create_system(&signed.member, new.status, &new.definition).await?;
    Ok((StatusCode::CREATED, Json(system)))
}

/// Shows a system.
#[utoipa::path(get, path = "/api/systems/{id}", tag = "systems",
    params(("id" = SystemId, Path, description = "The system.")), responses((status = 200, body = System)))]
pub async fn get_system(signed: Signed, Path(id): Path<SystemId>) -> Result<Json<System>, Problem> {
    Ok(Json(signed.team.system(signed.by(), id).await?))
}

/// A system as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeSystem {
    /// The version that was looked at.
    version: i64,
    /// Whether it is ready for use.
    status: SystemStatus,
    /// What it does; replaces what it did.
    definition: SystemDefinition,
}

/// Changes a system. Executions that have begun go on as they began.
#[utoipa::path(put, path = "/api/systems/{id}", tag = "systems",
    params(("id" = SystemId, Path, description = "The system.")), responses((status = 200, body = System)))]
pub async fn change_system(
    signed: Signed,
    Path(id): Path<SystemId>,
    Json(change): Json<ChangeSystem>,
) -> Result<Json<System>, Problem> {
    let ChangeSystem { version, status, definition } = change;
    Ok(Json(signed.team.change_system(signed.by(), id, version, status, &definition).await?))
}

/// Deletes a system. Executions of it stay, and go on.
#[utoipa::path(delete, path = "/api/systems/{id}", tag = "systems",
    params(("id" = SystemId, Path, description = "The system.")), responses((status = 204)))]
pub async fn delete_system(signed: Signed, Path(id): Path<SystemId>) -> Result<StatusCode, Problem> {
    signed.team.delete_system(signed.by(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a draft that is the same as a system.
#[utoipa::path(post, path = "/api/systems/{id}/duplicate", tag = "systems",
    params(("id" = SystemId, Path, description = "The system.")), responses((status = 201, body = System)))]
pub async fn duplicate_system(signed: Signed, Path(id): Path<SystemId>) -> Result<(StatusCode, Json<System>), Problem> {
    Ok((StatusCode::CREATED, Json(signed.team.duplicate_system(signed.by(), id).await?)))
}

/// What is wrong with a system.
#[derive(Debug, Serialize, ToSchema)]
pub struct SystemProblems {
    /// Everything that keeps it from being run; nothing for one that can be.
    problems: Vec<SystemProblem>,
}

/// Says what is wrong with a system, and keeps nothing.
#[utoipa::path(post, path = "/api/systems/validate", tag = "systems", request_body = SystemDefinition,
    responses((status = 200, body = SystemProblems)))]
pub async fn validate_system(
    signed: Signed,
    Json(definition): Json<SystemDefinition>,
) -> Result<Json<SystemProblems>, Problem> {
    Ok(Json(SystemProblems { problems: signed.team.system_problems(&signed.member, &definition).await? }))
}
