-- Accounts at OpenID providers by which members sign in. One is known by issuer and subject, never by its address.
CREATE TABLE identities (
  id BLOB PRIMARY KEY NOT NULL,
  member_id BLOB NOT NULL REFERENCES members (id),
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  email TEXT,
  created_at TEXT NOT NULL,
  last_used_at TEXT,
  UNIQUE (issuer, subject)
) STRICT;
CREATE INDEX identities_of_member ON identities (member_id);

-- Sign-ins that are under way at a provider. Nothing in them is a secret: what proves anything is in the browser's cookie.
CREATE TABLE sign_in_tries (
  state_hash BLOB PRIMARY KEY NOT NULL,
  browser_hash BLOB NOT NULL,
  provider TEXT NOT NULL,
  purpose TEXT NOT NULL,
  invitation_hash BLOB,
  member_id BLOB REFERENCES members (id),
  session_id BLOB,
  go_to TEXT NOT NULL,
  redirect_url TEXT NOT NULL,
  started_at TEXT NOT NULL,
  expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX sign_in_tries_by_end ON sign_in_tries (expires_at);

-- Pictures of members, as their providers give them. One without bytes was taken away by its member.
CREATE TABLE avatars (
  member_id BLOB PRIMARY KEY NOT NULL REFERENCES members (id),
  media_type TEXT NOT NULL,
  bytes BLOB,
  updated_at TEXT NOT NULL
) STRICT;
ALTER TABLE members ADD COLUMN avatar TEXT;
