-- Morning reports, the forecasts that they are compared with, and how long runs work, wait and rest.
CREATE TABLE run_spans (
  run_id BLOB NOT NULL REFERENCES runs (id),
  kind TEXT NOT NULL,
  begins_at TEXT NOT NULL,
  ends_at TEXT
) STRICT;
CREATE INDEX spans_of_run ON run_spans (run_id, begins_at);

-- Whether the member is yet to be told of a run that auto mode started, and what was told of it before.
ALTER TABLE runs ADD COLUMN untold INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN told_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN told_cost_micros INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET told_cost_micros = cost_micros,
  told_tokens = input_tokens + output_tokens + cache_read_tokens + cache_write_tokens;
CREATE INDEX runs_to_tell ON runs (member_id) WHERE untold;
CREATE INDEX runs_ended_in ON runs (project_id, ended_at);
CREATE INDEX runs_ended ON runs (ended_at);

ALTER TABLE auto_orders ADD COLUMN forecast TEXT;
ALTER TABLE auto_orders ADD COLUMN forecast_at TEXT;

CREATE TABLE reports (
  id BLOB PRIMARY KEY NOT NULL,
  member_id BLOB NOT NULL REFERENCES members (id),
  cause TEXT NOT NULL,
  begins_at TEXT NOT NULL,
  ends_at TEXT NOT NULL,
  body TEXT NOT NULL,
  read_at TEXT
) STRICT;
CREATE INDEX reports_of_member ON reports (member_id, id);

-- How a member wants to be told, and up to when that was done.
CREATE TABLE report_settings (
  member_id BLOB PRIMARY KEY NOT NULL REFERENCES members (id),
  mail INTEGER NOT NULL DEFAULT 0,
  morning TEXT,
  told_until TEXT
) STRICT;

CREATE INDEX features_with_plans ON features (project_id) WHERE stage = 'plan_approval';
