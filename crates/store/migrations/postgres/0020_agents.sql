-- Agents: reusable definitions of who works. One that nobody made came with Guildhall, once for every team.
CREATE TABLE agents (
  id UUID PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  system_prompt TEXT NOT NULL,
  status TEXT NOT NULL,
  model JSONB NOT NULL,
  tools JSONB NOT NULL,
  mcp_servers JSONB NOT NULL,
  icon TEXT,
  tags JSONB NOT NULL,
  version BIGINT NOT NULL DEFAULT 1,
  built_in TEXT UNIQUE,
  created_by UUID REFERENCES members (id),
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  shared_at TIMESTAMPTZ,
  deleted_at TIMESTAMPTZ
);

-- Work without a card on the board: chats and tasks. Their numbers are below zero, from a counter of their own.
ALTER TABLE features ADD COLUMN kind TEXT NOT NULL DEFAULT 'card';
ALTER TABLE features ADD COLUMN mode TEXT NOT NULL DEFAULT 'work';
ALTER TABLE features ADD COLUMN agent_id UUID REFERENCES agents (id);
-- What asked for a task, if it belongs to something larger.
ALTER TABLE features ADD COLUMN execution_id UUID;
CREATE INDEX features_asides ON features (project_id, kind, updated_at, id) WHERE kind <> 'card' AND deleted_at IS NULL;
CREATE INDEX features_of_execution ON features (execution_id) WHERE execution_id IS NOT NULL;
ALTER TABLE projects ADD COLUMN next_aside BIGINT NOT NULL DEFAULT 1;

-- What a run goes by that its card does not say: its agent as it was when the run was made.
ALTER TABLE runs ADD COLUMN briefing JSONB;
