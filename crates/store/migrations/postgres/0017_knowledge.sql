-- The knowledge hub. Blueprints, entries and learnings are rows of one table, so that one search goes over all of them.
CREATE TABLE knowledge_items (
  id UUID PRIMARY KEY NOT NULL,
  kind TEXT NOT NULL,
  -- Where it stands among all, by its latest change: what changed later has a higher number. Lists and searches go by it.
  place BIGINT NOT NULL UNIQUE,
  title TEXT NOT NULL,
  tags JSONB NOT NULL,
  review TEXT NOT NULL,
  reject_reason TEXT,
  verified_by UUID REFERENCES members (id),
  verified_at TIMESTAMPTZ,
  -- They follow from the rows of knowledge_applications, and change with them.
  application_count BIGINT NOT NULL DEFAULT 0,
  success_count BIGINT NOT NULL DEFAULT 0,
  origin TEXT NOT NULL,
  source_run_id UUID REFERENCES runs (id),
  source_feature_id UUID REFERENCES features (id),
  version BIGINT NOT NULL,
  created_by UUID NOT NULL REFERENCES members (id),
  created_at TIMESTAMPTZ NOT NULL,
  updated_by UUID NOT NULL REFERENCES members (id),
  updated_at TIMESTAMPTZ NOT NULL,
  deleted_at TIMESTAMPTZ,
  -- The large ones come last, so that whoever reads the others need not pass them.
  description TEXT NOT NULL,
  -- How often each word stands in it, for ranking.
  profile BYTEA NOT NULL,
  related JSONB NOT NULL,
  -- What only its kind has.
  details JSONB NOT NULL,
  content TEXT NOT NULL
);
CREATE INDEX knowledge_items_updated ON knowledge_items (updated_at);
CREATE INDEX knowledge_items_of_runs ON knowledge_items (source_run_id) WHERE source_run_id IS NOT NULL;
CREATE INDEX knowledge_items_deleted ON knowledge_items (place) WHERE deleted_at IS NOT NULL;

-- Every change of an item, with its whole text as it was from then on.
CREATE TABLE knowledge_versions (
  item_id UUID NOT NULL REFERENCES knowledge_items (id),
  version BIGINT NOT NULL,
  deed TEXT NOT NULL,
  why TEXT,
  draft JSONB NOT NULL,
  origin TEXT NOT NULL,
  member_id UUID NOT NULL REFERENCES members (id),
  token_id UUID,
  run_id UUID REFERENCES runs (id),
  at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (item_id, version)
);

-- What an item names as related to it; read from the other end, too.
CREATE TABLE knowledge_relations (
  item_id UUID NOT NULL REFERENCES knowledge_items (id),
  related_id UUID NOT NULL REFERENCES knowledge_items (id),
  PRIMARY KEY (item_id, related_id)
);
CREATE INDEX knowledge_relations_back ON knowledge_relations (related_id);

-- That somebody used a learning, and what came of it: once for each run, or for each member who used it without one.
CREATE TABLE knowledge_applications (
  item_id UUID NOT NULL REFERENCES knowledge_items (id),
  -- The run, or the member.
  by_id UUID NOT NULL,
  run_id UUID REFERENCES runs (id),
  member_id UUID NOT NULL REFERENCES members (id),
  outcome TEXT NOT NULL,
  note TEXT,
  at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (item_id, by_id)
);
CREATE INDEX knowledge_applications_of_runs ON knowledge_applications (run_id) WHERE run_id IS NOT NULL;

-- How many items there are, and the latest place. Whoever changes the hub locks this row first, so that places follow the
-- order of commit and counts of words are never waited for in a circle.
CREATE TABLE knowledge_counter (
  one BIGINT PRIMARY KEY NOT NULL CHECK (one = 1),
  place BIGINT NOT NULL,
  items BIGINT NOT NULL
);
INSERT INTO knowledge_counter (one, place, items) VALUES (1, 0, 0);

-- Every word and every mark of the hub, with the number of items that hold it: what rare words are worth, what a beginning of a
-- word and what a misspelt word can mean, and which way to look for something is short.
CREATE TABLE knowledge_words (
  word TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  stem TEXT COLLATE "C" NOT NULL,
  docs BIGINT NOT NULL
);
CREATE INDEX knowledge_words_stems ON knowledge_words (stem);

-- Three letters each, by which misspelt words are found.
CREATE TABLE knowledge_grams (
  gram TEXT COLLATE "C" NOT NULL,
  letters BIGINT NOT NULL,
  word TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (gram, letters, word)
);

-- Which words and which marks (kind, tag, type, …) are in which item, by its place. Words come as they are known by the hub,
-- parted by blanks, so that both databases hold the same ones. Searches must not wait for a list of what is yet to be indexed.
CREATE TABLE knowledge_index (
  place BIGINT PRIMARY KEY NOT NULL,
  terms TSVECTOR NOT NULL
);
CREATE INDEX knowledge_index_terms ON knowledge_index USING gin (terms) WITH (fastupdate = off);
