-- What lets a clone in is sealed from now on. Addresses that were kept with a name and a password lose them, also in what was
-- told of them: they were shown to everybody.
UPDATE projects SET source = jsonb_set(source, '{url}', to_jsonb(
    regexp_replace(source ->> 'url', '^((?:https?|git)://)[^/]*@|^(ssh://)[^/]*:[^/]*@', '\1\2', 'i')))
  WHERE source ->> 'url' ~* '^(https?|git|ssh)://[^/]*@';
UPDATE events SET what = regexp_replace(what,
    '("source":\{"kind":"clone","url":")(?:((?:https?|git)://)[^/"]*@|(ssh://)[^/"]*:[^/"]*@)', '\1\2\3', 'i')
  WHERE kind IN ('project.created', 'project.updated') AND what ~* '"url":"(https?|git|ssh)://[^/"]*@';

-- Who put a file on a card; nothing for files from before, for those of messages, and for what the tools of a run returned.
ALTER TABLE attachments ADD COLUMN created_by UUID REFERENCES members (id);
