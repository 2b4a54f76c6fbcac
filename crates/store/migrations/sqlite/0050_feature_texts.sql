-- What a card's title and description were, from each change of them on. A card that nobody changed has no row here.
CREATE TABLE feature_texts (
  feature_id BLOB NOT NULL REFERENCES features (id),
  number INTEGER NOT NULL,
  deed TEXT NOT NULL,
  -- Who did it, or whose token or agent; nobody where the server did it by itself.
  member_id BLOB REFERENCES members (id),
  token_id BLOB,
  -- Which former text was taken back.
  restored INTEGER,
  at TEXT NOT NULL,
  title TEXT NOT NULL,
  description TEXT NOT NULL,
  PRIMARY KEY (feature_id, number)
) STRICT;
