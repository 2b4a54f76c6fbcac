-- What models cost, where an admin says so. A row goes before the built-in table; the longest pattern that fits counts.
CREATE TABLE prices (
  id UUID PRIMARY KEY NOT NULL,
  provider TEXT NOT NULL,
  pattern TEXT NOT NULL,
  input BIGINT NOT NULL,
  output BIGINT NOT NULL,
  cache_read BIGINT NOT NULL,
  cache_write BIGINT NOT NULL,
  changed_by UUID REFERENCES members (id),
  changed_at TIMESTAMPTZ NOT NULL,
  UNIQUE (provider, pattern)
);

-- What a row of the ledger tells when its card and project are gone.
ALTER TABLE ledger ADD COLUMN project_id UUID;
ALTER TABLE ledger ADD COLUMN project_name TEXT;
ALTER TABLE ledger ADD COLUMN feature_id UUID;
ALTER TABLE ledger ADD COLUMN feature_number BIGINT;
ALTER TABLE ledger ADD COLUMN feature_title TEXT;
ALTER TABLE ledger ADD COLUMN key_hint TEXT;
ALTER TABLE ledger ADD COLUMN priced BOOLEAN NOT NULL DEFAULT TRUE;
UPDATE ledger SET
  project_id = (SELECT r.project_id FROM runs r WHERE r.id = ledger.run_id),
  project_name = (SELECT p.name FROM runs r JOIN projects p ON p.id = r.project_id WHERE r.id = ledger.run_id),
  feature_id = (SELECT r.feature_id FROM runs r WHERE r.id = ledger.run_id),
  feature_number = (SELECT f.number FROM runs r JOIN features f ON f.id = r.feature_id WHERE r.id = ledger.run_id),
  feature_title = (SELECT f.title FROM runs r JOIN features f ON f.id = r.feature_id WHERE r.id = ledger.run_id),
  key_hint = (SELECT r.key_hint FROM runs r WHERE r.id = ledger.run_id);
DROP INDEX ledger_of_member;
CREATE INDEX ledger_of_member ON ledger (member_id, at, cost_micros);
CREATE INDEX ledger_of_project ON ledger (project_id, at);
CREATE INDEX ledger_by_time ON ledger (at);

-- Budgets of members, in micro-dollars a month. Who has no row has the team's.
CREATE TABLE budgets (
  member_id UUID PRIMARY KEY NOT NULL REFERENCES members (id),
  given_micros BIGINT,
  own_micros BIGINT
);

-- What the call that a run makes may cost at most, until it is in the ledger. A run makes one call at a time.
CREATE TABLE reservations (
  run_id UUID PRIMARY KEY NOT NULL REFERENCES runs (id),
  attempt BIGINT NOT NULL,
  member_id UUID NOT NULL REFERENCES members (id),
  micros BIGINT NOT NULL,
  until TIMESTAMPTZ NOT NULL
);
CREATE INDEX reservations_of_member ON reservations (member_id, until, micros);

ALTER TABLE runs ADD COLUMN parked_for TEXT;
ALTER TABLE runs ADD COLUMN extra_micros BIGINT NOT NULL DEFAULT 0;
ALTER TABLE features ADD COLUMN budget_micros BIGINT;
