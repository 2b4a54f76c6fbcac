-- Keys for every kind of provider: what a server listed, the team's keys, and which key a run uses.
ALTER TABLE credentials ADD COLUMN models JSONB NOT NULL DEFAULT '[]';

CREATE TABLE team_credentials (
  provider TEXT PRIMARY KEY,
  hint TEXT NOT NULL,
  base_url TEXT,
  models JSONB NOT NULL,
  put_by UUID NOT NULL REFERENCES members (id),
  updated_at TIMESTAMPTZ NOT NULL,
  last_used_at TIMESTAMPTZ
);

ALTER TABLE runs ADD COLUMN key_provider TEXT, ADD COLUMN key_hint TEXT;
