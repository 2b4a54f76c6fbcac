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

impl Store {
    /// MCP servers of a project, or of all projects that are not archived, after this one, with how their tools stand. What they
    /// say of their tools is not read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mcp_server_lines(
        &self,
        project: Option<ProjectId>,
        after: Option<McpServerId>,
        limit: i64,
    ) -> Result<Vec<McpServerLine>, StoreError> {
        let mut lines: Vec<McpServerLine> = read!(self, c => sqlx::query_as(
            "SELECT id, project_id, name, transport, enabled, trusted, test FROM mcp_servers
             WHERE ($1 IS NULL OR project_id = $1) AND ($2 IS NULL OR id > $2)
               AND project_id IN (SELECT id FROM projects WHERE archived_at IS NULL) ORDER BY id LIMIT $3")
            .bind(project).bind(after).bind(limit).fetch_all(c).await)?;
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return Ok(lines) };
        let rows: Vec<LineRow> = read!(self, c => sqlx::query_as(
            "SELECT t.server_id, t.name, t.enabled, t.hash, t.approved_hash FROM mcp_tools t
             JOIN mcp_servers s ON s.id = t.server_id
             WHERE t.server_id >= $1 AND t.server_id <= $2 AND ($3 IS NULL OR s.project_id = $3) ORDER BY t.name")
            .bind(first.id).bind(last.id).bind(project).fetch_all(c).await)?;
        let mut tools: HashMap<McpServerId, Vec<McpToolLine>> = HashMap::new();
        for row in rows {
            tools.entry(row.server_id).or_default().push(row.into());
        }
        for line in &mut lines {
            line.tools = tools.remove(&line.id).unwrap_or_default();
        }
        Ok(lines)
    }

    /// The MCP servers of a project, by name, with all that they say of their tools; none of an archived project.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mcp_servers(&self, project: ProjectId) -> Result<Vec<McpServer>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM mcp_servers WHERE project_id = $1
               AND project_id IN (SELECT id FROM projects WHERE archived_at IS NULL) ORDER BY name, id"
        );
        let mut servers: Vec<McpServer> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(project).fetch_all(c).await)?;
        let sql = format!(
            "SELECT {TOOL} FROM mcp_tools
             WHERE server_id IN (SELECT id FROM mcp_servers WHERE project_id = $1) ORDER BY name"
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
