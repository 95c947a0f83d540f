-- Since when prices are watched: since the first catalog of this store, or since this step where there was one before it.
ALTER TABLE catalog_seen ADD COLUMN since BIGINT NOT NULL DEFAULT 0;
UPDATE catalog_seen SET since = seen;

-- Prices that changed from one catalog to the next: `number` is the catalog that brought them. A price is decimal text as in the files
-- of the catalog, `unknown`, or NULL where there was none of its own; condition is when it holds, empty: always. A row with an empty
-- kind says that the endpoint is new, so that nothing is known of its prices before.
CREATE TABLE price_changes (
    number BIGINT NOT NULL,
    endpoint TEXT NOT NULL,
    kind TEXT NOT NULL,
    condition TEXT NOT NULL,
    before TEXT,
    after TEXT,
    seen BIGINT NOT NULL,
    PRIMARY KEY (number, endpoint, kind, condition)
){IN_KEY};
