-- What callers of OpenAI Responses asked to be kept: their conversation can go on from it until it expires.
CREATE TABLE responses (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    previous TEXT,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    input TEXT NOT NULL,
    response TEXT NOT NULL
);

CREATE INDEX responses_by_expiry ON responses (expires);
