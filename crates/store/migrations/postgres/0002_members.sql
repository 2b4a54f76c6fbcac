-- Members: ways in, and the audit of what was done.
ALTER TABLE members ADD COLUMN time_zone TEXT;
-- When the member last proved who they are; when the session was opened, where it is absent.
ALTER TABLE sessions ADD COLUMN confirmed_at TIMESTAMPTZ;

CREATE TABLE invitations (
  id UUID PRIMARY KEY NOT NULL,
  email TEXT NOT NULL,
  role TEXT NOT NULL,
  code_hash BYTEA NOT NULL UNIQUE,
  created_by UUID NOT NULL REFERENCES members (id),
  created_at TIMESTAMPTZ NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL,
  used_at TIMESTAMPTZ,
  used_by UUID REFERENCES members (id),
  revoked_at TIMESTAMPTZ
);
CREATE INDEX invitations_to ON invitations (email);

CREATE TABLE tokens (
  id UUID PRIMARY KEY NOT NULL,
  member_id UUID NOT NULL REFERENCES members (id),
  name TEXT NOT NULL,
  scopes JSONB NOT NULL,
  token_hash BYTEA NOT NULL UNIQUE,
  created_at TIMESTAMPTZ NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL,
  last_used_at TIMESTAMPTZ,
  revoked_at TIMESTAMPTZ
);
CREATE INDEX tokens_of_member ON tokens (member_id);

CREATE TABLE password_resets (
  id UUID PRIMARY KEY NOT NULL,
  member_id UUID NOT NULL REFERENCES members (id),
  code_hash BYTEA NOT NULL UNIQUE,
  created_by UUID NOT NULL REFERENCES members (id),
  created_at TIMESTAMPTZ NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL,
  used_at TIMESTAMPTZ,
  revoked_at TIMESTAMPTZ
);
CREATE INDEX resets_of_member ON password_resets (member_id);

-- One row: the number and the hash of the latest entry of the audit. Its lock puts the entries in the order of commit.
CREATE TABLE audit_head (
  one BIGINT PRIMARY KEY NOT NULL CHECK (one = 1),
  seq BIGINT NOT NULL,
  hash BYTEA NOT NULL
);
INSERT INTO audit_head (one, seq, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'));

-- No references: an entry outlives what it tells of.
CREATE TABLE audit (
  seq BIGINT PRIMARY KEY NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  member_id UUID,
  token_id UUID,
  action TEXT NOT NULL,
  object TEXT,
  object_id TEXT,
  address TEXT,
  user_agent TEXT,
  outcome TEXT NOT NULL,
  detail TEXT NOT NULL,
  prev_hash BYTEA NOT NULL,
  hash BYTEA NOT NULL
);
CREATE INDEX audit_of_member ON audit (member_id, seq);

-- The audit only grows.
CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit only grows';
END
$$;
CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
  FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows();
