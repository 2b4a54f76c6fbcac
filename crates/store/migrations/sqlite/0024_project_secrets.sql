-- Secrets of projects: what may be shown of them. The secrets themselves are sealed among the others, under an identity of
-- project and name.
CREATE TABLE project_secrets (
  project_id BLOB NOT NULL REFERENCES projects (id),
  name TEXT NOT NULL,
  hint TEXT NOT NULL,
  uses TEXT NOT NULL,
  put_by BLOB NOT NULL REFERENCES members (id),
  updated_at TEXT NOT NULL,
  PRIMARY KEY (project_id, name)
) STRICT;

-- A project's commands set worktrees up as well.
ALTER TABLE checks ADD COLUMN kind TEXT NOT NULL DEFAULT 'check';
