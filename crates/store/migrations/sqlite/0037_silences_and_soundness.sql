-- A silence holds for how bad the alert was when somebody gave it: when it becomes worse, that is told.
ALTER TABLE alerts ADD COLUMN silenced_level TEXT;
-- Whether anybody was told of it since it was raised or silenced: of what nobody was told, nobody is told that it is over.
ALTER TABLE alerts ADD COLUMN told INTEGER NOT NULL DEFAULT 1;
UPDATE alerts SET silenced_level = level, told = 0 WHERE silenced_until IS NOT NULL;

-- The name of the backup that an incremental one builds on: what is found in that holds for it, too.
ALTER TABLE backups ADD COLUMN parent TEXT;
-- Why it could not be restored into a scratch place, when that was tried and has not been done yet.
ALTER TABLE backups ADD COLUMN unchecked TEXT;
