-- Hosts that commands of a project asked for and were refused: a row for each, and a bounded number of them.
CREATE TABLE refused_hosts (
  project_id BLOB NOT NULL REFERENCES projects (id),
  host TEXT NOT NULL,
  port INTEGER NOT NULL,
  count INTEGER NOT NULL,
  first_at TEXT NOT NULL,
  last_at TEXT NOT NULL,
  last_run_id BLOB,
  PRIMARY KEY (project_id, host, port)
) STRICT;
