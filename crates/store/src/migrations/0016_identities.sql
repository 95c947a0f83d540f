-- Who a person is elsewhere: the name that an issuer of identities has for them, which never changes hands. Addresses do.
CREATE TABLE identities (
    id TEXT PRIMARY KEY,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    -- As the issuer said last, for its person to know it by.
    email TEXT NOT NULL,
    created BIGINT NOT NULL,
    used BIGINT NOT NULL,
    UNIQUE (issuer, subject)
);
CREATE INDEX identities_by_user ON identities (user_id, created);

-- Who is on the way to an issuer and back. Hashes only: what is needed at the end comes back with the browser.
CREATE TABLE sign_ins (
    hash TEXT PRIMARY KEY,
    -- Of the cookie of the browser that began it.
    browser TEXT NOT NULL,
    issuer TEXT NOT NULL,
    -- JSON: what is to be done at the end.
    body TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX sign_ins_by_created ON sign_ins (created);
