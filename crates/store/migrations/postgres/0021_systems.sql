-- Systems: workflows of agents. Those that come with Guildhall are not here.
CREATE TABLE systems (
  id UUID PRIMARY KEY NOT NULL,
  status TEXT NOT NULL,
  version BIGINT NOT NULL DEFAULT 1,
  definition TEXT NOT NULL,
  created_by UUID NOT NULL REFERENCES members (id),
  updated_by UUID NOT NULL REFERENCES members (id),
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  deleted_at TIMESTAMPTZ
);

-- One use of a system, which keeps the system as it was when it began. Whoever brings it forward names the revision that was
-- looked at: of two nodes one does.
CREATE TABLE executions (
  id UUID PRIMARY KEY NOT NULL,
  system_id UUID NOT NULL,
  name TEXT NOT NULL,
  project_id UUID NOT NULL REFERENCES projects (id),
  member_id UUID NOT NULL REFERENCES members (id),
  status TEXT NOT NULL,
  definition TEXT NOT NULL,
  input TEXT NOT NULL,
  variables TEXT NOT NULL,
  output TEXT,
  error TEXT,
  revision BIGINT NOT NULL DEFAULT 1,
  -- When the clock alone brings it forward.
  wake_at TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  ended_at TIMESTAMPTZ
);
CREATE INDEX executions_of_project ON executions (project_id, id);
CREATE INDEX executions_of_system ON executions (system_id, id);
CREATE INDEX executions_open ON executions (id) WHERE ended_at IS NULL;

CREATE TABLE execution_steps (
  execution_id UUID NOT NULL REFERENCES executions (id),
  number BIGINT NOT NULL,
  step_key TEXT NOT NULL,
  step_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  status TEXT NOT NULL,
  attempt BIGINT NOT NULL,
  rounds BIGINT NOT NULL,
  input TEXT,
  output TEXT,
  error TEXT,
  feedback TEXT,
  deadline TIMESTAMPTZ,
  retry_at TIMESTAMPTZ,
  started_at TIMESTAMPTZ NOT NULL,
  ended_at TIMESTAMPTZ,
  PRIMARY KEY (execution_id, number),
  UNIQUE (execution_id, step_key)
);

-- Which task works for which try of a step: written down before the task is made.
CREATE TABLE execution_tasks (
  execution_id UUID NOT NULL REFERENCES executions (id),
  step_key TEXT NOT NULL,
  attempt BIGINT NOT NULL,
  feature_id UUID NOT NULL UNIQUE,
  PRIMARY KEY (execution_id, step_key, attempt)
);
