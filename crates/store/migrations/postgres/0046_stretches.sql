-- Each item in the index is marked with the stretch of places that it stands in, so that the index itself finds the latest of many.
UPDATE knowledge_index SET terms = terms || array_to_tsvector(ARRAY['p=' || (place / 4096)]);
