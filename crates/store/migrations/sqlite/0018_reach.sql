-- What of the team's knowledge a run works with. A row here says that the choice was made, once, at its first attempt; and
-- how far the question is, what of its work is worth keeping.
CREATE TABLE run_guides (
  run_id BLOB NOT NULL PRIMARY KEY REFERENCES runs (id),
  chosen_at TEXT NOT NULL,
  -- About how many tokens the choice takes in the instructions.
  tokens INTEGER NOT NULL,
  -- When the agent answered, or was given up; what it answered, until all of it is in the hub.
  asked_at TEXT,
  answer TEXT
) STRICT;

-- The items: in the instructions whole, offered there by title, or read. The text of those in the instructions stays as it
-- was, so that a run that goes on is told the same, whatever became of the item.
CREATE TABLE run_knowledge (
  run_id BLOB NOT NULL REFERENCES runs (id),
  item_id BLOB NOT NULL REFERENCES knowledge_items (id),
  way TEXT NOT NULL,
  position INTEGER NOT NULL,
  kind TEXT NOT NULL,
  version INTEGER NOT NULL,
  title TEXT NOT NULL,
  text TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (run_id, item_id, way)
) STRICT;
CREATE INDEX run_knowledge_items ON run_knowledge (item_id);
