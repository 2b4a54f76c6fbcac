//! MCP servers of projects and of the whole team, and what agents get of their tools.

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_store::McpServersOf;
use guildhall_team::{McpServerWish, McpServerWishes, McpValueWish};
use guildhall_types::mcp::{McpProposal, McpServer, McpServerLine, McpTransport, SERVERS};
use guildhall_types::{McpServerId, ProjectId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;
use crate::routes::next;

/// Servers of a page at most: each may have hundreds of tools.
const PAGE: i64 = 100;

/// Which page of the MCP servers.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListMcpServers {
    /// What the page before gave as `next`.
    #[param(nullable = false)]
    after: Option<McpServerId>,
    /// How many at most; 100 are the most.
    #[param(nullable = false)]
    limit: Option<i64>,
    /// Whether only those are listed that are the whole team's.
    #[param(nullable = false)]
    team: Option<bool>,
}

/// A page of MCP servers.
#[derive(Debug, Serialize, ToSchema)]
pub struct McpServerPage {
    /// In the order of their making.
    items: Vec<McpServerLine>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// The MCP servers of a project: a few.
#[derive(Debug, Serialize, ToSchema)]
pub struct McpServerList {
    /// By name.
    items: Vec<McpServerLine>,
}

/// An environment variable or a header.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetMcpValue {
    /// What it is called.
    name: String,
    /// The value. A secret that is there already stays when it is absent.
    #[schema(nullable = false)]
    value: Option<String>,
    /// Whether it is sealed and never shown again; it is when nothing is said.
    #[schema(nullable = false)]
    secret: Option<bool>,
}

impl From<SetMcpValue> for McpValueWish {
    fn from(set: SetMcpValue) -> Self {
        Self::new(set.name, set.value, set.secret.unwrap_or(true))
    }
}

/// An MCP server to be added.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateMcpServer {
    /// What it is called: small letters, digits and hyphens.
    name: String,
    /// How it is reached.
    transport: McpTransport,
    /// The environment of a program, or the headers of each request.
    #[schema(nullable = false)]
    values: Option<Vec<SetMcpValue>>,
    /// Seconds that a start and each call may take; 60 when absent.
    #[schema(nullable = false)]
    timeout_seconds: Option<i64>,
}

impl From<CreateMcpServer> for McpServerWish {
    fn from(new: CreateMcpServer) -> Self {
        Self {
            name: new.name,
            transport: new.transport,
            values: values(new.values.unwrap_or_default()),
            timeout_seconds: new.timeout_seconds,
        }
    }
}

/// Changes an MCP server; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeMcpServer {
    /// What it is called.
    #[schema(nullable = false)]
    name: Option<String>,
    /// How it is reached. Secrets go nowhere else by themselves: for another address or command, and for a program whose other
    /// variables change, give them anew. With another address or command it is trusted no more, unless `trusted` is given, too.
    #[schema(nullable = false)]
    transport: Option<McpTransport>,
    /// Its environment or headers, all of them.
    #[schema(nullable = false)]
    values: Option<Vec<SetMcpValue>>,
    /// Seconds that a start and each call may take.
    #[schema(nullable = false)]
    timeout_seconds: Option<i64>,
    /// Whether agents may have its tools at all.
    #[schema(nullable = false)]
    enabled: Option<bool>,
    /// Whether tools that it calls read-only may be used where nothing may be changed.
    #[schema(nullable = false)]
    trusted: Option<bool>,
}

/// A tool as the member saw it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeenMcpTool {
    /// Which tool.
    name: String,
    /// The hash of what the server said of it then.
    hash: String,
}

/// Which tools are approved.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApproveMcpTools {
    /// All of them, or none.
    tools: Vec<SeenMcpTool>,
}

/// A tool, and whether agents may have it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SwitchMcpTool {
    /// Which tool.
    name: String,
    /// Whether agents may have it.
    enabled: bool,
}

