-- Whether a run was stopped with the auto mode that had begun it: it goes on with that.
ALTER TABLE runs ADD COLUMN halted BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX runs_halted ON runs (project_id, member_id) WHERE halted;

-- Of which member it tells somebody else.
ALTER TABLE notifications ADD COLUMN about_member_id UUID REFERENCES members (id);

-- For which month, and at which budget, whoever may raise a member's budget was told that it is used up.
CREATE TABLE told_months (
  member_id UUID PRIMARY KEY NOT NULL REFERENCES members (id),
  month TIMESTAMPTZ NOT NULL,
  cap_micros BIGINT NOT NULL
);
