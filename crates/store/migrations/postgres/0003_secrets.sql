-- One table for whatever is sealed: members' keys today. Nothing refers to it; its rows go with what they belong to.
CREATE TABLE secrets (
  identity TEXT PRIMARY KEY,
  key_id TEXT NOT NULL,
  wrapped_key BYTEA NOT NULL,
  sealed BYTEA NOT NULL
);
CREATE INDEX secrets_under_key ON secrets (key_id);

INSERT INTO secrets (identity, key_id, wrapped_key, sealed)
SELECT 'credential/' || member_id || '/' || provider, key_id, wrapped_key, sealed FROM credentials;

ALTER TABLE credentials DROP COLUMN key_id, DROP COLUMN wrapped_key, DROP COLUMN sealed;
