-- Second factors and passkeys. The secret of an authenticator app stands sealed among the secrets.
CREATE TABLE totp (
  member_id UUID PRIMARY KEY NOT NULL REFERENCES members (id),
  created_at TIMESTAMPTZ NOT NULL,
  -- Set when a first code was given.
  enabled_at TIMESTAMPTZ,
  -- The latest step whose code was used: none up to it is taken again.
  last_step BIGINT NOT NULL
);

CREATE TABLE recovery_codes (
  member_id UUID NOT NULL REFERENCES members (id),
  code_hash BYTEA NOT NULL,
  used_at TIMESTAMPTZ,
  PRIMARY KEY (member_id, code_hash)
);

CREATE TABLE passkeys (
  id UUID PRIMARY KEY NOT NULL,
  member_id UUID NOT NULL REFERENCES members (id),
  credential_id BYTEA NOT NULL UNIQUE,
  name TEXT NOT NULL,
  -- The public key and what else must be known to check a signature, as JSON.
  public_key TEXT NOT NULL,
  counter BIGINT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  last_used_at TIMESTAMPTZ
);
CREATE INDEX passkeys_of_member ON passkeys (member_id);

-- What a browser has begun and not ended: each is good once, for minutes, for the browser that holds the token.
CREATE TABLE challenges (
  token_hash BYTEA PRIMARY KEY NOT NULL,
  kind TEXT NOT NULL,
  member_id UUID REFERENCES members (id),
  state TEXT NOT NULL,
  tries BIGINT NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX challenges_by_end ON challenges (expires_at);
CREATE INDEX challenges_of_member ON challenges (member_id) WHERE member_id IS NOT NULL;

-- The token before the present one, for requests that were under way when it was changed.
ALTER TABLE sessions ADD COLUMN former_hash BYTEA;
ALTER TABLE sessions ADD COLUMN former_until TIMESTAMPTZ;
CREATE INDEX sessions_by_former ON sessions (former_hash) WHERE former_hash IS NOT NULL;
