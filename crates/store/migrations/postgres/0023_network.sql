-- Hosts that commands of a project asked for and were refused: a row for each, and a bounded number of them.
CREATE TABLE refused_hosts (
  project_id UUID NOT NULL REFERENCES projects (id),
  host TEXT NOT NULL,
  port BIGINT NOT NULL,
  count BIGINT NOT NULL,
  first_at TIMESTAMPTZ NOT NULL,
  last_at TIMESTAMPTZ NOT NULL,
  last_run_id UUID,
  PRIMARY KEY (project_id, host, port)
);
