-- The code or refresh token that a pair was given for: whoever showed a refresh token and did not get the pair may ask once more.
ALTER TABLE oauth_tokens ADD COLUMN follows BYTEA;

-- An agent's tasks, those in which something happened last first.
CREATE INDEX features_tasks ON features (agent_id, updated_at) WHERE kind = 'task';
