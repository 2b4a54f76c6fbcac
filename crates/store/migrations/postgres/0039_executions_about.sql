-- What an execution was started with, in a few words: those of one system look alike otherwise.
ALTER TABLE executions ADD COLUMN about TEXT NOT NULL DEFAULT '';
-- Of whom there are too many, and what ends with its member or its project.
CREATE INDEX executions_open_of_member ON executions (member_id) WHERE ended_at IS NULL;
