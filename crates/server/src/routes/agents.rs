//! Agents: defining them, and letting one run by itself.

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_store::{AgentPatch, AgentQuery, AsideQuery};
use guildhall_team::{AgentWish, NewTask};
use guildhall_types::agent::{
    Agent, AgentModel, AgentServer, AgentStatus, AgentTool, KNOWN_TOOLS, KnownTool, TaskState,
};
use guildhall_types::feature::{Feature, FeatureCard, FeatureKind, WorkMode};
use guildhall_types::{AgentId, FeatureId, ProjectId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::chats::{ToCard, cursor};
use super::deeds::{Accepted, FeatureAndRun, accepted, usable_sandbox};
use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path, Query, present};
use crate::problem::Problem;
use crate::routes::{page_size, word};

/// Which agents.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListAgents {
    /// Only with this status.
    #[param(nullable = false)]
    status: Option<String>,
    /// Only with this text in name, description or tags.
    #[param(nullable = false)]
    q: Option<String>,
    /// What the page before gave as `next`.
    #[param(nullable = false)]
    after: Option<AgentId>,
    /// How many at most; 500 are the most.
    #[param(nullable = false)]
    limit: Option<i64>,
}

/// A page of agents.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentPage {
    /// The agents, the oldest first.
    items: Vec<Agent>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// Lists the team's agents, and one's own drafts.
#[utoipa::path(get, path = "/api/agents", tag = "agents", params(ListAgents), responses((status = 200, body = AgentPage)))]
pub async fn list_agents(signed: Signed, Query(query): Query<ListAgents>) -> Result<Json<AgentPage>, Problem> {
    let query = AgentQuery {
        viewer: signed.member.id,
        status: query.status.map(|status| word::<AgentStatus>("status", &status)).transpose()?,
        text: query.q,
        after: query.after,
        limit: page_size(query.limit)?,
    };
    let page = signed.team.agents(&query).await?;
    Ok(Json(AgentPage { items: page.items, next: page.next }))
}

/// The tools that agents can have.
#[derive(Debug, Serialize, ToSchema)]
pub struct ToolList {
    /// The tools.
    items: Vec<KnownTool>,
}

/// Lists the tools that an agent can have, with what each does.
#[utoipa::path(get, path = "/api/agents/tools", tag = "agents", responses((status = 200, body = ToolList)))]
pub async fn list_agent_tools() -> Json<ToolList> {
    Json(ToolList { items: KNOWN_TOOLS.to_vec() })
}

/// An agent to be defined.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateAgent {
    /// What it is called.
    name: String,
    /// What it is good for.
    description: Option<String>,
    /// What it is told beside the house's own rules, in Markdown.
    system_prompt: String,
    /// Which model it calls, and how.
    model: Option<AgentModel>,
    /// Its tools; all that are known when absent. One that is not named, or not enabled, it does not have.
    tools: Option<Vec<AgentTool>>,
    /// Its MCP servers, by name, and which of their tools it has; all where none are named.
    mcp_servers: Option<Vec<AgentServer>>,
    /// A character that it is shown by.
    icon: Option<String>,
    /// Words to find it by.
    tags: Option<Vec<String>>,
}

/// Defines an agent: a draft that only its maker sees until it is activated.
#[utoipa::path(post, path = "/api/agents", tag = "agents", responses((status = 201, body = Agent)))]
pub async fn create_agent(signed: Signed, Json(new): Json<CreateAgent>) -> Result<(StatusCode, Json<Agent>), Problem> {
    let wish = AgentWish {
        name: new.name,
        description: new.description,
        system_prompt: new.system_prompt,
        model: new.model,
        tools: new.tools,
        mcp_servers: new.mcp_servers,
        icon: new.icon,
        tags: new.tags,
    };
    Ok((StatusCode::CREATED, Json(signed.team.create_agent(&signed.member, wish).await?)))
}

