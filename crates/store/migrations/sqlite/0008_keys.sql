-- What is known of the key-encryption keys; the keys themselves are never here. A retired one is remembered, so that it is
-- not used again by mistake.
CREATE TABLE vault_keys (
  id TEXT PRIMARY KEY NOT NULL,
  made_at TEXT NOT NULL,
  current_at TEXT,
  retired_at TEXT
) STRICT;

-- One row: under which key new secrets are sealed; nothing until a server has started. Whoever puts a secret looks here in
-- the same transaction.
CREATE TABLE vault_head (
  one INTEGER PRIMARY KEY NOT NULL CHECK (one = 1),
  current TEXT
) STRICT;
INSERT INTO vault_head (one, current) VALUES (1, NULL);
