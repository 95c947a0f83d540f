-- Books that show tampering: entries have a number and a hash over themselves and the entry before (ledger::chain). What
-- stood here before is chained when the store is opened; the state says how far that is.
CREATE TABLE books_state (
    name TEXT PRIMARY KEY,
    number BIGINT NOT NULL,
    text TEXT NOT NULL
);
-- The newest chained entry and its hash: who books keeps this row locked until the commit.
INSERT INTO books_state (name, number, text)
    VALUES ('chain', 0, '0000000000000000000000000000000000000000000000000000000000000000');
-- Generations up to this id have their digest; 1: all of them.
INSERT INTO books_state (name, number, text)
    VALUES ('digests', CASE WHEN EXISTS (SELECT 1 FROM generations) THEN 0 ELSE 1 END, '');

ALTER TABLE generations ADD COLUMN digest TEXT NOT NULL DEFAULT '';

CREATE TABLE numbered_entries (
    seq {NUMBER} PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT,
    hash TEXT NOT NULL
);
INSERT INTO numbered_entries (seq, id, at, kind, reason, hash)
    SELECT ROW_NUMBER() OVER (ORDER BY at, id), id, at, kind, reason, '' FROM entries;

-- In its key, and without a second index: a generation writes as few pages as can be.
CREATE TABLE numbered_postings (
    entry TEXT NOT NULL,
    line BIGINT NOT NULL,
    account TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (entry, line)
){IN_KEY};
INSERT INTO numbered_postings (entry, line, account, amount) SELECT entry, line, account, amount FROM postings;

DROP TABLE postings;
DROP TABLE entries;
ALTER TABLE numbered_entries RENAME TO entries;
ALTER TABLE numbered_postings RENAME TO postings;
-- Everything but generations: what people read one by one.
CREATE INDEX entries_apart ON entries (kind, seq) WHERE kind <> 'generation';

-- What a correction changed on a generation. Differences, so that several add up.
CREATE TABLE corrections (
    entry TEXT PRIMARY KEY,
    generation TEXT NOT NULL,
    price_version TEXT NOT NULL,
    cost BIGINT NOT NULL,
    charged BIGINT NOT NULL,
    provider_cost BIGINT NOT NULL
);
CREATE INDEX corrections_by_generation ON corrections (generation);

-- How much of the totals corrections made: what a running server has not charged itself.
ALTER TABLE account_totals ADD COLUMN charged_corrected BIGINT NOT NULL DEFAULT 0;
ALTER TABLE account_totals ADD COLUMN metered_corrected BIGINT NOT NULL DEFAULT 0;
ALTER TABLE key_totals ADD COLUMN corrected BIGINT NOT NULL DEFAULT 0;