/// Shows an agent.
#[utoipa::path(get, path = "/api/agents/{id}", tag = "agents",
    params(("id" = AgentId, Path, description = "The agent.")), responses((status = 200, body = Agent)))]
pub async fn get_agent(signed: Signed, Path(id): Path<AgentId>) -> Result<Json<Agent>, Problem> {
    Ok(Json(signed.team.agent(signed.member.id, id).await?))
}

/// What to change of an agent; what is absent stays, and `null` takes a value away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateAgent {
    /// What it is called.
    #[schema(nullable = false)]
    name: Option<String>,
    /// What it is good for.
    #[schema(nullable = false)]
    description: Option<String>,
    /// What it is told beside the house's own rules, in Markdown.
    #[schema(nullable = false)]
    system_prompt: Option<String>,
    /// Which model it calls, and how; the whole of it.
    #[schema(nullable = false)]
    model: Option<AgentModel>,
    /// Its tools; all of them.
    #[schema(nullable = false)]
    tools: Option<Vec<AgentTool>>,
    /// Its MCP servers; all of them.
    #[schema(nullable = false)]
    mcp_servers: Option<Vec<AgentServer>>,
    /// A character that it is shown by.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    icon: Option<Option<String>>,
    /// Words to find it by; all of them.
    #[schema(nullable = false)]
    tags: Option<Vec<String>>,
    /// Refuses the change when the agent is no longer at this version.
    #[schema(nullable = false)]
    expect_version: Option<i64>,
}

/// Changes an agent: its maker may, and admins. Runs that have begun keep it as it was.
#[utoipa::path(patch, path = "/api/agents/{id}", tag = "agents",
    params(("id" = AgentId, Path, description = "The agent.")), responses((status = 200, body = Agent)))]
pub async fn update_agent(
    signed: Signed,
    Path(id): Path<AgentId>,
    Json(change): Json<UpdateAgent>,
) -> Result<Json<Agent>, Problem> {
    let patch = AgentPatch {
        name: change.name,
        description: change.description,
        system_prompt: change.system_prompt,
        status: None,
        model: change.model,
        tools: change.tools,
        mcp_servers: change.mcp_servers,
        icon: change.icon,
        tags: change.tags,
    };
    Ok(Json(signed.team.update_agent(signed.by(), id, patch, change.expect_version).await?))
}

async fn set_status(signed: Signed, id: AgentId, status: AgentStatus) -> Result<Json<Agent>, Problem> {
    let patch = AgentPatch { status: Some(status), ..AgentPatch::default() };
    Ok(Json(signed.team.update_agent(signed.by(), id, patch, None).await?))
}

/// Activates an agent: everybody sees it from then on and can use it. Its maker may, and admins.
#[utoipa::path(post, path = "/api/agents/{id}/activate", tag = "agents",
    params(("id" = AgentId, Path, description = "The agent.")), responses((status = 200, body = Agent)))]
pub async fn activate_agent(signed: Signed, Path(id): Path<AgentId>) -> Result<Json<Agent>, Problem> {
    set_status(signed, id, AgentStatus::Active).await
}

/// Archives an agent: nobody can use it for something new. Its maker may, and admins.
#[utoipa::path(post, path = "/api/agents/{id}/archive", tag = "agents",
    params(("id" = AgentId, Path, description = "The agent.")), responses((status = 200, body = Agent)))]
pub async fn archive_agent(signed: Signed, Path(id): Path<AgentId>) -> Result<Json<Agent>, Problem> {
    set_status(signed, id, AgentStatus::Archived).await
}

/// Copies an agent into a draft of one's own.
#[utoipa::path(post, path = "/api/agents/{id}/duplicate", tag = "agents",
    params(("id" = AgentId, Path, description = "The agent.")), responses((status = 201, body = Agent)))]
pub async fn duplicate_agent(signed: Signed, Path(id): Path<AgentId>) -> Result<(StatusCode, Json<Agent>), Problem> {
    Ok((StatusCode::CREATED, Json(signed.team.duplicate_agent(&signed.member, id).await?)))
}

