-- What of the team's knowledge a run works with. A row here says that the choice was made, once, at its first attempt; and
-- how far the question is, what of its work is worth keeping.
CREATE TABLE run_guides (
  run_id UUID NOT NULL PRIMARY KEY REFERENCES runs (id),
  chosen_at TIMESTAMPTZ NOT NULL,
  -- About how many tokens the choice takes in the instructions.
  tokens BIGINT NOT NULL,
  -- When the agent answered, or was given up; what it answered, until all of it is in the hub.
  asked_at TIMESTAMPTZ,
  answer TEXT
);

-- The items: in the instructions whole, offered there by title, or read. The text of those in the instructions stays as it
-- was, so that a run that goes on is told the same, whatever became of the item.
CREATE TABLE run_knowledge (
  run_id UUID NOT NULL REFERENCES runs (id),
  item_id UUID NOT NULL REFERENCES knowledge_items (id),
  way TEXT NOT NULL,
  position BIGINT NOT NULL,
  kind TEXT NOT NULL,
  version BIGINT NOT NULL,
  title TEXT NOT NULL,
  text TEXT NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (run_id, item_id, way)
);
CREATE INDEX run_knowledge_items ON run_knowledge (item_id);
