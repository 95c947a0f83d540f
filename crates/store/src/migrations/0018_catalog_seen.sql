-- The catalog that was last in place, as far as changes of it are told: number counts the catalogs, body is JSON.
CREATE TABLE catalog_seen (
    id BIGINT PRIMARY KEY,
    number BIGINT NOT NULL,
    version TEXT NOT NULL,
    body TEXT NOT NULL,
    seen BIGINT NOT NULL
);
