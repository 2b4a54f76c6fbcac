-- Since when the provider of a run has answered none of its calls, while it waits for that or asks again.
ALTER TABLE runs ADD COLUMN out_since TIMESTAMPTZ;

-- Whose branch is taken: asked at each start of a card, and of each card that names one.
CREATE INDEX runs_on_branches ON runs (project_id, branch) WHERE status <> 'closed';
