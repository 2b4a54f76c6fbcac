//! Lists of MCP servers.

use std::collections::HashMap;

use guildhall_types::mcp::{McpServer, McpServerLine, McpTool, McpToolLine};
use guildhall_types::{McpServerId, ProjectId};

use super::{COLUMNS, TOOL, ToolRow};
use crate::{Store, StoreError, read};

/// What a list shows of a tool.
#[derive(sqlx::FromRow)]
struct LineRow {
    server_id: McpServerId,
    name: String,
    enabled: bool,
    hash: Option<String>,
    approved_hash: Option<String>,
}

impl From<LineRow> for McpToolLine {
    fn from(LineRow { name, enabled, hash, approved_hash, .. }: LineRow) -> Self {
        Self { standing: McpTool::standing(hash.as_deref(), approved_hash.as_deref()), name, enabled, hash }
    }
}

/// Whose MCP servers are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum McpServersOf {
    /// Those of the team and of all projects.
    All,
    /// Those that belong to the whole team.
    Team,
    /// Those of a project.
    Project(ProjectId),
}

impl Store {
    /// MCP servers after this one, with how their tools stand; none of archived projects. What they say of their tools is not
    /// read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mcp_server_lines(
        &self,
        of: McpServersOf,
        after: Option<McpServerId>,
        limit: i64,
    ) -> Result<Vec<McpServerLine>, StoreError> {
        let (all, project) = match of {
            McpServersOf::All => (true, None),
            McpServersOf::Team => (false, None),
            McpServersOf::Project(project) => (false, Some(project)),
        };
        let mut lines: Vec<McpServerLine> = read!(self, c => sqlx::query_as(
            "SELECT id, project_id, name, transport, enabled, trusted, test FROM mcp_servers
             WHERE ($1 OR project_id IS NOT DISTINCT FROM $2) AND ($3 IS NULL OR id > $3)
               AND (project_id IS NULL OR project_id IN (SELECT id FROM projects WHERE archived_at IS NULL))
             ORDER BY id LIMIT $4")
            .bind(all).bind(project).bind(after).bind(limit).fetch_all(c).await)?;
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return Ok(lines) };
        let rows: Vec<LineRow> = read!(self, c => sqlx::query_as(
            "SELECT t.server_id, t.name, t.enabled, t.hash, t.approved_hash FROM mcp_tools t
             JOIN mcp_servers s ON s.id = t.server_id
             WHERE t.server_id >= $1 AND t.server_id <= $2 AND ($3 OR s.project_id IS NOT DISTINCT FROM $4)
             ORDER BY t.name")
            .bind(first.id).bind(last.id).bind(all).bind(project).fetch_all(c).await)?;
        let mut tools: HashMap<McpServerId, Vec<McpToolLine>> = HashMap::new();
        for row in rows {
            tools.entry(row.server_id).or_default().push(row.into());
        }
        for line in &mut lines {
            line.tools = tools.remove(&line.id).unwrap_or_default();
        }
        Ok(lines)
    }

    /// The MCP servers of a project, or those of the whole team, by name, with all that they say of their tools; none of an archived
    /// project.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mcp_servers(&self, project: Option<ProjectId>) -> Result<Vec<McpServer>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM mcp_servers WHERE project_id IS NOT DISTINCT FROM $1
               AND (project_id IS NULL OR project_id IN (SELECT id FROM projects WHERE archived_at IS NULL)) ORDER BY name, id"
        );
        let mut servers: Vec<McpServer> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(project).fetch_all(c).await)?;
        let sql = format!(
            "SELECT {TOOL} FROM mcp_tools
             WHERE server_id IN (SELECT id FROM mcp_servers WHERE project_id IS NOT DISTINCT FROM $1) ORDER BY name"
        );
        let rows: Vec<ToolRow> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(project).fetch_all(c).await)?;
        let mut tools: HashMap<McpServerId, Vec<McpTool>> = HashMap::new();
        for row in rows {
            tools.entry(row.server_id).or_default().push(row.into());
        }
        for server in &mut servers {
            server.tools = tools.remove(&server.id).unwrap_or_default();
        }
        Ok(servers)
    }
}