/// Which tools agents may have. Those that are not named stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChooseMcpTools {
    /// The tools.
    tools: Vec<SwitchMcpTool>,
}

fn values(set: Vec<SetMcpValue>) -> Vec<McpValueWish> {
    set.into_iter().map(Into::into).collect()
}

/// Lists the MCP servers of the team and of all projects, with how their tools stand. Those of the team have no project.
#[utoipa::path(get, path = "/api/mcp-servers", tag = "mcp", params(ListMcpServers),
    responses((status = 200, body = McpServerPage)))]
pub async fn list_all_mcp_servers(
    signed: Signed,
    Query(ListMcpServers { after, limit, team }): Query<ListMcpServers>,
) -> Result<Json<McpServerPage>, Problem> {
    let limit = limit.unwrap_or(PAGE);
    if !(1..=PAGE).contains(&limit) {
        return Err(Problem::invalid("limit", format!("give a number from 1 to {PAGE}")));
    }
    let of = if team == Some(true) { McpServersOf::Team } else { McpServersOf::All };
    let mut items = signed.team.store.mcp_server_lines(of, after, limit + 1).await?;
    let next = next(&mut items, limit, |server| server.id.to_string());
    Ok(Json(McpServerPage { items, next }))
}

/// Lists the MCP servers of a project, without the team's, with how their tools stand.
#[utoipa::path(get, path = "/api/projects/{id}/mcp-servers", tag = "mcp",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 200, body = McpServerList)))]
pub async fn list_mcp_servers(signed: Signed, Path(id): Path<ProjectId>) -> Result<Json<McpServerList>, Problem> {
    if signed.team.store.project(id).await?.is_none() {
        return Err(Problem::not_found("project"));
    }
    let mut items = signed.team.store.mcp_server_lines(McpServersOf::Project(id), None, SERVERS).await?;
    items.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Json(McpServerList { items }))
}

/// Shows an MCP server, with all that it says of its tools. Secrets are named and not shown.
#[utoipa::path(get, path = "/api/mcp-servers/{id}", tag = "mcp",
    params(("id" = McpServerId, Path, description = "The server.")), responses((status = 200, body = McpServer)))]
pub async fn get_mcp_server(signed: Signed, Path(id): Path<McpServerId>) -> Result<Json<McpServer>, Problem> {
    Ok(Json(signed.team.mcp_server(id).await?))
}

/// Servers that a repository names.
#[derive(Debug, Serialize, ToSchema)]
pub struct McpProposalList {
    /// In the order of the file.
    items: Vec<McpProposal>,
}

/// Lists the servers that the project's repository names in its `.mcp.json`. Nothing of that file is obeyed: a member may add one.
#[utoipa::path(get, path = "/api/projects/{id}/mcp-proposals", tag = "mcp",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 200, body = McpProposalList)))]
pub async fn list_mcp_proposals(signed: Signed, Path(id): Path<ProjectId>) -> Result<Json<McpProposalList>, Problem> {
    Ok(Json(McpProposalList { items: signed.team.mcp_proposals(id).await? }))
}

/// Adds an MCP server to a project. Its tools are told to no agent before a member has approved them.
#[utoipa::path(post, path = "/api/projects/{id}/mcp-servers", tag = "mcp",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 201, body = McpServer)))]
pub async fn create_mcp_server(
    signed: Signed,
    Path(id): Path<ProjectId>,
    Json(new): Json<CreateMcpServer>,
) -> Result<(StatusCode, Json<McpServer>), Problem> {
    Ok((StatusCode::CREATED, Json(signed.team.create_mcp_server(signed.by(), Some(id), new.into()).await?)))
}

