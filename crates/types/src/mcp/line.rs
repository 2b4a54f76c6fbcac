//! MCP servers as lists show them: without what they say of their tools, of which there may be megabytes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{McpStanding, McpTest, McpTransport};
use crate::{McpServerId, ProjectId};

/// A tool of a server as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct McpToolLine {
    /// What the server calls it.
    pub name: String,
    /// How it stands.
    pub standing: McpStanding,
    /// Whether agents may have it.
    pub enabled: bool,
    /// The SHA-256 of what the server says of it now; nothing when it is gone.
    pub hash: Option<String>,
}

/// An MCP server as lists show it. Its values, and what it says of its tools, are had by its own address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct McpServerLine {
    /// The server's id.
    pub id: McpServerId,
    /// Its project; nothing where it is the whole team's.
    pub project_id: Option<ProjectId>,
    /// What it is called.
    pub name: String,
    /// How it is reached.
    #[cfg_attr(feature = "sqlx", sqlx(json))]
    pub transport: McpTransport,
    /// Whether agents may have its tools at all.
    pub enabled: bool,
    /// Whether a member trusts what it says of its tools.
    pub trusted: bool,
    /// What came of the latest test.
    #[cfg_attr(feature = "sqlx", sqlx(json(nullable)))]
    pub test: Option<McpTest>,
    /// Its tools, by name.
    #[cfg_attr(feature = "sqlx", sqlx(skip))]
    pub tools: Vec<McpToolLine>,
}
