-- Where the other nodes reach a node, if they do.
ALTER TABLE nodes ADD COLUMN url TEXT;
-- The data folder in which a run's worktree was last worked in.
ALTER TABLE runs ADD COLUMN place BLOB;
