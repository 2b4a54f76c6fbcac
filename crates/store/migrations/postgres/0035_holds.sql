-- The cards whose work a run found in its tree when it began, because its own card depends on them.
ALTER TABLE runs ADD COLUMN holds JSONB NOT NULL DEFAULT '[]';
-- Auto modes of projects that were archived before that switched them off: nobody could stop them.
UPDATE auto_orders SET state = 'off', pause = NULL
  WHERE state <> 'off' AND project_id IN (SELECT id FROM projects WHERE archived_at IS NOT NULL);
