-- From which version on an item says what it says now: what came of an earlier text proves nothing of this one.
ALTER TABLE knowledge_items ADD COLUMN text_version BIGINT NOT NULL DEFAULT 1;
UPDATE knowledge_items SET text_version = coalesce((
  SELECT max(v.version) FROM knowledge_versions v
  WHERE v.item_id = knowledge_items.id AND v.deed IN ('created', 'updated', 'verified', 'restored')), 1);

-- Which version was used: the one that the run was told, or the latest.
ALTER TABLE knowledge_applications ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
UPDATE knowledge_applications SET version = coalesce(
  (SELECT max(k.version) FROM run_knowledge k
    WHERE k.run_id = knowledge_applications.run_id AND k.item_id = knowledge_applications.item_id AND k.way <> 'offered'),
  (SELECT max(v.version) FROM knowledge_versions v
    WHERE v.item_id = knowledge_applications.item_id AND v.at <= knowledge_applications.at), 1);

-- In how many of its uses it did not help; of the others that did not help nothing is known. The run that recorded a learning
-- counts nowhere.
ALTER TABLE knowledge_items ADD COLUMN failure_count BIGINT NOT NULL DEFAULT 0;
UPDATE knowledge_items SET
  application_count = (SELECT count(*) FROM knowledge_applications a
    WHERE a.item_id = knowledge_items.id AND (a.run_id IS NULL OR a.run_id IS DISTINCT FROM knowledge_items.source_run_id)),
  success_count = (SELECT count(*) FROM knowledge_applications a
    WHERE a.item_id = knowledge_items.id AND a.outcome = 'helped'
      AND (a.run_id IS NULL OR a.run_id IS DISTINCT FROM knowledge_items.source_run_id)),
  failure_count = (SELECT count(*) FROM knowledge_applications a
    WHERE a.item_id = knowledge_items.id AND a.outcome = 'did-not-help'
      AND (a.run_id IS NULL OR a.run_id IS DISTINCT FROM knowledge_items.source_run_id))
WHERE id IN (SELECT item_id FROM knowledge_applications);

-- When an admin erased it for good. Of an item its bare row is left, because runs name it; of a version that it was.
ALTER TABLE knowledge_items ADD COLUMN erased_at TIMESTAMPTZ;
ALTER TABLE knowledge_versions ADD COLUMN erased_at TIMESTAMPTZ;

CREATE INDEX knowledge_items_of_members ON knowledge_items (created_by, place) WHERE deleted_at IS NULL;

-- Whether it had ended in an error when it was closed: closing takes its status, and what that says of what it was told stays.
ALTER TABLE runs ADD COLUMN failed BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE knowledge_traces ADD COLUMN failed BIGINT NOT NULL DEFAULT 0;
