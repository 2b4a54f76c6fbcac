-- Programs that members connect (OAuth 2.1). No secret is kept, only hashes.
CREATE TABLE oauth_clients (
  id UUID PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  redirect_uris JSONB NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  -- When a member last connected it.
  allowed_at TIMESTAMPTZ
);
CREATE INDEX oauth_clients_by_age ON oauth_clients (created_at) WHERE allowed_at IS NULL;

-- What a member allows a program, until it is taken back or not used for long.
CREATE TABLE oauth_grants (
  id UUID PRIMARY KEY NOT NULL,
  member_id UUID NOT NULL REFERENCES members (id),
  client_id UUID NOT NULL REFERENCES oauth_clients (id),
  scopes JSONB NOT NULL,
  -- The address that its tokens are good for.
  resource TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  last_used_at TIMESTAMPTZ,
  ends_at TIMESTAMPTZ NOT NULL,
  revoked_at TIMESTAMPTZ
);
CREATE INDEX oauth_grants_of_member ON oauth_grants (member_id);
CREATE INDEX oauth_grants_of_client ON oauth_grants (client_id);

-- Codes that a program exchanges for its first tokens, once.
CREATE TABLE oauth_codes (
  code_hash BYTEA PRIMARY KEY NOT NULL,
  grant_id UUID NOT NULL REFERENCES oauth_grants (id),
  redirect_uri TEXT NOT NULL,
  challenge TEXT NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL,
  used_at TIMESTAMPTZ
);
CREATE INDEX oauth_codes_of_grant ON oauth_codes (grant_id);

CREATE TABLE oauth_tokens (
  token_hash BYTEA PRIMARY KEY NOT NULL,
  grant_id UUID NOT NULL REFERENCES oauth_grants (id),
  kind TEXT NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL,
  -- When a refresh token was exchanged for the next one.
  used_at TIMESTAMPTZ
);
CREATE INDEX oauth_tokens_of_grant ON oauth_tokens (grant_id);
