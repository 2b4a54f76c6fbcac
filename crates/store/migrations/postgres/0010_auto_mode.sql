-- Auto mode: a member's standing order in a project, and what it changes of runs and cards.
CREATE TABLE auto_orders (
  project_id UUID NOT NULL REFERENCES projects (id),
  member_id UUID NOT NULL REFERENCES members (id),
  state TEXT NOT NULL,
  max_concurrent BIGINT NOT NULL,
  work_window JSONB,
  at_close TEXT NOT NULL,
  failures JSONB NOT NULL,
  pause JSONB,
  changed_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (project_id, member_id)
);
CREATE INDEX auto_orders_on ON auto_orders (state) WHERE state = 'on';

ALTER TABLE runs ADD COLUMN auto BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE runs ADD COLUMN repairs BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN returns BIGINT NOT NULL DEFAULT 0;
CREATE INDEX runs_with_worktrees ON runs (member_id) WHERE status <> 'closed';

ALTER TABLE features ADD COLUMN needs_approval BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX features_in_backlog ON features (project_id, created_by, priority, created_at)
  WHERE status = 'backlog' AND deleted_at IS NULL;
