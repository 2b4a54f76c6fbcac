-- The outbox. What a mail says is sealed, in `secrets` under mail/ID, and goes as soon as it is sent or given up.
CREATE TABLE mails (
  id BLOB PRIMARY KEY NOT NULL,
  kind TEXT NOT NULL,
  recipient TEXT NOT NULL,
  status TEXT NOT NULL,
  created_at TEXT NOT NULL,
  next_at TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  -- Who sends it now; a claim that is over can end nothing.
  lease BLOB,
  lease_until TEXT,
  problem TEXT,
  ended_at TEXT
) STRICT;
CREATE INDEX mails_waiting ON mails (next_at) WHERE status = 'waiting';
CREATE INDEX mails_ended ON mails (ended_at) WHERE ended_at IS NOT NULL;

-- Who asked for an account where sign-up is open; a member comes to be when the address is proved.
CREATE TABLE sign_ups (
  id BLOB PRIMARY KEY NOT NULL,
  email TEXT NOT NULL,
  name TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  code_hash BLOB NOT NULL UNIQUE,
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX sign_ups_ended ON sign_ups (expires_at);

-- How often something was tried, of those that may not be tried without end. The key is a hash: what was typed is not kept.
CREATE TABLE tries (
  key BLOB PRIMARY KEY NOT NULL,
  tries INTEGER NOT NULL,
  ends_at TEXT NOT NULL
) STRICT;
CREATE INDEX tries_ended ON tries (ends_at);
