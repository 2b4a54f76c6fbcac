-- Second factors and passkeys. The secret of an authenticator app stands sealed among the secrets.
CREATE TABLE totp (
  member_id BLOB PRIMARY KEY NOT NULL REFERENCES members (id),
  created_at TEXT NOT NULL,
  -- Set when a first code was given.
  enabled_at TEXT,
  -- The latest step whose code was used: none up to it is taken again.
  last_step INTEGER NOT NULL
) STRICT;

CREATE TABLE recovery_codes (
  member_id BLOB NOT NULL REFERENCES members (id),
  code_hash BLOB NOT NULL,
  used_at TEXT,
  PRIMARY KEY (member_id, code_hash)
) STRICT;

CREATE TABLE passkeys (
  id BLOB PRIMARY KEY NOT NULL,
  member_id BLOB NOT NULL REFERENCES members (id),
  credential_id BLOB NOT NULL UNIQUE,
  name TEXT NOT NULL,
  -- The public key and what else must be known to check a signature, as JSON.
  public_key TEXT NOT NULL,
  counter INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  last_used_at TEXT
) STRICT;
CREATE INDEX passkeys_of_member ON passkeys (member_id);

-- What a browser has begun and not ended: each is good once, for minutes, for the browser that holds the token.
CREATE TABLE challenges (
  token_hash BLOB PRIMARY KEY NOT NULL,
  kind TEXT NOT NULL,
  member_id BLOB REFERENCES members (id),
  state TEXT NOT NULL,
  tries INTEGER NOT NULL,
  expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX challenges_by_end ON challenges (expires_at);
CREATE INDEX challenges_of_member ON challenges (member_id) WHERE member_id IS NOT NULL;

-- The token before the present one, for requests that were under way when it was changed.
ALTER TABLE sessions ADD COLUMN former_hash BLOB;
ALTER TABLE sessions ADD COLUMN former_until TEXT;
CREATE INDEX sessions_by_former ON sessions (former_hash) WHERE former_hash IS NOT NULL;
