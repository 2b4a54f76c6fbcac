-- Backups that were made, or were to be made. Where they are, they tell of themselves: this is for the page and for who is to
-- be told when the last good one is old.
CREATE TABLE backups (
  id UUID PRIMARY KEY NOT NULL,
  name TEXT,
  cause TEXT NOT NULL,
  member_id UUID REFERENCES members (id),
  kind TEXT,
  status TEXT NOT NULL,
  destination TEXT NOT NULL,
  started_at TIMESTAMPTZ NOT NULL,
  -- When the process that makes it last said so.
  seen_at TIMESTAMPTZ NOT NULL,
  ended_at TIMESTAMPTZ,
  bytes BIGINT,
  problem TEXT,
  verified_at TIMESTAMPTZ,
  verify_problem TEXT
);
CREATE INDEX backups_by_age ON backups (started_at);
-- One at a time, whichever process makes it.
CREATE UNIQUE INDEX one_backup ON backups (status) WHERE status = 'running';
