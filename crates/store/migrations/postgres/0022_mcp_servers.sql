-- MCP servers that members add to projects. The values that are secrets are sealed together, in `secrets` under mcp/ID.
CREATE TABLE mcp_servers (
  id UUID PRIMARY KEY NOT NULL,
  project_id UUID NOT NULL REFERENCES projects (id),
  name TEXT NOT NULL,
  transport JSONB NOT NULL,
  -- Environment or headers: names, and those values that are no secrets.
  "values" JSONB NOT NULL,
  enabled BOOLEAN NOT NULL,
  trusted BOOLEAN NOT NULL,
  timeout_seconds BIGINT NOT NULL,
  created_by UUID NOT NULL REFERENCES members (id),
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  -- What came of the latest test.
  test JSONB,
  UNIQUE (project_id, name)
);

-- The tools that they offer: as they are now, and as a member approved them. One that is offered no more has no hash.
CREATE TABLE mcp_tools (
  server_id UUID NOT NULL REFERENCES mcp_servers (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  offered JSONB,
  hash TEXT,
  approved JSONB,
  approved_hash TEXT,
  approved_by UUID REFERENCES members (id),
  approved_at TIMESTAMPTZ,
  seen_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (server_id, name)
);
