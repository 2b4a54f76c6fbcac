-- The servers of the team, each by its data folder, as each was when it last told.
CREATE TABLE nodes (
  id UUID PRIMARY KEY NOT NULL,
  -- The process that works in the folder.
  node UUID NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  started_at TIMESTAMPTZ NOT NULL,
  seen_at TIMESTAMPTZ NOT NULL,
  reading JSONB NOT NULL
);

-- How nodes were, over time. A row stands for `span` seconds from `at` on, of which there are `minutes` minutes in it.
CREATE TABLE node_samples (
  place UUID NOT NULL,
  span BIGINT NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  minutes BIGINT NOT NULL,
  figures JSONB NOT NULL,
  PRIMARY KEY (place, span, at)
);
CREATE INDEX node_samples_by_time ON node_samples (span, at);

-- What members used, over time, on each node; what no node uses, such as tokens, under a place of zeros.
CREATE TABLE member_samples (
  member_id UUID NOT NULL REFERENCES members (id),
  place UUID NOT NULL,
  span BIGINT NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  minutes BIGINT NOT NULL,
  figures JSONB NOT NULL,
  PRIMARY KEY (member_id, place, span, at)
);
CREATE INDEX member_samples_by_time ON member_samples (span, at);
