-- What keys may do beyond their columns, as JSON; the key's text before a rotation, valid for a while; why it was frozen.
-- Organizations come with people; until then their columns are empty.
ALTER TABLE accounts ADD COLUMN organization TEXT;
ALTER TABLE api_keys ADD COLUMN organization TEXT;
ALTER TABLE api_keys ADD COLUMN project TEXT;
ALTER TABLE api_keys ADD COLUMN rules TEXT NOT NULL DEFAULT '{}';
ALTER TABLE api_keys ADD COLUMN updated BIGINT;
ALTER TABLE api_keys ADD COLUMN previous_hash TEXT;
ALTER TABLE api_keys ADD COLUMN previous_until BIGINT;
ALTER TABLE api_keys ADD COLUMN frozen TEXT;

-- How much may be spent over a span. `subject` is what it is for: `account`, `project:web`, `key:key_7`, `tag:blue`,
-- `user:alice`, `user:*` for each user.
CREATE TABLE budgets (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    period TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount >= 0),
    hard BOOLEAN NOT NULL,
    thresholds TEXT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    deleted BOOLEAN NOT NULL,
    changed_seq BIGINT NOT NULL
);
CREATE UNIQUE INDEX budgets_by_subject ON budgets (account, subject, period) WHERE deleted = FALSE;
CREATE INDEX budgets_by_change ON budgets (changed_seq);
INSERT INTO change_counters (name, value) VALUES ('budgets', 0);

-- What was charged per day for the subjects that no other rollup has.
CREATE TABLE spend_days (
    account TEXT NOT NULL,
    subject TEXT NOT NULL,
    day BIGINT NOT NULL,
    charged BIGINT NOT NULL,
    PRIMARY KEY (account, subject, day)
);

-- What its owner is to be told of, once each.
CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    created BIGINT NOT NULL
);
CREATE INDEX alerts_by_account ON alerts (account, created);

-- Where alerts are sent.
CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    url TEXT NOT NULL,
    kinds TEXT NOT NULL,
    created BIGINT NOT NULL,
    disabled BOOLEAN NOT NULL
);
CREATE INDEX webhooks_by_account ON webhooks (account);

-- What is still to be delivered.
CREATE TABLE deliveries (
    alert TEXT NOT NULL REFERENCES alerts (id),
    webhook TEXT NOT NULL REFERENCES webhooks (id),
    attempts BIGINT NOT NULL,
    due BIGINT NOT NULL,
    done BIGINT,
    status BIGINT,
    PRIMARY KEY (alert, webhook)
);
CREATE INDEX deliveries_by_due ON deliveries (done, due);
