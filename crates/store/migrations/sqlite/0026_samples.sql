-- The servers of the team, each by its data folder, as each was when it last told.
CREATE TABLE nodes (
  id BLOB PRIMARY KEY NOT NULL,
  -- The process that works in the folder.
  node BLOB NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  started_at TEXT NOT NULL,
  seen_at TEXT NOT NULL,
  reading TEXT NOT NULL
) STRICT;

-- How nodes were, over time. A row stands for `span` seconds from `at` on, of which there are `minutes` minutes in it.
CREATE TABLE node_samples (
  place BLOB NOT NULL,
  span INTEGER NOT NULL,
  at TEXT NOT NULL,
  minutes INTEGER NOT NULL,
  figures TEXT NOT NULL,
  PRIMARY KEY (place, span, at)
) STRICT;
CREATE INDEX node_samples_by_time ON node_samples (span, at);

-- What members used, over time, on each node; what no node uses, such as tokens, under a place of zeros.
CREATE TABLE member_samples (
  member_id BLOB NOT NULL REFERENCES members (id),
  place BLOB NOT NULL,
  span INTEGER NOT NULL,
  at TEXT NOT NULL,
  minutes INTEGER NOT NULL,
  figures TEXT NOT NULL,
  PRIMARY KEY (member_id, place, span, at)
) STRICT;
CREATE INDEX member_samples_by_time ON member_samples (span, at);
