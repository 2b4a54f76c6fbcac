-- One table for whatever is sealed: members' keys today. Nothing refers to it; its rows go with what they belong to.
CREATE TABLE secrets (
  identity TEXT PRIMARY KEY NOT NULL,
  key_id TEXT NOT NULL,
  wrapped_key BLOB NOT NULL,
  sealed BLOB NOT NULL
) STRICT;
CREATE INDEX secrets_under_key ON secrets (key_id);

INSERT INTO secrets (identity, key_id, wrapped_key, sealed)
SELECT 'credential/' || lower(substr(hex(member_id), 1, 8) || '-' || substr(hex(member_id), 9, 4) || '-'
         || substr(hex(member_id), 13, 4) || '-' || substr(hex(member_id), 17, 4) || '-' || substr(hex(member_id), 21))
       || '/' || provider, key_id, wrapped_key, sealed
FROM credentials;

ALTER TABLE credentials DROP COLUMN key_id;
ALTER TABLE credentials DROP COLUMN wrapped_key;
ALTER TABLE credentials DROP COLUMN sealed;
