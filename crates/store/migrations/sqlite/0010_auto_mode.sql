-- Auto mode: a member's standing order in a project, and what it changes of runs and cards.
CREATE TABLE auto_orders (
  project_id BLOB NOT NULL REFERENCES projects (id),
  member_id BLOB NOT NULL REFERENCES members (id),
  state TEXT NOT NULL,
  max_concurrent INTEGER NOT NULL,
  work_window TEXT,
  at_close TEXT NOT NULL,
  failures TEXT NOT NULL,
  pause TEXT,
  changed_at TEXT NOT NULL,
  PRIMARY KEY (project_id, member_id)
) STRICT;
CREATE INDEX auto_orders_on ON auto_orders (state) WHERE state = 'on';

ALTER TABLE runs ADD COLUMN auto INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN repairs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN returns INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_with_worktrees ON runs (member_id) WHERE status <> 'closed';

ALTER TABLE features ADD COLUMN needs_approval INTEGER NOT NULL DEFAULT 0;
CREATE INDEX features_in_backlog ON features (project_id, created_by, priority, created_at)
  WHERE status = 'backlog' AND deleted_at IS NULL;
