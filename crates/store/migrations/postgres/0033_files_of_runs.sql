-- Files that belong to a run rather than to its card: those that a member sent with a message, which has the number `message`
-- in the run, and the images that its tools returned, which came with none.
ALTER TABLE attachments ADD COLUMN run_id UUID REFERENCES runs (id);
ALTER TABLE attachments ADD COLUMN message BIGINT;
CREATE INDEX attachments_of_run ON attachments (run_id, message) WHERE run_id IS NOT NULL;
