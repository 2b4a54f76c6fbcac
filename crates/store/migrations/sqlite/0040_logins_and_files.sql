-- What lets a clone in is sealed from now on. Addresses that were kept with a name and a password lose them, also in what was
-- told of them: they were shown to everybody.
UPDATE projects SET source = json_set(source, '$.url', plain.scheme || plain.host || plain.path)
FROM (
  SELECT id, scheme, path, rtrim(authority, replace(authority, '@', '')) AS login,
    substr(authority, length(rtrim(authority, replace(authority, '@', ''))) + 1) AS host
  FROM (
    SELECT id, lower(substr(url, 1, instr(url, '://') + 2)) AS scheme,
      substr(rest, 1, instr(rest || '/', '/') - 1) AS authority, substr(rest, instr(rest || '/', '/')) AS path
    FROM (
      SELECT id, url, substr(url, instr(url, '://') + 3) AS rest
      FROM (SELECT id, source ->> '$.url' AS url FROM projects) WHERE url LIKE '%://%@%'))
) AS plain
WHERE plain.id = projects.id AND (plain.scheme IN ('https://', 'http://', 'git://') AND plain.login <> ''
  OR plain.scheme = 'ssh://' AND plain.login LIKE '%:%');
UPDATE events SET what = json_set(what, '$.project.source.url', plain.scheme || plain.host || plain.path)
FROM (
  SELECT seq, scheme, path, rtrim(authority, replace(authority, '@', '')) AS login,
    substr(authority, length(rtrim(authority, replace(authority, '@', ''))) + 1) AS host
  FROM (
    SELECT seq, lower(substr(url, 1, instr(url, '://') + 2)) AS scheme,
      substr(rest, 1, instr(rest || '/', '/') - 1) AS authority, substr(rest, instr(rest || '/', '/')) AS path
    FROM (
      SELECT seq, url, substr(url, instr(url, '://') + 3) AS rest
      FROM (SELECT seq, what ->> '$.project.source.url' AS url FROM events
          WHERE kind IN ('project.created', 'project.updated')) WHERE url LIKE '%://%@%'))
) AS plain
WHERE plain.seq = events.seq AND (plain.scheme IN ('https://', 'http://', 'git://') AND plain.login <> ''
  OR plain.scheme = 'ssh://' AND plain.login LIKE '%:%');

-- Who put a file on a card; nothing for files from before, for those of messages, and for what the tools of a run returned.
ALTER TABLE attachments ADD COLUMN created_by BLOB REFERENCES members (id);
