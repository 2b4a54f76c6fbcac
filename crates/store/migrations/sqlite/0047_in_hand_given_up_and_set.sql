-- Until when somebody merges by hand what is to be merged by itself: it is not taken up in the middle of that.
ALTER TABLE runs ADD COLUMN merge_in_hand_until TEXT;

-- Why a mail was given up. Nothing of those that a restore gave up, and of former ones.
ALTER TABLE mails ADD COLUMN given_up TEXT;
CREATE INDEX mails_stuck ON mails (created_at) WHERE status = 'waiting' OR given_up = 'out-of-time';

-- Whoever set other thresholds set these along with them; as long as nobody sets them, they follow from how often a backup is made.
UPDATE settings SET value = json_remove(value, '$.backupHours')
  WHERE name = 'alert_thresholds' AND value ->> '$.backupHours.warning' = 26 AND value ->> '$.backupHours.critical' = 50;
