-- Second factors: the secret of a person's authenticator, sealed; in force once they have shown a code of it. A code is good once:
-- the newest step (30 s) of which one was taken stays.
CREATE TABLE second_factors (
    user_id TEXT PRIMARY KEY REFERENCES users (id),
    sealed TEXT NOT NULL,
    master TEXT NOT NULL,
    created BIGINT NOT NULL,
    confirmed BIGINT,
    last_step BIGINT NOT NULL
);

-- Codes for who has lost it, once each. Only their hashes are kept.
CREATE TABLE recovery_codes (
    user_id TEXT NOT NULL REFERENCES users (id),
    hash TEXT NOT NULL,
    PRIMARY KEY (user_id, hash)
);

-- What apps were let have: a code that becomes a key once (PKCE).
CREATE TABLE app_codes (
    hash TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    -- JSON: the challenge and its method, and what the key may do.
    body TEXT NOT NULL,
    expires BIGINT NOT NULL
);
