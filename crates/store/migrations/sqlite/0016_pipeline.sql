-- What a run's work passes after its agent and before its checks: a row for each look of a step, which holds the step as it
-- was when the run reached the pipeline.
CREATE TABLE run_steps (
  run_id BLOB NOT NULL REFERENCES runs (id),
  number INTEGER NOT NULL,
  round INTEGER NOT NULL,
  position INTEGER NOT NULL,
  look INTEGER NOT NULL,
  name TEXT NOT NULL,
  instructions TEXT NOT NULL,
  model TEXT,
  on_failure TEXT NOT NULL,
  returns INTEGER NOT NULL,
  status TEXT NOT NULL,
  word TEXT,
  commit_id TEXT,
  started_at TEXT,
  ended_at TEXT,
  PRIMARY KEY (run_id, number),
  UNIQUE (run_id, round, position, look)
) STRICT;
-- The look whose agent made a turn; nothing for the agent that builds the card. Turns count over the whole run.
ALTER TABLE turns ADD COLUMN step INTEGER;

-- The latest trial of a project's checks on its default branch.
CREATE TABLE check_trials (
  project_id BLOB NOT NULL PRIMARY KEY REFERENCES projects (id),
  id BLOB NOT NULL,
  member_id BLOB NOT NULL REFERENCES members (id),
  commit_id TEXT NOT NULL,
  status TEXT NOT NULL,
  checks TEXT NOT NULL,
  total INTEGER NOT NULL,
  problem TEXT,
  started_at TEXT NOT NULL,
  seen_at TEXT NOT NULL,
  ended_at TEXT
) STRICT;