/// Deletes an agent: its maker may, and admins. What runs with it goes on as it began.
#[utoipa::path(delete, path = "/api/agents/{id}", tag = "agents",
    params(("id" = AgentId, Path, description = "The agent.")), responses((status = 204)))]
pub async fn delete_agent(signed: Signed, Path(id): Path<AgentId>) -> Result<StatusCode, Problem> {
    signed.team.delete_agent(signed.by(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What an agent is to do by itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunAgent {
    /// In which project.
    project_id: ProjectId,
    /// What to do.
    prompt: String,
    /// What it may do to the files: `read` looks and changes nothing, `work` has a worktree and a branch of its own.
    mode: WorkMode,
    /// The model to use; the agent's, the project's or the server's default when absent.
    model: Option<String>,
}

/// Lets an agent work on a prompt by itself. Its closing words are the task's result.
#[utoipa::path(post, path = "/api/agents/{id}/run", tag = "agents",
    params(("id" = AgentId, Path, description = "The agent.")), responses((status = 202, body = FeatureAndRun)))]
pub async fn run_agent(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<AgentId>,
    Json(wish): Json<RunAgent>,
) -> Result<Accepted, Problem> {
    usable_sandbox(&app).await?;
    signed.team.agent(signed.member.id, id).await?;
    let task =
        NewTask { agent: Some(id), model: wish.model, mode: wish.mode, ..NewTask::new(wish.project_id, wish.prompt) };
    Ok(accepted(signed.team.start_task(signed.member.id, task).await?))
}

/// Shows how a task stands, and what came of it.
#[utoipa::path(get, path = "/api/tasks/{id}", tag = "agents",
    params(("id" = FeatureId, Path, description = "The task.")), responses((status = 200, body = TaskState)))]
pub async fn get_task(State(app): State<App>, Path(id): Path<FeatureId>) -> Result<Json<TaskState>, Problem> {
    Ok(Json(app.team.task(id).await?))
}

/// Which tasks.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListTasks {
    /// What the page before gave as `next`.
    #[param(nullable = false)]
    after: Option<String>,
    /// How many at most; 500 are the most.
    #[param(nullable = false)]
    limit: Option<i64>,
}

/// A page of tasks.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskPage {
    /// The tasks, those in which something happened last first.
    items: Vec<FeatureCard>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// Lists the tasks that one gave an agent oneself, those in which something happened last first. One that became a card is on
/// the board.
#[utoipa::path(get, path = "/api/agents/{id}/tasks", tag = "agents",
    params(("id" = AgentId, Path, description = "The agent."), ListTasks), responses((status = 200, body = TaskPage)))]
pub async fn list_tasks(
    signed: Signed,
    Path(id): Path<AgentId>,
    Query(query): Query<ListTasks>,
) -> Result<Json<TaskPage>, Problem> {
    let (of, after) = (Some(signed.member.id), cursor(query.after.as_deref())?);
    let query = AsideQuery { of, after, limit: page_size(query.limit)? };
    let page = signed.team.tasks_of_agent(signed.member.id, id, &query).await?;
    Ok(Json(TaskPage { items: page.items, next: page.next }))
}

/// Turns what an agent did by itself into a card with a number: conversation, worktree and changes stay. It has come to its end,
/// and was let change files.
#[utoipa::path(post, path = "/api/tasks/{id}/to-card", tag = "agents",
    params(("id" = FeatureId, Path, description = "The task.")), responses((status = 200, body = Feature)))]
pub async fn task_to_card(
    signed: Signed,
    Path(id): Path<FeatureId>,
    body: Option<Json<ToCard>>,
) -> Result<Json<Feature>, Problem> {
    let wish = body.map(|Json(wish)| wish).unwrap_or_default();
    Ok(Json(signed.team.to_card(id, FeatureKind::Task, wish.title.as_deref()).await?))
}
