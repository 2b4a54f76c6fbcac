-- An MCP server may belong to the whole team: it has no project then.
ALTER TABLE mcp_servers ALTER COLUMN project_id DROP NOT NULL;
-- Names differ in a project, and among the team's.
CREATE UNIQUE INDEX mcp_servers_of_team ON mcp_servers (name) WHERE project_id IS NULL;
