-- One text for SQLite and Postgres. Money: BIGINT nano-dollars. Instants: BIGINT microseconds since 1970. JSON: TEXT.

-- The last number given out per kind of change. A writer keeps the row locked until it commits, so that numbers become
-- visible in their order and a reader that asks for "after n" misses none.
CREATE TABLE change_counters (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO change_counters (name, value) VALUES ('keys', 0), ('totals', 0);

CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created BIGINT NOT NULL
);

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    hash TEXT NOT NULL UNIQUE,
    label TEXT NOT NULL,
    name TEXT NOT NULL,
    management BOOLEAN NOT NULL,
    spend_limit BIGINT,
    expires BIGINT,
    requests_per_minute BIGINT,
    concurrency BIGINT,
    created BIGINT NOT NULL,
    disabled BOOLEAN NOT NULL,
    revoked BIGINT,
    changed_seq BIGINT NOT NULL
);
CREATE INDEX api_keys_by_account ON api_keys (account);
CREATE INDEX api_keys_by_change ON api_keys (changed_seq);

CREATE TABLE price_versions (
    id TEXT PRIMARY KEY,
    endpoint TEXT NOT NULL,
    sheet TEXT NOT NULL,
    first_used BIGINT NOT NULL
);

CREATE TABLE generations (
    id TEXT PRIMARY KEY,
    created BIGINT NOT NULL,
    account TEXT NOT NULL,
    api_key TEXT NOT NULL,
    model TEXT NOT NULL,
    provider TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    status TEXT NOT NULL,
    mode TEXT NOT NULL,
    cost BIGINT NOT NULL,
    provider_cost BIGINT NOT NULL,
    charged BIGINT NOT NULL,
    price_version TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX generations_by_account ON generations (account, created);

-- Records of the journal that could not be booked.
CREATE TABLE refused_generations (
    id TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    body TEXT NOT NULL
);

CREATE TABLE entries (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT
);

CREATE TABLE postings (
    entry TEXT NOT NULL REFERENCES entries (id),
    line BIGINT NOT NULL,
    account TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (entry, line)
);
CREATE INDEX postings_by_account ON postings (account);

CREATE TABLE book_balances (
    account TEXT PRIMARY KEY,
    balance BIGINT NOT NULL
);

CREATE TABLE account_totals (
    account TEXT PRIMARY KEY,
    credited BIGINT NOT NULL,
    charged BIGINT NOT NULL,
    metered BIGINT NOT NULL,
    changed_seq BIGINT NOT NULL
);
CREATE INDEX account_totals_by_change ON account_totals (changed_seq);

CREATE TABLE key_totals (
    api_key TEXT PRIMARY KEY,
    spent BIGINT NOT NULL,
    changed_seq BIGINT NOT NULL
);
CREATE INDEX key_totals_by_change ON key_totals (changed_seq);

CREATE TABLE activity_days (
    account TEXT NOT NULL,
    day BIGINT NOT NULL,
    api_key TEXT NOT NULL,
    model TEXT NOT NULL,
    provider TEXT NOT NULL,
    requests BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    input BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write BIGINT NOT NULL,
    cache_write_1h BIGINT NOT NULL,
    audio_input BIGINT NOT NULL,
    image_input BIGINT NOT NULL,
    output BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    audio_output BIGINT NOT NULL,
    image_output BIGINT NOT NULL,
    searches BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    charged BIGINT NOT NULL,
    PRIMARY KEY (account, day, api_key, model, provider)
);

CREATE TABLE journal_segments (
    segment TEXT PRIMARY KEY,
    folded_to BIGINT NOT NULL
);
