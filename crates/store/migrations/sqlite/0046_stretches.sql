-- PostgreSQL's index marks where items stand. SQLite walks its own from the latest item on, and has no need of it.
SELECT 1;
