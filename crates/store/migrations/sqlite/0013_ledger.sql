-- What models cost, where an admin says so. A row goes before the built-in table; the longest pattern that fits counts.
CREATE TABLE prices (
  id BLOB PRIMARY KEY NOT NULL,
  provider TEXT NOT NULL,
  pattern TEXT NOT NULL,
  input INTEGER NOT NULL,
  output INTEGER NOT NULL,
  cache_read INTEGER NOT NULL,
  cache_write INTEGER NOT NULL,
  changed_by BLOB REFERENCES members (id),
  changed_at TEXT NOT NULL,
  UNIQUE (provider, pattern)
) STRICT;

-- What a row of the ledger tells when its card and project are gone.
ALTER TABLE ledger ADD COLUMN project_id BLOB;
ALTER TABLE ledger ADD COLUMN project_name TEXT;
ALTER TABLE ledger ADD COLUMN feature_id BLOB;
ALTER TABLE ledger ADD COLUMN feature_number INTEGER;
ALTER TABLE ledger ADD COLUMN feature_title TEXT;
ALTER TABLE ledger ADD COLUMN key_hint TEXT;
ALTER TABLE ledger ADD COLUMN priced INTEGER NOT NULL DEFAULT 1;
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
  member_id BLOB PRIMARY KEY NOT NULL REFERENCES members (id),
  given_micros INTEGER,
  own_micros INTEGER
) STRICT;

-- What the call that a run makes may cost at most, until it is in the ledger. A run makes one call at a time.
CREATE TABLE reservations (
  run_id BLOB PRIMARY KEY NOT NULL REFERENCES runs (id),
  attempt INTEGER NOT NULL,
  member_id BLOB NOT NULL REFERENCES members (id),
  micros INTEGER NOT NULL,
  until TEXT NOT NULL
) STRICT;
CREATE INDEX reservations_of_member ON reservations (member_id, until, micros);

ALTER TABLE runs ADD COLUMN parked_for TEXT;
ALTER TABLE runs ADD COLUMN extra_micros INTEGER NOT NULL DEFAULT 0;
ALTER TABLE features ADD COLUMN budget_micros INTEGER;
