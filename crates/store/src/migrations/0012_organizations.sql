-- Organizations. An account is one: it owns keys, money and rules; people are its members. Everybody has one of their own.
ALTER TABLE accounts ADD COLUMN personal BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE accounts ADD COLUMN ended BIGINT;
ALTER TABLE accounts DROP COLUMN organization;
ALTER TABLE api_keys DROP COLUMN organization;
UPDATE accounts SET personal = TRUE
    WHERE id <> 'acct_owner' AND (SELECT COUNT(*) FROM users u WHERE u.account = accounts.id) = 1;

CREATE TABLE members (
    account TEXT NOT NULL REFERENCES accounts (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    role TEXT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (account, user_id)
);
CREATE INDEX members_by_user ON members (user_id);
INSERT INTO members (account, user_id, role, created) SELECT account, id, 'owner', created FROM users;

-- Where a person's sessions begin; none: in their own.
ALTER TABLE users ADD COLUMN home TEXT;
ALTER TABLE sessions ADD COLUMN account TEXT;

-- Whom an organization asks in. Of what was mailed there is a hash.
CREATE TABLE invitations (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL REFERENCES accounts (id),
    -- In lower case.
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    invited_by TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    UNIQUE (account, email)
);

-- Programs that hold keys of their own, so that a key outlives whoever made it.
CREATE TABLE service_accounts (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    created BIGINT NOT NULL,
    ended BIGINT
);
CREATE INDEX service_accounts_by_account ON service_accounts (account);

-- Who holds a key: a member (`usr_…`) or a service account (`sa_…`); none: the organization. What a management key may do.
ALTER TABLE api_keys ADD COLUMN holder TEXT;
ALTER TABLE api_keys ADD COLUMN role TEXT;

CREATE TABLE projects (
    account TEXT NOT NULL REFERENCES accounts (id),
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    created BIGINT NOT NULL,
    archived BIGINT,
    PRIMARY KEY (account, slug)
);
INSERT INTO projects (account, slug, name, created)
    SELECT account, project, project, MIN(created) FROM api_keys WHERE project IS NOT NULL GROUP BY account, project;

-- Every act of somebody who administers, numbered and chained: the digest is over the row, the hash over it, the number and the
-- hash before. What is personal in a row can be taken out; its digest stays, so that the chain holds.
CREATE TABLE audit (
    seq {NUMBER} PRIMARY KEY,
    at BIGINT NOT NULL,
    account TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    address TEXT NOT NULL,
    status BIGINT NOT NULL,
    -- JSON: what was asked, as far as it is nobody's secret.
    detail TEXT NOT NULL,
    redacted BIGINT,
    digest TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX audit_by_account ON audit (account, seq);
INSERT INTO books_state (name, number, text)
    VALUES ('audit', 0, '0000000000000000000000000000000000000000000000000000000000000000');
