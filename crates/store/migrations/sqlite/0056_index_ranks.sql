-- PostgreSQL's index has beside it what the order of what is found goes by. SQLite's holds words alone, and a look beside it is short.
SELECT 1;
