-- What is kept for a time only. A closed run never works again: since when, when its history went, and when its refs were looked
-- through.
ALTER TABLE runs ADD COLUMN closed_at TEXT;
ALTER TABLE runs ADD COLUMN forgotten_at TEXT;
ALTER TABLE runs ADD COLUMN refs_tidied_at TEXT;
-- What was deleted never works again.
UPDATE runs SET status = 'closed' WHERE status IN ('waiting', 'stopped', 'failed')
  AND feature_id IN (SELECT id FROM features WHERE deleted_at IS NOT NULL);
UPDATE runs SET closed_at = (SELECT f.updated_at FROM features f WHERE f.id = runs.feature_id) WHERE status = 'closed';
CREATE INDEX runs_to_forget ON runs (closed_at) WHERE forgotten_at IS NULL AND closed_at IS NOT NULL;
CREATE INDEX runs_with_old_refs ON runs (closed_at) WHERE refs_tidied_at IS NULL AND closed_at IS NOT NULL;

-- Events that tell what changed go by their age, those of runs with their run.
CREATE INDEX events_of_no_run ON events (seq) WHERE run_id IS NULL;
-- The highest number of an event that is gone: whoever knows less than that has to read everything anew.
ALTER TABLE event_counter ADD COLUMN forgotten_seq INTEGER NOT NULL DEFAULT 0;
