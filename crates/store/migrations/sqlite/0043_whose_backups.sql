-- Which installation made it. A team that was restored elsewhere is another one, so that it leaves alone what the former made.
ALTER TABLE backups ADD COLUMN installation TEXT;
-- Whether it is no longer where it was put.
ALTER TABLE backups ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;
