-- Where else a project's repository is, such as at the team's forge. What lets in there is sealed, in `secrets` under project-remote/ID.
CREATE TABLE project_remotes (
  project_id UUID PRIMARY KEY NOT NULL REFERENCES projects (id),
  url TEXT NOT NULL,
  has_login BOOLEAN NOT NULL,
  -- Whether the server fetches from there, and pushes there, by itself.
  follows BOOLEAN NOT NULL,
  pushes BOOLEAN NOT NULL,
  put_by UUID NOT NULL REFERENCES members (id),
  -- When it was looked at last, what was found then, and when it is the next one's turn.
  looked_at TIMESTAMPTZ,
  ahead BIGINT,
  behind BIGINT,
  error TEXT,
  fails BIGINT NOT NULL DEFAULT 0,
  next_at TIMESTAMPTZ NOT NULL,
  -- Where the default branch stood here then.
  seen_commit TEXT
);
