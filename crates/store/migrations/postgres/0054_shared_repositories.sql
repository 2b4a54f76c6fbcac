-- What nodes that share no file system have in common of a project's repository. Each has a clone of its own, which catches up with this.
CREATE TABLE shared_repositories (
  project_id UUID PRIMARY KEY NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  -- Whose numbers these are: a log that is begun anew is another one.
  log_id UUID NOT NULL,
  -- The latest entry; 0 while the repository is still being made.
  last_seq BIGINT NOT NULL DEFAULT 0,
  -- The entry whose pack holds all that was there then.
  whole_seq BIGINT NOT NULL DEFAULT 0,
  -- The latest entry by which something may have gone: what is packed against an older state may build on that.
  dropped_seq BIGINT NOT NULL DEFAULT 0,
  head TEXT NOT NULL DEFAULT '',
  object_format TEXT NOT NULL DEFAULT '',
  shallow TEXT NOT NULL DEFAULT '',
  -- Which node makes it, or writes it down as a whole, and until when it says so.
  maker UUID,
  taken_until TIMESTAMPTZ
);
CREATE TABLE repository_logs (
  project_id UUID NOT NULL REFERENCES shared_repositories (project_id) ON DELETE CASCADE,
  seq BIGINT NOT NULL,
  -- The state against which its pack was made.
  since BIGINT NOT NULL,
  -- Its objects; nothing where there is nothing new.
  pack UUID,
  parts BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  -- The refs that it changed, with what they named before and after; of a whole entry all there were.
  changes JSONB NOT NULL,
  made_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (project_id, seq)
);
CREATE TABLE repository_packs (
  pack UUID NOT NULL,
  part BIGINT NOT NULL,
  project_id UUID NOT NULL REFERENCES shared_repositories (project_id) ON DELETE CASCADE,
  bytes BYTEA NOT NULL,
  made_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (pack, part)
);
CREATE INDEX repository_packs_of_project ON repository_packs (project_id);
-- Packs are as small as they get.
ALTER TABLE repository_packs ALTER COLUMN bytes SET STORAGE EXTERNAL;
CREATE TABLE repository_refs (
  project_id UUID NOT NULL REFERENCES shared_repositories (project_id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  object TEXT NOT NULL,
  PRIMARY KEY (project_id, name)
);
