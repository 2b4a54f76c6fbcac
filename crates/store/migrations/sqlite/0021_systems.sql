-- Systems: workflows of agents. Those that come with Guildhall are not here.
CREATE TABLE systems (
  id BLOB PRIMARY KEY NOT NULL,
  status TEXT NOT NULL,
  version INTEGER NOT NULL DEFAULT 1,
  definition TEXT NOT NULL,
  created_by BLOB NOT NULL REFERENCES members (id),
  updated_by BLOB NOT NULL REFERENCES members (id),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  deleted_at TEXT
) STRICT;

-- One use of a system, which keeps the system as it was when it began. Whoever brings it forward names the revision that was
-- looked at: of two nodes one does.
CREATE TABLE executions (
  id BLOB PRIMARY KEY NOT NULL,
  system_id BLOB NOT NULL,
  name TEXT NOT NULL,
  project_id BLOB NOT NULL REFERENCES projects (id),
  member_id BLOB NOT NULL REFERENCES members (id),
  status TEXT NOT NULL,
  definition TEXT NOT NULL,
  input TEXT NOT NULL,
  variables TEXT NOT NULL,
  output TEXT,
  error TEXT,
  revision INTEGER NOT NULL DEFAULT 1,
  -- When the clock alone brings it forward.
  wake_at TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  ended_at TEXT
) STRICT;
CREATE INDEX executions_of_project ON executions (project_id, id);
CREATE INDEX executions_of_system ON executions (system_id, id);
CREATE INDEX executions_open ON executions (id) WHERE ended_at IS NULL;

CREATE TABLE execution_steps (
  execution_id BLOB NOT NULL REFERENCES executions (id),
  number INTEGER NOT NULL,
  step_key TEXT NOT NULL,
  step_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  status TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  rounds INTEGER NOT NULL,
  input TEXT,
  output TEXT,
  error TEXT,
  feedback TEXT,
  deadline TEXT,
  retry_at TEXT,
  started_at TEXT NOT NULL,
  ended_at TEXT,
  PRIMARY KEY (execution_id, number),
  UNIQUE (execution_id, step_key)
) STRICT;

-- Which task works for which try of a step: written down before the task is made.
CREATE TABLE execution_tasks (
  execution_id BLOB NOT NULL REFERENCES executions (id),
  step_key TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  feature_id BLOB NOT NULL UNIQUE,
  PRIMARY KEY (execution_id, step_key, attempt)
) STRICT;
