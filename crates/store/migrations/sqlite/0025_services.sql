-- Commands of a run that run on: the latest of each name.
CREATE TABLE run_services (
  id BLOB PRIMARY KEY NOT NULL,
  run_id BLOB NOT NULL REFERENCES runs (id),
  name TEXT NOT NULL,
  command TEXT NOT NULL,
  port INTEGER,
  status TEXT NOT NULL,
  exit_code INTEGER,
  problem TEXT,
  -- The end of what it printed, once it has ended.
  log TEXT NOT NULL,
  -- Nobody for an agent's.
  member_id BLOB REFERENCES members (id),
  -- The process that runs it.
  node BLOB NOT NULL,
  label TEXT NOT NULL UNIQUE,
  -- Whether the agent that started it is still to hear that it no longer runs.
  untold INTEGER NOT NULL,
  started_at TEXT NOT NULL,
  seen_at TEXT NOT NULL,
  until TEXT,
  ended_at TEXT,
  UNIQUE (run_id, name)
) STRICT;
CREATE INDEX run_services_at_work ON run_services (node) WHERE status = 'running';

-- What lets a browser see the pages of a service: a ticket, good once and for moments, and then a cookie of that origin alone.
CREATE TABLE preview_passes (
  token_hash BLOB PRIMARY KEY NOT NULL,
  label TEXT NOT NULL,
  session_id BLOB NOT NULL,
  ticket INTEGER NOT NULL,
  expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX preview_passes_of_label ON preview_passes (label);
CREATE INDEX preview_passes_by_age ON preview_passes (expires_at);
