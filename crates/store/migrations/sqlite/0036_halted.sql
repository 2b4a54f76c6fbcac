-- Whether a run was stopped with the auto mode that had begun it: it goes on with that.
ALTER TABLE runs ADD COLUMN halted INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_halted ON runs (project_id, member_id) WHERE halted;

-- Of which member it tells somebody else.
ALTER TABLE notifications ADD COLUMN about_member_id BLOB REFERENCES members (id);

-- For which month, and at which budget, whoever may raise a member's budget was told that it is used up.
CREATE TABLE told_months (
  member_id BLOB PRIMARY KEY NOT NULL REFERENCES members (id),
  month TEXT NOT NULL,
  cap_micros INTEGER NOT NULL
) STRICT;
