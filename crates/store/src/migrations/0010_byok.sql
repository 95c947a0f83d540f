-- Keys of providers that accounts brought along. `sealed` is ciphertext under the master key named by `master`; nothing here
-- can be read without that key. A key that was taken away leaves a row without ciphertext, so that other nodes hear of it.
CREATE TABLE byok_keys (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    provider TEXT NOT NULL,
    sealed TEXT NOT NULL,
    master TEXT NOT NULL,
    settings TEXT NOT NULL,
    created BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    deleted BOOLEAN NOT NULL,
    changed_seq BIGINT NOT NULL
);
CREATE INDEX byok_keys_by_account ON byok_keys (account);
CREATE INDEX byok_keys_by_change ON byok_keys (changed_seq);

-- How an account uses them: JSON.
CREATE TABLE byok_accounts (
    account TEXT PRIMARY KEY REFERENCES accounts (id),
    settings TEXT NOT NULL,
    changed_seq BIGINT NOT NULL
);

-- The balance for fees: what was put in, and what fees took out.
CREATE TABLE byok_totals (
    account TEXT PRIMARY KEY,
    credited BIGINT NOT NULL,
    charged BIGINT NOT NULL,
    -- How much of it corrections made: what a running server has not charged itself.
    corrected BIGINT NOT NULL DEFAULT 0,
    changed_seq BIGINT NOT NULL
);

-- What was called with own keys, by our key and theirs: at list price, and the fees, from whichever book.
CREATE TABLE byok_usage (
    api_key TEXT NOT NULL,
    byok_key TEXT NOT NULL,
    account TEXT NOT NULL,
    requests BIGINT NOT NULL,
    usage BIGINT NOT NULL,
    fees BIGINT NOT NULL,
    changed_seq BIGINT NOT NULL,
    PRIMARY KEY (api_key, byok_key)
);
-- Of a day's cost, what own keys paid.
ALTER TABLE activity_days ADD COLUMN byok_cost BIGINT NOT NULL DEFAULT 0;
INSERT INTO change_counters (name, value) VALUES ('byok', 0), ('byok_totals', 0);
