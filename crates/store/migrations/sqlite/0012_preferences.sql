-- How a member likes the page; nothing while it is as usual.
ALTER TABLE members ADD COLUMN preferences TEXT;
