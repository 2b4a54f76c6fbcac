-- Commands of a run that run on: the latest of each name.
CREATE TABLE run_services (
  id UUID PRIMARY KEY NOT NULL,
  run_id UUID NOT NULL REFERENCES runs (id),
  name TEXT NOT NULL,
  command TEXT NOT NULL,
  port BIGINT,
  status TEXT NOT NULL,
  exit_code BIGINT,
  problem TEXT,
  -- The end of what it printed, once it has ended.
  log TEXT NOT NULL,
  -- Nobody for an agent's.
  member_id UUID REFERENCES members (id),
  -- The process that runs it.
  node UUID NOT NULL,
  label TEXT NOT NULL UNIQUE,
  -- Whether the agent that started it is still to hear that it no longer runs.
  untold BOOLEAN NOT NULL,
  started_at TIMESTAMPTZ NOT NULL,
  seen_at TIMESTAMPTZ NOT NULL,
  until TIMESTAMPTZ,
  ended_at TIMESTAMPTZ,
  UNIQUE (run_id, name)
);
CREATE INDEX run_services_at_work ON run_services (node) WHERE status = 'running';

-- What lets a browser see the pages of a service: a ticket, good once and for moments, and then a cookie of that origin alone.
CREATE TABLE preview_passes (
  token_hash BYTEA PRIMARY KEY NOT NULL,
  label TEXT NOT NULL,
  session_id UUID NOT NULL,
  ticket BOOLEAN NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX preview_passes_of_label ON preview_passes (label);
CREATE INDEX preview_passes_by_age ON preview_passes (expires_at);
