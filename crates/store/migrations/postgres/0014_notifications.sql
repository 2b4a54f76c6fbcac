-- What members are told, a row each. One that happens again while it is unread counts on in its row.
CREATE TABLE notifications (
  id UUID PRIMARY KEY NOT NULL,
  member_id UUID NOT NULL REFERENCES members (id),
  kind TEXT NOT NULL,
  project_id UUID REFERENCES projects (id),
  feature_id UUID REFERENCES features (id),
  run_id UUID REFERENCES runs (id),
  subject TEXT NOT NULL,
  text TEXT NOT NULL,
  count BIGINT NOT NULL,
  -- The number of the event that told of it last.
  seq BIGINT NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  read_at TIMESTAMPTZ
);
CREATE INDEX notifications_listed ON notifications (member_id, seq);
CREATE INDEX notifications_unread ON notifications (member_id, kind) WHERE read_at IS NULL;
CREATE INDEX notifications_read ON notifications (read_at) WHERE read_at IS NOT NULL;
CREATE INDEX notifications_of_cards ON notifications (feature_id) WHERE feature_id IS NOT NULL AND read_at IS NULL;

-- Where a member wants other mails than those that come at first.
CREATE TABLE notification_choices (
  member_id UUID NOT NULL REFERENCES members (id),
  kind TEXT NOT NULL,
  mail BOOLEAN NOT NULL,
  PRIMARY KEY (member_id, kind)
);

-- Such a mail holds no secret: it is written from its notification when it is sent.
ALTER TABLE mails ADD COLUMN notification_id UUID;

-- Addresses that are called. Address and signing secret are sealed together, in `secrets` under webhook/ID: some services
-- let in whoever knows the address.
CREATE TABLE webhooks (
  id UUID PRIMARY KEY NOT NULL,
  -- Whose it is; nothing for the team's.
  member_id UUID REFERENCES members (id),
  name TEXT NOT NULL,
  -- What of the address may be shown.
  host TEXT NOT NULL,
  kinds JSONB NOT NULL,
  format TEXT NOT NULL,
  created_by UUID NOT NULL REFERENCES members (id),
  created_at TIMESTAMPTZ NOT NULL,
  -- Since when nothing was taken.
  failing_since TIMESTAMPTZ,
  off_at TIMESTAMPTZ,
  off_reason TEXT
);
CREATE INDEX webhooks_of_members ON webhooks (member_id);

-- Messages to them. Whoever claims one sends it; a claim that is over can end nothing.
CREATE TABLE webhook_deliveries (
  id UUID PRIMARY KEY NOT NULL,
  webhook_id UUID NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  -- What is told, as it was then.
  about JSONB NOT NULL,
  status TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  next_at TIMESTAMPTZ NOT NULL,
  attempts BIGINT NOT NULL,
  lease UUID,
  lease_until TIMESTAMPTZ,
  tried_at TIMESTAMPTZ,
  status_code BIGINT,
  duration_ms BIGINT,
  answer TEXT,
  problem TEXT,
  ended_at TIMESTAMPTZ
);
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (next_at) WHERE status = 'waiting';
CREATE INDEX webhook_deliveries_listed ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (ended_at) WHERE ended_at IS NOT NULL;
