-- The first tables. Ids are UUIDs made by the server; times are UTC; texts of fixed choices are checked by the server.
CREATE TABLE members (
  id UUID PRIMARY KEY NOT NULL,
  email TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  password_hash TEXT,
  created_at TIMESTAMPTZ NOT NULL,
  last_login_at TIMESTAMPTZ,
  disabled_at TIMESTAMPTZ
);

CREATE TABLE sessions (
  id UUID PRIMARY KEY NOT NULL,
  member_id UUID NOT NULL REFERENCES members (id),
  token_hash BYTEA NOT NULL UNIQUE,
  user_agent TEXT,
  address TEXT,
  created_at TIMESTAMPTZ NOT NULL,
  last_used_at TIMESTAMPTZ NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX sessions_of_member ON sessions (member_id);

CREATE TABLE credentials (
  member_id UUID NOT NULL REFERENCES members (id),
  provider TEXT NOT NULL,
  key_id TEXT NOT NULL,
  wrapped_key BYTEA NOT NULL,
  sealed BYTEA NOT NULL,
  hint TEXT NOT NULL,
  base_url TEXT,
  updated_at TIMESTAMPTZ NOT NULL,
  last_used_at TIMESTAMPTZ,
  PRIMARY KEY (member_id, provider)
);

CREATE TABLE settings (
  name TEXT PRIMARY KEY NOT NULL,
  value JSONB NOT NULL
);

-- One row: the number of the latest event. Counting in a row, not by a sequence, makes the numbers gapless and in the
-- order of commit.
CREATE TABLE event_counter (
  one BIGINT PRIMARY KEY NOT NULL CHECK (one = 1),
  seq BIGINT NOT NULL
);
INSERT INTO event_counter (one, seq) VALUES (1, 0);

CREATE TABLE events (
  seq BIGINT PRIMARY KEY NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  kind TEXT NOT NULL,
  run_id UUID,
  what TEXT NOT NULL
);
CREATE INDEX events_of_run ON events (run_id, seq) WHERE run_id IS NOT NULL;

CREATE TABLE projects (
  id UUID PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  source JSONB NOT NULL,
  status TEXT NOT NULL,
  error TEXT,
  default_branch TEXT NOT NULL,
  settings JSONB NOT NULL,
  next_number BIGINT NOT NULL DEFAULT 1,
  created_by UUID NOT NULL REFERENCES members (id),
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  archived_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX project_names ON projects (lower(name)) WHERE archived_at IS NULL;

CREATE TABLE features (
  id UUID PRIMARY KEY NOT NULL,
  project_id UUID NOT NULL REFERENCES projects (id),
  number BIGINT NOT NULL,
  title TEXT NOT NULL,
  description TEXT NOT NULL,
  category TEXT NOT NULL,
  priority BIGINT NOT NULL,
  position DOUBLE PRECISION NOT NULL,
  status TEXT NOT NULL,
  stage TEXT,
  model TEXT,
  thinking_level TEXT NOT NULL,
  planning_mode TEXT NOT NULL,
  require_plan_approval BOOLEAN NOT NULL,
  skip_verification BOOLEAN NOT NULL,
  branch TEXT,
  run_id UUID,
  summary TEXT,
  error JSONB,
  tasks_done BIGINT NOT NULL DEFAULT 0,
  tasks_total BIGINT NOT NULL DEFAULT 0,
  files_changed BIGINT NOT NULL DEFAULT 0,
  lines_added BIGINT NOT NULL DEFAULT 0,
  lines_removed BIGINT NOT NULL DEFAULT 0,
  cost_micros BIGINT NOT NULL DEFAULT 0,
  merge_commit TEXT,
  version BIGINT NOT NULL DEFAULT 1,
  created_by UUID NOT NULL REFERENCES members (id),
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  started_at TIMESTAMPTZ,
  finished_at TIMESTAMPTZ,
  deleted_at TIMESTAMPTZ,
  UNIQUE (project_id, number)
);
CREATE INDEX features_on_board ON features (project_id, position, id) WHERE deleted_at IS NULL;

CREATE TABLE feature_dependencies (
  feature_id UUID NOT NULL REFERENCES features (id),
  depends_on UUID NOT NULL REFERENCES features (id),
  PRIMARY KEY (feature_id, depends_on)
);

CREATE TABLE attachments (
  id UUID PRIMARY KEY NOT NULL,
  feature_id UUID NOT NULL REFERENCES features (id),
  name TEXT NOT NULL,
  media_type TEXT NOT NULL,
  size BIGINT NOT NULL,
  bytes BYTEA NOT NULL,
  created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX attachments_of_feature ON attachments (feature_id);

CREATE TABLE runs (
  id UUID PRIMARY KEY NOT NULL,
  feature_id UUID NOT NULL REFERENCES features (id),
  project_id UUID NOT NULL REFERENCES projects (id),
  member_id UUID NOT NULL REFERENCES members (id),
  status TEXT NOT NULL,
  intent TEXT NOT NULL,
  attempt BIGINT NOT NULL DEFAULT 0,
  lease_owner UUID,
  lease_until TIMESTAMPTZ,
  model TEXT NOT NULL,
  key_source TEXT,
  branch TEXT NOT NULL,
  base_commit TEXT,
  head_commit TEXT,
  turns BIGINT NOT NULL DEFAULT 0,
  input_tokens BIGINT NOT NULL DEFAULT 0,
  output_tokens BIGINT NOT NULL DEFAULT 0,
  cache_read_tokens BIGINT NOT NULL DEFAULT 0,
  cache_write_tokens BIGINT NOT NULL DEFAULT 0,
  context_tokens BIGINT NOT NULL DEFAULT 0,
  cost_micros BIGINT NOT NULL DEFAULT 0,
  plan JSONB NOT NULL,
  error JSONB,
  queued_at TIMESTAMPTZ NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  started_at TIMESTAMPTZ,
  ended_at TIMESTAMPTZ
);
CREATE INDEX runs_of_feature ON runs (feature_id, created_at);
CREATE INDEX runs_to_claim ON runs (status, queued_at) WHERE status IN ('queued', 'running');
-- The rule that a feature never has two live runs, kept by the database itself.
CREATE UNIQUE INDEX one_live_run ON runs (feature_id) WHERE status IN ('queued', 'running');

CREATE TABLE turns (
  run_id UUID NOT NULL REFERENCES runs (id),
  number BIGINT NOT NULL,
  turn TEXT NOT NULL,
  saved_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (run_id, number)
);

CREATE TABLE run_messages (
  run_id UUID NOT NULL REFERENCES runs (id),
  seq BIGINT NOT NULL,
  member_id UUID NOT NULL REFERENCES members (id),
  text TEXT NOT NULL,
  said_at TIMESTAMPTZ NOT NULL,
  read_by_turn BIGINT,
  PRIMARY KEY (run_id, seq)
);

CREATE TABLE checks (
  id UUID PRIMARY KEY NOT NULL,
  run_id UUID NOT NULL REFERENCES runs (id),
  command TEXT NOT NULL,
  status TEXT NOT NULL,
  exit_code BIGINT,
  output TEXT NOT NULL,
  commit_id TEXT,
  started_at TIMESTAMPTZ NOT NULL,
  ended_at TIMESTAMPTZ
);
CREATE INDEX checks_of_run ON checks (run_id, started_at);

CREATE TABLE ledger (
  id UUID PRIMARY KEY NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  member_id UUID NOT NULL REFERENCES members (id),
  key_source TEXT NOT NULL,
  run_id UUID NOT NULL REFERENCES runs (id),
  turn BIGINT,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  input_tokens BIGINT NOT NULL,
  output_tokens BIGINT NOT NULL,
  cache_read_tokens BIGINT NOT NULL,
  cache_write_tokens BIGINT NOT NULL,
  cost_micros BIGINT NOT NULL
);
CREATE INDEX ledger_of_member ON ledger (member_id, at);
