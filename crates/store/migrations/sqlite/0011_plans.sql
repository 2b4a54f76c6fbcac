-- Plans that agents propose and people decide on: a row for each version. A turn proposes one plan at most, and none twice.
CREATE TABLE plans (
  run_id BLOB NOT NULL REFERENCES runs (id),
  version INTEGER NOT NULL,
  turn INTEGER,
  text TEXT NOT NULL,
  tasks TEXT NOT NULL,
  status TEXT NOT NULL,
  written_by BLOB REFERENCES members (id),
  feedback TEXT,
  decided_by BLOB REFERENCES members (id),
  decided_at TEXT,
  created_at TEXT NOT NULL,
  PRIMARY KEY (run_id, version),
  UNIQUE (run_id, turn)
) STRICT;
ALTER TABLE runs ADD COLUMN approval TEXT NOT NULL DEFAULT 'not_needed';
