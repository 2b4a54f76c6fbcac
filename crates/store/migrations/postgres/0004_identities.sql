-- Accounts at OpenID providers by which members sign in. One is known by issuer and subject, never by its address.
CREATE TABLE identities (
  id UUID PRIMARY KEY NOT NULL,
  member_id UUID NOT NULL REFERENCES members (id),
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  email TEXT,
  created_at TIMESTAMPTZ NOT NULL,
  last_used_at TIMESTAMPTZ,
  UNIQUE (issuer, subject)
);
CREATE INDEX identities_of_member ON identities (member_id);

-- Sign-ins that are under way at a provider. Nothing in them is a secret: what proves anything is in the browser's cookie.
CREATE TABLE sign_in_tries (
  state_hash BYTEA PRIMARY KEY NOT NULL,
  browser_hash BYTEA NOT NULL,
  provider TEXT NOT NULL,
  purpose TEXT NOT NULL,
  invitation_hash BYTEA,
  member_id UUID REFERENCES members (id),
  session_id UUID,
  go_to TEXT NOT NULL,
  redirect_url TEXT NOT NULL,
  started_at TIMESTAMPTZ NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX sign_in_tries_by_end ON sign_in_tries (expires_at);

-- Pictures of members, as their providers give them. One without bytes was taken away by its member.
CREATE TABLE avatars (
  member_id UUID PRIMARY KEY NOT NULL REFERENCES members (id),
  media_type TEXT NOT NULL,
  bytes BYTEA,
  updated_at TIMESTAMPTZ NOT NULL
);
ALTER TABLE members ADD COLUMN avatar TEXT;
