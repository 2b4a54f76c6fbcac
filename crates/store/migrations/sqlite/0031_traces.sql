-- The span of the request that made a run, as a traceparent: what the run does belongs to its trace, on whichever node.
ALTER TABLE runs ADD COLUMN traceparent TEXT;