/// Adds an MCP server to the whole team: agents that name it have its approved tools in every project, but in those that have one
/// of that name themselves. Admins alone try, approve and change it.
#[utoipa::path(post, path = "/api/mcp-servers", tag = "mcp", responses((status = 201, body = McpServer)))]
pub async fn create_team_mcp_server(
    signed: Signed,
    Json(new): Json<CreateMcpServer>,
) -> Result<(StatusCode, Json<McpServer>), Problem> {
    Ok((StatusCode::CREATED, Json(signed.team.create_mcp_server(signed.by(), None, new.into()).await?)))
}

/// Changes an MCP server; one that is the whole team's, if you are an admin.
#[utoipa::path(patch, path = "/api/mcp-servers/{id}", tag = "mcp",
    params(("id" = McpServerId, Path, description = "The server.")), responses((status = 200, body = McpServer)))]
pub async fn change_mcp_server(
    signed: Signed,
    Path(id): Path<McpServerId>,
    Json(change): Json<ChangeMcpServer>,
) -> Result<Json<McpServer>, Problem> {
    let wishes = McpServerWishes {
        name: change.name,
        transport: change.transport,
        values: change.values.map(values),
        timeout_seconds: change.timeout_seconds,
        enabled: change.enabled,
        trusted: change.trusted,
    };
    Ok(Json(signed.team.change_mcp_server(signed.by(), id, wishes).await?))
}

/// Takes an MCP server out of its project or the team, with its secrets. Agents at work can call it no more.
#[utoipa::path(delete, path = "/api/mcp-servers/{id}", tag = "mcp",
    params(("id" = McpServerId, Path, description = "The server.")), responses((status = 204)))]
pub async fn delete_mcp_server(signed: Signed, Path(id): Path<McpServerId>) -> Result<StatusCode, Problem> {
    signed.team.delete_mcp_server(signed.by(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where an MCP server is tried.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TryMcpServer {
    /// In which project's sandbox a program of the whole team's is started. A project's is started in its own.
    #[param(nullable = false)]
    project_id: Option<ProjectId>,
}

/// Starts or reaches an MCP server and lists its tools. What came of it stands in `test`, also when it failed.
#[utoipa::path(post, path = "/api/mcp-servers/{id}/test", tag = "mcp",
    params(("id" = McpServerId, Path, description = "The server."), TryMcpServer),
    responses((status = 200, body = McpServer)))]
pub async fn test_mcp_server(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<McpServerId>,
    Query(TryMcpServer { project_id }): Query<TryMcpServer>,
) -> Result<Json<McpServer>, Problem> {
    Ok(Json(app.engine.try_mcp_server(&signed.team, signed.by(), id, project_id).await?))
}

/// Approves tools of an MCP server as the member saw them. Agents that begin from then on have them.
#[utoipa::path(post, path = "/api/mcp-servers/{id}/approve-tools", tag = "mcp",
    params(("id" = McpServerId, Path, description = "The server.")), responses((status = 200, body = McpServer)))]
pub async fn approve_mcp_tools(
    signed: Signed,
    Path(id): Path<McpServerId>,
    Json(approve): Json<ApproveMcpTools>,
) -> Result<Json<McpServer>, Problem> {
    let tools = approve.tools.into_iter().map(|tool| (tool.name, tool.hash)).collect();
    Ok(Json(signed.team.approve_mcp_tools(signed.by(), id, tools).await?))
}

/// Switches tools of an MCP server on and off for agents.
#[utoipa::path(post, path = "/api/mcp-servers/{id}/choose-tools", tag = "mcp",
    params(("id" = McpServerId, Path, description = "The server.")), responses((status = 200, body = McpServer)))]
pub async fn choose_mcp_tools(
    signed: Signed,
    Path(id): Path<McpServerId>,
    Json(choose): Json<ChooseMcpTools>,
) -> Result<Json<McpServer>, Problem> {
    let tools = choose.tools.into_iter().map(|tool| (tool.name, tool.enabled)).collect();
    Ok(Json(signed.team.choose_mcp_tools(signed.by(), id, tools).await?))
}
