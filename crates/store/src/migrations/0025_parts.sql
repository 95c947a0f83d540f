-- Use by day and hour once more, by key, model or provider alone and by none of them, among the facets: filled when the store is opened,
-- from the rows up to the one that is named here; 1: all of them.
INSERT INTO books_state (name, number, text)
    VALUES ('parts', CASE WHEN EXISTS (SELECT 1 FROM activity_days) THEN 0 ELSE 1 END, '');
