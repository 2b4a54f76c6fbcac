-- Members: ways in, and the audit of what was done.
ALTER TABLE members ADD COLUMN time_zone TEXT;
-- When the member last proved who they are; when the session was opened, where it is absent.
ALTER TABLE sessions ADD COLUMN confirmed_at TEXT;

CREATE TABLE invitations (
  id BLOB PRIMARY KEY NOT NULL,
  email TEXT NOT NULL,
  role TEXT NOT NULL,
  code_hash BLOB NOT NULL UNIQUE,
  created_by BLOB NOT NULL REFERENCES members (id),
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  used_at TEXT,
  used_by BLOB REFERENCES members (id),
  revoked_at TEXT
) STRICT;
CREATE INDEX invitations_to ON invitations (email);

CREATE TABLE tokens (
  id BLOB PRIMARY KEY NOT NULL,
  member_id BLOB NOT NULL REFERENCES members (id),
  name TEXT NOT NULL,
  scopes TEXT NOT NULL,
  token_hash BLOB NOT NULL UNIQUE,
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  last_used_at TEXT,
  revoked_at TEXT
) STRICT;
CREATE INDEX tokens_of_member ON tokens (member_id);

CREATE TABLE password_resets (
  id BLOB PRIMARY KEY NOT NULL,
  member_id BLOB NOT NULL REFERENCES members (id),
  code_hash BLOB NOT NULL UNIQUE,
  created_by BLOB NOT NULL REFERENCES members (id),
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  used_at TEXT,
  revoked_at TEXT
) STRICT;
CREATE INDEX resets_of_member ON password_resets (member_id);

-- One row: the number and the hash of the latest entry of the audit. Its lock puts the entries in the order of commit.
CREATE TABLE audit_head (
  one INTEGER PRIMARY KEY NOT NULL CHECK (one = 1),
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL
) STRICT;
INSERT INTO audit_head (one, seq, hash) VALUES (1, 0, zeroblob(32));

-- No references: an entry outlives what it tells of.
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY NOT NULL,
  at TEXT NOT NULL,
  member_id BLOB,
  token_id BLOB,
  action TEXT NOT NULL,
  object TEXT,
  object_id TEXT,
  address TEXT,
  user_agent TEXT,
  outcome TEXT NOT NULL,
  detail TEXT NOT NULL,
  prev_hash BLOB NOT NULL,
  hash BLOB NOT NULL
) STRICT;
CREATE INDEX audit_of_member ON audit (member_id, seq);

-- The audit only grows.
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN
  SELECT RAISE(ABORT, 'the audit only grows');
END;
CREATE TRIGGER audit_is_not_cut BEFORE DELETE ON audit BEGIN
  SELECT RAISE(ABORT, 'the audit only grows');
END;
