-- What of the hub a run was told goes with its history. That its work came through is counted for each item that it was told, and
-- stays. (A closed run has no failure any more: whoever tried the card again took it back.)
CREATE TABLE knowledge_traces (
  item_id UUID NOT NULL PRIMARY KEY REFERENCES knowledge_items (id),
  came_through BIGINT NOT NULL
);
-- Runs whose history is gone already.
INSERT INTO knowledge_traces (item_id, came_through)
  SELECT k.item_id, count(*) FROM run_knowledge k JOIN runs r ON r.id = k.run_id JOIN features f ON f.id = r.feature_id
  WHERE r.forgotten_at IS NOT NULL AND k.way = 'instructions' AND f.run_id = r.id AND f.status IN ('verified', 'completed')
    AND NOT EXISTS (
      SELECT 1 FROM checks c
      WHERE c.run_id = r.id AND c.kind = 'check' AND c.status = 'failed' AND c.exit_code IS NOT NULL)
  GROUP BY k.item_id;
DELETE FROM run_knowledge WHERE run_id IN (SELECT id FROM runs WHERE forgotten_at IS NOT NULL);
DELETE FROM run_guides WHERE run_id IN (SELECT id FROM runs WHERE forgotten_at IS NOT NULL);

-- What members are told of an execution of a system.
ALTER TABLE notifications ADD COLUMN execution_id UUID REFERENCES executions (id);
CREATE INDEX notifications_of_executions ON notifications (execution_id) WHERE execution_id IS NOT NULL;
