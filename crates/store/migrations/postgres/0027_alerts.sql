-- What whoever runs the servers is told of them. One of a kind and subject is open at a time; those that are over stay as the
-- history.
CREATE TABLE alerts (
  id UUID PRIMARY KEY NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  -- The subject for people.
  about TEXT NOT NULL,
  level TEXT NOT NULL,
  worst_level TEXT NOT NULL,
  value BIGINT NOT NULL,
  worst BIGINT NOT NULL,
  text TEXT NOT NULL,
  raised_at TIMESTAMPTZ NOT NULL,
  changed_at TIMESTAMPTZ NOT NULL,
  seen_at TIMESTAMPTZ NOT NULL,
  cleared_at TIMESTAMPTZ,
  -- Whether it is over because nobody measures it any more.
  gone BOOLEAN NOT NULL DEFAULT FALSE,
  silenced_until TIMESTAMPTZ,
  silenced_by UUID REFERENCES members (id)
);
CREATE UNIQUE INDEX alerts_open ON alerts (kind, subject) WHERE cleared_at IS NULL;
CREATE INDEX alerts_over ON alerts (cleared_at) WHERE cleared_at IS NOT NULL;
CREATE INDEX alerts_silenced ON alerts (kind, subject, silenced_until) WHERE silenced_until IS NOT NULL;

-- Each alert is told for itself: what is unread of another does not keep it back.
ALTER TABLE notifications ADD COLUMN alert_id UUID;
