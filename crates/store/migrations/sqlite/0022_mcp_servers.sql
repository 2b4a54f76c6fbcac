-- MCP servers that members add to projects. The values that are secrets are sealed together, in `secrets` under mcp/ID.
CREATE TABLE mcp_servers (
  id BLOB PRIMARY KEY NOT NULL,
  project_id BLOB NOT NULL REFERENCES projects (id),
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
