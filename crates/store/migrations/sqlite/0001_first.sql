-- The first tables. Ids are UUIDs made by the server; times are UTC; texts of fixed choices are checked by the server.
CREATE TABLE members (
  id BLOB PRIMARY KEY NOT NULL,
  email TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  password_hash TEXT,
  created_at TEXT NOT NULL,
  last_login_at TEXT,
  disabled_at TEXT
) STRICT;

CREATE TABLE sessions (
  id BLOB PRIMARY KEY NOT NULL,
  member_id BLOB NOT NULL REFERENCES members (id),
  token_hash BLOB NOT NULL UNIQUE,
  user_agent TEXT,
  address TEXT,
  created_at TEXT NOT NULL,
  last_used_at TEXT NOT NULL,
  expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_of_member ON sessions (member_id);

CREATE TABLE credentials (
  member_id BLOB NOT NULL REFERENCES members (id),
  provider TEXT NOT NULL,
  key_id TEXT NOT NULL,
  wrapped_key BLOB NOT NULL,
  sealed BLOB NOT NULL,
  hint TEXT NOT NULL,
  base_url TEXT,
  updated_at TEXT NOT NULL,
  last_used_at TEXT,
  PRIMARY KEY (member_id, provider)
) STRICT;

CREATE TABLE settings (
  name TEXT PRIMARY KEY NOT NULL,
  value TEXT NOT NULL
) STRICT;

-- One row: the number of the latest event. Counting in a row, not by a sequence, makes the numbers gapless and in the
-- order of commit.
CREATE TABLE event_counter (
  one INTEGER PRIMARY KEY NOT NULL CHECK (one = 1),
  seq INTEGER NOT NULL
) STRICT;
INSERT INTO event_counter (one, seq) VALUES (1, 0);

CREATE TABLE events (
  seq INTEGER PRIMARY KEY NOT NULL,
  at TEXT NOT NULL,
  kind TEXT NOT NULL,
  run_id BLOB,
  what TEXT NOT NULL
) STRICT;
CREATE INDEX events_of_run ON events (run_id, seq) WHERE run_id IS NOT NULL;

CREATE TABLE projects (
  id BLOB PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  source TEXT NOT NULL,
  status TEXT NOT NULL,
  error TEXT,
  default_branch TEXT NOT NULL,
  settings TEXT NOT NULL,
  next_number INTEGER NOT NULL DEFAULT 1,
  created_by BLOB NOT NULL REFERENCES members (id),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  archived_at TEXT
) STRICT;
CREATE UNIQUE INDEX project_names ON projects (lower(name)) WHERE archived_at IS NULL;

CREATE TABLE features (
  id BLOB PRIMARY KEY NOT NULL,
  project_id BLOB NOT NULL REFERENCES projects (id),
  number INTEGER NOT NULL,
  title TEXT NOT NULL,
  description TEXT NOT NULL,
  category TEXT NOT NULL,
  priority INTEGER NOT NULL,
  position REAL NOT NULL,
  status TEXT NOT NULL,
  stage TEXT,
  model TEXT,
  thinking_level TEXT NOT NULL,
  planning_mode TEXT NOT NULL,
  require_plan_approval INTEGER NOT NULL,
  skip_verification INTEGER NOT NULL,
  branch TEXT,
  run_id BLOB,
  summary TEXT,
  error TEXT,
  tasks_done INTEGER NOT NULL DEFAULT 0,
  tasks_total INTEGER NOT NULL DEFAULT 0,
  files_changed INTEGER NOT NULL DEFAULT 0,
  lines_added INTEGER NOT NULL DEFAULT 0,
  lines_removed INTEGER NOT NULL DEFAULT 0,
  cost_micros INTEGER NOT NULL DEFAULT 0,
  merge_commit TEXT,
  version INTEGER NOT NULL DEFAULT 1,
  created_by BLOB NOT NULL REFERENCES members (id),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  started_at TEXT,
  finished_at TEXT,
  deleted_at TEXT,
  UNIQUE (project_id, number)
) STRICT;
CREATE INDEX features_on_board ON features (project_id, position, id) WHERE deleted_at IS NULL;

CREATE TABLE feature_dependencies (
  feature_id BLOB NOT NULL REFERENCES features (id),
  depends_on BLOB NOT NULL REFERENCES features (id),
  PRIMARY KEY (feature_id, depends_on)
) STRICT;

CREATE TABLE attachments (
  id BLOB PRIMARY KEY NOT NULL,
  feature_id BLOB NOT NULL REFERENCES features (id),
  name TEXT NOT NULL,
  media_type TEXT NOT NULL,
  size INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  created_at TEXT NOT NULL
) STRICT;
CREATE INDEX attachments_of_feature ON attachments (feature_id);

CREATE TABLE runs (
  id BLOB PRIMARY KEY NOT NULL,
  feature_id BLOB NOT NULL REFERENCES features (id),
  project_id BLOB NOT NULL REFERENCES projects (id),
  member_id BLOB NOT NULL REFERENCES members (id),
  status TEXT NOT NULL,
  intent TEXT NOT NULL,
  attempt INTEGER NOT NULL DEFAULT 0,
  lease_owner BLOB,
  lease_until TEXT,
  model TEXT NOT NULL,
  key_source TEXT,
  branch TEXT NOT NULL,
  base_commit TEXT,
  head_commit TEXT,
  turns INTEGER NOT NULL DEFAULT 0,
  input_tokens INTEGER NOT NULL DEFAULT 0,
  output_tokens INTEGER NOT NULL DEFAULT 0,
  cache_read_tokens INTEGER NOT NULL DEFAULT 0,
  cache_write_tokens INTEGER NOT NULL DEFAULT 0,
  context_tokens INTEGER NOT NULL DEFAULT 0,
  cost_micros INTEGER NOT NULL DEFAULT 0,
  plan TEXT NOT NULL,
  error TEXT,
  queued_at TEXT NOT NULL,
  created_at TEXT NOT NULL,
  started_at TEXT,
  ended_at TEXT
) STRICT;
CREATE INDEX runs_of_feature ON runs (feature_id, created_at);
CREATE INDEX runs_to_claim ON runs (status, queued_at) WHERE status IN ('queued', 'running');
-- The rule that a feature never has two live runs, kept by the database itself.
CREATE UNIQUE INDEX one_live_run ON runs (feature_id) WHERE status IN ('queued', 'running');

CREATE TABLE turns (
  run_id BLOB NOT NULL REFERENCES runs (id),
  number INTEGER NOT NULL,
  turn TEXT NOT NULL,
  saved_at TEXT NOT NULL,
  PRIMARY KEY (run_id, number)
) STRICT;

CREATE TABLE run_messages (
  run_id BLOB NOT NULL REFERENCES runs (id),
  seq INTEGER NOT NULL,
  member_id BLOB NOT NULL REFERENCES members (id),
  text TEXT NOT NULL,
  said_at TEXT NOT NULL,
  read_by_turn INTEGER,
  PRIMARY KEY (run_id, seq)
) STRICT;

CREATE TABLE checks (
  id BLOB PRIMARY KEY NOT NULL,
  run_id BLOB NOT NULL REFERENCES runs (id),
  command TEXT NOT NULL,
  status TEXT NOT NULL,
  exit_code INTEGER,
  output TEXT NOT NULL,
  commit_id TEXT,
  started_at TEXT NOT NULL,
  ended_at TEXT
) STRICT;
CREATE INDEX checks_of_run ON checks (run_id, started_at);

CREATE TABLE ledger (
  id BLOB PRIMARY KEY NOT NULL,
  at TEXT NOT NULL,
  member_id BLOB NOT NULL REFERENCES members (id),
  key_source TEXT NOT NULL,
  run_id BLOB NOT NULL REFERENCES runs (id),
  turn INTEGER,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL,
  cache_write_tokens INTEGER NOT NULL,
  cost_micros INTEGER NOT NULL
) STRICT;
CREATE INDEX ledger_of_member ON ledger (member_id, at);
