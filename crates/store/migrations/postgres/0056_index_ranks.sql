-- What the order of what is found goes by stands beside the index: a search reads it for hundreds of items, and would visit a row of
-- another table for each. The terms lie apart, so that the rows are short; nothing but the index reads them.
CREATE TABLE knowledge_index_ranked (
  place BIGINT PRIMARY KEY NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  success_count BIGINT NOT NULL,
  failure_count BIGINT NOT NULL,
  id UUID NOT NULL,
  created_by UUID NOT NULL,
  kind TEXT NOT NULL,
  title TEXT NOT NULL,
  profile BYTEA NOT NULL,
  terms TSVECTOR NOT NULL
);
ALTER TABLE knowledge_index_ranked ALTER COLUMN profile SET STORAGE MAIN, ALTER COLUMN terms SET STORAGE EXTERNAL;
-- How frequent words are stands in knowledge_words. Counted here as well, it would keep a processor busy whenever much was written, and
-- would plan no look better: there is one way to go.
ALTER TABLE knowledge_index_ranked ALTER COLUMN terms SET STATISTICS 0, ALTER COLUMN profile SET STATISTICS 0;
INSERT INTO knowledge_index_ranked
  SELECT x.place, i.updated_at, i.success_count, i.failure_count, i.id, i.created_by, i.kind, i.title, i.profile,
    array_to_tsvector(tsvector_to_array(x.terms))
  FROM knowledge_index x JOIN knowledge_items i ON i.place = x.place ORDER BY x.place;
DROP TABLE knowledge_index;
ALTER TABLE knowledge_index_ranked RENAME TO knowledge_index;
ALTER INDEX knowledge_index_ranked_pkey RENAME TO knowledge_index_pkey;
CREATE INDEX knowledge_index_terms ON knowledge_index USING gin (terms) WITH (fastupdate = off);
