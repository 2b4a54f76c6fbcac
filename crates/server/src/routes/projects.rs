//! Projects.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_git::Commit;
use guildhall_team::sample::{Suggestion, suggestions};
use guildhall_types::ProjectId;
use guildhall_types::change::Change;
use guildhall_types::feature::FeatureStatus;
use guildhall_types::project::{Project, ProjectSettings, ProjectSource};
use guildhall_types::rights::MemberRight;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;
use crate::routes::{next, page_size};

/// Lists the features that the page offers on the sample project's empty board.
#[utoipa::path(get, path = "/api/sample/suggestions", tag = "projects", responses((status = 200, body = Vec<Suggestion>)))]
pub async fn list_suggestions() -> Result<Json<Vec<Suggestion>>, Problem> {
    Ok(Json(suggestions()?))
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListProjects {
    /// What the page before gave as `next`.
    #[param(nullable = false)]
    after: Option<ProjectId>,
    /// How many at most; 500 are the most.
    #[param(nullable = false)]
    limit: Option<i64>,
}

/// A project with the number of its cards in each status.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectListItem {
    /// The project.
    #[serde(flatten)]
    project: Project,
    /// Cards by status; a status without cards is absent.
    #[schema(value_type = BTreeMap<String, i64>)]
    counts: BTreeMap<FeatureStatus, i64>,
}

/// A page of projects.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectPage {
    /// The projects, in the order of their making.
    items: Vec<ProjectListItem>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// Lists the projects.
#[utoipa::path(get, path = "/api/projects", tag = "projects", params(ListProjects), responses((status = 200, body = ProjectPage)))]
pub async fn list_projects(
    State(app): State<App>,
    Query(query): Query<ListProjects>,
) -> Result<Json<ProjectPage>, Problem> {
    let limit = page_size(query.limit)?;
    let mut found = app.team.store.projects(query.after, limit + 1).await?;
    let next = next(&mut found, limit, |item| item.project.id.to_string());
    let item =
        |found: guildhall_store::ProjectSummary| ProjectListItem { project: found.project, counts: found.counts };
    Ok(Json(ProjectPage { items: found.into_iter().map(item).collect(), next }))
}

/// A project to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateProject {
    /// The name that is shown; unique among projects that are not archived.
    name: String,
    /// Where the repository comes from.
    source: ProjectSource,
}

/// Adds a project. Its repository is made in the background; an event tells when it is ready.
#[utoipa::path(post, path = "/api/projects", tag = "projects", responses((status = 201, body = Project)))]
pub async fn create_project(
    signed: Signed,
    Json(new): Json<CreateProject>,
) -> Result<(StatusCode, Json<Project>), Problem> {
    let project = signed.team.create_project(&signed.member, &new.name, new.source).await?;
    Ok((StatusCode::CREATED, Json(project)))
}

/// Shows a project.
#[utoipa::path(get, path = "/api/projects/{id}", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 200, body = Project)))]
pub async fn get_project(State(app): State<App>, Path(id): Path<ProjectId>) -> Result<Json<Project>, Problem> {
    app.team.store.project(id).await?.map(Json).ok_or_else(|| Problem::not_found("project"))
}

/// What to change of a project; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateProject {
    /// The name that is shown.
    #[schema(nullable = false)]
    name: Option<String>,
    /// How agents work in it; of these, too, what is absent stays. Lists are replaced as a whole.
    #[schema(value_type = Option<ProjectSettings>, nullable = false)]
    settings: Option<Change<ProjectSettings>>,
}

/// Changes a project. Only admins open the network to its commands.
#[utoipa::path(patch, path = "/api/projects/{id}", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 200, body = Project)))]
pub async fn update_project(
    signed: Signed,
    Path(id): Path<ProjectId>,
    Json(change): Json<UpdateProject>,
) -> Result<Json<Project>, Problem> {
    let admin = signed.may(MemberRight::Administer);
    let UpdateProject { name, settings } = change;
    Ok(Json(signed.team.change_project_in_part(id, name.as_deref(), settings.as_ref(), admin).await?))
}

/// Archives a project. Its cards and its repository stay where they are; auto mode is switched off in it.
#[utoipa::path(delete, path = "/api/projects/{id}", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 204)))]
pub async fn archive_project(signed: Signed, Path(id): Path<ProjectId>) -> Result<StatusCode, Problem> {
    signed.team.store.archive_project(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a failed repository once more.
#[utoipa::path(post, path = "/api/projects/{id}/retry", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 202, body = Project)))]
pub async fn retry_project(signed: Signed, Path(id): Path<ProjectId>) -> Result<(StatusCode, Json<Project>), Problem> {
    Ok((StatusCode::ACCEPTED, Json(signed.team.retry_project(id).await?)))
}

/// Which commits.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListCommits {
    /// The branch; the project's default branch when absent.
    #[param(nullable = false)]
    branch: Option<String>,
    /// How many of the latest to leave out.
    #[param(nullable = false)]
    skip: Option<i64>,
    /// How many at most; 500 are the most.
    #[param(nullable = false)]
    limit: Option<i64>,
}

/// Commits of a branch.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommitPage {
    /// The branch.
    branch: String,
    /// The commits, the latest first.
    items: Vec<Commit>,
}

/// Lists a branch's commits, the latest first.
#[utoipa::path(get, path = "/api/projects/{id}/commits", tag = "projects",
    params(("id" = ProjectId, Path, description = "The project."), ListCommits), responses((status = 200, body = CommitPage)))]
pub async fn list_commits(
    State(app): State<App>,
    Path(id): Path<ProjectId>,
    Query(query): Query<ListCommits>,
) -> Result<Json<CommitPage>, Problem> {
    let limit = usize::try_from(page_size(query.limit)?).unwrap_or_default();
    let skip = usize::try_from(query.skip.unwrap_or(0))
        .map_err(|_| Problem::invalid("skip", "give a number that is not negative"))?;
    let (project, repo) = app.team.ready_project(id).await?;
    let branch = query.branch.unwrap_or(project.default_branch);
    if repo.branch(&branch).await?.is_none() {
        return Err(Problem::not_found("branch"));
    }
    let items = repo.log(&branch, skip, limit).await?;
    Ok(Json(CommitPage { branch, items }))
}
