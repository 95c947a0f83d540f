-- What was erased: an account since when, how far its records are emptied (microseconds since 1970), and since when all are; 1: a
-- record whose words about people were taken out. Its digest stays what it was, for the chain of the books.
ALTER TABLE accounts ADD COLUMN erased BIGINT;
ALTER TABLE accounts ADD COLUMN emptied_to BIGINT NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN emptied BIGINT;
ALTER TABLE generations ADD COLUMN erased BIGINT NOT NULL DEFAULT 0;
