-- What a run's work passes after its agent and before its checks: a row for each look of a step, which holds the step as it
-- was when the run reached the pipeline.
CREATE TABLE run_steps (
  run_id UUID NOT NULL REFERENCES runs (id),
  number BIGINT NOT NULL,
  round BIGINT NOT NULL,
  position BIGINT NOT NULL,
  look BIGINT NOT NULL,
  name TEXT NOT NULL,
  instructions TEXT NOT NULL,
  model TEXT,
  on_failure TEXT NOT NULL,
  returns BIGINT NOT NULL,
  status TEXT NOT NULL,
  word TEXT,
  commit_id TEXT,
  started_at TIMESTAMPTZ,
  ended_at TIMESTAMPTZ,
  PRIMARY KEY (run_id, number),
  UNIQUE (run_id, round, position, look)
);
-- The look whose agent made a turn; nothing for the agent that builds the card. Turns count over the whole run.
ALTER TABLE turns ADD COLUMN step BIGINT;

-- The latest trial of a project's checks on its default branch.
CREATE TABLE check_trials (
  project_id UUID NOT NULL PRIMARY KEY REFERENCES projects (id),
  id UUID NOT NULL,
  member_id UUID NOT NULL REFERENCES members (id),
  commit_id TEXT NOT NULL,
  status TEXT NOT NULL,
  checks JSONB NOT NULL,
  total BIGINT NOT NULL,
  problem TEXT,
  started_at TIMESTAMPTZ NOT NULL,
  seen_at TIMESTAMPTZ NOT NULL,
  ended_at TIMESTAMPTZ
);
