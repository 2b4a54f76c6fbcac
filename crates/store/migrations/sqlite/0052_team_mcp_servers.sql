-- An MCP server may belong to the whole team: it has no project then. A column can only cease to be NOT NULL in a new table; the
-- tools are copied along, or they would go with the servers that they name.
ALTER TABLE mcp_tools RENAME TO old_mcp_tools;
ALTER TABLE mcp_servers RENAME TO old_mcp_servers;

-- The values that are secrets are sealed together, in `secrets` under mcp/ID.
CREATE TABLE mcp_servers (
  id BLOB PRIMARY KEY NOT NULL,
  project_id BLOB REFERENCES projects (id),
  name TEXT NOT NULL,
  transport TEXT NOT NULL,
  -- Environment or headers: names, and those values that are no secrets.
  "values" TEXT NOT NULL,
  enabled INTEGER NOT NULL,
  trusted INTEGER NOT NULL,
  timeout_seconds INTEGER NOT NULL,
  created_by BLOB NOT NULL REFERENCES members (id),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  -- What came of the latest test.
  test TEXT,
  UNIQUE (project_id, name)
) STRICT;
-- Names differ in a project, and among the team's.
CREATE UNIQUE INDEX mcp_servers_of_team ON mcp_servers (name) WHERE project_id IS NULL;
INSERT INTO mcp_servers SELECT * FROM old_mcp_servers;

-- The tools that they offer: as they are now, and as a member approved them. One that is offered no more has no hash.
CREATE TABLE mcp_tools (
  server_id BLOB NOT NULL REFERENCES mcp_servers (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  enabled INTEGER NOT NULL,
  offered TEXT,
  hash TEXT,
  approved TEXT,
  approved_hash TEXT,
  approved_by BLOB REFERENCES members (id),
  approved_at TEXT,
  seen_at TEXT NOT NULL,
  PRIMARY KEY (server_id, name)
) STRICT;
INSERT INTO mcp_tools SELECT * FROM old_mcp_tools;

DROP TABLE old_mcp_tools;
DROP TABLE old_mcp_servers;
