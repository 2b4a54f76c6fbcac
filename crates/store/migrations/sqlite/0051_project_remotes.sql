-- Where else a project's repository is, such as at the team's forge. What lets in there is sealed, in `secrets` under project-remote/ID.
CREATE TABLE project_remotes (
  project_id BLOB PRIMARY KEY NOT NULL REFERENCES projects (id),
  url TEXT NOT NULL,
  has_login INTEGER NOT NULL,
  -- Whether the server fetches from there, and pushes there, by itself.
  follows INTEGER NOT NULL,
  pushes INTEGER NOT NULL,
  put_by BLOB NOT NULL REFERENCES members (id),
  -- When it was looked at last, what was found then, and when it is the next one's turn.
  looked_at TEXT,
  ahead INTEGER,
  behind INTEGER,
  error TEXT,
  fails INTEGER NOT NULL DEFAULT 0,
  next_at TEXT NOT NULL,
  -- Where the default branch stood here then.
  seen_commit TEXT
) STRICT;
