-- Keys for every kind of provider: what a server listed, the team's keys, and which key a run uses.
ALTER TABLE credentials ADD COLUMN models TEXT NOT NULL DEFAULT '[]';

CREATE TABLE team_credentials (
  provider TEXT PRIMARY KEY NOT NULL,
  hint TEXT NOT NULL,
  base_url TEXT,
  models TEXT NOT NULL,
  put_by BLOB NOT NULL REFERENCES members (id),
  updated_at TEXT NOT NULL,
  last_used_at TEXT
) STRICT;

ALTER TABLE runs ADD COLUMN key_provider TEXT;
ALTER TABLE runs ADD COLUMN key_hint TEXT;
