-- Until when a node has a project's other repository in hand: it says so again and again, so that one that dies holds it for no longer.
ALTER TABLE project_remotes ADD COLUMN taken_until TIMESTAMPTZ;
