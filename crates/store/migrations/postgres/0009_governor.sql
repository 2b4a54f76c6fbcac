-- A run that waits for its provider for long is queued, and claimed no earlier than this.
ALTER TABLE runs ADD COLUMN parked_until TIMESTAMPTZ;
ALTER TABLE runs ADD COLUMN parked_reason TEXT;
