-- Backups that were made, or were to be made. Where they are, they tell of themselves: this is for the page and for who is to
-- be told when the last good one is old.
CREATE TABLE backups (
  id BLOB PRIMARY KEY NOT NULL,
  name TEXT,
  cause TEXT NOT NULL,
  member_id BLOB REFERENCES members (id),
  kind TEXT,
  status TEXT NOT NULL,
  destination TEXT NOT NULL,
  started_at TEXT NOT NULL,
  -- When the process that makes it last said so.
  seen_at TEXT NOT NULL,
  ended_at TEXT,
  bytes INTEGER,
  problem TEXT,
  verified_at TEXT,
  verify_problem TEXT
) STRICT;
CREATE INDEX backups_by_age ON backups (started_at);
-- One at a time, whichever process makes it.
CREATE UNIQUE INDEX one_backup ON backups (status) WHERE status = 'running';
