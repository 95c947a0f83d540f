-- People. An address is one person, known from the moment on when they proved that they read its mail.
CREATE TABLE users (
    id TEXT PRIMARY KEY,
    -- In lower case.
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    -- A PHC string (argon2id); none: who came by another way has no password.
    password TEXT,
    account TEXT NOT NULL REFERENCES accounts (id),
    -- Runs this server.
    is_operator BOOLEAN NOT NULL,
    created BIGINT NOT NULL,
    disabled BIGINT
);
CREATE INDEX users_by_account ON users (account);

-- What was sent by mail, or shown to the operator, and may come back once. Only its hash is kept.
CREATE TABLE mailed_tokens (
    hash TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    email TEXT NOT NULL,
    -- JSON: what is to be done with it.
    body TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX mailed_tokens_by_email ON mailed_tokens (email, kind);

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES users (id),
    created BIGINT NOT NULL,
    seen BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id, created);
