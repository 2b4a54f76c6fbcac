-- Whether a run's verified work is to be merged by itself when what it is built on is merged.
ALTER TABLE runs ADD COLUMN merge_later BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX runs_to_merge ON runs (ended_at) WHERE merge_later;
