-- Plans that agents propose and people decide on: a row for each version. A turn proposes one plan at most, and none twice.
CREATE TABLE plans (
  run_id UUID NOT NULL REFERENCES runs (id),
  version BIGINT NOT NULL,
  turn BIGINT,
  text TEXT NOT NULL,
  tasks JSONB NOT NULL,
  status TEXT NOT NULL,
  written_by UUID REFERENCES members (id),
  feedback TEXT,
  decided_by UUID REFERENCES members (id),
  decided_at TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (run_id, version),
  UNIQUE (run_id, turn)
);
ALTER TABLE runs ADD COLUMN approval TEXT NOT NULL DEFAULT 'not_needed';
